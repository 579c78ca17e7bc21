import CZlib

/// How a section's bytes are stored. Raw values are FORMAT.md's.
enum Packing: UInt8, CaseIterable {
    case stored = 0
    case deflate = 1
    /// Deflate with `PackingDictionary` already in its window: what makes a text of a hundred bytes shrink at all.
    case deflateWithDictionary = 2

    /// The smallest of the three; the earlier one when two are equal.
    /// - Parameter unpackedBytesMax: content that takes more is stored: unpacking takes memory.
    static func smallest(
        _ content: [UInt8], unpackedBytesMax: Int
    ) -> (packing: Packing, bytes: [UInt8]) {
        var best = (packing: Packing.stored, bytes: content)
        guard content.count <= unpackedBytesMax else { return best }
        for packing in [Packing.deflate, .deflateWithDictionary] {
            let packed = packing.pack(content)
            // A packed section also states its packed length: one byte, two from 128 on, three from 16,384 on.
            let head = packed.count < 128 ? 1 : packed.count < 16_384 ? 2 : 3
            let bestHead = best.packing == .stored ? 0 : head
            if packed.count + head < best.bytes.count + bestHead { best = (packing, packed) }
        }
        return best
    }

    /// - Precondition: `content` is at most a section's `bytesMax`.
    private func pack(_ content: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        // -15: deflate without zlib's header and checksum; the package's digest guards the bytes.
        var status = deflateInit2_(
            &stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib has no memory")
        defer { deflateEnd(&stream) }
        if self == .deflateWithDictionary {
            let dictionary = PackingDictionary.bytes
            status = deflateSetDictionary(&stream, dictionary, UInt32(dictionary.count))
            precondition(status == Z_OK)
        }
        var source = content
        var target = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(content.count))))
        let packedBytes = source.withUnsafeMutableBufferPointer { source in
            target.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                status = CZlib.deflate(&stream, Z_FINISH)
                return target.count - Int(stream.avail_out)
            }
        }
        precondition(status == Z_STREAM_END, "deflateBound is enough for one call")
        return [UInt8](target[..<packedBytes])
    }

    /// - Parameter target: of the size that was announced and checked against its ceiling.
    /// - Returns: whether `packed` is one complete stream of exactly that size and nothing more.
    func unpack(
        _ packed: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        guard self == .stored else {
            return Inflate.unpack(
                packed, into: target, dictionary: self == .deflateWithDictionary)
        }
        guard packed.count == target.count else { return false }
        for i in packed.indices { target[i] = packed[i] }
        return true
    }
}

/// What deflate has in its window beforehand, the likeliest text last. Belongs to the format: a changed byte is a new
/// version.
package enum PackingDictionary {
    /// From a golden vector: an item without a start, its level 4, a day on, and everything odd in its window.
    private static var oddDays: InlineArray<24, UInt8> {
        [
            0, 0, 0, 0x80, 0x40, 2, 0xC2, 0x84, 0x3D, 1, 2, 0, 3, 0x0B, 5, 0xC2, 0x84, 0x3D, 1, 2,
            0,
            3, 0x0B, 5,
        ]
    }
    private static var texts: StaticString {
        """
        fastgrnn-int8-v2 | gru-int8-v2 plain calendar profile fastgrnn8 gru4 inputs=weekday,month,year \
        window=28 | fold | shrink 25% | codebook 16 over=network | lowrank 4 of=recurrent | fp16 | ternary | \
        binary | distill from=self lesson=features truth=0.5 epochs=20 rate=0.0001 | prune 70% by=gradient \
        rounds=4 | distill from=lstm64x3 form=plain | finetune | qat int4 scale=gate range=error | huffman \
        | range | packed | zlib | lstm64 form=calendar | lstm2 form=profile | qat int8 | smallest\
        2013-01-01 2014-12-31 2015-06-30 2016-12-31 2017-12-31 2025-12-31 2026-06-30 sha256:0123456789abcdef \
        days rows series stores items epochs percentile 99.9 quantization-aware training, pruned, distilled, \
        lstm-64 lstm-32 lstm-16 lstm-8 lstm-4 lstm-2 lstm-1 units window calendar-64 calendar-32 calendar-16 \
        calendar-8 calendar-4 plain-64 plain-32 plain-16 plain-8 profile-16 profile-8 profile-4 profile-2 \
        \u{1}\u{C}lstm-int8-v2post-training int8, per-row symmetric, calibrated on 256 windowssnapshot , seed 1
        """
    }

    package static var count: Int { 24 + texts.utf8CodeUnitCount }

    /// - Parameter index: 0..<`count`.
    static func byte(_ index: Int) -> UInt8 {
        index < 24 ? oddDays[index] : texts.utf8Start[index - 24]
    }

    package static var bytes: [UInt8] { (0..<count).map(byte) }
}
