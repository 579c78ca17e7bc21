#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Standard output and standard error, unbuffered: what was printed is there when the process is
/// killed.
enum Console {
    static func print(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    static func error(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    /// Keys sorted, so that two runs compare.
    static func printJSON(_ value: some Encodable) throws { print(try json(value)) }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Characters of a line of standard output: the terminal's, or what the environment's COLUMNS says, or 100.
    static var width: Int {
        var size = winsize()
        if isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0,
            size.ws_col > 0
        {
            return Int(size.ws_col)
        }
        let stated = ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) }
        return stated.flatMap { $0 > 0 ? $0 : nil } ?? 100
    }

    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }  // nobody reads any more
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            }
        }
    }
}

// swift-format-ignore: UseSynthesizedInitializer
/// A figure that may be missing: `null` in JSON instead of no key at all.
@propertyWrapper
struct Nullable<Value: Encodable>: Encodable {
    var wrappedValue: Value?

    // Not what the compiler makes: that one has a default, and memberwise initialisers then want
    // the wrapper.
    init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue {
            try container.encode(wrappedValue)
        } else {
            try container.encodeNil()
        }
    }
}

/// Rows under a header, columns two spaces apart: `awk` can read it.
struct TextTable {
    enum Alignment { case left, right }

    private var alignments: [Alignment]
    private var rows: [[String]]

    init(_ columns: [(String, Alignment)]) {
        alignments = columns.map(\.1)
        rows = [columns.map(\.0)]
    }

    /// - Precondition: as many cells as columns. An empty cell is shown as `-`.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == alignments.count)
        rows.append(cells.map { $0.isEmpty ? "-" : $0 })
    }

    private var widths: [Int] {
        alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    }

    /// Leaves columns out until lines are no longer than `width`, those of the highest rank first and all of one rank
    /// together; those of rank 0 stay.
    /// - Parameter ranks: one for each column.
    /// - Returns: the headings of what was left out, in order.
    mutating func fit(width: Int, ranks: [Int]) -> [String] {
        precondition(ranks.count == alignments.count)
        let widths = widths
        var kept = Array(alignments.indices)
        func length() -> Int { kept.reduce(-2) { $0 + widths[$1] + 2 } }
        while length() > width, let worst = kept.map({ ranks[$0] }).max(), worst > 0 {
            kept.removeAll { ranks[$0] == worst }
        }
        let out = alignments.indices.filter { !kept.contains($0) }.map { rows[0][$0] }
        alignments = kept.map { alignments[$0] }
        rows = rows.map { row in kept.map { row[$0] } }
        return out
    }

    var text: String {
        let widths = widths
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += alignments[column] == .left ? cell + padding : padding + cell
                line += "  "
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}
