import Forecasting
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test("Printable names pass unchanged", arguments: ["1", "store-7", "A/b:c#9", "~!$%^&*()"])
    func accepted(text: String) throws {
        #expect(try ItemID(text).text == text)
    }

    @Test("Thirty-two characters are the longest")
    func longest() throws {
        let longest = String(repeating: "x", count: 32)
        #expect(try StoreID(longest).utf8.count == 32)
        #expect(throws: IdentifierError.length(bytes: 33, bytesMax: 32)) {
            try StoreID(longest + "x")
        }
        #expect(throws: IdentifierError.length(bytes: 0, bytesMax: 32)) { try StoreID("") }
    }

    @Test(
        "A character that CSV, JSON, SQL or a shell would trip over is named with its place",
        arguments: [
            ("a b", UInt8(0x20), 1), ("a,b", 0x2C, 1), ("\"", 0x22, 0), ("it's", 0x27, 2),
            ("a\\b", 0x5C, 1), ("tab\t", 0x09, 3), ("caf\u{e9}", 0xC3, 3), ("x\u{7f}", 0x7F, 1),
            ("\n", 0x0A, 0),
        ])
    func refused(text: String, byte: UInt8, at: Int) {
        #expect(throws: IdentifierError.character(byte: byte, at: at)) { try DeviceID(text) }
    }

    @Test("Numbers come first and by value, then names by their bytes")
    func order() throws {
        let sorted = [
            "0", "00", "1", "2", "02", "9", "10", "010", "123", "1a", "9a", "A", "B", "a",
        ]
        for seed in 0..<5 {
            let rotated = sorted[(seed * 2)...] + sorted[..<(seed * 2)]
            #expect(try rotated.reversed().map { try ItemID($0) }.sorted().map(\.text) == sorted)
        }
    }

    @Test("The order of any three is transitive")
    func transitive() throws {
        let ids = try ["0", "7", "07", "10", "1a", "9a", "a", "a1", "~"].map { try ItemID($0) }
        for a in ids {
            for b in ids {
                #expect([a < b, b < a, a == b].count { $0 } == 1)
                for c in ids where a < b && b < c { #expect(a < c) }
            }
        }
    }
}
