import Crypto
import Dispatch
import FoundationEssentials
package import HubCore
import Synchronization
import _CryptoExtras

/// Makes and compares passwords' hashes by scrypt (RFC 7914), one at a time: each takes 32 MiB of memory and a good part
/// of a second on purpose.
package final class PasswordHasher: Sendable {
    /// What scrypt takes. The default is one of those that OWASP's password storage sheet (2023) calls equivalent:
    /// N = 2¹⁵, r = 8, p = 3.
    package struct Cost: Sendable {
        package var rounds = 1 << 15
        package var blockSize = 8
        package var parallelism = 3

        package init() {}
    }

    /// Of a password in UTF-8. Shorter ones are guessed; longer ones are no passwords.
    package static let bytesRange = 10...256
    /// Whoever comes while so many wait is told to come again.
    package static let waitingMax = 8

    /// Nobody's turn comes within a few seconds.
    package struct Busy: Error {}

    private let cost: Cost
    private let queue = DispatchQueue(label: "shelfcast.passwords")
    private let waiting = Mutex(0)
    /// What a password of nobody is compared with, so that an answer takes as long as for a user.
    private let nobody: PasswordRecord

    package init(cost: Cost = Cost()) {
        self.cost = cost
        nobody = PasswordRecord(
            salt: Self.salt(), hash: [UInt8](repeating: 0, count: PasswordRecord.hashBytes),
            rounds: cost.rounds, blockSize: cost.blockSize, parallelism: cost.parallelism,
            setAt: Timestamp(millisecondsSince1970: 0))
    }

    package static func isPassword(_ text: String) -> Bool { bytesRange.contains(text.utf8.count) }

    package func record(of password: String, at: Timestamp) async throws -> PasswordRecord {
        var record = nobody
        record.salt = Self.salt()
        record.setAt = at
        record.hash = try await hash(password, with: record)
        return record
    }

    /// - Parameter record: nil: of a user that is not there or has none: then false, as late.
    package func matches(_ password: String, _ record: PasswordRecord?) async throws -> Bool {
        let hash = try await hash(password, with: record ?? nobody)
        guard let record, hash.count == record.hash.count else { return false }
        // Looks at every byte whatever it finds.
        return zip(hash, record.hash).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private func hash(_ password: String, with record: PasswordRecord) async throws -> [UInt8] {
        let admitted = waiting.withLock { count in
            guard count < Self.waitingMax else { return false }
            count += 1
            return true
        }
        guard admitted else { throw Busy() }
        defer { waiting.withLock { $0 -= 1 } }
        // A form may send anything; beyond the bound it matches nothing, as slowly.
        let bytes = Array(password.utf8.prefix(Self.bytesRange.upperBound + 1))
        return try await withCheckedThrowingContinuation { continuation in
            queue.async {
                continuation.resume(
                    with: Result {
                        try KDF.Scrypt.deriveKey(
                            // An empty one has no first byte to point at.
                            from: bytes.isEmpty ? [0] : bytes, salt: record.salt,
                            outputByteCount: PasswordRecord.hashBytes, rounds: record.rounds,
                            blockSize: record.blockSize, parallelism: record.parallelism
                        ).withUnsafeBytes { Array($0) }
                    })
            }
        }
    }

    private static func salt() -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<PasswordRecord.saltBytes).map { _ in random.next() }
    }
}
