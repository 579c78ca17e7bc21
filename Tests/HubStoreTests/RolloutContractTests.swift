import Forecasting
import HubCore
import HubStore
import Testing

@Suite("Contract: families, packages and rollouts")
struct RolloutContractTests {
    @Test("A family is kept whole, once, under its name", arguments: StoreUnderTest.allCases)
    func families(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await store.saveFamily(Sample.family("f"))
            #expect(try await store.family("f") == Sample.family("f"))
            #expect(try await store.family("g") == nil)
            await #expect(throws: HubStoreError.alreadyExists(what: "family f")) {
                try await store.saveFamily(Sample.family("f"))
            }
            var later = Sample.family("g")
            later.createdAt = Sample.now.advanced(bySeconds: 1)
            try await store.saveFamily(later)
            let listed = try await store.families()
            #expect(listed.map(\.name) == ["g", "f"])
            #expect(listed.allSatisfy { $0.trained.isEmpty })
        }
    }

    @Test("A family is replaced whole, and only as it was read", arguments: StoreUnderTest.allCases)
    func replacedFamily(under test: StoreUnderTest) async throws {
        try await test.run { store in
            let family = Sample.family("f")
            await #expect(throws: HubStoreError.notFound(what: "family f")) {
                try await store.replaceFamily(family, ifStill: family.trained)
            }
            try await store.saveFamily(family)
            var grown = family
            grown.trained.append(1)
            grown.summary = "{\"variants\":2}"
            try await store.replaceFamily(grown, ifStill: family.trained)
            #expect(try await store.family("f") == grown)
            await #expect(throws: HubStoreError.changedMeanwhile(what: "family f")) {
                try await store.replaceFamily(family, ifStill: family.trained)
            }
            #expect(try await store.family("f") == grown)
        }
    }

    @Test(
        "Release numbers only grow, even when asked for at once", arguments: StoreUnderTest.allCases
    )
    func releases(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let taken = try await withThrowingTaskGroup(of: UInt64.self) { group in
                for _ in 0..<10 { group.addTask { try await store.takeRelease() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(taken.sorted() == Array(1...10))
            #expect(try await store.takeRelease() == 11)
        }
    }

    @Test(
        "Packages are kept all or none, and a known digest stays as it is",
        arguments: StoreUnderTest.allCases)
    func packages(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await store.saveFamily(Sample.family("f"))
            let packages = [
                try Sample.package("big", family: "f", release: 1, seed: 1),
                try Sample.package("big", family: "f", store: "2", release: 1, seed: 2),
                try Sample.package("big", family: "f", store: "10", release: 1, seed: 3),
            ]
            await #expect(throws: HubStoreError.self) {
                let stranger = try Sample.package("x", family: "nobody", release: 1, seed: 4)
                try await store.savePackages(packages + [stranger])
            }
            #expect(try await store.packages(family: nil).isEmpty)
            try await store.savePackages(packages.reversed())
            #expect(try await store.packages(family: "f") == packages)
            #expect(try await store.packages(family: "g").isEmpty)
            #expect(try await store.package(digest: packages[1].digest) == packages[1])
            #expect(try await store.package(digest: [UInt8](repeating: 0, count: 32)) == nil)
            var again = packages[0]
            again.variant = "other"
            try await store.savePackages([again])
            #expect(try await store.package(digest: again.digest)?.variant == "big")
        }
    }

    @Test(
        "A rollout needs packages; the newest is listed first", arguments: StoreUnderTest.allCases)
    func rollouts(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let rollout = RolloutRecord(
                family: "f", selector: try Selector("store=1,2 kind=scanner"),
                createdAt: Sample.now)
            await #expect(throws: HubStoreError.notFound(what: "package of family f")) {
                _ = try await store.push(rollout, plan: [])
            }
            try await store.saveFamily(Sample.family("f"))
            try await store.savePackages([
                try Sample.package("v", family: "f", release: 1, seed: 1)
            ])
            let first = try await store.push(rollout, plan: [])
            var careful = RolloutRecord(
                family: "f", release: 1, selector: .all, nanosecondsMax: 50_000,
                policy: RolloutPolicy(), waveSizes: [1, 2], createdAt: Sample.now)
            let second = try await store.push(careful, plan: [])
            #expect(first.rollout.id == 1 && first.isNew)
            #expect(second.rollout.id == 2 && second.isNew)
            #expect(try await store.rollouts() == [second.rollout, first.rollout])
            // The same again changes nothing, whenever it is said.
            careful.createdAt = Sample.now.advanced(bySeconds: 9)
            let again = try await store.push(careful, plan: [[try DeviceID("x")]])
            #expect(again.rollout == second.rollout && !again.isNew)
            #expect(try await store.rollouts().count == 2)
            _ = try await store.change(
                rollout: 2, by: .abort(why: "bad"), ifStill: 0, at: Sample.now)
            #expect(try await store.push(careful, plan: []).isNew)
        }
    }

    @Test(
        "An assignment keeps its outcome while it stays the same, and loses it when it changes",
        arguments: StoreUnderTest.allCases)
    func assignments(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            try await store.saveFamily(Sample.family("f"))
            let packages = [
                try Sample.package("v", family: "f", release: 1, seed: 1),
                try Sample.package("w", family: "f", release: 1, seed: 2),
            ]
            try await store.savePackages(packages)
            let rollout = try await store.push(
                RolloutRecord(family: "f", selector: .all, createdAt: Sample.now), plan: []
            ).rollout
            func assign(_ digest: [UInt8]?, _ reason: String) async throws {
                let isKept = try await store.assign(
                    AssignmentRecord(
                        device: id, rollout: rollout.id, digest: digest, reason: reason,
                        decidedAt: Sample.now), ifStill: rollout, wave: 0)
                #expect(isKept)
            }
            #expect(try await store.assignment(of: id) == nil)
            try await assign(nil, "no package fits")
            #expect(try await store.assignment(of: id)?.digest == nil)
            try await assign(packages[0].digest, "fits")
            let running = RunningPackage(digest: packages[0].digest, release: 1, arenaBytes: 500)
            try await store.reportOutcome(
                .active, digest: packages[0].digest, reason: "proved", running: running,
                device: id, at: Sample.now)
            try await assign(packages[0].digest, "fits still")
            var assignment = try #require(try await store.assignment(of: id))
            #expect(assignment.reason == "fits still" && assignment.outcome == .active)
            #expect(assignment.outcomeReason == "proved" && assignment.outcomeAt == Sample.now)
            #expect(try await store.device(id)?.running == running)
            try await assign(packages[1].digest, "better")
            assignment = try #require(try await store.assignment(of: id))
            #expect(assignment.outcome == nil && assignment.digest == packages[1].digest)
            // A late word about the package before is no word about this one.
            try await store.reportOutcome(
                .rolledBack, digest: packages[0].digest, reason: "late", running: running,
                device: id, at: Sample.now)
            #expect(try await store.assignment(of: id)?.outcome == nil)
            #expect(try await store.assignments(rollout: rollout.id).count == 1)
            #expect(try await store.assignments(rollout: 99).isEmpty)
            #expect(
                try await store.events(of: id, countMax: 10).map(\.kind)
                    == ["rolledBack", "assigned", "active", "assigned", "no-fit", "joined"])
        }
    }
}
