import CLogFile
import CPosix
import CSQLite

/// Why the agent's database did not do what was asked. Nothing of a failed transaction remains.
package enum StoreError: Error, Equatable, Sendable {
    /// No room on the disk (or the configured page limit is reached).
    case full
    /// The file system takes no writes: mounted so, or turned so after its flash failed.
    case readOnly
    /// The file is damaged: `AgentStore.open` sets it aside and starts a new one.
    case corrupt
    /// Another process writes.
    case busy
    /// Written by a newer agent.
    case newer(version: Int)
    case failed(code: Int32, text: String)
    /// A test's simulated power cut.
    case cut

    package var text: String {
        switch self {
        case .full: return "the disk is full: nothing was recorded; free some space and repeat"
        case .readOnly:
            return
                "the disk is read-only: nothing was recorded; mount it writable and repeat (a flash that fails turns read-only by itself: replace it)"
        case .corrupt:
            return "the database is damaged; the next start sets it aside and begins a new one"
        case .busy: return "the database is in use by another process; try again"
        case .newer(let version):
            return
                "the database was written by a newer agent (schema \(version)); install that version"
        case .failed(let code, let text):
            return "database error \(code): \(text)"
                + (code & 0xFF == SQLITE_IOERR
                    ? "; see what the kernel says of the disk (dmesg): a flash that fails must be replaced"
                    : "")
        case .cut: return "power cut"
        }
    }
}

/// One value of a row.
package enum Value: Equatable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text([UInt8])
    case blob([UInt8])

    package var integer: Int64 { if case .integer(let value) = self { value } else { 0 } }
    package var isNull: Bool { self == .null }
    package var real: Double {
        switch self {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: 0
        }
    }
    package var bytes: [UInt8] {
        switch self {
        case .text(let bytes), .blob(let bytes): bytes
        default: []
        }
    }
}

