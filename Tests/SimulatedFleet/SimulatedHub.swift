import AgentCore
import Forecasting
import HubCore

/// The hub's process ended between two of its writes.
struct HubDown: Error {}

/// The hub: the production decisions (`Admission`, `RolloutEngine`, `MemberState`, `RolloutRecord`, `PairedErrors`) on a model of
/// the tables that `SQLiteHubStore` keeps. A table is what survives a crash; each `write` is a transaction, and the
/// process may end before any of them.
final class SimulatedHub {
    /// A row of rolloutDevice.
    struct Member {
        var isThere = false
        var wave = 0
        var state = MemberState.waiting
        /// A model's number; 0: null.
        var package = 0
        var isTold = false
        var changedAt: Timestamp?

        func record(_ rollout: UInt64, _ device: DeviceID, _ models: [Int: SimulatedModel])
            -> RolloutMember
        {
            var record = RolloutMember(
                rollout: rollout, device: device, wave: wave, state: state,
                digest: models[package]?.record.digest, changedAt: changedAt)
            record.isTold = isTold
            return record
        }
    }

    /// A row of rolloutStore.
    struct StoreRow {
        var rolledBack: String?
        var soakAfterDay: Int?
        var soakWave: Int?
        var pairsThrough = -1
        var judgedThrough = -1
        var isWorse: Bool?
        var verdict = ""
    }

    private unowned(unsafe) let fleet: FleetSimulation
    private(set) var rollouts: [RolloutRecord] = []
    private(set) var members: [[Member]] = []
    private(set) var rolloutStores: [[StoreRow]] = []
    // Columns of device and of assignment.
    private(set) var records: [DeviceRecord]
    private(set) var seenAt: [Timestamp?]
    private(set) var running: [Int]
    private var assignedBy: [Int]
    private var assigned: [Int]
    /// Days with forecasts of both packages, by rollout and device.
    private var pairs: [[[PairedDay]]] = []
    /// Business days that each store has closed, in order, and was not shut all day.
    private(set) var closedDays: [[Int]]
    private(set) var isUp = true
    private(set) var listeningSince = 0
    private var writesLeft = 0
    private var minute = 0
    private var ticks = 0
    var trace = Trace()
    private let shelf: PackageShelf

    init(_ fleet: FleetSimulation, devices: [DeviceRecord]) {
        self.fleet = fleet
        records = devices
        seenAt = [Timestamp?](repeating: nil, count: devices.count)
        running = [Int](repeating: 0, count: devices.count)
        assignedBy = running
        assigned = running
        closedDays = [[Int]](repeating: [], count: fleet.stores.count)
        shelf = PackageShelf(fleet.models.values.map(\.record))
    }

    func note(_ what: StaticString, _ number: Int = 0, _ detail: String = "") {
        trace.add(TraceLine(minute: fleet.now, what: what, number: number, detail: detail))
    }

    // MARK: The process

    func arm(afterWrites: Int) { writesLeft = afterWrites }

    func goDown() {
        note("goes down")
        isUp = false
        writesLeft = 0
    }

    func comeBack() {
        note("is back")
        isUp = true
        listeningSince = fleet.now
    }

    private func write(_ change: () -> Void) throws(HubDown) {
        if writesLeft > 0 {
            writesLeft -= 1
            if writesLeft == 0 { throw HubDown() }
        }
        change()
    }

    private func timestamp(_ minute: Int) -> Timestamp {
        Timestamp(millisecondsSince1970: Int64(minute) * 60_000)
    }

    /// No two moments are the same.
    private var time: Timestamp {
        if fleet.now != minute { (minute, ticks) = (fleet.now, 0) }
        ticks += 1
        return Timestamp(
            millisecondsSince1970: Int64(fleet.now) * 60_000 + Int64(min(ticks, 59_999)))
    }

    private func index(_ rollout: UInt64) -> Int { Int(rollout) - 1 }

    // MARK: A device's messages (DeviceDesk)

