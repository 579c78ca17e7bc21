import Crypto
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import Logging
import Synchronization

/// Tells whose token a request shows (RFC 6750, section 2.1).
///
/// A good token is never held up, whoever else tries bad ones from the same address: of 256 random bits nothing can be
/// guessed, so the limit is there to keep a program gone wrong from filling the log and to tell it so.
final class BearerDesk: Sendable {
    static let headerBytesMax = 256
    /// Wrong tokens from an address at once, and the seconds until one more is granted.
    static let triesMax = 20.0
    static let secondsPerTry = 6.0

    enum Outcome: Sendable {
        case user(UserRecord, tokenSHA256: [UInt8])
        /// There is none.
        case missing
        case wrong
        case later(seconds: Int)
    }

    private let store: any HubStore
    private let limit = Mutex(TryLimit(triesMax: triesMax, secondsPerTry: secondsPerTry))
    private let logger: Logger

    init(store: any HubStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// - Parameter peer: the address that asks, without its port.
    func user(
        _ authorization: String?, peer: String, at now: Timestamp
    ) async throws -> Outcome {
        guard let authorization else { return .missing }
        let words =
            authorization.utf8.count <= Self.headerBytesMax
            ? authorization.split(separator: " ") : []
        if words.count == 2, words[0].lowercased() == "bearer" {
            let digest = Array(SHA256.hash(data: Array(words[1].utf8)))
            if let user = try await store.user(tokenSHA256: digest) {
                return .user(user, tokenSHA256: digest)
            }
        }
        if let seconds = limit.withLock({ $0.admit(peer, at: now) }) {
            return .later(seconds: seconds)
        }
        logger.notice("a wrong token", metadata: ["peer": "\(peer)"])
        return .wrong
    }
}
