#ifndef CLOGFILE_H
#define CLOGFILE_H

#include <stdint.h>

// A layer between SQLite and the files of the system that takes over the write-ahead log alone: what SQLite writes to it
// is collected, and at a sync goes to the disk as one write of whole sectors past the page cache (O_DIRECT, O_DSYNC), into
// space that the file already has. So a commit changes nothing of the file but its bytes, and is done when the write
// returns. Where the file system takes no such write, everything goes the ordinary way, through the layer below.
// Docs/decisions/0018-log-writes.md

// The name to hand to sqlite3_open_v2; NULL: the layer cannot be had, and SQLite's own will do. What lies below is SQLite's
// default, as it is when a log is opened. Threads may share it as they share SQLite; a connection belongs to one at a time.
const char *shelfcast_log_layer(void);

// Whether the log beside a database holds nothing: it is not there, or SQLite would find no frame in it. Opens and closes
// the file at `path`. Returns 1, 0, or 1 as well when it cannot be read.
int32_t shelfcast_log_is_empty(const char *path);

// The file control with which a log asks the layer below to make a direct write; who does not know it says
// SQLITE_NOTFOUND, and it is made. For tests, whose disks fail.
#define SHELFCAST_LOG_DIRECT_WRITE 0x5343
typedef struct {
    int32_t descriptor;
    const void *from;
    int64_t bytes;
    int64_t offset;
    int32_t error;  // out: of errno, 0 for none
} shelfcast_direct_write;

#endif
