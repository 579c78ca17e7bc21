#ifndef CFAILINGDISK_H
#define CFAILINGDISK_H

#include <stdint.h>

// A disk that fails when it is told to, for SQLite's files of one folder: what stands between SQLite and the
// files counts each write, sync, truncation, removal and new file, and lets the one that a test names fail. Files of other
// folders are left alone. Threads may share it; one folder belongs to one thread at a time.
typedef struct shelfcast_disk shelfcast_disk;

// folder: without a slash at its end. NULL: no memory, or SQLite has no files here.
shelfcast_disk *shelfcast_disk_make(const char *folder);
// Databases on it may be closed later: the last of them takes it away.
void shelfcast_disk_free(shelfcast_disk *disk);

// Lets the `first`-th write from now on (1: the next) fail with `error` (ENOSPC, EROFS, EIO), and all behind it when
// `lasts`. 0: none does, from now on.
void shelfcast_disk_fail(shelfcast_disk *disk, int64_t first, int32_t error, int32_t lasts);
// What the file "at-work" of the folder began with at the first failure since that; 0: nothing, or none failed. In SQL,
// shelfcast_die(a path of the folder) is that first failure too: an error, and every write behind it fails with EIO.
uint8_t shelfcast_disk_mark(const shelfcast_disk *disk);
// What was asked of it since it was made, failures included.
int64_t shelfcast_disk_writes(const shelfcast_disk *disk);
int64_t shelfcast_disk_failures(const shelfcast_disk *disk);

// What a power cut leaves: of the writes since a file's last sync each, or its first sectors of 512 bytes, is on the disk
// or is not, as the seed falls; 0: none of them is. After the databases were closed. Returns 0, or an error number.
int32_t shelfcast_disk_lose(shelfcast_disk *disk, uint64_t seed);

#endif
