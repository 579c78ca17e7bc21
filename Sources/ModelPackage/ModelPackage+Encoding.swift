import Forecasting
import Kernels

extension ModelPackage {
    /// The file. The same values give the same bytes (with the same zlib; see FORMAT.md). It states `manifest.arenaBytes`,
    /// which need not be what the file takes: `encodeStatingArena`.
    ///
    /// - Parameter coding: of the network's int8 tensors. All give the same package back.
    /// - Precondition: `validate()` passes, and levels, scales and factors are `rounded`: else decoding gives other values.
    package func encode(coding: TensorCoding = .smallest) -> [UInt8] {
        file(of: plan(coding), coding)
    }

    /// The file that states the arena it takes, which the manifest then has too.
    package mutating func encodeStatingArena(coding: TensorCoding = .smallest) -> [UInt8] {
        let sections = plan(coding)
        manifest.arenaBytes = sections.reduce(runningBytes(coding)) { max($0, $1.arenaBytes) }
        return file(of: sections, coding)
    }

    /// What reading and running the file of this coding takes, to the byte.
    package func arenaBytes(coding: TensorCoding = .smallest) -> Int {
        plan(coding).reduce(runningBytes(coding)) { max($0, $1.arenaBytes) }
    }

    private func file(of sections: [PlannedSection], _ coding: TensorCoding) -> [UInt8] {
        var header = ByteWriter()
        header.raw(Self.magic)
        header.byte(Self.formatVersion)
        header.count(manifest.arenaBytes)
        var file = header.bytes
        for section in sections { file += section.bytes }
        if coding == .tiles { file += kernelSection(at: file.count) }
        return file
    }

    /// A section as it stands in the file, and what the arena holds at most while it is read.
    private struct PlannedSection {
        var bytes: [UInt8]
        var arenaBytes: Int
    }

    /// All but the kernels in tiles.
    private func plan(_ coding: TensorCoding) -> [PlannedSection] {
        let running = runningBytes(coding)
        var sections: [PlannedSection] = []
        for section in PackageSection.allCases {
            let contents = contents(of: section, coding: coding)
            guard !contents.isEmpty else { continue }
            let filled = filledBytes(section, coding)
            // A smaller file is not worth more memory, but to who asks for a coding of the network, and with it for deflate.
            let paysForIt = section == .network && coding != .smallest
            let (bytes, unpacking) = section.smallest(
                of: contents, unpackedBytesMax: paysForIt ? .max : running - filled)
            sections.append(PlannedSection(bytes: bytes, arenaBytes: filled + unpacking))
        }
        return sections
    }

    /// Without the memory that sections are unpacked to.
    private func runningBytes(_ coding: TensorCoding) -> Int {
        max(
            ArenaLayout(arenaCounts(kernelsInPlace: coding == .tiles)).bytes,
            filledBytes(.network, coding))
    }

    /// What the arena holds when a section has been read.
    private func filledBytes(_ section: PackageSection, _ coding: TensorCoding) -> Int {
        let layout = ArenaLayout(arenaCounts(kernelsInPlace: coding == .tiles))
        switch section {
        case .manifest: return 0
        case .network, .kernels:
            guard coding != .tiles else { return layout.networkEnd }
            return layout.networkEnd
                + [network.inputFactors, network.recurrentFactors].reduce(0) { bytes, factors in
                    bytes + (factors.map { $0.left.count + $0.right.count } ?? 0)
                }
        case .profiles: return layout.profilesEnd
        case .calendar: return layout.calendarEnd
        case .starts: return layout.startsEnd
        case .goldenVectors: return layout.bytes
        }
    }

