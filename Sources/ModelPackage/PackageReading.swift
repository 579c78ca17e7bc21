import Forecasting
import Kernels

/// Reads a package into a sink. Bounded in time and memory whatever the bytes are; takes no memory but a sink's.
///
/// What has tables on the stack is never inlined, here and in what it reads with: in one frame they would all lie side by side.
struct PackageReading {
    private let sections: PackageSections

    init(_ file: UnsafeBufferPointer<UInt8>) throws(PackageError) {
        sections = try PackageSections(of: file)
    }

    var arenaBytes: Int { sections.arenaBytes }
    /// Whether the kernels run where they lie in the file.
    var hasKernelsInPlace: Bool { sections[.kernels] != nil }
    var goldenUnpackingBytes: Int { sections[.goldenVectors]?.unpackingBytes ?? 0 }

    /// A section's content, unpacked where it is packed.
    private func with<Sink: PackageSink & ~Copyable>(
        _ section: PackageSection, _ sink: inout Sink,
        _ body: (inout ByteReader, inout Sink) throws(PackageError) -> Void
    ) throws(PackageError) -> Bool {
        guard let entry = sections[section] else { return false }
        var reader = ByteReader(entry.content, section: section)
        guard entry.packing != .stored else {
            try body(&reader, &sink)
            return true
        }
        let room = try sink.roomForUnpacking(entry.unpackedBytes)
        defer { sink.endUnpacking(room) }
        guard entry.packing.unpack(entry.content, into: room) else { throw .packing(section) }
        reader = ByteReader(UnsafeBufferPointer(room), section: section)
        try body(&reader, &sink)
        return true
    }

    /// Everything but the golden vectors.
    func read<Sink: PackageSink & ~Copyable>(into sink: inout Sink) throws(PackageError) {
        let spec = try readManifest(into: &sink)
        guard
            try with(
                .network, &sink,
                { reader, sink throws(PackageError) in
                    try readNetwork(&reader, spec, &sink)
                })
        else { throw .missingSection(.network) }
        var profiles = 0
        if try with(
            .profiles, &sink,
            { reader, sink throws(PackageError) in
                guard spec.form == .profile else { throw .field(.profileCount, index: 0) }
                profiles = try readProfiles(&reader, &sink)
            }) == false, spec.form == .profile
        {
            throw .missingSection(.profiles)
        }
        _ = try with(.calendar, &sink) { reader, sink throws(PackageError) in
            guard spec.form == .profile else { throw .field(.calendar, index: 0) }
            try readCalendar(&reader, &sink)
        }
        _ = try with(.starts, &sink) { reader, sink throws(PackageError) in
            try readStarts(&reader, spec, profiles: profiles, &sink)
        }
    }

    /// The manifest alone.
    @inline(never)
    @discardableResult
    func readManifest<Sink: PackageSink & ~Copyable>(
        into sink: inout Sink
    ) throws(PackageError) -> FeatureSpec {
        var spec: FeatureSpec?
        _ = try with(.manifest, &sink) { reader, sink throws(PackageError) in
            let manifest = try ManifestFields(&reader)
            spec = manifest.spec
            try sink.begin(manifest)
        }
        guard let spec else { throw .missingSection(.manifest) }
        return spec
    }

    /// The golden vectors, which may be read again at any time later.
    func readGoldenVectors<Sink: PackageSink & ~Copyable>(
        spec: FeatureSpec, asOf: BusinessDay, starts: Int, _ sink: inout Sink,
        each: (inout Sink, Int, GoldenFields) throws(PackageError) -> Void
    ) throws(PackageError) -> Int {
        var count = 0
        _ = try with(.goldenVectors, &sink) { reader, sink throws(PackageError) in
            var golden = try GoldenReader(
                try reader.raw(reader.left), window: spec.window, planned: spec.inputs.marks,
                asOf: asOf, starts: starts)
            while let fields = try golden.next() {
                try each(&sink, count, fields)
                count += 1
            }
        }
        return count
    }

