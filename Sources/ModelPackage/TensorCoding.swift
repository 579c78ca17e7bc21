import Forecasting

/// How a package stores the int8 tensors of its network. All of them are lossless: the same network comes back.
package enum TensorCoding: UInt8, CaseIterable, Sendable {
    /// For every tensor whichever makes the file smallest.
    case smallest
    /// A byte each.
    case plain
    /// `PackedCoding`
    case packed
    /// `HuffmanCoding`
    case huffman
    /// `RangeWeights`
    case range
    /// Kernels as they run, so that a device runs them where they lie in the file: a larger file and a smaller arena.
    case tiles

    package var name: String {
        switch self {
        case .smallest: "smallest"
        case .plain: "plain"
        case .packed: "packed"
        case .huffman: "huffman"
        case .range: "range"
        case .tiles: "tiles"
        }
    }

    package init?(name: String) {
        for coding in Self.allCases where coding.name.utf8.elementsEqual(name.utf8) {
            self = coding
            return
        }
        return nil
    }
}

/// What stands before a coded tensor: the low four bits of a byte; the high ones are the coding's own. Raw values are
/// FORMAT.md's.
package enum CodingTag: UInt8 {
    /// A byte each.
    case int8 = 1
    /// Zigzag varints.
    case signed = 2
    /// Two bytes each, low first.
    case uint16 = 3
    case packed = 5
    case huffman = 6
    case rangeWeights = 7
    case rangeNumbers = 8
    /// A kernel's two factors, each coded in turn.
    case factors = 9
    /// Numbers that each stand for as many equal ones: the multipliers of a gate's rows.
    case shared = 10

    /// The coding's own four bits, or nil when `byte` names another.
    func flags(of byte: UInt8) -> Int? { byte & 15 == rawValue ? Int(byte >> 4) : nil }
}

/// A tensor on its way into a section: what stands in its place, and what it adds to the section's range stream.
struct CodedTensor {
    private(set) var head: [UInt8]
    private var parts: [Part] = []
    /// Of head and stream, in `BitCost.unit`s.
    private(set) var cost: Int

    private enum Part {
        case weights(RangeWeights, [Int8])
        case numbers(RangeNumbers, [Int])
    }

    private init(head: [UInt8]) {
        self.head = head
        cost = head.count * 8 * BitCost.unit
    }

    func write(into encoder: inout RangeEncoder) {
        for part in parts {
            switch part {
            case .weights(let coding, let weights): coding.encode(weights, into: &encoder)
            case .numbers(let coding, let numbers): coding.encode(numbers, into: &encoder)
            }
        }
    }

    /// The cheapest of `codings`, the first of equals.
    /// - Parameters:
    ///   - weights: at least one, within −127...127.
    ///   - codings: at least one; `smallest` is none of them.
    init(weights: [Int8], codings: [TensorCoding]) {
        var best: CodedTensor?
        for coding in codings {
            let tensor = CodedTensor(weights, coding)
            if best.map({ tensor.cost < $0.cost }) ?? true { best = tensor }
        }
        self = best!  // the caller's precondition
    }

    private init(_ weights: [Int8], _ coding: TensorCoding) {
        switch coding {
        case .smallest, .plain, .tiles:
            self.init(head: [CodingTag.int8.rawValue] + weights.map { UInt8(bitPattern: $0) })
        case .packed:
            self.init(head: [CodingTag.packed.rawValue] + PackedCoding.encode(weights))
        case .huffman:
            self.init(head: [CodingTag.huffman.rawValue] + HuffmanCoding.encode(weights))
        case .range:
            let (range, cost) = RangeWeights.cheapest(weights)
            var writer = ByteWriter()
            writer.byte(CodingTag.rangeWeights.rawValue | range.flags << 4)
            range.write(to: &writer)
            self.init(head: writer.bytes)
            self.cost += cost
            parts = [.weights(range, weights)]
        }
    }

    /// A kernel: by its factors where it has them.
    init(kernel: [Int8], factors: KernelFactors?, codings: [TensorCoding]) {
        guard let factors else {
            self.init(weights: kernel, codings: codings)
            return
        }
        var writer = ByteWriter()
        writer.byte(CodingTag.factors.rawValue)
        writer.count(factors.rank)
        writer.byte(UInt8(factors.shift))
        self.init(head: writer.bytes)
        for half in [factors.left, factors.right] {
            let tensor = CodedTensor(weights: half, codings: codings)
            head += tensor.head
            parts += tensor.parts
            cost += tensor.cost
        }
    }

    /// - Parameters:
    ///   - numbers: at least one, each below 2^30 in size.
    ///   - plain: `signed`, or `uint16` where all fit; nil where there is the range stream only.
    ///   - inRange: whether the range stream may have them, if that is cheaper.
    init(numbers: [Int], plain: CodingTag?, inRange: Bool = true) {
        self.init(each: numbers, plain: plain, inRange: inRange)
        let alike = Self.alike(numbers)
        guard alike > 1 else { return }
        let firsts = stride(from: 0, to: numbers.count, by: alike).map { numbers[$0] }
        var shared = CodedTensor(each: firsts, plain: plain, inRange: inRange)
        var writer = ByteWriter()
        writer.byte(CodingTag.shared.rawValue)
        writer.count(alike)
        shared.head = writer.bytes + shared.head
        shared.cost += writer.bytes.count * 8 * BitCost.unit
        if shared.cost < cost { self = shared }
    }

    /// The most numbers, a divisor of how many there are, of which every so many are equal.
    private static func alike(_ numbers: [Int]) -> Int {
        for alike in stride(from: numbers.count, to: 1, by: -1) where numbers.count % alike == 0 {
            if numbers.indices.allSatisfy({ numbers[$0] == numbers[$0 - $0 % alike] }) {
                return alike
            }
        }
        return 1
    }

    private init(each numbers: [Int], plain: CodingTag?, inRange: Bool) {
        let (range, cost) = RangeNumbers.cheapest(numbers)
        var writer = ByteWriter()
        writer.byte(CodingTag.rangeNumbers.rawValue | UInt8(range.zeroBits) << 4)
        range.write(to: &writer)
        self.init(head: writer.bytes)
        self.cost += cost
        parts = [.numbers(range, numbers)]
        guard let plain else { return }
        var other = ByteWriter()
        other.byte(plain.rawValue)
        for number in numbers {
            if plain == .uint16 {
                other.fixed(UInt32(number), bytes: 2)
            } else {
                other.signed(number)
            }
        }
        let tensor = CodedTensor(head: other.bytes)
        if !inRange || tensor.cost <= self.cost { self = tensor }
    }
}
