package import Forecasting
import Foundation
import GRDB
package import HubCore

extension SQLiteHubStore {
    // MARK: Pushing and changing

    package func push(
        _ rollout: RolloutRecord, plan: [[DeviceID]]
    ) async throws -> (rollout: RolloutRecord, isNew: Bool) {
        try await write { [self] db in
            let packed = try Bool.fetchOne(
                db, sql: "SELECT 1 FROM package WHERE family = ? LIMIT 1",
                arguments: [rollout.family])
            guard packed != nil else {
                throw HubStoreError.notFound(what: "package of family \(rollout.family)")
            }
            let newest = try Row.fetchOne(
                db, sql: "SELECT * FROM rollout WHERE state <> 'aborted' ORDER BY id DESC LIMIT 1"
            ).map(RolloutRecord.init(row:))
            if let newest, newest.isSamePush(as: rollout) { return (newest, false) }
            try db.execute(
                sql: """
                    INSERT INTO rollout (family, release, selector, nanosecondsMax, policy, state,
                        why, stateSince, waves, revision, createdAt)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)
                    """,
                arguments: [
                    rollout.family, rollout.release.map { Int64(bitPattern: $0) },
                    rollout.selector.text, rollout.nanosecondsMax, try Self.json(rollout.policy),
                    rollout.state.rawValue, rollout.why, rollout.stateSince.millisecondsSince1970,
                    try Self.json(rollout.waves), rollout.createdAt.millisecondsSince1970,
                ])
            var stored = rollout
            stored.id = UInt64(db.lastInsertedRowID)
            let insert = try db.makeStatement(
                sql: """
                    INSERT INTO rolloutDevice (rolloutID, deviceID, wave, state)
                    SELECT ?, id, ?, 'waiting' FROM device WHERE name = ?
                    """)
            for (wave, devices) in plan.enumerated() {
                for device in devices {
                    try insert.execute(arguments: [Int64(stored.id), wave, device.text])
                }
            }
            try note(
                db, "push", "rollout \(stored.id)",
                why: "\(rollout.family) to \(rollout.selector.text)", at: rollout.createdAt)
            return (stored, true)
        }
    }

