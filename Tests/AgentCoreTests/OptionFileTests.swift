import AgentCore
import Testing

@Suite("An option file")
struct OptionFileTests {
    static func read(_ text: String) throws(OptionFileError) -> [OptionFile.Entry] {
        try OptionFile([UInt8](text.utf8)).entries
    }

    static func bytes(_ text: String) -> [UInt8] { [UInt8](text.utf8) }

    @Test("gives its values in its order, whatever stands around them")
    func values() throws {
        let entries = try Self.read(
            """
            # what a battery sensor does

            contact = "visit" # comment
            close-at='22:30'
            \tmemory_budget\t=\t20_480
            offset = -7
            plus = +7
            zero = 0
            quiet = true
            loud = false#comment
            label = [ "aisle=dairy", # one
              'floor=\\1',

              "a#b", ]
            empty = []
            quoted = "a \\"b\\" \\\\ \\t \\n # ü"
            """ + "\r\nlast = \"x\"\r\n")
        let expected: [OptionFile.Entry] = [
            Self.entry("contact", .text(Self.bytes("visit")), line: 3),
            Self.entry("close-at", .text(Self.bytes("22:30")), line: 4),
            Self.entry("memory_budget", .number(Self.bytes("20480")), line: 5),
            Self.entry("offset", .number(Self.bytes("-7")), line: 6),
            Self.entry("plus", .number(Self.bytes("7")), line: 7),
            Self.entry("zero", .number(Self.bytes("0")), line: 8),
            Self.entry("quiet", .bool(true), line: 9),
            Self.entry("loud", .bool(false), line: 10),
            Self.entry("label", Self.list("aisle=dairy", "floor=\\1", "a#b"), line: 11),
            Self.entry("empty", .list([]), line: 15),
            Self.entry("quoted", .text(Self.bytes("a \"b\" \\ \t \n # ü")), line: 16),
            Self.entry("last", .text(Self.bytes("x")), line: 17),
        ]
        #expect(entries == expected)
    }

    static func entry(_ key: String, _ value: OptionFile.Value, line: Int) -> OptionFile.Entry {
        .init(key: bytes(key), value: value, line: line)
    }

    static func list(_ texts: String...) -> OptionFile.Value { .list(texts.map(bytes)) }

    @Test("may be empty, begin with a mark of its encoding, or end without a newline")
    func edges() throws {
        #expect(try Self.read("").isEmpty)
        #expect(try Self.read("# only this").isEmpty)
        #expect(try OptionFile([0xEF, 0xBB, 0xBF] + Self.bytes("a=1")).entries.count == 1)
    }

    static let wrong: [(text: String, line: Int, says: String)] = [
        ("[agent]\ncontact = \"visit\"", 1, "no [tables]"),
        ("\ncontact \"visit\"", 2, "contact needs `= value`"),
        ("= 1", 1, "a line is `key = value`"),
        ("\"quoted\" = 1", 1, "a line is `key = value`"),
        ("a.b = 1", 1, "a needs `= value`"),
        (String(repeating: "k", count: 65) + " = 1", 1, "a line is `key = value`"),
        ("close-at = 22:30", 1, "the value of close-at is a \"text\" in quotes"),
        ("budget = 1.5", 1, "a whole number"),
        ("budget = 007", 1, "a whole number"),
        ("budget = 1__0", 1, "a whole number"),
        ("budget = 1_", 1, "a whole number"),
        ("budget = -", 1, "a whole number"),
        ("budget =", 1, "a whole number"),
        ("budget = 0x10", 1, "a whole number"),
        ("quiet = yes", 1, "true, false"),
        ("contact = \"visit", 1, "without its closing quote"),
        ("contact = \"visit\ncontact2 = \"x\"", 1, "without its closing quote"),
        ("contact = \"a\\u0041\"", 1, "of backslashes only"),
        ("contact = \"a\\", 1, "of backslashes only"),
        ("contact = \"a\u{7}b\"", 1, "control character"),
        ("contact = \"visit\" stay", 1, "after the value of contact"),
        ("contact = \"\"\"visit\"\"\"", 1, "after the value of contact"),
        ("a = 1\nb = 2\na = 3", 3, "a stands in line 1 already"),
        ("label = [\n\"a\"\n\"b\"]", 3, "needs a comma or ]"),
        ("label = [\"a\",\n2]", 2, "holds texts in quotes"),
        ("label = [\"a\",", 1, "holds texts in quotes"),
        ("label = [\"a\"", 1, "needs a comma or ]"),
        ("label = [[\"a\"]]", 1, "holds texts in quotes"),
        ("a = 1\rb = 2", 1, "after the value of a"),
        ("\rb = 2", 1, "a line that ends in the middle"),
    ]

    @Test("that is wrong is refused with the line and what to do", arguments: wrong)
    func errors(_ row: (text: String, line: Int, says: String)) {
        let error = #expect(throws: OptionFileError.self) { try Self.read(row.text) }
        #expect(error?.line == row.line)
        #expect(error?.text.contains(row.says) == true, "\(error?.text ?? "")")
    }

    @Test("cut anywhere is read or refused, never more than that")
    func cuts() throws {
        let whole = Self.bytes("label = [ \"a\\\"b\", 'c' ] # d\r\nbudget = 20_480\nquiet = true\n")
        for count in 0...whole.count {
            if let entries = try? OptionFile([UInt8](whole.prefix(count))).entries {
                #expect(entries.count <= 3)
            }
        }
        #expect(try OptionFile(whole).entries.count == 3)
    }
}
