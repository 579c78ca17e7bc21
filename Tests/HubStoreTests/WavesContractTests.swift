import Forecasting
import Foundation
import HubCore
import HubStore
import Testing

/// Two stores with two devices each, all running a package of family `old`, and a rollout of `new` in waves of 1 and 3.
private struct Fleet {
    let store: any HubStore
    let ids: [DeviceID]
    let old: [UInt8]
    let new: [UInt8]
    var rollout: RolloutRecord

    init(_ store: any HubStore, policy: RolloutPolicy = RolloutPolicy()) async throws {
        self.store = store
        var ids: [DeviceID] = []
        for (name, home) in [("a1", "1"), ("a2", "1"), ("b1", "2"), ("b2", "2")] {
            ids.append(try await Sample.join(store, device: name, at: home))
        }
        let packages = [
            try Sample.package("v", family: "old", release: 1, seed: 1),
            try Sample.package("v", family: "new", release: 2, seed: 2),
        ]
        for package in packages {
            try await store.saveFamily(Sample.family(package.family))
            try await store.savePackages([package])
        }
        (old, new) = (packages[0].digest, packages[1].digest)
        for id in ids {
            _ = try await store.registerDevice(
                id, capabilities: DeviceCapabilities(), labels: [],
                running: RunningPackage(digest: old, release: 1, arenaBytes: 1), at: Sample.now)
        }
        rollout = try await store.push(
            RolloutRecord(
                family: "new", release: 2, selector: .all, policy: policy, waveSizes: [1, 3],
                createdAt: Sample.now), plan: [[ids[0]], Array(ids[1...])]
        ).rollout
        self.ids = ids
    }

    func assign(_ id: DeviceID, _ digest: [UInt8]? = nil) async throws -> Bool {
        try await store.assign(
            AssignmentRecord(
                device: id, rollout: rollout.id, digest: digest ?? new, reason: "fits",
                decidedAt: Sample.now), ifStill: rollout, wave: 0)
    }

    func admission(_ id: DeviceID, at now: Timestamp = Sample.now) async throws
        -> Admission.Facts
    {
        try await store.standing(of: id, at: now).facts
    }

    func report(_ outcome: PackageOutcome, _ id: DeviceID) async throws {
        let running = outcome == .active ? new : old
        try await store.reportOutcome(
            outcome, digest: new, reason: "so it is",
            running: RunningPackage(digest: running, release: 1, arenaBytes: 1), device: id,
            at: Sample.now)
    }

    func state(_ id: DeviceID) async throws -> MemberState? {
        try await store.members(rollout: rollout.id).first { $0.device == id }?.state
    }

    func facts(at now: Timestamp = Sample.now) async throws -> RolloutFacts {
        try #require(
            try await store.rolloutFacts(rollout.id, listeningSince: Sample.now, at: now)
        ).facts
    }
}

