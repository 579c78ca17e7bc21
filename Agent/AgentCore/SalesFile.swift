package import JSONText

/// Which way sales are written on standard input.
package enum SalesFormat: Sendable {
    /// A header line, then `day,item,units[,ref]` in the header's order.
    case csv
    /// One object a line: `{"day":"2026-11-21","item":"17","units":3,"ref":"till-1/881"}`.
    case jsonLines
}

/// Why a line of a sales file cannot be taken.
package enum SalesLineError: Error, Equatable, Sendable {
    case tooLong(bytesMax: Int)
    case missingColumn(String)
    case repeatedColumn([UInt8])
    case fieldCount(found: Int, expected: Int)
    case quote
    case json(JSONError)
    case notAnObject
    case missingField(String)
    case fieldType(String)
    case sale(SaleError)

    package var text: String {
        switch self {
        case .tooLong(let max): return "the line is longer than \(max) bytes"
        case .missingColumn(let name):
            return
                "the header has no column '\(name)'; it must name day, item and units, and may name ref"
        case .repeatedColumn(let name): return "the header names '\(printable(name))' twice"
        case .fieldCount(let found, let expected):
            return "\(found) fields where the header has \(expected)"
        case .quote: return "a quoted field is not closed, or text follows its closing quote"
        case .json(let error): return error.text
        case .notAnObject: return "not a JSON object"
        case .missingField(let name): return "'\(name)' is missing"
        case .fieldType(let name): return "'\(name)' has the wrong type"
        case .sale(let error): return error.text
        }
    }
}

