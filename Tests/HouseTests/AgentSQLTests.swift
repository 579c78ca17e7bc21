import Foundation
import Testing

@Suite("The agent's SQL")
struct AgentSQLTests {
    /// The agent's own SQLite is built without these (Scripts/device-libraries); a test build's SQLite has them.
    static let missing = [
        "ANALYZE", "EXPLAIN", "REINDEX", "OVER (", "OVER(", "json", "julianday", "strftime",
        "datetime(",
        "date(", "->>",
    ]

    @Test("needs nothing that its SQLite was built without")
    func omissions() throws {
        var statements = 0
        for file in try House.swiftFiles(under: ["Agent"]) {
            let text = try String(contentsOfFile: House.root + "/" + file, encoding: .utf8)
            for statement in Self.statements(in: text) {
                statements += 1
                for word in Self.missing {
                    #expect(!statement.contains(word), "\(file): \(word) in \(statement)")
                }
            }
        }
        #expect(statements > 50)
    }

    /// String literals that begin with a verb of SQL.
    static func statements(in source: String) -> [String] {
        let verbs = [
            "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "PRAGMA", "WITH",
            "BEGIN",
        ]
        // Literals alternate with code between the marks; a literal of many lines has three of them.
        return source.replacingOccurrences(of: "\"\"\"", with: "\"").split(
            separator: "\"", omittingEmptySubsequences: false
        ).map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { text in
            verbs.contains { text.hasPrefix($0 + " ") }
        }
    }
}
