/// What a device can carry and a retailer accepts. Nil: no limit.
package struct ModelLimits: Equatable, Codable, Sendable {
    /// Of the whole file a device receives.
    package var fileBytesMax: Int?
    package var arenaBytesMax: Int?
    /// Of one forecast, as measured where the search runs.
    package var nanosecondsMax: Int?
    /// In percent of the search's measure.
    package var errorMax: Double?

    package init(
        fileBytesMax: Int? = nil, arenaBytesMax: Int? = nil, nanosecondsMax: Int? = nil,
        errorMax: Double? = nil
    ) {
        self.fileBytesMax = fileBytesMax
        self.arenaBytesMax = arenaBytesMax
        self.nanosecondsMax = nanosecondsMax
        self.errorMax = errorMax
    }

    /// By how much each limit is exceeded, as a share of it; only those that are.
    package func excesses(_ figures: SearchFigures) -> [(limit: Limit, share: Double)] {
        func excess(_ limit: Limit, _ value: Double, _ most: Double?) -> (Limit, Double)? {
            guard let most, value > most else { return nil }
            return (limit, most > 0 ? value / most - 1 : .infinity)
        }
        return [
            excess(.file, Double(figures.fileBytes), fileBytesMax.map(Double.init)),
            excess(.arena, Double(figures.arenaBytes), arenaBytesMax.map(Double.init)),
            excess(.latency, Double(figures.nanoseconds), nanosecondsMax.map(Double.init)),
            excess(.error, figures.validationError, errorMax),
        ].compactMap { $0 }
    }

    package enum Limit: String, Sendable, CaseIterable { case file, arena, latency, error }
}

/// What one trial reached: real bytes and time, and errors in percent of the search's measure.
package struct SearchFigures: Equatable, Codable, Sendable {
    package var parameters: Int
    package var nonZeros: Int
    package var fileBytes: Int
    package var payloadBytes: Int
    package var arenaBytes: Int
    /// Of one forecast on the machine that searches.
    package var nanoseconds: Int
    /// On the validation days, with the integers a device runs: what is searched by.
    package var validationError: Double
    /// On the test days where there are some; never searched by.
    package var mape: Double?
    package var wape: Double?
    package var bias: Double?

    package init(
        parameters: Int, nonZeros: Int, fileBytes: Int, payloadBytes: Int, arenaBytes: Int,
        nanoseconds: Int, validationError: Double, mape: Double? = nil, wape: Double? = nil,
        bias: Double? = nil
    ) {
        self.parameters = parameters
        self.nonZeros = nonZeros
        self.fileBytes = fileBytes
        self.payloadBytes = payloadBytes
        self.arenaBytes = arenaBytes
        self.nanoseconds = nanoseconds
        self.validationError = validationError
        self.mape = mape
        self.wape = wape
        self.bias = bias
    }

    /// Nowhere worse than `other`, and somewhere better, in file, arena and error.
    package func dominates(_ other: SearchFigures) -> Bool {
        let mine = [Double(fileBytes), Double(arenaBytes), validationError]
        let its = [Double(other.fileBytes), Double(other.arenaBytes), other.validationError]
        let pairs = zip(mine, its)
        return pairs.allSatisfy { $0 <= $1 } && zip(mine, its).contains { $0 < $1 }
    }
}
