/// How a user's password is kept: what scrypt (RFC 7914) made of it, and with which parameters, so that these can grow
/// without anybody having to choose a new one.
package struct PasswordRecord: Hashable, Sendable {
    package static let hashBytes = 32
    package static let saltBytes = 16

    package var salt: [UInt8]
    package var hash: [UInt8]
    /// scrypt's N, a power of two: 128 · N · r bytes of memory.
    package var rounds: Int
    /// scrypt's r.
    package var blockSize: Int
    /// scrypt's p.
    package var parallelism: Int
    package var setAt: Timestamp

    package init(
        salt: [UInt8], hash: [UInt8], rounds: Int, blockSize: Int, parallelism: Int,
        setAt: Timestamp
    ) {
        self.salt = salt
        self.hash = hash
        self.rounds = rounds
        self.blockSize = blockSize
        self.parallelism = parallelism
        self.setAt = setAt
    }
}

/// Somebody who is signed in at the pages.
package struct SessionRecord: Hashable, Sendable {
    /// Of one user; one more ends the one that was used longest ago.
    package static let perUserMax = 16
    /// Of all users; likewise.
    package static let countMax = 10_000
    /// Unused for so long, it ends.
    package static let idleSeconds: Int64 = 12 * 3_600
    /// After so long it ends, used or not.
    package static let ageSeconds: Int64 = 7 * 86_400
    /// Use is noted to this grain: looking at pages does not write all the time.
    package static let grainSeconds: Int64 = 60

    /// Of what the browser holds, which is kept nowhere.
    package var secretSHA256: [UInt8]
    package var user: String
    package var startedAt: Timestamp
    package var lastUsedAt: Timestamp

    package init(secretSHA256: [UInt8], user: String, startedAt: Timestamp) {
        self.secretSHA256 = secretSHA256
        self.user = user
        self.startedAt = startedAt
        lastUsedAt = startedAt
    }

    package func isGood(at now: Timestamp) -> Bool {
        now < startedAt.advanced(bySeconds: Self.ageSeconds)
            && now < lastUsedAt.advanced(bySeconds: Self.idleSeconds)
    }

    /// Whether its use at `now` is to be noted.
    package func isNotedLate(at now: Timestamp) -> Bool {
        now >= lastUsedAt.advanced(bySeconds: Self.grainSeconds)
    }
}
