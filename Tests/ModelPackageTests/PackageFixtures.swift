import Forecasting
import ModelPackage
import TestSupport

enum PackageFixtures {
    static let asOf = BusinessDay(year: 2016, month: 12, day: 31)!

    /// A sound package with its arena stated and its golden vectors made by the engine.
    /// - Parameters:
    ///   - items: 0 makes a package for any store.
    ///   - calendar: for the profile form. When it is not flat, the items differ in persistence too.
    ///   - finely: profiles and starts in all the bits a package can hold, more than a builder keeps.
    static func package(
        _ form: ModelForm, cell: CellKind = .lstm, units: Int, items: Int = 10, profiles: Int = 1,
        calendar: DemandCalendar = .flat, seed: UInt64 = 1, finely: Bool = false
    ) throws -> ModelPackage {
        var numbers = SeededGenerator(seed: seed)
        let spec = FeatureSpec(
            form: form, window: 14, levelRate: form == .plain ? 0 : 0.05,
            inputs: form == .calendar
                ? [.weekday, .month] : calendar.isFlat ? [] : [.persistence],
            output: form == .plain ? .zScore : form == .calendar ? .relative : .logResidual)
        let network = network(
            NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: units), &numbers)
        var package = ModelPackage(
            manifest: Manifest(
                family: "2016-12-31-\(form.name)", variant: "\(form.name)-\(units)",
                recipe: "post-training int8, per-row symmetric, calibrated on 256 windows",
                lineage: "snapshot 0f3a9c7712d84e65, seed 1",
                requiredFeatures: Engine.requiredFeatures(for: network), spec: spec,
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
        package.manifest.arenaBytes = Engine.arenaBytes(for: package)
        let engine = try Engine(package, budgetBytes: .max)
        for index in 0..<3 {
            let days = (0..<14).map { day -> DemandDay in
                if index == 2, day % 5 == 0 { return day == 0 ? .unknown : .closed }
                return DemandDay(units: .random(in: 5...80, using: &numbers))
            }
            let item = index < 2 && index < items ? index : nil
            let target = asOf.advanced(by: index - 300)
            let forecast = engine.forecast(
                index: item, level: 35.5, recentDays: days, target: target)
            package.goldenVectors.append(
                GoldenVector(
                    item: item, level: 35.5, target: target, recentDays: days,
                    networkOutput: forecast.networkOutput, units: forecast.units))
        }
        return package
    }

    static func network(_ shape: NetworkShape, _ numbers: inout SeededGenerator) -> IntegerNetwork {
        var network = IntegerNetwork(shape: shape)
        func weights(_ count: Int) -> [Int8] {
            (0..<count).map { _ in .random(in: -127...127, using: &numbers) }
        }
        func codes() -> [UInt16] {
            (0..<shape.kernelRows).map { _ in .random(in: 0x0B00...0x0D00, using: &numbers) }
        }
        network.inputSteps[0] = 62.5
        network.inputKernel = weights(network.inputKernel.count)
        network.recurrentKernel = weights(network.recurrentKernel.count)
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

    /// Files as 0.1.0 wrote them, format version 1, and what was in them: kept so that a device that holds one can still
    /// read it.
    static let version1: [(hex: String, make: @Sendable () throws -> ModelPackage)] = [
        (
            """
            5348504b010102ad014743355e0811bbba502770c29de240a9e58a70db0dd28c132d93cdcd0d8d52\
            2c4c52cd4c61ae6166e663387bc6c796d1b0af8d91bd8979fe16b6efbfd99f689cea63646068b003\
            0002007301020e0800000037080141010100007a420212080141e7de8b390025f5033108e20bf00c\
            9b0cef0ba10c130c590bc10c041208022816e17e400a28bbe3716e88c61c4d2c053108f90cff0cc2\
            0ca70b3a0c260b590b520b062108e117fe03b213d542f53ed130ed39ad120711021f770821017303\
            004d02c91b8228e7179714a0179e24ca29cb285c1da61d0d15d2206a1a3b19a219fa29991aa614b1\
            234e25a9178e25b31f711ff21e00244724eb286e183d18a716c023ef1e0d1f6b188219d52f9b2704\
            001303013101320133b885422d3a42853742000100050052030100000e42d70416403c36161e1f3f\
            2a4207500b3ba95eea1324420200000e42d5042b38351023432e49254b131f193dc95ba8b3f14100\
            00000e42d30400474828400152120c21011e220de963e19e1e42
            """, { try package(.profile, units: 2, items: 3, profiles: 2, finely: true) }
        ),
        (
            """
            5348504b010102ae014643355e1811bbba30ff7021fceb40a9f58a70fb0dd28c132d93cdcd0d8d52\
            2c4c52cd4c61ee6162e2633e7bc6c796a1af8d917d06f7fc2d6cdf7fb33fd138d5c7c8c0d0600700\
            02009c0114010e0800000037080141140100007a42130000fe420212041441e7de8b390025f52816\
            e17e400a28bbe3716e88c61c4d2c1f77b52ba70a043aed9c978c754198bc0687e33201b8de16f3fa\
            f46578100f2f2f4cd2d294ff3cdbe22c73eb293be107f5f38ec3d33ed51d0331041d0b870ce50c62\
            0b04120401b9615772053104750ca30b910c210b0621048508be3b9f2eea2707110189082101ce05\
            0501555163666060e073bace622626276fafe5c41ec06dad6d61fa6c21e353734927b0dc55160165\
            673d4f556f6179495b770f8d3727187fbd9186c85d6661700812e261549453e265147756fff08891\
            63b7ac1300
            """, { try package(.calendar, units: 1, items: 0) }
        ),
        (
            """
            5348504b010102a9014443355e0011bbba6097b243dc6be440a9c58a709b0dd28c132d93cdcd0d8d\
            522c4c52cd4ce12e61e463000146c3be3646f6e54cf3b7b07dffcdfe44e3541f230343831d000200\
            7301020e0800000037080141010100007a420212080141e7de8b390025f5033108e20bf00c9b0cef\
            0ba10c130c590bc10c041208022816e17e400a28bbe3716e88c61c4d2c053108f90cff0cc20ca70b\
            3a0c260b590b520b062108e117fe03b213d542f53ed130ed39ad120711021f770821017304001102\
            0131013260074279b841beb5417f56400501525063666460e073bace2264e264afa8c4ad252526ee\
            2cc5f533dd3499d38909247595c5c84cc85c5d5dd5d8c4414444c0a83734b190d789012475998541\
            554d449c31c8c6d69351534bf3799c6b348f1300
            """, { try package(.plain, units: 2, items: 2, finely: true) }
        ),
    ]
}
