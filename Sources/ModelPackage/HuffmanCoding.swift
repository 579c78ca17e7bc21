/// Canonical Huffman codes of a tensor's values: "A Method for the Construction of Minimum-Redundancy Codes"
/// (Huffman 1952), canonical as in RFC 1951, 3.2.2, no code longer than 15 bits by package-merge ("A Fast Algorithm
/// for Optimal Length-Limited Huffman Codes", Larmore and Hirschberg 1990). FORMAT.md, "Huffman".
package enum HuffmanCoding {
    package static let lengthMax = 15

    /// Optimal code lengths of at most `lengthMax`.
    ///
    /// - Parameter counts: how often each symbol occurs; at most 256 symbols.
    /// - Returns: 0 for a symbol that does not occur; 1 for one that is alone.
    package static func lengths(of counts: [Int]) -> [Int] {
        precondition(counts.count <= 256)
        var lengths = [Int](repeating: 0, count: counts.count)
        var symbols = counts.indices.filter { counts[$0] > 0 }
        guard symbols.count > 1 else {
            for symbol in symbols { lengths[symbol] = 1 }
            return lengths
        }
        // By count, then by symbol: the same counts give the same lengths.
        symbols.sort { (counts[$0], $0) < (counts[$1], $1) }
        let leaves = symbols.map { Node(weight: counts[$0], members: [$0]) }
        var level = leaves
        for _ in 1..<lengthMax {
            var packages: [Node] = []
            var i = 0
            while i + 1 < level.count {
                packages.append(
                    Node(
                        weight: level[i].weight + level[i + 1].weight,
                        members: level[i].members + level[i + 1].members))
                i += 2
            }
            level = merged(leaves, packages)
        }
        for node in level.prefix(2 * symbols.count - 2) {
            for symbol in node.members { lengths[symbol] += 1 }
        }
        return lengths
    }

    /// A coin of package-merge: the symbols it would lengthen and what that costs.
    private struct Node {
        var weight: Int
        var members: [Int]
    }

    /// Both are ascending; leaves go before packages of the same weight.
    private static func merged(_ leaves: [Node], _ packages: [Node]) -> [Node] {
        var result: [Node] = []
        var (l, p) = (0, 0)
        while l < leaves.count || p < packages.count {
            if p == packages.count || l < leaves.count && leaves[l].weight <= packages[p].weight {
                result.append(leaves[l])
                l += 1
            } else {
                result.append(packages[p])
                p += 1
            }
        }
        return result
    }

    /// - Parameter weights: at least one.
    package static func encode(_ weights: [Int8]) -> [UInt8] {
        let table = ValueTable(of: weights)
        let (low, high) = (Int(table.values[0]), Int(table.values[table.values.count - 1]))
        var counts = [Int](repeating: 0, count: high - low + 1)
        for weight in weights { counts[Int(weight) - low] += 1 }
        let lengths = lengths(of: counts)
        let codes = CanonicalCode(lengths.map { UInt8($0) }).codes
        var writer = ByteWriter()
        writer.byte(UInt8(bitPattern: Int8(low)))
        writer.byte(UInt8(high - low))
        var bits = BitWriter()
        writeLengths(lengths, to: &bits)
        if table.values.count > 1 {
            for weight in weights {
                let symbol = Int(weight) - low
                // A code's first bit is its highest.
                for bit in (0..<lengths[symbol]).reversed() {
                    bits.bits(codes[symbol] >> UInt32(bit) & 1, count: 1)
                }
            }
        }
        bits.finish()
        writer.raw(bits.bytes)
        return writer.bytes
    }

    /// Four bits a length; 0, and four bits more, stand for 1 to 16 symbols without a code.
    private static func writeLengths(_ lengths: [Int], to bits: inout BitWriter) {
        var i = 0
        while i < lengths.count {
            bits.bits(UInt32(lengths[i]), count: 4)
            if lengths[i] > 0 {
                i += 1
                continue
            }
            var run = 1
            while run < 16, lengths[i + run] == 0 { run += 1 }
            bits.bits(UInt32(run - 1), count: 4)
            i += run
        }
    }

    /// - Parameters:
    ///   - count: of elements, from the network's shape.
    ///   - index: of the tensor, for errors.
    @inline(never)
    package static func decode(
        count: Int, from reader: inout ByteReader, index: Int, place: PlaceWeight
    ) throws(PackageError) {
        let low = Int(Int8(bitPattern: try reader.byte()))
        let symbols = Int(try reader.byte()) + 1
        guard low + symbols <= 128 else { throw .field(.codeTable, index: index) }
        var bits = BitReader()
        var lengths = InlineArray<256, UInt8>(repeating: 0)
        var known = 0
        while known < symbols {
            let length = try bits.bits(4, &reader)
            if length > 0 {
                lengths[known] = UInt8(length)
                known += 1
                continue
            }
            known += try bits.bits(4, &reader) + 1
            guard known <= symbols else { throw .field(.codeLengths, index: index) }
        }
        let code = CanonicalDecoder(lengths, count: symbols)
        // First and last value have codes, or the table would be shorter; and every string of bits is a code.
        guard lengths[0] > 0, lengths[symbols - 1] > 0, code.isComplete else {
            throw .field(.codeLengths, index: index)
        }
        guard code.used > 1 else {
            guard bits.endsClean else { throw .field(.codeSymbol, index: index) }
            for element in 0..<count { try place(element, Int8(low)) }
            return
        }
        for element in 0..<count {
            // `first` is the first code of its length, `before` how many shorter ones there are.
            var (value, first, before, length) = (0, 0, 0, 1)
            while true {
                value |= try bits.bit(&reader)
                let ofLength = Int(code.counts.span[length])
                if value - first < ofLength { break }
                before += ofLength
                first = (first + ofLength) << 1
                value <<= 1
                // A complete code ends within `lengthMax` bits.
                length += 1
            }
            try place(element, Int8(low + Int(code.symbols.span[before + value - first])))
        }
        guard bits.endsClean else { throw .field(.codeSymbol, index: index) }
    }
}

