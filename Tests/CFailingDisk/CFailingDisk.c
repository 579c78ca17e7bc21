#include "CFailingDisk.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CLogFile.h>
#include <sqlite3.h>

// What a file was at its last sync, and what was done to it since.
typedef struct change {
    struct change *next;
    int64_t offset;
    int64_t bytes;  // negative: the file was cut off at `offset`
    uint8_t content[];
} change;

typedef struct image {
    struct image *next;
    char *path;
    uint8_t *content;
    int64_t bytes;
    change *first, *last;
} image;

struct shelfcast_disk {
    struct shelfcast_disk *next;
    char *folder;
    int64_t holders;  // who made it, and each open file; under `lock`
    int64_t left;  // writes up to the one that fails, with it; 0: none does
    int32_t error;
    int32_t lasts;
    int64_t writes, failures;
    uint8_t mark;  // of the first failure
    image *images;
};

typedef struct {
    sqlite3_file base;
    shelfcast_disk *disk;
    image *image;
    sqlite3_file *real;
} failing_file;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shelfcast_disk *disks;
static sqlite3_vfs *below;
static sqlite3_vfs above;

// 0: the folder has no such file, or it is empty.
static uint8_t at_work(const shelfcast_disk *disk) {
    char path[1024];
    if (snprintf(path, sizeof path, "%s/at-work", disk->folder) >= (int)sizeof path) return 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL) return 0;
    int found = fgetc(file);
    fclose(file);
    return found == EOF ? 0 : (uint8_t)found;
}

// 0, or the error of a write that is to fail.
static int count(shelfcast_disk *disk) {
    disk->writes++;
    if (disk->left == 0 || --disk->left > 0) return 0;
    disk->left = disk->lasts ? 1 : 0;
    if (disk->mark == 0) disk->mark = at_work(disk);
    disk->failures++;
    errno = disk->error;
    return disk->error;
}

static void forget(image *of) {
    for (change *at = of->first; at != NULL;) {
        change *next = at->next;
        free(at);
        at = next;
    }
    of->first = of->last = NULL;
}

static void keep(image *of) {
    FILE *file = fopen(of->path, "rb");
    forget(of);
    of->bytes = 0;
    if (file == NULL) return;
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    of->content = realloc(of->content, (size_t)bytes + 1);
    if (of->content != NULL) of->bytes = (int64_t)fread(of->content, 1, (size_t)bytes, file);
    fclose(file);
}

static void note(image *of, int64_t offset, const void *content, int64_t bytes) {
    change *made = malloc(sizeof *made + (size_t)(bytes > 0 ? bytes : 0));
    if (made == NULL) abort();
    *made = (change){.offset = offset, .bytes = bytes};
    if (bytes > 0) memcpy(made->content, content, (size_t)bytes);
    if (of->last != NULL) of->last->next = made;
    else of->first = made;
    of->last = made;
}

static image *image_of(shelfcast_disk *disk, const char *path) {
    image *at = disk->images;
    while (at != NULL && strcmp(at->path, path) != 0) at = at->next;
    if (at != NULL) return at;
    at = calloc(1, sizeof *at);
    if (at == NULL) abort();
    at->path = strdup(path);
    keep(at);
    at->next = disk->images;
    disk->images = at;
    return at;
}

static shelfcast_disk *disk_of(const char *path) {
    if (path == NULL) return NULL;
    pthread_mutex_lock(&lock);
    shelfcast_disk *at = disks;
    for (; at != NULL; at = at->next) {
        size_t bytes = strlen(at->folder);
        if (strncmp(path, at->folder, bytes) == 0 && path[bytes] == '/') break;
    }
    pthread_mutex_unlock(&lock);
    return at;
}

// A database may be closed after its test has let go of the disk, and writes then.
static void let_go(shelfcast_disk *disk) {
    pthread_mutex_lock(&lock);
    int64_t left = --disk->holders;
    pthread_mutex_unlock(&lock);
    if (left > 0) return;
    for (image *at = disk->images; at != NULL;) {
        image *next = at->next;
        forget(at);
        free(at->content);
        free(at->path);
        free(at);
        at = next;
    }
    free(disk->folder);
    free(disk);
}

// One file

#define REAL(file) (((failing_file *)(file))->real)

