/// An address within the pages, made of parts: what is in a part can end neither the part nor the path.
package struct Link: Equatable, Sendable {
    package private(set) var text: String

    /// - Parameter parts: of the path; none: the overview.
    package init(_ parts: String..., query: [(String, String)] = []) {
        text = "/" + parts.map(Self.encoded).joined(separator: "/")
        let pairs = query.map { Self.encoded($0.0) + "=" + Self.encoded($0.1) }
        if !pairs.isEmpty { text += "?" + pairs.joined(separator: "&") }
    }

    /// The same path with another query.
    package func with(_ query: [(String, String)]) -> Link {
        var link = self
        link.text = String(text.prefix { $0 != "?" })
        let pairs = query.map { Self.encoded($0.0) + "=" + Self.encoded($0.1) }
        if !pairs.isEmpty { link.text += "?" + pairs.joined(separator: "&") }
        return link
    }

    /// RFC 3986: everything but the unreserved characters as %XX.
    package static func encoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "%"))
                for digit in [byte >> 4, byte & 15] { bytes.append(digits[Int(digit)]) }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A part of a path as it was sent; nil where its escapes are broken.
    package static func decoded(_ part: some StringProtocol) -> String? {
        // In a path a plus is a plus.
        FormFields("part=" + String(part).replacing("+", with: "%2B").replacing("&", with: "%26"))?[
            "part"]
    }

    private static let digits = [UInt8]("0123456789ABCDEF".utf8)

    /// `<a href="…">content</a>`
    package func to(_ content: Markup) -> Markup { "<a href=\"\(text)\">\(content)</a>" }
    package func to(_ content: String) -> Markup { to(Markup(text: content)) }
}
