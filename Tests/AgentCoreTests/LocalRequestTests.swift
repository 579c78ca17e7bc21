import AgentCore
import Testing

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
