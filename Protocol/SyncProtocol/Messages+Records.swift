package struct SaleRecord: WireMessage, Equatable, Sendable {
    package var day: Int32 = 0
    package var item: String = ""
    /// 1 to 1,000,000.
    package var units: UInt32 = 0

    package init() {}

    package init(
        day: Int32 = 0, item: String = "", units: UInt32 = 0
    ) {
        self.day = day
        self.item = item
        self.units = units
    }

    package func encode(to writer: inout WireWriter) {
        writer.sint32(1, day)
        writer.string(2, item)
        writer.uint32(3, units)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: day = try reader.sint32()
        case 2: item = try reader.string(bytesMax: Limit.identifierBytes)
        case 3: units = try reader.uint32()
        default: try reader.skip()
        }
    }
}

package struct CloseRecord: WireMessage, Equatable, Sendable {
    package var day: Int32 = 0
    /// The store did no business.
    package var closedAllDay: Bool = false

    package init() {}

    package init(
        day: Int32 = 0, closedAllDay: Bool = false
    ) {
        self.day = day
        self.closedAllDay = closedAllDay
    }

    package func encode(to writer: inout WireWriter) {
        writer.sint32(1, day)
        writer.bool(2, closedAllDay)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: day = try reader.sint32()
        case 2: closedAllDay = try reader.bool()
        default: try reader.skip()
        }
    }
}

/// A forecast whose day has closed, beside what the device saw of it.
package struct ForecastRecord: WireMessage, Equatable, Sendable {
    /// The day that was forecast.
    package var day: Int32 = 0
    package var item: String = ""
    package var forecastUnits: Float = 0
    /// The integer the network gave.
    package var networkOutput: Int32 = 0
    /// Of the package that made it.
    package var release: UInt64 = 0
    /// As the device knew the day's total when it closed.
    package var actualUnits: UInt32 = 0
    /// Every input day was the whole store's.
    package var inputsComplete: Bool = false
    /// The item's level that went in; 0: not stated.
    package var levelUnits: Float = 0
    /// Of everything that went in (SPEC.md 9.6); 0: not stated.
    package var inputsDigest: UInt32 = 0
    /// The package that forecast the same beside it (SPEC.md 9.11); 0: none.
    package var candidate: UInt64 = 0
    /// What that one forecast.
    package var candidateUnits: Float = 0

    package init() {}

    package init(
        day: Int32 = 0, item: String = "", forecastUnits: Float = 0, networkOutput: Int32 = 0,
        release: UInt64 = 0, actualUnits: UInt32 = 0, inputsComplete: Bool = false,
        levelUnits: Float = 0, inputsDigest: UInt32 = 0, candidate: UInt64 = 0,
        candidateUnits: Float = 0
    ) {
        self.day = day
        self.item = item
        self.forecastUnits = forecastUnits
        self.networkOutput = networkOutput
        self.release = release
        self.actualUnits = actualUnits
        self.inputsComplete = inputsComplete
        self.levelUnits = levelUnits
        self.inputsDigest = inputsDigest
        self.candidate = candidate
        self.candidateUnits = candidateUnits
    }

    package func encode(to writer: inout WireWriter) {
        writer.sint32(1, day)
        writer.string(2, item)
        writer.float(3, forecastUnits)
        writer.sint32(4, networkOutput)
        writer.uint64(5, release)
        writer.uint32(6, actualUnits)
        writer.bool(7, inputsComplete)
        writer.float(8, levelUnits)
        writer.fixed32(9, inputsDigest)
        writer.uint64(10, candidate)
        writer.float(11, candidateUnits)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: day = try reader.sint32()
        case 2: item = try reader.string(bytesMax: Limit.identifierBytes)
        case 3: forecastUnits = try reader.float()
        case 4: networkOutput = try reader.sint32()
        case 5: release = try reader.uint64()
        case 6: actualUnits = try reader.uint32()
        case 7: inputsComplete = try reader.bool()
        case 8: levelUnits = try reader.float()
        case 9: inputsDigest = try reader.fixed32()
        case 10: candidate = try reader.uint64()
        case 11: candidateUnits = try reader.float()
        default: try reader.skip()
        }
    }
}

