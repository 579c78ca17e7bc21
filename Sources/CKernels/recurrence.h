// The recurrence in terms of a set's vectors, included once by each set. A set defines
//
//   rows                      ROWS int32, 8 or 16: one of each row of one or two tiles
//   ROW_BLOCKS                blocks of eight rows whose sums stay in registers
//   row_products(...)         the products of several blocks of eight rows with a vector
//   nibble_products(...)      the same of a kernel in nibbles
//   rows_* functions          rescale, add, load; store and store_two, saturated to int16
//   lanes                     LANES int16, 8, 16 or 32
//   lanes_* functions         16-bit arithmetic, lane by lane
//   SET(name)                 the set's name for a function
//
// `width` is how many rows or lanes of a register count: it is filled and stored as far as that.
// Every function is static; only the table at the end is seen.

#include <string.h>

#include "sets.h"
#include "tanh_segments.h"

// Registers that hold the sums of a number of blocks, and the rows in the last of them.
#define REGISTERS(blocks) (((blocks) * 8 + ROWS - 1) / ROWS)
#define WIDTH(blocks) ((blocks) == 1 ? 8 : ROWS)

// MARK: Products

// What a run of blocks of eight rows is summed from: bias + X + U, either product being left out where it has no kernel.
struct sum {
    const struct shelfcast_kernel *x_kernel, *u_kernel;
    const int8_t *x, *u;
    int32_t first; // block of the kernels
    const int32_t *bias;
    int16_t *sums;
    // Another bias on the same products, or null.
    const int32_t *second_bias;
    int16_t *second_sums;
};

// `any_form` is 0 where the kernel is known to be in tiles.
INLINE void kernel_products(
    const struct shelfcast_kernel *kernel, const int any_form, int32_t first, const int count,
    const int8_t *vector, rows *products) {
    if (any_form && kernel->form == SHELFCAST_NIBBLES)
        nibble_products(kernel->tiles, kernel->quads, first, count, vector, products);
    else
        row_products(kernel->tiles, kernel->quads, first, count, vector, products);
}

INLINE void store_sums(const int32_t *bias, const rows *total, const int count, int16_t *sums) {
    const int registers = REGISTERS(count), width = WIDTH(count);
    if (registers == 1) rows_store(sums, rows_add(total[0], rows_load(bias, width)), width);
    // Two at once, so that what reads them as one register need not wait for the memory.
    for (int i = 0; i + 1 < registers; i += 2)
        rows_store_two(
            sums + ROWS * i, rows_add(total[i], rows_load(bias + ROWS * i, ROWS)),
            rows_add(total[i + 1], rows_load(bias + ROWS * (i + 1), ROWS)));
}

// `count` blocks from the `block`th of the run on: 1, 2, 4 or ROW_BLOCKS.
INLINE void sum_blocks(const struct sum *s, const int any_form, int32_t block, const int count) {
    const int registers = REGISTERS(count), width = WIDTH(count);
    rows total[REGISTERS(ROW_BLOCKS)], products[REGISTERS(ROW_BLOCKS)];
    int32_t first = s->first + block;
    for (int i = 0; i < registers; i++) total[i] = rows_zero();
    if (s->x_kernel) {
        kernel_products(s->x_kernel, any_form, first, count, s->x, products);
        for (int i = 0; i < registers; i++)
            total[i] = rows_add(
                total[i],
                rows_rescale(products[i], s->x_kernel->multipliers + 8 * first + ROWS * i, width));
    }
    if (s->u_kernel) {
        kernel_products(s->u_kernel, any_form, first, count, s->u, products);
        for (int i = 0; i < registers; i++)
            total[i] = rows_add(
                total[i],
                rows_rescale(products[i], s->u_kernel->multipliers + 8 * first + ROWS * i, width));
    }
    store_sums(s->bias + 8 * block, total, count, s->sums + 8 * block);
    if (s->second_bias) store_sums(s->second_bias + 8 * block, total, count, s->second_sums + 8 * block);
}

INLINE void sum_in_blocks(const struct sum *s, const int any_form, int32_t blocks) {
    int32_t b = 0;
    for (; b + ROW_BLOCKS <= blocks; b += ROW_BLOCKS) sum_blocks(s, any_form, b, ROW_BLOCKS);
    for (; ROW_BLOCKS > 8 && b + 4 <= blocks; b += 4) sum_blocks(s, any_form, b, 4);
    for (; b + 2 <= blocks; b += 2) sum_blocks(s, any_form, b, 2);
    if (b < blocks) sum_blocks(s, any_form, b, 1);
}

// Apart, so that tiles alone run as fast as if there were nothing else.
static NOINLINE void sum_tiles(const struct sum *s, int32_t blocks) { sum_in_blocks(s, 0, blocks); }
static NOINLINE void sum_any_form(const struct sum *s, int32_t blocks) { sum_in_blocks(s, 1, blocks); }

