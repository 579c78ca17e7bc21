import Testing
import UpdateTrust

@Suite("Spoiled metadata")
struct MetadataFuzzTests {
    static let seed: UInt64 = 20_261_121

    static func repository() -> SampleRepository {
        var repository = DelegationTests.repository(DelegationTests.tree)
        repository.hasMetaDigests = false
        repository.files["C"] = [("releases/x/a", "content")]
        repository.isConsistent = false
        repository["root"].version = 2
        repository["root"].signers = [SampleKey("r1")]
        repository.publish()
        return repository
    }

    @Test("is never believed, never stops the program and never keeps it busy", arguments: 0..<8)
    func spoiled(_ part: UInt64) throws {
        var state = Self.seed &+ part
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        let good = Self.repository()
        let names = ["2.root", "timestamp", "snapshot", "targets", "B", "C"].map { $0 + ".json" }
        var refused = 0
        for round in 0..<250 {
            var repository = good
            let name = names[random(names.count)]
            var bytes = try #require(repository.published[name])
            for _ in 0...random(3) {
                let at = random(bytes.count)
                switch random(5) {
                case 0: bytes[at] ^= 1 << UInt8(random(8))
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random(40)))
                case 2:
                    bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + random(60))], at: at)
                case 3:
                    bytes = Array(bytes.prefix(at)) + [UInt8](repeating: 0x5B, count: random(90))
                default: bytes[at] = [0x22, 0x7B, 0x7D, 0x5D, 0x2C, 0x30, 0x00, 0xFF][random(8)]
                }
                if bytes.isEmpty { bytes = [0x20] }
            }
            repository.published[name] = bytes
            do throws(MetadataError) {
                // Blanks, or what is not signed, may have been hit; what is signed must be as it was.
                let file = try repository.find("releases/x/a")
                #expect(file?.length == 7, "seed \(Self.seed &+ part), round \(round)")
            } catch {
                refused += 1
                #expect(!error.explanation.isEmpty)
            }
        }
        #expect(refused > 150)
    }
}
