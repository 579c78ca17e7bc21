import Forecasting

/// What takes a package as it is read, value by value: a device's arena, or the hub's `ModelPackage`. Everything has been checked
/// when it comes, but what only the whole shows.
protocol PackageSink: ~Copyable {
    /// Memory for a section's content until the section has been read.
    mutating func roomForUnpacking(
        _ bytes: Int
    ) throws(PackageError) -> UnsafeMutableBufferPointer<UInt8>
    mutating func endUnpacking(_ room: UnsafeMutableBufferPointer<UInt8>)

    mutating func begin(_ manifest: ManifestFields) throws(PackageError)

    /// Every element of every tensor comes once, in any order of tensors.
    mutating func begin(_ network: NetworkHead) throws(PackageError)
    mutating func step(_ column: Int, _ steps: Float)
    mutating func weight(_ tensor: IntegerTensor, _ index: Int, _ weight: Int8)
    /// A kernel comes as its factors: `[rows, rank]` of the left one, then `[rank, columns]` of the right one.
    mutating func beginFactors(
        of kernel: IntegerTensor, rank: Int, shift: Int
    ) throws(PackageError)
    mutating func factor(of kernel: IntegerTensor, _ index: Int, _ weight: Int8)
    mutating func endFactors(of kernel: IntegerTensor) throws(PackageError)
    mutating func multiplier(_ tensor: IntegerTensor, _ row: Int, _ code: UInt16)
    mutating func bias(_ index: Int, _ bias: Int32)
    mutating func scales(_ scales: IntegerScales)
    /// The kernels lie in the file as the device runs them, in their forms.
    mutating func kernelsInPlace(
        input: UnsafeBufferPointer<Int8>, recurrent: UnsafeBufferPointer<Int8>)

    /// - Parameter count: 1 or more.
    mutating func beginProfiles(_ count: Int) throws(PackageError)
    /// - Parameter index: a weekday's (0...6), or 7 more than a month's.
    mutating func factor(profile: Int, _ index: Int, _ code: UInt16)
    /// The half of the profile before it comes again.
    mutating func repeatFactors(profile: Int, _ indices: Range<Int>)

    mutating func beginCalendar(daysOfMonth: Int, specialDays: Int) throws(PackageError)
    mutating func dayOfMonth(_ index: Int, _ code: UInt16)
    mutating func specialDay(_ index: Int, _ rule: AnnualRule)
    /// - Parameter code: 0 on a day on which the shops are closed.
    mutating func specialDayFactor(_ index: Int, _ code: UInt16)

    mutating func beginStarts(_ count: Int) throws(PackageError)
    mutating func item(_ index: Int, _ utf8: UnsafeBufferPointer<UInt8>) throws(PackageError)
    /// After the items.
    mutating func beginLevels() throws(PackageError)
    mutating func level(_ index: Int, _ level: Float)
    mutating func scale(_ index: Int, _ scale: Float)
    mutating func persistence(_ index: Int, _ code: Int8)
    mutating func profile(_ index: Int, _ profile: UInt16)
}

/// A network section's first fields.
struct NetworkHead {
    var shape: NetworkShape
    var scales: IntegerScales
    var outputScale: Float
    var kernelsInPlace: Bool
    /// How the device runs the kernels.
    var inputForm: KernelForm
    var recurrentForm: KernelForm

    func form(of kernel: IntegerTensor) -> KernelForm {
        kernel == .inputKernel ? inputForm : recurrentForm
    }
}

/// A manifest whose texts still lie in the section.
struct ManifestFields {
    var features: InlineArray<8, UnsafeBufferPointer<UInt8>>
    var featureCount: Int
    var family: UnsafeBufferPointer<UInt8>
    var variant: UnsafeBufferPointer<UInt8>
    var recipe: UnsafeBufferPointer<UInt8>
    var lineage: UnsafeBufferPointer<UInt8>
    var spec: FeatureSpec
    /// Empty: for any store.
    var store: UnsafeBufferPointer<UInt8>
    var asOf: BusinessDay
    var release: UInt64
    var evaluation: PackageEvaluation
    var newItemScale: Float

