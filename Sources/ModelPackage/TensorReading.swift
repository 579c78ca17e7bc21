import Forecasting

/// Takes a tensor's next element; the index counts them from 0.
package typealias PlaceWeight = (Int, Int8) throws(PackageError) -> Void
package typealias PlaceNumber = (Int, Int) throws(PackageError) -> Void

/// A coded tensor of weights. What stands in its place is placed when its head is read; what is in the section's range stream
/// when that is read.
package struct WeightsReading {
    private let count: Int
    /// Of the tensor, for errors.
    private let index: Int
    private var prior: Prior?
    private var table: CodedTable?

    /// - Parameters:
    ///   - tag: the coding's byte; nil: it comes next.
    ///   - count: of elements, from the network's shape.
    @inline(never)
    package init(
        tag known: UInt8? = nil, count: Int, index: Int, from reader: inout ByteReader,
        place: PlaceWeight
    ) throws(PackageError) {
        self.count = count
        self.index = index
        var tag = known ?? 0
        if known == nil { tag = try reader.byte() }
        let flags = tag >> 4
        switch CodingTag(rawValue: tag & 15) {
        case .int8 where flags == 0:
            let bytes = try reader.raw(count)
            for i in 0..<count { try place(i, Int8(bitPattern: bytes[i])) }
        case .packed where flags == 0:
            try PackedCoding.decode(count: count, from: &reader, index: index, place: place)
        case .huffman where flags == 0:
            try HuffmanCoding.decode(count: count, from: &reader, index: index, place: place)
        case .rangeWeights where flags <= RangeWeights.flagsMax:
            var prior = Prior(code: try reader.byte())
            if flags & RangeWeights.zeroFlag != 0 { prior.zero = try reader.byte() }
            if flags & RangeWeights.tableFlag != 0 {
                table = try CodedTable(from: &reader, index: index)
            }
            self.prior = prior
        default: throw .field(.coding, index: index)
        }
    }

    /// Takes what the range stream has of the tensor.
    @inline(never)
    package func read(
        _ stream: inout RangeDecoder, place: PlaceWeight
    ) throws(PackageError) {
        guard let prior else { return }
        let largest = prior.shape == .uniform ? 2 * Int(prior.scale) + 1 : 127
        let priorTable = PriorTable(
            prior, symbols: table?.count ?? 2 * largest + 1, center: table?.center ?? largest)
        for i in 0..<count {
            guard let symbol = stream.symbol(priorTable) else {
                throw .field(.codeStream, index: index)
            }
            try place(i, table?[symbol] ?? Int8(symbol - largest))
        }
    }
}

/// A coded tensor of wider numbers; like `WeightsReading`.
package struct NumbersReading {
    /// Of numbers that are coded.
    private let count: Int
    private let index: Int
    /// How many equal numbers each stands for.
    private let alike: Int
    private let range: ClosedRange<Int>
    private var coding: RangeNumbers?

    /// - Parameters:
    ///   - plain: which coding there may be beside the range stream's.
    ///   - range: beyond it the stream's are refused; the caller checks the others.
    @inline(never)
    package init(
        count: Int, plain: CodingTag?, within range: ClosedRange<Int>, index: Int,
        from reader: inout ByteReader, place: PlaceNumber
    ) throws(PackageError) {
        self.index = index
        self.range = range
        var tag = try reader.byte()
        var alike = 1
        if tag == CodingTag.shared.rawValue {
            alike = try reader.count(2...max(count, 2), .coding, index: index)
            guard count % alike == 0 else { throw .field(.coding, index: index) }
            tag = try reader.byte()
        }
        self.alike = alike
        self.count = count / alike
        if let plain, tag == plain.rawValue {
            for i in 0..<self.count {
                let number =
                    plain == .uint16
                    ? Int(try reader.fixed(bytes: 2))
                    : Int(try reader.signed(Int32.min...Int32.max, .number))
                for k in 0..<alike { try place(i * alike + k, number) }
            }
            return
        }
        guard let zeroBits = CodingTag.rangeNumbers.flags(of: tag) else {
            throw .field(.coding, index: index)
        }
        coding = try RangeNumbers(zeroBits: zeroBits, from: &reader, index: index)
    }

    /// Takes what the range stream has of the tensor.
    @inline(never)
    package func read(
        _ stream: inout RangeDecoder, place: PlaceNumber
    ) throws(PackageError) {
        guard let coding else { return }
        let decoder = RangeNumbersDecoder(coding)
        for i in 0..<count {
            guard let number = decoder.number(from: &stream) else {
                throw .field(.codeStream, index: index)
            }
            guard let narrow = Int(exactly: number), range.contains(narrow) else {
                throw .field(.codeSymbol, index: index)
            }
            for k in 0..<alike { try place(i * alike + k, narrow) }
        }
    }
}

/// A tensor's distinct values where they stand in the section, ascending.
struct CodedTable {
    private let values: UnsafeBufferPointer<UInt8>

    var count: Int { values.count }
    subscript(place: Int) -> Int8 { Int8(bitPattern: values[place]) }

    init(from reader: inout ByteReader, index: Int) throws(PackageError) {
        values = try reader.raw(Int(try reader.byte()) + 1)
        for place in 1..<max(count, 1) where self[place - 1] >= self[place] {
            throw .field(.codeTable, index: index)
        }
    }

    /// Where the values begin that are not negative; the last one when all are.
    var center: Int {
        var center = 0
        while center < count - 1, self[center] < 0 { center += 1 }
        return center
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
