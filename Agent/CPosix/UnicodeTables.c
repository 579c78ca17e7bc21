// Embedded Swift leaves the Unicode tables out of its runtime; String's == and hash ask them how to
// normalise text. Every text the agent compares is an ASCII name of its own or of the protocol, so here
// every scalar is its own normal form and texts are equal when their code points are. That keeps 100 KB of
// tables off the device. The ordinary build has the real ones, and none of this.
#ifdef SHELFCAST_EMBEDDED
#include <stdint.h>

uint16_t _swift_stdlib_getNormData(uint32_t scalar);
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar);
uint32_t _swift_stdlib_getComposition(uint32_t first, uint32_t second);
extern const uint8_t _swift_stdlib_nfd_decompositions[];

/// Combining class 0, and already in NFC and NFD.
uint16_t _swift_stdlib_getNormData(uint32_t scalar) { (void)scalar; return 0; }
/// None. Never asked for: nothing is marked as decomposable.
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar) { (void)scalar; return 0; }
/// UINT32_MAX: the two do not combine.
uint32_t _swift_stdlib_getComposition(uint32_t first, uint32_t second) {
    (void)first;
    (void)second;
    return UINT32_MAX;
}
const uint8_t _swift_stdlib_nfd_decompositions[1] = {0};
#endif