/// A code as a device reads by it: on the stack.
private struct CanonicalDecoder: ~Copyable {
    /// How many codes there are of each length; none of length 0.
    private(set) var counts = InlineArray<16, UInt16>(repeating: 0)
    /// By code.
    private(set) var symbols = InlineArray<256, UInt8>(repeating: 0)
    private(set) var used = 0

    /// - Parameter lengths: 0...`HuffmanCoding.lengthMax`, of `count` symbols.
    init(_ lengths: InlineArray<256, UInt8>, count: Int) {
        let lengths = lengths.span
        for i in 0..<count where lengths[i] > 0 { counts[Int(lengths[i])] += 1 }
        for length in 1...UInt8(HuffmanCoding.lengthMax) {
            for i in 0..<count where lengths[i] == length {
                symbols[used] = UInt8(i)
                used += 1
            }
        }
    }

    /// No code begins another, and none is missing. A symbol alone has the length 1 and takes no bits.
    var isComplete: Bool {
        if used == 1 { return counts[1] == 1 }
        var free = 1
        for length in 1...HuffmanCoding.lengthMax {
            free = free * 2 - Int(counts[length])
            guard free >= 0 else { return false }
        }
        return free == 0
    }
}

/// A code as its lengths give it (RFC 1951, 3.2.2): shorter codes first, equal ones in the symbols' order.
private struct CanonicalCode {
    private let lengths: [UInt8]
    /// By code.
    private var symbols: [UInt8] = []

    /// - Parameter lengths: 0...`lengthMax`.
    init(_ lengths: [UInt8]) {
        self.lengths = lengths
        for length in 1...UInt8(HuffmanCoding.lengthMax) {
            for symbol in lengths.indices where lengths[symbol] == length {
                symbols.append(UInt8(symbol))
            }
        }
    }

    /// By symbol.
    var codes: [UInt32] {
        var codes = [UInt32](repeating: 0, count: lengths.count)
        var (code, length): (UInt32, UInt8) = (0, 0)
        for symbol in symbols {
            let symbol = Int(symbol)
            code <<= UInt32(lengths[symbol] - length)
            length = lengths[symbol]
            codes[symbol] = code
            code += 1
        }
        return codes
    }
}
