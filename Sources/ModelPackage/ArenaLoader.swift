import Forecasting
import Kernels

/// Reads a package into an arena: what stays from the front, what is unpacked or expanded meanwhile behind it.
struct ArenaLoader: PackageSink {
    private let base: UnsafeMutableRawPointer
    private let bytes: Int
    /// Of the sections read so far.
    private(set) var arena: ArenaView
    /// The most that was ever needed.
    private(set) var reached = 0
    /// Of what has been read, from the front.
    private var filled = 0
    /// Of a section's content, at the arena's end.
    private var unpacked = 0
    /// Of kernels' factors, behind what is filled.
    private var factorBytes = 0
    private var inputFactors = Factors()
    private var recurrentFactors = Factors()
    private var nextIdentifier = 0
    private(set) var spec = FeatureSpec(
        form: .plain, window: 1, levelRate: 0, inputs: [], output: .zScore)
    private(set) var asOf = BusinessDay(daysSince1970: 0)
    private(set) var newItemScale: Float = 1
    private(set) var missingFeature: String?
    private(set) var outputScale: Float = 0
    private(set) var networkScales = IntegerScales(cellFractionBits: 8, hiddenFractionBits: 7)
    /// Of the kernel that is being read.
    private var filling: KernelFilling?
    private(set) var inputTiles: UnsafePointer<Int8>?
    private(set) var recurrentTiles: UnsafePointer<Int8>?

    private struct Factors {
        var offset = 0
        var rank = 0
        var shift = 0
    }

    /// For an empty arena.
    init(_ base: UnsafeMutableRawPointer, bytes: Int) {
        let counts = ArenaLayout.Counts(
            shape: NetworkShape(inputWidth: 1, units: 1), window: 1)
        self.init(ArenaView(layout: ArenaLayout(counts), base: base), bytes: bytes)
        filled = 0
    }

    /// For one that has been loaded, to read more of the same file.
    init(_ arena: ArenaView, bytes: Int) {
        self.arena = arena
        self.bytes = bytes
        base = arena.base
        filled = arena.layout.bytes
    }

    /// Everything but the golden vectors.
    /// - Returns: what proving them takes.
    mutating func load(_ reading: PackageReading) throws(PackageError) -> Int {
        try reading.read(into: &self)
        factorBytes = 0
        let layout = arena.layout
        try fill(to: layout.bytes)
        (base + layout.startsEnd).initializeMemory(
            as: UInt8.self, repeating: 0, count: layout.bytes - layout.startsEnd)
        // No day yet, and not 1970-01-01 either.
        arena.elements(layout.target, as: Int32.self)[0] = .min
        return layout.bytes + reading.goldenUnpackingBytes
    }

    private mutating func fill(to end: Int) throws(PackageError) {
        filled = end
        reached = max(reached, filled + factorBytes + unpacked)
        guard reached <= bytes else {
            throw .arena(statedBytes: bytes, neededBytes: reached)
        }
    }

    private mutating func layOut(
        _ change: (inout ArenaLayout.Counts) -> Void
    ) {
        var counts = arena.layout.counts
        change(&counts)
        arena = ArenaView(layout: ArenaLayout(counts), base: base)
    }

    mutating func roomForUnpacking(
        _ count: Int
    ) throws(PackageError) -> UnsafeMutableBufferPointer<UInt8> {
        unpacked = count
        try fill(to: filled)
        return UnsafeMutableBufferPointer(
            start: (base + bytes - count).assumingMemoryBound(to: UInt8.self), count: count)
    }

    mutating func endUnpacking(_ room: UnsafeMutableBufferPointer<UInt8>) { unpacked = 0 }

    mutating func begin(_ manifest: ManifestFields) {
        spec = manifest.spec
        asOf = manifest.asOf
        newItemScale = manifest.newItemScale
        for index in 0..<manifest.featureCount {
            let feature = manifest.features[index]
            if !CellKind.hasRuntimeFeature(feature) {
                missingFeature = String(decoding: feature, as: UTF8.self)
                return
            }
        }
    }

    // MARK: Network

    mutating func begin(_ network: NetworkHead) throws(PackageError) {
        let window = spec.window
        layOut {
            $0.shape = network.shape
            $0.window = window
            $0.kernelsInPlace = network.kernelsInPlace
            $0.inputForm = network.inputForm
            $0.recurrentForm = network.recurrentForm
        }
        outputScale = network.outputScale
        try fill(to: arena.layout.networkEnd)
        arena.clearNetwork()
    }

    mutating func step(_ column: Int, _ steps: Float) { arena.setStep(column, steps) }

    mutating func weight(_ tensor: IntegerTensor, _ index: Int, _ weight: Int8) {
        guard tensor != .denseKernel else {
            arena.setWeight(tensor, index, weight)
            return
        }
        // A kernel's weights come row by row, and all before another's.
        if index == 0 { filling = arena.filling(tensor) }
        filling?.place(weight)
    }

    mutating func beginFactors(
        of kernel: IntegerTensor, rank: Int, shift: Int
    ) throws(PackageError) {
        let factors = Factors(offset: filled + factorBytes, rank: rank, shift: shift)
        if kernel == .inputKernel { inputFactors = factors } else { recurrentFactors = factors }
        let shape = arena.layout.counts.shape
        let columns = kernel == .inputKernel ? shape.inputWidth : shape.units
        factorBytes += rank * (shape.kernelRows + columns)
        try fill(to: filled)
    }