    func answer(_ message: Message, of device: Int) throws(HubDown) -> Answer {
        switch message {
        case .register(let running, let budget):
            try write {}  // meetDevice
            try write {
                seenAt[device] = time
                var capabilities = DeviceCapabilities()
                capabilities.modelMemoryBudgetBytes = UInt64(budget)
                records[device].capabilities = capabilities
                setRunning(running, of: device)
            }
            guard var desired = try decide(device) else { return .refused }
            desired.saidAt = fleet.now
            return .desired(desired)
        case .upload(let days):
            try write { store(days, of: device) }
            return .stored
        case .fetch(let package):
            seenAt[device] = time
            return assigned[device] == package ? .chunk : .refused
        case .report(let report, let running):
            try write { note(report, running: running, of: device) }
            return .noted
        }
    }

    func look(at device: Int) throws(HubDown) -> Desired? {
        var desired = try decide(device)
        desired?.saidAt = seenAt[device].map { Int($0.millisecondsSince1970 / 60_000) } ?? 0
        return desired
    }

    private func setRunning(_ package: Int, of device: Int) {
        running[device] = package
        records[device].running = fleet.models[package].map {
            RunningPackage(
                digest: $0.record.digest, release: $0.record.release,
                arenaBytes: UInt64($0.record.arenaBytes))
        }
    }

    private func facts(of device: Int) -> Admission.Facts {
        let store = fleet.devices[device].store
        var facts = Admission.Facts()
        for rollout in rollouts {
            let at = index(rollout.id)
            let member = members[at][device]
            if member.isThere {
                facts.memberships.append(
                    member.record(rollout.id, records[device].id, fleet.models))
            }
            if let why = rolloutStores[at][store].rolledBack { facts.rolledBack[rollout.id] = why }
        }
        facts.storeUnderway = underway(store, besides: device)
        return facts
    }

    /// Devices of the store that forecast and are on their way to another package.
    func underway(_ store: Int, besides device: Int) -> Int {
        guard fleet.scenario.mutation != .skipsBudget else { return 0 }
        let now = time
        return fleet.stores[store].devices.count { other in
            guard other != device, let runs = records[other].running,
                let seen = seenAt[other]
            else { return false }
            return members.indices.contains { at in
                members[at][other].isThere
                    && members[at][other].record(UInt64(at + 1), records[other].id, fleet.models)
                        .isUnderway(
                            running: runs.digest, decides: assignedBy[other] == at + 1,
                            seenAt: seen, now: now)
            }
        }
    }

    /// What the device should run, noted where it differs from what was noted before.
    private func decide(_ device: Int) throws(HubDown) -> Desired? {
        for _ in 0..<5 {
            let facts = facts(of: device)
            let shelf = shelf
            let admission = Admission.decide(
                for: records[device], facts, rollouts: rollouts.reversed()
            ) { _ in shelf.packages(for: Self.anyStore) }
            let revision = admission.rollout?.revision
            fleet.interleave(with: device)
            if !admission.yields.isEmpty { try yield(device, admission.yields) }
            guard let rollout = admission.rollout else { return Desired(wish: .stay) }
            switch admission.wish {
            case .nothing: return Desired(wish: .stay)
            case .goBack(let digest, _):
                let package = SimulatedModel.number(ofDigest: digest)
                if fleet.scenario.mutation == .takesNothingBack { return Desired(wish: .stay) }
                try sendBack(device, from: rollout.id, package: package)
                // It has lost it, and is to have what there is instead.
                if running[device] == 0 { continue }
                return Desired(wish: .goBack, package: package)
            case .run(let record, _):
                let package = SimulatedModel.number(ofDigest: record.digest)
                guard
                    try assign(
                        device, package: package, rollout: rollout, revision: revision!,
                        wave: admission.wave, known: facts)
                else { continue }
                return Desired(wish: .run, package: package, terms: terms(of: rollout))
            case .noFit:
                guard
                    try assign(
                        device, package: 0, rollout: rollout, revision: revision!,
                        wave: admission.wave, known: facts)
                else { continue }
                return Desired(wish: .noFit)
            }
        }
        return nil
    }

    private static let anyStore = try! StoreID("0")

    private func terms(of rollout: RolloutRecord) -> UpdateTerms {
        UpdateTerms(
            trialDays: rollout.policy.trialDays,
            nanosecondsMax: UInt64(rollout.nanosecondsMax ?? 0),
            window: rollout.policy.window.flatMap {
                DayWindow(from: $0.fromMinute, until: $0.toMinute)
            })
    }

    // MARK: SQLiteHubStore+Rollouts, one device

