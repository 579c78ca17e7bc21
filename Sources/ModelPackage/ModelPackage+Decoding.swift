import Forecasting
import Kernels

extension ModelPackage {
    /// Reads a file. Bounded in time and memory whatever the bytes are: nothing is allocated for a length that has not
    /// been checked against the bytes at hand and the section's ceiling.
    package static func decode(_ file: [UInt8]) throws(PackageError) -> ModelPackage {
        try file.withBytes { bytes throws(PackageError) in
            let reading = try PackageReading(bytes)
            var collector = PackageCollector(arenaBytes: reading.arenaBytes)
            try reading.read(into: &collector)
            var package = collector.finished!  // the reader began with a manifest
            _ = try reading.readGoldenVectors(
                spec: package.manifest.spec, asOf: package.manifest.asOf,
                starts: package.starts.count, &collector
            ) { _, _, golden throws(PackageError) in
                package.goldenVectors.append(
                    GoldenVector(golden, window: package.manifest.spec.window))
            }
            try package.validate()
            return package
        }
    }

    /// What a forecast is computed from, as the file stores it: network, profiles, starts and calendar, their
    /// heads included: what is left without the manifest and the forecasts that prove the rest.
    package static func payloadBytes(of file: [UInt8]) throws(PackageError) -> Int {
        try PackageBytes(of: file).payload
    }
}

extension Manifest {
    /// Reads a file's manifest and nothing else.
    package init(of file: [UInt8]) throws(PackageError) {
        self = try file.withBytes { bytes throws(PackageError) in
            let reading = try PackageReading(bytes)
            var collector = PackageCollector(arenaBytes: reading.arenaBytes)
            try reading.readManifest(into: &collector)
            return collector.package!.manifest  // the reader began with a manifest
        }
    }

    fileprivate init(_ fields: ManifestFields, arenaBytes: Int) throws(PackageError) {
        func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
            String(decoding: bytes, as: UTF8.self)
        }
        var features: [String] = []
        for index in 0..<fields.featureCount { features.append(text(fields.features[index])) }
        var store: StoreID?
        if !fields.store.isEmpty {
            do { store = try StoreID(utf8: fields.store) } catch { throw .field(.store, index: 0) }
        }
        self.init(
            family: text(fields.family), variant: text(fields.variant),
            recipe: text(fields.recipe), lineage: text(fields.lineage),
            requiredFeatures: features, spec: fields.spec, store: store, asOf: fields.asOf,
            release: fields.release, arenaBytes: arenaBytes, evaluation: fields.evaluation,
            newItemScale: fields.newItemScale)
    }
}

extension GoldenVector {
    fileprivate init(_ fields: GoldenFields, window: Int) {
        var days: [DemandDay] = []
        for t in 0..<window { days.append(fields.recentDays[t]) }
        self.init(
            item: fields.item, level: fields.level, target: fields.target, recentDays: days,
            targetMarks: fields.targetMarks, networkOutput: fields.networkOutput,
            units: fields.units)
    }
}

extension [UInt8] {
    /// `withUnsafeBufferPointer` that says what it throws.
    func withBytes<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(PackageError) -> Result
    ) throws(PackageError) -> Result {
        try withUnsafeBufferPointer { bytes throws(PackageError) in try body(bytes) }
    }
}

/// Puts a package together in arrays: the hub's way to read one.
private struct PackageCollector: PackageSink {
    private let arenaBytes: Int
    private(set) var package: ModelPackage?
    private var factors: [KernelFactors?] = [nil, nil]
    private var calendar = DemandCalendar.flat
    private var head: NetworkHead?

    init(arenaBytes: Int) { self.arenaBytes = arenaBytes }

    /// After everything has come; nil when nothing has.
    var finished: ModelPackage? {
        var package = package
        for index in 0..<(package?.profiles.count ?? 0) {
            package?.profiles[index].calendar = calendar
        }
        return package
    }

    mutating func roomForUnpacking(_ bytes: Int) -> UnsafeMutableBufferPointer<UInt8> {
        .allocate(capacity: bytes)
    }

    mutating func endUnpacking(_ room: UnsafeMutableBufferPointer<UInt8>) { room.deallocate() }

    mutating func begin(_ manifest: ManifestFields) throws(PackageError) {
        package = ModelPackage(
            manifest: try Manifest(manifest, arenaBytes: arenaBytes),
            network: IntegerNetwork(
                shape: NetworkShape(inputWidth: manifest.spec.inputWidth, units: 1)),
            profiles: [.flat], starts: [])
    }

    mutating func begin(_ network: NetworkHead) {
        head = network
        package!.network = IntegerNetwork(shape: network.shape)
        package!.network.outputScale = network.outputScale
    }

    mutating func step(_ column: Int, _ steps: Float) {
        package!.network.inputSteps[column] = steps
    }

    mutating func weight(_ tensor: IntegerTensor, _ index: Int, _ weight: Int8) {
        switch tensor {
        case .inputKernel: package!.network.inputKernel[index] = weight
        case .recurrentKernel: package!.network.recurrentKernel[index] = weight
        default: package!.network.denseKernel[index] = weight
        }
    }

    mutating func beginFactors(of kernel: IntegerTensor, rank: Int, shift: Int) {
        let dimensions = kernel.dimensions(package!.network.shape)
        factors[kernel == .inputKernel ? 0 : 1] = KernelFactors(
            rank: rank, left: [Int8](repeating: 0, count: dimensions[0] * rank),
            right: [Int8](repeating: 0, count: rank * dimensions[1]), shift: shift)
    }

