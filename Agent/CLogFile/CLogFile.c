#define _GNU_SOURCE
#include "CLogFile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sqlite3.h>

// Of the log that is collected before it is written: what a commit of a busy moment has.
#define WINDOW_BYTES 32768
// What the log grows by, in zeros that are on the disk before anything is written over them.
#define GROWTH_BYTES 65536
#define SECTOR_MIN 512
#define SECTOR_MAX 4096

typedef struct {
    sqlite3_file base;
    sqlite3_file *real;  // the same file the ordinary way
    int direct;          // its second descriptor; negative: all goes the ordinary way
    int is_probed;       // `sector` is what the file system takes
    int64_t sector;      // direct writes start and end at its multiples
    int64_t size;        // the file's, all of it written before; negative: to be asked for
    int64_t live;        // behind it lies nothing that SQLite will read again
    // The window: bytes of the file from `start`, a multiple of `sector`; behind `count` zeros.
    uint8_t *window;
    int64_t start, count;
    int64_t from, to;  // of it not on the disk yet, from < to where there is any
} log_file;

static int64_t down(int64_t offset, int64_t sector) { return offset & ~(sector - 1); }
static int64_t up(int64_t offset, int64_t sector) { return down(offset + sector - 1, sector); }

static void drop(log_file *log) {
    if (log->count > 0) memset(log->window, 0, (size_t)log->count);
    log->start = log->count = log->from = log->to = 0;
}

static int sqlite_error(int error, int otherwise) {
    errno = error;
    return error == ENOSPC || error == EDQUOT ? SQLITE_FULL : otherwise;
}

