// 512-bit registers: sixteen rows of two blocks at a time, and 32 units. A set defines SET before it includes this.
#include <immintrin.h>

#include "tanh_segments.h"

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define LANES 32
#define ROWS 16
// Blocks of eight rows summed at once: their sums and products stay in registers.
#define ROW_BLOCKS 16

typedef __m512i rows;
typedef __m512i lanes;

// MARK: Sixteen rows, or the eight of a last block

INLINE rows rows_zero(void) { return _mm512_setzero_si512(); }
INLINE rows rows_add(rows a, rows b) { return _mm512_add_epi32(a, b); }

INLINE rows rows_load(const int32_t *p, const int width) {
    return width == 8 ? _mm512_zextsi256_si512(_mm256_loadu_si256((const __m256i *)p))
                      : _mm512_loadu_si512(p);
}

// `RowMultiplier.rescale`: v · 2^-s rounded is ((v >> (s - 1)) + 1) >> 1.
INLINE rows rows_rescale(rows sums, const uint16_t *codes, const int width) {
    __m512i code = _mm512_cvtepu16_epi32(
        width == 8 ? _mm256_zextsi128_si256(_mm_loadu_si128((const __m128i *)codes))
                   : _mm256_loadu_si256((const __m256i *)codes));
    __m512i mantissa = _mm512_and_si512(code, _mm512_set1_epi32(511));
    __m512i shift = _mm512_srli_epi32(code, 9);
    __m512i cut = _mm512_srav_epi32(_mm512_mullo_epi32(sums, mantissa), shift);
    return _mm512_srai_epi32(_mm512_add_epi32(cut, _mm512_set1_epi32(1)), 1);
}

// Saturated to int16.
INLINE void rows_store(int16_t *p, rows sums, const int width) {
    __m256i packed = _mm512_cvtsepi32_epi16(sums);
    if (width == 8)
        _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(packed));
    else
        _mm256_storeu_si256((__m256i *)p, packed);
}

INLINE void rows_store_two(int16_t *p, rows first, rows second) {
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi64(order, _mm512_packs_epi32(first, second)));
}

// MARK: Products

// What a block of eight rows adds up lies in two halves, one of each quad of a pair.
INLINE rows rows_of_halves(__m512i first, __m512i last) {
    return _mm512_add_epi32(
        _mm512_shuffle_i64x2(first, last, 0x44), _mm512_shuffle_i64x2(first, last, 0xEE));
}

INLINE __m512i load_tiles(const int8_t *tiles, const int half) {
    return half ? _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)tiles))
                : _mm512_loadu_si512(tiles);
}

// Two quads of the vector, each in eight lanes; where there is but one, zeros in the others.
INLINE __m512i quads_at(const int8_t *vector, const int half) {
    if (half) {
        int32_t four;
        __builtin_memcpy(&four, vector, 4);
        return _mm512_zextsi256_si512(_mm256_set1_epi32(four));
    }
    int64_t eight;
    __builtin_memcpy(&eight, vector, 8);
    const __m512i order = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    return _mm512_permutexvar_epi32(order, _mm512_set1_epi64(eight));
}

// Weights are within ±127. As unsigned bytes they are 128 more, and what 128 of each add is the same for all rows.
INLINE void pair_products(
    const int8_t *block, size_t stride, const int count, const int8_t *vector, const int half,
    __m512i *sums, __m512i *excess) {
    const __m512i top = _mm512_set1_epi8(-128);
    __m512i bytes = quads_at(vector, half);
    *excess = _mm512_dpbusd_epi32(*excess, top, bytes);
    for (int i = 0; i < count; i++) {
        __m512i weights = load_tiles(block + (size_t)i * stride, half);
        sums[i] = _mm512_dpbusd_epi32(sums[i], _mm512_xor_si512(weights, top), bytes);
    }
}

INLINE void rows_of_sums(const __m512i *sums, __m512i excess, const int count, rows *products) {
    rows both = rows_of_halves(excess, excess);
    for (int i = 0; i < count; i += 2)
        products[i / 2] =
            _mm512_sub_epi32(rows_of_halves(sums[i], sums[i + 1 < count ? i + 1 : i]), both);
}

// Products of `count` blocks of eight rows from `first` on with a vector of 4 · quads bytes.
INLINE void row_products(
    const int8_t *tiles, int32_t quads, int32_t first, const int count, const int8_t *vector,
    rows *products) {
    const int8_t *block = tiles + (size_t)first * (size_t)quads * 32;
    size_t stride = (size_t)quads * 32;
    __m512i sums[ROW_BLOCKS], excess = _mm512_setzero_si512();
    for (int i = 0; i < count; i++) sums[i] = _mm512_setzero_si512();
    int32_t q = 0;
    for (; q + 2 <= quads; q += 2)
        pair_products(block + 32 * (size_t)q, stride, count, vector + 4 * q, 0, sums, &excess);
    if (q < quads)
        pair_products(block + 32 * (size_t)q, stride, count, vector + 4 * q, 1, sums, &excess);
    rows_of_sums(sums, excess, count, products);
}