    mutating func factor(of kernel: IntegerTensor, _ index: Int, _ weight: Int8) {
        let half = kernel == .inputKernel ? 0 : 1
        let leftCount = factors[half]!.left.count
        if index < leftCount {
            factors[half]!.left[index] = weight
        } else {
            factors[half]!.right[index - leftCount] = weight
        }
    }

    mutating func endFactors(of kernel: IntegerTensor) throws(PackageError) {
        let found = factors[kernel == .inputKernel ? 0 : 1]!
        let dimensions = kernel.dimensions(package!.network.shape)
        // The reader has checked what factors may be.
        let expanded = found.expanded(rows: dimensions[0], columns: dimensions[1])!
        let form = head!.form(of: kernel)
        for index in expanded.indices where !form.holds(expanded[index]) {
            throw .network(.weight(kernel, at: index))
        }
        if kernel == .inputKernel {
            package!.network.inputFactors = found
            package!.network.inputKernel = expanded
        } else {
            package!.network.recurrentFactors = found
            package!.network.recurrentKernel = expanded
        }
    }

    mutating func multiplier(_ tensor: IntegerTensor, _ row: Int, _ code: UInt16) {
        if tensor == .inputMultipliers {
            package!.network.inputMultipliers[row] = RowMultiplier(code: code)
        } else {
            package!.network.recurrentMultipliers[row] = RowMultiplier(code: code)
        }
    }

    mutating func bias(_ index: Int, _ bias: Int32) { package!.network.bias[index] = bias }

    mutating func scales(_ scales: IntegerScales) {
        package!.network.cellFractionBits = Int(scales.cellFractionBits)
        package!.network.hiddenFractionBits = Int(scales.hiddenFractionBits)
        package!.network.denseBias = scales.denseBias
        guard !package!.network.scalars.isEmpty else { return }
        package!.network.scalars = [UInt16(scales.zeta), UInt16(scales.nu)]
    }

    mutating func kernelsInPlace(
        input: UnsafeBufferPointer<Int8>, recurrent: UnsafeBufferPointer<Int8>
    ) {
        let shape = package!.network.shape
        func kernel(
            _ weights: UnsafeBufferPointer<Int8>, _ form: KernelForm, columns: Int
        ) -> [Int8] {
            (0..<shape.kernelRows).flatMap { row in
                (0..<columns).map { column in
                    form.weight(
                        row: shape.padded(index: row), column: column, columns: columns,
                        in: weights)
                }
            }
        }
        package!.network.inputKernel = kernel(
            input, head!.inputForm, columns: shape.inputWidth)
        package!.network.recurrentKernel = kernel(
            recurrent, head!.recurrentForm, columns: shape.units)
    }

    mutating func beginProfiles(_ count: Int) {
        package!.profiles = [SeasonalProfile](repeating: .flat, count: count)
    }

    mutating func factor(profile: Int, _ index: Int, _ code: UInt16) {
        package!.profiles[profile][factor: index] = PackedNumbers.factor(code: code)
    }

    mutating func repeatFactors(profile: Int, _ indices: Range<Int>) {
        for index in indices {
            package!.profiles[profile][factor: index] =
                package!.profiles[profile - 1][factor: index]
        }
    }

    mutating func beginCalendar(daysOfMonth: Int, specialDays: Int) {
        // An arbitrary rule, until each has come.
        let special = SpecialDay(rule: AnnualRule(month: 1, dayOfMonth: 1), factor: 1)
        calendar = DemandCalendar(
            dayOfMonth: [Float](repeating: 1, count: daysOfMonth),
            specialDays: [SpecialDay](repeating: special, count: specialDays))
    }

    mutating func dayOfMonth(_ index: Int, _ code: UInt16) {
        calendar.dayOfMonth[index] = PackedNumbers.factor(code: code)
    }

    mutating func specialDay(_ index: Int, _ rule: AnnualRule) {
        calendar.specialDays[index].rule = rule
    }

    mutating func specialDayFactor(_ index: Int, _ code: UInt16) {
        calendar.specialDays[index].factor = PackedNumbers.factor(code: code)
    }

    mutating func beginStarts(_ count: Int) { package!.starts.reserveCapacity(count) }

    mutating func item(
        _ index: Int, _ utf8: UnsafeBufferPointer<UInt8>
    ) throws(PackageError) {
        do {
            package!.starts.append(
                SeriesStart(item: try ItemID(utf8: utf8), level: 1, scale: 1, profile: 0))
        } catch { throw .field(.item, index: index) }
    }

    mutating func beginLevels() {}
    mutating func level(_ index: Int, _ level: Float) { package!.starts[index].level = level }
    mutating func scale(_ index: Int, _ scale: Float) { package!.starts[index].scale = scale }

    mutating func persistence(_ index: Int, _ code: Int8) {
        package!.starts[index].persistence = PackedNumbers.persistence(code: code)
    }

    mutating func profile(_ index: Int, _ profile: UInt16) {
        package!.starts[index].profile = profile
    }
}

extension SeasonalProfile {
    /// A weekday's factor (0...6), or one 7 more than a month's.
    fileprivate subscript(factor index: Int) -> Float {
        get {
            index < Self.weekdays ? weekday[index] : month[index - Self.weekdays]
        }
        set {
            if index < Self.weekdays {
                weekday[index] = newValue
            } else {
                month[index - Self.weekdays] = newValue
            }
        }
    }
}