static int file_close(sqlite3_file *file) {
    int result = REAL(file)->pMethods->xClose(REAL(file));
    free(REAL(file));
    let_go(((failing_file *)file)->disk);
    return result;
}
static int file_read(sqlite3_file *file, void *into, int bytes, sqlite3_int64 offset) {
    return REAL(file)->pMethods->xRead(REAL(file), into, bytes, offset);
}
static int file_write(sqlite3_file *file, const void *from, int bytes, sqlite3_int64 offset) {
    failing_file *failing = (failing_file *)file;
    // As SQLite itself says it: it does not look at the error's number for this one.
    int error = count(failing->disk);
    if (error != 0) return error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    int result = REAL(file)->pMethods->xWrite(REAL(file), from, bytes, offset);
    if (result == SQLITE_OK) note(failing->image, offset, from, bytes);
    return result;
}
static int file_truncate(sqlite3_file *file, sqlite3_int64 bytes) {
    failing_file *failing = (failing_file *)file;
    if (count(failing->disk) != 0) return SQLITE_IOERR_TRUNCATE;
    int result = REAL(file)->pMethods->xTruncate(REAL(file), bytes);
    if (result == SQLITE_OK) note(failing->image, bytes, NULL, -1);
    return result;
}
static int file_sync(sqlite3_file *file, int flags) {
    failing_file *failing = (failing_file *)file;
    if (count(failing->disk) != 0) return SQLITE_IOERR_FSYNC;
    // The files of a test are gone before power can fail.
    (void)flags;
    keep(failing->image);
    return SQLITE_OK;
}
static int file_size(sqlite3_file *file, sqlite3_int64 *bytes) {
    return REAL(file)->pMethods->xFileSize(REAL(file), bytes);
}
static int file_lock(sqlite3_file *file, int kind) {
    return REAL(file)->pMethods->xLock(REAL(file), kind);
}
static int file_unlock(sqlite3_file *file, int kind) {
    return REAL(file)->pMethods->xUnlock(REAL(file), kind);
}
static int file_check_lock(sqlite3_file *file, int *result) {
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), result);
}
// A write that is on the disk when it returns; one that fails may be there in part.
static int file_write_directly(failing_file *failing, shelfcast_direct_write *asked) {
    asked->error = count(failing->disk);
    if (asked->error != 0) {
        note(failing->image, asked->offset, asked->from, asked->bytes);
        return SQLITE_OK;
    }
    ssize_t written = pwrite(asked->descriptor, asked->from, (size_t)asked->bytes, asked->offset);
    asked->error = written == asked->bytes ? 0 : written < 0 ? errno : EIO;
    keep(failing->image);
    return SQLITE_OK;
}
static int file_control(sqlite3_file *file, int operation, void *argument) {
    if (operation == SHELFCAST_LOG_DIRECT_WRITE)
        return file_write_directly((failing_file *)file, argument);
    return REAL(file)->pMethods->xFileControl(REAL(file), operation, argument);
}
static int file_sector(sqlite3_file *file) {
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}
static int file_traits(sqlite3_file *file) {
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

// Version 1: without memory shared between processes, which a database of one user does not use.
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
};

// All files

static int open_file(
    sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *result_flags) {
    (void)vfs;
    shelfcast_disk *disk = disk_of(name);
    if (disk == NULL) return below->xOpen(below, name, file, flags, result_flags);
    int is_there = 0;
    failing_file *failing = (failing_file *)file;
    failing->base.pMethods = NULL;
    int result = below->xAccess(below, name, SQLITE_ACCESS_EXISTS, &is_there);
    if (result != SQLITE_OK) return result;
    if (!is_there && (flags & SQLITE_OPEN_CREATE) && count(disk) != 0) return SQLITE_CANTOPEN;
    failing->disk = disk;
    failing->image = image_of(disk, name);
    failing->real = calloc(1, (size_t)below->szOsFile);
    if (failing->real == NULL) return SQLITE_NOMEM;
    result = below->xOpen(below, name, failing->real, flags, result_flags);
    if (failing->real->pMethods == NULL) {
        free(failing->real);
        return result;
    }
    failing->base.pMethods = &methods;
    pthread_mutex_lock(&lock);
    disk->holders++;
    pthread_mutex_unlock(&lock);
    return result;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int syncs) {
    (void)vfs;
    shelfcast_disk *disk = disk_of(name);
    if (disk != NULL && count(disk) != 0) return SQLITE_IOERR_DELETE;
    int result = below->xDelete(below, name, syncs);
    if (disk != NULL && result == SQLITE_OK) keep(image_of(disk, name));
    return result;
}

static void die(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    shelfcast_disk *disk = disk_of((const char *)sqlite3_value_text(values[0]));
    if (disk != NULL) {
        if (disk->mark == 0) disk->mark = at_work(disk);
        disk->left = disk->lasts = 1;
        disk->error = EIO;
        disk->failures++;
    }
    sqlite3_result_error(context, "the process has ended", -1);
}