static inline int in_tiles(const struct shelfcast_kernel *kernel) {
    return !kernel || kernel->form == SHELFCAST_TILES;
}

INLINE void sum_rows(const struct sum *s, int32_t blocks) {
    if (in_tiles(s->x_kernel) && in_tiles(s->u_kernel))
        sum_tiles(s, blocks);
    else
        sum_any_form(s, blocks);
}

static inline int32_t blocks_of(int32_t rows) { return (rows + 7) / 8; }

// Every sum of a day. The LSTM's and the GRU's blocks of sums lie H apart without padding: a block's last eight may
// reach into the next one, which is written later. FastGRNN's second block begins at a multiple of eight.
INLINE void sum_day(const struct shelfcast_network *n, const int8_t *input) {
    int32_t units = n->units;
    struct sum both = {&n->input, &n->recurrent, input, n->hidden, 0, n->bias, n->sums, 0, 0};
    int32_t blocks = blocks_of(units);
    switch (n->cell) {
    case SHELFCAST_LSTM: sum_rows(&both, blocks_of(4 * units)); break;
    case SHELFCAST_GRU: {
        int32_t gates = blocks_of(2 * units);
        const int32_t *bias = n->bias + 8 * gates;
        sum_rows(&both, gates);
        struct sum x = {&n->input, 0, input, 0, gates, bias, n->sums + 2 * units, 0, 0};
        sum_rows(&x, blocks);
        struct sum u = {
            0, &n->recurrent, 0, n->hidden, gates, bias + 8 * blocks, n->sums + 3 * units, 0, 0};
        sum_rows(&u, blocks);
        break;
    }
    default:
        both.second_bias = n->bias + 8 * blocks;
        both.second_sums = n->sums + 8 * blocks;
        sum_rows(&both, blocks);
        break;
    }
}

// MARK: Gates

// A tanh is the sum of both.
struct tanh_parts {
    lanes value, rest;
};

INLINE struct tanh_parts tanh_parts_at(lanes position) {
    lanes_index index = lanes_index_of(position);
    lanes t = lanes_subtract(
        lanes_shift_left_3(position), lanes_look_up_high(shelfcast_tanh_eight_middles, index));
    lanes slope = lanes_add(
        lanes_look_up(shelfcast_tanh_slopes, index),
        lanes_product(t, lanes_look_up(shelfcast_tanh_curvatures, index)));
    return (struct tanh_parts){lanes_look_up(shelfcast_tanh_values, index), lanes_product(t, slope)};
}

INLINE lanes tanh_at(lanes position) {
    struct tanh_parts parts = tanh_parts_at(position);
    return lanes_add(parts.value, parts.rest);
}

INLINE lanes gate_tanh(lanes x) {
    lanes size = lanes_min_unsigned(lanes_size(x), lanes_all(32767));
    return lanes_with_sign(tanh_at(lanes_add(size, size)), x);
}

INLINE lanes gate_sigmoid(lanes x) {
    // (32768 + y + 1) >> 1, y never being 32767.
    return lanes_mean_unsigned(
        lanes_xor(lanes_with_sign(tanh_at(lanes_size(x)), x), lanes_all(-32768)), lanes_all(0));
}

// What a day needs of the network's numbers of bits, as factors of products: 2^(15 - n) rounds n bits away.
struct scales {
    lanes cell;         // 15 - cell bits
    lanes hidden;       // LSTM: 15 - hidden bits; else cell bits - hidden bits
    lanes state_limit;  // the largest state that fits a position before its shift
    lanes state_round;  // 1 where a state has 14 bits
    int state_left, state_right;
};

INLINE struct scales scales_of(const struct shelfcast_network *n) {
    int hidden = n->cell == SHELFCAST_LSTM ? 15 - n->hidden_bits : n->cell_bits - n->hidden_bits;
    int left = n->cell_bits <= 13 ? 13 - n->cell_bits : 0;
    return (struct scales){
        .cell = lanes_all((int16_t)(1 << n->cell_bits)),
        .hidden = lanes_all((int16_t)(1 << (15 - hidden))),
        .state_limit = lanes_all((int16_t)(uint16_t)(65535u >> left)),
        .state_round = lanes_all(n->cell_bits == 14),
        .state_left = left,
        .state_right = n->cell_bits == 14,
    };
}

INLINE lanes state_tanh(lanes state, const struct scales *s) {
    lanes size = lanes_min_unsigned(lanes_size(state), s->state_limit);
    lanes position = lanes_shift_right_by(
        lanes_add(lanes_shift_left_by(size, s->state_left), s->state_round), s->state_right);
    return lanes_with_sign(tanh_at(position), state);
}

