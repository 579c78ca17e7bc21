import Forecasting

/// A sale or return as tills nearly always write it: one object on a line with members known here, each once, numbers of
/// digits alone and texts without an escape. Read in one pass, without a tree of what else JSON may be; what is written in any
/// other way, or wrongly, is no plain sale and goes the way of all requests, which says what is wrong with it.
package struct PlainSale: Equatable, Sendable {
    /// Of day 0 where the line names no day.
    package var sale: Sale
    package var namesDay: Bool

    /// Longer lines are not tried.
    static let lineBytesMax = 512

    package init?(line: [UInt8]) {
        guard line.count <= Self.lineBytesMax else { return nil }
        let read = line.withUnsafeBufferPointer { bytes in
            var reader = Reader(bytes: bytes)
            return reader.sale()
        }
        guard let read else { return nil }
        self = read
    }

    private init(sale: Sale, namesDay: Bool) {
        (self.sale, self.namesDay) = (sale, namesDay)
    }

    private struct Reader {
        let bytes: UnsafeBufferPointer<UInt8>
        var at = 0

        mutating func sale() -> PlainSale? {
            var isReturn: Bool?
            var day: BusinessDay?
            var item: Slice<UnsafeBufferPointer<UInt8>>?
            var units: UInt32?
            var reference: Slice<UnsafeBufferPointer<UInt8>>?
            guard take(UInt8(ascii: "{")) else { return nil }
            repeat {
                guard let name = text(), take(UInt8(ascii: ":")) else { return nil }
                if Self.names(name, "do") {
                    guard isReturn == nil, let verb = text() else { return nil }
                    if Self.names(verb, "sale") {
                        isReturn = false
                    } else if Self.names(verb, "return") {
                        isReturn = true
                    } else {
                        return nil
                    }
                } else if Self.names(name, "day") {
                    guard day == nil, let text = text(), let named = BusinessDay(iso8601: text)
                    else { return nil }
                    day = named
                } else if Self.names(name, "item") {
                    guard item == nil, let text = text() ?? number() else { return nil }
                    item = text
                } else if Self.names(name, "units") {
                    guard units == nil, let digits = number(), let value = decimal(digits),
                        let count = UInt32(exactly: value), Sale.unitsRange.contains(count)
                    else { return nil }
                    units = count
                } else if Self.names(name, "ref") {
                    guard reference == nil, let text = text(), !text.isEmpty,
                        text.count <= Sale.referenceBytesMax, !text.contains(0x7F)
                    else { return nil }
                    reference = text
                } else {
                    return nil
                }
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")), isAtEnd, let isReturn, let units, let item,
                let identifier = try? ItemID(utf8: item)  // what is wrong with it is said elsewhere
            else { return nil }
            return PlainSale(
                sale: Sale(
                    day: day ?? BusinessDay(daysSince1970: 0), item: identifier, units: units,
                    reference: reference.map { [UInt8]($0) }, isReturn: isReturn),
                namesDay: day != nil)
        }

        private mutating func skipBlanks() {
            while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x09 { at += 1 }
        }

        private var isAtEnd: Bool {
            mutating get {
                skipBlanks()
                return at == bytes.count
            }
        }

        /// Whether `byte` came next.
        private mutating func take(_ byte: UInt8) -> Bool {
            skipBlanks()
            guard at < bytes.count, bytes[at] == byte else { return false }
            at += 1
            return true
        }

        /// What stands between two quotes; nil, and nothing taken, when no text is next.
        private mutating func text() -> Slice<UnsafeBufferPointer<UInt8>>? {
            skipBlanks()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { return nil }
            var end = at + 1
            while end < bytes.count, bytes[end] != UInt8(ascii: "\"") {
                guard bytes[end] >= 0x20, bytes[end] != UInt8(ascii: "\\") else { return nil }
                end += 1
            }
            guard end < bytes.count else { return nil }
            defer { at = end + 1 }
            return bytes[at + 1..<end]
        }

        /// Digits, the first of several not 0.
        private mutating func number() -> Slice<UnsafeBufferPointer<UInt8>>? {
            skipBlanks()
            var end = at
            while end < bytes.count, bytes[end] >= UInt8(ascii: "0"),
                bytes[end] <= UInt8(ascii: "9")
            {
                end += 1
            }
            guard end > at, end == at + 1 || bytes[at] != UInt8(ascii: "0") else { return nil }
            defer { at = end }
            return bytes[at..<end]
        }

        private static func names(
            _ text: Slice<UnsafeBufferPointer<UInt8>>, _ name: StaticString
        ) -> Bool {
            guard text.count == name.utf8CodeUnitCount else { return false }
            for (offset, byte) in text.enumerated() where byte != name.utf8Start[offset] {
                return false
            }
            return true
        }
    }
}
