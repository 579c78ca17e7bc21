import Forecasting
import HubCore
import Testing

private let start = Timestamp(millisecondsSince1970: 1_700_000_000_000)

/// A device of store 1, rollout 1 (complete) of family `old`, which it runs, and rollout 2 of family `new` in two waves.
private struct Scene {
    var device: DeviceRecord
    var facts = Admission.Facts()
    var rollouts: [RolloutRecord]
    var packages: [PackageRecord]

    static func package(_ family: String, release: UInt64, arena: Int = 500) -> PackageRecord {
        PackageRecord(
            digest: digest(family, release), family: family, variant: "v", store: nil,
            release: release, packageBytes: 900, arenaBytes: arena, parameterCount: 9,
            requiredFeatures: [], wape: 12, mape: 12, bias: 0, floatWAPE: 12, floatMAPE: 12,
            createdAt: start)
    }

    static func digest(_ family: String, _ release: UInt64) -> [UInt8] {
        (Array(family.utf8) + [UInt8](repeating: UInt8(release), count: 32)).suffix(32)
    }

    /// - Parameter runs: the family it runs; nil: none.
    init(runs: String? = "old", wave: Int? = 0, state: MemberState = .waiting) throws {
        device = DeviceRecord(
            id: try DeviceID("d"), store: try StoreID("1"), status: .approved, labels: [], token: 1,
            joinedAt: start)
        var capabilities = DeviceCapabilities()
        capabilities.modelMemoryBudgetBytes = 1_000
        device.capabilities = capabilities
        if let runs {
            device.running = RunningPackage(
                digest: Self.digest(runs, runs == "old" ? 1 : 2), release: 1, arenaBytes: 500)
        }
        var old = RolloutRecord(family: "old", release: 1, selector: .all, createdAt: start)
        old.id = 1
        var new = RolloutRecord(
            family: "new", release: 2, selector: .all, policy: RolloutPolicy(), waveSizes: [1, 1],
            createdAt: start)
        new.id = 2
        rollouts = [new, old]
        packages = [
            Self.package("old", release: 1), Self.package("new", release: 2),
            // Built later, pushed by nobody.
            Self.package("new", release: 3),
        ]
        if let wave {
            facts.memberships = [
                RolloutMember(
                    rollout: 2, device: device.id, wave: wave, state: state,
                    digest: state == .waiting ? nil : Self.digest("new", 2))
            ]
        }
    }

    func decide() -> Admission {
        Admission.decide(for: device, facts, rollouts: rollouts) { family in
            packages.filter { $0.family == family }
        }
    }

    /// `run new 2`, `go back new 2`, `no fit new`, `nothing`.
    var wish: String {
        let admission = decide()
        switch admission.wish {
        case .nothing: return "nothing"
        case .run(let package, _): return "run \(package.family) \(package.release)"
        case .noFit: return "no fit \(admission.rollout?.family ?? "?")"
        case .goBack(let digest, _):
            return "go back \(digest == Self.digest("new", 2) ? "new 2" : "?")"
        }
    }
}

@Suite("Which rollout decides for a device")
struct AdmissionTests {
    @Test("The newest, in a wave that is open, by the release that was pushed")
    func open() throws {
        let scene = try Scene()
        #expect(scene.wish == "run new 2")
        #expect(scene.decide().rollout?.id == 2 && scene.decide().waits.isEmpty)
    }

    @Test("The one before, until its wave is opened; who waits is told why")
    func closed() throws {
        var scene = try Scene(wave: 1)
        #expect(scene.wish == "run old 1")
        #expect(scene.decide().waits == [.init(rollout: 2, reason: "wave 2 is not open yet")])
        try scene.rollouts[0].handle(.promote(why: "good"), at: start)
        #expect(scene.wish == "run new 2")
    }

    @Test("The newest, for who comes late or changed: it belongs to the wave that is open")
    func late() throws {
        let scene = try Scene(wave: nil)
        #expect(scene.wish == "run new 2" && scene.decide().wave == 0)
    }

    @Test("None that does not select it, whatever it was drawn for")
    func unselected() throws {
        var scene = try Scene(wave: nil)
        let new = scene.rollouts[0]
        scene.rollouts[0] = RolloutRecord(
            family: "new", release: 2, selector: try Selector("store=2"), createdAt: new.createdAt)
        #expect(scene.wish == "run old 1" && scene.decide().waits.isEmpty)
        scene.rollouts = []
        #expect(scene.wish == "nothing")
    }

