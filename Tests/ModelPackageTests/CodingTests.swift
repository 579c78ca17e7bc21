import ModelPackage
import TestSupport
import Testing

@Suite("Codings of weights")
struct CodingTests {
    /// Weights as training leaves them, and every odd kind that compression makes.
    static func samples(seed: UInt64) -> [(String, [Int8])] {
        var numbers = SeededGenerator(seed: seed)
        func weights(_ count: Int, _ weight: (inout SeededGenerator) -> Int) -> [Int8] {
            (0..<count).map { _ in Int8(weight(&numbers)) }
        }
        func pick(_ values: [Int]) -> (inout SeededGenerator) -> Int {
            { values.randomElement(using: &$0)! }
        }
        /// The mean of several dice is a bell.
        func bell(_ width: Int) -> (inout SeededGenerator) -> Int {
            { numbers in
                (0..<4).map { _ in Int.random(in: -width...width, using: &numbers) }.reduce(0, +)
                    / 4
            }
        }
        return [
            ("one", [5]), ("one zero", [0]), ("all alike", [Int8](repeating: -127, count: 77)),
            ("zeros", [Int8](repeating: 0, count: 300)),
            ("signs", weights(129, pick([-127, 127]))), ("binary", weights(41, pick([-1, 1]))),
            ("ternary", weights(1_001, pick([-64, 0, 0, 0, 64]))),
            ("a codebook of five", weights(64, pick([-99, -20, 3, 30, 77]))),
            ("a codebook of seven", weights(65, pick([-99, -20, 3, 30, 77, 80, 81]))),
            ("four bits", weights(500, bell(14))), ("a bell", weights(4_096, bell(127))),
            (
                "pruned",
                weights(2_000) { numbers in
                    Int.random(in: 0..<10, using: &numbers) < 7 ? 0 : bell(100)(&numbers)
                }
            ),
            ("everything", (-127...127).map { Int8($0) }),
            ("anything", weights(333, pick([Int](-127...127)))),
            ("skewed", (0..<16).flatMap { [Int8](repeating: Int8($0), count: 1 << $0 / 2 * 2) }),
            ("Fibonacci", Self.fibonacci),
        ]
    }

    /// Counts that make an unlimited Huffman code 19 bits long.
    static var fibonacci: [Int8] {
        var (a, b) = (1, 1)
        return (0..<20).flatMap { symbol in
            defer { (a, b) = (b, a + b) }
            return [Int8](repeating: Int8(symbol * 3 - 30), count: a)
        }
    }

    @Test("Packed weights come back, in the bits their number of values needs")
    func packed() throws {
        for (name, weights) in Self.samples(seed: 1) {
            let bytes = PackedCoding.encode(weights)
            #expect(try Coded.read(bytes, weights.count, PackedCoding.decode) == weights, "\(name)")
        }
        // A count, the values, and the elements: 41 bits; 1,001 trits by fives; 64 digits to base 5 by threes; nothing.
        let sizes = [
            "binary": 1 + 2 + 6, "ternary": 1 + 3 + 201, "a codebook of five": 1 + 5 + 22,
            "a codebook of seven": 1 + 7 + 25, "zeros": 2,
        ]
        for (name, weights) in Self.samples(seed: 1) {
            guard let size = sizes[name] else { continue }
            #expect(PackedCoding.encode(weights).count == size, "\(name)")
        }
    }

