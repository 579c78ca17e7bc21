import Forecasting

extension ModelPackage {
    /// Reads a file. Bounded in time and memory whatever the bytes are: nothing is allocated for a length that has not
    /// been checked against the bytes at hand and the section's ceiling.
    package static func decode(_ file: [UInt8]) throws(PackageError) -> ModelPackage {
        guard file.count <= fileBytesMax else {
            throw .fileTooLarge(bytes: file.count, bytesMax: fileBytesMax)
        }
        let sections = try sections(of: file)
        guard let manifestBytes = sections[.manifest] else { throw .missingSection(.manifest) }
        guard let networkBytes = sections[.network] else { throw .missingSection(.network) }
        let manifest = try Manifest(decoding: manifestBytes)
        // Checked before the widths derived from it size anything.
        do { try manifest.spec.validate() } catch { throw .spec(error) }
        var package = ModelPackage(
            manifest: manifest,
            network: try IntegerNetwork(
                decoding: networkBytes, version: sections.version,
                inputWidth: manifest.spec.inputWidth),
            profiles: [.flat], starts: [])
        if manifest.spec.form == .profile {
            guard let bytes = sections[.profiles] else { throw .missingSection(.profiles) }
            try package.decodeProfiles(bytes)
        } else if sections[.profiles] != nil {
            throw .field(.profileCount, index: 0)
        }
        if let bytes = sections[.calendar] {
            guard manifest.spec.form == .profile else { throw .field(.calendar, index: 0) }
            try package.decodeCalendar(bytes)
        }
        if let bytes = sections[.starts] { try package.decodeStarts(bytes) }
        if let bytes = sections[.goldenVectors] { try package.decodeGoldenVectors(bytes) }
        try package.validate()
        return package
    }

    /// What a forecast is computed from, as the file stores it: network, profiles, starts and calendar, their
    /// heads included: what is left without the manifest and the forecasts that prove the rest.
    package static func payloadBytes(of file: [UInt8]) throws(PackageError) -> Int {
        let sections = try sections(of: file)
        return sections.storedBytes(.network) + sections.storedBytes(.profiles)
            + sections.storedBytes(.starts) + sections.storedBytes(.calendar)
    }

    /// Unpacked, by section.
    private struct Sections {
        /// Of the file.
        let version: UInt8
        private var contents = [[UInt8]?](repeating: nil, count: PackageSection.allCases.count)
        private var stored = [Int](repeating: 0, count: PackageSection.allCases.count)

        init(version: UInt8) { self.version = version }

        subscript(section: PackageSection) -> [UInt8]? {
            get { contents[Int(section.rawValue) - 1] }
            set { contents[Int(section.rawValue) - 1] = newValue }
        }

        func storedBytes(_ section: PackageSection) -> Int { stored[Int(section.rawValue) - 1] }

        mutating func setStoredBytes(_ bytes: Int, of section: PackageSection) {
            stored[Int(section.rawValue) - 1] = bytes
        }
    }

