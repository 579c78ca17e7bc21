import ModelPackage
import Testing

/// Streams on which implementations differ; zlib says which is right. `package-fuzzer` compares the rest.
@Suite("Deflate streams")
struct InflateTests {
    @Test("A block that has nothing but its end may have a code of one symbol")
    func loneEnd() {
        // A dynamic block; literals: symbol 256 with one bit; distances: none.
        let packed: [UInt8] = [5, 0xC0, 0x81, 0, 0, 0, 0, 0, 0x90, 0xFF, 0x6B, 0]
        #expect(Self.unpacks(packed, bytes: 0))
    }

    @Test("Thirty distances of five bits each are no code, though the fixed one has them")
    func incompleteDistances() {
        // A dynamic block; literals: symbols 255 and 256 with one bit each.
        let packed: [UInt8] = [
            5, 0xDD, 1, 1, 0, 0x10, 0, 0, 0xA0, 0xFF, 0xAB, 0x0B, 0, 0, 0, 8,
        ]
        #expect(!Self.unpacks(packed, bytes: 0))
    }

    private static func unpacks(_ packed: [UInt8], bytes: Int) -> Bool {
        let target = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes)
        defer { target.deallocate() }
        return packed.withUnsafeBufferPointer {
            Inflate.unpack($0, into: target, dictionary: false)
        }
    }
}
