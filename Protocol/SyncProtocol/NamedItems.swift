/// The items that one connection has named, so that each name travels once (SPEC 9.7, 10.5). Both sides keep
/// one for each connection and it ends with that.
package struct NamedItems: Equatable, Sendable {
    /// More than this are not named: what is left of them travels as single records.
    package static let countMax = Limit.itemsCount

    package internal(set) var names: [String] = []

    package init() {}

    /// The records of `upload` one by one, and its items taken over.
    /// - Throws: `elementsTooMany` for a name too many, `recordInvalid` for an index beyond the names or a
    ///   sale of too many units; the records before are lost with it.
    package mutating func records(of upload: Upload) throws(WireError) -> [Record] {
        try add(upload.items, field: 3)
        var records: [Record] = []
        records.reserveCapacity(upload.records.count)
        for record in upload.records {
            switch record {
            case .sale, .returned, .close, .forecast, .unknown: records.append(record)
            case .sales(let sales):
                for sold in sales.sold {
                    let count = UInt32(names.count)
                    guard count > 0 else {
                        throw .recordInvalid(index: records.count, rule: .index)
                    }
                    guard sold / count < Limit.saleUnits else {
                        throw .recordInvalid(index: records.count, rule: .range)
                    }
                    records.append(
                        .sale(
                            SaleRecord(
                                day: sales.day, item: names[Int(sold % count)],
                                units: sold / count + 1)))
                }
            case .forecasts(let forecasts):
                var forecasts = forecasts
                forecasts.stateActuals(as: records, names: names)
                for at in forecasts.forecastUnits.indices {
                    let index =
                        forecasts.itemIndexes.isEmpty ? at : Int(forecasts.itemIndexes[at])
                    guard index < names.count else {
                        throw .recordInvalid(index: records.count, rule: .index)
                    }
                    records.append(.forecast(forecasts.record(at, item: names[index])))
                }
            }
        }
        return records
    }

    /// `upload`, whose records are single ones, with its sales and forecasts as columns, and its new items
    /// taken over.
    package mutating func columns(of upload: Upload) -> Upload {
        var new: [String] = []
        for record in upload.records {
            guard let item = record.item, index(of: item) == nil,
                !new.contains(where: { $0.utf8.elementsEqual(item.utf8) })
            else { continue }
            if names.count + new.count < Self.countMax { new.append(item) }
        }
        // In the order of forecasts, so that these need no indexes where every item sold.
        new.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        names += new
        var columns = Upload(
            firstSequence: upload.firstSequence, items: new, foldedSales: upload.foldedSales)
        for record in upload.records {
            switch record {
            case .sale(let sale):
                guard sale.units > 0, let index = index(of: sale.item) else { break }
                let sold = (sale.units - 1) * UInt32(names.count) + UInt32(index)
                if case .sales(var sales)? = columns.records.last, sales.day == sale.day {
                    // Out of the list before it grows: no second copy.
                    columns.records.removeLast()
                    sales.sold.append(sold)
                    columns.records.append(.sales(sales))
                } else {
                    columns.records.append(.sales(SalesOfDay(day: sale.day, sold: [sold])))
                }
                continue
            case .forecast(let forecast):
                guard let index = index(of: forecast.item) else { break }
                if case .forecasts(var forecasts)? = columns.records.last,
                    forecasts.takes(forecast)
                {
                    columns.records.removeLast()
                    forecasts.append(forecast, index: UInt32(index))
                    columns.records.append(.forecasts(forecasts))
                } else {
                    var forecasts = ForecastsOfDay(
                        day: forecast.day, release: forecast.release,
                        inputsComplete: forecast.inputsComplete, candidate: forecast.candidate)
                    forecasts.append(forecast, index: UInt32(index))
                    columns.records.append(.forecasts(forecasts))
                }
                continue
            case .returned, .close, .sales, .forecasts, .unknown: break
            }
            columns.records.append(record)
        }
        var count = 0
        for at in columns.records.indices {
            defer { count += columns.records[at].count }
            guard case .forecasts(var forecasts) = columns.records[at] else { continue }
            forecasts.leaveOutActuals(saidBy: upload.records[..<count], names: names)
            if forecasts.itemIndexes.enumerated().allSatisfy({ $0.offset == Int($0.element) }) {
                forecasts.itemIndexes = []
            }
            columns.records[at] = .forecasts(forecasts)
        }
        return columns
    }

    /// - Throws: `elementsTooMany` for a name too many.
    mutating func add(_ new: [String], field: Int) throws(WireError) {
        guard names.count + new.count <= Self.countMax else {
            throw .elementsTooMany(field: field, countMax: Self.countMax)
        }
        names += new
    }

    private func index(of item: String) -> Int? {
        names.firstIndex { $0.utf8.elementsEqual(item.utf8) }
    }
}

