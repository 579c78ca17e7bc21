#define _GNU_SOURCE
#include "CPosix.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

// The process

static int argument_count;
static char **arguments;

// Embedded Swift has no CommandLine. The C library hands main's arguments to constructors as well.
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
    argument_count = count;
    arguments = values;
}

int32_t shelfcast_argument_count(void) { return argument_count; }
const char *shelfcast_argument(int32_t index) {
    return index >= 0 && index < argument_count ? arguments[index] : NULL;
}
const char *shelfcast_environment(const char *name) { return getenv(name); }
void shelfcast_exit(int32_t code) { exit(code); }
int32_t shelfcast_last_error(void) { return errno; }
const char *shelfcast_error_text(int32_t error) { return strerror(error); }
int32_t shelfcast_process_id(void) { return getpid(); }
void shelfcast_prepare_process(void) {
    umask(077);
    signal(SIGXFSZ, SIG_IGN);
}

int32_t shelfcast_act_as_owner(const char *path) {
    struct stat status;
    if (geteuid() != 0 || stat(path, &status) != 0 || status.st_uid == 0) return 0;
    if (setgroups(0, NULL) != 0 || setresgid(status.st_gid, status.st_gid, status.st_gid) != 0
        || setresuid(status.st_uid, status.st_uid, status.st_uid) != 0)
        return -errno;
    return 0;
}

int32_t shelfcast_notify(const char *text) {
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (name == NULL || (name[0] != '/' && name[0] != '@')) return 0;
    size_t length = strlen(name);
    if (length < 2 || length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, name, length);
    if (name[0] == '@') address.sun_path[0] = 0;  // an abstract one: no file, and no end but its length
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t sent = sendto(
        descriptor, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, bytes);
    int result = sent < 0 ? -errno : 1;
    close(descriptor);
    return result;
}

static int signal_pipe[2] = {-1, -1};
static void on_signal(int number) {
    int saved = errno;
    char byte = (char)number;
    ssize_t ignored = write(signal_pipe[1], &byte, 1);  // a full pipe already says what this would
    (void)ignored;
    errno = saved;
}

int32_t shelfcast_catch_signals(void) {
    if (pipe2(signal_pipe, O_NONBLOCK | O_CLOEXEC) != 0) return -errno;
    signal(SIGPIPE, SIG_IGN);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    return signal_pipe[0];
}

int32_t shelfcast_take_signal(int32_t descriptor) {
    char byte;
    return read(descriptor, &byte, 1) == 1 ? 1 : 0;
}

int32_t shelfcast_error_again(void) { return -EAGAIN; }
int32_t shelfcast_error_in_progress(void) { return -EINPROGRESS; }
int32_t shelfcast_error_not_found(void) { return -ENOENT; }
int32_t shelfcast_error_read_only(void) { return -EROFS; }
int32_t shelfcast_means_no_space(int32_t error) {
    return error == ENOSPC || error == EFBIG || error == EDQUOT;
}

// Files

int64_t shelfcast_read(int32_t descriptor, uint8_t *into, size_t count) {
    for (;;) {
        ssize_t result = read(descriptor, into, count);
        if (result >= 0) return result;
        if (errno != EINTR) return -errno;
    }
}

int64_t shelfcast_write(int32_t descriptor, const uint8_t *bytes, size_t count) {
    for (;;) {
        // A peer that hung up is an error to look at, not a signal to die of.
        ssize_t result = send(descriptor, bytes, count, MSG_NOSIGNAL);
        if (result < 0 && errno == ENOTSOCK) result = write(descriptor, bytes, count);
        if (result >= 0) return result;
        if (errno != EINTR) return -errno;
    }
}

int32_t shelfcast_close(int32_t descriptor) { return close(descriptor) == 0 ? 0 : -errno; }

int32_t shelfcast_open(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    return descriptor >= 0 ? descriptor : -errno;
}

int32_t shelfcast_mark(const char *path, uint8_t mark) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return -errno;
    int32_t result = pwrite(descriptor, &mark, 1, 0) == 1 ? 0 : -errno;
    close(descriptor);
    return result;
}

int32_t shelfcast_writable(const char *path) {
    return access(path, W_OK | X_OK) == 0 ? 0 : -errno;
}

int64_t shelfcast_file_bytes(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_size : -errno;
}

#ifndef SHELFCAST_EMBEDDED
// Where a test has the disk fail: only in the ordinary build, and in the thread that asked for it.
static _Thread_local int64_t steps_until_failure;
static _Thread_local int failure;
static _Thread_local int64_t failures;

void shelfcast_fail_files(int64_t step, int32_t error) {
    steps_until_failure = step;
    failure = error;
    failures = 0;
}

int64_t shelfcast_file_failures(void) { return failures; }

static int step_fails(void) {
    if (failure == 0 || --steps_until_failure > 0) return 0;
    failures += 1;
    errno = failure;
    return 1;
}
#else
#define step_fails() 0
#endif

