package import Forecasting

/// Numbers a package keeps in fewer bytes than memory does. Hub and device both compute with the rounded value.
package enum PackedNumbers {
    /// A profile's factor is stored as this many steps to one, in 16 bits.
    static let factorSteps: Float = 8_192
    /// The code of the least factor.
    static let factorCodeMin: UInt16 = 1_024

    /// - Parameter factor: within `SeasonalProfile.factorRange`; brought into it otherwise.
    static func factorCode(_ factor: Float) -> UInt16 {
        let range = SeasonalProfile.factorRange
        // Written so that a NaN falls to the lower bound.
        let held =
            factor > range.lowerBound
            ? (factor < range.upperBound ? factor : range.upperBound) : range.lowerBound
        return UInt16(min(65_535, held * factorSteps + 0.5))
    }

    static func factor(code: UInt16) -> Float { Float(code) / factorSteps }

    /// Steps of 1/64, rounded to nearest; brought into `SeriesStart.persistenceRange`.
    static func persistenceCode(_ persistence: Float) -> Int8 {
        // A state holds it within the range.
        let steps = SeriesState(level: 1, persistence: persistence).persistence * 64
        return Int8(steps < 0 ? steps - 0.5 : min(steps + 0.5, 127))
    }

    static func persistence(code: Int8) -> Float { Float(code) / 64 }

    /// A builder rounds factors to this many codes: a step is 1/512.
    static let factorCodesPerStep: Float = 16
    /// A builder rounds levels and scales to so many significant bits: to 0.1 % of the value.
    static let levelBits: UInt32 = 10

    /// The nearest factor that is a whole number of steps, within range.
    static func roundedFactor(_ factor: Float) -> Float {
        let steps = factorSteps / factorCodesPerStep
        let code = Float(factorCode(factor)) / factorCodesPerStep
        // Eight itself has no code.
        return min(code.rounded(), steps * SeasonalProfile.factorRange.upperBound - 1) / steps
    }

    /// The nearest value of `levelBits` significant bits within a level's range.
    /// - Parameter level: within it.
    static func roundedLevel(_ level: Float) -> Float {
        let dropped = 24 - levelBits
        let nearest = level.bitPattern + 1 << (dropped - 1)
        // The largest level itself has more bits: what would pass it is rounded down.
        let bits = nearest > SeriesState.levelMax.bitPattern ? level.bitPattern : nearest
        return Float(bitPattern: (bits >> dropped) << dropped)
    }

    /// The upper 24 bits of the single-precision value, rounded to nearest: 16 significant bits.
    /// - Parameter value: finite, not negative and below 2^127.
    static func float24(_ value: Float) -> UInt32 { (value.bitPattern + 0x80) >> 8 }

    static func value(float24: UInt32) -> Float { Float(bitPattern: float24 << 8) }
}

extension SeasonalProfile {
    /// As a builder gives it to a package: each factor a multiple of 1/512. Forecasts that miss by ten percent
    /// lose nothing by a tenth of a percent, and bytes count.
    package var rounded: SeasonalProfile {
        SeasonalProfile(
            weekday: weekday.map(PackedNumbers.roundedFactor),
            month: month.map(PackedNumbers.roundedFactor),
            calendar: DemandCalendar(
                dayOfMonth: calendar.dayOfMonth.map(PackedNumbers.roundedFactor),
                specialDays: calendar.specialDays.map { special in
                    SpecialDay(
                        rule: special.rule,
                        factor: special.factor == 0
                            ? 0 : PackedNumbers.roundedFactor(special.factor))
                }))
    }
}

extension SeriesStart {
    /// As a builder gives it to a package: level and scale in range and with 10 significant bits, persistence in steps of
    /// 1/64; the scale is 1 unless `keepsScale`.
    package func rounded(keepsScale: Bool) -> SeriesStart {
        let state = SeriesState(self)
        return SeriesStart(
            item: item, level: PackedNumbers.roundedLevel(state.level),
            scale: keepsScale ? PackedNumbers.roundedLevel(state.scale) : 1,
            profile: profile,
            persistence: PackedNumbers.persistence(
                code: PackedNumbers.persistenceCode(persistence)))
    }
}
