import Forecasting
import HubCore
import Testing

@Suite("Sales as CSV")
struct SalesCSVReaderTests {
    private struct Read: Equatable {
        /// "store item day units"
        var rows: [String] = []
        var bad: [BadRow] = []
    }

    /// - Parameter chunkBytes: nil: all at once.
    private static func read(_ bytes: [UInt8], chunkBytes: Int? = nil) throws -> Read {
        var reader = SalesCSVReader()
        var result = Read()
        func take() {
            let series = reader.series
            reader.takeRows { rows in
                result.rows += rows.map { row in
                    let (store, item) = series[Int(row.series)]
                    let day = BusinessDay(daysSince1970: row.daysSince1970).iso8601
                    return "\(store.text) \(item.text) \(day) \(row.units)"
                }
            }
        }
        let step = chunkBytes ?? max(bytes.count, 1)
        for start in stride(from: 0, to: bytes.count, by: step) {
            let chunk = Array(bytes[start..<min(start + step, bytes.count)])
            try chunk.withUnsafeBufferPointer { try reader.read($0) }
            take()
        }
        try reader.finish()
        take()
        result.bad = reader.badRows
        #expect(reader.badRowCount == result.bad.count)
        #expect(reader.goodRowCount == result.rows.count)
        return result
    }

    private static func read(_ text: String, chunkBytes: Int? = nil) throws -> Read {
        try read(Array(text.utf8), chunkBytes: chunkBytes)
    }

