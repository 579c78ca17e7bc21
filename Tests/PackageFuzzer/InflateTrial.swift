import ModelPackage

/// One deflate stream, unpacked by our implementation and by zlib.
struct InflateTrial {
    /// What went wrong; nil for nothing.
    private(set) var fault: String?
    private(set) var isComplete = false

    init(_ packed: [UInt8], hasDictionary: Bool) {
        let stock = Zlib.inflate(packed, bytesMax: Self.bytesMax, hasDictionary: hasDictionary)
        isComplete = stock.isComplete
        let count = stock.bytes.count
        guard stock.isComplete else {
            // However much it is to give, there is no such stream; as much as zlib made of it is the likeliest to be believed.
            for wanted in [count, count + 1] where wanted < Self.bytesMax {
                if Self.unpack(packed, bytes: wanted, hasDictionary) != nil {
                    fault = "takes a stream that zlib refuses, for \(wanted) bytes"
                }
            }
            return
        }
        let whole = PackageParts.exactly([UInt8](packed.prefix(stock.bytesRead)))
        guard let ours = Self.unpack(whole, bytes: count, hasDictionary) else {
            fault = "refuses a stream of \(count) bytes that zlib takes"
            return
        }
        if ours != stock.bytes { fault = "unpacks other bytes than zlib" }
        if Self.unpack(whole, bytes: count + 1, hasDictionary) != nil
            || count > 0 && Self.unpack(whole, bytes: count - 1, hasDictionary) != nil
            || Self.unpack(whole.dropLast(), bytes: count, hasDictionary) != nil
            || Self.unpack(whole + [0], bytes: count, hasDictionary) != nil
        {
            fault = "takes a stream of another length"
        }
    }

    private static let bytesMax = 4_096

    private static func unpack(
        _ packed: some Collection<UInt8>, bytes: Int, _ hasDictionary: Bool
    ) -> [UInt8]? {
        let source = [UInt8](packed)
        var isWhole = false
        let target = [UInt8](unsafeUninitializedCapacity: bytes) { target, count in
            // A buffer may be larger than what was asked for.
            let exact = UnsafeMutableBufferPointer(rebasing: target[..<bytes])
            isWhole = source.withUnsafeBufferPointer {
                Inflate.unpack($0, into: exact, dictionary: hasDictionary)
            }
            count = isWhole ? bytes : 0
        }
        return isWhole ? target : nil
    }
}
