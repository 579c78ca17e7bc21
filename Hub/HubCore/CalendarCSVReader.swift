import Forecasting

/// Why a file is no calendar: nothing of it is taken.
package struct CalendarCSVError: Error, Equatable, Sendable, CustomStringConvertible {
    /// 1-based; the header is on line 1.
    package var line: Int
    /// nil: the line as a whole.
    package var column: String?
    package var problem: String

    package init(line: Int, column: String?, problem: String) {
        self.line = line
        self.column = column
        self.problem = problem
    }

    package var description: String {
        "line \(line)" + (column.map { ", column \($0)" } ?? "") + ": \(problem)"
    }
}

/// Reads `date,store,item,kind,name` rows: `*` as store or item means every one, `name` may be left out with its column.
///
/// The header names the columns in any order and any case; others beside them are passed over. Lines end in LF or CRLF,
/// fields may be quoted (RFC 4180) and may not hold a line end; blank lines and a byte order mark are passed over. A
/// calendar is small and written by people: one bad row refuses the file, so that nothing is half known.
package enum CalendarCSVReader {
    package static let fileBytesMax = 32 << 20
    package static let entriesMax = 1_000_000
    private static let columns = ["date", "store", "item", "kind", "name"]

    /// - Returns: in the file's order; a row that says the same as one before it is left out.
    package static func entries(
        of bytes: [UInt8]
    ) throws(CalendarCSVError) -> [CalendarEntry] {
        guard bytes.count <= fileBytesMax else {
            throw CalendarCSVError(
                line: 1, column: nil,
                problem: "the file has more than \(fileBytesMax >> 20) MiB: this is no calendar")
        }
        var text = bytes[...]
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = text.dropFirst(3) }
        var positions: [String: Int] = [:]
        var columnCount = 0
        var entries: [CalendarEntry] = []
        var names: [CalendarEntry: (index: Int, line: Int)] = [:]
        var number = 0
        for raw in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let line = raw.last == UInt8(ascii: "\r") ? raw.dropLast() : raw
            guard !line.allSatisfy({ $0 == UInt8(ascii: " ") }) else { continue }
            let fields = try fields(of: line, line: number)
            if positions.isEmpty {
                positions = try header(fields, line: number)
                columnCount = fields.count
                continue
            }
            guard fields.count == columnCount else {
                throw CalendarCSVError(
                    line: number, column: nil,
                    problem: "\(fields.count) fields instead of \(columnCount)")
            }
            let entry = try Row(fields: fields, positions: positions, line: number).entry()
            var key = entry
            key.name = ""
            if let known = names[key] {
                guard entries[known.index].name == entry.name else {
                    throw CalendarCSVError(
                        line: number, column: "name",
                        problem:
                            "'\(entry.name)' is '\(entries[known.index].name)' on line \(known.line)"
                    )
                }
                continue
            }
            guard entries.count < entriesMax else {
                throw CalendarCSVError(
                    line: number, column: nil, problem: "more than \(entriesMax) entries")
            }
            names[key] = (entries.count, number)
            entries.append(entry)
        }
        guard !positions.isEmpty else {
            throw CalendarCSVError(
                line: 1, column: nil,
                problem:
                    "the file is empty; its first line must be a header: date,store,item,kind,name")
        }
        return entries
    }

    private static func fields(
        of line: ArraySlice<UInt8>, line number: Int
    ) throws(CalendarCSVError) -> [String] {
        var fields: [String] = []
        var splitter = FieldSplitter()
        defer { splitter.deallocate() }
        let isWellFormed = line.withUnsafeBufferPointer { buffer in
            splitter.split(buffer) { fields.append(String(decoding: $1, as: UTF8.self)) }
        }
        guard isWellFormed else {
            throw CalendarCSVError(
                line: number, column: nil,
                problem: "field \(fields.count + 1) begins with a quote and does not end with one")
        }
        return fields
    }

    private static func header(
        _ fields: [String], line: Int
    ) throws(CalendarCSVError) -> [String: Int] {
        var positions: [String: Int] = [:]
        for (index, field) in fields.enumerated() {
            let name = field.lowercased()
            guard columns.contains(name) else { continue }
            guard positions[name] == nil else {
                throw CalendarCSVError(line: line, column: name, problem: "it occurs twice")
            }
            positions[name] = index
        }
        let missing = columns.filter { $0 != "name" && positions[$0] == nil }
        guard missing.isEmpty else {
            throw CalendarCSVError(
                line: line, column: nil,
                problem: "it must be a header with date, store, item and kind; missing: "
                    + missing.joined(separator: ", "))
        }
        return positions
    }

    private struct Row {
        var fields: [String]
        var positions: [String: Int]
        var line: Int

        func text(_ column: String) -> String { positions[column].map { fields[$0] } ?? "" }

        func error(_ column: String, _ problem: String) -> CalendarCSVError {
            CalendarCSVError(line: line, column: column, problem: problem)
        }

        func entry() throws(CalendarCSVError) -> CalendarEntry {
            guard let day = BusinessDay(iso8601: Array(text("date").utf8)),
                BusinessDay.storable.contains(day.daysSince1970)
            else {
                throw error(
                    "date", "'\(shown(text("date")))' is no day as YYYY-MM-DD from 1970 to 2199")
            }
            guard let kind = CalendarEntry.Kind(rawValue: text("kind").lowercased()) else {
                throw error(
                    "kind",
                    "'\(shown(text("kind")))' is none of "
                        + CalendarEntry.Kind.allCases.map(\.rawValue).joined(separator: ", "))
            }
            let store: StoreID? = try identifier("store")
            let item: ItemID? = try identifier("item")
            guard kind != .closed || item == nil else {
                throw error("item", "a store is closed for all of its items: put * here")
            }
            let name = text("name")
            guard name.utf8.count <= CalendarEntry.nameBytesMax,
                name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
            else {
                throw error(
                    "name",
                    "it has more than \(CalendarEntry.nameBytesMax) bytes, or is not printable")
            }
            return CalendarEntry(day: day, store: store, item: item, kind: kind, name: name)
        }

        private func identifier<Kind>(
            _ column: String
        ) throws(CalendarCSVError) -> Identifier<Kind>? {
            let text = text(column)
            guard text != "*" else { return nil }
            do throws(IdentifierError) { return try Identifier(text) } catch {
                throw self.error(
                    column,
                    "'\(shown(text))' is neither * nor 1 to 32 printable ASCII characters without space, comma,"
                        + " quote or backslash")
            }
        }

        private func shown(_ text: String) -> String {
            let safe = text.unicodeScalars.prefix(40).map {
                $0.value < 32 || $0.value == 127 ? "?" : Character($0)
            }
            return String(safe)
        }
    }
}
