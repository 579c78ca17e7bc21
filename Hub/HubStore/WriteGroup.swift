import GRDB
import Synchronization

/// Puts short writes that wait at the same moment into one transaction, so that what one `fsync` costs is shared by all of
/// them. Each has a savepoint of its own: one that throws takes nothing of the others with it. A caller goes on after the
/// commit, as if the transaction were its own.
///
/// While one transaction is on its way the next one's writes collect; nobody waits for company.
final class WriteGroup: Sendable {
    /// Of one transaction, so that the first of them does not wait for too many others.
    static let writesMax = 256

    private struct Waiting {
        var writes: [any GroupedWrite] = []
        /// A transaction is on its way, and will look for more after it.
        var isRunning = false
    }

    private let database: any DatabaseWriter
    private let waiting = Mutex(Waiting())

    init(_ database: any DatabaseWriter) { self.database = database }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let write = TypedWrite(body, continuation)
            let starts = waiting.withLock { waiting in
                waiting.writes.append(write)
                defer { waiting.isRunning = true }
                return !waiting.isRunning
            }
            if starts { database.asyncWriteWithoutTransaction { self.commitSome($0) } }
        }
    }

    private func take() -> [any GroupedWrite] {
        waiting.withLock { waiting in
            let count = min(Self.writesMax, waiting.writes.count)
            let some = Array(waiting.writes.prefix(count))
            waiting.writes.removeFirst(count)
            if some.isEmpty { waiting.isRunning = false }
            return some
        }
    }

    /// One transaction, then the next, if somebody waits. Others who use the writer come in between.
    private func commitSome(_ db: Database) {
        let writes = take()
        guard !writes.isEmpty else { return }
        var errors: [(any Error)?] = []
        do {
            if writes.count == 1 {
                try db.inTransaction {
                    try writes[0].run(db)
                    return .commit
                }
            } else {
                try db.inTransaction {
                    errors = try writes.map { try Self.run($0, db) }
                    return .commit
                }
            }
        } catch {
            // Nothing of it is there: whatever each came to, it came to nothing.
            errors = writes.map { _ in error }
        }
        for (index, write) in writes.enumerated() {
            write.finish(index < errors.count ? errors[index] : nil)
        }
        database.asyncWriteWithoutTransaction { self.commitSome($0) }
    }

    /// - Returns: what the write threw, its changes undone.
    /// - Throws: when the whole transaction is lost.
    private static func run(_ write: any GroupedWrite, _ db: Database) throws -> (any Error)? {
        do {
            try db.inSavepoint {
                try write.run(db)
                return .commit
            }
            return nil
        } catch {
            // A full or broken disk can end the transaction itself, with what the others wrote.
            guard db.isInsideTransaction else { throw error }
            return error
        }
    }
}

private protocol GroupedWrite: Sendable {
    /// Changes the database; throws what the caller is to be thrown.
    func run(_ db: Database) throws
    /// Called once, after commit or failure.
    func finish(_ error: (any Error)?)
}

/// Touched by the writer's queue alone once it waits there.
private final class TypedWrite<Value: Sendable>: GroupedWrite, @unchecked Sendable {
    private let body: @Sendable (Database) throws -> Value
    private let continuation: CheckedContinuation<Value, any Error>
    private var value: Value?

    init(
        _ body: @escaping @Sendable (Database) throws -> Value,
        _ continuation: CheckedContinuation<Value, any Error>
    ) {
        self.body = body
        self.continuation = continuation
    }

    func run(_ db: Database) throws { value = try body(db) }

    func finish(_ error: (any Error)?) {
        switch (error, value) {
        case (let error?, _): continuation.resume(throwing: error)
        case (nil, let value?): continuation.resume(returning: value)
        case (nil, nil): preconditionFailure("a write was committed without having run")
        }
    }
}
