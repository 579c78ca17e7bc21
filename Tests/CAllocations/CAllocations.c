#define _GNU_SOURCE
#include "CAllocations.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

// glibc's own, under the names that nothing takes the place of.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

// More than a test holds at once: beyond it the figures would be wrong, so the process ends.
#define LIVE_MAX 65536

static __thread int counting;
static struct shelfcast_allocations so_far;
static struct {
    void *address;
    size_t bytes;
} live[LIVE_MAX];
static int live_count;

static void *took(void *address, size_t bytes) {
    if (!counting || address == NULL) return address;
    if (live_count == LIVE_MAX) __builtin_trap();
    live[live_count].address = address;
    live[live_count].bytes = bytes;
    live_count++;
    so_far.count++;
    so_far.bytesNow += (long)bytes;
    if (so_far.bytesNow > so_far.bytesPeak) so_far.bytesPeak = so_far.bytesNow;
    return address;
}

static void gave(void *address) {
    if (!counting || address == NULL) return;
    for (int i = live_count - 1; i >= 0; i--) {
        if (live[i].address != address) continue;
        so_far.bytesNow -= (long)live[i].bytes;
        live[i] = live[--live_count];
        return;
    }
}

void *malloc(size_t bytes) { return took(__libc_malloc(bytes), bytes); }
void *calloc(size_t count, size_t bytes) {
    return took(__libc_calloc(count, bytes), count * bytes);
}
void *memalign(size_t alignment, size_t bytes) {
    return took(__libc_memalign(alignment, bytes), bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void **address, size_t alignment, size_t bytes) {
    void *memory = memalign(alignment, bytes);
    if (memory == NULL) return ENOMEM;
    *address = memory;
    return 0;
}
void *realloc(void *address, size_t bytes) {
    void *memory = __libc_realloc(address, bytes);
    if (memory == NULL && bytes > 0) return NULL;
    gave(address);
    return took(memory, bytes);
}
void free(void *address) {
    gave(address);
    __libc_free(address);
}

void shelfcast_allocations_begin(void) {
    memset(&so_far, 0, sizeof so_far);
    live_count = 0;
    counting = 1;
}

struct shelfcast_allocations shelfcast_allocations_so_far(void) { return so_far; }

struct shelfcast_allocations shelfcast_allocations_end(void) {
    counting = 0;
    return so_far;
}

#define STACK_BYTES (1 << 20)
#define UNTOUCHED 0xA5

struct task {
    void (*body)(void *);
    void *context;
};

static void *run(void *task) {
    ((struct task *)task)->body(((struct task *)task)->context);
    return NULL;
}

static void nothing(void *context) { (void)context; }

static long reached(struct task task) {
    unsigned char *stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) return -1;
    memset(stack, UNTOUCHED, STACK_BYTES);
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, STACK_BYTES);
    long bytes = -1;
    if (pthread_create(&thread, &attributes, run, &task) == 0) {
        pthread_join(thread, NULL);
        long first = 0;
        while (first < STACK_BYTES && stack[first] == UNTOUCHED) first++;
        bytes = STACK_BYTES - first;
    }
    pthread_attr_destroy(&attributes);
    munmap(stack, STACK_BYTES);
    return bytes;
}

long shelfcast_stack_bytes(void (*body)(void *), void *context) {
    long with = reached((struct task){body, context});
    long without = reached((struct task){nothing, NULL});
    return with < 0 || without < 0 ? -1 : with - without;
}
