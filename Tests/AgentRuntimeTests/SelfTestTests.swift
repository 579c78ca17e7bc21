import AgentCore
import AgentRuntime
import Forecasting
import JSONText
import ModelPackage
import Testing

@Suite("The self-test")
struct SelfTestTests {
    init() { _ = Crypto.setUp() }

    static func isRight(_ part: JSONValue?) -> Bool { part?["right"] == .bool(true) }

    @Test("gives the stated digest with every kernel set this CPU has")
    func digest() throws {
        let reply = SelfTest.run(KernelSet.available, content: nil)
        #expect(reply["ok"] == .bool(true))
        #expect(reply["package"] == .null)
        guard case .array(let sets)? = reply["kernels"] else {
            Issue.record("no kernel sets")
            return
        }
        #expect(sets.count == KernelSet.available.count)
        for one in sets {
            #expect(one["digest"] == .string(SelfTest.digest))
            #expect(Self.isRight(one))
        }
    }

    @Test("tries valid networks of every cell, at every size around what kernels take at once")
    func cases() throws {
        let cases = EngineTrial.cases
        for cell in CellKind.allCases {
            for hasNibbles in [false, true] {
                let wide = cases.filter {
                    $0.shape.cell == cell && $0.hasNibbles == hasNibbles && $0.shape.units > 4
                }
                #expect(wide.count > 4)
            }
            for isExtreme in [false, true] {
                let units = cases.filter { $0.shape.cell == cell && $0.isExtreme == isExtreme }
                    .map { $0.shape.units }
                #expect(units.count > 5)
            }
            let own = cases.filter { $0.shape.cell == cell }
            #expect(
                Set(own.map { $0.shape.units }) == [1, 2, 3, 15, 16, 17, 63, 64, 65, 128])
            #expect(Set(own.map { $0.window }) == [1, 2, 3, 14, 15, 64])
            #expect(Set(own.map { $0.shape.inputWidth }) == [1, 2, 3, 4, 5, 24, 64])
        }
        for one in cases { try EngineTrial.network(of: one).validate() }
    }

    @Test("tells networks apart: hardly two leave the same behind, and few are all at their ends")
    func distinct() {
        let results = EngineTrial.cases.filter { $0.shape.units > 2 }.map {
            EngineTrial.results(of: $0, kernels: .plain)
        }
        #expect(Set(results).count == results.count)
        // Of those not driven there, states move between their ends.
        for one in EngineTrial.cases where !one.isExtreme && one.shape.units > 15 {
            #expect(Set(EngineTrial.results(of: one, kernels: .plain)).count > 24, "\(one.name)")
        }
    }

    @Test("proves the golden vectors of a package with every kernel set")
    func golden() throws {
        let package = try SmallPackage.make(release: 1)
        let reply = SelfTest.run(KernelSet.available, content: package.encode())
        #expect(reply["ok"] == .bool(true))
        #expect(Self.isRight(reply["package"]))
        #expect(reply["package"]?["goldenVectors"] == .integer(1))
    }

    @Test("fails with a word where a golden vector does", arguments: KernelSet.available)
    func wrongGolden(kernels: KernelSet) throws {
        var package = try SmallPackage.make(release: 1)
        let right = package.goldenVectors[0].networkOutput
        package.goldenVectors[0].networkOutput += 1
        let reply = SelfTest.run([kernels], content: package.encode())
        #expect(reply["ok"] == .bool(false))
        #expect(reply["code"] == .integer(1))
        #expect(reply["package"]?["right"] == .bool(false))
        let text = String(decoding: reply["error"]?.utf8 ?? [], as: UTF8.self)
        #expect(text.hasSuffix("golden vector 0 gave \(right) instead of \(right + 1)"), "\(text)")
    }

    @Test("says what is no package")
    func noPackage() {
        let reply = SelfTest.run([.plain], content: [1, 2, 3])
        #expect(reply["ok"] == .bool(false))
        let text = String(decoding: reply["error"]?.utf8 ?? [], as: UTF8.self)
        #expect(text.hasPrefix("not a package: "), "\(text)")
    }

    @Test("of an agent proves the package at work")
    func ofAgent() throws {
        let folder = TemporaryFolder()
        let hub = TestHub()
        hub.enrol(folder)
        let service = try AgentService.start(folder)
        let request = LocalRequest.selfTest([.best])
        #expect(service.reply(to: request)["package"] == .null)
        let content = try TestPackage.model(release: 4, store: "1").encode()
        try hub.offer(content, release: 4, store: "1")
        try hub.visit(service)
        let reply = service.reply(to: request)
        #expect(reply["ok"] == .bool(true))
        #expect(reply["package"]?["digest"] == .text(Hex.text(Crypto.sha256(content))))
        #expect(Self.isRight(reply["package"]))
    }

    @Test("is asked for by the name of a kernel set that this CPU has")
    func request() throws {
        func parse(_ text: String) throws -> LocalRequest {
            try LocalRequest(line: [UInt8](text.utf8))
        }
        #expect(try parse(#"{"do":"selftest"}"#) == .selfTest([.best]))
        #expect(try parse(#"{"do":"selftest","kernels":"plain"}"#) == .selfTest([.plain]))
        #expect(try parse(#"{"do":"selftest","kernels":"all"}"#) == .selfTest(KernelSet.available))
        #expect(throws: LocalRequestError("'kernels' must be a text")) {
            try parse(#"{"do":"selftest","kernels":3}"#)
        }
        let error = #expect(throws: LocalRequestError.self) {
            try parse(#"{"do":"selftest","kernels":"mmx"}"#)
        }
        #expect(
            error?.text.hasPrefix("'mmx' is no kernel set that this CPU has; it has: all, plain")
                == true)
    }
}
