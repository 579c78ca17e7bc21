#if defined(__aarch64__)
#include <arm_neon.h>
#define SET(name) shelfcast_neon_##name
#define ROW_BLOCKS 4
#define shelfcast_neon_functions shelfcast_neon

// Two sums for each of the eight rows, to be added at the end.
typedef struct {
    int32x4_t of[4];
} partial;

static inline __attribute__((always_inline)) partial partial_zero(void) {
    int32x4_t zero = vdupq_n_s32(0);
    return (partial){{zero, zero, zero, zero}};
}

// A sum of two products is at most 32258, which 16 bits hold.
static inline __attribute__((always_inline)) partial dot(
    partial sums, int8x16_t first, int8x16_t last, int8x16_t bytes) {
    sums.of[0] = vpadalq_s16(sums.of[0], vmull_s8(vget_low_s8(first), vget_low_s8(bytes)));
    sums.of[1] = vpadalq_s16(sums.of[1], vmull_high_s8(first, bytes));
    sums.of[2] = vpadalq_s16(sums.of[2], vmull_s8(vget_low_s8(last), vget_low_s8(bytes)));
    sums.of[3] = vpadalq_s16(sums.of[3], vmull_high_s8(last, bytes));
    return sums;
}

// With a nibble a product is at most 15 * 127: 16 bits hold a sum of sixteen, one from each of as many tiles.
#define NIBBLE_QUADS 16

typedef struct {
    int16x8_t of[4];
} nibble_partial;

static inline __attribute__((always_inline)) nibble_partial nibble_partial_zero(void) {
    int16x8_t zero = vdupq_n_s16(0);
    return (nibble_partial){{zero, zero, zero, zero}};
}

static inline __attribute__((always_inline)) nibble_partial nibble_dot(
    nibble_partial sums, int8x16_t first, int8x16_t last, int8x16_t bytes) {
    sums.of[0] = vmlal_s8(sums.of[0], vget_low_s8(first), vget_low_s8(bytes));
    sums.of[1] = vmlal_high_s8(sums.of[1], first, bytes);
    sums.of[2] = vmlal_s8(sums.of[2], vget_low_s8(last), vget_low_s8(bytes));
    sums.of[3] = vmlal_high_s8(sums.of[3], last, bytes);
    return sums;
}

static inline __attribute__((always_inline)) partial nibble_partial_add(
    partial sums, nibble_partial part) {
    for (int i = 0; i < 4; i++) sums.of[i] = vpadalq_s16(sums.of[i], part.of[i]);
    return sums;
}

#define partial_rows(sums)                                                                             \
    ((rows){vpaddq_s32((sums).of[0], (sums).of[1]), vpaddq_s32((sums).of[2], (sums).of[3])})

#include "arm.h"
#include "recurrence.h"
#endif
