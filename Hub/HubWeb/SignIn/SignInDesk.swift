import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import Logging
import Synchronization

/// Signs people in and out.
final class SignInDesk: Sendable {
    enum Outcome {
        case signedIn(PageSession)
        /// The name or the password is wrong: which of them is nobody's business.
        case refused
        case later(seconds: Int)
    }

    private let store: any HubStore
    private let hasher: PasswordHasher
    private let limit = Mutex(SignInLimit())
    private let logger: Logger

    init(store: any HubStore, hasher: PasswordHasher, logger: Logger) {
        self.store = store
        self.hasher = hasher
        self.logger = logger
    }

    /// - Parameter peer: the address that asks, without its port.
    func signIn(
        name: String, password: String, peer: String, at now: Timestamp
    ) async throws -> Outcome {
        if let seconds = limit.withLock({ $0.admit(name: name, peer: peer, at: now) }) {
            logger.notice("too many sign-ins", metadata: ["peer": "\(peer)"])
            return .later(seconds: seconds)
        }
        // What is no name is nobody's, and takes as long.
        let record = UserRecord.isName(name) ? try await store.password(of: name) : nil
        do {
            guard try await hasher.matches(password, record), let record else {
                logger.notice("sign-in refused", metadata: ["peer": "\(peer)"])
                return .refused
            }
            let secret = PageSession.Secret()
            let session = SessionRecord(
                secretSHA256: secret.sha256, user: name, startedAt: now)
            guard try await store.openSession(session, ifStill: record),
                let opened = try await store.session(secretSHA256: secret.sha256, at: now)
            else { return .refused }
            limit.withLock { $0.succeeded(name: name, peer: peer) }
            logger.info("signed in", metadata: ["user": "\(name)", "peer": "\(peer)"])
            return .signedIn(PageSession(user: opened.user, secret: secret))
        } catch is PasswordHasher.Busy {
            return .later(seconds: 5)
        }
    }

    /// Who holds this secret; nil: nobody, or not any more.
    func session(_ secret: PageSession.Secret, at now: Timestamp) async throws -> PageSession? {
        guard let found = try await store.session(secretSHA256: secret.sha256, at: now) else {
            return nil
        }
        if found.session.isNotedLate(at: now) {
            try await store.touchSession(secretSHA256: secret.sha256, at: now)
        }
        return PageSession(user: found.user, secret: secret)
    }

    func signOut(_ secret: PageSession.Secret) async throws {
        try await store.endSession(secretSHA256: secret.sha256)
    }
}
