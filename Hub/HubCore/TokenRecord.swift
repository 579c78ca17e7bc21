package import Forecasting

/// A join token as the hub keeps it: the secret itself is in the operator's hands only.
package struct TokenRecord: Hashable, Sendable {
    /// Given by the store; 0 in a token that is not stored yet.
    package var id: Int64 = 0
    /// SHA-256 of the 16-byte secret.
    package var secretSHA256: [UInt8]
    package var store: StoreID
    package var labels: [DeviceLabel]
    package var createdAt: Timestamp
    package var expiresAt: Timestamp
    package var usesMax: Int
    package var uses: Int = 0
    /// Devices that join with it are approved at once; else they wait for `device approve`.
    package var approves: Bool
    package var revokedAt: Timestamp?

    package static let usesMaxLimit = 100_000

    package init(
        secretSHA256: [UInt8], store: StoreID, labels: [DeviceLabel], createdAt: Timestamp,
        expiresAt: Timestamp, usesMax: Int, approves: Bool
    ) {
        self.secretSHA256 = secretSHA256
        self.store = store
        self.labels = labels
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.usesMax = usesMax
        self.approves = approves
    }
}

/// What becomes of a request to join.
package enum TokenCheck: Hashable, Sendable {
    case accepted
    /// No token has this secret, or it was withdrawn: a stranger learns no more than that.
    case unknown
    case expired(at: Timestamp)
    case usedUp(uses: Int)

    /// - Parameter token: the one whose secret was shown, or nil when there is none.
    package static func decide(_ token: TokenRecord?, now: Timestamp) -> TokenCheck {
        guard let token, token.revokedAt == nil else { return .unknown }
        guard now < token.expiresAt else { return .expired(at: token.expiresAt) }
        guard token.uses < token.usesMax else { return .usedUp(uses: token.uses) }
        return .accepted
    }
}
