package import Forecasting
package import ModelPackage
package import TestSupport

/// Sound packages of random numbers.
package enum PackageFixtures {
    package static let asOf = BusinessDay(year: 2016, month: 12, day: 31)!

    /// A sound package with its arena stated and its golden vectors made by the engine.
    /// - Parameters:
    ///   - items: 0 makes a package for any store.
    ///   - calendar: for the profile form. When it is not flat, the items differ in persistence too.
    ///   - finely: profiles and starts in all the bits a package can hold, more than a builder keeps.
    ///   - weightMax: of the kernels; up to 7 they are nibbles.
    ///   - rank: of both kernels' factors; nil for kernels without.
    ///   - planned: inputs that a calendar tells.
    ///   - coding: that the arena is stated for.
    package static func package(
        _ form: ModelForm, cell: CellKind = .lstm, units: Int, items: Int = 10, profiles: Int = 1,
        calendar: DemandCalendar = .flat, seed: UInt64 = 1, finely: Bool = false,
        weightMax: Int8 = 127, rank: Int? = nil, planned: FeatureInputs = [],
        coding: TensorCoding = .smallest
    ) throws -> ModelPackage {
        var numbers = SeededGenerator(seed: seed)
        let spec = FeatureSpec(
            form: form, window: 14, levelRate: form == .plain ? 0 : 0.05,
            inputs: planned.union(
                form == .calendar ? [.weekday, .month] : calendar.isFlat ? [] : [.persistence]),
            output: form == .plain ? .zScore : form == .calendar ? .relative : .logResidual)
        let network = network(
            NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: units), &numbers,
            weightMax: weightMax, rank: rank)
        var package = ModelPackage(
            manifest: Manifest(
                family: "2016-12-31-\(form.name)", variant: "\(form.name)-\(units)",
                recipe: "post-training int8, per-row symmetric, calibrated on 256 windows",
                lineage: "snapshot 0f3a9c7712d84e65, seed 1",
                requiredFeatures: Engine.requiredFeatures(
                    for: network.shape.cell, inputs: spec.inputs), spec: spec,
                store: items > 0 ? try StoreID("1") : nil, asOf: asOf, release: 7,
                evaluation: PackageEvaluation(
                    wapePartsPerMillion: 104_990, mapePartsPerMillion: 130_550,
                    biasPartsPerMillion: -2_610, forecasts: 18_250),
                newItemScale: 0.25),
            network: network,
            profiles: [.flat], starts: [])
        if form == .profile {
            package.profiles = (0..<profiles).map { _ in
                func factors(_ count: Int) -> [Float] {
                    (0..<count).map { _ in .random(in: 0.6...1.5, using: &numbers) }
                }
                var profile = SeasonalProfile(
                    weekday: factors(7), month: factors(12), calendar: calendar)
                if finely {
                    profile.weekday = profile.weekday.map { ($0 * 8_192).rounded() / 8_192 }
                    profile.month = profile.month.map { ($0 * 8_192).rounded() / 8_192 }
                } else {
                    profile = profile.rounded
                }
                return profile
            }
        }
        for item in 0..<items {
            var start = SeriesStart(
                item: try ItemID("\(item + 1)"), level: .random(in: 10...90, using: &numbers),
                scale: .random(in: 2...30, using: &numbers),
                profile: UInt16(item % package.profiles.count))
            if spec.inputs.contains(.persistence) { start.persistence = Float(item % 5) - 2 }
            if finely {
                func round(_ value: Float) -> Float {
                    Float(bitPattern: (value.bitPattern + 0x80) & 0xFFFF_FF00)
                }
                start.level = round(start.level)
                start.scale = form == .plain ? round(start.scale) : 1
            } else {
                start = start.rounded(keepsScale: form == .plain)
            }
            package.starts.append(start)
        }
        let engine = try Engine(package.encodeStatingArena(coding: coding), budgetBytes: .max)
        for index in 0..<3 {
            let days = (0..<14).map { day -> DemandDay in
                var known = DemandDay.closed
                if index != 2 || day % 5 != 0 {
                    known = DemandDay(units: .random(in: 5...80, using: &numbers))
                } else if day == 0 {
                    known = .unknown
                }
                let marks = DayMarks(rawValue: UInt8(day % 4) * 4)
                known.marks = marks.intersection(spec.inputs.marks)
                return known
            }
            let item = index < 2 && index < items ? index : nil
            let target = asOf.advanced(by: index - 300)
            let marks = index == 1 ? spec.inputs.marks : []
            let forecast = engine.forecast(
                index: item, level: 35.5, recentDays: days, target: target, targetMarks: marks)
            package.goldenVectors.append(
                GoldenVector(
                    item: item, level: 35.5, target: target, recentDays: days, targetMarks: marks,
                    networkOutput: forecast.networkOutput, units: forecast.units))
        }
        _ = package.encodeStatingArena(coding: coding)
        return package
    }

    package static func network(
        _ shape: NetworkShape, _ numbers: inout SeededGenerator, weightMax: Int8 = 127,
        rank: Int? = nil
    ) -> IntegerNetwork {
        var network = IntegerNetwork(shape: shape)
        func weights(_ count: Int) -> [Int8] {
            (0..<count).map { _ in .random(in: -weightMax...weightMax, using: &numbers) }
        }
        func codes() -> [UInt16] {
            (0..<shape.kernelRows).map { _ in .random(in: 0x0B00...0x0D00, using: &numbers) }
        }
        network.inputSteps[0] = 62.5
        network.inputKernel = weights(network.inputKernel.count)
        network.recurrentKernel = weights(network.recurrentKernel.count)
        if let rank {
            func factors(columns: Int) -> KernelFactors {
                KernelFactors(
                    rank: rank, left: weights(shape.kernelRows * rank),
                    right: weights(rank * columns), shift: 8)
            }
            func kernel(of factors: KernelFactors, columns: Int) -> [Int8] {
                factors.expanded(rows: shape.kernelRows, columns: columns)!  // of this shape
            }
            let (input, recurrent) = (
                factors(columns: shape.inputWidth), factors(columns: shape.units)
            )
            network.inputKernel = kernel(of: input, columns: shape.inputWidth)
            network.recurrentKernel = kernel(of: recurrent, columns: shape.units)
            (network.inputFactors, network.recurrentFactors) = (input, recurrent)
        }
        network.denseKernel = weights(shape.units)
        network.inputMultiplierCodes = codes()
        network.recurrentMultiplierCodes = codes()
        network.bias = network.bias.map { _ in .random(in: -5_000...5_000, using: &numbers) }
        network.scalars = network.scalars.map { _ in .random(in: 0...32_767, using: &numbers) }
        network.denseBias = .random(in: -900...900, using: &numbers)
        network.cellFractionBits = 14
        network.hiddenFractionBits = 8
        network.outputScale = 0x1p-17
        return network
    }
}
