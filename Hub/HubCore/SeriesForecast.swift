package import Forecasting

/// One forecast of an item in a store, as the report compares it.
package struct SeriesForecast: Equatable, Sendable {
    package var device: DeviceID
    package var day: BusinessDay
    /// Of the package that forecast.
    package var release: UInt64
    package var pair: ForecastPair

    package init(device: DeviceID, day: BusinessDay, release: UInt64, pair: ForecastPair) {
        self.device = device
        self.day = day
        self.release = release
        self.pair = pair
    }
}