    @Test("Paused, it keeps who has it and takes nobody", arguments: MemberState.allCases)
    func paused(state: MemberState) throws {
        var scene = try Scene(runs: state == .active ? "new" : "old", state: state)
        try scene.rollouts[0].handle(.pause(why: "a look"), at: start)
        let keeps = state.hasIt && state != .refused && state != .rolledBack
        #expect(scene.wish == (keeps ? "run new 2" : "run old 1"))
    }

    @Test("Aborted, it sends back who has it and takes nobody", arguments: MemberState.allCases)
    func aborted(state: MemberState) throws {
        var scene = try Scene(state: state)
        try scene.rollouts[0].handle(.abort(why: "bad"), at: start)
        switch state {
        case .assigned, .trial, .active, .goingBack:
            #expect(scene.wish == "go back new 2")
            #expect(scene.decide().wish.reason == "rollout 2 was aborted: bad")
        case .waiting, .already, .refused, .rolledBack, .noFit, .superseded:
            #expect(scene.wish == "run old 1")
        }
    }

    @Test("Rolled back in its store, likewise, and other stores go on")
    func store() throws {
        var scene = try Scene(state: .trial)
        scene.facts.rolledBack = [2: "WAPE 14 to 19"]
        #expect(scene.wish == "go back new 2")
        scene.facts.memberships[0].state = .rolledBack
        #expect(scene.wish == "run old 1")
        scene.facts.memberships = []
        #expect(scene.wish == "run old 1")
        scene.facts.rolledBack = [:]
        #expect(scene.wish == "run new 2")
    }

    @Test("What is taken back goes before anything newer, even out of the selector")
    func backFirst() throws {
        var scene = try Scene(runs: "new", state: .active)
        try scene.rollouts[0].handle(.abort(why: "bad"), at: start)
        var fix = RolloutRecord(family: "old", release: 1, selector: .all, createdAt: start)
        fix.id = 3
        scene.rollouts.insert(fix, at: 0)
        #expect(scene.wish == "go back new 2")
        // It was told and still runs it: there was nothing to go back to, and the newer one is better than that.
        scene.facts.memberships[0].state = .goingBack
        #expect(scene.wish == "go back new 2")
        scene.facts.memberships[0].isTold = true
        #expect(scene.wish == "run old 1" && scene.decide().rollout?.id == 3)
        // It was on its way to that, away, and its place was given on: it leaves that first.
        var late = scene
        late.rollouts[0].policy.storeBudget = 1
        late.facts.memberships.insert(
            RolloutMember(
                rollout: 3, device: scene.device.id, wave: 0, state: .trial,
                digest: Scene.digest("old", 1)), at: 0)
        #expect(late.wish == "run old 1")
        late.facts.storeUnderway = 1
        #expect(late.wish == "nothing" && late.decide().yields == [3])
        // And again, should the answer have been lost.
        late.facts.memberships[0].state = .waiting
        #expect(late.wish == "nothing" && late.decide().yields.isEmpty)
        late.facts.storeUnderway = 0
        #expect(late.wish == "run old 1")
        scene.rollouts.removeFirst()
        #expect(scene.wish == "go back new 2")
        scene.rollouts.insert(fix, at: 0)
        scene.facts.memberships[0].isTold = false
        // A newer one was on its way there, and the bad one still runs.
        scene.facts.memberships[0].state = .superseded
        #expect(scene.wish == "go back new 2")
        scene.device.running = RunningPackage(
            digest: Scene.digest("old", 1), release: 1, arenaBytes: 1)
        #expect(scene.wish == "run old 1")
    }

    @Test("What is taken back is all of a rollout's packages: another size of it runs on meanwhile")
    func sizes() throws {
        // It ran the rollout's package, and is on its way to a larger one of the same release.
        var scene = try Scene(runs: "new", state: .trial)
        scene.facts.memberships[0].digest = [9]
        try scene.rollouts[0].handle(.abort(why: "bad"), at: start)
        #expect(scene.wish == "go back new 2")
        scene.device.running = RunningPackage(
            digest: Scene.digest("old", 1), release: 1, arenaBytes: 1)
        #expect(scene.wish == "go back ?")
        scene.facts.memberships[0].state = .refused
        #expect(scene.wish == "run old 1")
        scene.device.running = RunningPackage(
            digest: Scene.digest("new", 2), release: 2, arenaBytes: 1)
        #expect(scene.wish == "go back new 2")
        // It ran it before.
        scene.facts.memberships[0].state = .already
        #expect(scene.wish == "run old 1")
    }

