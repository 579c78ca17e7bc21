/// Why a text is no identifier.
package enum IdentifierError: Error, Equatable, Sendable {
    /// Empty, or longer than `Identifier.bytesMax`.
    case length(bytes: Int, bytesMax: Int)
    /// Not printable ASCII, or one of space, comma, quote and backslash.
    case character(byte: UInt8, at: Int)
}

/// The name of a store, an item or a device: 1 to 32 printable ASCII characters without space, comma,
/// double or single quote, or backslash, so that it passes through CSV, JSON, SQL and a shell unescaped.
/// `Kind` keeps the three apart at compile time.
package struct Identifier<Kind>: Hashable, Comparable, Sendable {
    package static var bytesMax: Int { 32 }

    package let utf8: [UInt8]

    package init(utf8: some Collection<UInt8>) throws(IdentifierError) {
        try Self.check(utf8)
        self.utf8 = [UInt8](utf8)
    }

    /// Whether these bytes are an identifier.
    package static func check(_ utf8: some Collection<UInt8>) throws(IdentifierError) {
        guard utf8.count >= 1, utf8.count <= Self.bytesMax else {
            throw .length(bytes: utf8.count, bytesMax: Self.bytesMax)
        }
        var position = 0
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\"):
                throw .character(byte: byte, at: position)
            case 0x21...0x7E: position += 1
            default: throw .character(byte: byte, at: position)
            }
        }
    }

    package init(_ text: String) throws(IdentifierError) {
        try self.init(utf8: [UInt8](text.utf8))
    }

    package var text: String { String(decoding: utf8, as: UTF8.self) }

    /// Numbers first and by value (then by length: `7` before `07`), everything else by its bytes.
    package static func < (a: Identifier, b: Identifier) -> Bool {
        a.utf8.withUnsafeBufferPointer { a in
            b.utf8.withUnsafeBufferPointer { b in precedes(a, b) }
        }
    }

    /// `<` of two identifiers' bytes.
    package static func precedes(
        _ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        switch (leadingZeros(a), leadingZeros(b)) {
        case (let zerosA?, let zerosB?):
            let digitsA = a.count - zerosA
            let digitsB = b.count - zerosB
            if digitsA != digitsB { return digitsA < digitsB }
            for i in 0..<digitsA where a[zerosA + i] != b[zerosB + i] {
                return a[zerosA + i] < b[zerosB + i]
            }
            return a.count < b.count
        case (.some, nil): return true
        case (nil, .some): return false
        case (nil, nil): return a.lexicographicallyPrecedes(b)
        }
    }

    /// How many zeros a number begins with; nil when this is no number.
    private static func leadingZeros(_ utf8: UnsafeBufferPointer<UInt8>) -> Int? {
        var zeros = 0
        var onlyZeros = true
        for byte in utf8 {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            if byte != UInt8(ascii: "0") { onlyZeros = false }
            if onlyZeros { zeros += 1 }
        }
        return zeros
    }
}

package enum ItemKind {}
package enum StoreKind {}
package enum DeviceKind {}

package typealias ItemID = Identifier<ItemKind>
package typealias StoreID = Identifier<StoreKind>
package typealias DeviceID = Identifier<DeviceKind>
