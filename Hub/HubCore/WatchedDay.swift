package import Forecasting

/// A day of a store as it is watched: its forecasts beside its sales, counted once however many devices made them.
///
/// Of a day's forecasts those of one release count, the one that made most of them, and of several devices their mean.
/// A forecast of `outOfStockForecastMin` units or more of which nothing was sold is left out: the item was not there to
/// be sold, more likely than not wanted.
package struct WatchedDay: Hashable, Sendable {
    /// A Poisson demand of so many units is 0 on fewer than 1 day in 150.
    package static let outOfStockForecastMin = 5.0

    package var day: BusinessDay
    package var release: UInt64
    /// Forecasts compared with the day's sales, of a device; 0: the day is not final, or had no business.
    package var forecasts: Double
    package var forecastUnits: Double
    package var actualUnits: Double
    /// Σ|f − a|.
    package var absoluteErrorUnits: Double
    /// Of the forecasts that have a seasonal naive beside them: Σ|f − a|, and the naive's on the same days.
    package var comparableErrorUnits: Double
    package var naiveErrorUnits: Double
    /// Forecasts left out, of a device.
    package var outOfStock: Double

    package init(
        day: BusinessDay, release: UInt64, forecasts: Double, forecastUnits: Double,
        actualUnits: Double, absoluteErrorUnits: Double, comparableErrorUnits: Double = 0,
        naiveErrorUnits: Double = 0, outOfStock: Double = 0
    ) {
        self.day = day
        self.release = release
        self.forecasts = forecasts
        self.forecastUnits = forecastUnits
        self.actualUnits = actualUnits
        self.absoluteErrorUnits = absoluteErrorUnits
        self.comparableErrorUnits = comparableErrorUnits
        self.naiveErrorUnits = naiveErrorUnits
        self.outOfStock = outOfStock
    }

    /// Σ(actual − forecast) ÷ √Σ forecast, which is about normal with variance 1 when each item sells by Poisson's law
    /// around its forecast; real sales scatter more. Nil where nothing was compared.
    package var z: Double? {
        guard forecasts > 0, forecastUnits > 0 else { return nil }
        return (actualUnits - forecastUnits) / forecastUnits.squareRoot()
    }
}

/// The days that an approved device closed, of the latest ones of the chain.
package struct DeviceActivity: Hashable, Sendable {
    package struct Day: Hashable, Sendable {
        package var day: BusinessDay
        /// Closed in the ordinary way; otherwise as a day without business.
        package var isBusiness: Bool
        /// That it saw sold.
        package var units: Int64
        /// That it made for the day.
        package var forecasts: Int

        package init(day: BusinessDay, isBusiness: Bool, units: Int64, forecasts: Int) {
            self.day = day
            self.isBusiness = isBusiness
            self.units = units
            self.forecasts = forecasts
        }
    }

    package var device: DeviceID
    package var store: StoreID
    /// Ascending.
    package var days: [Day]

    package init(device: DeviceID, store: StoreID, days: [Day]) {
        self.device = device
        self.store = store
        self.days = days
    }
}
