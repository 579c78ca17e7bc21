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

    package var name: String {
        switch self {
        case .smallest: "smallest"
        case .plain: "plain"
        case .packed: "packed"
        case .huffman: "huffman"
        case .range: "range"
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
enum CodingTag: UInt8 {
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
        case .smallest, .plain:
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

/// Weights read from a section; those in its range stream are known only once that is read.
struct CodedWeights {
    private enum Source {
        case here([Int8])
        case inStream(RangeWeights, count: Int)
    }

    private let source: Source
    /// Of the tables that decoding takes beside the weights.
    let workingBytes: Int

    /// - Parameters:
    ///   - count: of elements, from the network's shape.
    ///   - index: of the tensor, for errors.
    init(count: Int, from reader: inout ByteReader, index: Int) throws(PackageError) {
        try self.init(tag: try reader.byte(), count: count, from: &reader, index: index)
    }

    fileprivate init(
        tag: UInt8, count: Int, from reader: inout ByteReader, index: Int
    ) throws(PackageError) {
        let flags = tag >> 4
        switch CodingTag(rawValue: tag & 15) {
        case .int8 where flags == 0:
            source = .here(try reader.raw(count).map { Int8(bitPattern: $0) })
            workingBytes = 0
        case .packed where flags == 0:
            source = .here(try PackedCoding.decode(count: count, from: &reader, index: index))
            workingBytes = PackedCoding.workingBytesMax
        case .huffman where flags == 0:
            source = .here(try HuffmanCoding.decode(count: count, from: &reader, index: index))
            workingBytes = HuffmanCoding.workingBytesMax
        case .rangeWeights where flags <= RangeWeights.flagsMax:
            let coding = try RangeWeights(flags: flags, from: &reader, index: index)
            source = .inStream(coding, count: count)
            workingBytes = coding.workingBytes
        default: throw .field(.coding, index: index)
        }
    }

    func weights(from decoder: inout RangeDecoder, index: Int) throws(PackageError) -> [Int8] {
        switch source {
        case .here(let weights): return weights
        case .inStream(let coding, let count):
            guard let weights = coding.decode(count: count, from: &decoder) else {
                throw .field(.codeStream, index: index)
            }
            return weights
        }
    }
}

/// A kernel read from a section, whole or in factors.
enum CodedKernel {
    case whole(CodedWeights)
    case factors(rank: Int, left: CodedWeights, right: CodedWeights, shift: Int)

    init(
        rows: Int, columns: Int, from reader: inout ByteReader, index: Int
    ) throws(PackageError) {
        let tag = try reader.byte()
        guard tag == CodingTag.factors.rawValue else {
            self = .whole(
                try CodedWeights(tag: tag, count: rows * columns, from: &reader, index: index))
            return
        }
        let rank = try reader.count(1...min(rows, columns), .codeRank, index: index)
        let shift = Int(try reader.byte())
        let left = try CodedWeights(count: rows * rank, from: &reader, index: index)
        let right = try CodedWeights(count: rank * columns, from: &reader, index: index)
        self = .factors(rank: rank, left: left, right: right, shift: shift)
    }

    var workingBytes: Int {
        switch self {
        case .whole(let weights): weights.workingBytes
        case .factors(_, let left, let right, _): max(left.workingBytes, right.workingBytes)
        }
    }

    /// - Returns: the kernel, and the factors it was stored as.
    func kernel(
        rows: Int, columns: Int, from decoder: inout RangeDecoder, index: Int
    ) throws(PackageError) -> (kernel: [Int8], factors: KernelFactors?) {
        switch self {
        case .whole(let weights): return (try weights.weights(from: &decoder, index: index), nil)
        case .factors(let rank, let left, let right, let shift):
            let factors = KernelFactors(
                rank: rank, left: try left.weights(from: &decoder, index: index),
                right: try right.weights(from: &decoder, index: index), shift: shift)
            guard let kernel = factors.expanded(rows: rows, columns: columns) else {
                throw .field(.codeRank, index: index)
            }
            return (kernel, factors)
        }
    }
}

/// Wider numbers read from a section.
struct CodedNumbers {
    private enum Source {
        case here([Int])
        case inStream(RangeNumbers, count: Int)
    }

    private let source: Source
    /// How many equal numbers each stands for.
    private let alike: Int

    /// - Parameters:
    ///   - plain: which coding there may be beside the range stream's.
    ///   - index: of the tensor, for errors.
    init(
        count: Int, plain: CodingTag?, from reader: inout ByteReader, index: Int
    ) throws(PackageError) {
        var tag = try reader.byte()
        var alike = 1
        if tag == CodingTag.shared.rawValue {
            alike = try reader.count(2...max(count, 2), .coding, index: index)
            guard count % alike == 0 else { throw .field(.coding, index: index) }
            tag = try reader.byte()
        }
        self.alike = alike
        if let plain, tag == plain.rawValue {
            var numbers: [Int] = []
            for _ in 0..<count / alike {
                numbers.append(
                    plain == .uint16
                        ? Int(try reader.fixed(bytes: 2))
                        : try reader.signed(Int(Int32.min)...Int(Int32.max), .number))
            }
            source = .here(numbers)
            return
        }
        guard let zeroBits = CodingTag.rangeNumbers.flags(of: tag) else {
            throw .field(.coding, index: index)
        }
        source = .inStream(
            try RangeNumbers(zeroBits: zeroBits, from: &reader, index: index),
            count: count / alike)
    }

    /// Of the tables that decoding takes beside the numbers.
    var workingBytes: Int {
        switch source {
        case .here: 0
        case .inStream(let coding, _): coding.workingBytes
        }
    }

    /// - Parameter range: beyond it the stream's are refused; the caller checks the others.
    func numbers(
        within range: ClosedRange<Int>, from decoder: inout RangeDecoder, index: Int
    ) throws(PackageError) -> [Int] {
        let each: [Int]
        switch source {
        case .here(let numbers): each = numbers
        case .inStream(let coding, let count):
            guard let numbers = coding.decode(count: count, from: &decoder) else {
                throw .field(.codeStream, index: index)
            }
            for number in numbers where !range.contains(number) {
                throw .field(.codeSymbol, index: index)
            }
            each = numbers
        }
        guard alike > 1 else { return each }
        return each.flatMap { [Int](repeating: $0, count: alike) }
    }
}

extension ByteReader {
    /// The range stream that the rest of the section is.
    mutating func stream() throws(PackageError) -> RangeDecoder {
        RangeDecoder(try raw(left))
    }
}

extension RangeDecoder {
    /// To be called when all symbols have been read.
    func end() throws(PackageError) {
        guard isFinished else { throw .field(.codeStream, index: 0) }
    }
}
