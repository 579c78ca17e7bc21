package import Forecasting

/// Units of one item sold on one business day, as the till reports them.
package struct Sale: Equatable, Sendable {
    package static let unitsRange: ClosedRange<UInt32> = 1...1_000_000
    package static let referenceBytesMax = 64

    package var day: BusinessDay
    package var item: ItemID
    package var units: UInt32
    /// The till's own name for this sale: a repetition with the same day and reference changes nothing.
    package var reference: [UInt8]?
    /// The units came back.
    package var isReturn: Bool

    package init(
        day: BusinessDay, item: ItemID, units: UInt32, reference: [UInt8]? = nil,
        isReturn: Bool = false
    ) {
        self.isReturn = isReturn
        self.day = day
        self.item = item
        self.units = units
        self.reference = reference
    }
}

/// Why a sale as written cannot be taken. The text names the value and what is right.
package enum SaleError: Error, Equatable, Sendable {
    case item(IdentifierError, text: [UInt8])
    case units([UInt8])
    case day([UInt8])
    case reference(bytes: Int)

    package var text: String {
        switch self {
        case .item(.length(let bytes, let bytesMax), _):
            return "item has \(bytes) bytes; it must have 1 to \(bytesMax)"
        case .item(.character(_, let at), let text):
            return
                "item '\(printable(text))' has a character that is not allowed at position \(at + 1): "
                + "printable ASCII without space, comma, quotes and backslash"
        case .units(let text):
            return "units '\(printable(text))' is not a whole number from 1 to 1000000"
        case .day(let text):
            return "day '\(printable(text))' is not a date; write YYYY-MM-DD"
        case .reference(let bytes):
            return
                "ref has \(bytes) bytes; it may have 1 to \(Sale.referenceBytesMax), none of them a control character"
        }
    }
}

extension Sale {
    /// Checks one sale's fields as text. `reference` empty means none.
    package init(
        day: [UInt8], item: [UInt8], units: [UInt8], reference: [UInt8]
    ) throws(SaleError) {
        guard let day = BusinessDay(iso8601: day) else { throw .day(day) }
        let identifier: ItemID
        do { identifier = try ItemID(utf8: item) } catch { throw .item(error, text: item) }
        guard let number = decimal(units), let count = UInt32(exactly: number),
            Self.unitsRange.contains(count)
        else { throw .units(units) }
        try Self.check(reference: reference)
        self.init(
            day: day, item: identifier, units: count,
            reference: reference.isEmpty ? nil : reference)
    }

    /// A reference is at most 64 bytes without control characters.
    package static func check(reference: [UInt8]) throws(SaleError) {
        guard reference.count <= referenceBytesMax else { throw .reference(bytes: reference.count) }
        for byte in reference where byte < 0x20 || byte == 0x7F {
            throw .reference(bytes: reference.count)
        }
    }
}

/// The value of 1 to 18 ASCII digits; nil for anything else.
package func decimal(_ text: some Collection<UInt8>) -> UInt64? {
    guard !text.isEmpty, text.count <= 18 else { return nil }
    var value: UInt64 = 0
    for byte in text {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
    }
    return value
}

/// At most 40 bytes of somebody else's text, for an error message: control and non-ASCII bytes become
/// '?', so that nothing in it can move a terminal's cursor.
package func printable(_ bytes: [UInt8]) -> String {
    var shown: [UInt8] = []
    for byte in bytes.prefix(40) {
        shown.append(byte >= 0x20 && byte < 0x7F ? byte : UInt8(ascii: "?"))
    }
    if bytes.count > 40 { shown += [46, 46, 46] }
    return String(decoding: shown, as: UTF8.self)
}
