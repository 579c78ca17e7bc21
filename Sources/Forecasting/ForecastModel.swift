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

    /// - Parameter recentDays: the `spec.window` calendar days before `target`, oldest first.
    /// - Returns: units expected on `target`: finite, never negative.
    package func forecast(
        state: SeriesState, profile: UInt16, recentDays: [DemandDay], target: BusinessDay
    ) -> Float {
        let window = FeatureWindow(
            spec: spec, state: state, profile: self.profile(profile), target: target)
        var values = [Float](repeating: 0, count: spec.windowValues)
        var span = values.mutableSpan
        window.write(recentDays.span, into: &span)
        return window.units(networkOutput: parameters.output(window: values))
    }
}

extension NetworkParameters {
    /// Runs the network over one window, from a zero state.
    /// - Parameter window: `[T, I]`, time-major.
    /// - Returns: the dense layer's output after the last row.
    package func output(window: [Float]) -> Float {
        let (I, H) = (inputWidth, units)
        precondition(window.count.isMultiple(of: I))
        var h = [Float](repeating: 0, count: H)
        var c = [Float](repeating: 0, count: H)
        var z = [Float](repeating: 0, count: 4 * H)
        for t in 0..<window.count / I {
            for row in 0..<4 * H {
                var sum = bias[row]
                for i in 0..<I { sum += inputKernel[row * I + i] * window[t * I + i] }
                for j in 0..<H { sum += recurrentKernel[row * H + j] * h[j] }
                z[row] = sum
            }
            for j in 0..<H {
                let i = sigmoid(z[Gate.input.rawValue * H + j])
                let f = sigmoid(z[Gate.forget.rawValue * H + j])
                let g = hyperbolicTangent(z[Gate.candidate.rawValue * H + j])
                let o = sigmoid(z[Gate.output.rawValue * H + j])
                c[j] = f * c[j] + i * g
                h[j] = o * hyperbolicTangent(c[j])
            }
        }
        var y = denseBias
        for j in 0..<H { y += denseWeight[j] * h[j] }
        return y
    }
}