extension Record {
    fileprivate var item: String? {
        switch self {
        case .sale(let sale): sale.item
        case .forecast(let forecast): forecast.item
        case .returned, .close, .sales, .forecasts, .unknown: nil
        }
    }
}

extension ForecastsOfDay {
    fileprivate func record(_ at: Int, item: String) -> ForecastRecord {
        ForecastRecord(
            day: day, item: item, forecastUnits: forecastUnits[at],
            networkOutput: networkOutput[at], release: release, actualUnits: actualUnits[at],
            inputsComplete: inputsComplete, levelUnits: levelUnits.isEmpty ? 0 : levelUnits[at],
            inputsDigest: inputsDigest.isEmpty ? 0 : inputsDigest[at], candidate: candidate,
            candidateUnits: candidateUnits.isEmpty ? 0 : candidateUnits[at])
    }

    /// Whether `forecast` may follow in these lists.
    fileprivate func takes(_ forecast: ForecastRecord) -> Bool {
        forecast.day == day && forecast.release == release
            && forecast.inputsComplete == inputsComplete
            && (forecast.levelUnits.bitPattern != 0) == !levelUnits.isEmpty
            && (forecast.inputsDigest != 0) == !inputsDigest.isEmpty
            && forecast.candidate == candidate
    }

    /// Where none are stated: as the sales and returns among `records` say (SPEC 9.7).
    fileprivate mutating func stateActuals(as records: [Record], names: [String]) {
        guard actualUnits.isEmpty else { return }
        for at in forecastUnits.indices {
            let index = itemIndexes.isEmpty ? at : Int(itemIndexes[at])
            let name = index < names.count ? names[index] : ""
            actualUnits.append(Self.units(of: name, on: day, in: records[...]))
        }
    }

    /// Every item's index is stated here.
    fileprivate mutating func leaveOutActuals(
        saidBy records: ArraySlice<Record>, names: [String]
    ) {
        for (index, actual) in zip(itemIndexes, actualUnits)
        where actual != Self.units(of: names[Int(index)], on: day, in: records) { return }
        actualUnits = []
    }

    private static func units(
        of item: String, on day: Int32, in records: ArraySlice<Record>
    ) -> UInt32 {
        var units: Int64 = 0
        for record in records {
            switch record {
            case .sale(let sale) where sale.day == day && sale.item.utf8.elementsEqual(item.utf8):
                units += Int64(sale.units)
            case .returned(let sale)
            where sale.day == day && sale.item.utf8.elementsEqual(item.utf8):
                units -= Int64(sale.units)
            case .sale, .returned, .close, .forecast, .sales, .forecasts, .unknown: break
            }
        }
        return UInt32(clamping: units)
    }

    fileprivate mutating func append(_ forecast: ForecastRecord, index: UInt32) {
        itemIndexes.append(index)
        forecastUnits.append(forecast.forecastUnits)
        networkOutput.append(forecast.networkOutput)
        actualUnits.append(forecast.actualUnits)
        if forecast.levelUnits.bitPattern != 0 { levelUnits.append(forecast.levelUnits) }
        if forecast.inputsDigest != 0 { inputsDigest.append(forecast.inputsDigest) }
        if forecast.candidate != 0 { candidateUnits.append(forecast.candidateUnits) }
    }
}