@Suite("Contract: rollouts in waves")
struct WavesContractTests {
    @Test("A rollout and its draw are kept whole", arguments: StoreUnderTest.allCases)
    func kept(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            var policy = RolloutPolicy()
            policy.window = try OpeningWindow("22:00-05:30")
            policy.bytesMax = 65_536
            let fleet = try await Fleet(store, policy: policy)
            #expect(try await store.rollouts() == [fleet.rollout])
            #expect(fleet.rollout.policy == policy && fleet.rollout.state == .running)
            let members = try await store.members(rollout: fleet.rollout.id)
            #expect(members.map(\.device) == fleet.ids)
            #expect(members.map(\.wave) == [0, 1, 1, 1])
            #expect(members.allSatisfy { $0.state == .waiting && $0.digest == nil })
        }
    }

    @Test(
        "Counts of a wave follow what devices are told and say", arguments: StoreUnderTest.allCases)
    func counts(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            // In touch since it was opened.
            #expect(try await fleet.facts().waves.map(\.waiting) == [1, 0])
            #expect(try await fleet.facts().waves.map(\.absent) == [0, 3])
            #expect(try await fleet.assign(fleet.ids[0]))
            #expect(try await fleet.facts().waves[0].assigned == 1)
            for (outcome, count) in [
                (PackageOutcome.trial, \RolloutFacts.Wave.trial), (.active, \.active),
                (.rolledBack, \.rolledBack),
            ] {
                try await fleet.report(outcome, fleet.ids[0])
                let wave = try await fleet.facts().waves[0]
                #expect(wave[keyPath: count] == 1, "\(outcome)")
            }
            #expect(try await fleet.facts().failures == [1, 0])
        }
    }

    @Test(
        "A device with the package that is not heard of is silent, unless the hub was off",
        arguments: StoreUnderTest.allCases)
    func silent(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            #expect(try await fleet.assign(fleet.ids[0]))
            let later = Sample.now.advanced(bySeconds: 4 * 86_400)
            #expect(try await fleet.facts(at: later).waves[0].silent == 1)
            #expect(try await fleet.facts(at: later).waves[0].assigned == 0)
            let restarted = try await store.rolloutFacts(
                fleet.rollout.id, listeningSince: later.advanced(bySeconds: -60), at: later)
            #expect(restarted?.facts.waves[0].silent == 0)
            try await store.touchDevice(fleet.ids[0], at: later)
            #expect(try await fleet.facts(at: later).waves[0].silent == 0)
        }
    }

    @Test(
        "Never more of a store are on the way than its budget, however many ask",
        arguments: StoreUnderTest.allCases)
    func budget(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            let kept = try await withThrowingTaskGroup(of: Bool.self) { group in
                for id in fleet.ids { group.addTask { try await fleet.assign(id) } }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            // One of each store.
            #expect(kept == 2)
            let first = try await fleet.state(fleet.ids[0]) == .assigned ? 0 : 1
            #expect(
                try await fleet.admission(fleet.ids[1 - first]).storeUnderway == 1)
            #expect(try await fleet.admission(fleet.ids[first]).storeUnderway == 0)
            try await fleet.report(.trial, fleet.ids[first])
            #expect(try await !fleet.assign(fleet.ids[1 - first]))
            try await fleet.report(.active, fleet.ids[first])
            #expect(try await fleet.assign(fleet.ids[1 - first]))
        }
    }

    @Test(
        "Who is away gives up its place in its store after three days, and waits for another when it is back",
        arguments: StoreUnderTest.allCases)
    func away(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            let mates = try await store.devices(store: nil).filter { device in
                fleet.ids.contains(device.id)
            }
            let first = try #require(mates.first { $0.id == fleet.ids[0] })
            let other = try #require(
                mates.first { $0.id != first.id && $0.store == first.store })
            #expect(try await fleet.assign(first.id))
            try await fleet.report(.trial, first.id)
            #expect(try await !fleet.assign(other.id))
            let later = Sample.now.advanced(bySeconds: RolloutMember.placeKeptSeconds + 60)
            #expect(try await fleet.admission(other.id).storeUnderway == 1)
            #expect(try await fleet.admission(other.id, at: later).storeUnderway == 0)
            try await store.touchDevice(other.id, at: later)
            #expect(
                try await store.assign(
                    AssignmentRecord(
                        device: other.id, rollout: fleet.rollout.id, digest: fleet.new,
                        reason: "fits", decidedAt: later), ifStill: fleet.rollout, wave: 0))
            // The first is back, and finds the other in its place.
            try await store.touchDevice(first.id, at: later)
            #expect(try await fleet.admission(first.id, at: later).storeUnderway == 1)
            try await store.yield(first.id, from: [fleet.rollout.id], at: later)
            #expect(try await fleet.state(first.id) == .waiting)
            #expect(try await store.assignment(of: first.id) == nil)
            // It may not have heard of it, until it is heard of again.
            let soon = later.advanced(bySeconds: 60)
            try await store.yield(first.id, from: [fleet.rollout.id], at: soon)
            #expect(try await fleet.admission(other.id, at: soon).storeUnderway == 0)
            // Its trial had ended meanwhile: what it runs is the rollout's, and can be taken back.
            try await fleet.report(.active, first.id)
            #expect(try await fleet.state(first.id) == .active)
        }
    }

    @Test(
        "What is active and does not run any more is on its way again, within the budget",
        arguments: StoreUnderTest.allCases)
    func lostCopy(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            let id = fleet.ids[0]
            #expect(try await fleet.assign(id))
            try await fleet.report(.active, id)
            #expect(try await fleet.admission(fleet.ids[1]).storeUnderway == 0)
            _ = try await store.registerDevice(
                id, capabilities: DeviceCapabilities(), labels: [],
                running: RunningPackage(digest: fleet.old, release: 1, arenaBytes: 1),
                at: Sample.now)
            #expect(try await fleet.admission(fleet.ids[1]).storeUnderway == 1)
            #expect(try await fleet.assign(id))
            #expect(try await fleet.state(id) == .assigned)
            _ = try await store.registerDevice(
                id, capabilities: DeviceCapabilities(), labels: [],
                running: RunningPackage(digest: fleet.new, release: 1, arenaBytes: 1),
                at: Sample.now)
            #expect(try await fleet.assign(id))
            #expect(try await fleet.state(id) == .active)
        }
    }

    @Test(
        "What an operator does is done to the rollout as it was read, or not at all",
        arguments: StoreUnderTest.allCases)
    func compareAndSet(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            let id = fleet.rollout.id
            let paused = try await store.change(
                rollout: id, by: .pause(why: "a look"), ifStill: 0, at: Sample.now)
            #expect(paused.state == .paused && paused.revision == 1 && paused.why == "a look")
            await #expect(throws: HubStoreError.changedMeanwhile(what: "rollout \(id)")) {
                _ = try await store.change(
                    rollout: id, by: .resume(why: "", failures: []), ifStill: 0, at: Sample.now)
            }
            await #expect(throws: HubStoreError.notFound(what: "rollout 99")) {
                _ = try await store.change(
                    rollout: 99, by: .pause(why: ""), ifStill: 0, at: Sample.now)
            }
            await #expect(
                throws: HubStoreError.refused(
                    why: "rollout \(id) was not changed: it is paused already")
            ) {
                _ = try await store.change(
                    rollout: id, by: .pause(why: ""), ifStill: 1, at: Sample.now)
            }
            // Decided by the rollout as it was before.
            #expect(try await !fleet.assign(fleet.ids[0]))
            let facts = RolloutFacts(waves: [.init(), .init()])
            var step = try #require(RolloutEngine.step(fleet.rollout, facts, at: Sample.now))
            #expect(try await !store.apply(step, ifStill: 0, at: Sample.now))
            step.rollout = paused
            #expect(try await store.rollouts() == [paused])
        }
    }

    @Test(
        "Aborted, every device that has the package goes back, and says so itself where it runs it",
        arguments: StoreUnderTest.allCases)
    func abort(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            #expect(try await fleet.assign(fleet.ids[0]))
            try await fleet.report(.active, fleet.ids[0])
            #expect(try await fleet.assign(fleet.ids[2]))
            _ = try await store.change(
                rollout: fleet.rollout.id, by: .abort(why: "bad"), ifStill: 0, at: Sample.now)
            #expect(try await fleet.state(fleet.ids[0]) == .goingBack)
            #expect(try await fleet.state(fleet.ids[1]) == .waiting)
            #expect(try await fleet.state(fleet.ids[2]) == .goingBack)
            for id in [fleet.ids[0], fleet.ids[2]] {
                try await store.sendBack(
                    id, from: fleet.rollout.id, digest: fleet.new, reason: "bad", at: Sample.now)
                #expect(try await store.assignment(of: id) == nil)
            }
            // One runs it and one does not.
            #expect(try await fleet.state(fleet.ids[0]) == .goingBack)
            #expect(try await fleet.state(fleet.ids[2]) == .rolledBack)
            try await fleet.report(.rolledBack, fleet.ids[0])
            #expect(try await fleet.state(fleet.ids[0]) == .rolledBack)
            // Its late word of having it still is no end.
            try await fleet.report(.active, fleet.ids[2])
            #expect(try await fleet.state(fleet.ids[2]) == .goingBack)
        }
    }

    @Test(
        "Closed days and stock-outs are in no store's comparison",
        arguments: StoreUnderTest.allCases)
    func calendar(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            let id = fleet.ids[0]
            #expect(try await fleet.assign(id))
            try await fleet.report(.trial, id)
            let records = try (0..<60).map { number in
                UploadRecord.forecast(
                    DeviceForecast(
                        day: Sample.day(number / 20), item: try ItemID("i\(number % 20)"),
                        units: 11,
                        networkOutput: 1, release: 1, actualUnits: 10, inputsComplete: true,
                        candidate: DeviceForecast.candidate(ofDigest: fleet.new),
                        candidateUnits: 12))
            }
            try await Sample.upload(store, id, from: 1, records)
            let at = try #require(try await store.device(id)).store
            _ = try await store.importCalendar(
                [
                    CalendarEntry(day: Sample.day(0), store: at, item: nil, kind: .closed),
                    CalendarEntry(
                        day: Sample.day(1), store: nil, item: try ItemID("i3"), kind: .stockOut),
                    CalendarEntry(day: Sample.day(2), store: nil, item: nil, kind: .holiday),
                    CalendarEntry(
                        day: Sample.day(2), store: try StoreID("elsewhere"), item: nil,
                        kind: .closed),
                ], at: Sample.now)
            #expect(try await store.judgeStores(of: fleet.rollout, countMax: 10) == 1)
            let judged = try await store.rolloutStores(fleet.rollout.id)
            #expect(judged.map(\.store) == [at])
            #expect(judged[0].verdict.contains("39 forecasts of 20 items"))
        }
    }

    @Test(
        "A store whose errors are worse is found and rolled back, and no other",
        arguments: StoreUnderTest.allCases)
    func worseStore(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            for (index, error) in [(0, Float(4)), (2, Float(1))] {
                let id = fleet.ids[index]
                #expect(try await fleet.assign(id))
                try await fleet.report(.trial, id)
                let records = try (0..<60).map { number in
                    UploadRecord.forecast(
                        DeviceForecast(
                            day: Sample.day(number / 20), item: try ItemID("i\(number % 20)"),
                            units: 11 + Float(number % 3), networkOutput: 1, release: 1,
                            actualUnits: 10, inputsComplete: true,
                            candidate: DeviceForecast.candidate(ofDigest: fleet.new),
                            candidateUnits: 10 + error + Float(number % 5) / 10))
                }
                try await Sample.upload(store, id, from: 1, records)
            }
            #expect(try await store.judgeStores(of: fleet.rollout, countMax: 10) == 2)
            #expect(try await store.judgeStores(of: fleet.rollout, countMax: 10) == 0)
            let facts = try await fleet.facts()
            #expect(facts.stores.map(\.store.text).sorted() == ["1", "2"])
            #expect(facts.stores.filter(\.worse).map(\.store.text) == ["1"])
            let step = try #require(RolloutEngine.step(fleet.rollout, facts, at: Sample.now))
            #expect(try await store.apply(step, ifStill: 0, at: Sample.now))
            #expect(try await fleet.state(fleet.ids[0]) == .goingBack)
            #expect(try await fleet.state(fleet.ids[2]) == .trial)
            #expect(try await fleet.admission(fleet.ids[1]).rolledBack.count == 1)
            #expect(try await fleet.admission(fleet.ids[2]).rolledBack.isEmpty)
            let stores = try await store.rolloutStores(fleet.rollout.id)
            #expect(stores.map { $0.rolledBackAt != nil } == [true, false])
            #expect(stores[0].why.hasSuffix("60 forecasts of 20 items: significantly worse"))
            // Judged again only once there is another day, and not rolled back twice.
            #expect(
                RolloutEngine.step(fleet.rollout, try await fleet.facts(), at: Sample.now)?
                    .rolledBack.isEmpty ?? true)
        }
    }

    @Test(
        "A soak counts the business days that the wave's stores close after it began",
        arguments: StoreUnderTest.allCases)
    func soak(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            try await Sample.upload(store, fleet.ids[0], from: 1, [Sample.close(0)])
            #expect(try await fleet.assign(fleet.ids[0]))
            try await fleet.report(.active, fleet.ids[0])
            let step = try #require(
                RolloutEngine.step(fleet.rollout, try await fleet.facts(), at: Sample.now))
            #expect(step.rollout.waves[0].soakingSince == Sample.now)
            #expect(try await store.apply(step, ifStill: 0, at: Sample.now))
            #expect(try await fleet.facts().soakedDays == 0)
            // A store that is shut all day does no business, and another store's days are its own.
            try await Sample.upload(store, fleet.ids[0], from: 2, [Sample.close(1, allDay: true)])
            try await Sample.upload(store, fleet.ids[2], from: 1, [Sample.close(1)])
            #expect(try await fleet.facts().soakedDays == 0)
            try await Sample.upload(store, fleet.ids[0], from: 3, [Sample.close(2)])
            #expect(try await fleet.facts().soakedDays == 1)
        }
    }

    @Test("Nobody waits for a device that was revoked", arguments: StoreUnderTest.allCases)
    func revoked(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            #expect(try await fleet.assign(fleet.ids[0]))
            _ = try await store.setStatus(.revoked, of: fleet.ids[0], at: Sample.now)
            #expect(try await fleet.state(fleet.ids[0]) == .superseded)
            #expect(try await fleet.assign(fleet.ids[1]))
        }
    }

    @Test(
        "A newer rollout takes a device over, and the older one waits for it no longer",
        arguments: StoreUnderTest.allCases)
    func superseded(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            var fleet = try await Fleet(store)
            #expect(try await fleet.assign(fleet.ids[0]))
            let first = fleet.rollout
            let third = try Sample.package("w", family: "new", release: 3, seed: 3)
            try await store.savePackages([third])
            fleet.rollout = try await store.push(
                RolloutRecord(family: "new", release: 3, selector: .all, createdAt: Sample.now),
                plan: []
            ).rollout
            #expect(try await fleet.assign(fleet.ids[0], third.digest))
            #expect(try await fleet.assign(fleet.ids[2], third.digest))
            let states = try await store.members(rollout: first.id).map(\.state)
            #expect(states == [.superseded, .waiting, .superseded, .waiting])
        }
    }
}

