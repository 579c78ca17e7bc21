// What the x86 sets have in common: 256-bit registers. A set defines SET and `dot` before it includes this.
#include <immintrin.h>

#include "tanh_segments.h"

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define LANES 16
#define ROWS 8
// Blocks of eight rows summed at once: their sums and products stay in registers.
#define ROW_BLOCKS 8

typedef __m256i rows;
typedef __m256i lanes;

// MARK: Eight rows

INLINE rows rows_zero(void) { return _mm256_setzero_si256(); }
INLINE rows rows_add(rows a, rows b) { return _mm256_add_epi32(a, b); }
INLINE rows rows_load(const int32_t *p, const int width) {
    (void)width;
    return _mm256_loadu_si256((const __m256i *)p);
}

// `RowMultiplier.rescale`: v · 2^-s rounded is ((v >> (s - 1)) + 1) >> 1.
INLINE rows rows_rescale(rows sums, const uint16_t *codes, const int width) {
    (void)width;
    __m256i code = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)codes));
    __m256i mantissa = _mm256_and_si256(code, _mm256_set1_epi32(511));
    __m256i shift = _mm256_srli_epi32(code, 9);
    __m256i cut = _mm256_srav_epi32(_mm256_mullo_epi32(sums, mantissa), shift);
    return _mm256_srai_epi32(_mm256_add_epi32(cut, _mm256_set1_epi32(1)), 1);
}

// Saturated to int16.
INLINE void rows_store(int16_t *p, rows sums, const int width) {
    (void)width;
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi32(sums, sums), 0x08);
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(packed));
}

INLINE lanes rows_pack(rows first, rows second) {
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xD8);
}

INLINE void rows_store_two(int16_t *p, rows first, rows second) {
    _mm256_storeu_si256((__m256i *)p, rows_pack(first, second));
}

// Products of a tile with four bytes of the vector, the same four in each lane of `four`. Unsigned times signed is what the
// instructions multiply: the sizes of the vector's bytes, with their signs on the weights. Both are within ±127.
INLINE rows quad_products(rows products, const int8_t *tile, __m256i four) {
    __m256i weights = _mm256_loadu_si256((const __m256i *)tile);
    return dot(products, _mm256_abs_epi8(four), _mm256_sign_epi8(weights, four));
}

// A quad of the vector in each lane.
INLINE __m256i quad_at(const int8_t *vector, int32_t quad) {
    int32_t four;
    __builtin_memcpy(&four, vector + 4 * quad, 4);
    return _mm256_set1_epi32(four);
}

// Products of `count` blocks of eight rows from `first` on with a vector of 4 · quads bytes.
INLINE void row_products(
    const int8_t *tiles, int32_t quads, int32_t first, const int count, const int8_t *vector,
    rows *products) {
    const int8_t *block = tiles + (size_t)first * (size_t)quads * 32;
    size_t stride = (size_t)quads * 32;
    for (int i = 0; i < count; i++) products[i] = rows_zero();
    for (int32_t q = 0; q < quads; q++) {
        __m256i four = quad_at(vector, q);
        for (int i = 0; i < count; i++)
            products[i] =
                quad_products(products[i], block + (size_t)i * stride + 32 * (size_t)q, four);
    }
}

// The same of a kernel in nibbles. They are multiplied as they are stored, 0...15 and so unsigned; what eight of each add is
// the same for all rows, and subtracted at the end.
INLINE void nibble_products(
    const int8_t *tiles, int32_t quads, int32_t first, const int count, const int8_t *vector,
    rows *products) {
    size_t stride = (size_t)((quads + 1) / 2) * 32;
    const int8_t *block = tiles + (size_t)first * stride;
    const __m256i low = _mm256_set1_epi8(15), eight = _mm256_set1_epi8(8);
    for (int i = 0; i < count; i++) products[i] = rows_zero();
    do {
        __m256i sums[ROW_BLOCKS], first_eights = _mm256_setzero_si256(), last_eights = first_eights;
        for (int i = 0; i < count; i++) sums[i] = _mm256_setzero_si256();
        int32_t left = NIBBLE_QUADS < 32 && quads > NIBBLE_QUADS ? NIBBLE_QUADS : quads;
        quads -= left;
#pragma clang loop unroll(disable)
        for (; left >= 2; left -= 2, vector += 8, block += 32) {
            __m256i a = quad_at(vector, 0), b = quad_at(vector, 1);
            first_eights = nibble_dot(first_eights, eight, a);
            last_eights = nibble_dot(last_eights, eight, b);
            for (int i = 0; i < count; i++) {
                __m256i pair = _mm256_loadu_si256((const __m256i *)(block + (size_t)i * stride));
                __m256i high = _mm256_and_si256(_mm256_srli_epi16(pair, 4), low);
                sums[i] = nibble_dot(sums[i], _mm256_and_si256(pair, low), a);
                sums[i] = nibble_dot(sums[i], high, b);
            }
        }
        if (left) {
            __m256i a = quad_at(vector, 0);
            first_eights = nibble_dot(first_eights, eight, a);
            for (int i = 0; i < count; i++) {
                __m256i pair = _mm256_loadu_si256((const __m256i *)(block + (size_t)i * stride));
                sums[i] = nibble_dot(sums[i], _mm256_and_si256(pair, low), a);
            }
        }
        rows eights = rows_add(nibble_rows(first_eights), nibble_rows(last_eights));
        for (int i = 0; i < count; i++)
            products[i] =
                rows_add(products[i], _mm256_sub_epi32(nibble_rows(sums[i]), eights));
    } while (quads > 0);
}

