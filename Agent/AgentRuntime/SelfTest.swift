import AgentCore
import CPosix
package import Forecasting
package import JSONText
import ModelPackage

/// Whether this CPU computes what every other computes: the networks of `EngineTrial`, and a package's golden vectors.
package enum SelfTest {
    /// SHA-256 of the results of all of `EngineTrial.cases`, one after the other: what every kernel set gives on every CPU,
    /// as long as INTEGER.md and the trial stand as they are.
    package static let digest =
        "76143cf71a05f70526bbc8b656e452dd101c06c4cf86399cf9408a1b8b51a87d"

    /// Runs the trial with each of `sets`, and the golden vectors of a package file, which need not be signed.
    /// - Parameter content: a package file; nil where there is none.
    /// - Returns: what a command shows. "ok" is false, and "error" says why, where anything is not as it must be.
    package static func run(_ sets: [KernelSet], content: [UInt8]?) -> JSONValue {
        var problem: String?
        var list: [JSONValue] = []
        let cases = EngineTrial.cases
        for kernels in sets {
            var results: [UInt8] = []
            for one in cases { results += EngineTrial.results(of: one, kernels: kernels) }
            let found = String(decoding: Hex.text(Crypto.sha256(results)), as: UTF8.self)
            let isRight = found.utf8.elementsEqual(digest.utf8)
            if !isRight, problem == nil { problem = difference(of: kernels, cases) }
            list.append(
                .object([
                    .init("name", .string(kernels.name)), .init("digest", .string(found)),
                    .init("right", .bool(isRight)),
                ]))
        }
        var members: [JSONValue.Member] = [
            .init("architecture", .string(String(cString: shelfcast_architecture()))),
            .init("networks", .integer(cases.count)), .init("expected", .string(digest)),
            .init("kernels", .array(list)),
        ]
        if let content {
            let (shown, failure) = prove(content, with: sets)
            members.append(.init("package", shown))
            // A package is what forecasts here: what is wrong with it is told before anything else.
            problem = failure ?? problem
        } else {
            members.append(.init("package", .null))
        }
        guard let problem else { return AgentService.ok(members) }
        guard case .object(let failure) = AgentService.failure(.failed(problem)) else {
            preconditionFailure("an answer is an object")
        }
        return .object(failure + members)
    }

    /// The first network that tells a kernel set from the plain version. Where none does, the plain version itself is wrong.
    private static func difference(
        of kernels: KernelSet, _ cases: [EngineTrial.Case]
    ) -> String {
        for one in cases where kernels != .plain {
            let plain = EngineTrial.results(of: one, kernels: .plain)
            guard EngineTrial.results(of: one, kernels: kernels) != plain else { continue }
            return
                "the kernel set \(kernels.name) does not give on this CPU what the plain one gives, first for \(one.name): do not let this device forecast"
        }
        return
            "the kernel set \(kernels.name) does not give the digest that is the same on every CPU: do not let this device forecast"
    }

    private static func prove(
        _ content: [UInt8], with sets: [KernelSet]
    ) -> (shown: JSONValue, failure: String?) {
        var members: [JSONValue.Member] = [
            .init("digest", .text(Hex.text(Crypto.sha256(content))))
        ]
        var failure: String?
        do throws(PackageError) {
            let manifest = try Manifest(of: content)
            members += [
                .init("family", .string(manifest.family)),
                .init("variant", .string(manifest.variant)),
            ]
            do throws(GoldenFailure) {
                let count = try GoldenProof.prove(content, with: sets)
                members.append(.init("goldenVectors", .integer(count)))
            } catch {
                failure =
                    "the package fails with the kernel set \(error.kernels.name): \(error.error.message)"
            }
        } catch {
            failure = "not a package: " + error.message
        }
        members.append(.init("right", .bool(failure == nil)))
        return (.object(members), failure)
    }
}