    private func assign(
        _ device: Int, package: Int, rollout: RolloutRecord, revision: UInt64, wave: Int,
        known: Admission.Facts
    ) throws(HubDown) -> Bool {
        let knownMember = known.memberships.first { $0.rollout == rollout.id }
        guard
            assignedBy[device] != Int(rollout.id) || assigned[device] != package
                || knownMember?.isStale(
                    digest: fleet.models[package]?.record.digest,
                    running: records[device].running?.digest) != false
        else { return true }
        var isKept = true
        try write { isKept = assignedNow(device, package, rollout, revision, wave) }
        return isKept
    }

    private func assignedNow(
        _ device: Int, _ package: Int, _ rollout: RolloutRecord, _ revision: UInt64, _ wave: Int
    ) -> Bool {
        let at = index(rollout.id)
        guard rollouts[at].revision == revision else { return false }
        let member = members[at][device]
        let running = self.running[device]
        let record = member.record(rollout.id, records[device].id, fleet.models)
        let digest = fleet.models[package]?.record.digest
        let runs = records[device].running?.digest
        if !member.isThere || record.isStale(digest: digest, running: runs) {
            if let budget = rollout.policy.storeBudget, package != 0, running != 0,
                running != package,
                underway(fleet.devices[device].store, besides: device) >= budget
            {
                return false
            }
            let after = record.assigned(digest: digest, running: runs)
            guard after != .goingBack else { return false }
            set(at, device, wave: member.isThere ? member.wave : wave, after, package)
            for other in members.indices where other != at && members[other][device].isThere {
                let state = members[other][device].state
                if state.isUnderway || state == .waiting && other < at {
                    members[other][device].state = .superseded
                    members[other][device].changedAt = time
                }
            }
            fleet.check(store: fleet.devices[device].store)
        }
        assignedBy[device] = Int(rollout.id)
        assigned[device] = package
        return true
    }

    private func set(_ rollout: Int, _ device: Int, wave: Int, _ state: MemberState, _ package: Int)
    {
        members[rollout][device].isThere = true
        members[rollout][device].wave = wave
        members[rollout][device].state = state
        members[rollout][device].package = package
        members[rollout][device].changedAt = time
        fleet.devices[device].trace.add(
            TraceLine(
                minute: fleet.now, what: "the hub has it for rollout", number: rollout + 1,
                detail: "\(state), package \(package)"))
    }

    private func sendBack(_ device: Int, from rollout: UInt64, package: Int) throws(HubDown) {
        try write {
            let at = index(rollout)
            let member = members[at][device]
            var state = member.state == .superseded ? .goingBack : member.state.after(.takenBack)
            if running[device] != package { state = state.after(.wentBack) }
            if assignedBy[device] == Int(rollout) {
                assignedBy[device] = 0
                assigned[device] = 0
            }
            guard state != member.state || !member.isTold else { return }
            set(at, device, wave: member.wave, state, package)
            members[at][device].isTold = true
        }
    }

    /// Its places were given on.
    private func yield(_ device: Int, _ rollouts: [UInt64]) throws(HubDown) {
        try write {
            for rollout in rollouts {
                let at = index(rollout)
                let member = members[at][device]
                let after = member.state.after(.yielded)
                guard after != member.state else { continue }
                set(at, device, wave: member.wave, after, member.package)
                if assignedBy[device] == Int(rollout) {
                    assignedBy[device] = 0
                    assigned[device] = 0
                }
            }
        }
    }

    private func note(_ report: Report, running: Int, of device: Int) {
        if let at = members.indices.last(where: {
            members[$0][device].isThere && members[$0][device].package == report.package
        }) {
            let member = members[at][device]
            let outcome: PackageOutcome =
                switch report.outcome {
                case .trial: .trial
                case .active: .active
                case .refused: .refused
                case .rolledBack: .rolledBack
                }
            var state = member.state.after(.reported(outcome))
            if rollouts[at].state == .aborted
                || rolloutStores[at][fleet.devices[device].store].rolledBack != nil
            {
                state = state.after(.takenBack)
            }
            set(at, device, wave: member.wave, state, report.package)
        }
        setRunning(running, of: device)
        seenAt[device] = time
    }