    /// Ways to say the same; none for an optional section that has nothing to say.
    private func contents(of section: PackageSection, coding: TensorCoding) -> [[UInt8]] {
        switch section {
        case .manifest: [manifest.encoded]
        case .network: network.encodings(coding)
        case .profiles: manifest.spec.form == .profile ? [encodedProfiles] : []
        case .calendar: calendar.isFlat ? [] : [encodedCalendar]
        case .starts: starts.isEmpty ? [] : [encodedStarts]
        case .goldenVectors: goldenVectors.isEmpty ? [] : [encodedGoldenVectors]
        case .kernels: []
        }
    }

    /// Both kernels as they run, at a multiple of a tile's size from the file's beginning.
    private func kernelSection(at offset: Int) -> [UInt8] {
        let shape = network.shape
        func bytes(_ kernel: [Int8], _ form: KernelForm, columns: Int) -> [UInt8] {
            var memory = [Int8](
                repeating: 0, count: form.bytes(rows: shape.paddedKernelRows, columns: columns))
            memory.withUnsafeMutableBufferPointer { memory in
                form.clear(memory)
                for row in 0..<shape.kernelRows {
                    for column in 0..<columns {
                        form.place(
                            kernel[row * columns + column], row: shape.padded(index: row),
                            column: column, columns: columns, in: memory)
                    }
                }
            }
            return memory.map { UInt8(bitPattern: $0) }
        }
        let kernels =
            bytes(network.inputKernel, network.inputForm, columns: shape.inputWidth)
            + bytes(network.recurrentKernel, network.recurrentForm, columns: shape.units)
        for filling in 0..<WeightTiles.bytes {
            let section = PackageSection.kernels.stored(
                [UInt8(filling)] + [UInt8](repeating: 0, count: filling) + kernels)
            if (offset + section.count - kernels.count) % WeightTiles.bytes == 0 { return section }
        }
        preconditionFailure("a whole tile of filling reaches every multiple")
    }

    private var encodedProfiles: [UInt8] {
        // Every half once, in the order in which the stream has those that are new.
        var repeats: [ProfileRepeats] = []
        var codes: [Int] = []
        for (index, profile) in profiles.enumerated() {
            let before = index > 0 ? profiles[index - 1] : nil
            let known = ProfileRepeats(
                weekday: profile.weekday == before?.weekday, month: profile.month == before?.month)
            repeats.append(known)
            let new =
                (known.weekday ? [] : profile.weekday) + (known.month ? [] : profile.month)
            codes += new.map { Int(PackedNumbers.factorCode($0)) }
        }
        let coding = RangeNumbers.cheapest(codes).coding
        var writer = ByteWriter()
        writer.count(profiles.count)
        writer.byte(CodingTag.rangeNumbers.rawValue | UInt8(coding.zeroBits) << 4)
        coding.write(to: &writer)
        var encoder = RangeEncoder()
        var rest = codes[...]
        for (index, known) in repeats.enumerated() {
            if index > 0 { encoder.encode(UInt32(known.rawValue), of: 4) }
            let new =
                (known.weekday ? 0 : SeasonalProfile.weekdays)
                + (known.month ? 0 : SeasonalProfile.months)
            coding.encode([Int](rest.prefix(new)), into: &encoder)
            rest = rest.dropFirst(new)
        }
        writer.raw(encoder.finish())
        return writer.bytes
    }

    private var encodedStarts: [UInt8] {
        var writer = ByteWriter()
        writer.count(starts.count)
        ItemList.write(starts.map { $0.item }, to: &writer)
        var columns = [starts.map { Int(PackedNumbers.float24($0.level)) }]
        if manifest.spec.output == .zScore {
            columns.append(starts.map { Int(PackedNumbers.float24($0.scale)) })
        }
        if manifest.spec.inputs.contains(.persistence) {
            columns.append(starts.map { Int(PackedNumbers.persistenceCode($0.persistence)) })
        }
        let tensors = columns.map { CodedTensor(numbers: $0, plain: nil) }
        var encoder = RangeEncoder()
        for tensor in tensors {
            writer.raw(tensor.head)
            tensor.write(into: &encoder)
        }
        if profiles.count > 1 {
            for start in starts {
                encoder.encode(UInt32(start.profile), of: UInt32(profiles.count))
            }
        }
        writer.raw(encoder.finish())
        return writer.bytes
    }