    package func rollouts() async throws -> [RolloutRecord] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM rollout ORDER BY id DESC")
                .map(RolloutRecord.init(row:))
        }
    }

    package func change(
        rollout id: UInt64, by event: RolloutEvent, ifStill revision: UInt64, at: Timestamp
    ) async throws -> RolloutRecord {
        try await write { [self] db in
            guard var rollout = try Self.rollout(db, id) else {
                throw HubStoreError.notFound(what: "rollout \(id)")
            }
            guard rollout.revision == revision else {
                throw HubStoreError.changedMeanwhile(what: "rollout \(id)")
            }
            do throws(RolloutRefusal) {
                try rollout.handle(event, at: at)
            } catch {
                throw HubStoreError.refused(why: "rollout \(id) was not changed: \(error)")
            }
            try Self.write(db, rollout)
            if rollout.state == .aborted { try Self.takeBack(db, rollout.id, store: nil, at: at) }
            try note(db, event.name, "rollout \(id)", why: event.why, at: at)
            return rollout
        }
    }

    package func apply(_ step: RolloutStep, ifStill revision: UInt64, at: Timestamp) async throws
        -> Bool
    {
        try await write { [self] db in
            let id = step.rollout.id
            guard let before = try Self.rollout(db, id), before.revision == revision else {
                return false
            }
            try Self.write(db, step.rollout)
            for rolled in step.rolledBack {
                let store = try Self.storeRow(db, rolled.store)
                try db.execute(
                    sql: """
                        INSERT INTO rolloutStore (rolloutID, storeID, rolledBackAt, why)
                        VALUES (?1, ?2, ?3, ?4) ON CONFLICT (rolloutID, storeID) DO UPDATE
                        SET rolledBackAt = ?3, why = ?4
                        """,
                    arguments: [Int64(id), store, at.millisecondsSince1970, rolled.why])
                try Self.takeBack(db, id, store: store, at: at)
            }
            for (index, wave) in step.rollout.waves.enumerated()
            where wave.soakingSince != nil && before.waves[index].soakingSince == nil {
                try Self.beginSoak(db, id, wave: index)
            }
            for line in step.notes {
                try note(db, line.action, "rollout \(id)", why: line.why, at: at)
            }
            return true
        }
    }

    /// From here on the days that the wave's stores close are counted.
    private static func beginSoak(_ db: Database, _ rollout: UInt64, wave: Int) throws {
        try db.execute(
            sql: """
                INSERT INTO rolloutStore (rolloutID, storeID, soakAfterDay, soakWave)
                SELECT DISTINCT ?1, device.storeID, coalesce((
                    SELECT max(day) FROM storeDay WHERE storeDay.storeID = device.storeID
                        AND closers > closersAllDay), -1), ?2
                FROM rolloutDevice JOIN device ON device.id = deviceID
                WHERE rolloutID = ?1 AND wave = ?2 AND state IN ('active', 'already')
                ON CONFLICT (rolloutID, storeID) DO UPDATE
                SET soakAfterDay = excluded.soakAfterDay, soakWave = excluded.soakWave
                """, arguments: [Int64(rollout), wave])
    }

    /// Devices that have what is taken back are told to go back when they are next in touch.
    private static func takeBack(
        _ db: Database, _ rollout: UInt64, store: Int64?, at: Timestamp
    ) throws {
        let states = MemberState.allCases.filter { $0.after(.takenBack) == .goingBack }
            .map { "'\($0.rawValue)'" }.joined(separator: ", ")
        try db.execute(
            sql: """
                UPDATE rolloutDevice SET state = 'goingBack', changedAt = ?1
                WHERE rolloutID = ?2 AND state IN (\(states)) AND state <> 'goingBack'
                    AND (?3 IS NULL OR deviceID IN (SELECT id FROM device WHERE storeID = ?3))
                """, arguments: [at.millisecondsSince1970, Int64(rollout), store])
    }

    // MARK: One device

    package func standing(
        of device: DeviceID, at now: Timestamp
    ) async throws -> DeviceStanding {
        try await read { db in
            guard let row = try Self.deviceRow(db, device) else { return DeviceStanding() }
            var standing = DeviceStanding()
            standing.contextRevision = UInt64(clamping: try Self.revision(db, store: row.storeID))
            standing.assignment = try Self.assignment(db, device)
            standing.facts.memberships = try Row.fetchAll(
                db, cached: RolloutMember.sql + " WHERE deviceID = ?", arguments: [row.id]
            ).map(RolloutMember.init(row:))
            for line in try Row.fetchAll(
                db,
                cached: """
                    SELECT rolloutID, why FROM rolloutStore
                    WHERE storeID = ? AND rolledBackAt IS NOT NULL
                    """, arguments: [row.storeID])
            {
                standing.facts.rolledBack[line.unsigned("rolloutID")] = line["why"]
            }
            standing.facts.storeUnderway = try Self.underway(
                db, store: row.storeID, besides: row.id, at: now)
            return standing
        }
    }

    /// Devices of the store that forecast and are on their way to another package.
    private static func underway(
        _ db: Database, store: Int64, besides device: Int64, at now: Timestamp
    ) throws -> Int {
        let quiet = now.advanced(bySeconds: -RolloutMember.placeKeptSeconds)
        // The last condition leaves out most of those that `isUnderway` would.
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT rolloutDevice.*, device.name AS device, runningDigest, lastSeenAt,
                    assignment.rolloutID IS rolloutDevice.rolloutID AS decides
                FROM device JOIN rolloutDevice ON rolloutDevice.deviceID = device.id
                LEFT JOIN assignment ON assignment.deviceID = device.id
                WHERE storeID = ? AND device.id <> ? AND status = 'approved'
                    AND runningDigest IS NOT NULL AND lastSeenAt >= ?
                    AND (state IN ('assigned', 'trial', 'goingBack') OR lastSeenAt < changedAt
                        OR state IN ('active', 'already')
                        AND runningDigest IS NOT rolloutDevice.digest)
                """, arguments: [store, device, quiet.millisecondsSince1970])
        var underway: Set<DeviceID> = []
        while let row = try rows.next() {
            let member = try RolloutMember(row: row)
            guard
                member.isUnderway(
                    running: row.bytes("runningDigest"), decides: row["decides"],
                    seenAt: row.timestamp("lastSeenAt"), now: now)
            else { continue }
            underway.insert(member.device)
        }
        return underway.count
    }

    package func assign(
        _ assignment: AssignmentRecord, ifStill rollout: RolloutRecord, wave: Int
    ) async throws -> Bool {
        try await write { db in
            guard let row = try Self.deviceRow(db, assignment.device) else {
                throw HubStoreError.notFound(what: "device \(assignment.device.text)")
            }
            let revision = try Int64.fetchOne(
                db, cached: "SELECT revision FROM rollout WHERE id = ?",
                arguments: [Int64(rollout.id)])
            guard revision == Int64(rollout.revision) else { return false }
            let member = try Self.member(db, rollout.id, device: row.id)
            let digest = assignment.digest.map { Data($0) }
            let running = try Data.fetchOne(
                db, sql: "SELECT runningDigest FROM device WHERE id = ?", arguments: [row.id]
            ).map { [UInt8]($0) }
            let isChange = member?.isStale(digest: assignment.digest, running: running) ?? true
            if isChange {
                if let budget = rollout.policy.storeBudget, digest != nil, running != nil,
                    running != assignment.digest,
                    try Self.underway(
                        db, store: row.storeID, besides: row.id, at: assignment.decidedAt)
                        >= budget
                {
                    return false
                }
                let before =
                    member
                    ?? RolloutMember(rollout: rollout.id, device: assignment.device, wave: wave)
                let after = before.assigned(digest: assignment.digest, running: running)
                guard after != .goingBack else { return false }
                try Self.set(
                    db, rollout.id, device: row.id, wave: member?.wave ?? wave, after,
                    digest: digest, reason: assignment.reason, at: assignment.decidedAt)
                try db.execute(
                    cached: """
                        UPDATE rolloutDevice SET state = 'superseded', changedAt = ?
                        WHERE deviceID = ? AND rolloutID <> ?
                            AND state IN ('assigned', 'trial')
                        """,
                    arguments: [
                        assignment.decidedAt.millisecondsSince1970, row.id, Int64(rollout.id),
                    ])
                try db.execute(
                    cached: """
                        UPDATE rolloutDevice SET state = 'superseded', changedAt = ?
                        WHERE deviceID = ? AND rolloutID < ? AND state = 'waiting'
                        """,
                    arguments: [
                        assignment.decidedAt.millisecondsSince1970, row.id, Int64(rollout.id),
                    ])
            }
            try db.execute(
                cached: """
                    UPDATE assignment SET reason = ? WHERE deviceID = ? AND rolloutID = ?
                    AND digest IS ?
                    """,
                arguments: [assignment.reason, row.id, Int64(assignment.rollout), digest])
            guard db.changesCount == 0 else { return true }
            try db.execute(
                cached: """
                    INSERT OR REPLACE INTO assignment
                        (deviceID, rolloutID, digest, reason, decidedAt) VALUES (?, ?, ?, ?, ?)
                    """,
                arguments: [
                    row.id, Int64(assignment.rollout), digest, assignment.reason,
                    assignment.decidedAt.millisecondsSince1970,
                ])
            try Self.addEvent(
                db, device: row.id,
                DeviceEvent(
                    at: assignment.decidedAt, kind: digest == nil ? "no-fit" : "assigned",
                    text: "rollout \(assignment.rollout): \(assignment.reason)"))
            return true
        }
    }

    package func sendBack(
        _ device: DeviceID, from rollout: UInt64, digest: [UInt8], reason: String, at: Timestamp
    ) async throws {
        try await write { db in
            guard let row = try Self.deviceRow(db, device),
                let member = try Self.member(db, rollout, device: row.id)
            else { return }
            let running = try Data.fetchOne(
                db, cached: "SELECT runningDigest FROM device WHERE id = ?", arguments: [row.id])
            // What it does not run it drops as soon as it is told; what it runs it says itself.
            var state = member.state == .superseded ? .goingBack : member.state.after(.takenBack)
            if running != Data(digest) { state = state.after(.wentBack) }
            // The package is not its to fetch any more.
            try db.execute(
                cached: "DELETE FROM assignment WHERE deviceID = ? AND rolloutID = ?",
                arguments: [row.id, Int64(rollout)])
            guard state != member.state || !member.isTold else { return }
            try Self.set(
                db, rollout, device: row.id, wave: member.wave, state, digest: Data(digest),
                reason: reason, at: at)
            try db.execute(
                cached: "UPDATE rolloutDevice SET told = 1 WHERE rolloutID = ? AND deviceID = ?",
                arguments: [Int64(rollout), row.id])
            try Self.addEvent(
                db, device: row.id, DeviceEvent(at: at, kind: "taken-back", text: reason))
        }
    }

    package func yield(
        _ device: DeviceID, from rollouts: [UInt64], at: Timestamp
    ) async throws {
        try await write { db in
            guard let row = try Self.deviceRow(db, device) else { return }
            for rollout in rollouts {
                guard let member = try Self.member(db, rollout, device: row.id) else { continue }
                let state = member.state.after(.yielded)
                guard state != member.state else { continue }
                let reason = "it was away, and its place in its store was given on"
                try Self.set(
                    db, rollout, device: row.id, wave: member.wave, state,
                    digest: member.digest.map { Data($0) }, reason: reason, at: at)
                try db.execute(
                    sql: "DELETE FROM assignment WHERE deviceID = ? AND rolloutID = ?",
                    arguments: [row.id, Int64(rollout)])
                try Self.addEvent(
                    db, device: row.id,
                    DeviceEvent(at: at, kind: "waiting", text: "rollout \(rollout): \(reason)"))
            }
        }
    }

    package func assignment(of device: DeviceID) async throws -> AssignmentRecord? {
        try await read { db in try Self.assignment(db, device) }
    }

    private static func assignment(_ db: Database, _ device: DeviceID) throws -> AssignmentRecord? {
        try Row.fetchOne(
            db, cached: AssignmentRecord.sql + " WHERE device.name = ?", arguments: [device.text]
        ).map(AssignmentRecord.init(row:))
    }

    package func assignments(rollout: UInt64?) async throws -> [AssignmentRecord] {
        try await read { db in
            let rows =
                if let rollout {
                    try Row.fetchAll(
                        db, sql: AssignmentRecord.sql + " WHERE rolloutID = ?",
                        arguments: [Int64(bitPattern: rollout)])
                } else {
                    try Row.fetchAll(db, sql: AssignmentRecord.sql)
                }
            return try rows.map(AssignmentRecord.init(row:)).sorted { $0.device < $1.device }
        }
    }

    package func reportOutcome(
        _ outcome: PackageOutcome, digest: [UInt8], reason: String, running: RunningPackage?,
        device: DeviceID, at: Timestamp
    ) async throws {
        try await write { db in
            guard let row = try Self.deviceRow(db, device) else {
                throw HubStoreError.notFound(what: "device \(device.text)")
            }
            try db.execute(
                cached: """
                    UPDATE assignment
                    SET outcome = coalesce(?, outcome), outcomeReason = ?, outcomeAt = ?
                    WHERE deviceID = ? AND digest = ?
                    """,
                arguments: [
                    // What it waits for is no outcome.
                    outcome == .fetching ? nil : outcome.rawValue, reason, at.millisecondsSince1970,
                    row.id, Data(digest),
                ])
            if let member = try Row.fetchOne(
                db,
                cached: RolloutMember.sql
                    + " WHERE deviceID = ? AND digest = ? ORDER BY rolloutID DESC LIMIT 1",
                arguments: [row.id, Data(digest)]
            ).map(RolloutMember.init(row:)) {
                var state = member.state.after(.reported(outcome))
                if try Self.isTakenBack(db, member.rollout, store: row.storeID) {
                    state = state.after(.takenBack)
                }
                try Self.set(
                    db, member.rollout, device: row.id, wave: member.wave, state,
                    digest: Data(digest), reason: reason.isEmpty ? member.reason : reason, at: at)
            }
            try Self.setRunning(db, device: row.id, running, at: at)
            try Self.addEvent(
                db, device: row.id, DeviceEvent(at: at, kind: "\(outcome)", text: reason))
        }
    }

    private static func isTakenBack(_ db: Database, _ rollout: UInt64, store: Int64) throws -> Bool
    {
        try Bool.fetchOne(
            db,
            cached: """
                SELECT state = 'aborted' OR EXISTS (SELECT 1 FROM rolloutStore
                    WHERE rolloutID = rollout.id AND storeID = ?2 AND rolledBackAt IS NOT NULL)
                FROM rollout WHERE id = ?1
                """, arguments: [Int64(rollout), store]) ?? false
    }

    // MARK: What a rollout is judged by

    package func rolloutFacts(
        _ id: UInt64, listeningSince: Timestamp, at now: Timestamp
    ) async throws -> (rollout: RolloutRecord, facts: RolloutFacts)? {
        try await read { db in
            guard let rollout = try Self.rollout(db, id) else { return nil }
            var waves = [RolloutFacts.Wave](repeating: .init(), count: rollout.waves.count)
            for row in try Row.fetchAll(
                db,
                sql: """
                    SELECT wave, state, count(*) AS devices FROM rolloutDevice WHERE rolloutID = ?
                    GROUP BY wave, state
                    """, arguments: [Int64(id)])
            {
                let wave: Int = row["wave"]
                guard waves.indices.contains(wave) else { continue }
                let count: Int = row["devices"]
                switch try row.value("state") as MemberState {
                case .waiting: waves[wave].absent += count
                case .assigned: waves[wave].assigned += count
                case .trial: waves[wave].trial += count
                case .active, .already: waves[wave].active += count
                case .refused: waves[wave].refused += count
                case .rolledBack: waves[wave].rolledBack += count
                case .goingBack: waves[wave].goingBack += count
                case .noFit: waves[wave].noFit += count
                case .superseded: waves[wave].superseded += count
                }
            }
            let quiet = now.advanced(bySeconds: -86_400 * Int64(rollout.policy.silentDays))
            for (index, wave) in rollout.waves.enumerated() {
                guard let openedAt = wave.openedAt else { continue }
                let waiting = try Self.count(
                    db, rollout, wave: index, "state = 'waiting' AND lastSeenAt >= ?",
                    max(openedAt, quiet))
                waves[index].waiting += waiting
                waves[index].absent -= waiting
                // Nobody is silent to a hub that was off itself.
                guard listeningSince < quiet else { continue }
                for state in ["assigned", "trial"] {
                    let silent = try Self.count(
                        db, rollout, wave: index,
                        "state = '\(state)' AND coalesce(lastSeenAt, 0) < ?", quiet)
                    waves[index].silent += silent
                    if state == "trial" {
                        waves[index].trial -= silent
                    } else {
                        waves[index].assigned -= silent
                    }
                }
            }
            var facts = RolloutFacts(waves: waves)
            if let open = rollout.openWave, rollout.waves[open].soakingSince != nil {
                facts.soakedDays = try Self.soakedDays(db, id, wave: open)
            }
            facts.stores = try Row.fetchAll(
                db,
                sql: """
                    SELECT store.name AS store, worse, verdict FROM rolloutStore
                    JOIN store ON store.id = storeID
                    WHERE rolloutID = ? AND worse IS NOT NULL AND rolledBackAt IS NULL
                    """, arguments: [Int64(id)]
            ).map {
                RolloutFacts.Store(
                    store: try $0.identifier("store"), worse: $0["worse"], text: $0["verdict"])
            }
            return (rollout, facts)
        }
    }

    private static func count(
        _ db: Database, _ rollout: RolloutRecord, wave: Int, _ condition: String, _ at: Timestamp
    ) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT count(*) FROM rolloutDevice JOIN device ON device.id = deviceID
                WHERE rolloutID = ? AND wave = ? AND \(condition)
                """,
            arguments: [Int64(rollout.id), wave, at.millisecondsSince1970]) ?? 0
    }

    /// Of the wave's stores on average, rounded down: one that is shut for its holidays does not hold up all others.
    private static func soakedDays(_ db: Database, _ rollout: UInt64, wave: Int) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT count(storeDay.day) / max(1, count(DISTINCT rolloutStore.storeID))
                FROM rolloutStore LEFT JOIN storeDay ON storeDay.storeID = rolloutStore.storeID
                    AND storeDay.day > soakAfterDay AND closers > closersAllDay
                WHERE rolloutID = ? AND soakWave = ?
                """, arguments: [Int64(rollout), wave]) ?? 0
    }

    package func judgeStores(of rollout: RolloutRecord, countMax: Int) async throws -> Int {
        try await write { db in
            let stores = try Row.fetchAll(
                db,
                sql: """
                    SELECT storeID, pairsThrough FROM rolloutStore
                    WHERE rolloutID = ? AND pairsThrough > judgedThrough LIMIT ?
                    """, arguments: [Int64(rollout.id), countMax])
            for row in stores {
                try Self.judge(db, rollout, store: row["storeID"], through: row["pairsThrough"])
            }
            return stores.count
        }
    }

    /// One store's pairs, item by item, as the devices' own test has them, but for the days that the calendar takes out.
    private static func judge(
        _ db: Database, _ rollout: RolloutRecord, store: Int64, through day: Int64
    ) throws {
        var errors = PairedErrors()
        var item: Int64?
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT itemID, forecast.units, actualUnits, candidateUnits FROM rolloutDevice
                JOIN device ON device.id = rolloutDevice.deviceID AND storeID = ?2
                JOIN forecast ON forecast.deviceID = device.id AND candidateRollout = ?1
                WHERE rolloutID = ?1 AND NOT EXISTS (
                    SELECT 1 FROM calendarEntry WHERE calendarEntry.day = forecast.day
                        AND kind IN ('closed', 'stock-out')
                        AND store IN ('', (SELECT name FROM store WHERE id = ?2))
                        AND item IN ('', (SELECT name FROM item WHERE id = itemID)))
                ORDER BY itemID
                """, arguments: [Int64(rollout.id), store])
        while let row = try rows.next() {
            let next: Int64 = row["itemID"]
            if let item, item != next { errors.endItem() }
            item = next
            errors.add(
                actual: Float(row["actualUnits"] as Int64), active: Float(row["units"] as Double),
                candidate: Float(row["candidateUnits"] as Double))
        }
        errors.endItem()
        let devices =
            try Int.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM rolloutDevice JOIN device ON device.id = deviceID
                    WHERE rolloutID = ? AND storeID = ?
                    """, arguments: [Int64(rollout.id), store]) ?? 1
        // Looked at once a day while any of its devices is in trial.
        let looks = max(1, rollout.policy.trialDays) * max(1, devices)
        let verdict = StoreVerdict(errors, criterion: rollout.policy.criterion, looks: looks)
        try db.execute(
            sql: """
                UPDATE rolloutStore SET judgedThrough = ?, worse = ?, verdict = ?
                WHERE rolloutID = ? AND storeID = ?
                """,
            arguments: [day, verdict.isWorse, verdict.text, Int64(rollout.id), store])
    }

    package func members(rollout: UInt64) async throws -> [RolloutMember] {
        try await read { db in
            try Row.fetchAll(
                db, sql: RolloutMember.sql + " WHERE rolloutID = ?", arguments: [Int64(rollout)]
            ).map(RolloutMember.init(row:)).sorted { $0.device < $1.device }
        }
    }

    package func rolloutStores(_ rollout: UInt64) async throws -> [RolloutStoreRecord] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT store.name AS store, rolledBackAt, why, verdict FROM rolloutStore
                    JOIN store ON store.id = storeID
                    WHERE rolloutID = ? AND (rolledBackAt IS NOT NULL OR verdict <> '')
                    """, arguments: [Int64(rollout)]
            ).map {
                RolloutStoreRecord(
                    store: try $0.identifier("store"),
                    rolledBackAt: $0.timestampIfAny("rolledBackAt"),
                    why: $0["why"], verdict: $0["verdict"])
            }.sorted { $0.store < $1.store }
        }
    }

    // MARK: Within a transaction

    private static func rollout(_ db: Database, _ id: UInt64) throws -> RolloutRecord? {
        try Row.fetchOne(db, sql: "SELECT * FROM rollout WHERE id = ?", arguments: [Int64(id)])
            .map(RolloutRecord.init(row:))
    }

    /// What changes of a rollout.
    static func write(_ db: Database, _ rollout: RolloutRecord) throws {
        try db.execute(
            sql: """
                UPDATE rollout SET state = ?, why = ?, stateSince = ?, waves = ?, revision = ?,
                    meteredBytesMax = ?
                WHERE id = ?
                """,
            arguments: [
                rollout.state.rawValue, rollout.why, rollout.stateSince.millisecondsSince1970,
                try json(rollout.waves), Int64(rollout.revision),
                Int64(clamping: rollout.meteredBytesMax), Int64(rollout.id),
            ])
    }

    private static func member(
        _ db: Database, _ rollout: UInt64, device: Int64
    ) throws -> RolloutMember? {
        try Row.fetchOne(
            db, cached: RolloutMember.sql + " WHERE rolloutID = ? AND deviceID = ?",
            arguments: [Int64(rollout), device]
        ).map(RolloutMember.init(row:))
    }

    private static func set(
        _ db: Database, _ rollout: UInt64, device: Int64, wave: Int, _ state: MemberState,
        digest: Data?, reason: String, at: Timestamp
    ) throws {
        try db.execute(
            cached: """
                INSERT INTO rolloutDevice
                    (rolloutID, deviceID, wave, state, digest, reason, changedAt)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rolloutID, deviceID) DO UPDATE
                SET state = excluded.state, digest = excluded.digest, reason = excluded.reason,
                    changedAt = excluded.changedAt
                """,
            arguments: [
                Int64(rollout), device, wave, state.rawValue, digest, reason,
                at.millisecondsSince1970,
            ])
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

extension RolloutEvent {
    /// As the audit log has it.
    fileprivate var name: String {
        switch self {
        case .pause, .stop: "pause"
        case .resume: "resume"
        case .abort: "abort"
        case .promote: "promote"
        case .soak: "soak"
        case .openNext: "open-wave"
        case .complete: "complete"
        case .allowMetered: "allow-metered"
        }
    }

    fileprivate var why: String {
        switch self {
        case .pause(let why), .resume(let why, _), .abort(let why), .promote(let why),
            .stop(let why):
            why
        case .allowMetered(let bytes, let why):
            (bytes == 0 ? "what each device allows itself: " : "\(bytes) bytes: ") + why
        case .soak, .openNext, .complete: ""
        }
    }
}