    // MARK: Network

    @inline(never)
    private func readNetwork<Sink: PackageSink & ~Copyable>(
        _ reader: inout ByteReader, _ spec: FeatureSpec, _ sink: inout Sink
    ) throws(PackageError) {
        let head = try NetworkHead(&reader, inputWidth: spec.inputWidth)
        let shape = head.shape
        try sink.begin(head)
        try readSteps(&reader, shape.inputWidth, &sink)

        // What stands here is placed now, what the range stream has when that is read: in the same order.
        var inputKernel: KernelReading?
        var recurrentKernel: KernelReading?
        if !head.kernelsInPlace {
            inputKernel = try KernelReading(.inputKernel, head, index: 1, &reader, &sink)
        }
        let inputCodes = try multipliers(.inputMultipliers, shape, index: 2, &reader, &sink)
        if !head.kernelsInPlace {
            recurrentKernel = try KernelReading(.recurrentKernel, head, index: 3, &reader, &sink)
        }
        let recurrentCodes = try multipliers(.recurrentMultipliers, shape, index: 4, &reader, &sink)
        let bias = try NumbersReading(
            count: shape.biasCount, plain: .signed, within: Int(Int32.min)...Int(Int32.max),
            index: 5, from: &reader
        ) { i, number throws(PackageError) in try place(bias: number, i, &sink) }
        let dense = try WeightsReading(count: shape.units, index: 6, from: &reader) {
            i, weight throws(PackageError) in
            try place(.denseKernel, weight, i, &sink)
        }
        var scales = head.scales
        scales.denseBias = try reader.signed(Int32.min...Int32.max, .number)
        guard abs(Int64(scales.denseBias)) <= Int64(IntegerNetwork.denseBiasMax) else {
            throw .network(.bias(.denseBias, at: 0))
        }
        for i in 0..<shape.cell.scalarCount {
            let scalar = try reader.fixed(bytes: 2)
            guard scalar <= UInt32(IntegerNetwork.scalarMax) else {
                throw .network(.scalar(at: i))
            }
            if i == 0 { scales.zeta = Int16(scalar) } else { scales.nu = Int16(scalar) }
        }
        sink.scales(scales)

        var stream = try reader.stream()
        try inputKernel?.read(&stream, &sink)
        try inputCodes.read(&stream) { row, code throws(PackageError) in
            try place(.inputMultipliers, code: code, row, &sink)
        }
        try recurrentKernel?.read(&stream, &sink)
        try recurrentCodes.read(&stream) { row, code throws(PackageError) in
            try place(.recurrentMultipliers, code: code, row, &sink)
        }
        try bias.read(&stream) { i, number throws(PackageError) in
            try place(bias: number, i, &sink)
        }
        try dense.read(&stream) { i, weight throws(PackageError) in
            try place(.denseKernel, weight, i, &sink)
        }
        try stream.end()
        guard head.kernelsInPlace == hasKernelsInPlace else {
            throw .missingSection(head.kernelsInPlace ? .kernels : .network)
        }
        if head.kernelsInPlace { try readKernelsInPlace(head, &sink) }
    }

    /// Runs: the calendar's columns all have the same steps.
    private func readSteps<Sink: PackageSink & ~Copyable>(
        _ reader: inout ByteReader, _ count: Int, _ sink: inout Sink
    ) throws(PackageError) {
        var column = 0
        while column < count {
            let run = try reader.count(1...count - column, .stepRun)
            let steps = try reader.shortFloat()
            guard IntegerNetwork.stepsRange.contains(steps) else {
                throw .network(.inputSteps(at: column))
            }
            for _ in 0..<run {
                sink.step(column, steps)
                column += 1
            }
        }
    }

