/// When a shift began that a control chart has seen: the day that is likeliest, where values had mean 0 before and another
/// one since (Hinkley 1970, "Inference about the change-point in a sequence of random variables"; for charts Pignatiello
/// and Samuel 2001, "Estimation of the change point of a normal process mean in SPC applications"). Page's own estimate,
/// the last time that the chart's sum was 0, is early by every chance fluctuation in the same direction before it.
package enum ChangePoint {
    /// - Parameter values: in order, of equal scatter, with the sign that makes the shift upwards.
    /// - Returns: the index of the first value after the change; 0 where there are none.
    package static func likeliest(in values: some RandomAccessCollection<Double>) -> Int {
        var best = (index: 0, gain: -Double.infinity)
        var sum = 0.0
        for (count, value) in zip(1..., values.reversed()) {
            sum += value
            // Twice the logarithm of the likelihood over that of no change.
            let gain = sum > 0 ? sum * sum / Double(count) : 0
            if gain >= best.gain { best = (values.count - count, gain) }
        }
        return best.index
    }
}
