import GRDB
import GRDBSQLite

/// A statement by SQLite's own calls: GRDB's boxed values cost more than the row itself where there are a million.
struct RawStatement {
    private let statement: Statement
    private var handle: SQLiteStatement { statement.sqliteStatement }

    /// Prepared once for each connection.
    init(_ db: Database, sql: String) throws {
        statement = try db.cachedStatement(sql: sql)
    }

    /// The columns of the row that is read.
    struct Columns {
        fileprivate let handle: SQLiteStatement

        func integer(_ column: Int) -> Int64 { sqlite3_column_int64(handle, Int32(column)) }
        func day(_ column: Int) -> Int32 { sqlite3_column_int(handle, Int32(column)) }
        func double(_ column: Int) -> Double { sqlite3_column_double(handle, Int32(column)) }
        func integerIfAny(_ column: Int) -> Int64? {
            sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL ? nil : integer(column)
        }
    }

    /// - Parameters:
    ///   - arguments: for ?1 and so on; nil is NULL.
    ///   - body: called for each row.
    func rows(_ arguments: [Int64?], _ body: (Columns) throws -> Void) throws {
        for (index, argument) in arguments.enumerated() {
            if let argument {
                sqlite3_bind_int64(handle, Int32(index + 1), argument)
            } else {
                sqlite3_bind_null(handle, Int32(index + 1))
            }
        }
        defer { sqlite3_reset(handle) }
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: try body(Columns(handle: handle))
            case SQLITE_DONE: return
            case let code: throw DatabaseError(resultCode: ResultCode(rawValue: code))
            }
        }
    }

    /// Binds a number of the next execution, which `rows` then makes: those it is given come before.
    func bind(_ value: Double, at position: Int) {
        sqlite3_bind_double(handle, Int32(position), value)
    }

    func execute(_ arguments: [Int64?]) throws { try rows(arguments) { _ in } }
}
