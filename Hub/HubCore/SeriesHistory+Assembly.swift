package import Forecasting

extension SeriesHistory {
    /// A day of a store that some device has closed or an import has filled.
    package struct KnownDay: Hashable, Sendable {
        package var daysSince1970: Int32
        /// Some device closed it as an ordinary day of business: an item without a row sold
        /// nothing.
        package var closedByDevices: Bool

        package init(daysSince1970: Int32, closedByDevices: Bool) {
            self.daysSince1970 = daysSince1970
            self.closedByDevices = closedByDevices
        }
    }

    package struct Sold: Hashable, Sendable {
        package var daysSince1970: Int32
        package var units: Int32

        package init(daysSince1970: Int32, units: Int32) {
            self.daysSince1970 = daysSince1970
            self.units = units
        }
    }

    /// What the ledger holds of one series, ascending by day.
    package struct Rows: Sendable {
        package var item: ItemID
        package var sold: [Sold] = []

        package init(item: ItemID) { self.item = item }
    }

    /// One store's histories from the ledger's rows.
    ///
    /// Every series runs from its own first row to the store's last known day. A day still open
    /// everywhere is left out, however much was sold on it so far. A known day on which the store
    /// as a whole sold nothing is closed.
    /// - Parameter knownDays: ascending.
    package static func assemble(
        store: StoreID, series: [Rows], knownDays: [KnownDay]
    ) -> [SeriesHistory] {
        guard let first = knownDays.first?.daysSince1970, let last = knownDays.last?.daysSince1970
        else { return [] }
        enum Kind: UInt8 { case unknown, imported, closedByDevices }
        let dayCount = Int(last - first) + 1
        var kinds = [Kind](repeating: .unknown, count: dayCount)
        for day in knownDays {
            kinds[Int(day.daysSince1970 - first)] =
                day.closedByDevices ? .closedByDevices : .imported
        }
        var totals = [Int64](repeating: 0, count: dayCount)
        for row in series {
            for sold in row.sold where sold.daysSince1970 >= first && sold.daysSince1970 <= last {
                totals[Int(sold.daysSince1970 - first)] += Int64(sold.units)
            }
        }
        return series.compactMap { row in
            let known = row.sold.filter { sold in
                sold.daysSince1970 >= first && sold.daysSince1970 <= last
                    && kinds[Int(sold.daysSince1970 - first)] != .unknown
            }
            guard let start = known.first.map({ Int($0.daysSince1970 - first) }) else { return nil }
            var days = (start..<dayCount).map { position -> DemandDay in
                switch kinds[position] {
                case .unknown: .unknown
                case .imported: totals[position] == 0 ? .closed : .unknown
                case .closedByDevices:
                    totals[position] == 0 ? .closed : DemandDay(units: 0)
                }
            }
            for sold in known {
                let position = Int(sold.daysSince1970 - first)
                days[position - start] = DemandDay(
                    units: sold.units, isOpen: totals[position] > 0)
            }
            return SeriesHistory(
                store: store, item: row.item,
                firstDay: BusinessDay(daysSince1970: first).advanced(by: start), days: days)
        }.sorted { $0.item < $1.item }
    }
}
