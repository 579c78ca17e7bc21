import CZlib
import ModelPackage

/// The stock implementation of what `Inflate` does.
enum Zlib {
    struct Outcome {
        /// Whether the stream came to its end.
        var isComplete: Bool
        var bytesRead: Int
        var bytes: [UInt8]
    }

    /// - Parameter bytesMax: a stream of more is not complete.
    static func inflate(_ packed: [UInt8], bytesMax: Int, hasDictionary: Bool) -> Outcome {
        var stream = z_stream()
        let opened = inflateInit2_(
            &stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(opened == Z_OK, "zlib has no memory")
        defer { inflateEnd(&stream) }
        if hasDictionary {
            inflateSetDictionary(&stream, dictionary, UInt32(dictionary.count))
        }
        var source = packed
        var status = Z_OK
        // zlib takes no null pointers, also for nothing.
        var target = [UInt8](repeating: 0, count: max(bytesMax, 1))
        source.append(0)
        source.withUnsafeMutableBufferPointer { source in
            target.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(packed.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(bytesMax)
                status = CZlib.inflate(&stream, Z_FINISH)
            }
        }
        return Outcome(
            isComplete: status == Z_STREAM_END, bytesRead: packed.count - Int(stream.avail_in),
            bytes: [UInt8](target.prefix(bytesMax - Int(stream.avail_out))))
    }

    static func inflated(_ packed: [UInt8], bytes: Int, hasDictionary: Bool) -> [UInt8]? {
        let outcome = inflate(packed, bytesMax: bytes, hasDictionary: hasDictionary)
        return outcome.isComplete && outcome.bytes.count == bytes ? outcome.bytes : nil
    }

    /// - Parameters:
    ///   - level: 0...9.
    ///   - strategy: `Z_DEFAULT_STRATEGY` to `Z_FIXED`: 0...4.
    static func deflate(
        _ content: [UInt8], level: Int32, strategy: Int32, hasDictionary: Bool
    ) -> [UInt8] {
        var stream = z_stream()
        let opened = deflateInit2_(
            &stream, level, Z_DEFLATED, -15, 9, strategy, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(opened == Z_OK, "zlib has no memory")
        defer { deflateEnd(&stream) }
        if hasDictionary {
            deflateSetDictionary(&stream, dictionary, UInt32(dictionary.count))
        }
        var source = content + [0]
        // `deflateBound` is too little for some strategies.
        var target = [UInt8](repeating: 0, count: 2 * content.count + 256)
        var status = Z_OK
        source.withUnsafeMutableBufferPointer { source in
            target.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(content.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                status = CZlib.deflate(&stream, Z_FINISH)
            }
        }
        precondition(status == Z_STREAM_END, "twice the bytes are enough")
        return [UInt8](target.prefix(target.count - Int(stream.avail_out)))
    }

    private static let dictionary = PackingDictionary.bytes
}
