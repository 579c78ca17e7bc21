import Forecasting
import Training

/// Made-up sales whose structure is known: level × weekday × month, with noise like a till's.
struct SalesFixture {
    static let weekday: [Float] = [0.8, 0.85, 0.9, 1, 1.15, 1.3, 1]
    static let month: [Float] = [0.8, 0.85, 0.95, 1, 1.05, 1.1, 1.15, 1.1, 1.05, 1, 0.95, 1]
    static let firstDay = BusinessDay(year: 2014, month: 1, day: 1)!

    var days = 800
    var stores = 2
    var items = 3
    /// Of the fastest item; each further one sells a little less.
    var level = 40.0
    var seed: UInt64 = 1

    var series: [TrainingSeries] {
        var random = Noise(state: seed)
        return try! (0..<stores).flatMap { store in
            try (0..<items).map { item in
                let base = level * (1 - 0.2 * Double(item) / Double(items)) + Double(store)
                return TrainingSeries(
                    store: try StoreID("s\(store + 1)"), item: try ItemID("i\(item + 1)"),
                    firstDay: Self.firstDay,
                    days: (0..<days).map { index in
                        let day = Self.firstDay.advanced(by: index)
                        let factor = Self.weekday[day.weekday] * Self.month[day.month - 1]
                        return DemandDay(units: random.poisson(base * Double(factor)))
                    })
            }
        }
    }

    /// The day after `count` days.
    static func day(_ count: Int) -> BusinessDay { firstDay.advanced(by: count) }
}

/// Repeatable noise, independent of the trainer's own.
struct Noise {
    var state: UInt64

    mutating func uniform() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(state >> 11) * 0x1p-53
    }

    /// Knuth's product of uniforms; for means of up to a hundred.
    mutating func poisson(_ mean: Double) -> Int32 {
        let limit = exponential(-mean)
        var product = uniform()
        var count: Int32 = 0
        while product > limit {
            product *= uniform()
            count += 1
        }
        return count
    }
}
