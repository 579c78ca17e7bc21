package import AgentCore
package import Forecasting

/// What a candidate forecasts beside the active package.
extension AgentStore {
    package func replace(besideForecastsOf day: BusinessDay, by forecasts: [DayForecast])
        throws(StoreError)
    {
        let dayValue = Value.integer(Int64(day.daysSince1970))
        try database.run("DELETE FROM besideForecast WHERE day = ?", [dayValue])
        for forecast in forecasts {
            try database.run(
                "INSERT INTO besideForecast (day, item, units) VALUES (?, ?, ?)",
                [dayValue, .text(forecast.item.utf8), .real(Double(forecast.prediction.units))])
        }
    }

    package func besideForecasts(of day: BusinessDay) throws(StoreError) -> [ItemID: Float] {
        var units: [ItemID: Float] = [:]
        try database.query(
            "SELECT item, units FROM besideForecast WHERE day = ?",
            [.integer(Int64(day.daysSince1970))], columns: 2
        ) { row in
            if let item = Self.item(row[0]) { units[item] = Float(row[1].real) }
            return true
        }
        return units
    }

    /// Every item that both packages have forecast for a day, item after item.
    package func eachPair(
        from first: BusinessDay, through last: BusinessDay,
        _ body: (ItemID, BusinessDay, _ active: Float, _ candidate: Float) -> Void
    ) throws(StoreError) {
        try database.query(
            """
            SELECT beside.item, beside.day, forecast.units, beside.units
            FROM besideForecast AS beside
            JOIN forecast ON forecast.day = beside.day AND forecast.item = beside.item
            WHERE beside.day BETWEEN ? AND ? ORDER BY beside.item, beside.day
            """,
            [
                .integer(Int64(first.daysSince1970)), .integer(Int64(last.daysSince1970)),
            ], columns: 4
        ) { row in
            if let item = Self.item(row[0]) {
                body(item, Self.day(row[1]), Float(row[2].real), Float(row[3].real))
            }
            return true
        }
    }
}
