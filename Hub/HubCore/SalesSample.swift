package import Forecasting

/// Made-up sales of a chain for machines that have no data: the same settings give the same bytes
/// anywhere, and a series does not depend on how many others there are.
///
/// The units of an open day are negative binomial around
///
///     level × weekday × month × trend × promotion
///
/// - Items come in three speeds by their number: fast (40 to 120 units a day in an average store),
///   ordinary (8 to 40), slow (0.3 to 1.5, mostly zeros). Stores differ by a factor of 0.6 to 1.6.
/// - Weekday factors follow the item's kind, stronger towards Saturday; months swing by up to 35 %
///   around a peak of the item's own; the trend is -6 to +10 % a year.
/// - Promotions of fast and ordinary items hold chain-wide for 5 to 8 days, every 35 to 90 days,
///   and lift sales by half or more; the five days after sell a tenth less.
/// - All stores are closed on 1 January and 25 December, every third store on Sundays, and each on
///   a rare odd day. A closed day's rows hold 0.
/// - Now and then an item is out of stock for 1 to 5 days: it sells 0 while the others sell on.
/// - Every eighth item is launched after three tenths of the days, and has no rows before.
package struct SalesSample: Sendable {
    package static let storesRange = 1...10_000
    package static let itemsRange = 1...10_000
    package static let daysRange = 1...20_000

    package var storeCount: Int
    package var itemCount: Int
    package var firstDay: BusinessDay
    package var dayCount: Int
    package var seed: UInt64

    /// - Precondition: counts are within the ranges above, and the last day is within 2199.
    package init(
        storeCount: Int, itemCount: Int, firstDay: BusinessDay, dayCount: Int, seed: UInt64
    ) {
        precondition(Self.storesRange.contains(storeCount) && Self.itemsRange.contains(itemCount))
        precondition(Self.daysRange.contains(dayCount))
        precondition(
            BusinessDay.storable.contains(firstDay.advanced(by: dayCount - 1).daysSince1970))
        self.storeCount = storeCount
        self.itemCount = itemCount
        self.firstDay = firstDay
        self.dayCount = dayCount
        self.seed = seed
    }

    /// Stores and items are numbered from 1, as in the file.
    package struct Row: Equatable, Sendable {
        package var day: BusinessDay
        package var units: Int
        package var isClosed: Bool
        package var isPromoted: Bool
        package var isOutOfStock: Bool
    }

    /// The file, series by series; `body` gets a header, then one chunk of lines for each series.
    package func write(_ body: ([UInt8]) throws -> Void) rethrows {
        try body(Array("date,store,item,sales\n".utf8))
        let dates = (0..<dayCount).map { Array(firstDay.advanced(by: $0).iso8601.utf8) }
        let promotions = (1...itemCount).map(promotion(item:))
        for store in 1...storeCount {
            let closed = closedDays(store: store)
            for item in 1...itemCount {
                let tail = Array(",\(store),\(item),".utf8)
                var lines: [UInt8] = []
                lines.reserveCapacity(dayCount * (tail.count + 16))
                for row in rows(
                    store: store, item: item, closed: closed, promotion: promotions[item - 1])
                {
                    lines += dates[row.day - firstDay]
                    lines += tail
                    lines += Array(String(row.units).utf8)
                    lines.append(UInt8(ascii: "\n"))
                }
                try body(lines)
            }
        }
    }

    /// The days that the file's closed days, stock-outs and promotions lie on, as `calendar import` reads them.
    package func writeCalendar(_ body: ([UInt8]) throws -> Void) rethrows {
        try body(Array("date,store,item,kind,name\n".utf8))
        let dates = (0..<dayCount).map { firstDay.advanced(by: $0).iso8601 }
        let promotions = (1...itemCount).map(promotion(item:))
        for (index, factors) in promotions.enumerated() {
            let days = factors.indices.filter { factors[$0] > 1 }
            try body(
                Array(days.map { "\(dates[$0]),*,\(index + 1),promotion,\n" }.joined().utf8))
        }
        for store in 1...storeCount {
            let closed = closedDays(store: store)
            let days = closed.indices.filter { closed[$0] }
            try body(Array(days.map { "\(dates[$0]),\(store),*,closed,\n" }.joined().utf8))
            for item in 1...itemCount {
                let out = rows(
                    store: store, item: item, closed: closed, promotion: promotions[item - 1]
                ).filter { $0.isOutOfStock && !$0.isClosed }
                try body(
                    Array(
                        out.map { "\(dates[$0.day - firstDay]),\(store),\(item),stock-out,\n" }
                            .joined().utf8))
            }
        }
    }

    /// One series, from its launch on.
    package func rows(store: Int, item: Int) -> [Row] {
        rows(
            store: store, item: item, closed: closedDays(store: store),
            promotion: promotion(item: item))
    }

    private enum Speed { case fast, ordinary, slow }

    private enum Purpose: UInt64 {
        case store = 1
        case item, promotion, series
    }

    private func stream(_ purpose: Purpose, _ numbers: Int...) -> SeededStream {
        SeededStream(seed: seed, path: [purpose.rawValue] + numbers.map { UInt64($0) })
    }

    private func speed(item: Int) -> Speed {
        switch item % 3 {
        case 1: .fast
        case 2: .ordinary
        default: .slow
        }
    }

    private func rows(store: Int, item: Int, closed: [Bool], promotion: [Double]) -> [Row] {
        let character = ItemCharacter(stream(.item, item), speed: speed(item: item))
        var storeStream = stream(.store, store)
        let storeFactor = storeStream.uniform(0.6...1.6)
        var chance = stream(.series, store, item)
        let level = character.level * storeFactor * chance.uniform(0.8...1.2)
        var outOfStockDays = 0
        var rows: [Row] = []
        for index in (item % 8 == 0 ? dayCount * 3 / 10 : 0)..<dayCount {
            let day = firstDay.advanced(by: index)
            if outOfStockDays > 0 {
                outOfStockDays -= 1
            } else if chance.happens(1.0 / 250) {
                outOfStockDays = chance.integer(1...5)
            }
            var units = 0
            if !closed[index], outOfStockDays == 0 {
                let mean =
                    level * character.factor(on: day, after: index) * promotion[index]
                    * chance.gamma(shape: character.shape)
                units = chance.poisson(mean: min(mean, 10_000))
            }
            rows.append(
                Row(
                    day: day, units: units, isClosed: closed[index],
                    isPromoted: promotion[index] > 1, isOutOfStock: outOfStockDays > 0))
        }
        return rows
    }

    private func closedDays(store: Int) -> [Bool] {
        var chance = stream(.store, store, 1)
        return (0..<dayCount).map { index in
            let day = firstDay.advanced(by: index)
            let isOddDay = chance.happens(1.0 / 400)
            return isOddDay || (day.month == 1 && day.dayOfMonth == 1)
                || (day.month == 12 && day.dayOfMonth == 25)
                || (store % 3 == 0 && day.weekday == 6)
        }
    }

    /// What a promotion multiplies each day's mean by; 1 without one.
    private func promotion(item: Int) -> [Double] {
        var factors = [Double](repeating: 1, count: dayCount)
        guard speed(item: item) != .slow else { return factors }
        var chance = stream(.promotion, item)
        var start = chance.integer(10...90)
        while start < dayCount {
            let length = chance.integer(5...8)
            let lift = chance.uniform(1.5...2.3)
            for index in start..<min(start + length, dayCount) { factors[index] = lift }
            for index in min(start + length, dayCount)..<min(start + length + 5, dayCount) {
                factors[index] = 0.9
            }
            start += length + chance.integer(35...90)
        }
        return factors
    }

    /// What is the same for an item in every store.
    private struct ItemCharacter {
        /// Units a day in an average store.
        let level: Double
        /// Of the gamma noise: lower is wilder.
        let shape: Int
        private let weekday: [Double]
        private let monthSwing: Double
        private let peakMonth: Int
        private let trendPerYear: Double

        init(_ chance: SeededStream, speed: Speed) {
            var chance = chance
            switch speed {
            case .fast: (level, shape) = (chance.uniform(40...120), 40)
            case .ordinary: (level, shape) = (chance.uniform(8...40), 20)
            case .slow: (level, shape) = (chance.uniform(0.3...1.5), 4)
            }
            let strength = chance.uniform(0.4...1.3)
            let usual = [-0.18, -0.14, -0.08, 0.0, 0.14, 0.26, 0.0]
            weekday = usual.map { 1 + $0 * strength }
            monthSwing = chance.uniform(0...0.35)
            peakMonth = chance.integer(0...11)
            trendPerYear = chance.uniform(-0.06...0.10)
        }

        func factor(on day: BusinessDay, after days: Int) -> Double {
            let turns = Double((day.month - 1 - peakMonth + 12) % 12) / 12
            let month = 1 + monthSwing * circle(turns: turns).cosine
            return weekday[day.weekday] * month * (1 + trendPerYear * Double(days) / 365.25)
        }
    }
}
