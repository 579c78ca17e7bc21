import AgentCore
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

@Suite("A line on the local socket")
struct LocalRequestTests {
    static func parse(_ text: String) throws -> LocalRequest {
        try LocalRequest(line: [UInt8](text.utf8))
    }

    @Test("asks what it says")
    func requests() throws {
        #expect(try Self.parse(#"{"do":"status"}"#) == .status)
        #expect(try Self.parse(#"{"do":"sync","version":1}"#) == .sync)
        #expect(try Self.parse(#"{"do":"hello"}"#) == .hello)
        #expect(try Self.parse(#"{"do":"forecast"}"#) == .forecast(nil, days: nil))
        #expect(
            try Self.parse(#"{"do":"close-day","day":null,"closed":true}"#)
                == .closeDay(nil, isClosedAllDay: true))
    }

    static let malformed: [(String, String)] = [
        (
            "{}",
            "'do' is missing: hello, sale, sales, return, stock, close-day, forecast, status, subscribe, sync, selftest or benchmark"
        ),
        ("[]", "not a JSON object"),
        (
            #"{"do":7}"#,
            "'do' is missing: hello, sale, sales, return, stock, close-day, forecast, status, subscribe, sync, selftest or benchmark"
        ),
        (
            #"{"do":"drop"}"#,
            "'drop' is not something to do: hello, sale, sales, return, stock, close-day, forecast, status, subscribe, sync, selftest or benchmark"
        ),
        (
            #"{"do":"status","version":2}"#,
            "'version' is not one that this agent speaks: it speaks 1"
        ),
        (
            #"{"do":"status","version":"1"}"#,
            "'version' is not one that this agent speaks: it speaks 1"
        ),
        (#"{"do":"sales"}"#, "'sales' must be a list"),
        (#"{"do":"sales","sales":[]}"#, "0 sales in one line; 1 to 500 are taken"),
        (
            #"{"do":"sales","sales":["# + String(repeating: "1,", count: 500) + "1]}",
            "501 sales in one line; 1 to 500 are taken"
        ),
        (
            #"{"do":"close-day","day":"2026-02-29"}"#,
            "day '2026-02-29' is not a date; write YYYY-MM-DD"
        ),
        (#"{"do":"close-day","day":5}"#, "'day' must be a text, YYYY-MM-DD"),
        (#"{"do":"close-day","closed":"yes"}"#, "'closed' must be true or false"),
        (#"{"do":"forecast","item":""}"#, "item has 0 bytes; it must have 1 to 32"),
    ]

    @Test("that asks nothing we know is answered with what is wrong", arguments: malformed.indices)
    func refused(_ index: Int) {
        let (text, reason) = Self.malformed[index]
        #expect(throws: LocalRequestError(reason)) { try Self.parse(text) }
    }
}