    @Test("Huffman-coded weights come back")
    func huffman() throws {
        for (name, weights) in Self.samples(seed: 2) {
            let bytes = HuffmanCoding.encode(weights)
            #expect(
                try Coded.read(bytes, weights.count, HuffmanCoding.decode) == weights, "\(name)")
        }
    }

    @Test("Code lengths are optimal, and no longer than fifteen where the optimum would be")
    func lengths() {
        // RFC 1951 has no example with counts; this one is worked by hand: 5 = 2 + 3, 10 = 5 + 5, …
        #expect(HuffmanCoding.lengths(of: [2, 3, 5, 10, 20]) == [4, 4, 3, 2, 1])
        #expect(HuffmanCoding.lengths(of: [1, 1, 1, 1]) == [2, 2, 2, 2])
        #expect(HuffmanCoding.lengths(of: [0, 9, 0]) == [0, 1, 0])
        #expect(HuffmanCoding.lengths(of: [0, 0]) == [0, 0])
        var counts: [Int] = [1, 1]
        while counts.count < 20 {
            counts.append(counts[counts.count - 1] + counts[counts.count - 2])
        }
        let lengths = HuffmanCoding.lengths(of: counts)
        #expect(lengths.max() == 15)
        #expect(lengths.map { 1 << (15 - $0) }.reduce(0, +) == 1 << 15)
    }

    @Test(
        "Code lengths cost what the two-queue construction costs, whenever that stays within fifteen"
    )
    func optimal() {
        var numbers = SeededGenerator(seed: 3)
        for _ in 0..<200 {
            let symbols = Int.random(in: 2...60, using: &numbers)
            let counts = (0..<symbols).map { _ in Int.random(in: 1...400, using: &numbers) }
            // Huffman's own construction: the sum of all joined weights is the cost.
            var (weights, cost) = (counts.sorted(), 0)
            while weights.count > 1 {
                let joined = weights.removeFirst() + weights.removeFirst()
                cost += joined
                weights.insert(joined, at: weights.firstIndex { $0 > joined } ?? weights.count)
            }
            let lengths = HuffmanCoding.lengths(of: counts)
            #expect(zip(counts, lengths).map { $0 * $1 }.reduce(0, +) == cost)
            #expect(lengths.max()! <= 15)
        }
    }

    @Test(
        "Frequencies of every prior add up to 2^16, none is zero, and the centre's are the largest")
    func priors() {
        for shape in Prior.Shape.allCases {
            for scale in Prior.scaleCodes {
                for zero in [nil, 0, 100, 255] as [UInt8?] {
                    let prior = Prior(shape: shape, scale: scale, zero: zero)
                    for (symbols, center) in [(255, 127), (1, 0), (2, 1), (16, 7), (256, 255)] {
                        let cumulated = prior.cumulated(symbols: symbols, center: center)
                        #expect(cumulated.count == symbols + 1)
                        #expect(cumulated[0] == 0 && cumulated[symbols] == 65_536)
                        let frequencies = zip(cumulated.dropFirst(), cumulated).map { $0 - $1 }
                        #expect(frequencies.allSatisfy { $0 >= 1 })
                        guard zero == nil else { continue }
                        #expect(frequencies[center] == frequencies.max())
                        for i in 1..<max(symbols - center, 1) {
                            #expect(frequencies[center + i] <= frequencies[center + i - 1])
                        }
                    }
                }
            }
        }
    }

    @Test("A prior's frequencies are, to two hundredths, those of its distribution")
    func shapes() {
        /// At distances 0, 1 and 4, relative to the centre, with a width of 4 (scale 30).
        let expected: [(Prior.Shape, [Double])] = [
            (.uniform, [1, 1, 1]), (.geometric, [1, 0.8, 0.4096]),
            (.gaussian, [1, 0.96923, 0.60653]), (.student, [1, 0.95960, 0.56250]),
        ]
        for (shape, shares) in expected {
            let cumulated = Prior(shape: shape, scale: 30).cumulated(symbols: 255, center: 127)
            let frequencies = zip(cumulated.dropFirst(), cumulated).map { Double($0 - $1) }
            for (distance, share) in zip([0, 1, 4], shares) {
                let found = frequencies[127 + distance] / frequencies[127]
                #expect(abs(found - share) < 0.02, "\(shape) at \(distance): \(found)")
            }
        }
    }

    @Test("Range-coded weights come back by every shape, with and without a table and a zero")
    func range() throws {
        for (name, weights) in Self.samples(seed: 4) {
            for shape in Prior.Shape.allCases {
                for zero in [nil, 0, 180, 255] as [UInt8?] {
                    for values in [nil, Array(Set(weights)).sorted()] {
                        let coding = RangeWeights(
                            prior: Prior(shape: shape, scale: 63, zero: zero), values: values)
                        try Self.roundTrip(name, weights, coding)
                    }
                }
            }
        }
    }

    static func roundTrip(_ name: String, _ weights: [Int8], _ coding: RangeWeights) throws {
        var encoder = RangeEncoder()
        coding.encode(weights, into: &encoder)
        let stream = encoder.finish()
        #expect(Coded.weights(weights.count, coding, stream) == weights, "\(name)")
        // Nothing shorter, longer or otherwise ended is the same weights.
        for wrong in [stream.dropLast(), stream + [0], stream + [1]] as [[UInt8]]
        where wrong != stream {
            #expect(Coded.weights(weights.count, coding, wrong) != weights, "\(name)")
        }
    }

    @Test(
        "Weights make the stream that a second implementation makes",
        arguments: RangeStreams.weights)
    func weightStreams(row: RangeStreams.Weights) throws {
        let coding = RangeWeights(prior: row.prior, values: row.values)
        var encoder = RangeEncoder()
        coding.encode(row.weights, into: &encoder)
        let stream = encoder.finish()
        #expect(stream == RawPackage.bytes(hex: row.hex))
        try Self.roundTrip(row.testDescription, row.weights, coding)
    }

    @Test(
        "Numbers make the stream that a second implementation makes",
        arguments: RangeStreams.numbers)
    func numberStreams(row: RangeStreams.Numbers) throws {
        let coding = RangeNumbers(
            zeroBits: row.zeroBits, rawBits: row.rawBits, center: row.center, prior: row.prior)
        var encoder = RangeEncoder()
        coding.encode(row.numbers, into: &encoder)
        let stream = encoder.finish()
        #expect(stream == RawPackage.bytes(hex: row.hex))
        #expect(Coded.numbers(row.numbers.count, coding, stream) == row.numbers)
    }

    @Test("The range stream takes what its priors promise, and a byte to end")
    func rangeSize() throws {
        var numbers = SeededGenerator(seed: 5)
        var encoder = RangeEncoder()
        var symbols: [UInt32] = []
        for _ in 0..<10_000 { symbols.append(.random(in: 0..<3, using: &numbers)) }
        for symbol in symbols { encoder.encode(symbol, of: 3) }
        let stream = encoder.finish()
        // 10,000 · log2(3) bits.
        #expect(stream.count >= 1_981 && stream.count <= 1_983)
        stream.withUnsafeBufferPointer { stream in
            var decoder = RangeDecoder(stream)
            #expect(symbols.allSatisfy { decoder.symbol(of: 3) == $0 })
            #expect(decoder.isFinished)
        }
    }

    @Test("The cost that codings are chosen by is what the stream then takes")
    func cost() {
        for (name, weights) in Self.samples(seed: 7) {
            let (coding, cost) = RangeWeights.cheapest(weights)
            var encoder = RangeEncoder()
            coding.encode(weights, into: &encoder)
            let found = Double(encoder.finish().count)
            let promised = Double(cost) / Double(8 * BitCost.unit)
            #expect(abs(found - promised) < 2 + promised / 500, "\(name): \(found), \(promised)")
        }
        // 4,096 weights in a bell of a standard deviation of 37: log2(37 · 4.13) bits each.
        let bell = Self.samples(seed: 7).first { $0.0 == "a bell" }!.1
        let (coding, cost) = RangeWeights.cheapest(bell)
        #expect(coding.prior.shape == .gaussian && coding.values == nil)
        #expect(abs(cost / 8 / BitCost.unit - 3_715) < 37)
    }

    @Test("An empty stream holds what is certain")
    func certain() {
        var encoder = RangeEncoder()
        let coding = RangeNumbers.cheapest([3_200, 3_200, 3_200]).coding
        coding.encode([3_200, 3_200, 3_200], into: &encoder)
        #expect(encoder.finish().isEmpty)
        #expect(Coded.numbers(3, coding, []) == [3_200, 3_200, 3_200])
    }

    static let numberSamples: [[Int]] = {
        var numbers = SeededGenerator(seed: 6)
        func some(_ count: Int, _ range: ClosedRange<Int>, step: Int = 1) -> [Int] {
            (0..<count).map { _ in Int.random(in: range, using: &numbers) * step }
        }
        return [
            [0], [-1], [1 << 20], [-(1 << 29), 1 << 29 - 1], some(128, -9_000...9_000),
            some(19, 700...1_400, step: 8), some(128, 0x0900...0x1600), some(40, 0...1),
            some(10, 0x41_8000...0x42_C000, step: 1), some(300, -3...3, step: 1 << 15),
            some(12, -(1 << 29)...1 << 29), [Int](repeating: 7, count: 9),
        ]
    }()

    @Test("Numbers come back from the range stream", arguments: numberSamples)
    func numbers(numbers: [Int]) throws {
        let coding = RangeNumbers.cheapest(numbers).coding
        var encoder = RangeEncoder()
        coding.encode(numbers, into: &encoder)
        #expect(Coded.numbers(numbers.count, coding, encoder.finish()) == numbers)
    }

    @Test(
        "Damaged codes give values, or say that they are damaged, and never crash", arguments: 1...4
    )
    func fuzz(seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        let samples = Self.samples(seed: seed).filter { $0.1.count < 400 }
        for _ in 0..<1_500 {
            let (_, weights) = samples.randomElement(using: &numbers)!
            for huffman in [false, true] {
                var bytes = huffman ? HuffmanCoding.encode(weights) : PackedCoding.encode(weights)
                for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                    ModelPackageTests.mutate(&bytes, &numbers)
                }
                let found = try? Coded.read(
                    bytes, weights.count, huffman ? HuffmanCoding.decode : PackedCoding.decode)
                #expect(found == nil || found?.count == weights.count)
            }
            let coding = RangeWeights(
                prior: Prior(
                    shape: .allCases.randomElement(using: &numbers)!,
                    scale: .random(in: 0...63, using: &numbers)))
            let stream = (0..<Int.random(in: 0...60, using: &numbers)).map { _ in
                UInt8.random(in: 0...255, using: &numbers)
            }
            let found = Coded.weights(weights.count, coding, stream)
            #expect(found == nil || found?.count == weights.count)
        }
    }
}

