import Forecasting
import ModelPackage
import Testing

/// A sound package of two LSTM units for store 1, a few hundred bytes.
enum SmallPackage {
    static func make(release: UInt64, variant: String = "profile-2", seed: Int8 = 3) throws
        -> ModelPackage
    {
        let asOf = try #require(BusinessDay(year: 2023, month: 12, day: 31))
        let spec = FeatureSpec(
            form: .profile, window: 14, levelRate: 0.05, inputs: [], output: .logResidual)
        var network = IntegerNetwork(shape: NetworkShape(inputWidth: spec.inputWidth, units: 2))
        func weights(_ count: Int) -> [Int8] {
            (0..<count).map { Int8(truncatingIfNeeded: $0 &* 37 &+ Int(seed) &* 11) }.map {
                max($0, -127)
            }
        }
        network.inputSteps[0] = 62.5
        network.inputKernel = weights(network.inputKernel.count)
        network.recurrentKernel = weights(network.recurrentKernel.count)
        network.denseKernel = weights(2)
        network.inputMultiplierCodes = network.inputMultiplierCodes.map { _ in 0x0C00 }
        network.recurrentMultiplierCodes = network.recurrentMultiplierCodes.map { _ in 0x0C00 }
        network.cellFractionBits = 14
        network.hiddenFractionBits = 8
        network.outputScale = 0x1p-17
        var package = ModelPackage(
            manifest: Manifest(
                family: "f", variant: variant,
                requiredFeatures: Engine.requiredFeatures(
                    for: network.shape.cell, inputs: spec.inputs), spec: spec,
                store: try StoreID("1"), asOf: asOf,
                release: release),
            network: network, profiles: [.flat],
            starts: [
                SeriesStart(item: try ItemID("1"), level: 20, scale: 1, profile: 0)
                    .rounded(keepsScale: false)
            ])
        package.manifest.arenaBytes = package.arenaBytes()
        let engine = try Engine(package, budgetBytes: .max)
        let days = (0..<14).map { DemandDay(units: 10 + Int32($0)) }
        let forecast = engine.forecast(index: 0, level: 20, recentDays: days, target: asOf)
        package.goldenVectors = [
            GoldenVector(
                item: 0, level: 20, target: asOf, recentDays: days,
                networkOutput: forecast.networkOutput, units: forecast.units)
        ]
        return package
    }
}
