import Forecasting
import TestSupport
import Testing

@Suite("Which of two models forecasts worse")
struct PairedErrorsTests {
    /// By Simpson's rule over the density, 200,000 steps.
    static let tails: [(t: Double, degrees: Int, probability: Double)] = [
        (0, 2, 0.5), (1, 2, 0.211_324_865_4), (6.9646, 2, 0.009_999_879_5),
        (2.5, 4, 0.033_383_272_4), (3.7469, 4, 0.010_000_411_4), (2.0, 8, 0.040_258_119_0),
        (4.5, 8, 0.001_001_046_1), (2.4049, 48, 0.010_041_019_1), (3.2, 48, 0.001_218_562_6),
        (1.0, 200, 0.159_259_424_0), (3.0, 400, 0.001_434_354_5),
    ]

    @Test(
        "The tail is Student's; with an odd number of degrees of freedom it errs towards not blaming"
    )
    func tail() {
        for row in Self.tails {
            let value = PairedErrors.upperTail(row.t, degreesOfFreedom: row.degrees)
            #expect(abs(value - row.probability) < 1e-9, "\(row): \(value)")
            let odd = PairedErrors.upperTail(row.t, degreesOfFreedom: row.degrees + 1)
            #expect(odd == value || row.degrees == 400)
        }
        #expect(PairedErrors.upperTail(1e12, degreesOfFreedom: 2) >= 0)
        let many = PairedErrors.upperTail(3, degreesOfFreedom: 100_000)
        #expect(many == PairedErrors.upperTail(3, degreesOfFreedom: 400))
    }

    /// A trial of two models whose errors about 10 units sold are normal with these deviations.
    static func trial(
        items: Int, days: Int, active: Double, candidate: Double, random: inout SeededGenerator
    ) -> PairedErrors {
        func noise() -> Double {
            (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
        }
        var errors = PairedErrors()
        for _ in 0..<items {
            let common = noise()
            for _ in 0..<days {
                let actual = 10 + 2 * noise() + common
                errors.add(
                    actual: Float(actual), active: Float(actual + active * noise()),
                    candidate: Float(actual + candidate * noise()))
            }
            errors.endItem()
        }
        return errors
    }

    @Test(
        "Of models that are equally good hardly one is blamed, however many items and days",
        arguments: [(3, 7), (8, 7), (50, 1), (50, 7)])
    func falseAlarms(items: Int, days: Int) {
        var random = SeededGenerator(seed: 11)
        let blamed = (0..<1000).count { _ in
            let errors = Self.trial(
                items: items, days: days, active: 3, candidate: 3, random: &random)
            if case .worse = errors.verdict() { return true }
            return false
        }
        // Binomial(1000, 0.01) is above 22 in one of 5,000 runs.
        #expect(blamed <= 22, "\(blamed) of 1000")
    }

    @Test(
        "A model half as good again is found out within a week, one twice as bad on its first day")
    func power() {
        var random = SeededGenerator(seed: 12)
        let week = (0..<200).count { _ in
            let errors = Self.trial(items: 50, days: 7, active: 3, candidate: 4.5, random: &random)
            if case .worse = errors.verdict(looks: 7) { return true }
            return false
        }
        #expect(week == 200)
        let day = (0..<200).count { _ in
            let errors = Self.trial(items: 50, days: 1, active: 3, candidate: 6, random: &random)
            if case .worse = errors.verdict(looks: 7) { return true }
            return false
        }
        #expect(day >= 150, "\(day) of 200")
    }

    @Test("What is certain but small is not blamed")
    func small() {
        var errors = PairedErrors()
        for item in 0..<50 {
            errors.add(actual: 100, active: 90, candidate: 90 - 0.1 - Float(item % 3) / 1000)
            errors.endItem()
        }
        #expect(errors.verdict() == .notWorse)
        guard case .worse(let probability) = errors.verdict(.init(leastWorsening: 0.005)) else {
            Issue.record("1 % worse, certainly")
            return
        }
        #expect(probability < 1e-6)
    }

    @Test("Few pairs say nothing; the same difference everywhere is as certain as it gets")
    func edges() {
        var errors = PairedErrors()
        #expect(errors.verdict() == .tooFew)
        #expect(errors.activeWAPE == nil)
        errors.add(actual: 10, active: 10, candidate: 20)
        errors.add(actual: 10, active: 10, candidate: 20)
        errors.endItem()
        #expect(errors.verdict() == .tooFew)
        errors.add(actual: 10, active: 10, candidate: 20)
        #expect(errors.verdict() == .worse(probability: 0))
        #expect(errors.itemCount == 2 && errors.pairCount == 3)
        #expect(errors.candidateWAPE == 100 && errors.activeWAPE == 0)
        errors.add(actual: 10, active: .nan, candidate: 20)
        #expect(errors.pairCount == 3)
        // The better of two is never blamed.
        var better = PairedErrors()
        for _ in 0..<10 {
            better.add(actual: 10, active: 20, candidate: 10)
            better.endItem()
        }
        #expect(better.verdict() == .notWorse)
    }

    @Test("An item's days are one observation: the same days again add no certainty")
    func clusters() {
        var random = SeededGenerator(seed: 13)
        let once = (0..<20).map { _ in Float.random(in: -4...5, using: &random) }
        func verdict(days: Int) -> PairedErrors.Verdict {
            var errors = PairedErrors()
            for difference in once {
                for _ in 0..<days { errors.add(actual: 10, active: 15, candidate: 15 + difference) }
                errors.endItem()
            }
            return errors.verdict(.init(level: 0.999))
        }
        #expect(verdict(days: 1) == verdict(days: 9))
    }
}
