/// A tensor of int8 in the range stream: each weight, or each weight's place in a table of the distinct ones, by its
/// prior. FORMAT.md, "Range".
package struct RangeWeights: Equatable, Sendable {
    package var prior: Prior
    /// Ascending; nil: the weights as they are, −127...127, or ±(2 · scale + 1) where they are uniform.
    package var values: [Int8]?

    package init(prior: Prior, values: [Int8]? = nil) {
        self.prior = prior
        self.values = values
    }

    /// Without a table.
    private var largest: Int { prior.shape == .uniform ? 2 * Int(prior.scale) + 1 : 127 }
    private var symbols: Int { values?.count ?? 2 * largest + 1 }
    private var center: Int { values.map { ValueTable(ascending: $0).center } ?? largest }

    /// Of `write`, in bytes.
    var headBytes: Int { 1 + (prior.zero == nil ? 0 : 1) + (values.map { 1 + $0.count } ?? 0) }

    /// Beside the coding byte.
    package var flags: UInt8 {
        (prior.zero == nil ? 0 : Self.zeroFlag) | (values == nil ? 0 : Self.tableFlag)
    }
    static let zeroFlag: UInt8 = 1
    static let tableFlag: UInt8 = 2
    static let flagsMax: UInt8 = 3

    package func write(to writer: inout ByteWriter) {
        writer.byte(prior.code)
        if let zero = prior.zero { writer.byte(zero) }
        if let values { ValueTable(ascending: values).write(to: &writer) }
    }

    /// - Precondition: `weights` are among the symbols.
    package func encode(_ weights: [Int8], into encoder: inout RangeEncoder) {
        let cumulated = prior.cumulated(symbols: symbols, center: center)
        let table = ValueTable(ascending: values ?? [])
        for weight in weights { encoder.encode(cumulated, symbol(of: weight, table: table)) }
    }

    /// - Parameter table: of `values`, where there are any.
    private func symbol(of weight: Int8, table: ValueTable) -> Int {
        values == nil ? Int(weight) + largest : table.index(of: weight)
    }

    /// The cheapest, of every shape, width and form, and its cost in the stream in `BitCost.unit`s.
    /// - Parameter weights: at least one, within −127...127.
    package static func cheapest(_ weights: [Int8]) -> (coding: RangeWeights, cost: Int) {
        let table = ValueTable(of: weights)
        let largest = max(-Int(table.values[0]), Int(table.values[table.values.count - 1]), 1)
        let uniform = Prior(shape: .uniform, scale: UInt8(largest / 2))
        var best: (coding: RangeWeights, cost: Int)?
        func weigh(_ coding: RangeWeights, _ cost: Int) {
            let whole = cost + coding.headBytes * 8 * BitCost.unit
            if best.map({ whole < $0.cost + $0.coding.headBytes * 8 * BitCost.unit }) ?? true {
                best = (coding, cost)
            }
        }
        let bell = Prior(shape: .gaussian, scale: 0)
        for (coding, shapes) in [
            (RangeWeights(prior: uniform), [.uniform]),
            (RangeWeights(prior: bell), Prior.Shape.bells),
            (RangeWeights(prior: bell, values: table.values), Prior.Shape.allCases),
        ] {
            var counts = [Int](repeating: 0, count: coding.symbols)
            for weight in weights { counts[coding.symbol(of: weight, table: table)] += 1 }
            let zeros = UInt8(min(255, counts[coding.center] * 256 / weights.count))
            for zero in [nil, zeros] {
                let (prior, cost) = Prior.cheapest(
                    of: shapes, counts: counts, center: coding.center, zero: zero,
                    uniformScale: coding.prior.scale)
                weigh(RangeWeights(prior: prior, values: coding.values), cost)
            }
        }
        return best!  // the loops are not empty
    }
}