static int sync_folder_of(const char *path) {
    if (step_fails()) return -errno;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) snprintf(folder, sizeof folder, ".");
    else if (slash == folder) slash[1] = 0;
    else *slash = 0;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    int result = fsync(descriptor) == 0 ? 0 : -errno;
    close(descriptor);
    return result;
}

int32_t shelfcast_replace_file(const char *path, const uint8_t *bytes, size_t count, uint32_t mode) {
    char beside[4096];
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside) return -ENAMETOOLONG;
    unlink(beside);
    int descriptor = step_fails() ? -1 : open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (descriptor < 0) return -errno;
    int result = 0;
    size_t written = 0;
    while (result == 0 && written < count) {
        int64_t step = step_fails() ? -errno : shelfcast_write(descriptor, bytes + written, count - written);
        if (step < 0) result = (int)step;
        else written += (size_t)step;
    }
    if (result == 0 && (step_fails() || fsync(descriptor) != 0)) result = -errno;
    if (close(descriptor) != 0 && result == 0) result = -errno;
    if (result == 0 && (step_fails() || rename(beside, path) != 0)) result = -errno;
    if (result == 0) return sync_folder_of(path);
    unlink(beside);
    return result;
}

int32_t shelfcast_make_directory(const char *path, uint32_t mode) {
    if (mkdir(path, (mode_t)mode) == 0) return 0;
    if (errno != EEXIST) return -errno;
    struct stat status;
    if (stat(path, &status) != 0) return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

int32_t shelfcast_rename(const char *from, const char *to) {
    if (rename(from, to) != 0) return -errno;
    return sync_folder_of(to);
}

int32_t shelfcast_remove(const char *path) { return unlink(path) == 0 ? 0 : -errno; }

int32_t shelfcast_lock(const char *path) {
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return -errno;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
    int error = errno == EWOULDBLOCK ? EAGAIN : errno;
    close(descriptor);
    return -error;
}

int64_t shelfcast_free_bytes(const char *path) {
    struct statvfs status;
    if (statvfs(path, &status) != 0) return -errno;
    return (int64_t)status.f_bavail * (int64_t)status.f_frsize;
}

// Time

int64_t shelfcast_clock_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t shelfcast_steady_milliseconds(void) { return shelfcast_steady_microseconds() / 1000; }

int64_t shelfcast_steady_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void shelfcast_release_memory(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

// Whether the loader has written into segments that are not writable: the file has then not what memory has.
static int has_text_relocations(const struct dl_phdr_info *object) {
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
                return 1;
    }
    return 0;
}

static int release_segments(struct dl_phdr_info *object, size_t size, void *sum) {
    (void)size;
    uintptr_t page = (uintptr_t)getpagesize(), vdso = getauxval(AT_SYSINFO_EHDR);
    if (has_text_relocations(object)) return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        // All of it from the file: no zeros behind, nothing that relocation has written (PT_GNU_RELRO lies in
        // segments with PF_W).
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) || segment->p_filesz != segment->p_memsz)
            continue;
        // Whole pages alone: the ends may share theirs with a neighbour.
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(page - 1);
        if (start >= end || (vdso != 0 && object->dlpi_addr + segment->p_vaddr == vdso)) continue;
        // What is locked in memory stays.
        if (madvise((void *)start, end - start, MADV_DONTNEED) == 0) *(int64_t *)sum += (int64_t)(end - start);
    }
    return 0;
}

int64_t shelfcast_release_code(void) {
    int64_t bytes = 0;
    dl_iterate_phdr(release_segments, &bytes);
    return bytes;
}

int32_t shelfcast_local_time(const char *zone, int64_t seconds, int32_t *days, int32_t *minutes) {
    // The zone lives in the process's environment; the lock keeps two callers from each other's.
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char current[128] = "\1";
    char path[256];
    if (strlen(zone) >= sizeof current || strstr(zone, "..") != NULL || zone[0] == '/')
        return -EINVAL;
    if (zone[0] != 0) {
        // An unknown name would silently mean UTC.
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone);
        if (strcmp(zone, "UTC") != 0 && access(path, R_OK) != 0) return -ENOENT;
    }
    pthread_mutex_lock(&lock);
    if (strcmp(current, zone) != 0) {
        snprintf(current, sizeof current, "%s", zone);
        setenv("TZ", zone[0] != 0 ? zone : "UTC", 1);
        tzset();
    }
    time_t at = (time_t)seconds;
    struct tm local;
    int result = localtime_r(&at, &local) != NULL ? 0 : -EOVERFLOW;
    pthread_mutex_unlock(&lock);
    if (result != 0) return result;
    int64_t local_seconds = seconds + local.tm_gmtoff;
    int64_t whole = local_seconds >= 0 ? local_seconds / 86400 : -((86399 - local_seconds) / 86400);
    *days = (int32_t)whole;
    *minutes = (int32_t)((local_seconds - whole * 86400) / 60);
    return 0;
}

// Sockets

