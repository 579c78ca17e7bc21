import JSONText
import Testing

@Suite("A JSON document")
struct JSONValueTests {
    static func parse(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: [UInt8](text.utf8))
    }

    @Test(
        "is written as it was read",
        arguments: [
            "null", "true", "false", "0", "-1.5e+3", "\"\"", "[]", "{}", "[1,[2,[3]]]",
            #"{"a":"ü€😀","b":[null,true],"a":1}"#, #""\"\\\n\u0001\u007f""#,
        ])
    func roundTrip(_ text: String) throws {
        #expect(String(decoding: try Self.parse(text).line, as: UTF8.self) == text)
    }

    @Test("may have blanks and every escape")
    func escapes() throws {
        #expect(
            try Self.parse(" [ \"\\u0041\\ud83d\\ude00\\/\\b\\f\\r\\t\" , 1 ]\r\n")
                == .array([.string("A😀/\u{8}\u{C}\r\t"), .number([49])]))
    }

    static let malformed: [(String, JSONError)] = [
        ("", .end), ("  ", .end), ("{", .end), ("[1", .end), ("\"a", .end), ("tru", .end),
        ("-", .end), ("1.", .end), ("1e", .end), ("\"\\u12", .end), ("[1,]", .unexpected(at: 3)),
        ("{1:2}", .unexpected(at: 1)), ("{\"a\" 1}", .unexpected(at: 5)),
        ("01", .unexpected(at: 1)),
        ("+1", .unexpected(at: 0)), ("nul1", .unexpected(at: 3)), ("1 2", .unexpected(at: 2)),
        ("\"\n\"", .unexpected(at: 1)), ("\"\\x\"", .unexpected(at: 2)),
        ("\"\\ud800\"", .unexpected(at: 7)), ("\"\\udc00\"", .unexpected(at: 7)),
        ("\"\\ud800\\u0041\"", .unexpected(at: 13)), ("'a'", .unexpected(at: 0)),
        (
            String(repeating: "[", count: 9) + String(repeating: "]", count: 9),
            .tooDeep(depthMax: 8)
        ),
        (
            "[" + String(repeating: "1,", count: 9000) + "1]", .tooManyValues(countMax: 8192)
        ),
        (String(repeating: " ", count: 65_537), .tooLong(bytes: 65_537, bytesMax: 65_536)),
    ]

    @Test("that is none is refused where it goes wrong", arguments: malformed.indices)
    func refused(_ index: Int) {
        let (text, error) = Self.malformed[index]
        #expect(throws: error) { try Self.parse(text) }
    }

    @Test("cut off anywhere is refused")
    func cut() throws {
        let text = [UInt8](#"{"do":"sale","sales":[{"item":"1","units":12}],"x":null}"#.utf8)
        for count in 0..<text.count {
            #expect(throws: JSONError.self) {
                try JSONValue(parsing: [UInt8](text.prefix(count)))
            }
        }
    }
}
