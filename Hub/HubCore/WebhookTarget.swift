import FoundationEssentials

/// Where a webhook is.
package struct WebhookTarget: Hashable, Sendable {
    package var isEncrypted: Bool
    package var host: String
    package var port: Int
    /// Path and query.
    package var path: String

    /// An `https` URL, or an `http` one of this machine; nil: neither, or with a user, a fragment or more than 2,048 bytes.
    package init?(_ text: String) {
        guard text.utf8.count <= 2_048, let parts = URLComponents(string: text),
            let scheme = parts.scheme, let host = parts.host, !host.isEmpty, parts.user == nil,
            parts.fragment == nil
        else { return nil }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        switch scheme {
        case "https": isEncrypted = true
        case "http" where ["localhost", "127.0.0.1", "::1"].contains(bare): isEncrypted = false
        default: return nil
        }
        self.host = bare
        port = parts.port ?? (isEncrypted ? 443 : 80)
        guard (1...65_535).contains(port) else { return nil }
        path =
            (parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath)
            + (parts.percentEncodedQuery.map { "?" + $0 } ?? "")
    }
}
