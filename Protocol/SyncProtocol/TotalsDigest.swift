/// Tells totals of a day from others (SPEC 10.6): FNV-1a over 32 bits.
package struct TotalsDigest: Sendable {
    private var hash: UInt32 = 2_166_136_261
    package private(set) var itemCount: UInt32 = 0

    package init() {}

    /// Items that sold something, ascending by the bytes of their names.
    package mutating func add(_ item: some Sequence<UInt8>, units: UInt32) {
        itemCount += 1
        for byte in item { take(byte) }
        // No item has one of these.
        take(0)
        for shift: UInt32 in [0, 8, 16, 24] { take(UInt8(truncatingIfNeeded: units >> shift)) }
    }

    package var value: UInt32 { hash == 0 ? 1 : hash }

    private mutating func take(_ byte: UInt8) { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
}
