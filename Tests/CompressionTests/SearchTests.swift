import Compression
import Forecasting
import Foundation
import Testing

@Suite("A search") struct SearchTests {
    /// A made-up world: bigger networks are better down to a floor, and calendar ones are bigger.
    static func figures(_ recipe: String, rung: Int) throws -> SearchFigures {
        let parsed = try Recipe(parsing: recipe)
        let network = try #require(parsed.architecture)
        let wide = network.form == .profile ? 1 : 4
        let small = parsed.steps.contains { $0.text.hasPrefix("qat int4") } ? 2 : 1
        let blocks = network.cell.kernelBlocks
        let bytes = 200 + blocks * network.units * (network.units + 2 * wide) / small
        let error =
            12 + 4 / Double(network.units) / Double(blocks) + (small == 2 ? 0.2 : 0)
            + (network.form == .plain ? 2 : 0) + 0.5 / Double(rung + 1)
        return SearchFigures(
            parameters: bytes, nonZeros: bytes, fileBytes: bytes, payloadBytes: bytes - 150,
            arenaBytes: 3 * bytes, nanoseconds: 20 * bytes, validationError: error)
    }

    static func run(
        _ state: inout SearchState, trials: Int, space: SearchSpace = SearchSpace()
    ) throws {
        for _ in 0..<trials {
            guard let next = state.next(in: space) else { return }
            state.record(try figures(next.recipe, rung: next.rung), for: next)
        }
    }

    @Test("finds the best that keeps every limit, and keeps a front that nothing beats")
    func best() throws {
        var state = SearchState(limits: ModelLimits(fileBytesMax: 400), seed: 1)
        try Self.run(&state, trials: 400)
        guard case .best(let trial)? = state.choice else {
            Issue.record("no choice: \(String(describing: state.choice))")
            return
        }
        let chosen = try #require(state.trials[trial].figures.last)
        #expect(chosen.fileBytes <= 400)
        // By going through all of the space: the best there is.
        let space = SearchSpace()
        var least = Double.infinity
        for form in space.forms {
            for cell in space.cells {
                for units in space.units {
                    for tail in space.tails {
                        let recipe = "\(cell.name)\(units) form=\(form.name) window=14 | \(tail)"
                        let figures = try Self.figures(recipe, rung: 2)
                        if figures.fileBytes <= 400 { least = min(least, figures.validationError) }
                    }
                }
            }
        }
        #expect(chosen.validationError <= least + 0.05, "\(chosen.validationError) of \(least)")
        let front = state.front.compactMap { state.trials[$0].figures.last }
        for one in front { #expect(!front.contains { $0.dominates(one) }) }
        #expect(front.count >= 4)
        let first = state.trials.count { $0.figures.count >= 1 }
        let last = state.trials.count { $0.figures.count == SearchState.epochShares.count }
        #expect(last * 4 < first, "most trials must end early: \(last) of \(first)")
    }

    @Test("stopped at any point and read back goes on as it would have")
    func resumed() throws {
        var whole = SearchState(limits: ModelLimits(arenaBytesMax: 2_000), seed: 7)
        try Self.run(&whole, trials: 90)
        var parts = SearchState(limits: ModelLimits(arenaBytesMax: 2_000), seed: 7)
        for count in [1, 30, 59] {
            try Self.run(&parts, trials: count)
            // What was asked for and never answered is asked for again.
            _ = parts.next(in: SearchSpace())
            parts = try JSONDecoder().decode(
                SearchState.self, from: try JSONEncoder().encode(parts))
        }
        _ = whole.next(in: SearchSpace())
        #expect(parts == whole)
    }

    @Test("of impossible limits names the nearest point and what stands in the way")
    func impossible() throws {
        var state = SearchState(
            limits: ModelLimits(fileBytesMax: 150, errorMax: 15), seed: 1)
        try Self.run(&state, trials: 120)
        guard case .nearest(let trial, let broken)? = state.choice else {
            Issue.record("a limit was broken: \(String(describing: state.choice))")
            return
        }
        #expect(broken == [.file])
        let nearest = try #require(state.trials[trial].figures.last)
        #expect(nearest.fileBytes < 260)
    }

    @Test("goes round what cannot be followed, and ends when all is tried")
    func failures() throws {
        let space = SearchSpace(
            forms: [.profile], cells: [.lstm], units: [1, 2], windows: [14],
            tails: ["int8", "lowrank 2 | int8"])
        var state = SearchState(limits: ModelLimits(), seed: 3)
        for _ in 0..<40 {
            guard let next = state.next(in: space) else { break }
            if next.recipe.contains("lowrank") {
                state.recordFailure("the rank is too high", for: next)
            } else {
                state.record(try Self.figures(next.recipe, rung: next.rung), for: next)
            }
        }
        #expect(state.next(in: space) == nil)
        #expect(state.trials.count == 4)
        #expect(state.trials.count { $0.failure != nil } == 2)
    }

    @Test("draws a plot that names every point and escapes what it is given")
    func plot() {
        let plot = FrontierPlot(
            title: "a <b> & c", bytesLabel: "bytes", errorLabel: "MAPE, %", groups: ["one", "two"],
            points: [
                .init(name: "lstm64", bytes: 67_844, error: 14.6, spread: 0.1, isOnFront: true),
                .init(name: "lstm16", bytes: 4_676, error: 15.1, group: 1, isOnFront: true),
                .init(name: "x\"y", bytes: 4_676, error: 15.1, group: 1),
                .init(name: "nothing", bytes: 0, error: .nan),
            ])
        let svg = plot.svg
        #expect(svg.contains("a &lt;b&gt; &amp; c") && svg.contains("x&quot;y"))
        #expect(svg.contains(">lstm64</text>") && !svg.contains("nothing"))
        #expect(svg.components(separatedBy: "<circle").count == 1 + 3 + 2)
        #expect(svg.components(separatedBy: "<polyline").count == 2)
        #expect(
            FrontierPlot(
                title: "t", bytesLabel: "", errorLabel: "", groups: [], points: []
            ).svg.contains("Nothing was measured"))
    }
}