    private func multipliers<Sink: PackageSink & ~Copyable>(
        _ tensor: IntegerTensor, _ shape: NetworkShape, index: Int, _ reader: inout ByteReader,
        _ sink: inout Sink
    ) throws(PackageError) -> NumbersReading {
        try NumbersReading(
            count: shape.kernelRows, plain: .uint16, within: 0...Int(UInt16.max), index: index,
            from: &reader
        ) { row, code throws(PackageError) in try place(tensor, code: code, row, &sink) }
    }

    private func place<Sink: PackageSink & ~Copyable>(
        _ tensor: IntegerTensor, code: Int, _ row: Int, _ sink: inout Sink
    ) throws(PackageError) {
        let code = UInt16(code)
        guard RowMultiplier(code: code).isValid else {
            throw .network(.multiplier(tensor, at: row))
        }
        sink.multiplier(tensor, row, code)
    }

    private func place<Sink: PackageSink & ~Copyable>(
        bias: Int, _ index: Int, _ sink: inout Sink
    ) throws(PackageError) {
        guard bias <= Int(IntegerNetwork.biasMax), bias >= -Int(IntegerNetwork.biasMax) else {
            throw .network(.bias(.bias, at: index))
        }
        sink.bias(index, Int32(bias))
    }

    private func place<Sink: PackageSink & ~Copyable>(
        _ tensor: IntegerTensor, _ weight: Int8, _ index: Int, _ sink: inout Sink
    ) throws(PackageError) {
        guard weight != -128 else { throw .network(.weight(tensor, at: index)) }
        sink.weight(tensor, index, weight)
    }

    /// Tiles as they run: what fills them up must be 0, and nothing is -128.
    @inline(never)
    private func readKernelsInPlace<Sink: PackageSink & ~Copyable>(
        _ head: NetworkHead, _ sink: inout Sink
    ) throws(PackageError) {
        let shape = head.shape
        guard let entry = sections[.kernels] else { throw .missingSection(.kernels) }
        guard entry.packing == .stored else { throw .packing(.kernels) }
        var reader = ByteReader(entry.content, section: .kernels)
        // As many bytes as it takes for the tiles to begin at a multiple of their own size.
        let filling = try reader.raw(try reader.count(0...WeightTiles.bytes - 1, .tiles))
        for byte in filling where byte != 0 { throw .field(.tiles, index: 0) }
        let input = try kernel(
            .inputKernel, head.inputForm, shape, columns: shape.inputWidth, &reader)
        let recurrent = try kernel(
            .recurrentKernel, head.recurrentForm, shape, columns: shape.units, &reader)
        try reader.end()
        sink.kernelsInPlace(input: input, recurrent: recurrent)
    }

    private func kernel(
        _ tensor: IntegerTensor, _ form: KernelForm, _ shape: NetworkShape, columns: Int,
        _ reader: inout ByteReader
    ) throws(PackageError) -> UnsafeBufferPointer<Int8> {
        let rows = shape.paddedKernelRows
        let bytes = try reader.raw(form.bytes(rows: rows, columns: columns))
        // Bytes and int8 are laid out alike.
        let weights = UnsafeRawBufferPointer(bytes).assumingMemoryBound(to: Int8.self)
        // The row that comes next among those that fill nothing up.
        var row = 0
        for padded in 0..<rows {
            let isFilling = row == shape.kernelRows || padded != shape.padded(index: row)
            for column in 0..<form.paddedColumns(columns) {
                let weight = form.weight(
                    row: padded, column: column, columns: columns, in: weights)
                if isFilling || column >= columns {
                    guard weight == 0 else { throw .field(.tiles, index: padded) }
                } else if weight == -128 {
                    throw .network(.weight(tensor, at: row * columns + column))
                }
            }
            if !isFilling { row += 1 }
        }
        return weights
    }

    // MARK: Profiles and calendar