    private func store(_ days: [ClosedDay], of device: Int) {
        let store = fleet.devices[device].store
        seenAt[device] = time
        for closed in days {
            if !closed.isShut, !closedDays[store].contains(closed.day) {
                let at = closedDays[store].lastIndex { $0 < closed.day }.map { $0 + 1 } ?? 0
                closedDays[store].insert(closed.day, at: at)
            }
            guard closed.candidate != 0,
                let rollout = members.indices.last(where: {
                    members[$0][device].isThere && members[$0][device].package == closed.candidate
                }), !pairs[rollout][device].contains(where: { $0.day == closed.day })
            else { continue }
            pairs[rollout][device].append(
                PairedDay(day: closed.day, active: closed.active, candidate: closed.candidate))
            rolloutStores[rollout][store].pairsThrough = max(
                rolloutStores[rollout][store].pairsThrough, closed.day)
        }
    }

    // MARK: Rollouts

    func push(
        release: Int, _ policy: RolloutPolicy, nanosecondsMax: Int?
    ) {
        let plan = RolloutPlan(
            policy.waves,
            devices: records.map {
                RolloutPlan.Device(id: $0.id, store: $0.store, isRunning: $0.running != nil)
            },
            key: RolloutPlan.key(family: "f", release: UInt64(release), selector: .all))
        var rollout = RolloutRecord(
            family: "f", release: UInt64(release), selector: .all, nanosecondsMax: nanosecondsMax,
            policy: policy, waveSizes: plan.waves.map(\.count), createdAt: time)
        rollout.id = UInt64(rollouts.count + 1)
        rollouts.append(rollout)
        members.append([Member](repeating: Member(), count: records.count))
        rolloutStores.append([StoreRow](repeating: StoreRow(), count: fleet.stores.count))
        pairs.append([[PairedDay]](repeating: [], count: records.count))
        for (wave, drawn) in plan.waves.enumerated() {
            for id in drawn {
                // Devices are called by their number.
                let device = Int(id.text)!
                members[members.count - 1][device].isThere = true
                members[members.count - 1][device].wave = wave
            }
        }
        note("rollout pushed", rollouts.count, policy.summary)
    }

    /// By an operator, from another process: it works while this one is down.
    func change(_ rollout: Int, by event: RolloutEvent) {
        do throws(RolloutRefusal) {
            try rollouts[rollout].handle(event, at: time)
        } catch {
            return  // he looked at it a moment ago
        }
        note("changed by an operator: rollout", rollout + 1, "\(event)")
        if rollouts[rollout].state == .aborted { takeBack(rollout, store: nil) }
    }

    private func takeBack(_ rollout: Int, store: Int?) {
        for device in records.indices
        where members[rollout][device].isThere
            && (store == nil || fleet.devices[device].store == store)
        {
            let state = members[rollout][device].state
            if state != .goingBack, state.after(.takenBack) == .goingBack {
                members[rollout][device].state = .goingBack
                members[rollout][device].changedAt = time
            }
        }
    }

    /// What RolloutDriver does once a second.
    /// - Returns: whether something changed.
    func turn() throws(HubDown) -> Bool {
        var hasChanged = false
        let newest = rollouts.last { $0.state != .aborted }?.id
        for rollout in rollouts.reversed() {
            switch rollout.state {
            case .aborted: continue
            case .complete where rollout.id != newest: continue
            case .running, .paused, .complete: break
            }
            let at = index(rollout.id)
            try judgeStores(at)
            var facts = rolloutFacts(at)
            if fleet.scenario.mutation == .opensWavesEarly { facts.soakedDays = 99 }
            let current = rollouts[at]
            guard let step = RolloutEngine.step(current, facts, at: time) else { continue }
            try write { apply(step, at) }
            hasChanged = true
        }
        return hasChanged
    }

