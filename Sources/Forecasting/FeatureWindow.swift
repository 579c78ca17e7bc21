/// Everything one forecast is made from: the series' state as of the day before `target`, its profile, and
/// the window's days.
package struct FeatureWindow {
    package let spec: FeatureSpec
    package let state: SeriesState
    package let profile: SeasonalProfile
    package let target: BusinessDay
    /// What is planned for `target`.
    package let targetMarks: DayMarks

    package init(
        spec: FeatureSpec, state: SeriesState, profile: SeasonalProfile, target: BusinessDay,
        targetMarks: DayMarks = []
    ) {
        self.spec = spec
        self.state = state
        self.profile = profile
        self.target = target
        self.targetMarks = targetMarks
    }

    /// Units that would be sold on `day` if the network had nothing to say.
    package func expectedUnits(on day: BusinessDay) -> Float { state.level * factor(on: day) }

    /// The season's share of a day's demand: 1 in forms without a profile.
    private func factor(on day: BusinessDay) -> Float {
        spec.output == .logResidual ? profile.factor(on: day) : 1
    }

    /// The demand column of one day. An unknown or closed day, or one whose factor
    /// is 0, enters as "as expected": 0.
    package func demandInput(_ demand: DemandDay, on day: BusinessDay) -> Float {
        spec.demandInput(demand, state: state, factor: factor(on: day))
    }

    /// Writes the network's input, time-major: row `t` is `recentDays[t]`.
    /// - Parameters:
    ///   - recentDays: the `spec.window` calendar days before `target`, oldest first.
    ///   - values: `[window, inputWidth]`, all of it overwritten.
    package func write(_ recentDays: Span<DemandDay>, into values: inout MutableSpan<Float>) {
        precondition(recentDays.count == spec.window && values.count == spec.windowValues)
        for t in 0..<spec.window {
            writeDay(
                t, recentDays[t],
                before: t + 1 < spec.window ? recentDays[t + 1].marks : targetMarks, into: &values,
                from: t * spec.inputWidth)
        }
    }

    /// Writes one row of the network's input.
    /// - Parameters:
    ///   - t: 0..<`spec.window`, oldest first.
    ///   - marks: of the day after it, which the row describes.
    ///   - start: where in `values` the row's `inputWidth` values go.
    private func writeDay(
        _ t: Int, _ demand: DemandDay, before marks: DayMarks,
        into values: inout MutableSpan<Float>, from start: Int
    ) {
        let day = target.advanced(by: t - spec.window)
        values[start] = demandInput(demand, on: day)
        var column = start + 1
        spec.writeContext(of: day.advanced(by: 1)) { value in
            values[column] = value
            column += 1
        }
        if spec.inputs.contains(.levelLogarithm) {
            values[column] = state.levelLogarithm
            column += 1
        }
        if spec.inputs.contains(.persistence) {
            values[column] = state.persistence
            column += 1
        }
        if spec.inputs.contains(.holiday) {
            values[column] = marks.contains(.holiday) ? 1 : 0
            column += 1
        }
        if spec.inputs.contains(.promotion) { values[column] = marks.contains(.promotion) ? 1 : 0 }
    }

    /// What the network's output means in units: finite, never negative.
    package func units(networkOutput y: Float) -> Float {
        spec.units(networkOutput: y, state: state, factor: factor(on: target))
    }
}

extension FeatureSpec {
    /// No forecast exceeds this.
    package static let unitsMax: Float = 10_000_000

    /// The demand column of one day; 0 for an unknown or closed day, or one whose factor is 0.
    /// - Parameter factor: the season's, of that day; 1 in forms without a profile.
    package func demandInput(_ demand: DemandDay, state: SeriesState, factor: Float) -> Float {
        guard let units = demand.observedUnits else { return 0 }
        var value: Float = 0
        if output == .zScore {
            value = (units - state.level) / state.scale
        } else {
            guard factor > 0 else { return 0 }
            value = units / factor / state.level - 1
        }
        let range = Self.demandRange
        return min(max(value, range.lowerBound), range.upperBound)
    }

    /// `demandInput` of a window's days.
    /// - Parameters:
    ///   - factors: the season's, of each of these days; empty in forms without a profile.
    ///   - values: the first ones are overwritten, as many as there are days.
    package func writeDemand(
        _ days: Span<DemandDay>, state: SeriesState, factors: Span<Float>,
        into values: inout MutableSpan<Float>
    ) {
        precondition(values.count >= days.count)
        if factors.isEmpty {
            for t in days.indices {
                values[t] = demandInput(days[t], state: state, factor: 1)
            }
        } else {
            precondition(factors.count == days.count)
            for t in days.indices {
                values[t] = demandInput(days[t], state: state, factor: factors[t])
            }
        }
    }

    /// The columns after the demand column that every series has alike, in the order of `FeatureInputs`.
    /// - Parameters:
    ///   - day: the one that the row describes.
    ///   - place: takes them from the first on.
    package func writeContext(of day: BusinessDay, place: (Float) -> Void) {
        if inputs.contains(.weekday) {
            let today = day.weekday
            for weekday in 0..<7 { place(weekday == today ? 1 : 0) }
        }
        if inputs.contains(.month) {
            let current = day.month
            for month in 1...12 { place(month == current ? 1 : 0) }
        }
        if inputs.contains(.yearCircle) {
            let (sine, cosine) = circle(turns: Double(day.dayOfYear) / 366)
            place(Float(sine))
            place(Float(cosine))
        }
        if inputs.contains(.monthCircle) {
            let (sine, cosine) = circle(turns: Double(day.dayOfMonth - 1) / 31)
            place(Float(sine))
            place(Float(cosine))
        }
    }

    /// What the network's output means in units: finite, never negative.
    /// - Parameter factor: the season's, of the day to forecast; 1 in forms without a profile.
    package func units(networkOutput y: Float, state: SeriesState, factor: Float) -> Float {
        let units =
            switch output {
            case .zScore: state.level + state.scale * y
            case .relative: state.level * (1 + y)
            case .logResidual: state.level * factor * exponential(min(max(y, -4), 4))
            }
        // A NaN fails the comparison and becomes 0.
        return units > 0 ? min(units, Self.unitsMax) : 0
    }
}
