import Foundation
import HubWeb
import Testing

@Suite("Markup of the pages") struct MarkupTests {
    @Test("What is put into markup is text: it cannot become markup")
    func escaping() {
        let text = "<script>alert(\"1\")</script> & 'x' \u{0} \u{7F}"
        let markup: Markup = "<p title=\"\(text)\">\(text)</p>"
        let safe =
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; \u{FFFD} \u{FFFD}"
        #expect(markup.text == "<p title=\"\(safe)\">\(safe)</p>")
        let list: [Markup] = ["<li>\(text)</li>", "<li>\(2)</li>"]
        let all: Markup = "<ul>\(list)\(nil as Markup?)</ul>"
        #expect(all.text == "<ul><li>\(safe)</li><li>2</li></ul>")
    }

    @Test(
        "Parts of an address stay parts",
        arguments: [
            ("a b", "/stores/a%20b"), ("../x", "/stores/..%2Fx"), ("?#&", "/stores/%3F%23%26"),
            ("ä", "/stores/%C3%A4"), ("1-2_3.~", "/stores/1-2_3.~"),
            ("a+b&c=d", "/stores/a%2Bb%26c%3Dd"),
        ])
    func addresses(part: String, address: String) {
        #expect(Link("stores", part).text == address)
        #expect(Link.decoded(Link.encoded(part)) == part)
    }

    @Test("A path is read as it was sent")
    func paths() {
        #expect(Link.decoded("a+b&c=d") == "a+b&c=d")
        #expect(Link.decoded("%zz") == nil)
        #expect(Link.decoded("%C3") == nil)
    }

    @Test(
        "A form is read within bounds",
        arguments: [
            ("a=1&b=2", ["a": "1", "b": "2"]), ("a=x+y%21", ["a": "x y!"]), ("a", ["a": nil]),
            ("a=1&a=2", ["a": "2"]), ("", ["a": nil]), ("a=b=c", ["a": "b=c"]),
            ("a=%C3%A4", ["a": "ä"]),
        ] as [(String, [String: String?])])
    func forms(text: String, fields: [String: String?]) throws {
        let read = try #require(FormFields(text))
        for (name, value) in fields { #expect(read[name] == value, "\(name) of \(text)") }
    }

    @Test(
        "What no page of ours sends is no form",
        arguments: [
            "a=%", "a=%4", "a=%zz", "a=%FF", "%=1",
            "a=" + String(repeating: "x", count: FormFields.valueBytesMax + 1),
            (0...FormFields.fieldsMax).map { "a\($0)=1" }.joined(separator: "&"),
        ])
    func noForms(text: String) { #expect(FormFields(text) == nil) }

    @Test("A table shows so many rows, and says how many there are")
    func longTable() {
        var table = PageTable("Long", columns: [.init("Name"), .init("Figure")])
        for number in 0..<(PageTable.rowsMax + 7) {
            table.add([.init("row-\(number)."), .init("n/a")])
        }
        let text = table.markup.text
        #expect(text.contains(">row-\(PageTable.rowsMax - 1).<"))
        #expect(!text.contains(">row-\(PageTable.rowsMax).<"))
        #expect(text.contains("The first \(PageTable.rowsMax) of \(PageTable.rowsMax + 7)."))
        #expect(text.contains("<td class=\"none\">n/a</td>"), "what is not known looks like it")
    }
}

/// WCAG 2.2, success criteria 1.4.3 and 1.4.11, computed from the stylesheet.
@Suite("Colours of the pages") struct PaletteTests {
    /// Text on grounds: 4.5 to 1.
    private static let texts = [
        ("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("own", "paper"),
        ("own", "card"), ("on-own", "own"), ("bad", "card"), ("bad", "paper"),
    ]
    /// What has to be told from its ground: 3 to 1.
    private static let shapes = [
        ("own", "card"), ("naive", "paper"), ("naive", "card"), ("warn", "card"), ("bad", "card"),
        ("edge", "card"), ("edge", "paper"), ("own", "band"), ("ink", "band"), ("own", "paper"),
    ]

    @Test("Text and shapes stand out from their ground, in light and in dark")
    func contrast() throws {
        let schemes = PageStyle.text.components(separatedBy: "prefers-color-scheme:dark")
        #expect(schemes.count == 2)
        for (index, scheme) in schemes.enumerated() {
            let colours = try Self.colours(in: scheme)
            for (pairs, least) in [(Self.texts, 4.5), (Self.shapes, 3.0)] {
                for (front, ground) in pairs {
                    let a = try #require(colours[front], "--\(front)")
                    let b = try #require(colours[ground], "--\(ground)")
                    let ratio = (max(a, b) + 0.05) / (min(a, b) + 0.05)
                    #expect(
                        ratio >= least,
                        "\(front) on \(ground) in \(index == 0 ? "light" : "dark"): \(ratio)")
                }
            }
        }
    }

    @Test("The stylesheet has nothing that would end a style element")
    func noMarkup() { #expect(!PageStyle.text.contains("<")) }

    /// Relative luminance by name, of the first `:root` of a part.
    private static func colours(in part: String) throws -> [String: Double] {
        let root = try #require(part.components(separatedBy: ":root{").dropFirst().first)
        var found: [String: Double] = [:]
        for declaration in root.prefix(while: { $0 != "}" }).split(whereSeparator: { $0 == ";" }) {
            let parts = declaration.trimmingCharacters(in: .whitespacesAndNewlines)
                .components(separatedBy: ":#")
            guard parts.count == 2, parts[0].hasPrefix("--") else { continue }
            var digits = parts[1]
            if digits.count == 3 { digits = digits.map { "\($0)\($0)" }.joined() }
            let value = try #require(Int(digits, radix: 16))
            let channels = [value >> 16, value >> 8 & 255, value & 255].map { channel in
                let share = Double(channel) / 255
                return share <= 0.04045 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4)
            }
            found[String(parts[0].dropFirst(2))] =
                0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]
        }
        return found
    }
}
