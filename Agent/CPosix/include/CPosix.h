// The operating system as the agent uses it: plain functions over integers and byte buffers, so that
// the same Swift source compiles as Embedded Swift, which has no Glibc module. Unless a comment says
// otherwise a negative result is -errno.
#ifndef CPOSIX_H
#define CPOSIX_H
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// The process

/// The arguments the process was started with, program name first; NULL beyond the last.
int32_t shelfcast_argument_count(void);
const char *_Nullable shelfcast_argument(int32_t index);
const char *_Nullable shelfcast_environment(const char *name);
_Noreturn void shelfcast_exit(int32_t code);
/// The errno of the last call of the system that failed in this thread.
int32_t shelfcast_last_error(void);
/// Text of an errno (positive).
const char *shelfcast_error_text(int32_t error);
/// roundf, ceil and sqrt of C11, 7.12, bit for bit: what the Embedded agent has instead of the mathematical library.
float shelfcast_roundf(float x);
double shelfcast_ceil(double x);
double shelfcast_sqrt(double x);

/// Gives the system back what the heap holds and nobody uses.
void shelfcast_release_memory(void);
/// Gives the system back the pages of code and constants of the program and its libraries. They are mapped from files and
/// were never written, so that they come back by themselves, with the same content, when they are next used: from the
/// page cache, or from the disk where the cache has let go of them. Returns the bytes of those mappings, which is at least
/// what was given back.
int64_t shelfcast_release_code(void);

/// Ignores SIGPIPE and makes SIGTERM, SIGINT and SIGHUP readable. Returns the descriptor to poll.
int32_t shelfcast_catch_signals(void);
/// 1 when a caught signal is waiting (and takes it), else 0.
int32_t shelfcast_take_signal(int32_t descriptor);
int32_t shelfcast_process_id(void);
/// Before anything else: files this process makes are for its user alone, whatever makes them, and a limit
/// on a file's size is an error to report, not an end without a word.
void shelfcast_prepare_process(void);
/// Run by root, the process becomes the owner of `path`, for good: what it makes there belongs to who uses it. Nothing
/// changes where there is no such path, it is root's own, or the process is not root's.
int32_t shelfcast_act_as_owner(const char *path);
/// Sends `text` to the socket $NOTIFY_SOCKET names (sd_notify(3); `@` before an abstract one), without waiting: 1 when it
/// went, 0 where none is named.
int32_t shelfcast_notify(const char *text);

// Errors that callers tell apart, as negative results.
int32_t shelfcast_error_again(void);
int32_t shelfcast_error_in_progress(void);
int32_t shelfcast_error_not_found(void);
int32_t shelfcast_error_read_only(void);
/// Whether an errno says that a file cannot grow: a full disk, a quota, a limit on its size.
int32_t shelfcast_means_no_space(int32_t error);

// Files

/// Bytes read into `into`, 0 at the end.
int64_t shelfcast_read(int32_t descriptor, uint8_t *into, size_t count);
int64_t shelfcast_write(int32_t descriptor, const uint8_t *bytes, size_t count);
int32_t shelfcast_close(int32_t descriptor);
/// Opens for reading.
int32_t shelfcast_open(const char *path);
/// Length of the file, or a negative result.
int64_t shelfcast_file_bytes(const char *path);
/// Replaces `path` by `count` bytes so that a power cut leaves the old or the new file, whole: written
/// beside it with `mode`, synced, renamed, and the folder synced.
int32_t shelfcast_replace_file(
    const char *path, const uint8_t *_Nullable bytes, size_t count, uint32_t mode);
/// For tests, and not in the shipped agent: in this thread the `step`-th of the steps of `shelfcast_replace_file` and
/// `shelfcast_rename` from now on, and all behind it, fail with this errno; 0: none.
void shelfcast_fail_files(int64_t step, int32_t error);
/// How many did since.
int64_t shelfcast_file_failures(void);
/// Makes `mark` the first byte of a file, which is made with mode 0600. It outlives this process, and a power cut perhaps not.
int32_t shelfcast_mark(const char *path, uint8_t mark);
/// 0 when this process may write in the folder.
int32_t shelfcast_writable(const char *path);
int32_t shelfcast_make_directory(const char *path, uint32_t mode);
int32_t shelfcast_rename(const char *from, const char *to);
int32_t shelfcast_remove(const char *path);
/// Takes the lock file, creating it: the open descriptor, or -EAGAIN when another process has it.
int32_t shelfcast_lock(const char *path);
int64_t shelfcast_free_bytes(const char *path);

// Time

int64_t shelfcast_clock_milliseconds(void);
/// Never goes back, and counts on while the machine sleeps.
int64_t shelfcast_steady_milliseconds(void);
int64_t shelfcast_steady_microseconds(void);
/// The local calendar at `seconds` since 1970 UTC in zone `zone` (IANA name; "" is UTC): days since
/// 1970-01-01, and minutes since midnight. Negative result: the zone is not known here.
int32_t shelfcast_local_time(
    const char *zone, int64_t seconds, int32_t *days, int32_t *minutes);

// Sockets; all non-blocking and close-on-exec

enum { SHELFCAST_STREAM = 0, SHELFCAST_DATAGRAM = 1, SHELFCAST_DATAGRAM_FROM_ANYBODY = 2 };
/// Starts a connection to an address of 4 or 16 bytes: the descriptor. `zone` is the name or the number of the interface
/// that an IPv6 address lies behind, else empty. A stream is connected when it becomes writable and
/// `shelfcast_connect_result` says 0; datagrams are heard from that address alone, or from anybody.
int32_t shelfcast_connect_internet(
    const uint8_t *address, size_t count, const char *zone, uint16_t port, int32_t kind);
/// 0 when it went.
int32_t shelfcast_send_datagram(
    int32_t descriptor, const uint8_t *address, size_t count, const char *zone, uint16_t port,
    const uint8_t *bytes, size_t byte_count);
int32_t shelfcast_connect_result(int32_t descriptor);
/// Connects to a Unix socket, waiting (it is local); the descriptor blocks.
int32_t shelfcast_connect_unix(const char *path);
/// Listens on a Unix socket with mode 0660, replacing a stale one. Its folder says who may reach it.
int32_t shelfcast_listen_unix(const char *path);
int32_t shelfcast_accept(int32_t descriptor);

enum { SHELFCAST_POLL_READ = 1, SHELFCAST_POLL_WRITE = 2 };
typedef struct {
    int32_t descriptor;
    /// SHELFCAST_POLL_ bits asked for.
    uint8_t wanted;
    /// SHELFCAST_POLL_ bits that are ready; an error or a hang-up counts as both.
    uint8_t ready;
} shelfcast_poll_entry;
/// Waits until something is ready or `milliseconds` have passed (-1: for ever). How many are ready.
int32_t shelfcast_poll(shelfcast_poll_entry *_Nullable entries, size_t count, int32_t milliseconds);

// The machine

int32_t shelfcast_cores(void);
int64_t shelfcast_memory_total(void);
/// "x86_64", "aarch64", …
const char *shelfcast_architecture(void);
/// 1 when `path` names a readable directory; fills `names` with up to `max` bytes of NUL-separated entries.
int64_t shelfcast_list_directory(const char *path, uint8_t *names, size_t max);

/// Floats as text: at most `count` bytes, `decimals` digits after the point. Returns the length.
int32_t shelfcast_float_text(double value, int32_t decimals, char *into, size_t count);

#pragma clang assume_nonnull end
#endif
