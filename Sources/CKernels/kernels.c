#include <stdlib.h>

#include "sets.h"

#if defined(__x86_64__)
#include <cpuid.h>

// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID; volume 1, 13.3: the system saves
// the registers it says it saves.
static uint64_t saved_registers(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int available(int set) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    uint64_t saved = saved_registers();
    uint32_t b7, c7, d7, a71 = 0, ignored;
    if ((saved & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d7)) return 0;
    if (!(b7 & bit_AVX2)) return 0;
    switch (set) {
    case SHELFCAST_AVX2: return 1;
    case SHELFCAST_AVX_VNNI:
        return __get_cpuid_count(7, 1, &a71, &ignored, &ignored, &ignored) && (a71 & 1u << 4);
    case SHELFCAST_AVX512_VNNI:
        // F, BW and VL; VNNI; and the system keeps the 512-bit registers.
        return (saved & 0xE6) == 0xE6 && (b7 & 1u << 16) && (b7 & 1u << 30) && (b7 & 1u << 31)
            && (c7 & 1u << 11);
    default: return 0;
    }
}

// From so many units on, registers of 32 are faster than of 16: with fewer, most of their lanes are empty.
enum { WIDE_UNITS = 24 };

static const struct shelfcast_functions *functions(int set, int32_t units) {
    switch (set) {
    case SHELFCAST_AVX2: return &shelfcast_avx2;
    case SHELFCAST_AVX_VNNI: return &shelfcast_avx_vnni;
    case SHELFCAST_AVX512_VNNI:
        return units < WIDE_UNITS ? &shelfcast_avx512_vnni : &shelfcast_avx512_wide;
    default: abort();
    }
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

static int available(int set) {
    // Every 64-bit ARM has NEON; bit 20 of its capabilities is ASIMDDP (Linux, asm/hwcap.h).
    if (set == SHELFCAST_NEON_DOT) return (getauxval(AT_HWCAP) >> 20) & 1;
    return set == SHELFCAST_NEON;
}

static const struct shelfcast_functions *functions(int set, int32_t units) {
    (void)units;
    switch (set) {
    case SHELFCAST_NEON: return &shelfcast_neon;
    case SHELFCAST_NEON_DOT: return &shelfcast_neon_dot;
    default: abort();
    }
}

#else

static int available(int set) {
    (void)set;
    return 0;
}

static const struct shelfcast_functions *functions(int set, int32_t units) {
    (void)set;
    (void)units;
    abort();
}

#endif

int shelfcast_kernel_set_available(int set) { return available(set); }

void shelfcast_step(int set, const struct shelfcast_network *network, const int8_t *input) {
    functions(set, network->units)->step(network, input);
}

int32_t shelfcast_run(
    int set, const struct shelfcast_network *network, const int8_t *window, int32_t days) {
    return functions(set, network->units)->run(network, window, days);
}

void shelfcast_tanh(int set, const uint16_t *positions, int16_t *values, int32_t count) {
    functions(set, 0)->tanh(positions, values, count);
}