    init(_ reader: inout ByteReader) throws(PackageError) {
        let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        features = InlineArray(repeating: none)
        featureCount = try reader.count(0...ModelPackage.featuresMax, .features)
        for index in 0..<featureCount {
            features[index] = try reader.text(1...32, .feature, index: index)
        }
        family = try reader.text(1...64, .family)
        variant = try reader.text(1...64, .variant)
        recipe = try reader.text(0...256, .recipe)
        lineage = try reader.text(0...256, .lineage)
        guard let form = ModelForm(rawValue: try reader.byte()) else {
            throw .field(.form, index: 0)
        }
        guard let output = OutputKind(rawValue: try reader.byte()) else {
            throw .field(.output, index: 0)
        }
        let window = try reader.count(0...Int(UInt16.max), .number)
        let inputs = try reader.count(0...Int(UInt16.max), .number)
        spec = FeatureSpec(
            form: form, window: window, levelRate: try reader.float(),
            inputs: FeatureInputs(rawValue: UInt16(inputs)), output: output)
        // Checked before the widths derived from it size anything.
        do { try spec.validate() } catch { throw .spec(error) }
        store = try reader.raw(try reader.count(0...StoreID.bytesMax, .store))
        if !store.isEmpty {
            do { try StoreID.check(store) } catch { throw .field(.store, index: 0) }
        }
        asOf = BusinessDay(daysSince1970: Int32(try reader.count(ModelPackage.days, .asOf)))
        release = try reader.varint()
        let ceiling = PackageEvaluation.partsPerMillionMax
        let wape = try reader.optional(0...ceiling, .evaluation)
        let mape = try reader.optional(0...ceiling, .evaluation)
        let bias = try reader.optional(0...2 * Int64(ceiling), .evaluation)
        evaluation = PackageEvaluation(
            wapePartsPerMillion: wape, mapePartsPerMillion: mape,
            biasPartsPerMillion: bias.map { Int($0 >> 1 ^ -($0 & 1)) },
            forecasts: try reader.count(0...Int(Int32.max), .evaluation))
        newItemScale = try reader.float()
        guard newItemScale > 0, newItemScale <= SeriesState.levelMax else {
            throw .field(.newItemScale, index: 0)
        }
        try reader.end()
    }
}

/// One golden vector, without memory of its own.
struct GoldenFields {
    var item: Int?
    var level: Float
    var target: BusinessDay
    /// The first `window` of them.
    var recentDays: InlineArray<64, DemandDay>
    var targetMarks: DayMarks
    var networkOutput: Int32
    var units: Float
}

/// Reads a section of golden vectors one by one.
struct GoldenReader {
    private var reader: ByteReader
    private let window: Int
    private let asOf: BusinessDay
    private let starts: Int
    private let planned: DayMarks
    let count: Int
    private var index = 0

    /// - Parameter planned: the marks that are inputs.
    init(
        _ bytes: UnsafeBufferPointer<UInt8>, window: Int, planned: DayMarks, asOf: BusinessDay,
        starts: Int
    ) throws(PackageError) {
        reader = ByteReader(bytes, section: .goldenVectors)
        self.window = window
        self.planned = planned
        self.asOf = asOf
        self.starts = starts
        count = try reader.count(1...ModelPackage.goldenVectorsMax, .goldenCount)
    }

    /// - Returns: nil after the last.
    mutating func next() throws(PackageError) -> GoldenFields? {
        guard index < count else {
            try reader.end()
            return nil
        }
        let item = try reader.optional(0...ModelPackage.startsMax - 1, .goldenItem, index: index)
        if let item, item >= starts { throw .field(.goldenItem, index: index) }
        let level = try reader.float()
        guard level >= SeriesState.levelMin, level <= SeriesState.levelMax else {
            throw .field(.goldenLevel, index: index)
        }
        let offset = try reader.signed(-100_000...100_000, .goldenTarget, index: index)
        let target = asOf.advanced(by: offset)
        guard ModelPackage.days.contains(Int(target.daysSince1970)) else {
            throw .field(.goldenTarget, index: index)
        }
        var days = InlineArray<64, DemandDay>(repeating: .unknown)
        for t in 0..<window {
            switch try reader.count(0...Int64(Int32.max) + 2, .goldenDay, index: index) {
            case 0: days[t] = .unknown
            case 1: days[t] = .closed
            case let code: days[t] = DemandDay(units: Int32(code - 2))
            }
        }
        var targetMarks: DayMarks = []
        if !planned.isEmpty {
            for t in 1...window {
                let marks = DayMarks(rawValue: try reader.byte())
                guard marks.isSubset(of: planned) else { throw .field(.goldenDay, index: index) }
                if t < window { days[t].marks = marks } else { targetMarks = marks }
            }
        }
        let output = try reader.signed(Int32.min...Int32.max, .goldenOutput, index: index)
        let units = try reader.float()
        guard units >= 0, units <= FeatureSpec.unitsMax else {
            throw .field(.goldenUnits, index: index)
        }
        index += 1
        return GoldenFields(
            item: item, level: level, target: target, recentDays: days, targetMarks: targetMarks,
            networkOutput: output, units: units)
    }
}
