import AgentCore
import CPosix
package import JSONText
import ModelPackage
import SyncProtocol

/// What `shelfcast-agent benchmark` shows.
package enum Benchmark {
    /// - Parameter content: a package file, which need not be signed; nil where there is none.
    package static func run(content: [UInt8]?) -> JSONValue {
        var measurement = EngineTiming.references()
        guard let content else { return answer(measurement, package: []) }
        let manifest: Manifest
        do { manifest = try Manifest(of: content) } catch {
            return AgentService.failure(.failed("not a package: " + error.message))
        }
        do {
            let engine = try Engine(content, budgetBytes: .max)
            EngineTiming.add(engine, digest: Crypto.sha256(content), to: &measurement)
        } catch {
            return AgentService.failure(
                .refused("the package cannot run here: " + error.message))
        }
        return answer(
            measurement,
            package: [
                .init("family", .string(manifest.family)),
                .init("variant", .string(manifest.variant)),
            ])
    }

    /// - Parameter package: its names; without them there is none.
    static func answer(_ measured: Measurement, package: [JSONValue.Member]) -> JSONValue {
        func times(_ single: UInt32, _ batch: UInt32) -> [JSONValue.Member] {
            [
                .init("singleNanoseconds", .integer(single)),
                .init("batchNanoseconds", .integer(batch)),
            ]
        }
        let energy = EnergyMeter().source.name
        var members: [JSONValue.Member] = [
            .init("architecture", .string(String(cString: shelfcast_architecture()))),
            .init("kernels", .string(measured.kernels)),
            .init("batch", .integer(EngineTiming.batchCount)),
            .init(
                "lstm16",
                .object(times(measured.smallNanoseconds, measured.smallBatchNanoseconds))),
            .init(
                "lstm64",
                .object(times(measured.largeNanoseconds, measured.largeBatchNanoseconds))),
        ]
        if package.isEmpty {
            members.append(.init("package", .null))
        } else {
            let nanojoules = measured.packageNanojoules
            members.append(
                .init(
                    "package",
                    .object(
                        package + [.init("digest", .text(Hex.text(measured.packageDigest)))]
                            + times(measured.packageNanoseconds, measured.packageBatchNanoseconds)
                            + [
                                .init("arenaBytes", .integer(measured.arenaBytes)),
                                .init(
                                    "nanojoules", nanojoules > 0 ? .integer(nanojoules) : .null),
                            ])))
        }
        members += [
            .init("peakMemoryBytes", .integer(EngineTiming.peakMemoryBytes())),
            .init("energy", energy.map { .string($0) } ?? .null),
        ]
        return AgentService.ok(members)
    }
}