    private var encodedCalendar: [UInt8] {
        let calendar = calendar
        var writer = ByteWriter()
        var encoder = RangeEncoder()
        func write(_ factors: [Float]) {
            guard !factors.isEmpty else { return }
            let tensor = CodedTensor(
                numbers: factors.map { Int(PackedNumbers.factorCode($0)) }, plain: nil)
            writer.raw(tensor.head)
            tensor.write(into: &encoder)
        }
        writer.count(calendar.dayOfMonth.count)
        write(calendar.dayOfMonth)
        writer.count(calendar.specialDays.count)
        var next = 0
        for special in calendar.specialDays {
            let code = Int(special.rule.code)
            writer.count((code - next) << 1 | (special.factor == 0 ? 1 : 0))
            next = code + 1
        }
        write(calendar.specialDays.map { $0.factor }.filter { $0 > 0 })
        writer.raw(encoder.finish())
        return writer.bytes
    }

    private var encodedGoldenVectors: [UInt8] {
        var writer = ByteWriter()
        writer.count(goldenVectors.count)
        for golden in goldenVectors {
            writer.optional(golden.item)
            writer.float(golden.level)
            writer.signed(golden.target - manifest.asOf)
            for day in golden.recentDays {
                writer.count(day.isOpen ? day.units.map { Int($0) + 2 } ?? 0 : 1)
            }
            if !manifest.spec.inputs.marks.isEmpty {
                for day in golden.recentDays.dropFirst() { writer.byte(day.marks.rawValue) }
                writer.byte(golden.targetMarks.rawValue)
            }
            writer.signed(Int(golden.networkOutput))
            writer.float(golden.units)
        }
        return writer.bytes
    }
}

extension PackageSection {
    /// The section as it stands in a file, head and packed content, of the content that makes it smallest, the first of
    /// equals; and how much must be unpacked to read it.
    /// - Parameters:
    ///   - contents: at least one.
    ///   - unpackedBytesMax: content that takes more is stored.
    fileprivate func smallest(
        of contents: [[UInt8]], unpackedBytesMax: Int
    ) -> (bytes: [UInt8], unpackingBytes: Int) {
        var smallest: (bytes: [UInt8], unpackingBytes: Int)?
        for content in contents {
            precondition(content.count <= bytesMax)
            let (packing, packed) = Packing.smallest(content, unpackedBytesMax: unpackedBytesMax)
            var writer = ByteWriter()
            writer.byte(rawValue)
            writer.byte(packing.rawValue)
            writer.count(content.count)
            if packing != .stored { writer.count(packed.count) }
            writer.raw(packed)
            if smallest.map({ writer.bytes.count < $0.bytes.count }) ?? true {
                smallest = (writer.bytes, packing == .stored ? 0 : content.count)
            }
        }
        return smallest!  // the caller's precondition
    }

    fileprivate func stored(_ content: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(rawValue)
        writer.byte(Packing.stored.rawValue)
        writer.count(content.count)
        writer.raw(content)
        return writer.bytes
    }
}

extension Manifest {
    fileprivate var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.count(requiredFeatures.count)
        for feature in requiredFeatures { writer.text(feature.utf8) }
        writer.text(family.utf8)
        writer.text(variant.utf8)
        writer.text(recipe.utf8)
        writer.text(lineage.utf8)
        writer.byte(spec.form.rawValue)
        writer.byte(spec.output.rawValue)
        writer.count(spec.window)
        writer.count(Int(spec.inputs.rawValue))
        writer.float(spec.levelRate)
        writer.text(store?.utf8 ?? [])
        writer.count(Int(asOf.daysSince1970))
        writer.varint(release)
        writer.optional(evaluation.wapePartsPerMillion)
        writer.optional(evaluation.mapePartsPerMillion)
        // Zigzag by hand, so that nil can be zero here too.
        writer.optional(evaluation.biasPartsPerMillion.map { $0 < 0 ? -2 * $0 - 1 : 2 * $0 })
        writer.count(evaluation.forecasts)
        writer.float(newItemScale)
        return writer.bytes
    }
}

