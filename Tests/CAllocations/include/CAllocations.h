#ifndef SHELFCAST_CALLOCATIONS_H
#define SHELFCAST_CALLOCATIONS_H

/// What a thread took from the heap between `begin` and `end`. Bytes are those asked for, without what the
/// system's allocator adds; what was taken before `begin` and given back after it does not count.
struct shelfcast_allocations {
    long count;
    long bytesNow;
    long bytesPeak;
};

/// Starts at nothing, for the calling thread alone.
void shelfcast_allocations_begin(void);
/// What there was so far.
struct shelfcast_allocations shelfcast_allocations_so_far(void);
/// The same, and counts no longer.
struct shelfcast_allocations shelfcast_allocations_end(void);

/// Runs `body` on a thread of its own.
/// @return the bytes of stack it reached, beyond what a thread takes that does nothing; -1 without a thread.
long shelfcast_stack_bytes(void (*body)(void *), void *context);

#endif
