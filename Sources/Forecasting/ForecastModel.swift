/// One variant in float: the hub's, and the reference for the integer one.
package struct ForecastModel: Equatable, Sendable {
    package var spec: FeatureSpec
    package var parameters: NetworkParameters
    /// At least one; a flat one where the form has none.
    package var profiles: [SeasonalProfile]

    /// - Precondition: the network's input width is the spec's, and there is a profile.
    package init(spec: FeatureSpec, parameters: NetworkParameters, profiles: [SeasonalProfile]) {
        precondition(parameters.inputWidth == spec.inputWidth && !profiles.isEmpty)
        self.spec = spec
        self.parameters = parameters
        self.profiles = profiles
    }

    /// The profile of a series; an index beyond the end falls back to the first.
    package func profile(_ index: UInt16) -> SeasonalProfile {
        Int(index) < profiles.count ? profiles[Int(index)] : profiles[0]
    }

    /// - Parameters:
    ///   - recentDays: the `spec.window` calendar days before `target`, oldest first.
    ///   - targetMarks: what is planned for `target`.
    /// - Returns: units expected on `target`: finite, never negative.
    package func forecast(
        state: SeriesState, profile: UInt16, recentDays: [DemandDay], target: BusinessDay,
        targetMarks: DayMarks = []
    ) -> Float {
        let window = FeatureWindow(
            spec: spec, state: state, profile: self.profile(profile), target: target,
            targetMarks: targetMarks)
        var values = [Float](repeating: 0, count: spec.windowValues)
        var span = values.mutableSpan
        window.write(recentDays.span, into: &span)
        return window.units(networkOutput: parameters.output(window: values))
    }
}
