import AgentCore
import Forecasting
import TestSupport
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
            "'do' is missing: hello, sale, sales, return, stock, ordered, close-day, forecast, status, subscribe, sync, selftest or benchmark"
        ),
        ("[]", "not a JSON object"),
        (
            #"{"do":7}"#,
            "'do' is missing: hello, sale, sales, return, stock, ordered, close-day, forecast, status, subscribe, sync, selftest or benchmark"
        ),
        (
            #"{"do":"drop"}"#,
            "'drop' is not something to do: hello, sale, sales, return, stock, ordered, close-day, forecast, status, subscribe, sync, selftest or benchmark"
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

/// Sales that are read in one pass.
@Suite("A plain sale")
struct PlainSaleTests {
    private static func plain(_ text: String) -> PlainSale? { PlainSale(line: [UInt8](text.utf8)) }

    /// The same line, the way of all requests; a sale of a line without a day gets day 0.
    private static func read(_ line: [UInt8]) -> Sale? {
        guard case .sales(let sales)? = try? LocalRequest(line: line), sales.count == 1 else {
            return nil
        }
        return try? SalesReader.sale(object: sales[0], defaultDay: [UInt8]("1970-01-01".utf8))
    }

    @Test(
        "is what it is to the reader of all requests",
        arguments: [
            #"{"do":"sale","day":"2016-07-19","item":"7","units":3}"#,
            #"{"do":"sale","item":7,"units":1000000,"ref":"till-1/881"}"#,
            #" { "units" : 1 ,"# + "\t" + #""ref":"ü b","item":"a.b-C","do":"return"} "#,
            #"{"item":"0","units":9,"do":"sale","day":"2196-02-29"}"#,
        ])
    func taken(text: String) throws {
        let plain = try #require(Self.plain(text))
        #expect(plain.sale == Self.read([UInt8](text.utf8)))
        #expect(plain.namesDay == text.contains("day"))
    }

    @Test(
        "is none where there is more to say or to refuse",
        arguments: [
            "", "{", "{}", "[]", "null", #"{"do":"sale"}"#, #"{"do":"status"}"#,
            #"{"do":"sale","item":"7","units":3"#, #"{"do":"sale","item":"7","units":3}}"#,
            #"{"do":"sale","item":"7","units":3,}"#, #"{"do":"sale" "item":"7","units":3}"#,
            #"{"do":"sale","item":"7","units":0}"#, #"{"do":"sale","item":"7","units":1000001}"#,
            #"{"do":"sale","item":"7","units":03}"#, #"{"do":"sale","item":"7","units":3.0}"#,
            #"{"do":"sale","item":"7","units":-3}"#, #"{"do":"sale","item":"7","units":"3"}"#,
            #"{"do":"sale","item":"","units":3}"#, #"{"do":"sale","item":"a b","units":3}"#,
            #"{"do":"sale","item":07,"units":3}"#, #"{"do":"sale","item":1.5,"units":3}"#,
            #"{"do":"sale","item":"7","units":3,"day":"2016-02-30"}"#,
            #"{"do":"sale","item":"7","units":3,"day":null}"#,
            #"{"do":"sale","item":"7","units":3,"ref":""}"#,
            #"{"do":"sale","item":"7","units":3,"ref":"\#u{7F}"}"#,
            #"{"do":"sale","item":"7","units":3,"ref":"a\u0041"}"#,
            #"{"do":"sale","item":"7","units":3,"units":4}"#,
            #"{"do":"sale","item":"7","units":3,"item":"8"}"#,
            #"{"do":"sale","item":"7","units":3,"version":1}"#,
            #"{"do":"sale","item":"7","units":3,"note":"x"}"#,
        ])
    func left(text: String) {
        #expect(Self.plain(text) == nil)
    }

    @Test("is read alike whatever becomes of its bytes", arguments: 1...8 as ClosedRange<UInt64>)
    func changed(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let line = [UInt8](
            #"{"do":"sale","day":"2016-07-19","item":"70","units":31,"ref":"r 1"}"#.utf8)
        let others = [UInt8](#"{}[]":,\0123456789 -.eEtrunds"#.utf8) + [0x09, 0x0D, 0x7F, 0xC3]
        var taken = 0
        for _ in 0..<4_000 {
            var changed = line
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let at = Int.random(in: 0..<changed.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: changed[at] = others.randomElement(using: &random)!  // not empty
                case 1: changed.remove(at: at)
                default: changed.insert(others.randomElement(using: &random)!, at: at)
                }
            }
            guard let plain = PlainSale(line: changed) else { continue }
            taken += 1
            #expect(plain.sale == Self.read(changed), "\(String(decoding: changed, as: UTF8.self))")
        }
        #expect(taken > 200)
    }
}
