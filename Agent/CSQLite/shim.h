#include <sqlite3.h>

// What Swift cannot say: SQLITE_TRANSIENT is a cast, and sqlite3_config is variadic.
static inline int shelfcast_bind_text(sqlite3_stmt *statement, int at, const void *bytes, int count) {
    return sqlite3_bind_text(statement, at, (const char *)bytes, count, SQLITE_TRANSIENT);
}
static inline int shelfcast_bind_blob(sqlite3_stmt *statement, int at, const void *bytes, int count) {
    return count == 0 ? sqlite3_bind_zeroblob(statement, at, 0)
                      : sqlite3_bind_blob(statement, at, bytes, count, SQLITE_TRANSIENT);
}
