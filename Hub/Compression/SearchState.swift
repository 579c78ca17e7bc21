import Forecasting

/// One recipe of a search and what it reached, rung by rung.
package struct Trial: Equatable, Codable, Sendable {
    package var recipe: String
    /// By rung, lowest first.
    package var figures: [SearchFigures]
    /// Why it cannot be followed on this data; then it is not tried again.
    package var failure: String?
}

/// A search as it stands: everything that decides what comes next, so that it can stop at any trial and go on.
///
/// Asynchronous successive halving (Li et al. 2020): a trial starts with few epochs, and the best third of a rung goes on
/// to the next with more. New trials are one step away from the best ones found (regularised evolution, Real et al.
/// 2019). Selection is by the validation error alone.
package struct SearchState: Equatable, Codable, Sendable {
    package static let trialsMax = 5_000
    /// Share of the usual epochs, by rung.
    package static let epochShares = [0.25, 0.5, 1.0]
    private static let keptShare = 3

    package var limits: ModelLimits
    package var seed: UInt64
    package private(set) var trials: [Trial] = []

    package init(limits: ModelLimits, seed: UInt64) {
        self.limits = limits
        self.seed = seed
    }

    package struct Next: Equatable, Sendable {
        /// An index of `trials`.
        package var trial: Int
        package var rung: Int
        package var recipe: String
    }

    /// What to do next; nil when the space is exhausted or `trialsMax` reached.
    package mutating func next(in space: SearchSpace) -> Next? {
        for rung in Self.epochShares.indices.dropLast().reversed() {
            if let index = promotable(from: rung) {
                return Next(trial: index, rung: rung + 1, recipe: trials[index].recipe)
            }
        }
        if let waiting = trials.firstIndex(where: { $0.figures.isEmpty && $0.failure == nil }) {
            return Next(trial: waiting, rung: 0, recipe: trials[waiting].recipe)
        }
        guard trials.count < Self.trialsMax, let candidate = newCandidate(in: space) else {
            return nil
        }
        trials.append(Trial(recipe: candidate.recipe, figures: [], failure: nil))
        return Next(trial: trials.count - 1, rung: 0, recipe: candidate.recipe)
    }

    package mutating func record(_ figures: SearchFigures, for next: Next) {
        precondition(trials[next.trial].figures.count == next.rung)
        trials[next.trial].figures.append(figures)
    }

    package mutating func recordFailure(_ reason: String, for next: Next) {
        trials[next.trial].failure = reason
    }

    /// Of the best third at `rung`, the best that has not gone on.
    private func promotable(from rung: Int) -> Int? {
        let here = ranked(atLeast: rung)
        return here.prefix(here.count / Self.keptShare).first {
            trials[$0].figures.count == rung + 1
        }
    }

    /// Trials that reached `rung`, best first by what they had there: within the limits, then by how many others
    /// beat them in everything, then by error.
    private func ranked(atLeast rung: Int) -> [Int] {
        let reached = trials.indices.filter {
            trials[$0].figures.count > rung && trials[$0].failure == nil
        }
        let keys = reached.map { index -> (excess: Double, beaten: Int, error: Double) in
            let figures = trials[index].figures[rung]
            let excess = limits.excesses(figures).reduce(0) { $0 + $1.share }
            let beaten = reached.count { trials[$0].figures[rung].dominates(figures) }
            return (excess, beaten, figures.validationError)
        }
        return reached.indices.sorted { keys[$0] < keys[$1] }.map { reached[$0] }
    }

    private func newCandidate(in space: SearchSpace) -> SearchSpace.Candidate? {
        let known = Set(trials.map(\.recipe))
        if let seed = space.seeds.first(where: { !known.contains($0.recipe) }) { return seed }
        let parents = ranked(atLeast: 0).prefix(8)
        let candidates = parents.compactMap { space.candidate(of: trials[$0].recipe) }
        for attempt in 0..<64 {
            let number = seed ^ UInt64(trials.count) << 20 ^ UInt64(attempt)
            let child =
                candidates.isEmpty || attempt >= 48
                ? space.random(number: number)
                : space.mutated(candidates[attempt % candidates.count], number: number)
            if !known.contains(child.recipe) { return child }
        }
        return nil
    }

    /// Trials of the highest rung that no other of them beats in file, arena and error, smallest file first.
    package var front: [Int] {
        let last = Self.epochShares.count - 1
        let done = trials.indices.filter { trials[$0].figures.count > last }
        return done.filter { index in
            !done.contains { trials[$0].figures[last].dominates(trials[index].figures[last]) }
        }.sorted { trials[$0].figures[last].fileBytes < trials[$1].figures[last].fileBytes }
    }

    /// Why a trial is the one to take.
    package enum Choice: Equatable, Sendable {
        /// Least validation error of all that keep every limit.
        case best(trial: Int)
        /// None keeps every limit: the trial nearest to doing so, and the limits that stand in the way.
        case nearest(trial: Int, broken: [ModelLimits.Limit])
    }

    /// Nil while no trial has reached the last rung.
    package var choice: Choice? {
        let last = Self.epochShares.count - 1
        let done = trials.indices.filter { trials[$0].figures.count > last }
        func figures(_ index: Int) -> SearchFigures { trials[index].figures[last] }
        let fitting = done.filter { limits.excesses(figures($0)).isEmpty }
        if let best = fitting.min(by: {
            (figures($0).validationError, figures($0).fileBytes)
                < (figures($1).validationError, figures($1).fileBytes)
        }) {
            return .best(trial: best)
        }
        func excess(_ index: Int) -> Double {
            limits.excesses(figures(index)).reduce(0) { $0 + $1.share }
        }
        return done.min { excess($0) < excess($1) }.map { index in
            .nearest(trial: index, broken: limits.excesses(figures(index)).map(\.limit))
        }
    }
}

extension SearchSpace {
    /// The candidate a recipe of this space was made from.
    func candidate(of recipe: String) -> Candidate? {
        for form in forms {
            for cell in cells {
                for size in units {
                    for window in windows {
                        let head = "\(cell.name)\(size) form=\(form.name) window=\(window) | "
                        guard recipe.hasPrefix(head) else { continue }
                        return Candidate(
                            form: form, cell: cell, units: size, window: window,
                            tail: String(recipe.dropFirst(head.count)))
                    }
                }
            }
        }
        return nil
    }
}
