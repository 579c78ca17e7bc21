import AgentCore
import Forecasting
import Testing

@Suite("A sales file")
struct SalesReaderTests {
    /// What a file gives, as text: "line: sale" or "line! reason".
    static func read(_ file: [UInt8], _ format: SalesFormat, piece: Int = .max) -> [String] {
        var reader = SalesReader(format: format)
        var lines: [SalesReader.Line] = []
        var rest = file[...]
        while !rest.isEmpty {
            lines += reader.read(rest.prefix(piece))
            rest = rest.dropFirst(piece)
        }
        lines += reader.finish()
        if reader.isWithoutHeader { return ["empty"] }
        return lines.map {
            switch $0.sale {
            case .success(let sale):
                let reference = sale.reference.map { String(decoding: $0, as: UTF8.self) }
                return
                    "\($0.number): \(sale.day.iso8601) \(sale.item.text) \(sale.units) \(reference ?? "-")"
            case .failure(let error): return "\($0.number)! \(error.text)"
            }
        }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var title: String
        var file: String
        var expected: [String]
        var testDescription: String { title }
        init(_ title: String, _ file: String, _ expected: [String]) {
            (self.title, self.file, self.expected) = (title, file, expected)
        }
    }

    static let csv: [Row] = [
        Row("plain", "day,item,units\n2026-11-21,17,3\n", ["2: 2026-11-21 17 3 -"]),
        Row(
            "columns in another order, with a reference",
            "ref,units,item,day\na-1,3,17,2026-11-21\n,4,17,2026-11-21\n",
            ["2: 2026-11-21 17 3 a-1", "3: 2026-11-21 17 4 -"]),
        Row(
            "a BOM, CRLF and no newline at the end",
            "\u{FEFF}day,item,units\r\n2026-11-21,17,3\r\n2026-11-22,17,4",
            ["2: 2026-11-21 17 3 -", "3: 2026-11-22 17 4 -"]),
        Row(
            "quotes, blanks and empty lines",
            "day, item ,units\n\n\"2026-11-21\", \"17\" , 3\n   \n",
            ["3: 2026-11-21 17 3 -"]),
        Row(
            "an unknown column", "day,item,price,units\n2026-11-21,17,9.99,3\n",
            ["2: 2026-11-21 17 3 -"]),
        Row("nothing at all", "", ["empty"]),
        Row("only a BOM and blank lines", "\u{FEFF}\n\r\n", ["empty"]),
        Row("a header alone", "day,item,units\n", []),
        Row(
            "a missing column", "day,item\n2026-11-21,17\n",
            [
                "1! the header has no column 'units'; it must name day, item and units, and may name ref"
            ]),
        Row(
            "a column named twice", "day,item,units,day\n",
            ["1! the header names 'day' twice"]),
        Row(
            "a negative, a fractional, a zero and a huge count",
            "day,item,units\n2026-11-21,1,-3\n2026-11-21,1,2.5\n2026-11-21,1,0\n2026-11-21,1,1000001\n2026-11-21,1,99999999999999999999\n2026-11-21,1,5\n",
            [
                "2! units '-3' is not a whole number from 1 to 1000000",
                "3! units '2.5' is not a whole number from 1 to 1000000",
                "4! units '0' is not a whole number from 1 to 1000000",
                "5! units '1000001' is not a whole number from 1 to 1000000",
                "6! units '99999999999999999999' is not a whole number from 1 to 1000000",
                "7: 2026-11-21 1 5 -",
            ]),
        Row(
            "a date that does not exist",
            "day,item,units\n2026-02-30,1,1\n21.11.2026,1,1\n",
            [
                "2! day '2026-02-30' is not a date; write YYYY-MM-DD",
                "3! day '21.11.2026' is not a date; write YYYY-MM-DD",
            ]),
        Row(
            "too few and too many fields",
            "day,item,units\n2026-11-21,1\n2026-11-21,1,1,1\n",
            ["2! 2 fields where the header has 3", "3! 4 fields where the header has 3"]),
        Row(
            "an open quote, and text after one",
            "day,item,units\n2026-11-21,\"1,1\n2026-11-21,\"1\"x,1\n",
            [
                "2! a quoted field is not closed, or text follows its closing quote",
                "3! a quoted field is not closed, or text follows its closing quote",
            ]),
        Row(
            "an item with a blank inside",
            "day,item,units\n2026-11-21,1 7,1\n",
            [
                "2! item '1 7' has a character that is not allowed at position 2: printable ASCII without space, comma, quotes and backslash"
            ]),
        Row(
            "a huge line, and the one after it",
            "day,item,units\n" + String(repeating: "x", count: 5000) + "\n2026-11-21,1,1\n",
            ["2! the line is longer than 1024 bytes", "3: 2026-11-21 1 1 -"]),
        Row(
            "a control character in a reference",
            "day,item,units,ref\n2026-11-21,1,1,a\u{1B}[2J\n",
            ["2! ref has 5 bytes; it may have 1 to 64, none of them a control character"]),
    ]

    @Test("as CSV gives its sales, and names every bad line with its reason", arguments: csv)
    func asCSV(_ row: Row) {
        #expect(Self.read([UInt8](row.file.utf8), .csv) == row.expected)
    }

    @Test("may arrive in pieces of any length", arguments: [1, 2, 3, 7, 64])
    func inPieces(_ piece: Int) {
        for row in Self.csv {
            #expect(
                Self.read([UInt8](row.file.utf8), .csv, piece: piece) == row.expected,
                "\(row.title)")
        }
    }

    @Test("may hold any bytes without harm")
    func anyBytes() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let lines = Self.read([UInt8]("day,item,units\n".utf8) + bytes, .csv)
            #expect(lines.allSatisfy { $0.contains("!") || $0.contains(":") })
        }
    }

    static let jsonLines: [Row] = [
        Row(
            "plain", #"{"day":"2026-11-21","item":"17","units":3,"ref":"t/1"}"# + "\n",
            ["1: 2026-11-21 17 3 t/1"]),
        Row(
            "a number as item, unknown members, no reference",
            #"{"item":17,"units":3,"day":"2026-11-21","till":{"no":[1,2]}}"# + "\n",
            ["1: 2026-11-21 17 3 -"]),
        Row(
            "what is missing, wrong, or no object",
            """
            {"item":"17","units":3}
            {"day":"2026-11-21","units":3}
            {"day":"2026-11-21","item":"17"}
            {"day":"2026-11-21","item":"17","units":"3"}
            {"day":20261121,"item":"17","units":3}
            {"day":"2026-11-21","item":"17","units":3.5}
            {"day":"2026-11-21","item":"17","units":1e3}
            [1]
            {"day"
            {"day":"2026-11-21","item":"17","units":3} x
            """,
            [
                "1! 'day' is missing", "2! 'item' is missing", "3! 'units' is missing",
                "4! 'units' has the wrong type", "5! 'day' has the wrong type",
                "6! units '3.5' is not a whole number from 1 to 1000000",
                "7! units '1e3' is not a whole number from 1 to 1000000", "8! not a JSON object",
                "9! not JSON: it ends too early",
                "10! not JSON: unexpected character at position 44",
            ]),
    ]

    @Test(
        "as JSON lines gives its sales, and names every bad line with its reason",
        arguments: jsonLines)
    func asJSON(_ row: Row) {
        #expect(Self.read([UInt8](row.file.utf8), .jsonLines) == row.expected)
    }
}