/// Tensors read back as a package's reader does.
enum Coded {
    typealias Decode = (Int, inout ByteReader, Int, PlaceWeight) throws(PackageError) -> Void

    /// - Returns: nil where elements come otherwise than once each and in order, or bytes are left.
    static func read(_ bytes: [UInt8], _ count: Int, _ decode: Decode) throws -> [Int8]? {
        try bytes.withUnsafeBufferPointer { bytes in
            var reader = ByteReader(bytes, section: .network)
            var weights: [Int8] = []
            var isOrdered = true
            try decode(count, &reader, 0) { index, weight in
                isOrdered = isOrdered && index == weights.count
                weights.append(weight)
            }
            return isOrdered && reader.left == 0 ? weights : nil
        }
    }

    /// - Returns: nil where the stream is not what an encoder writes for as many.
    static func weights(_ count: Int, _ coding: RangeWeights, _ stream: [UInt8]) -> [Int8]? {
        var head = ByteWriter()
        head.byte(7 | coding.flags << 4)
        coding.write(to: &head)
        var weights: [Int8] = []
        return (head.bytes + stream).withUnsafeBufferPointer { bytes in
            var reader = ByteReader(bytes, section: .network)
            do {
                let reading = try WeightsReading(count: count, index: 0, from: &reader) { _, _ in }
                var decoder = RangeDecoder(try reader.raw(reader.left))
                try reading.read(&decoder) { _, weight in weights.append(weight) }
                return decoder.isFinished ? weights : nil
            } catch { return nil }
        }
    }

    static func numbers(_ count: Int, _ coding: RangeNumbers, _ stream: [UInt8]) -> [Int]? {
        var head = ByteWriter()
        head.byte(8 | UInt8(coding.zeroBits) << 4)
        coding.write(to: &head)
        var numbers: [Int] = []
        return (head.bytes + stream).withUnsafeBufferPointer { bytes in
            var reader = ByteReader(bytes, section: .network)
            do {
                let reading = try NumbersReading(
                    count: count, plain: nil, within: .min ... .max, index: 0, from: &reader
                ) { _, _ in }
                var decoder = RangeDecoder(try reader.raw(reader.left))
                try reading.read(&decoder) { _, number in numbers.append(number) }
                return decoder.isFinished ? numbers : nil
            } catch { return nil }
        }
    }
}
