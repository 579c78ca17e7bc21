// What the Embedded agent would need the mathematical library for, 400 KB of a device's memory: functions that Swift calls
// where the CPU has no instruction. Values as C11, 7.12.9, and IEEE 754 define them.
#include <stdint.h>
#include <string.h>

#include "CPosix.h"

// From here on every number is whole.
#define FLOATS_WHOLE 8388608.0f           // 2^23
#define DOUBLES_WHOLE 4503599627370496.0  // 2^52

float shelfcast_roundf(float x) {
    if (!(x > -FLOATS_WHOLE && x < FLOATS_WHOLE)) return x;
    float whole = (float)(int32_t)x;
    float rest = x - whole;
    if (rest >= 0.5f) whole += 1;
    if (rest <= -0.5f) whole -= 1;
    return __builtin_copysignf(whole, x);
}

double shelfcast_ceil(double x) {
    if (!(x > -DOUBLES_WHOLE && x < DOUBLES_WHOLE)) return x;
    double whole = (double)(int64_t)x;
    if (whole < x) whole += 1;
    return __builtin_copysign(whole, x);
}

// Digit by digit: a remainder of 108 bits whose upper part fits 64, then rounded to even.
double shelfcast_sqrt(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7FF);
    uint64_t mantissa = bits & 0xFFFFFFFFFFFFF;
    if (exponent == 0x7FF || x == 0) return x != x || x >= 0 ? x : __builtin_nan("");
    if (bits >> 63) return __builtin_nan("");
    if (exponent == 0) {
        int shift = __builtin_clzll(mantissa) - 11;
        mantissa <<= shift;
        exponent = 1 - shift;
    } else {
        mantissa |= 1ull << 52;
    }
    exponent -= 1023;
    if (exponent & 1) mantissa <<= 1;
    uint64_t root = 0, rest = 0;
    for (int digit = 53; digit >= 0; digit--) {
        // Two more bits of mantissa · 2^54.
        uint64_t next = digit >= 27 ? mantissa >> (2 * (digit - 27)) & 3 : 0;
        rest = rest << 2 | next;
        uint64_t trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    uint64_t rounded = root >> 1;
    if ((root & 1) && (rest != 0 || (rounded & 1))) rounded++;
    // The leading bit of `rounded` adds one to the exponent.
    bits = ((uint64_t)((exponent >> 1) + 1022) << 52) + rounded;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

#ifdef SHELFCAST_EMBEDDED
float roundf(float x) __attribute__((alias("shelfcast_roundf")));
double ceil(double x) __attribute__((alias("shelfcast_ceil")));

// Instructions where there are some. They set no errno, for which the compiler would call this function instead.
#if defined(__SSE2__)
#include <emmintrin.h>

double sqrt(double x);

double sqrt(double x) {
    __m128d v = _mm_set_sd(x);
    return _mm_cvtsd_f64(_mm_sqrt_sd(v, v));
}
#elif defined(__aarch64__)
double sqrt(double x);

double sqrt(double x) {
    double root;
    __asm__("fsqrt %d0, %d1" : "=w"(root) : "w"(x));
    return root;
}
#else
double sqrt(double x) __attribute__((alias("shelfcast_sqrt")));
#endif
#endif