// 0, or an error number.
static int write_directly(log_file *log, const uint8_t *from, int64_t bytes, int64_t offset) {
    shelfcast_direct_write asked = {log->direct, from, bytes, offset, 0};
    int known = log->real->pMethods->xFileControl(log->real, SHELFCAST_LOG_DIRECT_WRITE, &asked);
    if (known == SQLITE_OK) return asked.error;
    while (bytes > 0) {
        ssize_t written = pwrite(log->direct, from, (size_t)bytes, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        if (written == 0) return EIO;
        from += written;
        offset += written;
        bytes -= written;
    }
    return 0;
}

// From here on the ordinary way, with what waits.
static int give_up(log_file *log) {
    int result = SQLITE_OK;
    if (log->from < log->to)
        result = log->real->pMethods->xWrite(
            log->real, log->window + log->from, (int)(log->to - log->from),
            log->start + log->from);
    if (result != SQLITE_OK) return result;
    close(log->direct);
    log->direct = -1;
    munmap(log->window, WINDOW_BYTES + SECTOR_MAX);
    log->window = NULL;
    log->start = log->count = log->from = log->to = 0;
    return SQLITE_OK;
}

// Gives the file zeros up to `end` at least.
static int grow(log_file *log, int64_t end) {
    static const uint8_t zeros[4096];
    const sqlite3_io_methods *real = log->real->pMethods;
    int result = log->size < 0 ? real->xFileSize(log->real, (sqlite3_int64 *)&log->size) : SQLITE_OK;
    if (result != SQLITE_OK || end <= log->size) return result;
    int64_t size = log->size, to = up(end, GROWTH_BYTES);
    while (size < to && result == SQLITE_OK) {
        int64_t bytes = up(size + 1, sizeof zeros) - size;
        result = real->xWrite(log->real, zeros, (int)bytes, size);
        size += bytes;
    }
    if (result == SQLITE_OK) result = real->xSync(log->real, SQLITE_SYNC_NORMAL);
    if (result == SQLITE_OK) {
        log->size = size;
        return SQLITE_OK;
    }
    // Others may need what room there was.
    int error = errno;
    real->xTruncate(log->real, log->size);
    log->size = -1;
    errno = error;
    return result;
}

// Finds out what direct writes must be multiples of, by a read of them. The file is not empty.
static int takes_direct_writes(log_file *log) {
    if (log->is_probed) return 1;
    uint8_t *scratch = log->window + WINDOW_BYTES;
    for (int64_t sector = log->sector; sector <= SECTOR_MAX; sector *= 8) {
        ssize_t count = pread(log->direct, scratch, (size_t)sector, 0);
        memset(scratch, 0, SECTOR_MAX);
        if (count != sector) continue;
        log->is_probed = 1;
        if (sector == log->sector) return 1;
        // What waits begins elsewhere.
        log->sector = sector;
        return 0;
    }
    return -1;
}

// Writes what waits, and keeps the last sector of it, where the next commit goes on.
static int flush(log_file *log) {
    if (log->from >= log->to) return SQLITE_OK;
    int64_t from = down(log->from, log->sector), to = up(log->to, log->sector);
    int result = grow(log, log->start + to);
    if (result != SQLITE_OK) return result;
    switch (takes_direct_writes(log)) {
    case -1: return give_up(log);
    case 0: {
        const sqlite3_io_methods *real = log->real->pMethods;
        result = real->xWrite(
            log->real, log->window + log->from, (int)(log->to - log->from), log->start + log->from);
        if (result == SQLITE_OK) result = real->xSync(log->real, SQLITE_SYNC_NORMAL);
        if (result == SQLITE_OK) drop(log);
        return result;
    }
    default: break;
    }
    int error = write_directly(log, log->window + from, to - from, log->start + from);
    if (error == EINVAL || error == EOPNOTSUPP) return give_up(log);
    if (error != 0) return sqlite_error(error, SQLITE_IOERR_WRITE);
    int64_t kept = down(log->to, log->sector);
    log->from = log->to = 0;
    if (kept > log->count) kept = log->count;
    memmove(log->window, log->window + kept, (size_t)(log->count - kept));
    memset(log->window + log->count - kept, 0, (size_t)kept);
    log->start += kept;
    log->count -= kept;
    return SQLITE_OK;
}

// Moves the window, with nothing waiting in it, to where `offset` is in it.
static int move(log_file *log, int64_t offset) {
    drop(log);
    log->start = down(offset, log->sector);
    int64_t count = offset - log->start;
    if (offset < log->live) {
        count = up(log->live - log->start, log->sector);
        if (count > WINDOW_BYTES) count = WINDOW_BYTES;
    }
    if (count == 0) return SQLITE_OK;
    int result = log->real->pMethods->xRead(log->real, log->window, (int)count, log->start);
    if (result == SQLITE_IOERR_SHORT_READ) result = SQLITE_OK;
    log->count = count;
    if (result != SQLITE_OK) drop(log);
    return result;
}

// How many bytes from `offset` on the window can take as it is.
static int64_t room_at(const log_file *log, int64_t offset) {
    int64_t at = offset - log->start;
    if (at < 0 || at > log->count) return 0;
    // What lies behind the window must not be overwritten with zeros.
    return (log->start + log->count < log->live ? log->count : WINDOW_BYTES) - at;
}

// One file

#define LOG(file) ((log_file *)(file))
#define REAL(file) (LOG(file)->real)

static int log_close(sqlite3_file *file) {
    log_file *log = LOG(file);
    // What still waits belongs to a transaction that was not committed.
    if (log->direct >= 0) close(log->direct);
    if (log->window != NULL) munmap(log->window, WINDOW_BYTES + SECTOR_MAX);
    int result = log->real->pMethods->xClose(log->real);
    sqlite3_free(log->real);
    return result;
}

static int log_read(sqlite3_file *file, void *into, int bytes, sqlite3_int64 offset) {
    log_file *log = LOG(file);
    int64_t end = offset + bytes;
    int64_t from = offset > log->start ? offset : log->start;
    int64_t to = end < log->start + log->count ? end : log->start + log->count;
    int result = SQLITE_OK;
    if (from > offset || to < end)
        result = log->real->pMethods->xRead(log->real, into, bytes, offset);
    if (from < to && (result == SQLITE_OK || result == SQLITE_IOERR_SHORT_READ)) {
        memcpy((uint8_t *)into + (from - offset), log->window + (from - log->start), (size_t)(to - from));
        if (to == end) result = SQLITE_OK;
    }
    return result;
}

static int log_write(sqlite3_file *file, const void *from, int bytes, sqlite3_int64 offset) {
    log_file *log = LOG(file);
    const uint8_t *next = from;
    if (log->direct < 0) return log->real->pMethods->xWrite(log->real, from, bytes, offset);
    if (offset == 0) {
        // A header: the log begins anew.
        drop(log);
        log->live = 0;
    }
    int64_t left = bytes, end = offset + bytes;
    while (left > 0) {
        int64_t room = room_at(log, offset);
        if (room <= 0) {
            int result = flush(log);
            if (result != SQLITE_OK) return result;
            if (log->direct < 0)
                return log->real->pMethods->xWrite(log->real, next, (int)left, offset);
            room = room_at(log, offset);
            if (room <= 0) result = move(log, offset);
            if (result != SQLITE_OK) return result;
            room = room_at(log, offset);
        }
        int64_t at = offset - log->start, part = left < room ? left : room;
        memcpy(log->window + at, next, (size_t)part);
        if (log->from >= log->to) log->from = at, log->to = at + part;
        if (at < log->from) log->from = at;
        if (at + part > log->to) log->to = at + part;
        if (log->to > log->count) log->count = log->to;
        next += part;
        offset += part;
        left -= part;
    }
    if (end > log->live) log->live = end;
    return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 bytes) {
    log_file *log = LOG(file);
    const sqlite3_io_methods *real = log->real->pMethods;
    if (log->direct >= 0) {
        drop(log);
        log->live = bytes;
        uint8_t magic[4] = {0};
        int result = real->xRead(log->real, magic, sizeof magic, 0);
        // Nothing in it already.
        if (bytes == 0 && (result == SQLITE_OK || result == SQLITE_IOERR_SHORT_READ)
            && memcmp(magic, "\0\0\0\0", 4) == 0)
            return SQLITE_OK;
        // The space stays; without a header nothing that is in it counts.
        if (bytes == 0 && result == SQLITE_OK && grow(log, SECTOR_MAX) == SQLITE_OK
            && takes_direct_writes(log) >= 0 && log->is_probed) {
            int error = write_directly(log, log->window + WINDOW_BYTES, log->sector, 0);
            if (error == 0) return SQLITE_OK;
            if (error != EINVAL && error != EOPNOTSUPP)
                return sqlite_error(error, SQLITE_IOERR_TRUNCATE);
        }
    }
    log->size = -1;
    return real->xTruncate(log->real, bytes);
}

static int log_sync(sqlite3_file *file, int flags) {
    log_file *log = LOG(file);
    int result = log->direct < 0 ? SQLITE_OK : flush(log);
    if (result != SQLITE_OK || log->direct >= 0) return result;
    return log->real->pMethods->xSync(log->real, flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *bytes) {
    log_file *log = LOG(file);
    int result = log->real->pMethods->xFileSize(log->real, bytes);
    if (result == SQLITE_OK && log->start + log->to > *bytes) *bytes = log->start + log->to;
    return result;
}

static int log_lock(sqlite3_file *file, int kind) {
    return REAL(file)->pMethods->xLock(REAL(file), kind);
}
static int log_unlock(sqlite3_file *file, int kind) {
    return REAL(file)->pMethods->xUnlock(REAL(file), kind);
}
static int log_check_lock(sqlite3_file *file, int *result) {
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), result);
}
static int log_control(sqlite3_file *file, int operation, void *argument) {
    return REAL(file)->pMethods->xFileControl(REAL(file), operation, argument);
}
static int log_sector(sqlite3_file *file) { return REAL(file)->pMethods->xSectorSize(REAL(file)); }
static int log_traits(sqlite3_file *file) {
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector,
    .xDeviceCharacteristics = log_traits,
};