    private static func sections(of file: [UInt8]) throws(PackageError) -> Sections {
        guard file.count > magic.count, file.starts(with: magic) else { throw .notAPackage }
        let version = file[magic.count]
        guard readableVersions.contains(version) else { throw .unsupportedVersion(version) }
        var sections = Sections(version: version)
        var position = magic.count + 1
        var lastTag: UInt8 = 0

        func byte() throws(PackageError) -> UInt8 {
            guard position < file.count else { throw .truncated(nil) }
            defer { position += 1 }
            return file[position]
        }
        /// Lengths are below 2^28: four bytes of seven bits.
        func length() throws(PackageError) -> Int {
            var value = 0
            for shift in [0, 7, 14, 21] {
                let next = try byte()
                value |= Int(next & 0x7F) << shift
                if next & 0x80 == 0 {
                    guard next != 0 || shift == 0 else { throw .field(.number, index: 0) }
                    return value
                }
            }
            throw .field(.number, index: 0)
        }

        // Each turn consumes at least three bytes of a bounded file.
        while position < file.count {
            let start = position
            let tag = try byte()
            let section = PackageSection(rawValue: tag)
            // Tags from 128 on are for what an older program may skip.
            guard section != nil || tag >= 128 else { throw .unknownSection(tag: tag) }
            if let section, tag <= lastTag { throw .sectionOutOfOrder(section) }
            lastTag = max(lastTag, tag)
            let packingCode = try byte()
            let unpackedBytes = try length()
            let packedBytes = packingCode == Packing.stored.rawValue ? unpackedBytes : try length()
            guard packedBytes <= file.count - position else { throw .truncated(section) }
            let packed = file[position..<position + packedBytes]
            position += packedBytes
            guard let section else { continue }
            guard unpackedBytes <= section.bytesMax else {
                throw .sectionTooLarge(
                    section, bytes: UInt64(unpackedBytes), bytesMax: section.bytesMax)
            }
            guard let packing = Packing(rawValue: packingCode),
                let content = packing.unpack(packed, unpackedBytes: unpackedBytes)
            else { throw .packing(section) }
            sections[section] = content
            sections.setStoredBytes(position - start, of: section)
        }
        return sections
    }

    private mutating func decodeProfiles(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .profiles)
        let count = try reader.count(1...Self.profilesMax, .profileCount)
        profiles = []
        for index in 0..<count {
            func factors(_ count: Int) throws(PackageError) -> [Float] {
                var factors: [Float] = []
                for _ in 0..<count {
                    let code = UInt16(try reader.fixed(bytes: 2))
                    let factor = PackedNumbers.factor(code: code)
                    guard SeasonalProfile.factorRange.contains(factor) else {
                        throw .field(.factor, index: index)
                    }
                    factors.append(factor)
                }
                return factors
            }
            profiles.append(
                SeasonalProfile(
                    weekday: try factors(SeasonalProfile.weekdays),
                    month: try factors(SeasonalProfile.months)))
        }
        try reader.end()
    }

    /// After the profiles, which all get it.
    private mutating func decodeCalendar(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .calendar)
        var calendar = DemandCalendar.flat
        let factors = try reader.count(0...DemandCalendar.daysOfMonth, .dayOfMonth)
        guard factors == 0 || factors == DemandCalendar.daysOfMonth else {
            throw .field(.dayOfMonth, index: 0)
        }
        for _ in 0..<factors {
            let code = UInt16(try reader.fixed(bytes: 2))
            calendar.dayOfMonth.append(PackedNumbers.factor(code: code))
        }
        let days = try reader.count(0...DemandCalendar.specialDaysMax, .specialDayCount)
        for index in 0..<days {
            let code = try reader.count(
                0...Int(AnnualRule.codes.upperBound), .specialDay, index: index)
            guard let rule = AnnualRule(code: UInt16(code)) else {
                throw .field(.specialDay, index: index)
            }
            let factor = PackedNumbers.factor(code: UInt16(try reader.fixed(bytes: 2)))
            calendar.specialDays.append(SpecialDay(rule: rule, factor: factor))
        }
        try reader.end()
        // One that says nothing is never written.
        guard !calendar.isFlat else { throw .field(.calendar, index: 0) }
        for index in profiles.indices { profiles[index].calendar = calendar }
    }

    private mutating func decodeStarts(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .starts)
        let count = try reader.count(1...Self.startsMax, .startCount)
        for index in 0..<count {
            let length = try reader.count(1...ItemID.bytesMax, .item, index: index)
            let slice = try reader.raw(length)
            let item: ItemID
            do { item = try ItemID(utf8: slice) } catch { throw .field(.item, index: index) }
            starts.append(SeriesStart(item: item, level: 1, scale: 1, profile: 0))
        }
        for index in 0..<count {
            starts[index].level = PackedNumbers.value(float24: try reader.fixed(bytes: 3))
        }
        if manifest.spec.output == .zScore {
            for index in 0..<count {
                starts[index].scale = PackedNumbers.value(float24: try reader.fixed(bytes: 3))
            }
        }
        if profiles.count > 1 {
            for index in 0..<count {
                starts[index].profile = UInt16(
                    try reader.count(0...profiles.count - 1, .profileIndex, index: index))
            }
        }
        if manifest.spec.inputs.contains(.persistence) {
            for index in 0..<count {
                starts[index].persistence = PackedNumbers.persistence(
                    code: Int8(bitPattern: try reader.byte()))
            }
        }
        try reader.end()
    }

    private mutating func decodeGoldenVectors(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .goldenVectors)
        let count = try reader.count(1...Self.goldenVectorsMax, .goldenCount)
        for index in 0..<count {
            let item = try reader.optional(0...Self.startsMax - 1, .goldenItem, index: index)
            let level = try reader.float()
            let offset = try reader.signed(-100_000...100_000, .goldenTarget, index: index)
            var days: [DemandDay] = []
            for _ in 0..<manifest.spec.window {
                switch try reader.count(0...Int(Int32.max) + 2, .goldenDay, index: index) {
                case 0: days.append(.unknown)
                case 1: days.append(.closed)
                case let code: days.append(DemandDay(units: Int32(code - 2)))
                }
            }
            let output = try reader.signed(
                Int(Int32.min)...Int(Int32.max), .goldenOutput, index: index)
            goldenVectors.append(
                GoldenVector(
                    item: item, level: level, target: manifest.asOf.advanced(by: offset),
                    recentDays: days, networkOutput: Int32(output), units: try reader.float()))
        }
        try reader.end()
    }
}