// The address as the kernel takes it: its length, 0 for an interface that is not here.
static socklen_t internet_address(
    const uint8_t *address, size_t count, const char *zone, uint16_t port, struct sockaddr_storage *into) {
    memset(into, 0, sizeof *into);
    if (count == 4) {
        struct sockaddr_in *four = (struct sockaddr_in *)into;
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        memcpy(&four->sin_addr, address, 4);
        return sizeof *four;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)into;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    memcpy(&six->sin6_addr, address, 16);
    if (zone[0] == 0) return sizeof *six;
    six->sin6_scope_id = if_nametoindex(zone);
    if (six->sin6_scope_id == 0) six->sin6_scope_id = (uint32_t)strtoul(zone, NULL, 10);
    return six->sin6_scope_id != 0 ? sizeof *six : 0;
}

int32_t shelfcast_connect_internet(
    const uint8_t *address, size_t count, const char *zone, uint16_t port, int32_t kind) {
    struct sockaddr_storage to;
    socklen_t length = internet_address(address, count, zone, port, &to);
    if (length == 0) return -ENODEV;
    int is_stream = kind == SHELFCAST_STREAM;
    int descriptor = socket(
        to.ss_family, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    if (is_stream) {
        int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    if (kind == SHELFCAST_DATAGRAM_FROM_ANYBODY || connect(descriptor, (struct sockaddr *)&to, length) == 0
        || errno == EINPROGRESS)
        return descriptor;
    int result = -errno;
    close(descriptor);
    return result;
}

int32_t shelfcast_send_datagram(
    int32_t descriptor, const uint8_t *address, size_t count, const char *zone, uint16_t port,
    const uint8_t *bytes, size_t byte_count) {
    struct sockaddr_storage to;
    socklen_t length = internet_address(address, count, zone, port, &to);
    if (length == 0) return -ENODEV;
    ssize_t sent = sendto(descriptor, bytes, byte_count, MSG_NOSIGNAL, (struct sockaddr *)&to, length);
    return sent >= 0 ? 0 : -errno;
}

int32_t shelfcast_connect_result(int32_t descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
    return -error;
}

static int unix_address(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

int32_t shelfcast_connect_unix(const char *path) {
    struct sockaddr_un address;
    int result = unix_address(path, &address);
    if (result != 0) return result;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    result = -errno;
    close(descriptor);
    return result;
}

int32_t shelfcast_listen_unix(const char *path) {
    struct sockaddr_un address;
    int result = unix_address(path, &address);
    if (result != 0) return result;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    unlink(path);
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0
        && chmod(path, 0660) == 0 && listen(descriptor, 16) == 0)
        return descriptor;
    result = -errno;
    close(descriptor);
    return result;
}

int32_t shelfcast_accept(int32_t descriptor) {
    int accepted = accept4(descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted >= 0 ? accepted : -errno;
}

enum { POLL_ENTRIES_MAX = 32 };

int32_t shelfcast_poll(shelfcast_poll_entry *entries, size_t count, int32_t milliseconds) {
    struct pollfd polled[POLL_ENTRIES_MAX];
    if (count > POLL_ENTRIES_MAX) return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        polled[i].fd = entries[i].descriptor;
        polled[i].revents = 0;
        polled[i].events = (short)(((entries[i].wanted & SHELFCAST_POLL_READ) ? POLLIN : 0)
                                   | ((entries[i].wanted & SHELFCAST_POLL_WRITE) ? POLLOUT : 0));
        entries[i].ready = 0;
    }
    int result = poll(polled, count, milliseconds);
    if (result < 0) return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < count; i++) {
        short ready = polled[i].revents;
        if (ready & (POLLERR | POLLHUP | POLLNVAL))
            entries[i].ready = SHELFCAST_POLL_READ | SHELFCAST_POLL_WRITE;
        if (ready & POLLIN) entries[i].ready |= SHELFCAST_POLL_READ;
        if (ready & POLLOUT) entries[i].ready |= SHELFCAST_POLL_WRITE;
    }
    return result;
}

// The machine

int32_t shelfcast_cores(void) { return (int32_t)sysconf(_SC_NPROCESSORS_ONLN); }
int64_t shelfcast_memory_total(void) {
    return (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
}
const char *shelfcast_architecture(void) {
    static struct utsname name;
    return uname(&name) == 0 ? name.machine : "";
}

int64_t shelfcast_list_directory(const char *path, uint8_t *names, size_t max) {
    DIR *folder = opendir(path);
    if (folder == NULL) return -errno;
    size_t used = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || used + length + 1 > max) continue;
        memcpy(names + used, entry->d_name, length + 1);
        used += length + 1;
    }
    closedir(folder);
    return (int64_t)used;
}

int32_t shelfcast_float_text(double value, int32_t decimals, char *into, size_t count) {
    int length = snprintf(into, count, "%.*f", (int)decimals, value);
    return length < (int)count ? length : (int32_t)count - 1;
}
