/// A piece of HTML. What is written in the source is markup; what is put in between is text and is escaped, unless it is
/// markup itself. So no text from a database or a request can become markup, in an element or in a quoted attribute.
///
/// Attributes are always quoted with `"`; addresses are made by `Link`.
package struct Markup: ExpressibleByStringInterpolation, Equatable, Sendable {
    package fileprivate(set) var text: String

    package static let empty = Markup()

    private init() { text = "" }

    /// For literals alone: `stringLiteral` is never called with a value that was computed.
    package init(stringLiteral value: StaticString) {
        text = value.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
    }

    package init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 16 * interpolationCount)
        }

        package mutating func appendLiteral(_ literal: StaticString) {
            text += literal.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
        }
        package mutating func appendInterpolation(_ value: some StringProtocol) {
            text += Markup.escaped(value)
        }
        package mutating func appendInterpolation(_ value: some BinaryInteger) {
            text += String(value)
        }
        package mutating func appendInterpolation(_ markup: Markup) { text += markup.text }
        /// Nothing where there is none.
        package mutating func appendInterpolation(_ markup: Markup?) { text += markup?.text ?? "" }
        package mutating func appendInterpolation(_ list: [Markup]) {
            for markup in list { text += markup.text }
        }
    }

    package static func escaped(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): bytes += "&amp;".utf8
            case UInt8(ascii: "<"): bytes += "&lt;".utf8
            case UInt8(ascii: ">"): bytes += "&gt;".utf8
            case UInt8(ascii: "\""): bytes += "&quot;".utf8
            case UInt8(ascii: "'"): bytes += "&#39;".utf8
            // No page has a use for control characters, and some of them are no HTML.
            case 0..<0x20 where byte != 0x0A && byte != 0x09, 0x7F: bytes += "\u{FFFD}".utf8
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func + (a: Markup, b: Markup) -> Markup {
        var sum = a
        sum.text += b.text
        return sum
    }

    package static func += (a: inout Markup, b: Markup) { a.text += b.text }

    package var isEmpty: Bool { text.isEmpty }
}

extension Markup {
    /// Our own stylesheet, in which nothing is escaped.
    init(trustedStyle: String) {
        self = .empty
        text = trustedStyle
    }

    /// The text as it is, escaped.
    package init(text: some StringProtocol) { self = "\(text)" }
}

extension [Markup] {
    package func joined(by separator: Markup) -> Markup {
        var all = Markup.empty
        for (index, markup) in enumerated() {
            if index > 0 { all += separator }
            all += markup
        }
        return all
    }
}
