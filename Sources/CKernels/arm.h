// What the ARM sets have in common: 128-bit registers. A set defines SET, ROW_BLOCKS (blocks
// of eight rows whose sums stay in registers), `partial` and `dot` before it includes this.
#include <arm_neon.h>
#include <stddef.h>

#include "tanh_segments.h"

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define LANES 8
#define ROWS 8

typedef struct {
    int32x4_t first, last;
} rows;
typedef int16x8_t lanes;

// MARK: Eight rows

INLINE rows rows_zero(void) { return (rows){vdupq_n_s32(0), vdupq_n_s32(0)}; }
INLINE rows rows_add(rows a, rows b) {
    return (rows){vaddq_s32(a.first, b.first), vaddq_s32(a.last, b.last)};
}
INLINE rows rows_load(const int32_t *p, const int width) {
    (void)width;
    return (rows){vld1q_s32(p), vld1q_s32(p + 4)};
}

// `RowMultiplier.rescale`: a rounding shift to the left by -s is one to the right.
INLINE int32x4_t rescale(int32x4_t sums, uint16x4_t codes) {
    uint32x4_t code = vmovl_u16(codes);
    int32x4_t mantissa = vreinterpretq_s32_u32(vandq_u32(code, vdupq_n_u32(511)));
    int32x4_t shift = vmvnq_s32(vreinterpretq_s32_u32(vshrq_n_u32(code, 9))); // -(s - 1) - 1
    return vrshlq_s32(vmulq_s32(sums, mantissa), shift);
}

INLINE rows rows_rescale(rows sums, const uint16_t *codes, const int width) {
    (void)width;
    uint16x8_t both = vld1q_u16(codes);
    return (rows){rescale(sums.first, vget_low_u16(both)), rescale(sums.last, vget_high_u16(both))};
}

// Saturated to int16.
INLINE void rows_store(int16_t *p, rows sums, const int width) {
    (void)width;
    vst1q_s16(p, vcombine_s16(vqmovn_s32(sums.first), vqmovn_s32(sums.last)));
}

INLINE void rows_store_two(int16_t *p, rows first, rows second) {
    rows_store(p, first, 8);
    rows_store(p + 8, second, 8);
}