// MARK: Sixteen numbers of 16 bits

INLINE lanes lanes_all(int16_t v) { return _mm256_set1_epi16(v); }
INLINE lanes lanes_add(lanes a, lanes b) { return _mm256_add_epi16(a, b); }
INLINE lanes lanes_subtract(lanes a, lanes b) { return _mm256_sub_epi16(a, b); }
INLINE lanes lanes_add_saturating(lanes a, lanes b) { return _mm256_adds_epi16(a, b); }
INLINE lanes lanes_product(lanes a, lanes b) { return _mm256_mulhrs_epi16(a, b); }
INLINE lanes lanes_xor(lanes a, lanes b) { return _mm256_xor_si256(a, b); }
INLINE lanes lanes_min_unsigned(lanes a, lanes b) { return _mm256_min_epu16(a, b); }
INLINE lanes lanes_mean_unsigned(lanes a, lanes b) { return _mm256_avg_epu16(a, b); }
INLINE lanes lanes_size(lanes a) { return _mm256_abs_epi16(a); }
// A 0 in `sign` stands for a value of 0 as well.
INLINE lanes lanes_with_sign(lanes a, lanes sign) { return _mm256_sign_epi16(a, sign); }
#define lanes_shift_right(a, n) _mm256_srli_epi16(a, n)
INLINE lanes lanes_shift_left_3(lanes a) { return _mm256_slli_epi16(a, 3); }
INLINE lanes lanes_shift_left_by(lanes a, int n) { return _mm256_sll_epi16(a, _mm_cvtsi32_si128(n)); }
INLINE lanes lanes_shift_right_by(lanes a, int n) { return _mm256_srl_epi16(a, _mm_cvtsi32_si128(n)); }

INLINE lanes lanes_load(const int16_t *p, const int width) {
    return width == 8 ? _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p))
                : _mm256_loadu_si256((const __m256i *)p);
}

INLINE void lanes_store(int16_t *p, lanes v, const int width) {
    if (width == 8)
        _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(v));
    else
        _mm256_storeu_si256((__m256i *)p, v);
}

// To int8, held within ±127: in the low eight bytes of each half.
INLINE lanes lanes_narrow(lanes v) {
    return _mm256_max_epi8(_mm256_packs_epi16(v, v), _mm256_set1_epi8(-127));
}

INLINE void lanes_store_narrowed(int8_t *p, lanes v, const int width) {
    __m256i narrow = lanes_narrow(v);
    if (width == 8)
        _mm_storel_epi64((__m128i *)p, _mm256_castsi256_si128(narrow));
    else
        _mm_storeu_si128(
            (__m128i *)p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(narrow, 0x08)));
}

// MARK: Looking up a segment's numbers

#ifdef LOOK_UP_WHOLE

typedef __m256i lanes_index;

INLINE lanes_index lanes_index_of(lanes position) { return lanes_shift_right(position, 11); }

INLINE lanes look_up(const int16_t *whole, lanes_index index) {
    return _mm256_permutex2var_epi16(
        _mm256_loadu_si256((const __m256i *)whole), index,
        _mm256_loadu_si256((const __m256i *)(whole + 16)));
}

#define lanes_look_up(table, index) look_up((table).whole, index)
#define lanes_look_up_high(table, index) look_up((table).whole, index)

#else

// An index byte with its top bit set gives 0.
typedef struct {
    __m256i low, high;
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
        _mm256_or_si256(segment, _mm256_set1_epi16((int16_t)0x8000)),
        _mm256_or_si256(_mm256_slli_epi16(segment, 8), _mm256_set1_epi16(0x80)),
    };
}

INLINE __m256i bytes_of(const uint8_t *table, __m256i index) {
    return _mm256_shuffle_epi8(
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table)), index);
}

#define lanes_look_up(table, index)                                                                    \
    _mm256_or_si256(bytes_of((table).low, (index).low), bytes_of((table).high, (index).high))
// For a table whose low bytes are 0.
#define lanes_look_up_high(table, index) bytes_of((table).high, (index).high)

#endif
