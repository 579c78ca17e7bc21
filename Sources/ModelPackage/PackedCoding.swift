/// A tensor as its few distinct values and, for each element, which of them: what 4-bit, ternary, binary and
/// shared weights all are. FORMAT.md, "Packed".
package enum PackedCoding {
    /// How many elements share a byte where whole digits to the base of the table's size beat whole bits; 0 elsewhere.
    /// Five trits take a byte: 1.6 bits each instead of 2.
    static func digitsPerByte(values: Int) -> Int {
        switch values {
        case 3: 5
        case 5, 6: 3
        default: 0
        }
    }

    static func bitsPerElement(values: Int) -> Int {
        var bits = 0
        while 1 << bits < values { bits += 1 }
        return bits
    }

    /// What `encode` gives, in bytes.
    static func byteCount(elements: Int, values: Int) -> Int {
        let digits = digitsPerByte(values: values)
        let body =
            digits > 0
            ? (elements + digits - 1) / digits
            : (elements * bitsPerElement(values: values) + 7) / 8
        return 1 + values + body
    }

    /// - Parameter weights: at least one.
    package static func encode(_ weights: [Int8]) -> [UInt8] {
        let table = ValueTable(of: weights)
        var writer = ByteWriter()
        table.write(to: &writer)
        let digits = digitsPerByte(values: table.values.count)
        if digits > 0 {
            var start = 0
            while start < weights.count {
                let end = min(start + digits, weights.count)
                var byte = 0
                for weight in weights[start..<end].reversed() {
                    byte = byte * table.values.count + table.index(of: weight)
                }
                writer.byte(UInt8(byte))
                start = end
            }
        } else {
            let width = bitsPerElement(values: table.values.count)
            var bits = BitWriter()
            for weight in weights { bits.bits(UInt32(table.index(of: weight)), count: width) }
            bits.finish()
            writer.raw(bits.bytes)
        }
        return writer.bytes
    }

    /// - Parameters:
    ///   - count: of elements, from the network's shape.
    ///   - index: of the tensor, for errors.
    package static func decode(
        count: Int, from reader: inout ByteReader, index: Int, place: PlaceWeight
    ) throws(PackageError) {
        let table = try CodedTable(from: &reader, index: index)
        let size = table.count
        let digits = digitsPerByte(values: size)
        if digits > 0 {
            var element = 0
            while element < count {
                var rest = Int(try reader.byte())
                for _ in 0..<min(digits, count - element) {
                    try place(element, table[rest % size])
                    element += 1
                    rest /= size
                }
                guard rest == 0 else { throw .field(.codeSymbol, index: index) }
            }
        } else {
            let width = bitsPerElement(values: size)
            var bits = BitReader()
            for element in 0..<count {
                let symbol = try bits.bits(width, &reader)
                guard symbol < size else { throw .field(.codeSymbol, index: index) }
                try place(element, table[symbol])
            }
            guard bits.endsClean else { throw .field(.codeSymbol, index: index) }
        }
    }
}

/// A tensor's distinct values, ascending.
struct ValueTable {
    private(set) var values: [Int8]

    /// - Parameter weights: at least one.
    init(of weights: [Int8]) {
        var present = [Bool](repeating: false, count: 256)
        for weight in weights { present[Int(weight) + 128] = true }
        values = []
        for i in 0..<256 where present[i] { values.append(Int8(i - 128)) }
    }

    init(ascending values: [Int8]) { self.values = values }

    /// - Precondition: `value` is in the table.
    func index(of value: Int8) -> Int {
        var (low, high) = (0, values.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Where the values begin that are not negative; the last one when all are.
    var center: Int {
        var center = 0
        while center < values.count - 1, values[center] < 0 { center += 1 }
        return center
    }

    /// How many less one, and the values.
    func write(to writer: inout ByteWriter) {
        writer.byte(UInt8(values.count - 1))
        writer.raw(values.map { UInt8(bitPattern: $0) })
    }
}