// All files

static int open_file(
    sqlite3_vfs *self, sqlite3_filename name, sqlite3_file *file, int flags, int *result_flags) {
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    file->pMethods = NULL;
    if (below == NULL || below->szOsFile > self->szOsFile) return SQLITE_CANTOPEN;
    if (!(flags & SQLITE_OPEN_WAL)) return below->xOpen(below, name, file, flags, result_flags);
    log_file *log = (log_file *)file;
    memset(log, 0, sizeof *log);
    log->direct = -1;
    log->sector = SECTOR_MIN;
    log->size = -1;
    log->live = INT64_MAX - GROWTH_BYTES;
    log->real = sqlite3_malloc(below->szOsFile);
    if (log->real == NULL) return SQLITE_NOMEM;
    memset(log->real, 0, (size_t)below->szOsFile);
    int opened = 0;
    int result = below->xOpen(below, name, log->real, flags, &opened);
    if (result_flags != NULL) *result_flags = opened;
    if (result != SQLITE_OK) {
        if (log->real->pMethods != NULL) log->real->pMethods->xClose(log->real);
        sqlite3_free(log->real);
        return result;
    }
    log->base.pMethods = &methods;
    if (opened & SQLITE_OPEN_READONLY) return SQLITE_OK;
    log->direct = open(name, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC | O_NOFOLLOW);
    if (log->direct < 0) return SQLITE_OK;
    log->window = mmap(
        NULL, WINDOW_BYTES + SECTOR_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (log->window == MAP_FAILED) {
        close(log->direct);
        log->direct = -1;
        log->window = NULL;
    }
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *self, const char *name, int syncs) {
    (void)self;
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    return below == NULL ? SQLITE_IOERR_DELETE : below->xDelete(below, name, syncs);
}

static sqlite3_vfs layer;

static void lay(void) {
    if (sqlite3_initialize() != SQLITE_OK) return;
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    if (system == NULL) return;
    layer = *system;
    layer.pNext = NULL;
    layer.zName = "shelfcast-log";
    if (layer.szOsFile < (int)sizeof(log_file)) layer.szOsFile = (int)sizeof(log_file);
    layer.xOpen = open_file;
    layer.xDelete = delete_file;
    if (sqlite3_vfs_register(&layer, 0) != SQLITE_OK) layer.zName = NULL;
}

const char *shelfcast_log_layer(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, lay);
    return layer.zName;
}

int32_t shelfcast_log_is_empty(const char *path) {
    uint8_t magic[4] = {0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 1;
    ssize_t count = read(descriptor, magic, sizeof magic);
    close(descriptor);
    return count < (ssize_t)sizeof magic || memcmp(magic, "\0\0\0\0", 4) == 0;
}
