// The integer network in vector instructions: bit for bit what `GateKernels` and `IntegerRecurrence` define
// (Sources/Forecasting/INTEGER.md). No function allocates, and none reads or writes outside what it is given.
#ifndef SHELFCAST_KERNELS_H
#define SHELFCAST_KERNELS_H

#include <stdint.h>

// Sets of instructions a network can run with. The numbers are of this process only: nothing stores them.
enum shelfcast_kernel_set {
    SHELFCAST_AVX2 = 1,        // x86-64: AVX2
    SHELFCAST_AVX_VNNI = 2,    // with the dot product of bytes (VEX)
    SHELFCAST_AVX512_VNNI = 3, // with that of AVX-512 and its table look-up, on 512 bits where there are units to fill them
    SHELFCAST_NEON = 4,        // aarch64
    SHELFCAST_NEON_DOT = 5,    // with the dot product of bytes
};

// 1 where this CPU and its system run the set, else 0.
int shelfcast_kernel_set_available(int set);

enum shelfcast_cell { SHELFCAST_LSTM = 1, SHELFCAST_GRU = 2, SHELFCAST_FASTGRNN = 3 };

// How a kernel's weights lie in memory (`KernelForm`). The products are the same, bit for bit.
enum shelfcast_form {
    // [rows / 8, quads, 8, 4] int8 within -127...127
    SHELFCAST_TILES = 0,
    // [rows / 8, quads / 2 rounded up, 8, 4] bytes, `quads` being at least 2: a weight of -8...7 and 8, of the first tile
    // of a pair in the low four bits, of the second in the high ones. The tile that an odd number lacks is zeros: 8.
    SHELFCAST_NIBBLES = 1,
};

// A kernel's weights and the multipliers of its rows, padded as `WeightTiles` and `NetworkShape.padded(index:)` say.
struct shelfcast_kernel {
    const int8_t *tiles;         // as `form` says
    const uint16_t *multipliers; // [rows], `RowMultiplier.packed`
    int32_t quads;               // columns / 4, rounded up: at most 32
    int32_t form;                // shelfcast_form
};

// A network and where its state lies. `H8` is the units rounded up to a multiple of 8.
struct shelfcast_network {
    int32_t cell; // shelfcast_cell
    int32_t units;
    int32_t cell_bits;
    int32_t hidden_bits;
    int16_t zeta;
    int16_t nu;
    struct shelfcast_kernel input;
    struct shelfcast_kernel recurrent;
    const int32_t *bias; // [paddedBiasCount]
    const int8_t *dense; // [H8]
    int32_t dense_bias;
    int16_t *sums;       // [paddedSumCount]
    int16_t *state;      // [H8]
    int8_t *hidden;      // [H8]
};

// One day on an input row of 4 · input.quads bytes.
// `set` is available; a set this CPU does not have, or no set, is a mistake of the caller and ends the process.
void shelfcast_step(int set, const struct shelfcast_network *network, const int8_t *input);

// `days` days from a zero state, [days, 4 · input.quads]: the dense layer's sum.
int32_t shelfcast_run(
    int set, const struct shelfcast_network *network, const int8_t *window, int32_t days);

// tanh(position / 8192) of `count` positions, a multiple of 16.
void shelfcast_tanh(int set, const uint16_t *positions, int16_t *values, int32_t count);

#endif