@Suite("Contract: audit log and users")
struct AuditContractTests {
    @Test(
        "Every call that changes what runs or who may do what leaves a line, with its author",
        arguments: StoreUnderTest.allCases)
    func lines(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            let manager = store.acting(as: "os:manager")
            _ = try await manager.change(
                rollout: fleet.rollout.id, by: .pause(why: "a look"), ifStill: 0, at: Sample.now)
            _ = try await manager.setStatus(.revoked, of: fleet.ids[3], at: Sample.now)
            _ = try await manager.setStatus(.revoked, of: fleet.ids[3], at: Sample.now)
            _ = try await manager.revokeToken(1, at: Sample.now)
            _ = try await manager.revokeToken(1, at: Sample.now)
            _ = try await manager.revokeToken(99, at: Sample.now)
            _ = try await manager.forgetCopies(of: fleet.ids[0], at: Sample.now)
            try await manager.addUser(
                UserRecord(name: "viewer", role: .viewer, createdAt: Sample.now))
            let token = try await manager.addUserToken(
                sha256: Sample.secret, of: "viewer", at: Sample.now)
            _ = try await manager.revokeUserToken(token, at: Sample.now)
            _ = try await manager.removeUser("viewer", at: Sample.now)
            let lines = try await store.audit(countMax: 1_000)
            #expect(lines.map(\.id) == Array((1...Int64(lines.count)).reversed()))
            #expect(
                lines.filter { $0.author == "os:manager" }.reversed().map {
                    "\($0.action) \($0.object) \($0.why)"
                } == [
                    "pause rollout 1 a look", "revoke device b2 ", "revoke-token token 1 ",
                    "approve device a1 its copies are gone", "add-user user viewer viewer",
                    "create-user-token user viewer token 1",
                    "revoke-user-token user viewer token 1",
                    "remove-user user viewer ",
                ])
            #expect(
                Set(lines.filter { $0.author == "hub" }.map(\.action))
                    == ["create-token", "package", "push"])
            #expect(lines.filter { $0.action == "join" }.map(\.author).count == 4)
            #expect(try await store.audit(countMax: 2).count == 2)
        }
    }

    @Test("What is refused leaves no line", arguments: StoreUnderTest.allCases)
    func refused(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let fleet = try await Fleet(store)
            let before = try await store.audit(countMax: 100)
            await #expect(throws: HubStoreError.self) {
                _ = try await store.change(
                    rollout: fleet.rollout.id, by: .resume(why: "", failures: []), ifStill: 0,
                    at: Sample.now)
            }
            let again = try await store.push(fleet.rollout, plan: [])
            #expect(!again.isNew)
            #expect(try await store.audit(countMax: 100) == before)
        }
    }

    @Test("A user is known by a token that is good", arguments: StoreUnderTest.allCases)
    func users(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let manager = UserRecord(name: "manager", role: .operator, createdAt: Sample.now)
            try await store.addUser(manager)
            await #expect(throws: HubStoreError.alreadyExists(what: "user manager")) {
                try await store.addUser(manager)
            }
            await #expect(throws: HubStoreError.notFound(what: "user viewer")) {
                _ = try await store.addUserToken(
                    sha256: Sample.secret, of: "viewer", at: Sample.now)
            }
            let id = try await store.addUserToken(
                sha256: Sample.secret, of: "manager", at: Sample.now)
            #expect(try await store.user(tokenSHA256: Sample.secret) == manager)
            #expect(try await store.users().map(\.tokens) == [[id]])
            #expect(try await store.revokeUserToken(id, at: Sample.now))
            #expect(try await !store.revokeUserToken(id, at: Sample.now))
            #expect(try await store.user(tokenSHA256: Sample.secret) == nil)
            _ = try await store.addUserToken(
                sha256: Sample.secret.reversed().map { $0 ^ 1 }, of: "manager", at: Sample.now)
            #expect(try await store.removeUser("manager", at: Sample.now))
            #expect(try await !store.removeUser("manager", at: Sample.now))
            #expect(try await store.users().isEmpty)
        }
    }
}
