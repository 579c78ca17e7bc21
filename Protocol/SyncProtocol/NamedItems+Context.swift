extension NamedItems {
    /// `context`, whose days are lists of items, with its days as columns and the items they need taken over;
    /// as it is where that would be more names than `countMax`.
    package mutating func columns(of context: Context) -> Context {
        let places = names.indices.sorted { Self.precedes(names[$0], names[$1]) }
        var indexes: [UInt32] = []
        var new: [String] = []
        for item in context.items {
            if let place = Self.place(of: item, in: places, of: names) {
                indexes.append(UInt32(place))
            } else {
                indexes.append(UInt32(names.count + new.count))
                new.append(item)
            }
        }
        guard names.count + new.count <= Self.countMax, context.levels.isEmpty else {
            return context
        }
        names += new
        var columns = context
        (columns.items, columns.namedItems) = ([], new)
        for at in columns.days.indices {
            let sold = columns.days[at].sold.map {
                ItemDay(itemIndex: indexes[Int($0.itemIndex)], units: $0.units)
            }.sorted { $0.itemIndex < $1.itemIndex }
            var (next, gaps): (UInt32, [UInt32]) = (0, [])
            for one in sold {
                gaps.append(one.itemIndex - next)
                next = one.itemIndex + 1
            }
            columns.days[at].sold = []
            columns.days[at].units = sold.map { $0.units }
            columns.days[at].itemGaps = gaps.contains { $0 != 0 } ? gaps : []
        }
        return columns
    }

    /// `context` with every day as a list of items, and its new items taken over.
    /// - Throws: `elementsTooMany` for a name too many, `valueInvalid` for an item beyond the names.
    package mutating func plain(_ context: Context) throws(WireError) -> Context {
        try add(context.namedItems, field: 7)
        var plain = context
        plain.namedItems = []
        let first = context.items.count
        var usesNames = false
        for at in plain.days.indices where !plain.days[at].units.isEmpty {
            usesNames = true
            let day = plain.days[at]
            var next = 0
            plain.days[at].sold.reserveCapacity(day.units.count)
            for (place, units) in day.units.enumerated() {
                let gap = day.itemGaps.isEmpty ? 0 : day.itemGaps[place]
                guard gap < UInt32(names.count), next + Int(gap) < names.count else {
                    throw .valueInvalid(field: 3, rule: .index)
                }
                next += Int(gap)
                plain.days[at].sold.append(ItemDay(itemIndex: UInt32(first + next), units: units))
                next += 1
            }
            (plain.days[at].units, plain.days[at].itemGaps) = ([], [])
        }
        if usesNames { plain.items += names }
        return plain
    }

    private static func precedes(_ one: String, _ other: String) -> Bool {
        one.utf8.lexicographicallyPrecedes(other.utf8)
    }

    /// - Parameter places: of `names`, in the order of what lies there.
    private static func place(of item: String, in places: [Int], of names: [String]) -> Int? {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if precedes(names[places[middle]], item) { low = middle + 1 } else { high = middle }
        }
        guard low < places.count, names[places[low]].utf8.elementsEqual(item.utf8) else {
            return nil
        }
        return places[low]
    }
}
