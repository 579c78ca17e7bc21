import Forecasting

/// What a distillation says of last hidden states, for one half of a batch: how far student and teachers are apart, and
/// which way the student's would have to move. Not for two threads at once; every half has its own.
package final class HiddenMatch {
    /// Of more windows than this, relations are compared within groups of so many: pairs grow with the square.
    package static let groupMax = 128

    package struct Sizes: Sendable {
        /// H of the student.
        package var units: Int
        /// W, the teachers' hidden units side by side.
        package var width: Int
        /// B
        package var columns: Int

        package init(units: Int, width: Int, columns: Int) {
            self.units = units
            self.width = width
            self.columns = columns
        }

        /// Values of a projection from H to W: `[W, H + 1]` row-major, the last column being added as it is.
        package var projectionCount: Int { width * (units + 1) }
        package var needsProjection: Bool { units != width }
    }

    package let sizes: Sizes
    /// `[H, B]`: of the mean distance, by the student's last hidden states. Columns never compared stay 0.
    package let gradient: UnsafeMutableBufferPointer<Float>
    /// `[W, H + 1]`, or empty: of the mean distance, by the projection.
    package private(set) var projectionGradient: [Float]
    /// `[H]` each: of one window, and the gradient of what is being compared.
    private var state: [Float]
    private var stateGradient: [Float]
    /// `[groupMax, H]`, and both networks' distances within a group, `[groupMax, groupMax]`.
    private var states: [Float] = []
    private var own: [Float] = []
    private var taught: [Float] = []

    package init(_ sizes: Sizes) {
        self.sizes = sizes
        let count = sizes.units * sizes.columns
        gradient = .allocate(capacity: count)
        gradient.initialize(repeating: 0)
        projectionGradient = [Float](
            repeating: 0, count: sizes.needsProjection ? sizes.projectionCount : 0)
        state = [Float](repeating: 0, count: sizes.units)
        stateGradient = state
    }

    deinit { gradient.deallocate() }

    /// The mean square between the teachers' states and the student's, projected where sizes differ.
    /// - Parameters:
    ///   - hidden: the student's last hidden state: unit `j` of window `b` at `j · stride + b`.
    ///   - rows: of every compared window `b`, from 0 on, the row of `teachers`.
    ///   - teachers: `[rows, W]`
    ///   - projection: `[W, H + 1]`, or empty where sizes are the same.
    ///   - count: windows in the whole batch: gradients are those of its mean.
    /// - Returns: the sum of the windows' mean squares.
    package func matchFeatures(
        hidden: UnsafePointer<Float>, stride: Int, rows: [Int], teachers: [Float],
        projection: [Float], count: Int
    ) -> Double {
        let (H, W, B) = (sizes.units, sizes.width, sizes.columns)
        precondition(rows.count <= B)
        precondition(projection.count == projectionGradient.count)
        gradient.update(repeating: 0)
        for k in projectionGradient.indices { projectionGradient[k] = 0 }
        let share = 2 / Float(W * count)
        var sum = 0.0
        for (b, row) in rows.enumerated() {
            for j in 0..<H { state[j] = hidden[j * stride + b] }
            let squares =
                projection.isEmpty
                ? matchState(teachers[row * W..<(row + 1) * W], share: share)
                : matchProjected(
                    teachers[row * W..<(row + 1) * W], projection: projection, share: share)
            for j in 0..<H { gradient[j * B + b] = stateGradient[j] }
            sum += Double(squares) / Double(W)
        }
        return sum
    }

    /// One window's sum of squares, and its gradient times `share` in `stateGradient`.
    private func matchState(_ teacher: ArraySlice<Float>, share: Float) -> Float {
        var squares: Float = 0
        for (j, taught) in teacher.enumerated() {
            let error = state[j] - taught
            squares += error * error
            stateGradient[j] = error * share
        }
        return squares
    }

    /// The same through the projection, whose gradient is added to.
    private func matchProjected(
        _ teacher: ArraySlice<Float>, projection: [Float], share: Float
    ) -> Float {
        let units = sizes.units
        var squares: Float = 0
        for j in 0..<units { stateGradient[j] = 0 }
        projection.withUnsafeBufferPointer { projection in
            projectionGradient.withUnsafeMutableBufferPointer { slopes in
                state.withUnsafeBufferPointer { state in
                    stateGradient.withUnsafeMutableBufferPointer { stateGradient in
                        for (w, taught) in teacher.enumerated() {
                            let row = w * (units + 1)
                            var value = projection[row + units]
                            for j in 0..<units { value += projection[row + j] * state[j] }
                            let error = value - taught
                            squares += error * error
                            let slope = error * share
                            for j in 0..<units {
                                stateGradient[j] += slope * projection[row + j]
                                slopes[row + j] += slope * state[j]
                            }
                            slopes[row + units] += slope
                        }
                    }
                }
            }
        }
        return squares
    }

    /// The Huber loss between the networks' distances of pairs of windows, each network's divided by their mean.
    /// Parameters as in `matchFeatures`.
    /// - Returns: the sum over windows of their group's mean over pairs.
    package func matchRelations(
        hidden: UnsafePointer<Float>, stride: Int, rows: [Int], teachers: [Float], count: Int
    ) -> Double {
        precondition(rows.count <= sizes.columns)
        gradient.update(repeating: 0)
        let groups = (rows.count + Self.groupMax - 1) / Self.groupMax
        var sum = 0.0
        for group in 0..<groups {
            // Of nearly the same size, so that no group is left with a single window.
            let windows = group * rows.count / groups..<(group + 1) * rows.count / groups
            sum += matchGroup(
                windows, hidden: hidden, stride: stride, rows: rows, teachers: teachers,
                count: count)
        }
        return sum
    }

    private func matchGroup(
        _ windows: Range<Int>, hidden: UnsafePointer<Float>, stride: Int, rows: [Int],
        teachers: [Float], count: Int
    ) -> Double {
        let (H, W, B, N) = (sizes.units, sizes.width, sizes.columns, windows.count)
        guard N > 1 else { return 0 }
        if states.isEmpty {
            states = [Float](repeating: 0, count: Self.groupMax * max(H, W))
            own = [Float](repeating: 0, count: Self.groupMax * Self.groupMax)
            taught = own
        }
        for n in 0..<N {
            let row = rows[windows.lowerBound + n]
            for w in 0..<W { states[n * W + w] = teachers[row * W + w] }
        }
        let taughtMean = Self.distances(states, count: N, width: W, into: &taught)
        for n in 0..<N {
            for j in 0..<H { states[n * H + j] = hidden[j * stride + windows.lowerBound + n] }
        }
        let mean = Self.distances(states, count: N, width: H, into: &own)
        // Without any distance there is nothing to divide by, nor a way to go.
        guard mean > 1e-9, taughtMean > 1e-9 else { return 0 }
        let pairs = Float(N * (N - 1) / 2)
        // Huber's slopes, and what all distances together owe to the mean they are divided by.
        var (loss, owed) = (Float(0), Float(0))
        for a in 0..<N {
            for b in 0..<a {
                let ratio = own[a * N + b] / mean
                let error = ratio - taught[a * N + b] / taughtMean
                let size = abs(error)
                loss += size < 1 ? error * error / 2 : size - 0.5
                let slope = max(-1, min(error, 1))
                owed += slope * ratio
                taught[a * N + b] = slope
            }
        }
        owed /= pairs
        let share = Float(N) / (Float(count) * pairs * mean)
        for a in 0..<N {
            for b in 0..<a where own[a * N + b] > 0 {
                // d(distance) / d(state) is the unit vector between the two.
                let push = share * (taught[a * N + b] - owed) / own[a * N + b]
                for j in 0..<H {
                    let along = push * (states[a * H + j] - states[b * H + j])
                    gradient[j * B + windows.lowerBound + a] += along
                    gradient[j * B + windows.lowerBound + b] -= along
                }
            }
        }
        return Double(loss / pairs) * Double(N)
    }

    /// - Parameter states: `[count, width]`
    /// - Returns: the mean over pairs; `distances[a · count + b]` for `b < a`.
    private static func distances(
        _ states: [Float], count: Int, width: Int, into distances: inout [Float]
    ) -> Float {
        var sum: Float = 0
        for a in 0..<count {
            for b in 0..<a {
                var squares: Float = 0
                for j in 0..<width {
                    let difference = states[a * width + j] - states[b * width + j]
                    squares += difference * difference
                }
                let distance = squares.squareRoot()
                distances[a * count + b] = distance
                sum += distance
            }
        }
        return sum / Float(count * (count - 1) / 2)
    }
}