/// Sales of one day, as many records as `sold` has elements.
package struct SalesOfDay: WireMessage, Equatable, Sendable {
    package var day: Int32 = 0
    /// (units - 1) x number of items named on this connection + index of the item.
    package var sold: [UInt32] = []

    package init() {}

    package init(
        day: Int32 = 0, sold: [UInt32] = []
    ) {
        self.day = day
        self.sold = sold
    }

    package func encode(to writer: inout WireWriter) {
        writer.sint32(1, day)
        writer.repeated(2, sold)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: day = try reader.sint32()
        case 2: try reader.append(to: &sold, countMax: Limit.recordsCount)
        default: try reader.skip()
        }
    }
}

/// Forecasts of one day and one release, as many records as `forecastUnits` has elements. Every list is as
/// long as that one, or empty.
package struct ForecastsOfDay: WireMessage, Equatable, Sendable {
    package var day: Int32 = 0
    package var release: UInt64 = 0
    /// Of each of them.
    package var inputsComplete: Bool = false
    /// Into the items named on this connection; empty: 0, 1, 2, ...
    package var itemIndexes: [UInt32] = []
    package var forecastUnits: [Float] = []
    /// Never empty.
    package var networkOutput: [Int32] = []
    /// Empty: what the sales of the day say that came before in the same Upload.
    package var actualUnits: [UInt32] = []
    /// Empty: none is stated.
    package var levelUnits: [Float] = []
    /// Empty: none is stated.
    package var inputsDigest: [UInt32] = []
    /// The package that forecast the same beside them (SPEC.md 9.11); 0: none.
    package var candidate: UInt64 = 0
    /// What that one forecast; empty exactly without `candidate`.
    package var candidateUnits: [Float] = []

    package init() {}

    package init(
        day: Int32 = 0, release: UInt64 = 0, inputsComplete: Bool = false,
        itemIndexes: [UInt32] = [], forecastUnits: [Float] = [], networkOutput: [Int32] = [],
        actualUnits: [UInt32] = [], levelUnits: [Float] = [], inputsDigest: [UInt32] = [],
        candidate: UInt64 = 0, candidateUnits: [Float] = []
    ) {
        self.day = day
        self.release = release
        self.inputsComplete = inputsComplete
        self.itemIndexes = itemIndexes
        self.forecastUnits = forecastUnits
        self.networkOutput = networkOutput
        self.actualUnits = actualUnits
        self.levelUnits = levelUnits
        self.inputsDigest = inputsDigest
        self.candidate = candidate
        self.candidateUnits = candidateUnits
    }

    package func encode(to writer: inout WireWriter) {
        writer.sint32(1, day)
        writer.uint64(2, release)
        writer.bool(3, inputsComplete)
        writer.repeated(4, itemIndexes)
        writer.repeated(5, forecastUnits)
        writer.repeatedSigned(6, networkOutput)
        writer.repeated(7, actualUnits)
        writer.repeated(8, levelUnits)
        writer.repeatedFixed(9, inputsDigest)
        writer.uint64(10, candidate)
        writer.repeated(11, candidateUnits)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        let countMax = Limit.recordsCount
        switch field {
        case 1: day = try reader.sint32()
        case 2: release = try reader.uint64()
        case 3: inputsComplete = try reader.bool()
        case 4: try reader.append(to: &itemIndexes, countMax: countMax)
        case 5: try reader.append(to: &forecastUnits, countMax: countMax)
        case 6: try reader.appendSigned(to: &networkOutput, countMax: countMax)
        case 7: try reader.append(to: &actualUnits, countMax: countMax)
        case 8: try reader.append(to: &levelUnits, countMax: countMax)
        case 9: try reader.appendFixed(to: &inputsDigest, countMax: countMax)
        case 10: candidate = try reader.uint64()
        case 11: try reader.append(to: &candidateUnits, countMax: countMax)
        default: try reader.skip()
        }
    }
}

