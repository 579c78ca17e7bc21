// One function of each kind for every set of instructions; kernels.c chooses.
#ifndef SHELFCAST_SETS_H
#define SHELFCAST_SETS_H

#include "shelfcast_kernels.h"

struct shelfcast_functions {
    void (*step)(const struct shelfcast_network *, const int8_t *);
    int32_t (*run)(const struct shelfcast_network *, const int8_t *, int32_t);
    void (*tanh)(const uint16_t *, int16_t *, int32_t);
};

extern const struct shelfcast_functions shelfcast_avx2, shelfcast_avx_vnni, shelfcast_avx512_vnni,
    shelfcast_avx512_wide,
    shelfcast_neon, shelfcast_neon_dot;

#endif