/// Reads a sales file line by line: BOM, LF or CRLF, blank lines skipped. Bytes may arrive in any pieces.
package struct SalesReader: Sendable {
    package static let lineBytesMax = 1024

    /// One line's sale, or why there is none.
    package struct Line: Sendable {
        /// From 1.
        package var number: Int
        package var sale: Result<Sale, SalesLineError>
    }

    private let format: SalesFormat
    private var pending: [UInt8] = []
    private var lineIsTooLong = false
    private var number = 0
    private var columns: Columns?
    /// Set when the header cannot be used: nothing after it can be read either.
    package private(set) var headerError: SalesLineError?

    private struct Columns {
        var count: Int
        var day: Int
        var item: Int
        var units: Int
        var reference: Int?
    }

    package init(format: SalesFormat) {
        self.format = format
    }

    /// Takes the next bytes and returns the lines they complete.
    package mutating func read(_ bytes: some Collection<UInt8>) -> [Line] {
        var lines: [Line] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                endLine(into: &lines)
            } else if pending.count >= Self.lineBytesMax {
                lineIsTooLong = true
            } else {
                pending.append(byte)
            }
        }
        return lines
    }

    /// The end of the input: a last line without a newline counts.
    package mutating func finish() -> [Line] {
        var lines: [Line] = []
        if !pending.isEmpty || lineIsTooLong { endLine(into: &lines) }
        return lines
    }

    /// Whether a CSV input ended before its header.
    package var isWithoutHeader: Bool {
        if case .csv = format { return columns == nil && headerError == nil }
        return false
    }

    private mutating func endLine(into lines: inout [Line]) {
        number += 1
        var line = pending
        let tooLong = lineIsTooLong
        pending.removeAll(keepingCapacity: true)
        lineIsTooLong = false
        if number == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard headerError == nil else { return }
        if tooLong {
            fail(.tooLong(bytesMax: Self.lineBytesMax), into: &lines)
            return
        }
        guard line.contains(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }) else {
            return
        }
        do {
            switch format {
            case .jsonLines:
                lines.append(Line(number: number, sale: .success(try Self.sale(json: line))))
            case .csv:
                if let columns {
                    let sale = try Self.sale(fields: Self.fields(line), columns: columns)
                    lines.append(Line(number: number, sale: .success(sale)))
                } else {
                    columns = try Self.header(Self.fields(line))
                }
            }
        } catch {
            fail(error, into: &lines)
        }
    }

    private mutating func fail(_ error: SalesLineError, into lines: inout [Line]) {
        if case .csv = format, columns == nil { headerError = error }
        lines.append(Line(number: number, sale: .failure(error)))
    }

    private static func header(_ fields: [[UInt8]]) throws(SalesLineError) -> Columns {
        var places: [Int?] = [nil, nil, nil, nil]
        let names = ["day", "item", "units", "ref"]
        for (index, field) in fields.enumerated() {
            for (place, name) in names.enumerated() where field.elementsEqual(name.utf8) {
                guard places[place] == nil else { throw .repeatedColumn(field) }
                places[place] = index
            }
        }
        guard let day = places[0] else { throw .missingColumn("day") }
        guard let item = places[1] else { throw .missingColumn("item") }
        guard let units = places[2] else { throw .missingColumn("units") }
        return Columns(
            count: fields.count, day: day, item: item, units: units, reference: places[3])
    }

    private static func sale(fields: [[UInt8]], columns: Columns) throws(SalesLineError) -> Sale {
        guard fields.count == columns.count else {
            throw .fieldCount(found: fields.count, expected: columns.count)
        }
        do {
            return try Sale(
                day: fields[columns.day], item: fields[columns.item], units: fields[columns.units],
                reference: columns.reference.map { fields[$0] } ?? [])
        } catch { throw .sale(error) }
    }

    /// RFC 4180 fields of one line; blanks around an unquoted field are dropped.
    private static func fields(_ line: [UInt8]) throws(SalesLineError) -> [[UInt8]] {
        let quote = UInt8(ascii: "\"")
        let comma = UInt8(ascii: ",")
        var fields: [[UInt8]] = []
        var at = 0
        while true {
            var field: [UInt8] = []
            while at < line.count, line[at] == UInt8(ascii: " ") { at += 1 }
            if at < line.count, line[at] == quote {
                at += 1
                while true {
                    guard at < line.count else { throw .quote }
                    if line[at] != quote {
                        field.append(line[at])
                        at += 1
                    } else if at + 1 < line.count, line[at + 1] == quote {
                        field.append(quote)
                        at += 2
                    } else {
                        at += 1
                        break
                    }
                }
                while at < line.count, line[at] == UInt8(ascii: " ") { at += 1 }
                guard at == line.count || line[at] == comma else { throw .quote }
            } else {
                while at < line.count, line[at] != comma {
                    field.append(line[at])
                    at += 1
                }
                while field.last == UInt8(ascii: " ") { field.removeLast() }
            }
            fields.append(field)
            guard at < line.count else { return fields }
            at += 1  // the comma
        }
    }

    private static func sale(json line: [UInt8]) throws(SalesLineError) -> Sale {
        let value: JSONValue
        do { value = try JSONValue(parsing: line) } catch { throw .json(error) }
        return try sale(object: value, defaultDay: nil)
    }

    /// A sale from a JSON object with `day` (optional when there is a default), `item` (text or whole
    /// number), `units` and `ref`; a return where `do` says so.
    package static func sale(
        object: JSONValue, defaultDay: [UInt8]?
    ) throws(SalesLineError) -> Sale {
        guard case .object = object else { throw .notAnObject }
        let day: [UInt8]
        switch object["day"] {
        case .text(let text)?: day = text
        case nil, .null?:
            guard let defaultDay else { throw .missingField("day") }
            day = defaultDay
        default: throw .fieldType("day")
        }
        let item: [UInt8]
        switch object["item"] {
        case .text(let text)?, .number(let text)?: item = text
        case nil, .null?: throw .missingField("item")
        default: throw .fieldType("item")
        }
        let units: [UInt8]
        switch object["units"] {
        case .number(let text)?: units = text
        case nil, .null?: throw .missingField("units")
        default: throw .fieldType("units")
        }
        let reference: [UInt8]
        switch object["ref"] {
        case .text(let text)?: reference = text
        case nil, .null?: reference = []
        default: throw .fieldType("ref")
        }
        do {
            var sale = try Sale(day: day, item: item, units: units, reference: reference)
            switch object["do"] {
            case .text(let verb)?: sale.isReturn = verb.elementsEqual("return".utf8)
            default: break
            }
            return sale
        } catch { throw .sale(error) }
    }
}
