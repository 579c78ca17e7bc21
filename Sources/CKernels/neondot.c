#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include <arm_neon.h>
#define SET(name) shelfcast_neon_dot_##name
#define ROW_BLOCKS 8
#define shelfcast_neon_dot_functions shelfcast_neon_dot

typedef struct {
    int32x4_t first, last;
} partial;

static inline __attribute__((always_inline)) partial partial_zero(void) {
    return (partial){vdupq_n_s32(0), vdupq_n_s32(0)};
}

static inline __attribute__((always_inline)) partial dot(
    partial sums, int8x16_t first, int8x16_t last, int8x16_t bytes) {
    return (partial){vdotq_s32(sums.first, first, bytes), vdotq_s32(sums.last, last, bytes)};
}

// The 32 bits hold the products of all there are.
#define NIBBLE_QUADS 32
#define nibble_partial partial
#define nibble_partial_zero partial_zero
#define nibble_dot dot

static inline __attribute__((always_inline)) partial nibble_partial_add(partial sums, partial part) {
    return (partial){vaddq_s32(sums.first, part.first), vaddq_s32(sums.last, part.last)};
}

#define partial_rows(sums) ((rows){(sums).first, (sums).last})

#include "arm.h"
#include "recurrence.h"
#pragma clang attribute pop
#endif
