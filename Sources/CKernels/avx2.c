#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include <immintrin.h>
#define SET(name) shelfcast_avx2_##name
#define shelfcast_avx2_functions shelfcast_avx2

// Sixteen bits hold a sum of two products, 32258 at most.
static inline __attribute__((always_inline)) __m256i dot(__m256i sums, __m256i sizes, __m256i weights) {
    __m256i pairs = _mm256_maddubs_epi16(sizes, weights);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// With a nibble a product is at most 15 * 127: 16 bits hold a sum of sixteen, two from each of eight tiles.
#define NIBBLE_QUADS 8

static inline __attribute__((always_inline)) __m256i nibble_dot(
    __m256i sums, __m256i nibbles, __m256i bytes) {
    return _mm256_add_epi16(sums, _mm256_maddubs_epi16(nibbles, bytes));
}

static inline __attribute__((always_inline)) __m256i nibble_rows(__m256i sums) {
    return _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
}

#include "x86.h"
#include "recurrence.h"
#pragma clang attribute pop
#endif