/// One SQLite connection: WAL, every commit on the disk before it returns. Not thread-safe.
package final class Database {
    private let handle: OpaquePointer
    private var keepsLogFile = false
    private var statements: [(sql: StaticString, statement: OpaquePointer)] = []
    package private(set) var isInTransaction = false
    /// A transaction is open whose commit may wait.
    package private(set) var isHeld = false
    /// What was held is not in the database any more: its commit failed, or the disk was full.
    package var hasLostHeld = false
    /// Why the last write failed; nil once another one has been committed.
    package private(set) var trouble: StoreError?
    /// For tests: the write (from 1) that a power cut prevents, with everything after it.
    package var writesUntilCut: Int?

    /// Opens or creates the file.
    /// - Parameter isImmutable: nobody writes it meanwhile: it is read without locks, and nothing is left beside it.
    package init(
        path: String, readOnly: Bool = false, isImmutable: Bool = false
    ) throws(StoreError) {
        var opened: OpaquePointer?
        let name = isImmutable ? "file:" + Self.escaped(path) + "?immutable=1" : path
        let flags =
            (readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
            | SQLITE_OPEN_NOMUTEX | (isImmutable ? SQLITE_OPEN_URI : 0)
        let result = sqlite3_open_v2(
            name, &opened, flags, readOnly ? nil : shelfcast_log_layer())
        guard result == SQLITE_OK, let opened else {
            let error = Self.error(result, on: opened)
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, 2000)
    }

    /// A path as a URI has it: what URIs give a meaning is written in hexadecimal.
    private static func escaped(_ path: String) -> String {
        var text: [UInt8] = []
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: "?"), UInt8(ascii: "#"):
                text.append(UInt8(ascii: "%"))
                text += Hex.text([byte])
            default: text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// From now on the log's file outlives the connection, with its space and nothing in it: the next one need not make it
    /// again.
    func keepLogFile() {
        var keeps: Int32 = 1
        sqlite3_file_control(handle, nil, SQLITE_FCNTL_PERSIST_WAL, &keeps)
        keepsLogFile = keeps == 1
    }

    deinit {
        for entry in statements { sqlite3_finalize(entry.statement) }
        if keepsLogFile {
            // A disk that refuses it leaves a log to read at the next start.
            sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            sqlite3_exec(handle, "PRAGMA wal_checkpoint(TRUNCATE)", nil, nil, nil)
        }
        sqlite3_close_v2(handle)
    }

    /// Lets go of cached pages and prepared statements. Between transactions.
    package func releaseMemory() {
        for entry in statements { sqlite3_finalize(entry.statement) }
        statements = []
        sqlite3_db_release_memory(handle)
    }

    package var lastRowID: Int64 { sqlite3_last_insert_rowid(handle) }
    /// Rows the last write changed.
    package var changes: Int { Int(sqlite3_changes(handle)) }

    /// Runs statements that need no values.
    package func execute(_ sql: String) throws(StoreError) {
        try countWrite()
        let result = sqlite3_exec(handle, sql, nil, nil, nil)
        guard result == SQLITE_OK else { throw Self.error(result, on: handle) }
    }

    /// Runs one write.
    package func run(_ sql: StaticString, _ values: [Value] = []) throws(StoreError) {
        try countWrite()
        let statement = try prepared(sql)
        defer { sqlite3_reset(statement) }
        try bind(values, to: statement)
        let result = sqlite3_step(statement)
        guard result == SQLITE_DONE || result == SQLITE_ROW else {
            let error = Self.error(result, on: handle)
            trouble = error
            throw error
        }
        // Otherwise it is on its way only.
        if trouble != nil, sqlite3_get_autocommit(handle) != 0 { trouble = nil }
    }

    /// Calls `row` with each row's values, until it says false.
    package func query(
        _ sql: StaticString, _ values: [Value] = [], columns: Int, row: ([Value]) -> Bool
    ) throws(StoreError) {
        let statement = try prepared(sql)
        defer { sqlite3_reset(statement) }
        try bind(values, to: statement)
        var read = [Value](repeating: .null, count: columns)
        while true {
            let result = sqlite3_step(statement)
            if result == SQLITE_DONE { return }
            guard result == SQLITE_ROW else { throw Self.error(result, on: handle) }
            for column in 0..<columns {
                read[column] = Self.value(of: statement, at: Int32(column))
            }
            if !row(read) { return }
        }
    }

    /// The first row, or nil.
    package func first(
        _ sql: StaticString, _ values: [Value] = [], columns: Int
    ) throws(StoreError) -> [Value]? {
        var found: [Value]?
        try query(sql, values, columns: columns) { row in
            found = row
            return false
        }
        return found
    }

    /// All or nothing of `body`. Transactions do not nest: an inner one joins the outer.
    package func transaction<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        guard !isInTransaction else { return try body() }
        try run("BEGIN IMMEDIATE")
        isInTransaction = true
        defer { isInTransaction = false }
        do {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            // After a full disk SQLite may have rolled back already; then this says so and is done.
            sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// As `transaction`, but the commit may wait: `commitHeld` makes it, or the next write of any other kind.
    package func hold<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        guard !isInTransaction else { return try body() }
        if !isHeld {
            try run("BEGIN IMMEDIATE")
            isHeld = true
        }
        isInTransaction = true
        defer { isInTransaction = false }
        do {
            try run("SAVEPOINT held")
            let result = try body()
            try run("RELEASE held")
            return result
        } catch {
            sqlite3_exec(handle, "ROLLBACK TO held; RELEASE held", nil, nil, nil)
            // After a full disk SQLite may have rolled back all of it.
            if sqlite3_get_autocommit(handle) != 0 { (isHeld, hasLostHeld) = (false, true) }
            throw error
        }
    }

    package func commitHeld() throws(StoreError) {
        guard isHeld else { return }
        isHeld = false
        do { try run("COMMIT") } catch {
            sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            hasLostHeld = true
            throw error
        }
    }

    private func countWrite() throws(StoreError) {
        if isHeld, !isInTransaction { try commitHeld() }
        guard let left = writesUntilCut else { return }
        guard left > 1 else {
            writesUntilCut = 0
            throw .cut
        }
        writesUntilCut = left - 1
    }

    /// Statements are few and written in this module, so a list found by address is enough.
    private func prepared(_ sql: StaticString) throws(StoreError) -> OpaquePointer {
        for entry in statements where entry.sql.utf8Start == sql.utf8Start {
            return entry.statement
        }
        var statement: OpaquePointer?
        let result = sqlite3_prepare_v3(
            handle, UnsafeRawPointer(sql.utf8Start).assumingMemoryBound(to: CChar.self),
            Int32(sql.utf8CodeUnitCount), UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard result == SQLITE_OK, let statement else { throw Self.error(result, on: handle) }
        statements.append((sql, statement))
        return statement
    }

    private func bind(_ values: [Value], to statement: OpaquePointer) throws(StoreError) {
        precondition(Int(sqlite3_bind_parameter_count(statement)) == values.count)
        for (index, value) in values.enumerated() {
            let at = Int32(index + 1)
            let result: Int32
            switch value {
            case .null: result = sqlite3_bind_null(statement, at)
            case .integer(let integer): result = sqlite3_bind_int64(statement, at, integer)
            case .real(let real): result = sqlite3_bind_double(statement, at, real)
            case .text(let bytes):
                result = shelfcast_bind_text(statement, at, bytes, Int32(bytes.count))
            case .blob(let bytes):
                result = shelfcast_bind_blob(statement, at, bytes, Int32(bytes.count))
            }
            guard result == SQLITE_OK else { throw Self.error(result, on: handle) }
        }
    }

    private static func value(of statement: OpaquePointer, at column: Int32) -> Value {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT: return .text(bytes(of: statement, at: column))
        case SQLITE_BLOB: return .blob(bytes(of: statement, at: column))
        default: return .null
        }
    }

    private static func bytes(of statement: OpaquePointer, at column: Int32) -> [UInt8] {
        let start = sqlite3_column_blob(statement, column)
        let count = Int(sqlite3_column_bytes(statement, column))
        guard let start, count > 0 else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }

    private static func error(_ code: Int32, on handle: OpaquePointer?) -> StoreError {
        switch code & 0xFF {
        case SQLITE_FULL: return .full
        case SQLITE_READONLY: return .readOnly
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt
        case SQLITE_BUSY, SQLITE_LOCKED: return .busy
        default:
            // No space, a quota or a limit on a file's size can surface as a failed write, and so can a read-only
            // file system. SQLite does not keep the number of a failed commit: the system still has it.
            var cause = handle.map { sqlite3_system_errno($0) } ?? 0
            if cause == 0, code & 0xFF == SQLITE_IOERR { cause = shelfcast_last_error() }
            if shelfcast_means_no_space(cause) != 0 { return .full }
            if cause == -shelfcast_error_read_only() { return .readOnly }
            let text = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "cannot open"
            return .failed(code: code, text: text)
        }
    }
}
