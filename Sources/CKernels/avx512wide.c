#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vnni"))), apply_to = function)
#include <immintrin.h>
// AVX-512 on 512 bits: for networks of many units.
#define SET(name) shelfcast_avx512_wide_##name
#define shelfcast_avx512_wide_functions shelfcast_avx512_wide

#include "x86wide.h"
#include "recurrence.h"
#pragma clang attribute pop
#endif
