package import Forecasting

/// One forecast of a device beside what the ledger says of its day: what reports are computed from.
package struct ForecastObservation: Hashable, Sendable {
    package var device: DeviceID
    package var item: ItemID
    package var day: BusinessDay
    package var forecastUnits: Double
    /// The ledger's total: imported, else uploaded; nil: unknown.
    package var actualUnits: Int64?
    /// The ledger's total of the same weekday a week before.
    package var seasonalNaiveUnits: Int64?
    package var release: UInt64
    /// The actual comes from an import, so it is final.
    package var actualIsImported: Bool

    package init(
        device: DeviceID, item: ItemID, day: BusinessDay, forecastUnits: Double,
        actualUnits: Int64?, seasonalNaiveUnits: Int64?, release: UInt64,
        actualIsImported: Bool
    ) {
        self.device = device
        self.item = item
        self.day = day
        self.forecastUnits = forecastUnits
        self.actualUnits = actualUnits
        self.seasonalNaiveUnits = seasonalNaiveUnits
        self.release = release
        self.actualIsImported = actualIsImported
    }
}