    @inline(never)
    private func readProfiles<Sink: PackageSink & ~Copyable>(
        _ reader: inout ByteReader, _ sink: inout Sink
    ) throws(PackageError) -> Int {
        let count = try reader.count(1...ModelPackage.profilesMax, .profileCount)
        guard let zeroBits = CodingTag.rangeNumbers.flags(of: try reader.byte()) else {
            throw .field(.coding, index: 0)
        }
        let decoder = RangeNumbersDecoder(
            try RangeNumbers(zeroBits: zeroBits, from: &reader, index: 0))
        try sink.beginProfiles(count)
        var stream = try reader.stream()
        let halves: InlineArray<2, Range<Int>> = [
            0..<SeasonalProfile.weekdays, SeasonalProfile.weekdays..<SeasonalProfile.factors,
        ]
        for profile in 0..<count {
            var repeats = ProfileRepeats.nothing
            if profile > 0 {
                guard let symbol = stream.symbol(of: 4) else {
                    throw .field(.codeStream, index: profile)
                }
                repeats = ProfileRepeats(rawValue: UInt8(symbol))
            }
            for half in 0..<2 {
                if half == 0 ? repeats.weekday : repeats.month {
                    sink.repeatFactors(profile: profile, halves[half])
                    continue
                }
                for index in halves[half] {
                    guard let number = decoder.number(from: &stream) else {
                        throw .field(.codeStream, index: profile)
                    }
                    sink.factor(
                        profile: profile, index, try factorCode(number, .factor, profile))
                }
            }
        }
        try stream.end()
        return count
    }

    /// A factor's code, 1024...65,535: within `SeasonalProfile.factorRange`.
    private func factorCode(
        _ number: Int64, _ field: PackageField, _ index: Int
    ) throws(PackageError) -> UInt16 {
        guard let code = UInt16(exactly: number), code >= PackedNumbers.factorCodeMin else {
            throw .field(field, index: index)
        }
        return code
    }

    @inline(never)
    private func readCalendar<Sink: PackageSink & ~Copyable>(
        _ reader: inout ByteReader, _ sink: inout Sink
    ) throws(PackageError) {
        let count = try reader.count(0...DemandCalendar.daysOfMonth, .dayOfMonth)
        guard count == 0 || count == DemandCalendar.daysOfMonth else {
            throw .field(.dayOfMonth, index: 0)
        }
        let codes = 0...Int(UInt16.max)
        // Without a plain coding all elements are in the stream.
        func head(_ count: Int, index: Int) throws(PackageError) -> NumbersReading? {
            guard count > 0 else { return nil }
            return try NumbersReading(
                count: count, plain: nil, within: codes, index: index, from: &reader
            ) { _, _ in }
        }
        let days = try head(count, index: 0)
        let specialCount = try reader.count(0...DemandCalendar.specialDaysMax, .specialDayCount)
        // One that says nothing is never written.
        guard count + specialCount > 0 else { throw .field(.calendar, index: 0) }
        try sink.beginCalendar(daysOfMonth: count, specialDays: specialCount)
        var next = 0
        // A bit for each special day that has a factor of its own.
        var open: UInt32 = 0
        for index in 0..<specialCount {
            let code = try reader.count(
                0...2 * Int(AnnualRule.codes.upperBound) + 1, .specialDay, index: index)
            guard let rule = AnnualRule(code: UInt16(next + code >> 1)) else {
                throw .field(.specialDay, index: index)
            }
            next = Int(rule.code) + 1
            sink.specialDay(index, rule)
            if code & 1 == 0 { open |= 1 << UInt32(index) }
        }
        let specials = try head(open.nonzeroBitCount, index: 1)
        var stream = try reader.stream()
        try days?.read(&stream) { index, code throws(PackageError) in
            sink.dayOfMonth(index, try factorCode(Int64(code), .dayOfMonth, index))
        }
        for index in 0..<specialCount where open >> UInt32(index) & 1 == 0 {
            sink.specialDayFactor(index, 0)
        }
        try specials?.read(&stream) { _, code throws(PackageError) in
            let index = open.trailingZeroBitCount
            open &= open - 1
            sink.specialDayFactor(index, try factorCode(Int64(code), .specialDay, index))
        }
        try stream.end()
    }

