import Forecasting

extension ModelPackage {
    /// The file. The same values give the same bytes (with the same zlib; see FORMAT.md).
    ///
    /// - Parameter coding: of the network's int8 tensors. All give the same package back.
    /// - Precondition: `validate()` passes, and levels, scales and factors are `rounded`: else decoding gives other values.
    package func encode(coding: TensorCoding = .smallest) -> [UInt8] {
        var file = Self.magic + [Self.formatVersion]
        for section in PackageSection.allCases {
            let contents = contents(of: section, coding: coding)
            if !contents.isEmpty { file += section.bytes(ofSmallest: contents) }
        }
        return file
    }

    /// Ways to say the same; none for an optional section that has nothing to say.
    private func contents(of section: PackageSection, coding: TensorCoding) -> [[UInt8]] {
        switch section {
        case .manifest: [manifest.encoded]
        case .network: network.encodings(coding)
        case .profiles: manifest.spec.form == .profile ? [encodedProfiles] : []
        case .starts: starts.isEmpty ? [] : [encodedStarts]
        case .goldenVectors: goldenVectors.isEmpty ? [] : [encodedGoldenVectors]
        case .calendar: calendar.isFlat ? [] : [encodedCalendar]
        }
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
            writer.signed(Int(golden.networkOutput))
            writer.float(golden.units)
        }
        return writer.bytes
    }
}

extension PackageSection {
    /// The section as it stands in a file: head and packed content, of the content that makes it smallest, the first of
    /// equals.
    /// - Parameter contents: at least one.
    func bytes(ofSmallest contents: [[UInt8]]) -> [UInt8] {
        var smallest: [UInt8]?
        for content in contents {
            precondition(content.count <= bytesMax)
            let (packing, packed) = Packing.smallest(content)
            var writer = ByteWriter()
            writer.byte(rawValue)
            writer.byte(packing.rawValue)
            writer.count(content.count)
            if packing != .stored { writer.count(packed.count) }
            writer.raw(packed)
            if smallest.map({ writer.bytes.count < $0.count }) ?? true { smallest = writer.bytes }
        }
        return smallest!  // the caller's precondition
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
        writer.count(arenaBytes)
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
    /// The section in every way worth trying, for the smallest to be taken: the cheapest coding of each tensor is not
    /// always the section's, which deflate may pack further.
    func encodings(_ coding: TensorCoding) -> [[UInt8]] {
        guard coding == .smallest else {
            return [
                encoded([coding], numbersInRange: true), encoded([coding], numbersInRange: false),
            ]
        }
        let every: [TensorCoding] = [.plain, .packed, .huffman, .range]
        return [
            encoded(every, numbersInRange: true),
            encoded([.plain, .packed, .huffman], numbersInRange: true),
            encoded([.plain, .packed, .huffman], numbersInRange: false),
            encoded([.plain], numbersInRange: true), encoded([.plain], numbersInRange: false),
        ]
    }

    private func encoded(_ codings: [TensorCoding], numbersInRange: Bool) -> [UInt8] {
        let tensors = [
            CodedTensor(kernel: inputKernel, factors: inputFactors, codings: codings),
            CodedTensor(
                numbers: inputMultiplierCodes.map { Int($0) }, plain: .uint16,
                inRange: numbersInRange),
            CodedTensor(kernel: recurrentKernel, factors: recurrentFactors, codings: codings),
            CodedTensor(
                numbers: recurrentMultiplierCodes.map { Int($0) }, plain: .uint16,
                inRange: numbersInRange),
            CodedTensor(
                numbers: bias.map { Int($0) }, plain: .signed, inRange: numbersInRange),
            CodedTensor(weights: denseKernel, codings: codings),
        ]
        var writer = ByteWriter()
        writer.byte(shape.cell.rawValue)
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