    private func apply(_ step: RolloutStep, _ at: Int) {
        let before = rollouts[at]
        rollouts[at] = step.rollout
        for rolled in step.rolledBack {
            guard let store = Int(rolled.store.text) else { continue }
            rolloutStores[at][store].rolledBack = rolled.why
            takeBack(at, store: store)
            fleet.outcome.storesRolledBack += 1
        }
        for (wave, record) in step.rollout.waves.enumerated()
        where record.soakingSince != nil && before.waves[wave].soakingSince == nil {
            for device in records.indices
            where members[at][device].isThere && members[at][device].wave == wave
                && (members[at][device].state == .active || members[at][device].state == .already)
            {
                let store = fleet.devices[device].store
                rolloutStores[at][store].soakWave = wave
                rolloutStores[at][store].soakAfterDay = closedDays[store].last ?? -1
            }
        }
        for line in step.notes { note("rollout", at + 1, "\(line.action): \(line.why)") }
        if step.rollout.state == .paused { fleet.outcome.pauses += 1 }
        for wave in step.rollout.waves.indices.dropFirst()
        where step.rollout.waves[wave].openedAt != nil && before.waves[wave].openedAt == nil {
            fleet.checkOpening(at, after: wave - 1, before)
        }
    }

    func rolloutFacts(_ at: Int) -> RolloutFacts {
        let rollout = rollouts[at]
        var waves = [RolloutFacts.Wave](repeating: .init(), count: rollout.waves.count)
        let quiet = timestamp(fleet.now - 1_440 * rollout.policy.silentDays)
        let listens = timestamp(listeningSince) < quiet
        let (rows, seenAt) = (members[at], seenAt)
        let never = timestamp(0)
        let openedAt = rollout.waves.map { wave in
            wave.openedAt.map { max($0, quiet) }
        }
        for device in rows.indices where rows[device].isThere {
            let wave = rows[device].wave
            guard waves.indices.contains(wave) else { continue }
            let seen = seenAt[device] ?? never
            switch rows[device].state {
            case .waiting:
                if let opened = openedAt[wave], seen >= opened {
                    waves[wave].waiting += 1
                } else {
                    waves[wave].absent += 1
                }
            case .assigned:
                if listens, openedAt[wave] != nil, seen < quiet {
                    waves[wave].silent += 1
                } else {
                    waves[wave].assigned += 1
                }
            case .trial:
                if listens, openedAt[wave] != nil, seen < quiet {
                    waves[wave].silent += 1
                } else {
                    waves[wave].trial += 1
                }
            case .active, .already: waves[wave].active += 1
            case .refused: waves[wave].refused += 1
            case .rolledBack: waves[wave].rolledBack += 1
            case .goingBack: waves[wave].goingBack += 1
            case .noFit: waves[wave].noFit += 1
            case .superseded: waves[wave].superseded += 1
            }
        }
        var facts = RolloutFacts(waves: waves)
        if let open = rollout.openWave, rollout.waves[open].soakingSince != nil {
            facts.soakedDays = soakedDays(at, wave: open)
        }
        for (store, row) in rolloutStores[at].enumerated() {
            guard let isWorse = row.isWorse, row.rolledBack == nil else { continue }
            facts.stores.append(
                .init(store: fleet.stores[store].id, worse: isWorse, text: row.verdict))
        }
        return facts
    }

    func soakedDays(_ at: Int, wave: Int) -> Int {
        var (days, stores) = (0, 0)
        for (store, row) in rolloutStores[at].enumerated() where row.soakWave == wave {
            stores += 1
            days += closedDays[store].count { $0 > row.soakAfterDay ?? -1 }
        }
        return days / max(1, stores)
    }

    private func judgeStores(_ at: Int) throws(HubDown) {
        let due = rolloutStores[at].indices.filter {
            rolloutStores[at][$0].pairsThrough > rolloutStores[at][$0].judgedThrough
        }.prefix(64)
        guard !due.isEmpty else { return }
        try write { for store in due { judge(at, store) } }
    }

    private func judge(_ at: Int, _ store: Int) {
        var errors = PairedErrors()
        let drawn = fleet.stores[store].devices.filter { members[at][$0].isThere }
        // Item by item over all devices, as the store's own query has them.
        fleet.addPairs(of: drawn.map { ($0, pairs[at][$0]) }, to: &errors)
        let looks =
            max(1, rollouts[at].policy.trialDays) * max(1, drawn.count)
        let verdict = StoreVerdict(
            errors, criterion: rollouts[at].policy.criterion, looks: looks)
        rolloutStores[at][store].judgedThrough = rolloutStores[at][store].pairsThrough
        rolloutStores[at][store].isWorse = verdict.isWorse
        rolloutStores[at][store].verdict = verdict.text
    }
}
