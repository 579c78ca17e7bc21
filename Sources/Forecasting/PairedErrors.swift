/// Whether one model forecasts worse than another, judged by both their errors on the same days and sales.
///
/// A pair is one item on one day: d = |candidate − actual| − |active − actual|. An item's days are correlated, so its mean
/// d is one observation; a store with few items is judged by its pairs instead. The test is Student's paired one-sided t-test
/// (1908, "The Probable Error of a Mean"), its level divided by how often one looks (Bonferroni), and a difference that
/// is certain but small counts for nothing: the candidate's Σ|error| must also be `leastWorsening` above the active one's.
///
/// Pairs are added item by item. Only + − × ÷ and square roots: device and hub come to the same verdict.
package struct PairedErrors: Equatable, Sendable {
    /// What the judge goes by.
    package struct Criterion: Equatable, Hashable, Sendable {
        /// Of a wrong verdict in a whole trial of a candidate that is no worse, 0 < level < 1.
        package var level: Double
        /// Of the active package's error: 0.02 is 2 %.
        package var leastWorsening: Double

        package init(level: Double = 0.01, leastWorsening: Double = 0.02) {
            self.level = level
            self.leastWorsening = leastWorsening
        }
    }

    package enum Verdict: Equatable, Sendable {
        /// Fewer than `observationsMin` observations: nothing can be said.
        case tooFew
        case notWorse
        /// - Parameter probability: of such a difference between models that are equally good.
        case worse(probability: Double)
    }

    /// From so many items on, items are the observations; below, pairs.
    package static let itemsMin = 8
    package static let observationsMin = 3

    /// Mean and spread of a row of numbers, in one pass (Welford 1962).
    private struct Moments: Equatable, Sendable {
        var count = 0
        var mean = 0.0
        var squares = 0.0

        mutating func add(_ value: Double) {
            count += 1
            let delta = value - mean
            mean += delta / Double(count)
            squares += delta * (value - mean)
        }
    }

    private var pairs = Moments()
    private var items = Moments()
    private var item = Moments()
    /// Σ|error| of the active package and of the candidate, and Σ actual, in units.
    package private(set) var activeErrorSum = 0.0
    package private(set) var candidateErrorSum = 0.0
    package private(set) var actualSum = 0.0

    package init() {}

    package var pairCount: Int { pairs.count }
    package var itemCount: Int { items.count + (item.count > 0 ? 1 : 0) }

    /// Σ|error| ÷ Σ actual in percent; nil where nothing was sold.
    package var activeWAPE: Double? { actualSum > 0 ? 100 * activeErrorSum / actualSum : nil }
    package var candidateWAPE: Double? { actualSum > 0 ? 100 * candidateErrorSum / actualSum : nil }

    /// Of the item whose pairs are being added. What is not finite is left out: it judges nothing.
    package mutating func add(actual: Float, active: Float, candidate: Float) {
        guard actual.isFinite, active.isFinite, candidate.isFinite else { return }
        let activeError = Double((active - actual).magnitude)
        let candidateError = Double((candidate - actual).magnitude)
        activeErrorSum += activeError
        candidateErrorSum += candidateError
        actualSum += Double(actual)
        pairs.add(candidateError - activeError)
        item.add(candidateError - activeError)
    }

    /// The item's pairs are complete; the next belong to another.
    package mutating func endItem() {
        guard item.count > 0 else { return }
        items.add(item.mean)
        item = Moments()
    }

    /// - Parameter looks: how often the same trial is judged in all, from 1 up.
    package func verdict(_ criterion: Criterion = Criterion(), looks: Int = 1) -> Verdict {
        var whole = self
        whole.endItem()
        let observed = whole.items.count >= Self.itemsMin ? whole.items : whole.pairs
        guard observed.count >= Self.observationsMin else { return .tooFew }
        guard observed.mean > 0,
            candidateErrorSum > activeErrorSum * (1 + criterion.leastWorsening)
        else { return .notWorse }
        let probability = Self.probability(ofMean: observed)
        let level = criterion.level / Double(max(1, looks))
        return probability < level ? .worse(probability: probability) : .notWorse
    }

    /// P(T ≥ t) of Student's distribution with count − 1 degrees of freedom.
    private static func probability(ofMean moments: Moments) -> Double {
        // The same difference everywhere, to the last bit: as certain as it gets.
        guard moments.squares > 0 else { return 0 }
        let n = Double(moments.count)
        let variance = moments.squares / (n - 1)
        return upperTail(
            moments.mean / (variance / n).squareRoot(), degreesOfFreedom: moments.count - 1)
    }

    /// P(T ≥ t) for t ≥ 0 by the finite series for an even number of degrees of freedom (Abramowitz, Stegun 1964, 26.7.4), which needs no
    /// function but the square root. An odd number is taken one lower and more than 400 as 400: both err towards not blaming.
    /// - Parameter degreesOfFreedom: at least 2.
    package static func upperTail(_ t: Double, degreesOfFreedom: Int) -> Double {
        precondition(t >= 0 && degreesOfFreedom >= 2)
        let degrees = min(degreesOfFreedom, 400) / 2 * 2
        let square = t * t
        let cosineSquared = Double(degrees) / (Double(degrees) + square)
        let sine = (square / (Double(degrees) + square)).squareRoot()
        var term = 1.0
        var sum = 1.0
        var k = 2
        while k < degrees {
            term *= cosineSquared * Double(k - 1) / Double(k)
            sum += term
            k += 2
        }
        return max(0, (1 - sine * sum) / 2)
    }
}
