/// What is special about a day, for one item or for every one.
package struct DayMarks: OptionSet, Hashable, Sendable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The store does no business: always of every item.
    package static let closed = DayMarks(rawValue: 1)
    /// Nothing to sell: what was sold says nothing about demand.
    package static let stockOut = DayMarks(rawValue: 2)
    package static let holiday = DayMarks(rawValue: 4)
    package static let promotion = DayMarks(rawValue: 8)

    package static let all: DayMarks = [.closed, .stockOut, .holiday, .promotion]
    /// Such a day is part of no level, no training and no error.
    package static let excluded: DayMarks = [.closed, .stockOut]
    /// Known ahead, and inputs of models that were trained with them.
    package static let planned: DayMarks = [.holiday, .promotion]
}

/// The calendar of one store. Training on the hub and forecasting on a device both read demand through it, so that a day
/// means the same to both.
package struct StoreCalendar: Equatable, Sendable {
    /// What is said of one day and one item.
    package struct Entry: Equatable, Sendable {
        package var day: BusinessDay
        /// nil: every item.
        package var item: ItemID?
        package var marks: DayMarks

        package init(day: BusinessDay, item: ItemID?, marks: DayMarks) {
            self.day = day
            self.item = item
            self.marks = marks
        }
    }

    private struct Row: Equatable {
        var day: BusinessDay
        /// 0 is every item, others come one behind their place in `items`.
        var place: Int32
        var marks: DayMarks
    }

    /// Ascending, each once.
    private var items: [ItemID] = []
    /// Ascending by day, then place; each pair of these once.
    private var rows: [Row] = []

    /// Nothing is special.
    package init() {}

    /// - Parameter entries: in any order; what several say of one day and item holds together.
    package init(_ entries: [Entry]) {
        for item in entries.compactMap({ $0.item }).sorted() where items.last != item {
            items.append(item)
        }
        let all = entries.map { entry in
            Row(
                day: entry.day, place: entry.item.map { place(of: $0) ?? 0 } ?? 0,
                marks: entry.marks)
        }
        for row in all.sorted(by: { ($0.day, $0.place) < ($1.day, $1.place) }) {
            if let last = rows.last, last.day == row.day, last.place == row.place {
                rows[rows.count - 1].marks.formUnion(row.marks)
            } else {
                rows.append(row)
            }
        }
    }

    package var isEmpty: Bool { rows.isEmpty }

    /// Ascending by day, what holds for every item first.
    package var entries: [Entry] {
        rows.map {
            Entry(
                day: $0.day, item: $0.place == 0 ? nil : items[Int($0.place) - 1], marks: $0.marks)
        }
    }

    /// Of `item` on `day`, with what holds for every item. O(log entries).
    package func marks(of item: ItemID, on day: BusinessDay) -> DayMarks {
        guard !rows.isEmpty else { return [] }
        var marks = marks(at: 0, on: day)
        if let place = place(of: item) { marks.formUnion(self.marks(at: place, on: day)) }
        return marks
    }

    /// Whether the store does no business on `day`.
    package func isClosed(_ day: BusinessDay) -> Bool { marks(at: 0, on: day).contains(.closed) }

    /// What is known of a day's demand when the calendar is heeded: nothing of a closed day and of a stock-out, whatever
    /// was sold; with what was planned for it.
    package func demand(_ day: DemandDay, of item: ItemID, on date: BusinessDay) -> DemandDay {
        guard !rows.isEmpty else { return day }
        let marks = marks(of: item, on: date)
        var heeded = marks.contains(.closed) ? .closed : marks.contains(.stockOut) ? .unknown : day
        heeded.marks = marks.intersection(.planned)
        return heeded
    }

    private func place(of item: ItemID) -> Int32? {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if items[middle] < item { low = middle + 1 } else { high = middle }
        }
        return low < items.count && items[low] == item ? Int32(low + 1) : nil
    }

    private func marks(at place: Int32, on day: BusinessDay) -> DayMarks {
        var (low, high) = (0, rows.count)
        while low < high {
            let middle = (low + high) / 2
            if (rows[middle].day, rows[middle].place) < (day, place) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < rows.count, rows[low].day == day, rows[low].place == place else { return [] }
        return rows[low].marks
    }
}
