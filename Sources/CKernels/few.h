// An LSTM of up to four units on x86. A day of it waits for its own results and not for the CPU's units, so that what counts
// is the number of instructions one after the other: all gates are in one register, the state never leaves its own, and
// whatever does not depend on the day before is made ready beside it.

// Four lanes of 32 bits for each gate, i f and g o. Lanes without a unit get some row or other, and nothing reads what becomes
// of it.
struct four_gates_rows {
    rows first, last;
};

// The row of each lane.
struct four_places {
    int32_t of[16];
};

INLINE struct four_places four_places_of(int32_t units) {
    struct four_places places;
    for (int32_t lane = 0; lane < 16; lane++)
        places.of[lane] = (lane / 4) * units + (lane % 4 < units ? lane % 4 : 0);
    return places;
}

// From rows in eights, as they lie in memory.
INLINE struct four_gates_rows four_arrange(
    const rows *eights, const int blocks, const struct four_places *places) {
    rows first = _mm256_loadu_si256((const __m256i *)places->of);
    rows last = _mm256_loadu_si256((const __m256i *)(places->of + 8));
    struct four_gates_rows low = {
        _mm256_permutevar8x32_epi32(eights[0], first), _mm256_permutevar8x32_epi32(eights[0], last)};
    if (blocks == 1) return low;
    const rows seven = _mm256_set1_epi32(7);
    return (struct four_gates_rows){
        _mm256_blendv_epi8(
            low.first, _mm256_permutevar8x32_epi32(eights[1], first), _mm256_cmpgt_epi32(first, seven)),
        _mm256_blendv_epi8(
            low.last, _mm256_permutevar8x32_epi32(eights[1], last), _mm256_cmpgt_epi32(last, seven)),
    };
}

// `RowMultiplier.rescale` added to what `twice` is 2 a + 1 of: (v >> (s - 1)) + 2 a + 1 has 31 bits.
INLINE rows four_rescale_onto(rows twice, rows sums, rows mantissa, rows shift) {
    rows cut = _mm256_srav_epi32(_mm256_mullo_epi32(sums, mantissa), shift);
    return _mm256_srai_epi32(_mm256_add_epi32(cut, twice), 1);
}

// `state_tanh` in fewer instructions, the branch being the same every day.
INLINE lanes four_tanh(lanes state, const struct scales *s) {
    lanes size = lanes_size(state);
    lanes position = s->state_right
        ? lanes_mean_unsigned(size, lanes_all(0))
        : lanes_shift_left_by(lanes_min_unsigned(size, s->state_limit), s->state_left);
    return lanes_with_sign(tanh_at(position), state);
}

INLINE void four_days(
    const struct shelfcast_network *n, const struct scales *s, const int8_t *window, int32_t days,
    const int blocks) {
    const struct four_places places = four_places_of(n->units);
    rows bias[2], code[2], tiles[2], x[2];
    for (int i = 0; i < blocks; i++) {
        bias[i] = rows_load(n->bias + 8 * i, 8);
        tiles[i] = _mm256_loadu_si256((const __m256i *)(n->recurrent.tiles + 32 * i));
        code[i] = _mm256_cvtepu16_epi32(
            _mm_loadu_si128((const __m128i *)(n->recurrent.multipliers + 8 * i)));
    }
    const struct four_gates_rows weights = four_arrange(tiles, blocks, &places);
    const struct four_gates_rows codes = four_arrange(code, blocks, &places);
    const rows low = _mm256_set1_epi32(511), one = _mm256_set1_epi32(1);
    const rows first_mantissa = _mm256_and_si256(codes.first, low);
    const rows last_mantissa = _mm256_and_si256(codes.last, low);
    const rows first_shift = _mm256_srli_epi32(codes.first, 9);
    const rows last_shift = _mm256_srli_epi32(codes.last, 9);
    // In the order of `sums` below: i g f o.
    const lanes candidate = _mm256_setr_epi64x(0, -1, 0, 0);
    const lanes half = _mm256_andnot_si256(candidate, lanes_all(-32768));
    rows four = rows_zero();
    lanes state = lanes_all(0);
    for (int32_t t = 0; t < days; t++) {
        const int8_t *input = window + (size_t)t * 4 * (size_t)n->input.quads;
        kernel_products(&n->input, 1, 0, blocks, input, x);
        for (int i = 0; i < blocks; i++)
            x[i] = rows_add(bias[i], rows_rescale(x[i], n->input.multipliers + 8 * i, 8));
        struct four_gates_rows twice = four_arrange(x, blocks, &places);
        twice.first = rows_add(rows_add(twice.first, twice.first), one);
        twice.last = rows_add(rows_add(twice.last, twice.last), one);

        rows sizes = _mm256_abs_epi8(four);
        rows first = dot(rows_zero(), sizes, _mm256_sign_epi8(weights.first, four));
        rows last = dot(rows_zero(), sizes, _mm256_sign_epi8(weights.last, four));
        lanes sums = _mm256_packs_epi32(
            four_rescale_onto(twice.first, first, first_mantissa, first_shift),
            four_rescale_onto(twice.last, last, last_mantissa, last_shift));

        // Twice the size is at most 65535 here and 65534 in the definition: the same in the last segment.
        lanes size = lanes_size(sums);
        struct tanh_parts parts =
            tanh_parts_at(_mm256_adds_epu16(size, _mm256_and_si256(size, candidate)));
        lanes y = lanes_add(
            lanes_add(half, lanes_with_sign(parts.value, sums)), lanes_with_sign(parts.rest, sums));
        lanes sigmoid = lanes_mean_unsigned(y, lanes_all(0));
        __m128i input_gate = _mm_shuffle_epi32(_mm256_castsi256_si128(sigmoid), 0x44);
        __m128i new_value = _mm_shuffle_epi32(_mm256_castsi256_si128(y), 0xEE);
        __m128i others = _mm256_extracti128_si256(sigmoid, 1);
        __m128i forget_gate = _mm_shuffle_epi32(others, 0x44);
        __m128i output_gate = _mm_shuffle_epi32(others, 0xEE);

        // The four units twice from here on: narrowed, their bytes fill sixteen.
        lanes added = lanes_product(
            _mm256_castsi128_si256(_mm_mulhrs_epi16(input_gate, new_value)), s->cell);
        state = lanes_add_saturating(
            lanes_product(_mm256_castsi128_si256(forget_gate), state), added);
        lanes hidden = lanes_product(
            lanes_product(_mm256_castsi128_si256(output_gate), four_tanh(state, s)), s->hidden);
        four = _mm256_broadcastsi128_si256(_mm256_castsi256_si128(lanes_narrow(hidden)));
    }
    lanes_store(n->state, state, 8);
    int32_t bytes = _mm_cvtsi128_si32(_mm256_castsi256_si128(four));
    __builtin_memcpy(n->hidden, &bytes, 4);
}

INLINE void days_of_few(
    const struct shelfcast_network *n, const struct scales *s, const int8_t *window, int32_t days) {
    if (n->units > 2)
        four_days(n, s, window, days, 2);
    else
        four_days(n, s, window, days, 1);
}