static int let_die(sqlite3 *database, char **text, const struct sqlite3_api_routines *routines) {
    (void)text, (void)routines;
    return sqlite3_create_function(
        database, "shelfcast_die", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL, die, NULL, NULL);
}

static void stand_between(void) {
    if (sqlite3_initialize() != SQLITE_OK) return;
    below = sqlite3_vfs_find(NULL);
    if (below == NULL) return;
    above = *below;
    above.pNext = NULL;
    above.zName = "failing-disk";
    // No larger than what is below: what stands on it may have asked for its size before.
    if (above.szOsFile < (int)sizeof(failing_file)) above.szOsFile = (int)sizeof(failing_file);
    above.xOpen = open_file;
    above.xDelete = delete_file;
    sqlite3_vfs_register(&above, 1);
    sqlite3_auto_extension((void (*)(void))let_die);
}

shelfcast_disk *shelfcast_disk_make(const char *folder) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, stand_between);
    shelfcast_disk *disk = below != NULL ? calloc(1, sizeof *disk) : NULL;
    if (disk == NULL) return NULL;
    disk->folder = strdup(folder);
    disk->holders = 1;
    pthread_mutex_lock(&lock);
    disk->next = disks;
    disks = disk;
    pthread_mutex_unlock(&lock);
    return disk;
}

void shelfcast_disk_free(shelfcast_disk *disk) {
    pthread_mutex_lock(&lock);
    for (shelfcast_disk **at = &disks; *at != NULL; at = &(*at)->next) {
        if (*at != disk) continue;
        *at = disk->next;
        break;
    }
    pthread_mutex_unlock(&lock);
    let_go(disk);
}

void shelfcast_disk_fail(shelfcast_disk *disk, int64_t first, int32_t error, int32_t lasts) {
    disk->left = first;
    disk->error = error;
    disk->lasts = lasts;
    disk->mark = 0;
}

uint8_t shelfcast_disk_mark(const shelfcast_disk *disk) { return disk->mark; }

int64_t shelfcast_disk_writes(const shelfcast_disk *disk) { return disk->writes; }
int64_t shelfcast_disk_failures(const shelfcast_disk *disk) { return disk->failures; }

// SplitMix64.
static uint64_t next_random(uint64_t *state) {
    uint64_t mixed = *state += 0x9E3779B97F4A7C15;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
    return mixed ^ mixed >> 31;
}

static int32_t lose(image *of, uint64_t *seed) {
    int64_t bytes = of->bytes, most = of->bytes;
    for (change *at = of->first; at != NULL; at = at->next)
        if (at->bytes > 0 && at->offset + at->bytes > most) most = at->offset + at->bytes;
    uint8_t *content = calloc(1, (size_t)most + 1);
    if (content == NULL) return ENOMEM;
    if (of->bytes > 0) memcpy(content, of->content, (size_t)of->bytes);
    for (change *at = of->first; at != NULL && *seed != 0; at = at->next) {
        uint64_t random = next_random(seed);
        if (random & 1) continue;
        if (at->bytes < 0) {
            if (at->offset < bytes) {
                memset(content + at->offset, 0, (size_t)(bytes - at->offset));
                bytes = at->offset;
            }
            continue;
        }
        int64_t sectors = (at->bytes + 511) / 512;
        int64_t kept = random & 2 ? at->bytes : (int64_t)((random >> 8) % (uint64_t)sectors) * 512;
        memcpy(content + at->offset, at->content, (size_t)kept);
        if (kept > 0 && at->offset + kept > bytes) bytes = at->offset + kept;
    }
    forget(of);
    FILE *file = fopen(of->path, "r+b");
    // Removed meanwhile: that was noted as lasting.
    if (file == NULL) {
        free(content);
        return errno == ENOENT ? 0 : errno;
    }
    fclose(file);
    file = fopen(of->path, "wb");
    int32_t result = file == NULL ? errno : 0;
    if (file != NULL) {
        if (fwrite(content, 1, (size_t)bytes, file) != (size_t)bytes) result = EIO;
        if (fclose(file) != 0) result = errno;
    }
    free(content);
    keep(of);
    return result;
}

int32_t shelfcast_disk_lose(shelfcast_disk *disk, uint64_t seed) {
    for (image *at = disk->images; at != NULL; at = at->next) {
        int32_t result = lose(at, &seed);
        if (result != 0) return result;
    }
    return 0;
}
