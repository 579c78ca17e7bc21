import Forecasting

extension ModelPackage {
    /// The file. The same values give the same bytes (with the same zlib; see FORMAT.md).
    ///
    /// - Precondition: `validate()` passes, and levels, scales and factors are `rounded`: else decoding gives other values.
    package func encode() -> [UInt8] {
        var file = Self.magic + [Self.formatVersion]
        for section in PackageSection.allCases {
            guard let content = content(of: section) else { continue }
            precondition(content.count <= section.bytesMax)
            let (packing, packed) = Packing.smallest(content)
            var head = ByteWriter()
            head.byte(section.rawValue)
            head.byte(packing.rawValue)
            head.count(content.count)
            if packing != .stored { head.count(packed.count) }
            file += head.bytes + packed
        }
        return file
    }

    /// Nil for an optional section that has nothing to say.
    private func content(of section: PackageSection) -> [UInt8]? {
        switch section {
        case .manifest: manifest.encoded
        case .network: network.encoded
        case .profiles: manifest.spec.form == .profile ? encodedProfiles : nil
        case .starts: starts.isEmpty ? nil : encodedStarts
        case .goldenVectors: goldenVectors.isEmpty ? nil : encodedGoldenVectors
        case .calendar: calendar.isFlat ? nil : encodedCalendar
        }
    }

    private var encodedProfiles: [UInt8] {
        var writer = ByteWriter()
        writer.count(profiles.count)
        for profile in profiles {
            for factor in profile.weekday + profile.month {
                writer.fixed(UInt32(PackedNumbers.factorCode(factor)), bytes: 2)
            }
        }
        return writer.bytes
    }

    /// Column by column: alike bytes stand together, which is what deflate can use.
    private var encodedStarts: [UInt8] {
        var writer = ByteWriter()
        writer.count(starts.count)
        for start in starts { writer.text(start.item.utf8) }
        for start in starts { writer.fixed(PackedNumbers.float24(start.level), bytes: 3) }
        if manifest.spec.output == .zScore {
            for start in starts { writer.fixed(PackedNumbers.float24(start.scale), bytes: 3) }
        }
        if profiles.count > 1 {
            for start in starts { writer.count(Int(start.profile)) }
        }
        if manifest.spec.inputs.contains(.persistence) {
            for start in starts {
                writer.byte(UInt8(bitPattern: PackedNumbers.persistenceCode(start.persistence)))
            }
        }
        return writer.bytes
    }

    private var encodedCalendar: [UInt8] {
        let calendar = calendar
        var writer = ByteWriter()
        writer.count(calendar.dayOfMonth.count)
        for factor in calendar.dayOfMonth {
            writer.fixed(UInt32(PackedNumbers.factorCode(factor)), bytes: 2)
        }
        writer.count(calendar.specialDays.count)
        for special in calendar.specialDays {
            writer.count(Int(special.rule.code))
            let isClosed = special.factor == 0
            writer.fixed(isClosed ? 0 : UInt32(PackedNumbers.factorCode(special.factor)), bytes: 2)
        }
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
    fileprivate var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.byte(shape.cell.rawValue)
        writer.count(shape.inputWidth)
        writer.count(shape.units)
        writer.byte(UInt8(cellFractionBits))
        writer.byte(UInt8(hiddenFractionBits))
        writer.float(outputScale)
        let tensors = IntegerTensor.tensors(of: shape.cell)
        writer.count(tensors.count)
        for tensor in tensors {
            let dimensions = tensor.dimensions(shape)
            writer.byte(tensor.rawValue)
            writer.byte(tensor.type.rawValue << 4 | UInt8(dimensions.count))
            for dimension in dimensions { writer.count(dimension) }
            switch tensor {
            case .inputSteps:
                // Runs: the calendar's columns all have the same steps.
                var start = 0
                while start < inputSteps.count {
                    let end = inputSteps[start...].firstIndex { $0 != inputSteps[start] }
                    writer.count((end ?? inputSteps.count) - start)
                    writer.float(inputSteps[start])
                    start = end ?? inputSteps.count
                }
            case .inputKernel: writer.raw(inputKernel.map(UInt8.init(bitPattern:)))
            case .recurrentKernel: writer.raw(recurrentKernel.map(UInt8.init(bitPattern:)))
            case .denseKernel: writer.raw(denseKernel.map(UInt8.init(bitPattern:)))
            case .inputMultipliers:
                for code in inputMultiplierCodes { writer.fixed(UInt32(code), bytes: 2) }
            case .recurrentMultipliers:
                for code in recurrentMultiplierCodes { writer.fixed(UInt32(code), bytes: 2) }
            case .bias: for value in bias { writer.signed(Int(value)) }
            case .denseBias: writer.signed(Int(denseBias))
            case .scalars: for scalar in scalars { writer.fixed(UInt32(scalar), bytes: 2) }
            }
        }
        return writer.bytes
    }
}

/// How a tensor's elements are written. Raw values are FORMAT.md's.
enum TensorType: UInt8 {
    case int8 = 1
    /// Zigzag varints.
    case int32 = 2
    /// Two bytes, low first.
    case uint16 = 3
    /// Runs: a count, and the single-precision value that many elements have.
    case floatRuns = 4
}

extension IntegerTensor {
    var type: TensorType {
        switch self {
        case .inputKernel, .recurrentKernel, .denseKernel: .int8
        case .bias, .denseBias: .int32
        case .inputMultipliers, .recurrentMultipliers, .scalars: .uint16
        case .inputSteps: .floatRuns
        }
    }
}