/// Wider integers in the range stream: multipliers, biases, factors, levels. What all have in common is said once:
/// zeros at the end, a centre, and how many low bits have no pattern. FORMAT.md, "Range numbers".
package struct RangeNumbers: Equatable, Sendable {
    /// Low bits that are 0 in every number: 0...15.
    package var zeroBits: Int
    /// Low bits, above those, that are written as they are: 0...24.
    package var rawBits: Int
    /// Where the prior has its centre; the least number when it is uniform.
    package var center: Int
    /// Uniform: `scale + 1` values from the centre up; else −127...127 about it.
    package var prior: Prior

    package init(zeroBits: Int, rawBits: Int, center: Int, prior: Prior) {
        self.zeroBits = zeroBits
        self.rawBits = rawBits
        self.center = center
        self.prior = prior
    }

    private static let rawBitsMax = 24
    private static let centerRange = -(Int64(1) << 31)...Int64(1) << 31

    private var isUniform: Bool { prior.shape == .uniform }
    fileprivate var symbols: Int { isUniform ? Int(prior.scale) + 1 : 255 }
    fileprivate var middle: Int { isUniform ? 0 : 127 }

    package func write(to writer: inout ByteWriter) {
        writer.byte(prior.code)
        writer.byte(UInt8(rawBits))
        writer.signed(center)
    }

    /// Of `write`, in bytes.
    var headBytes: Int {
        var writer = ByteWriter()
        write(to: &writer)
        return writer.bytes.count
    }

    init(zeroBits: Int, from reader: inout ByteReader, index: Int) throws(PackageError) {
        self.zeroBits = zeroBits
        prior = Prior(code: try reader.byte())
        rawBits = Int(try reader.byte())
        guard rawBits <= Self.rawBitsMax else { throw .field(.codePrior, index: index) }
        // Beyond `Int` where that has 32 bits: then no number that an engine takes.
        guard
            let center = Int(exactly: try reader.signed(Self.centerRange, .codePrior, index: index))
        else { throw .field(.codePrior, index: index) }
        self.center = center
    }

    /// - Precondition: the parameters are of `cheapest` for these numbers.
    package func encode(_ numbers: [Int], into encoder: inout RangeEncoder) {
        let cumulated = prior.cumulated(symbols: symbols, center: middle)
        for number in numbers {
            let distance = (number >> zeroBits) - center
            encoder.encode(cumulated, (distance >> rawBits) + middle)
            encoder.encodeRaw(UInt32(distance & (1 << rawBits - 1)), bits: rawBits)
        }
    }

    /// The cheapest, and its cost in the stream in `BitCost.unit`s.
    /// - Parameter numbers: at least one, each below 2^30 in size.
    package static func cheapest(_ numbers: [Int]) -> (coding: RangeNumbers, cost: Int) {
        let all = numbers.reduce(0, |)
        let zeroBits = all == 0 ? 0 : min(15, all.trailingZeroBitCount)
        let sorted = numbers.map { $0 >> zeroBits }.sorted()
        let (first, last) = (sorted[0], sorted[sorted.count - 1])
        var uniform = RangeNumbers(
            zeroBits: zeroBits, rawBits: 0, center: first,
            prior: Prior(shape: .uniform, scale: 0))
        while (last - first) >> uniform.rawBits > 63 { uniform.rawBits += 1 }
        uniform.prior.scale = UInt8((last - first) >> uniform.rawBits)
        var best = (coding: uniform, cost: uniform.cost(sorted))

        var bell = uniform
        bell.rawBits = 0
        bell.center = sorted[sorted.count / 2]
        // Symmetric enough: a shift rounds down, so −127 << n is the least.
        while (first - bell.center) >> bell.rawBits < -127
            || (last - bell.center) >> bell.rawBits > 127
        { bell.rawBits += 1 }
        var counts = [Int](repeating: 0, count: 255)
        for number in sorted { counts[(number - bell.center) >> bell.rawBits + 127] += 1 }
        let found = Prior.cheapest(
            of: Prior.Shape.bells, counts: counts, center: 127, zero: nil)
        bell.prior = found.prior
        let cost = found.cost + numbers.count * bell.rawBits * BitCost.unit
        let headBits = (bell.headBytes - uniform.headBytes) * 8
        if cost + headBits * BitCost.unit < best.cost { best = (bell, cost) }
        return best
    }

    /// Of numbers without their zero bits, all within reach.
    private func cost(_ numbers: [Int]) -> Int {
        var counts = [Int](repeating: 0, count: symbols)
        for number in numbers { counts[(number - center) >> rawBits + middle] += 1 }
        return prior.cost(counts: counts, center: middle)
            + numbers.count * rawBits * BitCost.unit
    }
}

