package import Forecasting

/// What the uncompressed network of a forecast's package makes of what the device forecast from.
package enum UncompressedForecast: Equatable, Sendable {
    /// Why it is not known.
    package enum Obstacle: Int64, Sendable {
        /// Package, family or the network as it was before its compression is not here.
        case networkGone = 2
        /// What the device forecast from is not what the hub knows of these days, or the device does not say.
        case inputsUnknown = 3
    }

    /// Nobody has tried yet.
    case waiting
    case units(Double)
    case impossible(Obstacle)
}

/// Errors of devices beside those of the uncompressed networks, over the forecasts that both have: what compression
/// cost. Sums of sets that share nothing merge to the sums of both.
package struct CompressionSums: Equatable, Sendable {
    /// Forecasts that the uncompressed network has replayed.
    package private(set) var count = 0
    /// Over these, in units.
    package private(set) var actualSum = 0.0
    package private(set) var deviceErrorSum = 0.0
    package private(set) var uncompressedErrorSum = 0.0
    /// Forecasts of final days that it cannot replay.
    package private(set) var networkGone = 0
    package private(set) var inputsUnknown = 0

    package init() {}

    package mutating func add(
        actual: Double, forecast: Double, uncompressed: UncompressedForecast
    ) {
        switch uncompressed {
        case .waiting: break
        case .impossible(.networkGone): networkGone += 1
        case .impossible(.inputsUnknown): inputsUnknown += 1
        case .units(let units):
            count += 1
            actualSum += actual
            deviceErrorSum += abs(forecast - actual)
            uncompressedErrorSum += abs(units - actual)
        }
    }

    package mutating func merge(_ other: CompressionSums) {
        count += other.count
        actualSum += other.actualSum
        deviceErrorSum += other.deviceErrorSum
        uncompressedErrorSum += other.uncompressedErrorSum
        networkGone += other.networkGone
        inputsUnknown += other.inputsUnknown
    }

    /// WAPE of the devices' forecasts that were replayed, in percent; nil where nothing was, or nothing was sold.
    package var deviceWape: Double? { actualSum > 0 ? 100 * deviceErrorSum / actualSum : nil }
    /// WAPE of the uncompressed networks on the same forecasts, in percent.
    package var uncompressedWape: Double? {
        actualSum > 0 ? 100 * uncompressedErrorSum / actualSum : nil
    }
    /// What compression costs, in points of WAPE; below 0 where the compressed networks err less.
    package var costPoints: Double? {
        actualSum > 0 ? 100 * (deviceErrorSum - uncompressedErrorSum) / actualSum : nil
    }

    // MARK: As numbers in a row

    package static let numberCount = 6

    var numbers: [Double] {
        [
            Double(count), actualSum, deviceErrorSum, uncompressedErrorSum, Double(networkGone),
            Double(inputsUnknown),
        ]
    }

    /// - Parameter number: in the order of `numbers`.
    /// - Returns: nil when they cannot have come from forecasts.
    init?(number: (Int) -> Double) {
        guard let count = Int(exactly: number(0)), let gone = Int(exactly: number(4)),
            let unknown = Int(exactly: number(5)), count >= 0, gone >= 0, unknown >= 0,
            (1...3).allSatisfy({ number($0) >= 0 && number($0).isFinite })
        else { return nil }
        self.count = count
        actualSum = number(1)
        deviceErrorSum = number(2)
        uncompressedErrorSum = number(3)
        networkGone = gone
        inputsUnknown = unknown
    }
}

/// An uploaded forecast beside what its package's uncompressed network makes of the same inputs.
package struct ReplayedForecast: Equatable, Sendable {
    package var device: DeviceID
    package var item: ItemID
    package var day: BusinessDay
    /// Never `.waiting`.
    package var uncompressed: UncompressedForecast

    package init(
        device: DeviceID, item: ItemID, day: BusinessDay, uncompressed: UncompressedForecast
    ) {
        self.device = device
        self.item = item
        self.day = day
        self.uncompressed = uncompressed
    }
}

/// Forecasts of final days of one store that wait to be replayed.
package struct WaitingForecasts: Sendable {
    package var store: StoreID
    /// Changes with whatever they depend on.
    package var revision: Int64
    /// From which day on the ledger is needed, for whatever looks back on a window of days. It hangs on the first day
    /// alone, so that the same totals come of it whichever days wait.
    package var ledgerFrom: BusinessDay
    /// All that wait of some days, by day, device, item; not empty.
    package var forecasts: [UploadedForecast]

    package init(
        store: StoreID, revision: Int64, ledgerFrom: BusinessDay, forecasts: [UploadedForecast]
    ) {
        self.store = store
        self.revision = revision
        self.ledgerFrom = ledgerFrom
        self.forecasts = forecasts
    }
}