extension IntegerNetwork {
    /// How a device runs the kernels: the form that takes the fewest bytes.
    var inputForm: KernelForm { KernelForm(of: inputKernel, columns: shape.inputWidth) }
    var recurrentForm: KernelForm { KernelForm(of: recurrentKernel, columns: shape.units) }

    /// The section in every way worth trying, for the smallest to be taken: the cheapest coding of each tensor is not
    /// always the section's, which deflate may pack further.
    func encodings(_ coding: TensorCoding) -> [[UInt8]] {
        guard coding == .smallest || coding == .tiles else {
            return [
                encoded([coding], numbersInRange: true), encoded([coding], numbersInRange: false),
            ]
        }
        let every: [TensorCoding] = [.plain, .packed, .huffman, .range]
        guard coding != .tiles else {
            return [true, false].map {
                encoded(every, numbersInRange: $0, kernelsInPlace: true)
            }
        }
        return [
            encoded(every, numbersInRange: true),
            encoded([.plain, .packed, .huffman], numbersInRange: true),
            encoded([.plain, .packed, .huffman], numbersInRange: false),
            encoded([.plain], numbersInRange: true), encoded([.plain], numbersInRange: false),
        ]
    }

    private func encoded(
        _ codings: [TensorCoding], numbersInRange: Bool, kernelsInPlace: Bool = false
    ) -> [UInt8] {
        let tensors = [
            kernelsInPlace
                ? nil
                : CodedTensor(kernel: inputKernel, factors: inputFactors, codings: codings),
            CodedTensor(
                numbers: inputMultiplierCodes.map { Int($0) }, plain: .uint16,
                inRange: numbersInRange),
            kernelsInPlace
                ? nil
                : CodedTensor(
                    kernel: recurrentKernel, factors: recurrentFactors, codings: codings),
            CodedTensor(
                numbers: recurrentMultiplierCodes.map { Int($0) }, plain: .uint16,
                inRange: numbersInRange),
            CodedTensor(
                numbers: bias.map { Int($0) }, plain: .signed, inRange: numbersInRange),
            CodedTensor(weights: denseKernel, codings: codings),
        ].compactMap { $0 }
        var writer = ByteWriter()
        writer.byte(
            shape.cell.rawValue | (kernelsInPlace ? NetworkHead.inPlaceFlag : 0)
                | (inputForm == .nibbles ? NetworkHead.inputNibblesFlag : 0)
                | (recurrentForm == .nibbles ? NetworkHead.recurrentNibblesFlag : 0))
        writer.count(shape.inputWidth)
        writer.count(shape.units)
        let cellBits = cellFractionBits - Self.cellFractionBitsRange.lowerBound
        writer.byte(UInt8(cellBits << 4 | hiddenFractionBits))
        writer.shortFloat(outputScale)
        // Runs: the calendar's columns all have the same steps.
        var start = 0
        while start < inputSteps.count {
            let end = inputSteps[start...].firstIndex { $0 != inputSteps[start] }
            writer.count((end ?? inputSteps.count) - start)
            writer.shortFloat(inputSteps[start])
            start = end ?? inputSteps.count
        }
        var encoder = RangeEncoder()
        for tensor in tensors {
            writer.raw(tensor.head)
            tensor.write(into: &encoder)
        }
        writer.signed(Int(denseBias))
        for scalar in scalars { writer.fixed(UInt32(scalar), bytes: 2) }
        writer.raw(encoder.finish())
        return writer.bytes
    }
}
