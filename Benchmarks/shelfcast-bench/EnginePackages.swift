import Compression
import Forecasting
import ModelPackage
import Training

/// Packages as the hub makes them: trained on two years of ten generated items, quantised, packed and proved.
struct EnginePackages {
    let lstm64: ModelPackage
    let lstm32: ModelPackage
    /// Four units, weekday and month beside the demand.
    let calendar4: ModelPackage
    /// Two units.
    let profile2: ModelPackage
    /// What they learned from, by item.
    let days: [[DemandDay]]

    init() throws {
        let series = try Self.sales()
        func package(_ form: ModelForm, units: Int) throws -> ModelPackage {
            let family = try train(
                series: series, plan: TrainingPlan(form: form, units: [units], seed: 1))
            let builder = try PackageBuilder(
                family: family, name: "bench", series: series, lineage: "")
            return try builder.build(variant: 0, store: series[0].store, release: 1).package
        }
        lstm64 = try package(.plain, units: 64)
        lstm32 = try package(.plain, units: 32)
        calendar4 = try package(.calendar, units: 4)
        profile2 = try package(.profile, units: 2)
        days = series.map(\.days)
    }

    private static let items = 10
    private static let days = 730
    /// Percent, Monday first.
    private static let weekdays = [80, 82, 88, 96, 118, 142, 94]

    /// Weekdays, a year's wave and chance; closed on every 61st day.
    private static func sales() throws -> [TrainingSeries] {
        var state: UInt64 = 1
        func chance(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let firstDay = BusinessDay(year: 2023, month: 1, day: 1)!
        let store = try StoreID("1")
        return try (0..<items).map { item in
            let level = 12 + 9 * item
            return TrainingSeries(
                store: store, item: try ItemID("\(item + 1)"), firstDay: firstDay,
                days: (0..<days).map { number in
                    let day = firstDay.advanced(by: number)
                    if number % 61 == 60 { return .closed }
                    let season = 100 + 4 * (6 - abs(day.month - 7))
                    let percent = weekdays[day.weekday] * season * (80 + chance(41)) / 10_000
                    return DemandDay(units: Int32(level * percent / 100))
                })
        }
    }
}
