import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import SyncProtocol
import Testing

@Suite("Syncing with a real hub over TLS", .timeLimit(.minutes(1)))
struct HubServerSyncTests {
    private static func sale(_ day: Int32, _ item: String, _ units: UInt32) -> Record {
        .sale(SaleRecord(day: day, item: item, units: units))
    }

    private static func close(_ day: Int32) -> Record {
        .close(CloseRecord(day: day, closedAllDay: false))
    }

    /// Reads one answer to ContextRequest, all its frames.
    private static func context(
        since revision: UInt64, over connection: inout TestConnection
    ) async throws -> [Context] {
        try await connection.send(.contextRequest(ContextRequest(knownRevision: revision)))
        var frames: [Context] = []
        while case .context(let frame)? = try await connection.next() {
            frames.append(frame)
            if !frame.more { return frames }
        }
        throw TestFailure("the context broke off after \(frames.count) frames")
    }

    // MARK: Uploads

    @Test("A batch sent again, whole or in part, changes nothing")
    func replay() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            let batch = [Self.sale(19_000, "5", 3), Self.sale(19_000, "5", 4), Self.close(19_000)]
            try await device.registered(port: port) { connection, desired in
                #expect(desired.storedThroughSequence == 0)
                for _ in 0..<3 {
                    try await connection.upload(1, batch, ack: 3)
                }
                // Overlaps: two known records and a new one.
                try await connection.upload(
                    2, Array(batch[1...]) + [Self.sale(19_001, "5", 1)], ack: 4)
            }
            try await device.registered(port: port) { _, desired in
                #expect(desired.storedThroughSequence == 4)
            }
            let days = try await hub.operatorStore.deviceDays(
                store: try StoreID("1"), from: nil, through: nil)
            #expect(days.map(\.units) == [7, 1])
        }
    }

    @Test("A gap in the numbers is refused by its code, and nothing is stored")
    func gap() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            let refusal = try await device.registered(port: port) { connection, _ in
                try await connection.send(
                    .upload(Upload(firstSequence: 2, records: [Self.sale(19_000, "5", 3)])))
                return try await connection.refusal()
            }
            #expect(refusal.code == .sequenceGap)
            #expect(refusal.retry)
            #expect(refusal.message.contains("record 1"))
            let record = try await hub.operatorStore.device(try DeviceID(device.id))
            #expect(record?.throughSequence == 0)
        }
    }

    @Test("A record against the rules refuses its whole batch")
    func invalidRecord() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            for record in [Self.sale(19_000, "5", 0), Self.sale(-1, "5", 1)] {
                let refusal = try await device.registered(port: port) { connection, _ in
                    try await connection.send(
                        .upload(
                            Upload(firstSequence: 1, records: [Self.close(19_000), record])))
                    return try await connection.refusal()
                }
                #expect(refusal.code == .recordInvalid || refusal.code == .malformed)
            }
            let record = try await hub.operatorStore.device(try DeviceID(device.id))
            #expect(record?.throughSequence == 0)
        }
    }

    // MARK: Packages

    @Test("Each device is told the most accurate package that fits it, signed, with the reason")
    func assignment() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let small = try await hub.addPackage(
                family: "f", variant: "small", arenaBytes: 1000, wape: 0.2)
            let big = try await hub.addPackage(
                family: "f", variant: "big", arenaBytes: 5000, wape: 0.1)
            let rollout = try await hub.push("f")
            let rows: [(UInt64, PackageRecord?)] = [
                (4999, small.record), (5000, big.record), (999, nil),
            ]
            for (budget, expected) in rows {
                let device = try await hub.joinedDevice(port: port)
                let (desired, metadata) = try await device.registered(
                    port: port, .test(budgetBytes: budget)
                ) { ($1, $0.metadata) }
                #expect(desired.rollout == rollout.id)
                guard let expected else {
                    #expect(desired.desire == .noFit)
                    #expect(desired.reason.contains("1000"))
                    #expect(desired.reason.contains("999"))
                    continue
                }
                #expect(desired.desire == .run)
                #expect(desired.digest == expected.digest)
                #expect(desired.target == expected.targetPath)
                #expect(metadata.map(\.role) == ["root", "timestamp", "snapshot", "targets"])
                #expect(device.reply.root.count > 500)
            }
        }
    }

    @Test("A second package comes wave by wave, one device of a store at a time, and is taken back")
    func waves() async throws {
        var limits = HubServerLimits()
        // Looked at by the test itself.
        limits.rolloutPollMilliseconds = 3_600_000
        let hub = try TestHub(limits: limits)
        try await hub.serving { port in
            let old = try await hub.addPackage(family: "old", variant: "v").record
            let new = try await hub.addPackage(family: "new", variant: "v", release: 2).record
            try await hub.push("old")
            var devices: [TestDevice] = []
            for store in ["1", "1", "2"] {
                devices.append(try await hub.joinedDevice(port: port, store: store))
            }
            let running = SyncProtocol.RunningPackage(digest: old.digest, release: 1)
            let fleet = devices
            func desired(_ index: Int, runs digest: [UInt8]? = nil) async throws -> DesiredState {
                var now = running
                if let digest { now.digest = digest }
                return try await fleet[index].registered(port: port, .test(running: now)) { $1 }
            }
            func report(_ outcome: SyncProtocol.PackageOutcome, _ index: Int) async throws {
                var now = running
                if outcome == .active { now.digest = new.digest }
                try await fleet[index].registered(port: port, .test(running: running)) {
                    [now] connection, _ in
                    try await connection.send(
                        .packageReport(
                            PackageReport(digest: new.digest, outcome: outcome, running: now)))
                    try await connection.expect(.noted)
                }
            }
            for index in 0..<3 { #expect(try await desired(index).digest == old.digest) }

            var policy = RolloutPolicy()
            policy.soakDays = 0
            policy.window = try OpeningWindow("22:00-05:30")
            policy.bytesMax = 99_999
            let ids = try devices.map { try DeviceID($0.id) }
            let rollout = try await hub.operatorStore.push(
                RolloutRecord(
                    family: "new", release: 2, selector: .all, nanosecondsMax: 2_000_000,
                    policy: policy, waveSizes: [1, 2], createdAt: Timestamp(Date())),
                plan: [[ids[0]], [ids[1], ids[2]]]
            ).rollout
            let first = try await desired(0)
            #expect(first.digest == new.digest && first.rollout == rollout.id)
            #expect(first.trialDays == 7 && first.latencyMaxNs == 2_000_000)
            #expect(first.windowFrom == 1_320 && first.windowTo == 330)
            #expect(first.bytesMax == 99_999)
            for index in 1...2 { #expect(try await desired(index).digest == old.digest) }

            // The driver of another process, as after a restart.
            let driver = RolloutDriver(
                store: hub.operatorStore, listeningSince: Timestamp(Date()))
            #expect(try await driver.turn(at: Timestamp(Date())).isEmpty)
            try await report(.trial, 0)
            #expect(try await driver.turn(at: Timestamp(Date())).isEmpty)
            try await report(.active, 0)
            let steps = try await driver.turn(at: Timestamp(Date()))
            #expect(steps.flatMap(\.notes).map(\.action) == ["open-wave"])
            for index in 1...2 { #expect(try await desired(index).digest == new.digest) }

            _ = try await hub.operatorStore.change(
                rollout: rollout.id, by: .abort(why: "far off"), ifStill: steps[0].rollout.revision,
                at: Timestamp(Date()))
            for index in 0...2 {
                let back = try await desired(index, runs: index == 0 ? new.digest : nil)
                #expect(back.desire == .goBack && back.digest == new.digest)
                #expect(back.reason.contains("far off") && back.target.isEmpty)
            }
            try await report(.rolledBack, 0)
            for index in 0...2 { #expect(try await desired(index).digest == old.digest) }
            let states = try await hub.operatorStore.members(rollout: rollout.id).map(\.state)
            #expect(states == [.rolledBack, .rolledBack, .rolledBack])
        }
    }

    @Test("A package is fetched in pieces that start at any byte")
    func fetch() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let (record, content) = try await hub.addPackage(family: "f", variant: "v")
            try await hub.push("f")
            let device = try await hub.joinedDevice(port: port)
            try await device.registered(port: port) { connection, _ in
                let rows: [(Int, UInt32, Int)] = [
                    (0, 1, 1), (1, 7, 7), (12_345, 4096, 4096), (0, .max, 49_152),
                    (99_990, 100, 10), (99_999, 100, 1), (100_000, 100, 0),
                ]
                for (offset, bytesMax, bytes) in rows {
                    try await connection.send(
                        .fetch(
                            Fetch(
                                digest: record.digest, offset: UInt64(offset),
                                bytesMax: bytesMax)))
                    try await connection.expect(
                        .chunk(
                            Chunk(
                                digest: record.digest, offset: UInt64(offset),
                                content: Array(content[offset..<(offset + bytes)]),
                                packageBytes: 100_000)))
                }
            }
        }
    }

    @Test("What is not assigned to a device is not given to it")
    func fetchOthers() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let (mine, _) = try await hub.addPackage(family: "f", variant: "v", store: "1")
            let (theirs, _) = try await hub.addPackage(family: "f", variant: "v", store: "2")
            try await hub.push("f")
            let device = try await hub.joinedDevice(port: port, store: "1")
            let rows: [(Fetch, RefusalCode)] = [
                (Fetch(digest: theirs.digest, offset: 0, bytesMax: 10), .notFound),
                (
                    Fetch(digest: Array(repeating: 1, count: 32), offset: 0, bytesMax: 10),
                    .notFound
                ),
                (Fetch(digest: mine.digest, offset: 100_001, bytesMax: 10), .outOfOrder),
            ]
            for (fetch, code) in rows {
                let refusal = try await device.registered(port: port) { connection, _ in
                    try await connection.send(.fetch(fetch))
                    return try await connection.refusal()
                }
                #expect(refusal.code == code)
            }
        }
    }

    @Test("What a device made of its package is noted with its assignment")
    func report() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let (record, _) = try await hub.addPackage(family: "f", variant: "v")
            try await hub.push("f")
            let device = try await hub.joinedDevice(port: port)
            try await device.registered(port: port) { connection, _ in
                try await connection.send(
                    .packageReport(
                        PackageReport(
                            digest: record.digest, outcome: .refused, reason: "golden vector 3")))
                try await connection.expect(.noted)
            }
            let noted = try #require(
                try await hub.operatorStore.assignment(of: try DeviceID(device.id)))
            #expect(noted.outcome == .refused)
            #expect(noted.outcomeReason == "golden vector 3")
        }
    }

    // MARK: Pushes

    @Test("A push reaches a device that stays, and so does the next one")
    func push() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let (first, _) = try await hub.addPackage(family: "f", variant: "v")
            let (second, _) = try await hub.addPackage(family: "g", variant: "v")
            let device = try await hub.joinedDevice(port: port)
            try await device.registered(port: port, .test(contact: .stay)) { connection, desired in
                #expect(desired.desire == .stayAsYouAre)
                for (family, package) in [("f", first), ("g", second)] {
                    try await hub.push(family)
                    guard case .desiredState(let pushed)? = try await connection.next() else {
                        throw TestFailure("no DesiredState was pushed")
                    }
                    #expect(pushed.digest == package.digest)
                }
            }
        }
    }

    @Test("A device that stays hears of the day totals that others of its store make")
    func contextNotice() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let staying = try await hub.joinedDevice(port: port)
            let other = try await hub.joinedDevice(port: port)
            let far = try await hub.joinedDevice(port: port, store: "2")
            try await staying.registered(port: port, .test(contact: .stay)) { connection, _ in
                try await far.registered(port: port, .test(contact: .stay)) { elsewhere, _ in
                    try await other.registered(port: port) { peer, _ in
                        try await peer.upload(
                            1, [Self.sale(19_000, "5", 3), Self.close(19_000)], ack: 2)
                    }
                    guard case .contextNotice(let notice)? = try await connection.next() else {
                        throw TestFailure("no ContextNotice")
                    }
                    let frames = try await Self.context(since: 0, over: &connection)
                    #expect(frames.map(\.revision) == [notice.revision])
                    #expect(frames[0].items == ["5"])
                    #expect(
                        frames[0].days == [
                            StoreDay(
                                day: 19_000, closedAllDay: false, final: true,
                                sold: [ItemDay(itemIndex: 0, units: 3)])
                        ])
                    let known = try await Self.context(since: notice.revision, over: &connection)
                    #expect(known.flatMap(\.days).isEmpty)
                    // The other store heard nothing: its next frame is the answer to its own ping.
                    try await elsewhere.send(.ping)
                    try await elsewhere.expect(.pong)
                }
            }
        }
    }

    @Test("Revoked while it is connected, a device is thrown out at once and stays out")
    func revoked() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            for contact in [Contact.stay, .visit] {
                let device = try await hub.joinedDevice(port: port)
                let refusal = try await device.registered(
                    port: port, .test(contact: contact)
                ) { connection, _ in
                    _ = try await hub.operatorStore.setStatus(
                        .revoked, of: try DeviceID(device.id), at: Timestamp(Date()))
                    return try await connection.refusal()
                }
                #expect(refusal.code == .revoked)
                let again = try await device.connected(port: port) { connection in
                    try await connection.send(.hello(Hello(versionMin: 1, versionMax: 1)))
                    return try await connection.refusal()
                }
                #expect(again.code == .revoked)
            }
        }
    }

    @Test("A device that connects anew replaces its older connection")
    func replaced() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            try await device.registered(port: port, .test(contact: .stay)) { older, _ in
                try await device.registered(port: port, .test(contact: .stay)) { newer, _ in
                    let last = try await older.next()
                    #expect(last == nil)
                    try await newer.send(.ping)
                    try await newer.expect(.pong)
                }
            }
        }
    }

    // MARK: Visits, restarts

    @Test("A visit ends with the time of the next one, within a tenth of what was set")
    func farewell() async throws {
        var limits = HubServerLimits()
        limits.visitEverySeconds = 100
        let hub = try TestHub(limits: limits)
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            let farewell = try await device.registered(port: port) { connection, _ in
                try await connection.send(.goodbye)
                let farewell = try await connection.next()
                try await connection.expect(nil)
                return farewell
            }
            guard case .farewell(let farewell)? = farewell else {
                Issue.record("no Farewell")
                return
            }
            #expect((90...110).contains(farewell.nextContactSeconds))
        }
    }

    @Test("A restarted hub knows its devices, their records and what they should run")
    func restart() async throws {
        let hub = try TestHub()
        let (record, _) = try await hub.addPackage(family: "f", variant: "v")
        try await hub.push("f")
        let device = try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            try await device.registered(port: port) { connection, _ in
                try await connection.upload(1, [Self.sale(19_000, "5", 3)], ack: 1)
            }
            return device
        }
        try await hub.serving { port in
            try await device.registered(port: port) { connection, desired in
                #expect(desired.digest == record.digest)
                #expect(desired.storedThroughSequence == 1)
                try await connection.upload(2, [Self.close(19_000)], ack: 2)
            }
        }
    }

    @Test("A hub that shuts down says so to whoever stays, and ends")
    func shutdown() async throws {
        let hub = try TestHub()
        let device = try await hub.serving { port in try await hub.joinedDevice(port: port) }
        let (registered, isRegistered) = AsyncStream.makeStream(of: Void.self)
        let (ports, found) = AsyncStream.makeStream(of: Int.self)
        async let last = {
            var ports = ports.makeAsyncIterator()
            let port = try #require(await ports.next())
            return try await device.registered(port: port, .test(contact: .stay)) {
                connection, _ in
                isRegistered.yield()
                return try await connection.refusal()
            }
        }()
        try await hub.serving { port in
            found.yield(port)
            var registered = registered.makeAsyncIterator()
            await registered.next()
        }
        #expect(try await last.code == .busy)
    }

    @Test("A port in use is said to be in use")
    func portInUse() async throws {
        let hub = try TestHub()
        let second = try TestHub()
        try await hub.serving { port in
            await #expect(throws: HubServerError.portInUse(host: "127.0.0.1", port: port)) {
                try await second.serving(port: port) { _ in }
            }
        }
    }
}