// A quad of the vector in each lane.
INLINE int8x16_t quad_at(const int8_t *vector, int32_t quad) {
    int32_t four;
    __builtin_memcpy(&four, vector + 4 * quad, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

// Products of `count` blocks of eight rows from `first` on with a vector of 4 · quads bytes.
INLINE void row_products(
    const int8_t *tiles, int32_t quads, int32_t first, const int count, const int8_t *vector,
    rows *products) {
    const int8_t *block = tiles + (size_t)first * (size_t)quads * 32;
    size_t stride = (size_t)quads * 32;
    partial sums[ROW_BLOCKS];
    for (int i = 0; i < count; i++) sums[i] = partial_zero();
    for (int32_t q = 0; q < quads; q++) {
        int8x16_t bytes = quad_at(vector, q);
        for (int i = 0; i < count; i++) {
            const int8_t *tile = block + (size_t)i * stride + 32 * (size_t)q;
            sums[i] = dot(sums[i], vld1q_s8(tile), vld1q_s8(tile + 16), bytes);
        }
    }
    for (int i = 0; i < count; i++) products[i] = partial_rows(sums[i]);
}

INLINE int8x16_t low_nibbles(uint8x16_t pair) {
    return vreinterpretq_s8_u8(vandq_u8(pair, vdupq_n_u8(15)));
}
INLINE int8x16_t high_nibbles(uint8x16_t pair) { return vreinterpretq_s8_u8(vshrq_n_u8(pair, 4)); }

// The same of a kernel in nibbles. They are multiplied as they are stored, 0...15; what eight of each add is the same for
// all rows, and subtracted at the end.
INLINE void nibble_products(
    const int8_t *tiles, int32_t quads, int32_t first, const int count, const int8_t *vector,
    rows *products) {
    size_t stride = (size_t)((quads + 1) / 2) * 32;
    const uint8_t *block = (const uint8_t *)tiles + (size_t)first * stride;
    partial sums[ROW_BLOCKS];
    int16x8_t bytes = vdupq_n_s16(0); // added up: 32 times ±127 in each lane at most
    for (int i = 0; i < count; i++) sums[i] = partial_zero();
    do {
        nibble_partial parts[ROW_BLOCKS];
        for (int i = 0; i < count; i++) parts[i] = nibble_partial_zero();
        int32_t left = NIBBLE_QUADS < 32 && quads > NIBBLE_QUADS ? NIBBLE_QUADS : quads;
        quads -= left;
        for (; left >= 2; left -= 2, vector += 8, block += 32) {
            int8x16_t a = quad_at(vector, 0), b = quad_at(vector, 1);
            bytes = vaddw_s8(vaddw_s8(bytes, vget_low_s8(a)), vget_low_s8(b));
            for (int i = 0; i < count; i++) {
                uint8x16_t upper = vld1q_u8(block + (size_t)i * stride);
                uint8x16_t lower = vld1q_u8(block + (size_t)i * stride + 16);
                parts[i] = nibble_dot(parts[i], low_nibbles(upper), low_nibbles(lower), a);
                parts[i] = nibble_dot(parts[i], high_nibbles(upper), high_nibbles(lower), b);
            }
        }
        if (left) {
            int8x16_t a = quad_at(vector, 0);
            bytes = vaddw_s8(bytes, vget_low_s8(a));
            for (int i = 0; i < count; i++) {
                uint8x16_t upper = vld1q_u8(block + (size_t)i * stride);
                uint8x16_t lower = vld1q_u8(block + (size_t)i * stride + 16);
                parts[i] = nibble_dot(parts[i], low_nibbles(upper), low_nibbles(lower), a);
            }
        }
        for (int i = 0; i < count; i++) sums[i] = nibble_partial_add(sums[i], parts[i]);
    } while (quads > 0);
    // A quad lies twice in the eight lanes.
    int32x4_t eights = vdupq_n_s32(4 * vaddlvq_s16(bytes));
    for (int i = 0; i < count; i++) {
        rows total = partial_rows(sums[i]);
        products[i] = (rows){vsubq_s32(total.first, eights), vsubq_s32(total.last, eights)};
    }
}

// MARK: Eight numbers of 16 bits

INLINE lanes lanes_all(int16_t v) { return vdupq_n_s16(v); }
INLINE lanes lanes_add(lanes a, lanes b) { return vaddq_s16(a, b); }
INLINE lanes lanes_subtract(lanes a, lanes b) { return vsubq_s16(a, b); }
INLINE lanes lanes_add_saturating(lanes a, lanes b) { return vqaddq_s16(a, b); }
INLINE lanes lanes_product(lanes a, lanes b) { return vqrdmulhq_s16(a, b); }
INLINE lanes lanes_xor(lanes a, lanes b) { return veorq_s16(a, b); }
INLINE uint16x8_t bits(lanes a) { return vreinterpretq_u16_s16(a); }
INLINE lanes lanes_min_unsigned(lanes a, lanes b) {
    return vreinterpretq_s16_u16(vminq_u16(bits(a), bits(b)));
}
INLINE lanes lanes_mean_unsigned(lanes a, lanes b) {
    return vreinterpretq_s16_u16(vrhaddq_u16(bits(a), bits(b)));
}
INLINE lanes lanes_size(lanes a) { return vabsq_s16(a); }
INLINE lanes lanes_with_sign(lanes a, lanes sign) {
    lanes negative = vshrq_n_s16(sign, 15);
    return vsubq_s16(veorq_s16(a, negative), negative);
}
#define lanes_shift_right(a, n) vreinterpretq_s16_u16(vshrq_n_u16(bits(a), n))
INLINE lanes lanes_shift_left_3(lanes a) { return vshlq_n_s16(a, 3); }
INLINE lanes lanes_shift_left_by(lanes a, int n) {
    return vreinterpretq_s16_u16(vshlq_u16(bits(a), vdupq_n_s16((int16_t)n)));
}
INLINE lanes lanes_shift_right_by(lanes a, int n) { return lanes_shift_left_by(a, -n); }

INLINE lanes lanes_load(const int16_t *p, const int width) {
    (void)width;
    return vld1q_s16(p);
}

INLINE void lanes_store(int16_t *p, lanes v, const int width) {
    (void)width;
    vst1q_s16(p, v);
}

// To int8, held within ±127.
INLINE void lanes_store_narrowed(int8_t *p, lanes v, const int width) {
    (void)width;
    vst1_s8(p, vmax_s8(vqmovn_s16(v), vdup_n_s8(-127)));
}

// MARK: Looking up a segment's numbers

// An index byte beyond the table gives 0.
typedef struct {
    uint8x16_t low, high;
} lanes_index;

// The number of a position's segment.
INLINE lanes segment_of(lanes position) {
    return lanes_min_unsigned(
        lanes_shift_right(position, 11),
        lanes_min_unsigned(
            lanes_add(lanes_all(4), lanes_shift_right(position, 12)),
            lanes_add(lanes_all(8), lanes_shift_right(position, 13))));
}

INLINE lanes_index lanes_index_of(lanes position) {
    lanes segment = segment_of(position);
    return (lanes_index){
        vreinterpretq_u8_s16(vorrq_s16(segment, vdupq_n_s16((int16_t)0x8000))),
        vreinterpretq_u8_s16(vorrq_s16(vshlq_n_s16(segment, 8), vdupq_n_s16(0x80))),
    };
}

INLINE lanes look_up_high(const struct shelfcast_table *table, lanes_index index) {
    return vreinterpretq_s16_u8(vqtbl1q_u8(vld1q_u8(table->high), index.high));
}

INLINE lanes look_up(const struct shelfcast_table *table, lanes_index index) {
    lanes low = vreinterpretq_s16_u8(vqtbl1q_u8(vld1q_u8(table->low), index.low));
    return vorrq_s16(low, look_up_high(table, index));
}

#define lanes_look_up(table, index) look_up(&(table), index)
// For a table whose low bytes are 0.
#define lanes_look_up_high(table, index) look_up_high(&(table), index)
