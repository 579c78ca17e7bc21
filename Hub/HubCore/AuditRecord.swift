/// A line of the audit log: who changed what runs, or who may do what.
package struct AuditRecord: Hashable, Sendable {
    package static let textBytesMax = 1_024

    /// From 1 up, without gaps in one database.
    package var id: Int64
    package var at: Timestamp
    /// `os:NAME` for the command line, `user:NAME` for the API, `device:ID`, `autopilot`, or `hub` for what it did by
    /// itself.
    package var author: String
    /// `push`, `pause`, `approve`...
    package var action: String
    /// `rollout 3`, `device d-1`...
    package var object: String
    package var why: String

    package init(
        id: Int64, at: Timestamp, author: String, action: String, object: String, why: String
    ) {
        self.id = id
        self.at = at
        self.author = author
        self.action = action
        self.object = object
        self.why = why
    }
}

package enum UserRole: String, Hashable, Sendable, CaseIterable {
    /// May change what runs.
    case `operator`
    /// May look.
    case viewer
}

/// Somebody who may use the hub's API.
package struct UserRecord: Hashable, Sendable {
    package static let nameBytesMax = 64

    package var name: String
    package var role: UserRole
    package var createdAt: Timestamp
    /// Numbers of the tokens that are good.
    package var tokens: [Int64] = []

    package init(name: String, role: UserRole, createdAt: Timestamp) {
        self.name = name
        self.role = role
        self.createdAt = createdAt
    }

    /// Letters, digits, `.`, `_`, `-` and `@`, 1 to 64 of them.
    package static func isName(_ text: String) -> Bool {
        (1...nameBytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"), UInt8(ascii: "@"):
                    true
                default: false
                }
            }
    }
}
