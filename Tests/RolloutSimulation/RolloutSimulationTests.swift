import Foundation
import SimulatedFleet
import Testing

@Suite("A simulated fleet")
struct RolloutSimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let devices =
        environment["SHELFCAST_FLEET_DEVICES"].flatMap { Int($0) } ?? 2_000

    /// `SHELFCAST_FLEET_SEED=7`, or `1-1000`; else a few, and with SHELFCAST_FULL_SCALE=1 a thousand.
    private static var seeds: ClosedRange<UInt64> {
        if let text = environment["SHELFCAST_FLEET_SEED"] {
            let ends = text.split(separator: "-").compactMap { UInt64($0) }
            if let first = ends.first, let last = ends.last, first <= last { return first...last }
        }
        return environment["SHELFCAST_FULL_SCALE"] == nil ? 1...4 : 1...1_000
    }

    @Test("comes through rollouts with everything that goes wrong, in every seed")
    func seeds() throws {
        var natures: [String: Int] = [:]
        var failures = 0
        for seed in Self.seeds where failures < 3 {
            do throws(FleetViolation) {
                let scenario = FleetScenario(seed: seed, devices: Self.devices)
                let outcome = try FleetSimulation(scenario).run()
                natures[outcome.nature, default: 0] += 1
                #expect(outcome.devices >= Self.devices && outcome.powerCuts > 0)
            } catch {
                failures += 1
                Issue.record("seed \(seed): \(error)")
            }
        }
        for (nature, count) in natures.sorted(by: { $0.key < $1.key }) where Self.seeds.count > 10 {
            print("\(count) seeds with a model that is \(nature)")
        }
    }

    @Test("is the same again from the same seed")
    func repeatable() throws {
        let scenario = FleetScenario(seed: 5, devices: 200)
        let first = try FleetSimulation(scenario).run()
        let second = try FleetSimulation(scenario).run()
        #expect(first == second)
    }

    @Test("finds what is broken on purpose", arguments: FleetMutation.allCases)
    func mutation(mutation: FleetMutation) {
        var found: FleetViolation?
        for seed in 1...20 where found == nil {
            let scenario = FleetScenario(seed: UInt64(seed), devices: 300, mutation: mutation)
            do throws(FleetViolation) { _ = try FleetSimulation(scenario).run() } catch {
                found = error
            }
        }
        #expect(
            found?.description.contains(mutation.finding) == true, "\(mutation): \(found as Any)")
    }
}
