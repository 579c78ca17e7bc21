import Training

/// Weight sharing: every weight of a kernel is one of a few values (Han, Mao, Dally, "Deep Compression", 2016).
///
/// The values are found by k-means over the weights (Lloyd 1982). On a line that needs no distances: with the weights
/// sorted, a cluster is an interval between two midpoints.
package struct Codebook: Equatable, Sendable {
    package static let entriesRange = 2...256
    private static let roundsMax = 300

    /// Which weights share one codebook.
    package enum Sharing: String, CaseIterable, Sendable {
        /// Those of one block of one kernel.
        case gate
        /// Those of one kernel: all gates have the same values.
        case tensor
        /// Those of both kernels.
        case network
    }

    /// Where the search begins.
    package enum Start: Equatable, Sendable {
        /// Evenly between the smallest and the largest weight, which Deep Compression found best: the few large weights
        /// keep values of their own.
        case linear
        /// Far from each other, by chance (k-means++, Arthur and Vassilvitskii 2007).
        case plusPlus(seed: UInt64)
    }

    /// Rising; without the zero that pruned weights keep.
    package let values: [Float]

    /// The values of least square error near the start.
    /// - Parameters:
    ///   - weights: finite.
    ///   - entries: at most so many values; fewer when the weights have fewer.
    package init(_ weights: [Float], entries: Int, start: Start = .linear) {
        precondition(entries >= 1)
        let sorted = weights.sorted().map(Double.init)
        let distinct = Self.distinct(weights.sorted())
        guard distinct.count > entries else {
            values = distinct
            return
        }
        var sums = [0.0]
        for weight in sorted { sums.append(sums[sums.count - 1] + weight) }
        var centres = Self.start(start, sorted, entries: entries)
        for _ in 0..<Self.roundsMax {
            let ends = Self.ends(centres, sorted)
            var moved = centres
            for k in centres.indices {
                let low = k == 0 ? 0 : ends[k - 1]
                if ends[k] > low { moved[k] = (sums[ends[k]] - sums[low]) / Double(ends[k] - low) }
            }
            moved = Self.reseeded(moved, ends: ends, sorted)
            if moved == centres { break }
            centres = moved
        }
        values = Self.distinct(centres.map { Float($0) })
    }

    /// The index of the nearest value; of two equally near the smaller.
    package func index(of weight: Float) -> Int {
        var (low, high) = (0, values.count - 1)
        while low < high {
            let middle = (low + high) / 2
            let border = (Double(values[middle]) + Double(values[middle + 1])) / 2
            if Double(weight) <= border { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private static func start(_ start: Start, _ sorted: [Double], entries: Int) -> [Double] {
        let (low, high) = (sorted[0], sorted[sorted.count - 1])
        switch start {
        case .linear:
            return (0..<entries).map {
                low + (high - low) * Double($0) / Double(max(entries - 1, 1))
            }
        case .plusPlus(let seed):
            var random = SeededRandom(seed: seed)
            var centres = [sorted[random.below(sorted.count)]]
            var distances = sorted.map { ($0 - centres[0]) * ($0 - centres[0]) }
            for _ in 1..<entries {
                var rest = Double(random.unit()) * distances.reduce(0, +)
                let chosen = distances.firstIndex { distance in
                    rest -= distance
                    return rest < 0
                }
                // Rounding may leave a little of the rest: then it is the farthest.
                let centre = sorted[
                    chosen ?? distances.indices.max { distances[$0] < distances[$1] }!]
                centres.append(centre)
                for k in sorted.indices {
                    distances[k] = min(distances[k], (sorted[k] - centre) * (sorted[k] - centre))
                }
            }
            return centres.sorted()
        }
    }

    /// For each centre, how many of the sorted weights are its own or those of a smaller one.
    private static func ends(_ centres: [Double], _ sorted: [Double]) -> [Int] {
        var ends: [Int] = []
        var next = 0
        for k in centres.indices {
            let border = k + 1 < centres.count ? (centres[k] + centres[k + 1]) / 2 : .infinity
            while next < sorted.count, sorted[next] <= border { next += 1 }
            ends.append(next)
        }
        return ends
    }

    /// A centre that lost all its weights goes where it is needed most: to the weight farthest from its own centre.
    private static func reseeded(
        _ centres: [Double], ends: [Int], _ sorted: [Double]
    ) -> [Double] {
        guard let empty = centres.indices.first(where: { ends[$0] == ($0 == 0 ? 0 : ends[$0 - 1]) })
        else { return centres }
        var (farthest, distance, k) = (sorted[0], -1.0, 0)
        for (index, weight) in sorted.enumerated() {
            while ends[k] <= index { k += 1 }
            if abs(weight - centres[k]) > distance {
                (farthest, distance) = (weight, abs(weight - centres[k]))
            }
        }
        var centres = centres
        centres[empty] = farthest
        return centres.sorted()
    }

    private static func distinct(_ sorted: [Float]) -> [Float] {
        var distinct: [Float] = []
        for value in sorted where value != distinct.last { distinct.append(value) }
        return distinct
    }
}
