// TanhSegments.swift once more, as vector instructions look it up. Written by Scripts/tanh-segments; never edited by hand.
#ifndef SHELFCAST_TANH_SEGMENTS_H
#define SHELFCAST_TANH_SEGMENTS_H

#include <stdint.h>

// A number of 16 bits for each of the sixteen segments: the low bytes and the high bytes; and whole, for each of 32 pieces
// of 2048 positions.
struct shelfcast_table {
    uint8_t low[16];
    uint8_t high[16];
    int16_t whole[32];
};

static const struct shelfcast_table shelfcast_tanh_eight_middles = {
    .low = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    },
    .high = {
        32, 96, 160, 224, 32, 96, 160, 224, 64, 192, 64, 192, 128, 128, 128, 128,
    },
    .whole = {
        8192, 24576, -24576, -8192, 8192, 24576, -24576, -8192, 16384, 16384, -16384, -16384, 16384, 16384, -16384, -16384,
        -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768, -32768,
    },
};

static const struct shelfcast_table shelfcast_tanh_values = {
    .low = {
        237, 225, 253, 25, 151, 158, 114, 30, 48, 245, 158, 220, 248, 254, 254, 254,
    },
    .high = {
        15, 45, 70, 90, 103, 112, 118, 122, 125, 126, 127, 127, 127, 127, 127, 127,
    },
    .whole = {
        4077, 11745, 18173, 23065, 26519, 28830, 30322, 31262, 32048, 32048, 32501, 32501, 32670, 32670, 32732, 32732,
        32760, 32760, 32760, 32760, 32766, 32766, 32766, 32766, 32766, 32766, 32766, 32766, 32766, 32766, 32766, 32766,
    },
};

static const struct shelfcast_table shelfcast_tanh_slopes = {
    .low = {
        192, 161, 77, 88, 42, 136, 65, 201, 221, 18, 101, 37, 9, 0, 0, 0,
    },
    .high = {
        62, 55, 44, 32, 22, 14, 9, 5, 2, 1, 0, 0, 0, 0, 0, 0,
    },
    .whole = {
        16064, 14241, 11341, 8280, 5674, 3720, 2369, 1481, 733, 733, 274, 274, 101, 101, 37, 37,
        9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    },
};

static const struct shelfcast_table shelfcast_tanh_curvatures = {
    .low = {
        39, 27, 203, 180, 19, 164, 181, 67, 158, 124, 204, 236, 251, 0, 0, 0,
    },
    .high = {
        252, 246, 243, 244, 247, 249, 251, 253, 254, 255, 255, 255, 255, 0, 0, 0,
    },
    .whole = {
        -985, -2533, -3125, -2892, -2285, -1628, -1099, -701, -354, -354, -132, -132, -52, -52, -20, -20,
        -5, -5, -5, -5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    },
};

#endif
