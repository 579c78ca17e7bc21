/// What a mail route may be, wherever it comes from.
extension MailRoute {
    package static let hostBytesMax = 253
    package static let userBytesMax = 255

    /// Nothing in it ends a line or an address early.
    package static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && text.utf8.count <= 254
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            && !text.contains(where: { "<>,;:\"()[]\\".contains($0) })
    }

    package static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= hostBytesMax && !text.contains(where: \.isWhitespace)
    }
}

extension MailRoute.Security {
    /// The port that is meant where none is said.
    package var usualPort: Int {
        switch self {
        case .starttls: 587
        case .tls: 465
        case .none: 25
        }
    }
}
