import Forecasting

/// One row's fields, read from bytes without a `String` in between.
enum SalesField {
    static func day(_ field: UnsafeBufferPointer<UInt8>) -> Result<Int32, BadRow.Fault> {
        guard field.count == 10, field[4] == UInt8(ascii: "-"), field[7] == UInt8(ascii: "-"),
            let year = number(field, 0..<4), let month = number(field, 5..<7),
            let day = number(field, 8..<10)
        else { return .failure(.dateForm(shown(field))) }
        guard let date = BusinessDay(year: year, month: month, day: day) else {
            return .failure(.noSuchDate(shown(field)))
        }
        return .success(date.daysSince1970)
    }

    static func units(_ field: UnsafeBufferPointer<UInt8>) -> Result<Int32, BadRow.Fault> {
        var value = 0
        var position = 0
        let isNegative = field.first == UInt8(ascii: "-")
        if isNegative { position = 1 }
        let digitsStart = position
        while position < field.count, let digit = digit(field[position]) {
            // Keeps what is too large too large, without overflow.
            if value <= SalesCSVReader.unitsMax { value = value * 10 + digit }
            position += 1
        }
        guard position > digitsStart else { return .failure(.notANumber(shown(field))) }
        var isWhole = true
        if position < field.count {
            guard field[position] == UInt8(ascii: "."), position + 1 < field.count else {
                return .failure(.notANumber(shown(field)))
            }
            for byte in field[(position + 1)...] {
                guard let digit = digit(byte) else { return .failure(.notANumber(shown(field))) }
                if digit != 0 { isWhole = false }
            }
        }
        if isNegative, value > 0 || !isWhole { return .failure(.negative(shown(field))) }
        guard isWhole else { return .failure(.fractional(shown(field))) }
        guard value <= SalesCSVReader.unitsMax else {
            return .failure(.tooManyUnits(shown(field)))
        }
        return .success(Int32(value))
    }

    /// For a message: at most 40 bytes, with control characters and broken UTF-8 made visible.
    static func shown(_ field: UnsafeBufferPointer<UInt8>) -> String {
        let text = String(decoding: field.prefix(40), as: UTF8.self)
        let safe = String(
            text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? "?" : Character($0) })
        return field.count > 40 ? safe + "…" : safe
    }

    private static func digit(_ byte: UInt8) -> Int? {
        let value = byte &- UInt8(ascii: "0")
        return value <= 9 ? Int(value) : nil
    }

    private static func number(_ field: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int? {
        var value = 0
        for position in range {
            guard let digit = digit(field[position]) else { return nil }
            value = value * 10 + digit
        }
        return value
    }
}

/// Splits one line at its commas, RFC 4180 quotes respected, spaces around a field dropped.
struct FieldSplitter {
    /// Only a quoted field with a quote inside needs a copy.
    private var copies: [UnsafeMutableBufferPointer<UInt8>] = []

    /// Calls `body` with each field in order; a field is valid until `deallocate`.
    /// - Returns: false when a quoted field does not end where the field ends.
    mutating func split(
        _ line: UnsafeBufferPointer<UInt8>,
        _ body: (_ index: Int, _ field: UnsafeBufferPointer<UInt8>) -> Void
    ) -> Bool {
        var index = 0
        var position = 0
        while true {
            let start = position
            while position < line.count, line[position] == UInt8(ascii: " ") { position += 1 }
            if position < line.count, line[position] == UInt8(ascii: "\"") {
                guard let field = quoted(line, &position) else { return false }
                body(index, field)
            } else {
                position = start
                while position < line.count, line[position] != UInt8(ascii: ",") { position += 1 }
                body(index, trimmed(line, start..<position))
            }
            guard position < line.count else { return true }
            position += 1  // the comma
            index += 1
        }
    }

    mutating func deallocate() {
        for copy in copies { copy.deallocate() }
        copies = []
    }

