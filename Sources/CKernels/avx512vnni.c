#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vnni"))), apply_to = function)
#include <immintrin.h>
#define SET(name) shelfcast_avx512_vnni_##name
#define shelfcast_avx512_vnni_functions shelfcast_avx512_vnni

static inline __attribute__((always_inline)) __m256i dot(__m256i sums, __m256i sizes, __m256i weights) {
    return _mm256_dpbusd_epi32(sums, sizes, weights);
}

// The 32 bits hold the products of all there are.
#define NIBBLE_QUADS 32
#define nibble_dot dot
#define nibble_rows(sums) (sums)

#define LOOK_UP_WHOLE
#include "x86.h"
#include "recurrence.h"
#pragma clang attribute pop
#endif
