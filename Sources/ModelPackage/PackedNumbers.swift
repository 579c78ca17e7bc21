package import Forecasting

/// Numbers a package keeps in fewer bytes than memory does. Hub and device both compute with the rounded value.
package enum PackedNumbers {
    /// A profile's factor is stored as this many steps to one, in 16 bits.
    static let factorSteps: Float = 8_192

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

    /// The upper 24 bits of the single-precision value, rounded to nearest: 16 significant bits.
    /// - Parameter value: finite, not negative and below 2^127.
    static func float24(_ value: Float) -> UInt32 { (value.bitPattern + 0x80) >> 8 }

    static func value(float24: UInt32) -> Float { Float(bitPattern: float24 << 8) }
}

extension SeasonalProfile {
    /// As a package holds it: each factor a multiple of 1/8192.
    package var rounded: SeasonalProfile {
        func round(_ factor: Float) -> Float {
            PackedNumbers.factor(code: PackedNumbers.factorCode(factor))
        }
        return SeasonalProfile(
            weekday: weekday.map(round), month: month.map(round),
            calendar: DemandCalendar(
                dayOfMonth: calendar.dayOfMonth.map(round),
                specialDays: calendar.specialDays.map { special in
                    SpecialDay(
                        rule: special.rule,
                        factor: special.factor == 0 ? 0 : round(special.factor))
                }))
    }
}

extension SeriesStart {
    /// As a package holds it: level and scale in range and with 16 significant bits, persistence in steps of 1/64; the
    /// scale is 1 unless `keepsScale`.
    package func rounded(keepsScale: Bool) -> SeriesStart {
        let state = SeriesState(self)
        func round(_ value: Float) -> Float {
            PackedNumbers.value(float24: PackedNumbers.float24(value))
        }
        return SeriesStart(
            item: item, level: round(state.level), scale: keepsScale ? round(state.scale) : 1,
            profile: profile,
            persistence: PackedNumbers.persistence(
                code: PackedNumbers.persistenceCode(persistence)))
    }
}