    // MARK: Starts

    @inline(never)
    private func readStarts<Sink: PackageSink & ~Copyable>(
        _ reader: inout ByteReader, _ spec: FeatureSpec, profiles: Int, _ sink: inout Sink
    ) throws(PackageError) {
        let count = try reader.count(1...ModelPackage.startsMax, .startCount)
        try sink.beginStarts(count)
        try ItemList.read(count: count, from: &reader) { index, utf8 throws(PackageError) in
            try sink.item(index, utf8)
        }
        try sink.beginLevels()
        func head(
            _ range: ClosedRange<Int>, index: Int
        ) throws(PackageError) -> NumbersReading {
            try NumbersReading(
                count: count, plain: nil, within: range, index: index, from: &reader
            ) { _, _ in }
        }
        let codes = 0...1 << 24 - 1
        let levels = try head(codes, index: 0)
        let scales = spec.output == .zScore ? try head(codes, index: 1) : nil
        let persistences =
            spec.inputs.contains(.persistence) ? try head(-128...127, index: 2) : nil
        var stream = try reader.stream()
        try levels.read(&stream) { index, code throws(PackageError) in
            let level = PackedNumbers.value(float24: UInt32(code))
            guard level >= SeriesState.levelMin, level <= SeriesState.levelMax else {
                throw .field(.level, index: index)
            }
            sink.level(index, level)
        }
        try scales?.read(&stream) { index, code throws(PackageError) in
            let scale = PackedNumbers.value(float24: UInt32(code))
            guard scale >= SeriesState.scaleMin, scale <= SeriesState.levelMax else {
                throw .field(.scale, index: index)
            }
            sink.scale(index, scale)
        }
        try persistences?.read(&stream) { index, code in sink.persistence(index, Int8(code)) }
        if profiles > 1 {
            for index in 0..<count {
                guard let profile = stream.symbol(of: UInt32(profiles)) else {
                    throw .field(.codeStream, index: index)
                }
                sink.profile(index, UInt16(profile))
            }
        }
        try stream.end()
    }
}

extension NetworkHead {
    /// In the cell's byte.
    static let inPlaceFlag: UInt8 = 0x80
    static let inputNibblesFlag: UInt8 = 0x20
    static let recurrentNibblesFlag: UInt8 = 0x40

    /// - Parameter inputWidth: what the manifest's inputs give; checked before it sizes anything.
    fileprivate init(_ reader: inout ByteReader, inputWidth: Int) throws(PackageError) {
        let code = try reader.byte()
        guard let cell = CellKind(rawValue: code & 0x1F) else { throw .field(.cell, index: 0) }
        kernelsInPlace = code & Self.inPlaceFlag != 0
        inputForm = code & Self.inputNibblesFlag != 0 ? .nibbles : .tiles
        recurrentForm = code & Self.recurrentNibblesFlag != 0 ? .nibbles : .tiles
        guard try reader.count(1...NetworkShape.inputWidthMax, .inputWidth) == inputWidth else {
            throw .field(.inputWidth, index: 0)
        }
        let units = try reader.count(1...NetworkShape.unitsMax, .units)
        guard inputForm.suits(columns: inputWidth), recurrentForm.suits(columns: units) else {
            throw .field(.cell, index: 0)
        }
        shape = NetworkShape(cell: cell, inputWidth: inputWidth, units: units)
        let bits = try reader.byte()
        let cellBits = IntegerNetwork.cellFractionBitsRange.lowerBound + Int(bits >> 4)
        guard IntegerNetwork.cellFractionBitsRange.contains(cellBits) else {
            throw .network(.cellFractionBits(cellBits))
        }
        let hiddenBits = Int(bits & 15)
        guard
            IntegerNetwork.hiddenFractionBitsRange(cell, cellFractionBits: cellBits)
                .contains(hiddenBits)
        else { throw .network(.hiddenFractionBits(hiddenBits)) }
        scales = IntegerScales(cellFractionBits: cellBits, hiddenFractionBits: hiddenBits)
        outputScale = try reader.shortFloat()
        guard outputScale > 0, outputScale.isFinite else { throw .network(.outputScale) }
    }
}