// The same of a kernel in nibbles, which are unsigned as they are stored: a weight and 8.
INLINE void nibble_products(
    const int8_t *tiles, int32_t quads, int32_t first, const int count, const int8_t *vector,
    rows *products) {
    size_t stride = (size_t)((quads + 1) / 2) * 32;
    const int8_t *block = tiles + (size_t)first * stride;
    const __m512i eight = _mm512_set1_epi8(8);
    // The low nibbles of a tile's bytes and then the high ones: the quads of a pair.
    const __m512i low = _mm512_set1_epi8(15);
    __m512i sums[ROW_BLOCKS], excess = _mm512_setzero_si512();
    for (int i = 0; i < count; i++) sums[i] = _mm512_setzero_si512();
    for (int32_t q = 0; q < quads; q += 2, block += 32) {
        __m512i bytes = quads_at(vector + 4 * q, q + 1 == quads);
        excess = _mm512_dpbusd_epi32(excess, eight, bytes);
        for (int i = 0; i < count; i++) {
            __m256i pair = _mm256_loadu_si256((const __m256i *)(block + (size_t)i * stride));
            __m512i nibbles = _mm512_inserti64x4(
                _mm512_castsi256_si512(pair), _mm256_srli_epi16(pair, 4), 1);
            sums[i] = _mm512_dpbusd_epi32(sums[i], _mm512_and_si512(nibbles, low), bytes);
        }
    }
    rows_of_sums(sums, excess, count, products);
}

// MARK: 32 numbers of 16 bits

INLINE lanes lanes_all(int16_t v) { return _mm512_set1_epi16(v); }
INLINE lanes lanes_add(lanes a, lanes b) { return _mm512_add_epi16(a, b); }
INLINE lanes lanes_subtract(lanes a, lanes b) { return _mm512_sub_epi16(a, b); }
INLINE lanes lanes_add_saturating(lanes a, lanes b) { return _mm512_adds_epi16(a, b); }
INLINE lanes lanes_product(lanes a, lanes b) { return _mm512_mulhrs_epi16(a, b); }
INLINE lanes lanes_xor(lanes a, lanes b) { return _mm512_xor_si512(a, b); }
INLINE lanes lanes_min_unsigned(lanes a, lanes b) { return _mm512_min_epu16(a, b); }
INLINE lanes lanes_mean_unsigned(lanes a, lanes b) { return _mm512_avg_epu16(a, b); }
INLINE lanes lanes_size(lanes a) { return _mm512_abs_epi16(a); }
INLINE lanes lanes_with_sign(lanes a, lanes sign) {
    return _mm512_mask_sub_epi16(a, _mm512_movepi16_mask(sign), _mm512_setzero_si512(), a);
}
#define lanes_shift_right(a, n) _mm512_srli_epi16(a, n)
INLINE lanes lanes_shift_left_3(lanes a) { return _mm512_slli_epi16(a, 3); }
INLINE lanes lanes_shift_left_by(lanes a, int n) { return _mm512_sll_epi16(a, _mm_cvtsi32_si128(n)); }
INLINE lanes lanes_shift_right_by(lanes a, int n) { return _mm512_srl_epi16(a, _mm_cvtsi32_si128(n)); }

INLINE lanes lanes_load(const int16_t *p, const int width) {
    switch (width) {
    case 8: return _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p));
    case 16: return _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p));
    default: return _mm512_loadu_si512(p);
    }
}

INLINE void lanes_store(int16_t *p, lanes v, const int width) {
    switch (width) {
    case 8: _mm_storeu_si128((__m128i *)p, _mm512_castsi512_si128(v)); break;
    case 16: _mm256_storeu_si256((__m256i *)p, _mm512_castsi512_si256(v)); break;
    default: _mm512_storeu_si512(p, v); break;
    }
}

// To int8, held within ±127.
INLINE void lanes_store_narrowed(int8_t *p, lanes v, const int width) {
    __m256i narrow = _mm256_max_epi8(_mm512_cvtsepi16_epi8(v), _mm256_set1_epi8(-127));
    switch (width) {
    case 8: _mm_storel_epi64((__m128i *)p, _mm256_castsi256_si128(narrow)); break;
    case 16: _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(narrow)); break;
    default: _mm256_storeu_si256((__m256i *)p, narrow); break;
    }
}

// MARK: Looking up a segment's numbers

typedef __m512i lanes_index;

INLINE lanes_index lanes_index_of(lanes position) { return lanes_shift_right(position, 11); }

INLINE lanes look_up(const int16_t *whole, lanes_index index) {
    return _mm512_permutexvar_epi16(index, _mm512_loadu_si512(whole));
}

#define lanes_look_up(table, index) look_up((table).whole, index)
#define lanes_look_up_high(table, index) look_up((table).whole, index)