    @Test("Who runs one size of a package and may not have the other yet keeps it")
    func otherSize() throws {
        var scene = try Scene(runs: "new", state: .active)
        scene.device.running?.release = 2
        scene.packages[1] = Scene.package("new", release: 2, arena: 5_000)
        scene.packages.append(Scene.package("new", release: 2, arena: 400))
        scene.packages[3].digest = [7]
        #expect(scene.wish == "run new 2" && scene.decide().waits.isEmpty)
        scene.facts.storeUnderway = 1
        #expect(scene.wish == "nothing" && scene.decide().yields.isEmpty)
    }

    @Test("The store's budget is kept, but not by who has nothing to lose")
    func budget() throws {
        var scene = try Scene()
        scene.facts.storeUnderway = 1
        #expect(scene.wish == "run old 1")
        #expect(
            scene.decide().waits
                == [.init(rollout: 2, reason: "1 of its store's devices are being updated")])
        scene.rollouts[0].policy.storeBudget = 2
        #expect(scene.wish == "run new 2")
        scene.rollouts[0].policy.storeBudget = 1
        #expect(scene.decide().yields.isEmpty)
        // It was away, others are in its place; or its copy went bad, and it is not its turn.
        for state in [MemberState.assigned, .trial, .active] {
            var own = try Scene(state: state)
            #expect(own.wish == "run new 2", "\(state)")
            own.facts.storeUnderway = 1
            #expect(own.wish == "run old 1", "\(state)")
            #expect(own.decide().yields == [2], "\(state)")
        }
        scene.rollouts[0].policy.storeBudget = 1
        var fresh = try Scene(runs: nil)
        fresh.facts.storeUnderway = 5
        #expect(fresh.wish == "run new 2")
        var running = try Scene(runs: "new")
        running.facts.storeUnderway = 5
        #expect(running.wish == "run new 2")
        scene.rollouts[0].policy.storeBudget = nil
        scene.facts.storeUnderway = 100
        #expect(scene.wish == "run new 2")
    }

    @Test("Who runs nothing gets an older package at once, or a new one out of its turn")
    func first() throws {
        var scene = try Scene(runs: nil, wave: 1)
        #expect(scene.wish == "run old 1")
        scene.rollouts.removeLast()
        #expect(scene.wish == "run new 2")
        #expect(scene.decide().wave == 1 && scene.decide().waits.isEmpty)
        try scene.rollouts[0].handle(.pause(why: "a look"), at: start)
        #expect(scene.wish == "nothing")
        var unfit = try Scene(runs: nil, wave: 1)
        unfit.packages[0] = Scene.package("old", release: 1, arena: 5_000)
        #expect(unfit.wish == "run new 2")
    }

    @Test(
        "What it refused or went back from is not offered again, unless there is nothing else",
        arguments: [MemberState.refused, .rolledBack])
    func failed(state: MemberState) throws {
        var scene = try Scene(state: state)
        #expect(scene.wish == "run old 1")
        #expect(
            scene.decide().waits
                == [.init(rollout: 2, reason: "it refused the package, or went back from it")])
        // An older release than what runs is none for it.
        scene.device.running?.release = 2
        #expect(scene.wish == "nothing")
        // Its database is lost.
        scene.device.running = nil
        #expect(scene.wish == "run old 1")
        scene.rollouts.removeLast()
        #expect(scene.wish == "run new 2")
        // Another package of the rollout is another matter.
        var other = try Scene(state: state)
        other.facts.memberships[0].digest = [9]
        #expect(other.wish == "run new 2")
        // It shrank, and with it went what fits: what it refused is not overwritten by that.
        var shrunk = try Scene(state: state)
        shrunk.packages[1] = Scene.package("new", release: 2, arena: 5_000)
        #expect(shrunk.wish == "run old 1")
        shrunk.rollouts.removeLast()
        #expect(shrunk.wish == "nothing")
        shrunk.device.running = nil
        #expect(shrunk.wish == "nothing")
    }

    @Test("Nothing of the newest fits: the device stays as it is, and nothing older is said")
    func noFit() throws {
        var scene = try Scene()
        scene.packages[1] = Scene.package("new", release: 2, arena: 5_000)
        #expect(scene.wish == "no fit new")
    }
}