    mutating func factor(of kernel: IntegerTensor, _ index: Int, _ weight: Int8) {
        let factors = kernel == .inputKernel ? inputFactors : recurrentFactors
        base.storeBytes(of: weight, toByteOffset: factors.offset + index, as: Int8.self)
    }

    mutating func endFactors(of kernel: IntegerTensor) throws(PackageError) {
        let factors = kernel == .inputKernel ? inputFactors : recurrentFactors
        let counts = arena.layout.counts
        let form = kernel == .inputKernel ? counts.inputForm : counts.recurrentForm
        let shape = arena.layout.counts.shape
        let (rows, rank) = (shape.kernelRows, factors.rank)
        let columns = kernel == .inputKernel ? shape.inputWidth : shape.units
        let left = (base + factors.offset).assumingMemoryBound(to: Int8.self)
        let right = left + rows * rank
        for row in 0..<rows {
            for column in 0..<columns {
                let weight = KernelFactors.weight(
                    left: left + row * rank, right: right + column, rank: rank, columns: columns,
                    shift: factors.shift)
                guard form.holds(weight) else {
                    throw .network(.weight(kernel, at: row * columns + column))
                }
                arena.setWeight(kernel, row * columns + column, weight)
            }
        }
    }

    mutating func multiplier(_ tensor: IntegerTensor, _ row: Int, _ code: UInt16) {
        arena.setMultiplier(tensor, row, RowMultiplier(code: code).packed)
    }

    mutating func bias(_ index: Int, _ bias: Int32) { arena.setBias(index, bias) }
    mutating func scales(_ scales: IntegerScales) { networkScales = scales }

    mutating func kernelsInPlace(
        input: UnsafeBufferPointer<Int8>, recurrent: UnsafeBufferPointer<Int8>
    ) {
        inputTiles = input.baseAddress
        recurrentTiles = recurrent.baseAddress
    }

    // MARK: Profiles and calendar

    mutating func beginProfiles(_ count: Int) throws(PackageError) {
        factorBytes = 0
        layOut { $0.profiles = count }
        try fill(to: arena.layout.profilesEnd)
    }

    private var profileFactors: UnsafeMutableBufferPointer<UInt16> {
        arena.elements(arena.layout.profileFactors, as: UInt16.self)
    }

    mutating func factor(profile: Int, _ index: Int, _ code: UInt16) {
        profileFactors[profile * SeasonalProfile.factors + index] = code
    }

    mutating func repeatFactors(profile: Int, _ indices: Range<Int>) {
        let factors = profileFactors
        for index in indices {
            let at = profile * SeasonalProfile.factors + index
            factors[at] = factors[at - SeasonalProfile.factors]
        }
    }

    mutating func beginCalendar(daysOfMonth: Int, specialDays: Int) throws(PackageError) {
        layOut {
            $0.dayOfMonthFactors = daysOfMonth
            $0.specialDays = specialDays
        }
        try fill(to: arena.layout.calendarEnd)
    }

    mutating func dayOfMonth(_ index: Int, _ code: UInt16) {
        arena.elements(arena.layout.dayOfMonthFactors, as: UInt16.self)[index] = code
    }

    mutating func specialDay(_ index: Int, _ rule: AnnualRule) {
        arena.elements(arena.layout.specialRules, as: UInt16.self)[index] = rule.code
    }

    mutating func specialDayFactor(_ index: Int, _ code: UInt16) {
        arena.elements(arena.layout.specialFactors, as: UInt16.self)[index] = code
    }

    // MARK: Starts

    mutating func beginStarts(_ count: Int) throws(PackageError) {
        factorBytes = 0
        let spec = spec
        layOut {
            $0.starts = count
            $0.startsHaveScales = spec.output == .zScore
            $0.startsHavePersistences = spec.inputs.contains(.persistence)
        }
        nextIdentifier = arena.layout.identifiers.offset
        try fill(to: nextIdentifier)
    }

    /// Identifiers come last of what starts have: how long they are together is known only when all are there.
    mutating func item(
        _ index: Int, _ utf8: UnsafeBufferPointer<UInt8>
    ) throws(PackageError) {
        try fill(to: nextIdentifier + 1 + utf8.count)
        base.storeBytes(of: UInt8(utf8.count), toByteOffset: nextIdentifier, as: UInt8.self)
        for i in 0..<utf8.count {
            base.storeBytes(of: utf8[i], toByteOffset: nextIdentifier + 1 + i, as: UInt8.self)
        }
        nextIdentifier = filled
    }

    mutating func beginLevels() {
        let identifiers = nextIdentifier - arena.layout.identifiers.offset
        layOut { $0.identifierBytes = identifiers - $0.starts }
    }

    mutating func level(_ index: Int, _ level: Float) {
        arena.elements(arena.layout.startLevels, as: Float.self)[index] = level
    }

    mutating func scale(_ index: Int, _ scale: Float) {
        arena.elements(arena.layout.startScales, as: Float.self)[index] = scale
    }

    mutating func persistence(_ index: Int, _ code: Int8) {
        arena.elements(arena.layout.startPersistences, as: Int8.self)[index] = code
    }

    mutating func profile(_ index: Int, _ profile: UInt16) {
        arena.elements(arena.layout.startProfiles, as: UInt16.self)[index] = profile
    }
}