/// One thing a device has to tell, once; or a column of such.
package enum Record: WireMessage, Equatable, Sendable {
    case sale(SaleRecord)
    case close(CloseRecord)
    case forecast(ForecastRecord)
    /// Units of a day's sales that came back (SPEC 9.9).
    case returned(SaleRecord)
    // Each of these stands for several records, one after the other (SPEC 9.7).
    case sales(SalesOfDay)
    case forecasts(ForecastsOfDay)
    /// Nothing, or a kind of record of a later version.
    case unknown

    package init() {
        self = .unknown
    }

    /// How many records it stands for.
    package var count: Int {
        switch self {
        case .sale, .returned, .close, .forecast, .unknown: 1
        case .sales(let sales): sales.sold.count
        case .forecasts(let forecasts): forecasts.forecastUnits.count
        }
    }

    package func encode(to writer: inout WireWriter) {
        switch self {
        case .sale(let sale): writer.message(1, sale)
        case .close(let close): writer.message(2, close)
        case .forecast(let forecast): writer.message(3, forecast)
        case .sales(let sales): writer.message(4, sales)
        case .forecasts(let forecasts): writer.message(5, forecasts)
        case .returned(let sale): writer.message(6, sale)
        case .unknown: break
        }
    }

    /// The last one wins; one that comes twice in a row is merged.
    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1:
            var sale = SaleRecord()
            if case .sale(let earlier) = self { sale = earlier }
            try reader.merge(into: &sale)
            self = .sale(sale)
        case 2:
            var close = CloseRecord()
            if case .close(let earlier) = self { close = earlier }
            try reader.merge(into: &close)
            self = .close(close)
        case 3:
            var forecast = ForecastRecord()
            if case .forecast(let earlier) = self { forecast = earlier }
            try reader.merge(into: &forecast)
            self = .forecast(forecast)
        case 4:
            var sales = SalesOfDay()
            if case .sales(let earlier) = self { sales = earlier }
            try reader.merge(into: &sales)
            self = .sales(sales)
        case 5:
            var forecasts = ForecastsOfDay()
            if case .forecasts(let earlier) = self { forecasts = earlier }
            try reader.merge(into: &forecasts)
            self = .forecasts(forecasts)
        case 6:
            var sale = SaleRecord()
            if case .returned(let earlier) = self { sale = earlier }
            try reader.merge(into: &sale)
            self = .returned(sale)
        default: try reader.skip()
        }
    }
}

/// 12, device to hub. The records in their order have the sequence numbers first_sequence, first_sequence + 1, ...;
/// the first of a device's life is 1.
package struct Upload: WireMessage, Equatable, Sendable {
    package var firstSequence: UInt64 = 0
    /// That stand for 1 to 500.
    package var records: [Record] = []
    /// Added to the items named on this connection before, of which the first has index 0.
    package var items: [String] = []
    /// Of this device's database: sales that went into day totals because it had no room for each.
    package var foldedSales: UInt64 = 0

    package init() {}

    package init(
        firstSequence: UInt64 = 0, records: [Record] = [], items: [String] = [],
        foldedSales: UInt64 = 0
    ) {
        self.firstSequence = firstSequence
        self.records = records
        self.items = items
        self.foldedSales = foldedSales
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint64(1, firstSequence)
        writer.repeated(2, records)
        writer.repeated(3, items)
        writer.uint64(4, foldedSales)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: firstSequence = try reader.uint64()
        case 2: try reader.append(to: &records, countMax: Limit.recordsCount)
        case 3:
            try reader.append(
                to: &items, bytesMax: Limit.identifierBytes, countMax: Limit.recordsCount)
        case 4: foldedSales = try reader.uint64()
        default: try reader.skip()
        }
    }
}

/// 13, hub to device, after the commit.
package struct UploadAck: WireMessage, Equatable, Sendable {
    /// All up to here are stored.
    package var throughSequence: UInt64 = 0

    package init() {}

    package init(
        throughSequence: UInt64 = 0
    ) {
        self.throughSequence = throughSequence
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint64(1, throughSequence)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: throughSequence = try reader.uint64()
        default: try reader.skip()
        }
    }
}
