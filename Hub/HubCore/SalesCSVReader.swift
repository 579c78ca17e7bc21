package import Forecasting

/// Reads `date,store,item,sales` rows from chunks of bytes as they come: a whole day's total of one
/// item in one store.
///
/// The first line is the header: the four columns in any order and any case, others beside them are
/// skipped. Lines end in LF or CRLF; a UTF-8 byte order mark and blank lines are passed over;
/// fields may be quoted, and may not hold a line end. `sales` are whole units from 0 up; `12.0` is
/// 12 (data frames write whole numbers so), `12.5` is refused. A bad row is noted with its line
/// number and left out; a bad header ends the reading.
///
/// Memory grows with the number of series and the span of their days, not with the rows.
package struct SalesCSVReader: Sendable {
    package static let lineBytesMax = 4096
    package static let columnsMax = 64
    package static let seriesMax = 1_000_000
    /// Beyond that, bad rows are only counted.
    package static let badRowsKeptMax = 1000
    package static let unitsMax = 1_000_000_000

    /// Rows read and not taken yet; `series` is an index into `series`.
    package private(set) var rows: [SalesRow] = []
    /// In the order of their first good row.
    package private(set) var series: [(store: StoreID, item: ItemID)] = []
    package private(set) var badRows: [BadRow] = []
    package private(set) var badRowCount = 0
    package private(set) var goodRowCount = 0

    private var columns: [Column] = []
    private var lineNumber = 0
    /// The start of a line whose end has not come yet.
    private var partial: [UInt8] = []
    private var isSkippingLongLine = false
    private var stores = ByteInterner()
    private var items = ByteInterner()
    private var storeIDs: [StoreID] = []
    private var itemIDs: [ItemID] = []
    private var seriesIndexes: [UInt64: Int32] = [:]
    private var lastSeriesKey = UInt64.max
    private var lastSeries: Int32 = 0
    private var seenDays: [DaySet] = []

    private let lastDay: Int32

    /// - Parameter lastDay: nothing can have been sold later; nil takes any day.
    package init(lastDay: BusinessDay? = nil) {
        self.lastDay = lastDay?.daysSince1970 ?? .max
    }

    /// Takes the rows that have been read, and keeps the buffer.
    package mutating func takeRows(
        _ body: (UnsafeBufferPointer<SalesRow>) throws -> Void
    ) rethrows {
        try rows.withUnsafeBufferPointer(body)
        rows.removeAll(keepingCapacity: true)
    }

    package mutating func read(_ chunk: UnsafeBufferPointer<UInt8>) throws(SalesCSVError) {
        var start = 0
        var position = 0
        while position < chunk.count {
            if chunk[position] == UInt8(ascii: "\n") {
                let piece = UnsafeBufferPointer(rebasing: chunk[start..<position])
                if isSkippingLongLine {
                    isSkippingLongLine = false
                } else if partial.isEmpty {
                    try readLine(piece)
                } else {
                    try finishPartial(with: piece)
                }
                start = position + 1
            }
            position += 1
        }
        if start < chunk.count {
            try keepPartial(UnsafeBufferPointer(rebasing: chunk[start...]))
        }
    }

    /// After the last chunk: the last line may lack its end.
    package mutating func finish() throws(SalesCSVError) {
        if !partial.isEmpty {
            try finishPartial(with: UnsafeBufferPointer(start: nil, count: 0))
        }
        guard lineNumber > 0 else { throw .empty }
        guard !columns.isEmpty else { throw .empty }
    }

    private mutating func keepPartial(_ piece: UnsafeBufferPointer<UInt8>) throws(SalesCSVError) {
        guard !isSkippingLongLine else { return }
        // Two more for what is no part of the line: CR, and one byte to see that it is too long.
        if partial.count + piece.count > Self.lineBytesMax + 2 {
            partial.removeAll(keepingCapacity: true)
            isSkippingLongLine = true
            try refuseLongLine()
        } else {
            partial.append(contentsOf: piece)
        }
    }

    private mutating func finishPartial(
        with piece: UnsafeBufferPointer<UInt8>
    ) throws(SalesCSVError) {
        try keepPartial(piece)
        if isSkippingLongLine {
            isSkippingLongLine = false
            return
        }
        var line: [UInt8] = []
        swap(&line, &partial)
        let result = line.withUnsafeBufferPointer { bytes -> Result<Void, SalesCSVError> in
            do throws(SalesCSVError) {
                try readLine(bytes)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        line.removeAll(keepingCapacity: true)
        swap(&line, &partial)
        try result.get()
    }

    private mutating func refuseLongLine() throws(SalesCSVError) {
        lineNumber += 1
        guard !columns.isEmpty else { throw .headerTooLong(bytesMax: Self.lineBytesMax) }
        note(.lineTooLong(bytesMax: Self.lineBytesMax))
    }

    private mutating func readLine(_ whole: UnsafeBufferPointer<UInt8>) throws(SalesCSVError) {
        var line = whole
        if line.last == UInt8(ascii: "\r") { line = UnsafeBufferPointer(rebasing: line.dropLast()) }
        if line.count > Self.lineBytesMax {
            try refuseLongLine()
            return
        }
        lineNumber += 1
        if columns.isEmpty {
            try readHeader(line)
        } else if !line.isEmpty {
            readRow(line)
        }
    }

    private mutating func readHeader(_ line: UnsafeBufferPointer<UInt8>) throws(SalesCSVError) {
        var bytes = Array(line)
        if lineNumber == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        guard !bytes.allSatisfy({ $0 == UInt8(ascii: " ") }) else { return }
        var names: [String] = []
        var splitter = FieldSplitter()
        let isWellFormed = bytes.withUnsafeBufferPointer { buffer in
            splitter.split(buffer) { names.append(String(decoding: $1, as: UTF8.self)) }
        }
        guard isWellFormed, names.count <= Self.columnsMax else {
            throw .header(missing: Column.needed.map(\.rawValue), line: lineNumber)
        }
        let found = names.map { Column(rawValue: $0.lowercased()) ?? .other }
        for column in Column.needed where found.filter({ $0 == column }).count > 1 {
            throw .columnTwice(column.rawValue, line: lineNumber)
        }
        let missing = Column.needed.filter { !found.contains($0) }
        guard missing.isEmpty else {
            throw .header(missing: missing.map(\.rawValue), line: lineNumber)
        }
        columns = found
    }

    private mutating func readRow(_ line: UnsafeBufferPointer<UInt8>) {
        let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        var fields = (date: none, store: none, item: none, sales: none)
        var count = 0
        var splitter = FieldSplitter()
        // Unquoted text lives in `splitter` until it goes, which is after the row is read.
        let columns = columns
        let isWellFormed = splitter.split(line) { index, field in
            count += 1
            guard index < columns.count else { return }
            switch columns[index] {
            case .date: fields.date = field
            case .store: fields.store = field
            case .item: fields.item = field
            case .sales: fields.sales = field
            case .other: break
            }
        }
        defer { splitter.deallocate() }
        guard isWellFormed else { return note(.quote) }
        guard count == columns.count else {
            return note(.columnCount(count, expected: columns.count))
        }
        switch SalesField.day(fields.date) {
        case .failure(let fault): note(fault)
        case .success(let day) where day > lastDay:
            note(.future(SalesField.shown(fields.date)))
        case .success(let day):
            switch SalesField.units(fields.sales) {
            case .failure(let fault): note(fault)
            case .success(let units):
                add(store: fields.store, item: fields.item, day: day, units: units)
            }
        }
    }

    private mutating func add(
        store: UnsafeBufferPointer<UInt8>, item: UnsafeBufferPointer<UInt8>, day: Int32,
        units: Int32
    ) {
        guard let storeIndex = storeIndex(store) else {
            return note(.identifier("store", SalesField.shown(store)))
        }
        guard let itemIndex = itemIndex(item) else {
            return note(.identifier("item", SalesField.shown(item)))
        }
        let key = UInt64(storeIndex) << 32 | UInt64(itemIndex)
        if key != lastSeriesKey {
            if let known = seriesIndexes[key] {
                lastSeries = known
            } else {
                guard series.count < Self.seriesMax else {
                    return note(.tooManySeries(max: Self.seriesMax))
                }
                lastSeries = Int32(series.count)
                series.append((storeIDs[storeIndex], itemIDs[itemIndex]))
                seenDays.append(DaySet())
                seriesIndexes[key] = lastSeries
            }
            lastSeriesKey = key
        }
        guard seenDays[Int(lastSeries)].insert(day) else {
            return note(
                .duplicate(
                    day: BusinessDay(daysSince1970: day).iso8601, store: storeIDs[storeIndex].text,
                    item: itemIDs[itemIndex].text))
        }
        goodRowCount += 1
        rows.append(SalesRow(series: lastSeries, daysSince1970: day, units: units))
    }

    private mutating func storeIndex(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        if let known = stores.index(of: bytes) { return known }
        guard let id = try? StoreID(utf8: bytes) else { return nil }  // the row is noted as bad
        storeIDs.append(id)
        return stores.insert(bytes)
    }

    private mutating func itemIndex(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        if let known = items.index(of: bytes) { return known }
        guard let id = try? ItemID(utf8: bytes) else { return nil }  // the row is noted as bad
        itemIDs.append(id)
        return items.insert(bytes)
    }

    private mutating func note(_ fault: BadRow.Fault) {
        badRowCount += 1
        if badRows.count < Self.badRowsKeptMax {
            badRows.append(BadRow(line: lineNumber, fault: fault))
        }
    }

    private enum Column: String, Sendable {
        case date, store, item, sales, other

        static let needed: [Column] = [.date, .store, .item, .sales]
    }
}

/// A row that was left out.
package struct BadRow: Equatable, Sendable, CustomStringConvertible {
    package enum Fault: Error, Equatable, Sendable {
        case columnCount(Int, expected: Int)
        /// A quote that is not closed, or text after one.
        case quote
        case lineTooLong(bytesMax: Int)
        /// Not `YYYY-MM-DD`.
        case dateForm(String)
        case noSuchDate(String)
        case future(String)
        case negative(String)
        case fractional(String)
        case notANumber(String)
        case tooManyUnits(String)
        case identifier(String, String)
        case duplicate(day: String, store: String, item: String)
        case tooManySeries(max: Int)
    }

    /// The header is on line 1.
    package var line: Int
    package var fault: Fault

    package init(line: Int, fault: Fault) {
        self.line = line
        self.fault = fault
    }

    package var description: String { "line \(line): \(reason)" }

    package var reason: String {
        switch fault {
        case .columnCount(let count, let expected):
            "\(count) column\(count == 1 ? "" : "s") instead of \(expected)"
        case .quote: "a quoted field does not end where the field ends"
        case .lineTooLong(let bytesMax): "the line has more than \(bytesMax) bytes"
        case .dateForm(let text): "date '\(text)' is not YYYY-MM-DD"
        case .noSuchDate(let text): "date '\(text)' does not exist, or is not within 1970 to 2199"
        case .future(let text): "date '\(text)' is in the future"
        case .negative(let text): "sales '\(text)' are negative"
        case .fractional(let text): "sales '\(text)' are not whole units"
        case .notANumber(let text):
            text.isEmpty ? "sales are missing" : "sales '\(text)' are no number"
        case .tooManyUnits(let text): "sales '\(text)' are above \(SalesCSVReader.unitsMax)"
        case .identifier(let column, let text):
            text.isEmpty
                ? "\(column) is missing"
                : "\(column) '\(text)' is not 1 to 32 printable ASCII characters without space, "
                    + "comma, quote or backslash"
        case .duplicate(let day, let store, let item):
            "second row for \(day), store \(store), item \(item)"
        case .tooManySeries(let max): "more than \(max) series"
        }
    }
}

/// Why no row of a file can be read.
package enum SalesCSVError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case header(missing: [String], line: Int)
    case columnTwice(String, line: Int)
    case headerTooLong(bytesMax: Int)

    package var description: String {
        switch self {
        case .empty: "the file is empty; its first line must be a header: date,store,item,sales"
        case .header(let missing, let line):
            "line \(line) must be a header with date, store, item and sales; missing: "
                + missing.joined(separator: ", ")
        case .columnTwice(let name, let line): "line \(line): column '\(name)' occurs twice"
        case .headerTooLong(let bytesMax):
            "line 1 has more than \(bytesMax) bytes: this is no CSV file"
        }
    }
}