/// Numbers of one tensor on their way out of a range stream.
struct RangeNumbersDecoder: ~Copyable {
    private let coding: RangeNumbers
    private let table: PriorTable

    init(_ coding: RangeNumbers) {
        self.coding = coding
        table = PriorTable(coding.prior, symbols: coding.symbols, center: coding.middle)
    }

    /// - Returns: nil where the stream is none of `RangeEncoder`'s.
    func number(from stream: inout RangeDecoder) -> Int64? {
        guard let symbol = stream.symbol(table), let low = stream.raw(bits: coding.rawBits)
        else { return nil }
        // At most 2^31 + 2^7 · 2^24, times 2^15: below 2^47.
        return
            (Int64(coding.center) + Int64(symbol - coding.middle) << Int64(coding.rawBits)
            + Int64(low)) << Int64(coding.zeroBits)
    }
}

extension Prior {
    /// Shape and width in one byte.
    var code: UInt8 { shape.rawValue << 6 | scale }

    init(code: UInt8) {
        // Two bits, and four shapes.
        self.init(shape: Shape(rawValue: code >> 6) ?? .uniform, scale: code & 63)
    }

    /// - Parameter counts: how often each symbol occurs.
    /// - Returns: in `BitCost.unit`s.
    func cost(counts: [Int], center: Int) -> Int {
        let cumulated = cumulated(symbols: counts.count, center: center)
        var cost = 0
        for symbol in counts.indices where counts[symbol] > 0 {
            let frequency = cumulated[symbol + 1] - cumulated[symbol]
            cost += counts[symbol] * BitCost.of(frequency: frequency)
        }
        return cost
    }

    /// The cheapest of these shapes, and its width, for these symbols; the earlier of equals.
    /// - Parameters:
    ///   - shapes: at least one.
    ///   - uniformScale: the uniform shape's, which is no width.
    static func cheapest(
        of shapes: [Shape], counts: [Int], center: Int, zero: UInt8?, uniformScale: UInt8 = 0
    ) -> (prior: Prior, cost: Int) {
        var best: (prior: Prior, cost: Int)?
        func weigh(_ shape: Shape, _ scale: UInt8) -> Int {
            let prior = Prior(shape: shape, scale: scale, zero: zero)
            let cost = prior.cost(counts: counts, center: center)
            if best.map({ cost < $0.cost }) ?? true { best = (prior, cost) }
            return cost
        }
        for shape in shapes {
            if shape == .uniform {
                _ = weigh(shape, uniformScale)
                continue
            }
            // Every eighth width, and then those around the best of them.
            var (middle, least) = (UInt8(0), Int.max)
            for scale in stride(from: UInt8(4), through: 60, by: 8) {
                let cost = weigh(shape, scale)
                if cost < least { (middle, least) = (scale, cost) }
            }
            for scale in max(middle, 7) - 7...min(middle + 7, 63) { _ = weigh(shape, scale) }
        }
        return best!  // something was weighed
    }
}

extension RangeEncoder {
    /// - Parameter cumulated: a prior's. A symbol that is certain takes nothing.
    mutating func encode(_ cumulated: [UInt32], _ symbol: Int) {
        guard cumulated.count > 2 else { return }
        let start = cumulated[symbol]
        encode(
            start: start, frequency: cumulated[symbol + 1] - start, totalBits: Prior.totalBits)
    }

    /// - Parameter bits: 0...24, the low ones first, twelve at a time.
    mutating func encodeRaw(_ value: UInt32, bits: Int) {
        var (rest, left) = (value, bits)
        while left > 0 {
            let taken = min(left, 12)
            encode(rest & (1 << UInt32(taken) - 1), of: 1 << UInt32(taken))
            rest >>= UInt32(taken)
            left -= taken
        }
    }
}

extension RangeDecoder {
    /// As `encodeRaw` wrote them.
    mutating func raw(bits: Int) -> UInt32? {
        var (value, done): (UInt32, Int) = (0, 0)
        while done < bits {
            let taken = min(bits - done, 12)
            guard let part = symbol(of: 1 << UInt32(taken)) else { return nil }
            value |= part << UInt32(done)
            done += taken
        }
        return value
    }
}