    @Test(
        "The same rows come out of every ordinary way to write them",
        arguments: [
            "date,store,item,sales\n2017-01-31,1,7,12\n2017-02-01,1,7,0\n",
            "date,store,item,sales\n2017-01-31,1,7,12\n2017-02-01,1,7,0",
            "date,store,item,sales\r\n2017-01-31,1,7,12\r\n2017-02-01,1,7,0\r\n",
            "\u{FEFF}date,store,item,sales\n2017-01-31,1,7,12\n2017-02-01,1,7,0\n",
            "\u{FEFF}\"date\",\"store\",\"item\",\"sales\"\r\n\"2017-01-31\",\"1\",\"7\",\"12\"\r\n"
                + "\"2017-02-01\",\"1\",\"7\",\"0\"",
            "sales,item,store,date\n12,7,1,2017-01-31\n0,7,1,2017-02-01\n",
            "Date,STORE,Item,Sales\n2017-01-31,1,7,12.0\n2017-02-01,1,7,0.00\n",
            "date,store,price,item,sales\n2017-01-31,1,9.99,7,12\n2017-02-01,1,,7,-0\n",
            " date , store , item , sales \n 2017-01-31 , 1 , 7 , 12 \n\"2017-02-01\" ,1,7,0\n",
            "\ndate,store,item,sales\n\n2017-01-31,1,7,12\n\r\n2017-02-01,1,7,0\n\n",
        ])
    func ordinaryForms(text: String) throws {
        #expect(
            try Self.read(text) == Read(rows: ["1 7 2017-01-31 12", "1 7 2017-02-01 0"]))
    }

    @Test("Where the file is cut into chunks does not matter", arguments: 1...40)
    func chunks(chunkBytes: Int) throws {
        let text =
            "\u{FEFF}item,date,\"store\",sales\r\na,2017-01-31,\"s\",12\r\nbad\r\nb,2017-02-30,s,1\r\n"
            + "a,2017-01-31,s,9\r\n" + String(repeating: "x", count: 5000) + "\r\nb,2017-02-01,t,3"
        let whole = try Self.read(text)
        #expect(try Self.read(text, chunkBytes: chunkBytes) == whole)
        #expect(whole.rows == ["s a 2017-01-31 12", "t b 2017-02-01 3"])
        #expect(whole.bad.map(\.line) == [3, 4, 5, 6])
    }

    @Test(
        "A bad row is left out and named by its reason",
        arguments: [
            ("2017-01-31,1,7", BadRow.Fault.columnCount(3, expected: 4)),
            ("2017-01-31,1,7,1,9", .columnCount(5, expected: 4)),
            ("2017-01-31,1,7,-3", .negative("-3")), ("2017-01-31,1,7,-0.5", .negative("-0.5")),
            ("2017-01-31,1,7,12.5", .fractional("12.5")),
            ("2017-01-31,1,7,0.001", .fractional("0.001")),
            ("2017-01-31,1,7,", .notANumber("")), ("2017-01-31,1,7,abc", .notANumber("abc")),
            ("2017-01-31,1,7,1e3", .notANumber("1e3")), ("2017-01-31,1,7,+1", .notANumber("+1")),
            ("2017-01-31,1,7,1.", .notANumber("1.")), ("2017-01-31,1,7,-", .notANumber("-")),
            ("2017-01-31,1,7,1_000", .notANumber("1_000")),
            ("2017-01-31,1,7,1000000001", .tooManyUnits("1000000001")),
            (
                "2017-01-31,1,7,99999999999999999999999",
                .tooManyUnits("99999999999999999999999")
            ), ("2017-02-29,1,7,1", .noSuchDate("2017-02-29")),
            ("2017-13-01,1,7,1", .noSuchDate("2017-13-01")),
            ("2017-00-10,1,7,1", .noSuchDate("2017-00-10")),
            ("1969-12-31,1,7,1", .noSuchDate("1969-12-31")),
            ("2200-01-01,1,7,1", .noSuchDate("2200-01-01")),
            ("31.01.2017,1,7,1", .dateForm("31.01.2017")),
            ("2017-1-31,1,7,1", .dateForm("2017-1-31")),
            ("2017-01-31T00:00,1,7,1", .dateForm("2017-01-31T00:00")), (",1,7,1", .dateForm("")),
            ("2017-01-31,,7,1", .identifier("store", "")),
            ("2017-01-31,1,a b,1", .identifier("item", "a b")),
            ("2017-01-31,1,\"a\"\"b\",1", .identifier("item", "a\"b")),
            (
                "2017-01-31,1," + String(repeating: "x", count: 33) + ",1",
                .identifier("item", String(repeating: "x", count: 33))
            ), ("2017-01-31,1,\"7,1", .quote), ("2017-01-31,1,\"7\"x,1", .quote),
            (
                "2016-12-31,1,7,99",
                .duplicate(day: "2016-12-31", store: "1", item: "7")
            ),
            (String(repeating: "9", count: 4097), .lineTooLong(bytesMax: 4096)),
            (String(repeating: "9", count: 1_000_000), .lineTooLong(bytesMax: 4096)),
        ])
    func badRows(row: String, fault: BadRow.Fault) throws {
        let text = "date,store,item,sales\n2016-12-31,1,7,1\n\(row)\n2017-03-01,1,7,2\n"
        #expect(
            try Self.read(text)
                == Read(
                    rows: ["1 7 2016-12-31 1", "1 7 2017-03-01 2"],
                    bad: [BadRow(line: 3, fault: fault)]))
    }

    @Test("A day that has not come is no day of sales")
    func future() throws {
        var reader = SalesCSVReader(lastDay: BusinessDay(year: 2017, month: 1, day: 31))
        let text = "date,store,item,sales\n2017-01-31,1,7,1\n2017-02-01,1,7,2\n2062-01-01,1,7,3\n"
        try Array(text.utf8).withUnsafeBufferPointer { try reader.read($0) }
        try reader.finish()
        #expect(reader.goodRowCount == 1)
        #expect(
            reader.badRows.map(\.description) == [
                "line 3: date '2017-02-01' is in the future",
                "line 4: date '2062-01-01' is in the future",
            ])
    }

    @Test("A line of exactly the longest length is read")
    func longestLine() throws {
        let padding = String(repeating: " ", count: SalesCSVReader.lineBytesMax - 16)
        let text = "date,store,item,sales\r\n2017-01-31,1,7,1\(padding)\r\n"
        #expect(try Self.read(text, chunkBytes: 100).rows == ["1 7 2017-01-31 1"])
    }

    @Test(
        "A file whose header does not say enough is refused",
        arguments: [
            ("", SalesCSVError.empty), ("\n\n", .empty), ("\u{FEFF}", .empty),
            ("2017-01-31,1,7,12\n", .header(missing: ["date", "store", "item", "sales"], line: 1)),
            ("date,store,sales\n", .header(missing: ["item"], line: 1)),
            (
                "date;store;item;sales\n",
                .header(missing: ["date", "store", "item", "sales"], line: 1)
            ),
            ("date,store,item,sales,date\n", .columnTwice("date", line: 1)),
            (
                "\"date,store,item,sales\n",
                .header(missing: ["date", "store", "item", "sales"], line: 1)
            ),
            (String(repeating: "x", count: 9000), .headerTooLong(bytesMax: 4096)),
        ])
    func headers(text: String, expected: SalesCSVError) {
        #expect(throws: expected) { try Self.read(text) }
    }

    @Test("A header alone is a file without rows")
    func headerAlone() throws {
        #expect(try Self.read("date,store,item,sales\n") == Read())
    }

    @Test("Random bytes never crash the reader, and every line is a row or a bad row")
    func noise() throws {
        var state: UInt64 = 7
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let alphabet = Array("0123456789-,,,\"\r.ab ".utf8) + [0, 0xFF, 0xC3]
        for _ in 0..<300 {
            var bytes = Array("date,store,item,sales\n".utf8)
            var lines = 0
            for _ in 0..<20 {
                let line = (0..<Int(next() % 40)).map { _ in alphabet[Int(next()) % alphabet.count]
                }
                if !line.isEmpty, line != [UInt8(ascii: "\r")] { lines += 1 }
                bytes += line + [UInt8(ascii: "\n")]
            }
            let read = try Self.read(bytes, chunkBytes: Int(next() % 50) + 1)
            #expect(read.rows.count + read.bad.count == lines)
        }
    }
}