/// A kernel, whole or in factors.
private enum KernelReading {
    case whole(WeightsReading, IntegerTensor, KernelForm)
    case factors(left: WeightsReading, right: WeightsReading, leftCount: Int, IntegerTensor, Int)

    init<Sink: PackageSink & ~Copyable>(
        _ tensor: IntegerTensor, _ head: NetworkHead, index: Int, _ reader: inout ByteReader,
        _ sink: inout Sink
    ) throws(PackageError) {
        let shape = head.shape
        let form = head.form(of: tensor)
        let rows = shape.kernelRows
        let columns = tensor == .inputKernel ? shape.inputWidth : shape.units
        let tag = try reader.byte()
        guard tag == CodingTag.factors.rawValue else {
            let weights = try WeightsReading(
                tag: tag, count: rows * columns, index: index, from: &reader
            ) { i, weight throws(PackageError) in
                try Self.place(tensor, form, i, weight, &sink)
            }
            self = .whole(weights, tensor, form)
            return
        }
        let rank = try reader.count(1...min(rows, columns), .codeRank, index: index)
        let shift = Int(try reader.byte())
        guard KernelFactors.shiftRange.contains(shift) else {
            throw .field(.codeRank, index: index)
        }
        try sink.beginFactors(of: tensor, rank: rank, shift: shift)
        let left = try WeightsReading(count: rows * rank, index: index, from: &reader) {
            i, weight throws(PackageError) in
            try Self.place(factorOf: tensor, i, weight, index, &sink)
        }
        let right = try WeightsReading(count: rank * columns, index: index, from: &reader) {
            i, weight throws(PackageError) in
            try Self.place(factorOf: tensor, rows * rank + i, weight, index, &sink)
        }
        self = .factors(left: left, right: right, leftCount: rows * rank, tensor, index)
    }

    func read<Sink: PackageSink & ~Copyable>(
        _ stream: inout RangeDecoder, _ sink: inout Sink
    ) throws(PackageError) {
        switch self {
        case .whole(let weights, let tensor, let form):
            try weights.read(&stream) { i, weight throws(PackageError) in
                try Self.place(tensor, form, i, weight, &sink)
            }
        case .factors(let left, let right, let leftCount, let tensor, let index):
            try left.read(&stream) { i, weight throws(PackageError) in
                try Self.place(factorOf: tensor, i, weight, index, &sink)
            }
            try right.read(&stream) { i, weight throws(PackageError) in
                try Self.place(factorOf: tensor, leftCount + i, weight, index, &sink)
            }
            try sink.endFactors(of: tensor)
        }
    }

    private static func place<Sink: PackageSink & ~Copyable>(
        _ tensor: IntegerTensor, _ form: KernelForm, _ i: Int, _ weight: Int8, _ sink: inout Sink
    ) throws(PackageError) {
        guard form.holds(weight) else { throw .network(.weight(tensor, at: i)) }
        sink.weight(tensor, i, weight)
    }

    private static func place<Sink: PackageSink & ~Copyable>(
        factorOf tensor: IntegerTensor, _ i: Int, _ weight: Int8, _ index: Int,
        _ sink: inout Sink
    ) throws(PackageError) {
        guard weight != -128 else { throw .field(.codeRank, index: index) }
        sink.factor(of: tensor, i, weight)
    }
}
