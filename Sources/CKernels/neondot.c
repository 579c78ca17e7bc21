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

#define partial_rows(sums) ((rows8){(sums).first, (sums).last})

#include "arm.h"
#include "recurrence.h"
#pragma clang attribute pop
#endif
