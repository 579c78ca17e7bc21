package import Forecasting

/// One thing a device tells the hub, for good.
package enum UploadRecord: Hashable, Sendable {
    case sale(day: BusinessDay, item: ItemID, units: Int32)
    /// Units of the day's sales that came back.
    case returned(day: BusinessDay, item: ItemID, units: Int32)
    /// The device's day is over. `closedAllDay`: the store did no business.
    case close(day: BusinessDay, closedAllDay: Bool)
    case forecast(DeviceForecast)

    package static let saleUnitsMax: Int32 = 1_000_000
    package static let actualUnitsMax: Int64 = 1_000_000_000

    package var day: BusinessDay {
        switch self {
        case .sale(let day, _, _), .returned(let day, _, _), .close(let day, _): day
        case .forecast(let forecast): forecast.day
        }
    }

    /// Why the record cannot be stored, or nil.
    package var fault: String? {
        if !BusinessDay.storable.contains(day.daysSince1970) {
            return "day \(day.daysSince1970) is not within 1970 to 2199"
        }
        switch self {
        case .sale(_, _, let units), .returned(_, _, let units):
            return (1...Self.saleUnitsMax).contains(units)
                ? nil : "a sale or return of \(units) units is not within 1 to \(Self.saleUnitsMax)"
        case .close: return nil
        case .forecast(let forecast):
            guard forecast.units.isFinite, forecast.units >= 0 else {
                return "a forecast is not a number from 0 up"
            }
            guard forecast.level.isFinite, forecast.level >= 0 else {
                return "a level is not a number from 0 up"
            }
            guard forecast.candidateUnits.isFinite, forecast.candidateUnits >= 0 else {
                return "a candidate's forecast is not a number from 0 up"
            }
            return (0...Self.actualUnitsMax).contains(forecast.actualUnits)
                ? nil
                : "an actual of \(forecast.actualUnits) units is not within 0 to \(Self.actualUnitsMax)"
        }
    }
}

extension BusinessDay {
    /// 1970-01-01 to 2199-12-31.
    package static let storable: ClosedRange<Int32> = 0...84005
}

/// A forecast whose day has closed, beside what the device saw of the day.
package struct DeviceForecast: Hashable, Sendable {
    /// The day that was forecast.
    package var day: BusinessDay
    package var item: ItemID
    package var units: Float
    /// The integer the network gave.
    package var networkOutput: Int32
    /// Of the package that made it.
    package var release: UInt64
    /// As the device knew the day's total when it closed.
    package var actualUnits: Int64
    /// Every input day was the whole store's.
    package var inputsComplete: Bool
    /// That went in; 0: not stated.
    package var level: Float
    /// `ForecastInputs.digest` of what went in; 0: not stated.
    package var inputsDigest: UInt32
    /// The first bytes of the digest of a package in trial, that forecast the same; 0: none.
    package var candidate: UInt64
    package var candidateUnits: Float

    package init(
        day: BusinessDay, item: ItemID, units: Float, networkOutput: Int32, release: UInt64,
        actualUnits: Int64, inputsComplete: Bool, level: Float = 0, inputsDigest: UInt32 = 0,
        candidate: UInt64 = 0, candidateUnits: Float = 0
    ) {
        self.day = day
        self.item = item
        self.units = units
        self.networkOutput = networkOutput
        self.release = release
        self.actualUnits = actualUnits
        self.inputsComplete = inputsComplete
        self.level = level
        self.inputsDigest = inputsDigest
        self.candidate = candidate
        self.candidateUnits = candidateUnits
    }

    /// What `candidate` is for a package: SPEC 9.11.
    package static func candidate(ofDigest digest: [UInt8]) -> UInt64 {
        digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Record i has the sequence number `firstSequence + i`; the first of a device's life is 1.
package struct UploadBatch: Hashable, Sendable {
    package static let recordsMax = 500

    package var device: DeviceID
    package var firstSequence: UInt64
    package var records: [UploadRecord]
    /// Sales of the device's whole time that it put into day totals because it had no room for each.
    package var foldedSales: UInt64

    package init(
        device: DeviceID, firstSequence: UInt64, records: [UploadRecord], foldedSales: UInt64 = 0
    ) {
        self.device = device
        self.firstSequence = firstSequence
        self.records = records
        self.foldedSales = foldedSales
    }
}

/// What becomes of a batch, from its numbers alone. A replay or an overlap is ordinary: an
/// acknowledgement got lost.
package enum UploadAcceptance: Hashable, Sendable {
    /// Store all but the first `skipping` records: these are stored already. All may be.
    case store(skipping: Int)
    /// Records between are missing; nothing may be stored.
    case gap(expectedSequence: UInt64)
    case invalid(String)

    /// - Parameter through: everything up to this sequence number is stored; 0 at first.
    package static func decide(
        firstSequence: UInt64, recordCount: Int, through: UInt64
    ) -> UploadAcceptance {
        guard (1...UploadBatch.recordsMax).contains(recordCount) else {
            return .invalid("\(recordCount) records are not 1 to \(UploadBatch.recordsMax)")
        }
        // SQLite's integers are signed: sequence numbers stay below 2⁶².
        guard firstSequence >= 1, firstSequence < 1 << 62 else {
            return .invalid("sequence number \(firstSequence) is not within 1 to 2^62")
        }
        guard firstSequence <= through + 1 else { return .gap(expectedSequence: through + 1) }
        let stored = through + 1 - firstSequence
        return .store(skipping: Int(min(stored, UInt64(recordCount))))
    }
}

/// What the store did with a batch.
package enum UploadOutcome: Hashable, Sendable {
    /// Committed: everything up to here is stored, `new` records of it now.
    case stored(throughSequence: UInt64, new: Int)
    case gap(expectedSequence: UInt64)
    /// Record `index` of the batch (or the batch itself: nil) cannot be stored. Nothing of the
    /// batch was.
    case invalid(index: Int?, reason: String)
    /// The device is unknown, waits for approval, or was revoked.
    case notAllowed(DeviceStatus?)
}