extension Manifest {
    fileprivate init(decoding bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .manifest)
        var features: [String] = []
        for index in 0..<(try reader.count(0...ModelPackage.featuresMax, .features)) {
            features.append(try reader.text(1...32, .feature, index: index))
        }
        let family = try reader.text(1...64, .family)
        let variant = try reader.text(1...64, .variant)
        let recipe = try reader.text(0...256, .recipe)
        let lineage = try reader.text(0...256, .lineage)
        guard let form = ModelForm(rawValue: try reader.byte()) else {
            throw .field(.form, index: 0)
        }
        guard let output = OutputKind(rawValue: try reader.byte()) else {
            throw .field(.output, index: 0)
        }
        let window = try reader.count(0...Int(UInt16.max), .number)
        let inputs = try reader.count(0...Int(UInt16.max), .number)
        let spec = FeatureSpec(
            form: form, window: window, levelRate: try reader.float(),
            inputs: FeatureInputs(rawValue: UInt16(inputs)), output: output)
        let storeBytes = try reader.raw(try reader.count(0...StoreID.bytesMax, .store))
        var store: StoreID?
        if !storeBytes.isEmpty {
            do { store = try StoreID(utf8: storeBytes) } catch { throw .field(.store, index: 0) }
        }
        let asOf = try reader.count(ModelPackage.days, .asOf)
        let release = try reader.varint()
        let arenaBytes = try reader.count(0...Int(Int32.max), .arenaBytes)
        let ceiling = PackageEvaluation.partsPerMillionMax
        let wape = try reader.optional(0...ceiling, .evaluation)
        let mape = try reader.optional(0...ceiling, .evaluation)
        let bias = try reader.optional(0...2 * ceiling, .evaluation)
        let forecasts = try reader.count(0...Int(Int32.max), .evaluation)
        let newItemScale = try reader.float()
        try reader.end()
        self.init(
            family: family, variant: variant, recipe: recipe, lineage: lineage,
            requiredFeatures: features, spec: spec, store: store,
            asOf: BusinessDay(daysSince1970: Int32(asOf)), release: release,
            arenaBytes: arenaBytes,
            evaluation: PackageEvaluation(
                wapePartsPerMillion: wape, mapePartsPerMillion: mape,
                biasPartsPerMillion: bias.map { $0 >> 1 ^ -($0 & 1) }, forecasts: forecasts),
            newItemScale: newItemScale)
    }
}

