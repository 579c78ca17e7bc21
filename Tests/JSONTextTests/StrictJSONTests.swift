import JSONText
import Testing

@Suite("JSON that somebody signed")
struct StrictJSONTests {
    static func parse(_ bytes: [UInt8]) throws -> JSONValue {
        try JSONValue(strictly: bytes, bytesMax: 10_000, depthMax: 6, valuesMax: 2_000)
    }
    static func canonical(_ text: String) throws -> String {
        String(decoding: try parse([UInt8](text.utf8)).canonical(), as: UTF8.self)
    }

    // Right-hand sides as written by securesystemslib 1.6's encode_canonical.
    @Test(
        "has one canonical form",
        arguments: [
            (#""""#, #""""#), ("[1, 2, 3]", "[1,2,3]"), ("[ ]", "[]"), ("{ }", "{}"),
            (#"{"A": [99]}"#, #"{"A":[99]}"#), (#"{"y" : 2, "x" : 3}"#, #"{"x":3,"y":2}"#),
            (#"{"b":null,"a":true,"aa":false,"B":-7}"#, #"{"B":-7,"a":true,"aa":false,"b":null}"#),
            (#""a\n\"\\\/\u0041\u00e9""#, "\"a\n\\\"\\\\/Aé\""),
            (#"{"é":1,"z":2}"#, #"{"z":2,"é":1}"#),
            (#"{"\ud83d\ude00":1,"\uffee":2}"#, "{\"\u{FFEE}\":2,\"😀\":1}"), ("[-0]", "[0]"),
            ("12345678901234567890123", "12345678901234567890123"),
        ])
    func canonicalForm(_ text: String, _ expected: String) throws {
        #expect(try Self.canonical(text) == expected)
    }

    @Test("keeps its canonical form whatever the order of its members")
    func order() throws {
        var state: UInt64 = 7
        for count in 0..<80 {
            var members = (0..<count).map { "\"\($0 * 7919 % 1_000)\":\($0)" }
            let sorted = try Self.canonical("{" + members.joined(separator: ",") + "}")
            for index in members.indices.reversed() {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                members.swapAt(index, Int(state >> 33) % (index + 1))
            }
            #expect(try Self.canonical("{" + members.joined(separator: ",") + "}") == sorted)
        }
    }

    @Test(
        "has no canonical form with a fraction or an exponent", arguments: ["1.0", "[1e3]", "-1E2"])
    func fractions(_ text: String) throws {
        #expect(throws: JSONError.notWhole) { try Self.canonical(text) }
    }

    @Test(
        "must not have a name twice, however it is written",
        arguments: [#"{"a":1,"a":1}"#, #"{"b":0,"a":1,"c":2,"\u0061":1}"#, #"[{"":1,"":2}]"#])
    func names(_ text: String) {
        #expect(throws: JSONError.nameTwice) { try Self.parse([UInt8](text.utf8)) }
    }

    @Test("must be UTF-8, in its shortest form")
    func encoding() throws {
        let faults: [[UInt8]] = [
            [0x80], [0xC3], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
            [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF0, 0x90, 0x80], [0xFF],
        ]
        for fault in faults {
            #expect(throws: JSONError.notUTF8(at: 2), "\(fault)") {
                try Self.parse([0x22, 0x61] + fault + [0x22])
            }
        }
        for scalar in [
            "\u{7F}", "\u{80}", "\u{7FF}", "\u{800}", "\u{D7FF}", "\u{E000}", "\u{FFFF}",
        ]
            + ["\u{10000}", "\u{10FFFF}"]
        {
            #expect(try Self.parse([UInt8]("\"\(scalar)\"".utf8)) == .string(scalar))
        }
    }

    @Test("is no deeper, longer or fuller than it may be")
    func bounds() {
        #expect(throws: JSONError.tooDeep(depthMax: 6)) {
            try Self.parse([UInt8]("[[[[[[[]]]]]]]".utf8))
        }
        #expect(throws: JSONError.tooLong(bytes: 10_001, bytesMax: 10_000)) {
            try Self.parse([UInt8](repeating: 0x20, count: 10_001))
        }
        #expect(throws: JSONError.tooManyValues(countMax: 2_000)) {
            try Self.parse([UInt8](("[" + String(repeating: "1,", count: 2_000) + "1]").utf8))
        }
    }
}
