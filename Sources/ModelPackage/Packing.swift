import CZlib

/// How a section's bytes are stored. Raw values are FORMAT.md's.
enum Packing: UInt8, CaseIterable {
    case stored = 0
    case deflate = 1
    /// Deflate with `dictionary` already in its window: what makes a text of a hundred bytes shrink at all.
    case deflateWithDictionary = 2

    /// What deflate has in its window beforehand, the likeliest text last. Belongs to the format: a changed byte is a new
    /// version.
    static let dictionary: [UInt8] = oddDays + [UInt8](texts.utf8)

    /// From a golden vector: an item without a start, its level 4, a day on, and everything odd in its window.
    private static let oddDays: [UInt8] = [
        0, 0, 0, 0x80, 0x40, 2, 0xC2, 0x84, 0x3D, 1, 2, 0, 3, 0x0B, 5, 0xC2, 0x84, 0x3D, 1, 2, 0, 3,
        0x0B,
        5,
    ]
    private static let texts = """
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

    /// What inflating takes: a window of 32 KiB and "about 7 kilobytes", as zlib's zconf.h counts them.
    static let inflatingBytes = 39 * 1_024

    /// The smallest of the three; the earlier one when two are equal.
    static func smallest(_ content: [UInt8]) -> (packing: Packing, bytes: [UInt8]) {
        var best = (packing: Packing.stored, bytes: content)
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
            let dictionary = Self.dictionary
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

    /// - Parameter unpackedBytes: announced, and already checked against its ceiling: no more is ever allocated.
    /// - Returns: nil unless `packed` is one complete stream of exactly `unpackedBytes` and nothing more.
    func unpack(_ packed: ArraySlice<UInt8>, unpackedBytes: Int) -> [UInt8]? {
        if self == .stored { return packed.count == unpackedBytes ? [UInt8](packed) : nil }
        var stream = z_stream()
        guard
            inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { inflateEnd(&stream) }
        if self == .deflateWithDictionary {
            let dictionary = Self.dictionary
            guard
                inflateSetDictionary(&stream, dictionary, UInt32(dictionary.count))
                    == Z_OK
            else { return nil }
        }
        var source = [UInt8](packed)
        // One more than announced, so that a stream that goes on is noticed.
        var target = [UInt8](repeating: 0, count: unpackedBytes + 1)
        let status = source.withUnsafeMutableBufferPointer { source in
            target.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                return inflate(&stream, Z_FINISH)
            }
        }
        guard status == Z_STREAM_END, stream.avail_in == 0, stream.avail_out == 1 else {
            return nil
        }
        target.removeLast()
        return target
    }
}
