/// A cumulative sum control chart (Page 1954, "Continuous inspection schemes"): sees a small lasting shift in days where a
/// limit on single days would need months. As in Montgomery, "Introduction to Statistical Quality Control", chapter 9.
package struct CUSUM: Equatable, Sendable {
    /// What is taken off each value: half of the shift that is to be seen soonest, in standard deviations.
    package var allowance: Double
    /// Above it the chart signals.
    package var limit: Double
    /// A sum grows so far above the limit, that it is down again some weeks after its cause is gone.
    package var headroom: Double
    package private(set) var sum = 0.0
    /// Values since the sum was 0 last: Page's estimate of when the shift began; `ChangePoint` has a better one.
    package private(set) var run = 0
    /// Above the limit, and not since then at half of it or below.
    package private(set) var isSignalling = false

    /// Nearer to the limit than to 0.
    package var isUneasy: Bool { sum > limit / 2 }

    package init(allowance: Double, limit: Double, headroom: Double) {
        self.allowance = allowance
        self.limit = limit
        self.headroom = headroom
    }

    /// - Parameter value: of mean 0 and standard deviation 1 as long as nothing shifts; shifts are upwards.
    package mutating func add(_ value: Double) {
        sum = min(max(0, sum + value - allowance), limit + headroom)
        run = sum > 0 ? run + 1 : 0
        if sum > limit {
            isSignalling = true
        } else if !isUneasy {
            isSignalling = false
        }
    }
}
