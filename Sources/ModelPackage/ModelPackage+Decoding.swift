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
            network: try CodedNetwork(networkBytes, inputWidth: manifest.spec.inputWidth).decoded(),
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
        try PackageBytes(of: file).payload
    }

    /// Unpacked, by section.
    struct Sections {
        private var contents = [[UInt8]?](repeating: nil, count: PackageSection.allCases.count)
        fileprivate(set) var bytes = PackageBytes()

        subscript(section: PackageSection) -> [UInt8]? {
            get { contents[Int(section.rawValue) - 1] }
            set { contents[Int(section.rawValue) - 1] = newValue }
        }
    }

    static func sections(of file: [UInt8]) throws(PackageError) -> Sections {
        guard file.count > magic.count, file.starts(with: magic) else { throw .notAPackage }
        let version = file[magic.count]
        guard version == formatVersion else { throw .unsupportedVersion(version) }
        var sections = Sections()
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
            let begin = position
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
            sections.bytes[section] = position - begin
            sections.bytes.decoding += content.count
            if packing != .stored { sections.bytes.inflating = Packing.inflatingBytes }
        }
        sections.bytes.total = file.count
        return sections
    }

    private mutating func decodeProfiles(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .profiles)
        let count = try reader.count(1...Self.profilesMax, .profileCount)
        guard let zeroBits = CodingTag.rangeNumbers.flags(of: try reader.byte()) else {
            throw .field(.coding, index: 0)
        }
        let coding = try RangeNumbers(zeroBits: zeroBits, from: &reader, index: 0)
        var stream = try reader.stream()
        profiles = []
        for index in 0..<count {
            var profile = index == 0 ? SeasonalProfile.flat : profiles[index - 1]
            var repeats = ProfileRepeats.nothing
            if index > 0 {
                guard let symbol = stream.symbol(of: 4) else {
                    throw .field(.codeStream, index: index)
                }
                repeats = ProfileRepeats(rawValue: UInt8(symbol))
            }
            func factors(_ count: Int) throws(PackageError) -> [Float] {
                guard let codes = coding.decode(count: count, from: &stream) else {
                    throw .field(.codeStream, index: index)
                }
                var factors: [Float] = []
                for code in codes {
                    guard let code = UInt16(exactly: code) else {
                        throw .field(.factor, index: index)
                    }
                    factors.append(PackedNumbers.factor(code: code))
                }
                return factors
            }
            if !repeats.weekday { profile.weekday = try factors(SeasonalProfile.weekdays) }
            if !repeats.month { profile.month = try factors(SeasonalProfile.months) }
            profiles.append(profile)
        }
        try stream.end()
    }

    /// After the profiles, which all get it.
    private mutating func decodeCalendar(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .calendar)
        var calendar = DemandCalendar.flat
        let count = try reader.count(0...DemandCalendar.daysOfMonth, .dayOfMonth)
        guard count == 0 || count == DemandCalendar.daysOfMonth else {
            throw .field(.dayOfMonth, index: 0)
        }
        let days =
            count > 0
            ? try CodedNumbers(count: count, plain: nil, from: &reader, index: 0) : nil
        let specialCount = try reader.count(0...DemandCalendar.specialDaysMax, .specialDayCount)
        var (next, open) = (0, 0)
        for index in 0..<specialCount {
            let code = try reader.count(
                0...2 * Int(AnnualRule.codes.upperBound) + 1, .specialDay, index: index)
            guard let rule = AnnualRule(code: UInt16(next + code >> 1)) else {
                throw .field(.specialDay, index: index)
            }
            next = Int(rule.code) + 1
            open += code & 1 == 0 ? 1 : 0
            // Those that are not closed get theirs below.
            calendar.specialDays.append(SpecialDay(rule: rule, factor: Float(1 - code & 1)))
        }
        let specials =
            open > 0
            ? try CodedNumbers(count: open, plain: nil, from: &reader, index: 1) : nil
        var stream = try reader.stream()
        let codes = 0...Int(UInt16.max)
        if let days {
            for code in try days.numbers(within: codes, from: &stream, index: 0) {
                calendar.dayOfMonth.append(PackedNumbers.factor(code: UInt16(code)))
            }
        }
        if let specials {
            var factors = try specials.numbers(within: codes, from: &stream, index: 1)[...]
            for index in calendar.specialDays.indices
            where calendar.specialDays[index].factor > 0 {
                guard let code = factors.popFirst(), code > 0 else {
                    throw .field(.specialDay, index: index)
                }
                calendar.specialDays[index].factor = PackedNumbers.factor(code: UInt16(code))
            }
        }
        try stream.end()
        // One that says nothing is never written.
        guard !calendar.isFlat else { throw .field(.calendar, index: 0) }
        for index in profiles.indices { profiles[index].calendar = calendar }
    }

    private mutating func decodeStarts(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .starts)
        let count = try reader.count(1...Self.startsMax, .startCount)
        for item in try ItemList.decode(count: count, from: &reader) {
            starts.append(SeriesStart(item: item, level: 1, scale: 1, profile: 0))
        }
        let codes = 0...1 << 24 - 1
        let levels = try CodedNumbers(count: count, plain: nil, from: &reader, index: 0)
        let scales =
            manifest.spec.output == .zScore
            ? try CodedNumbers(count: count, plain: nil, from: &reader, index: 1) : nil
        let persistences =
            manifest.spec.inputs.contains(.persistence)
            ? try CodedNumbers(count: count, plain: nil, from: &reader, index: 2) : nil
        var stream = try reader.stream()
        let levelCodes = try levels.numbers(within: codes, from: &stream, index: 0)
        for index in 0..<count {
            starts[index].level = PackedNumbers.value(float24: UInt32(levelCodes[index]))
        }
        if let scales {
            let scaleCodes = try scales.numbers(within: codes, from: &stream, index: 1)
            for index in 0..<count {
                starts[index].scale = PackedNumbers.value(float24: UInt32(scaleCodes[index]))
            }
        }
        if let persistences {
            let steps = try persistences.numbers(within: -128...127, from: &stream, index: 2)
            for index in 0..<count {
                starts[index].persistence = PackedNumbers.persistence(code: Int8(steps[index]))
            }
        }
        if profiles.count > 1 {
            for index in 0..<count {
                guard let profile = stream.symbol(of: UInt32(profiles.count)) else {
                    throw .field(.codeStream, index: index)
                }
                starts[index].profile = UInt16(profile)
            }
        }
        try stream.end()
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
                switch try reader.count(0...Int64(Int32.max) + 2, .goldenDay, index: index) {
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
        let bias = try reader.optional(0...2 * Int64(ceiling), .evaluation)
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
                biasPartsPerMillion: bias.map { Int($0 >> 1 ^ -($0 & 1)) }, forecasts: forecasts),
            newItemScale: newItemScale)
    }
}