INLINE void step_lstm(
    const struct shelfcast_network *n, const struct scales *s, int32_t h, const int width) {
    int32_t units = n->units;
    const int16_t *sums = n->sums + h;
    lanes i = gate_sigmoid(lanes_load(sums, width));
    lanes g = gate_tanh(lanes_load(sums + 2 * units, width));
    lanes f = gate_sigmoid(lanes_load(sums + units, width));
    lanes o = gate_sigmoid(lanes_load(sums + 3 * units, width));
    lanes added = lanes_product(lanes_product(i, g), s->cell);
    lanes state = lanes_add_saturating(lanes_product(f, lanes_load(n->state + h, width)), added);
    lanes_store(n->state + h, state, width);
    lanes_store_narrowed(
        n->hidden + h, lanes_product(lanes_product(o, state_tanh(state, s)), s->hidden), width);
}

INLINE void step_gru(
    const struct shelfcast_network *n, const struct scales *s, int32_t h, const int width) {
    int32_t units = n->units;
    const int16_t *sums = n->sums + h;
    lanes z = gate_sigmoid(lanes_load(sums, width));
    lanes r = gate_sigmoid(lanes_load(sums + units, width));
    lanes c = gate_tanh(lanes_add_saturating(
        lanes_load(sums + 2 * units, width), lanes_product(r, lanes_load(sums + 3 * units, width))));
    lanes rest = lanes_subtract(lanes_all(-32768), z);
    lanes added = lanes_product(lanes_product(rest, c), s->cell);
    lanes state = lanes_add_saturating(lanes_product(z, lanes_load(n->state + h, width)), added);
    lanes_store(n->state + h, state, width);
    lanes_store_narrowed(n->hidden + h, lanes_product(state, s->hidden), width);
}

INLINE void step_fastgrnn(
    const struct shelfcast_network *n, const struct scales *s, int32_t h, const int width) {
    lanes z = gate_sigmoid(lanes_load(n->sums + h, width));
    lanes c = gate_tanh(lanes_load(n->sums + 8 * blocks_of(n->units) + h, width));
    lanes rest = lanes_subtract(lanes_all(-32768), z);
    lanes gained = lanes_product(lanes_product(lanes_all(n->zeta), rest), c);
    lanes added = lanes_add_saturating(
        lanes_product(gained, s->cell), lanes_product(lanes_product(lanes_all(n->nu), c), s->cell));
    lanes state = lanes_add_saturating(lanes_product(z, lanes_load(n->state + h, width)), added);
    lanes_store(n->state + h, state, width);
    lanes_store_narrowed(n->hidden + h, lanes_product(state, s->hidden), width);
}

// A register of units at a time; eight of them where no more are left, so that nothing beyond the padding is touched.
#define FOR_ALL_UNITS(step)                                                                            \
    do {                                                                                               \
        int32_t h = 0;                                                                                 \
        for (; LANES >= 32 && h + 24 < n->units; h += 32) step(n, s, h, 32);                           \
        for (; LANES >= 16 && h + 8 < n->units; h += 16) step(n, s, h, 16);                            \
        for (; h < n->units; h += 8) step(n, s, h, 8);                                                 \
    } while (0)

INLINE void day(const struct shelfcast_network *n, const struct scales *s, const int8_t *input) {
    sum_day(n, input);
    switch (n->cell) {
    case SHELFCAST_LSTM: FOR_ALL_UNITS(step_lstm); break;
    case SHELFCAST_GRU: FOR_ALL_UNITS(step_gru); break;
    default: FOR_ALL_UNITS(step_fastgrnn); break;
    }
}

#if LANES == 16
#include "few.h"
#endif

// From the state that is there. Apart, so that it is there once.
static NOINLINE void each_day(
    const struct shelfcast_network *n, const struct scales *s, const int8_t *window, int32_t days) {
    for (int32_t t = 0; t < days; t++) day(n, s, window + (size_t)t * 4 * (size_t)n->input.quads);
}

static void SET(step)(const struct shelfcast_network *n, const int8_t *input) {
    struct scales s = scales_of(n);
    each_day(n, &s, input, 1);
}

static int32_t SET(run)(const struct shelfcast_network *n, const int8_t *window, int32_t days) {
    struct scales s = scales_of(n);
    size_t padded = 8 * (size_t)blocks_of(n->units);
    memset(n->state, 0, 2 * padded);
    memset(n->hidden, 0, padded);
#if LANES == 16
    if (n->cell == SHELFCAST_LSTM && n->units <= 4)
        days_of_few(n, &s, window, days);
    else
#endif
        each_day(n, &s, window, days);
    int32_t sum = n->dense_bias;
    for (int32_t h = 0; h < n->units; h++) sum += n->dense[h] * n->hidden[h];
    return sum;
}

static void SET(tanh)(const uint16_t *positions, int16_t *values, int32_t count) {
    for (int32_t i = 0; i + LANES <= count; i += LANES)
        lanes_store(values + i, tanh_at(lanes_load((const int16_t *)positions + i, LANES)), LANES);
}

const struct shelfcast_functions SET(functions) = {SET(step), SET(run), SET(tanh)};
