import Forecasting
import Training

/// Sales of a few stores with weekdays, noise, and whatever is to be odd about them; the same every time.
struct SalesOfStores {
    static let firstDay = BusinessDay(year: 2023, month: 1, day: 2)!

    var days: Int
    var stores = 3
    var items = 8
    /// What a store's demand is multiplied with from a day on.
    var shifts: [String: (from: Int, by: Double)] = [:]
    /// Days of a store that are closed, or of which nothing is known.
    var unknown: [String: ClosedRange<Int>] = [:]

    /// What demand is multiplied with on every eleventh day of an item; nil: there are no promotions.
    var promotion: Double?
    /// Whether a calendar tells of them.
    var marked = false

    static func day(_ offset: Int) -> BusinessDay { firstDay.advanced(by: offset) }

    func series() throws -> [TrainingSeries] {
        var series: [TrainingSeries] = []
        for store in 1...stores {
            for item in 1...items {
                var noise = UInt64(store * 1000 + item)
                let level = Double(8 + 5 * item + 3 * store)
                let days = (0..<days).map { day -> DemandDay in
                    noise = noise &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    let chance = Double(noise >> 40) / Double(1 << 24) - 0.5
                    if unknown["\(store)"]?.contains(day) == true { return .unknown }
                    var mean = level * [0.8, 0.8, 0.9, 1, 1.2, 1.4, 0.9][day % 7]
                    if let shift = shifts["\(store)"], day >= shift.from { mean *= shift.by }
                    let isPromoted = promotion != nil && (day * 7 + item) % 11 == 0
                    if isPromoted { mean *= promotion ?? 1 }
                    return DemandDay(
                        units: Int32((mean * (1 + 0.5 * chance)).rounded()),
                        marks: marked && isPromoted ? .promotion : [])
                }
                series.append(
                    TrainingSeries(
                        store: try StoreID("\(store)"), item: try ItemID("\(item)"),
                        firstDay: Self.firstDay, days: days))
            }
        }
        return series
    }
}
