#if defined(__aarch64__)
#include <arm_neon.h>
#define SET(name) shelfcast_neon_##name
#define ROW_BLOCKS 4
#define shelfcast_neon_functions shelfcast_neon

// Two sums for each of the eight rows, to be added at the end.
typedef struct {
    int32x4_t rows[4];
} partial;

static inline __attribute__((always_inline)) partial partial_zero(void) {
    int32x4_t zero = vdupq_n_s32(0);
    return (partial){{zero, zero, zero, zero}};
}

// A sum of two products is at most 32258, which 16 bits hold.
static inline __attribute__((always_inline)) partial dot(
    partial sums, int8x16_t first, int8x16_t last, int8x16_t bytes) {
    sums.rows[0] = vpadalq_s16(sums.rows[0], vmull_s8(vget_low_s8(first), vget_low_s8(bytes)));
    sums.rows[1] = vpadalq_s16(sums.rows[1], vmull_high_s8(first, bytes));
    sums.rows[2] = vpadalq_s16(sums.rows[2], vmull_s8(vget_low_s8(last), vget_low_s8(bytes)));
    sums.rows[3] = vpadalq_s16(sums.rows[3], vmull_high_s8(last, bytes));
    return sums;
}

#define partial_rows(sums)                                                                             \
    ((rows8){vpaddq_s32((sums).rows[0], (sums).rows[1]), vpaddq_s32((sums).rows[2], (sums).rows[3])})

#include "arm.h"
#include "recurrence.h"
#endif