extension IntegerNetwork {
    /// - Parameter version: version 1 knows the LSTM only, and does not say so.
    fileprivate init(
        decoding bytes: [UInt8], version: UInt8, inputWidth: Int
    ) throws(PackageError) {
        var reader = ByteReader(bytes, section: .network)
        var cell = CellKind.lstm
        if version > 1 {
            guard let named = CellKind(rawValue: try reader.byte()) else {
                throw .field(.cell, index: 0)
            }
            cell = named
        }
        guard try reader.count(1...NetworkShape.inputWidthMax, .inputWidth) == inputWidth else {
            throw .field(.inputWidth, index: 0)
        }
        let units = try reader.count(1...NetworkShape.unitsMax, .units)
        // The largest shape's tensors take 99 KB: nothing a hostile header says allocates more.
        self.init(shape: NetworkShape(cell: cell, inputWidth: inputWidth, units: units))
        cellFractionBits = Int(try reader.byte())
        hiddenFractionBits = Int(try reader.byte())
        outputScale = try reader.float()
        let tensors = IntegerTensor.tensors(of: cell)
        _ = try reader.count(tensors.count...tensors.count, .tensorCount)
        for (index, tensor) in tensors.enumerated() {
            guard try reader.byte() == tensor.rawValue else {
                throw .field(.tensorKind, index: index)
            }
            let dimensions = tensor.dimensions(shape)
            let typeAndRank = try reader.byte()
            guard typeAndRank >> 4 == tensor.type.rawValue else {
                throw .field(.tensorType, index: index)
            }
            guard Int(typeAndRank & 15) == dimensions.count else {
                throw .field(.tensorRank, index: index)
            }
            for dimension in dimensions {
                _ = try reader.count(dimension...dimension, .tensorDimension, index: index)
            }
            try decode(tensor, from: &reader)
        }
        try reader.end()
    }

    private mutating func decode(
        _ tensor: IntegerTensor, from reader: inout ByteReader
    ) throws(PackageError) {
        switch tensor {
        case .inputSteps:
            var filled = 0
            while filled < inputSteps.count {
                let run = try reader.count(1...inputSteps.count - filled, .stepRun)
                let steps = try reader.float()
                for i in filled..<filled + run { inputSteps[i] = steps }
                filled += run
            }
        case .inputKernel: inputKernel = try Self.weights(inputKernel.count, &reader)
        case .recurrentKernel: recurrentKernel = try Self.weights(recurrentKernel.count, &reader)
        case .denseKernel: denseKernel = try Self.weights(denseKernel.count, &reader)
        case .inputMultipliers:
            inputMultiplierCodes = try Self.codes(inputMultiplierCodes.count, &reader)
        case .recurrentMultipliers:
            recurrentMultiplierCodes = try Self.codes(recurrentMultiplierCodes.count, &reader)
        case .bias:
            for i in bias.indices { bias[i] = try Self.int32(&reader) }
        case .denseBias: denseBias = try Self.int32(&reader)
        case .scalars: scalars = try Self.codes(scalars.count, &reader)
        }
    }

    private static func weights(
        _ count: Int, _ reader: inout ByteReader
    ) throws(PackageError) -> [Int8] {
        try reader.raw(count).map { Int8(bitPattern: $0) }
    }

    private static func codes(
        _ count: Int, _ reader: inout ByteReader
    ) throws(PackageError) -> [UInt16] {
        var codes: [UInt16] = []
        for _ in 0..<count { codes.append(UInt16(try reader.fixed(bytes: 2))) }
        return codes
    }

    private static func int32(_ reader: inout ByteReader) throws(PackageError) -> Int32 {
        Int32(try reader.signed(Int(Int32.min)...Int(Int32.max), .number))
    }
}