    /// - Parameter position: at the opening quote; afterwards at the comma, or at the line's end.
    private mutating func quoted(
        _ line: UnsafeBufferPointer<UInt8>, _ position: inout Int
    ) -> UnsafeBufferPointer<UInt8>? {
        let start = position + 1
        position = start
        var hasInnerQuote = false
        while true {
            guard position < line.count else { return nil }
            if line[position] == UInt8(ascii: "\"") {
                guard position + 1 < line.count, line[position + 1] == UInt8(ascii: "\"") else {
                    break
                }
                hasInnerQuote = true
                position += 1
            }
            position += 1
        }
        let end = position
        position += 1
        while position < line.count, line[position] == UInt8(ascii: " ") { position += 1 }
        guard position == line.count || line[position] == UInt8(ascii: ",") else { return nil }
        let inner = UnsafeBufferPointer(rebasing: line[start..<end])
        guard hasInnerQuote else { return inner }
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: inner.count)
        copies.append(copy)
        var count = 0
        var source = 0
        while source < inner.count {
            copy[count] = inner[source]
            source += inner[source] == UInt8(ascii: "\"") ? 2 : 1
            count += 1
        }
        return UnsafeBufferPointer(rebasing: copy[..<count])
    }

    private func trimmed(
        _ line: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
    ) -> UnsafeBufferPointer<UInt8> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, line[start] == UInt8(ascii: " ") { start += 1 }
        while end > start, line[end - 1] == UInt8(ascii: " ") { end -= 1 }
        return UnsafeBufferPointer(rebasing: line[start..<end])
    }
}

/// Numbers byte strings from 0 up in the order they come: a hash table that allocates only for a
/// new one.
struct ByteInterner: Sendable {
    private var bytes: [UInt8] = []
    /// Entry i is `bytes[starts[i]..<starts[i + 1]]`.
    private var starts: [Int] = [0]
    /// Entry + 1, 0 being free; its count is a power of two.
    private var slots = [Int32](repeating: 0, count: 64)
    /// Rows of a file mostly come in runs.
    private var last = -1

    var count: Int { starts.count - 1 }

    mutating func index(of key: UnsafeBufferPointer<UInt8>) -> Int? {
        if last >= 0, isEqual(last, key) { return last }
        var slot = hash(key) & (slots.count - 1)
        while slots[slot] != 0 {
            let entry = Int(slots[slot]) - 1
            if isEqual(entry, key) {
                last = entry
                return entry
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// - Precondition: `key` is not there yet.
    mutating func insert(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        if (count + 1) * 2 > slots.count { grow() }
        let entry = count
        bytes.append(contentsOf: key)
        starts.append(bytes.count)
        place(entry, hash: hash(key))
        last = entry
        return entry
    }

    private mutating func grow() {
        slots = [Int32](repeating: 0, count: slots.count * 2)
        for entry in 0..<count {
            let entryHash = bytes.withUnsafeBufferPointer {
                hash(UnsafeBufferPointer(rebasing: $0[starts[entry]..<starts[entry + 1]]))
            }
            place(entry, hash: entryHash)
        }
    }

    private mutating func place(_ entry: Int, hash: Int) {
        var slot = hash & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(entry + 1)
    }

    private func isEqual(_ entry: Int, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = starts[entry]
        guard starts[entry + 1] - start == key.count else { return false }
        for offset in 0..<key.count where bytes[start + offset] != key[offset] { return false }
        return true
    }

    /// FNV-1a, 64 bits.
    private func hash(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: value ^ value >> 32)
    }
}

/// The days of one series that were seen, in words of 64 from the first to the last.
struct DaySet: Sendable {
    private var firstWord = 0
    private var words: [UInt64] = []

    /// - Returns: false when the day was there.
    mutating func insert(_ day: Int32) -> Bool {
        let word = Int(day) >> 6
        if words.isEmpty {
            firstWord = word
            words = [0]
        } else if word < firstWord {
            words.insert(contentsOf: repeatElement(0, count: firstWord - word), at: 0)
            firstWord = word
        } else if word >= firstWord + words.count {
            words.append(contentsOf: repeatElement(0, count: word - firstWord - words.count + 1))
        }
        let bit = UInt64(1) << UInt64(day & 63)
        guard words[word - firstWord] & bit == 0 else { return false }
        words[word - firstWord] |= bit
        return true
    }
}
