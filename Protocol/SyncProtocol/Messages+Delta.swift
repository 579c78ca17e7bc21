/// That the wanted package may also come as what differs from another one (SPEC 8.6).
package struct DeltaOffer: WireMessage, Equatable, Sendable {
    /// SHA-256 of the delta, to be fetched by it.
    package var digest: [UInt8] = []
    package var bytes: UInt32 = 0
    /// The package it starts from: the first 8 bytes of its SHA-256, read as one big-endian number.
    package var base: UInt64 = 0

    package init() {}

    package init(digest: [UInt8] = [], bytes: UInt32 = 0, base: UInt64 = 0) {
        self.digest = digest
        self.bytes = bytes
        self.base = base
    }

    package func encode(to writer: inout WireWriter) {
        writer.bytes(1, digest)
        writer.uint32(2, bytes)
        writer.uint64(3, base)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: digest = try reader.bytes(bytesMax: Limit.digestBytes)
        case 2: bytes = try reader.uint32()
        case 3: base = try reader.uint64()
        default: try reader.skip()
        }
    }

    /// How a package is named as a base.
    /// - Parameter digest: its SHA-256.
    package static func base(of digest: [UInt8]) -> UInt64 {
        digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
