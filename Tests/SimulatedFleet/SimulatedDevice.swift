import AgentCore
import Forecasting
import HubCore
import UpdateTrust

/// A device: the agent's own state machine (`Update`), rollback guard and paired test, on a disk, a clock and a network of
/// the simulation. What lies between them follows AgentService+Update and AgentService+Trial step by step.
final class SimulatedDevice {
    enum Contact { case stay, visit, erratic }

    /// Whose code is at work, in a file beside the database (`AtWork`).
    private enum Mark { case none, active, candidate }

    /// What really happened, whatever the device and the hub remember of it.
    struct Truth {
        var hadModel = false
        var refused: [Int] = []
        var activated: [Int] = []
        /// When it last learned what the hub wants.
        var heardAt = -1
        /// Its database was lost since it last had a model.
        var isBare = true
        /// The package that ended the agent so often that it was let go; 0: none.
        var ended = 0
    }

    let index: Int
    let store: Int
    let contact: Contact
    let isSlow: Bool
    private unowned(unsafe) let fleet: FleetSimulation

    var disk = SimulatedDisk()
    private var acceptedFile: RollbackGuard.Accepted?
    private var mark = Mark.none

    var budget: Int
    /// Minutes that its clock is ahead of the hub's until it has heard it.
    var skew = 0
    private(set) var isUp = false
    private var hasHeardHub = false
    private var update = Update()
    private var predictor = 0
    /// Days that it worked as the active one since it became so, for models that fail with time.
    private var daysActive = 0
    private var knownThrough = -1
    private(set) var told = Desired(wish: .stay)
    /// When it will turn to the hub next.
    var contactAt = 0
    var epoch = 0
    var isConnected = false
    /// An answer takes its time.
    var isWaiting = false
    var isAwayUntil = 0
    var truth = Truth()
    var trace = Trace()

    init(
        _ index: Int, store: Int, contact: Contact, isSlow: Bool, budget: Int,
        in fleet: FleetSimulation
    ) {
        self.index = index
        self.store = store
        self.contact = contact
        self.isSlow = isSlow
        self.budget = budget
        self.fleet = fleet
    }

    var running: Int { predictor }
    var isOnItsWay: Bool { update.active != nil && update.candidate != nil }
    var phase: Update.Phase { update.phase }
    var candidate: Int? { update.candidate.map { fleet.model(of: $0).number } }
    var hasReport: Bool { !disk.records.reports.isEmpty }
    var activeSlot: Slot? { update.active }
    var wanted: SimulatedModel? {
        guard case .fetching(let candidate) = update.phase else { return nil }
        return fleet.model(of: candidate)
    }

    private func note(_ what: StaticString, _ number: Int = 0, _ detail: String = "") {
        trace.add(TraceLine(minute: fleet.now, what: what, number: number, detail: detail))
    }

    // MARK: Starting and ending

    /// The agent starts, perhaps after it ended in the middle of something.
    func start() throws(Ending) {
        isUp = true
        hasHeardHub = false
        predictor = 0
        note("starts")
        // Written just before it ended.
        if let accepted = disk.records.accepted {
            let number = SimulatedModel.number(ofDigest: accepted.digest)
            if !truth.activated.contains(number) { truth.activated.append(number) }
        }
        for (package, memory) in disk.records.refused
        where memory.budgetBytes == nil && memory.downloads == 0
            && !truth.refused.contains(package)
        {
            truth.refused.append(package)
        }
        try resume()
    }

    func end(_ how: Ending) {
        isUp = false
        isConnected = false
        epoch += 1
        disk.disarm()
        switch how {
        case .powerCut:
            note("its power is cut")
            // Not flushed: mostly forgotten.
            if fleet.chance.happens(0.8) { mark = .none }
            if disk.isTorn {
                // What was lost with the last write has not happened, as far as the device can know.
                // Nor can the hub know of it before it is heard of again.
                truth.heardAt = -1
                if let last = truth.refused.last, disk.records.isRefused(last) == nil {
                    truth.refused.removeLast()
                }
                disk.clearTorn()
            }
        case .crash: note("its agent crashes")
        }
    }

    func loseDatabase() {
        note("its database is lost")
        disk.lose(firstDay: day)
        if fleet.chance.happens(0.5) { acceptedFile = nil }
        disk.restore(acceptedFile)
        truth.isBare = true
        truth.hadModel = false
        mark = .none
    }

    func spoil() {
        if let slot = disk.records.update.active {
            note("its active package is spoiled", disk.records.package(in: slot))
            disk.spoil(slot)
        }
    }

    /// Another budget: the agent is started anew with it.
    func setBudget(_ bytes: Int) {
        note("its memory budget becomes", bytes)
        budget = bytes
    }

    // MARK: Time

    var clock: Int { fleet.now + (hasHeardHub ? 0 : skew) }
    var day: Int { (clock + fleet.stores[store].offset) / 1_440 }
    private var minuteOfDay: Int { (clock + fleet.stores[store].offset) % 1_440 }
    private var windowIsOpen: Bool { update.terms.window?.contains(minute: minuteOfDay) ?? true }
    /// Minutes until a candidate that is due may become active; nil: none waits.
    var minutesToWindow: Int? {
        guard case .trial(_, .due) = update.phase else { return nil }
        return update.terms.window?.minutesUntilOpen(from: minuteOfDay) ?? 0
    }

    // MARK: AgentService+Update

    private func resume() throws(Ending) {
        update = disk.records.update
        let former = update.active
        if mark != .none {
            try step(.crashed(inTrial: mark == .candidate, otherSlotIsUsable: formerIsThere))
            if let former, update.active == nil { truth.ended = disk.records.package(in: former) }
            mark = .none
        }
        if let slot = update.active {
            if let problem = try load(disk.records.package(in: slot)) {
                let isUsable = try otherLoads()
                if !isUsable { predictor = 0 }
                try step(.activeBroken(problem, otherSlotIsUsable: isUsable))
            } else if update.active != former {
                try disk.write { _ in }
            }
        }
        switch update.phase {
        case .fetching, .verified, .trial: try step(.restarted)
        case .idle: break
        }
        try goOnWithTrial()
    }

    private func otherLoads() throws(Ending) -> Bool {
        switch update.phase {
        case .idle, .fetching: guard formerIsThere else { return false }
        case .trial(_, .beside), .trial(_, .due): break
        case .verified, .trial(_, .proving): return false
        }
        return try formerLoads()
    }

    private func formerLoads() throws(Ending) -> Bool {
        guard let slot = update.active?.other else { return false }
        let other = disk.records.package(in: slot)
        guard other != 0 else { return false }
        return try load(other) == nil
    }

    private var formerIsThere: Bool {
        switch update.phase {
        case .idle, .fetching: break
        case .verified, .trial: return false
        }
        guard let active = update.active else { return false }
        let other = disk.records.package(in: active.other)
        return other != 0 && disk.records.isRefused(abs(other)) == nil
    }

    private func load(_ package: Int) throws(Ending) -> String? {
        guard package != 0 else { return "its slot is empty" }
        mark = .active
        defer { mark = .none }
        guard package > 0 else { return "its bytes are damaged" }
        let model = fleet.models[package]!
        guard model.record.arenaBytes <= budget else { return "it does not fit" }
        predictor = package
        return nil
    }

    func consider(_ desired: Desired) throws(Ending) {
        try takeUp(desired)
        truth.heardAt = max(truth.heardAt, desired.saidAt)
    }

    private func takeUp(_ desired: Desired) throws(Ending) {
        if desired.wish != told.wish || desired.package != told.package {
            note("is told", desired.package, "\(desired.wish)")
            told = desired
        }
        try disk.write { _ in }
        switch desired.wish {
        case .goBack: return try takeBack(desired.package)
        case .stay, .noFit: return try step(.withdrawn)
        case .run: break
        }
        let candidate = fleet.models[desired.package]!.candidate
        guard desired.package != predictor else { return try step(.withdrawn) }
        if let refused = disk.records.isRefused(desired.package),
            !refused.mayBeRetried(budgetBytes: budget), fleet.scenario.mutation != .forgetsRefused
        {
            return try step(.withdrawn)
        }
        do throws(TrustError) {
            try candidate.stated.checkOffer(
                store: "1", arenaBudgetBytes: UInt64(budget), packageBytesMax: 1 << 20,
                rollback: RollbackGuard(accepted: disk.records.accepted))
        } catch {
            try step(.withdrawn)
            let reason: RefusalReason
            if case .arenaAboveBudget = error {
                reason = .budget(error.explanation)
            } else {
                reason = .package(error.explanation)
            }
            return try conclude(.refuse(candidate, reason), from: update)
        }
        try step(.offered(candidate, desired.terms))
        if case .fetching(candidate) = update.phase, truth.refused.contains(desired.package) {
            if update.active == nil, truth.isBare {
                // Its database is lost, and nothing else may come: what it refused once is better than nothing.
                truth.refused.removeAll { $0 == desired.package }
            } else {
                fleet.violated(
                    "device \(index) tries package \(desired.package) again", device: index)
            }
        }
        switch update.phase {
        case .verified: try step(.restarted)
        case .trial(let candidate, .proving): try prove(candidate)
        case .fetching(let candidate): try goOnIfComplete(candidate)
        case .idle, .trial: break
        }
        try goOnWithTrial()
    }

    private func takeBack(_ package: Int) throws(Ending) {
        guard predictor == package else {
            if let candidate = update.candidate, fleet.model(of: candidate).number == package {
                try step(.takenBack("taken back", isActive: false, otherSlotIsUsable: false))
            }
            return
        }
        let isUsable = formerIsThere ? try formerLoads() : false
        try step(.takenBack("taken back", isActive: true, otherSlotIsUsable: isUsable))
    }

    /// One piece of the wanted package.
    func takeChunk(of package: Int) throws(Ending) {
        guard case .fetching(let candidate) = update.phase,
            fleet.model(of: candidate).number == package
        else { return }
        try disk.write { $0.fetchedChunks += 1 }
        try goOnIfComplete(candidate)
        try goOnWithTrial()
    }

    private func goOnIfComplete(_ candidate: Candidate) throws(Ending) {
        if disk.records.fetchedChunks == fleet.model(of: candidate).chunks { try step(.fetched) }
    }

    private func step(_ event: Update.Event) throws(Ending) {
        let before = update
        let action = update.handle(event, windowIsOpen: windowIsOpen)
        switch action {
        case .nothing:
            if update != before { try save() }
        case .fetch(let candidate):
            try disk.write { [update] in
                if before.phase == .idle { $0.fetchedChunks = 0 }
                $0.save(update)
            }
            try goOnIfComplete(candidate)
        case .discard:
            try disk.write { [update] in
                $0.fetchedChunks = 0
                switch before.phase {
                case .idle, .fetching: break
                case .verified, .trial: $0.slots[Int(before.spare.rawValue) - 1] = 0
                }
                $0.save(update)
            }
        case .check(let candidate): try check(candidate)
        case .prove(let candidate):
            try save()
            try prove(candidate)
        case .activated(let candidate, let slot, _):
            guard try load(disk.records.package(in: slot)) == nil else {
                update = before
                return try step(.failed(.package("it does not load")))
            }
            try conclude(action, from: before)
            daysActive = 0
            truth.activated.append(fleet.model(of: candidate).number)
            truth.ended = 0
        case .compare, .refuse, .rolledBack: try conclude(action, from: before)
        }
    }

    private func save() throws(Ending) {
        try disk.write { [update] in $0.save(update) }
    }

    private func check(_ candidate: Candidate) throws(Ending) {
        let slot = Int(update.spare.rawValue) - 1
        let number = fleet.model(of: candidate).number
        var verified = update
        _ = verified.handle(.checked)
        if fleet.scenario.mutation == .splitsTransaction {
            try disk.write { $0.save(verified) }
            try disk.write { $0.slots[slot] = number }
        } else {
            try disk.write {
                if $0.slots[1 - slot] == number { $0.slots[1 - slot] = 0 }
                $0.slots[slot] = number
                $0.fetchedChunks = 0
                $0.save(verified)
            }
        }
        update = verified
        try step(.restarted)
    }

    private func prove(_ candidate: Candidate) throws(Ending) {
        let model = fleet.model(of: candidate)
        guard disk.records.package(in: update.spare) == model.number else {
            return try step(.failed(.download("its slot does not hold it")))
        }
        mark = .candidate
        if model.nature.crash == .inProof, model.crashes(on: index) { throw .crash }
        mark = .none
        guard model.record.arenaBytes <= budget else {
            return try step(.failed(.budget("it does not fit")))
        }
        let takes = UInt64(model.nature.nanoseconds * (isSlow ? 20 : 1))
        guard update.terms.nanosecondsMax == 0 || takes <= update.terms.nanosecondsMax else {
            return try step(.failed(.package("it is too slow here")))
        }
        let first = max(disk.records.lastClose + 1, 0)
        try step(.proved(on: BusinessDay(daysSince1970: Int32(first))))
    }

    private func conclude(_ action: Update.Action, from before: Update) throws(Ending) {
        let fleet = fleet
        let (update, budget) = (update, budget)
        var remembered: Int?
        try disk.write {
            $0.save(update)
            switch action {
            case .compare(let candidate):
                $0.queue(fleet.model(of: candidate).number, .trial, "beside")
            case .activated(let candidate, _, let reason):
                var rollback = RollbackGuard(accepted: $0.accepted)
                try? rollback.accept(candidate.stated)  // it was checked when it was offered
                $0.accepted = rollback.accepted
                $0.queue(fleet.model(of: candidate).number, .active, reason)
            case .refuse(let candidate, let reason):
                let number = fleet.model(of: candidate).number
                $0.fetchedChunks = 0
                $0.remember(number, reason, budget)
                if case .download = reason,
                    $0.isRefused(number)?.mayBeRetried(budgetBytes: budget) == true
                {
                    break
                }
                $0.queue(number, .refused, reason.text)
                if case .package = reason { remembered = number }
            case .rolledBack(let former, let reason, let isFinal):
                switch before.phase {
                case .idle, .fetching: break
                case .verified, .trial: $0.slots[Int(before.spare.rawValue) - 1] = 0
                }
                if let slot = before.active, $0.package(in: slot) != 0 {
                    let fallen = abs($0.package(in: slot))
                    if isFinal {
                        $0.remember(fallen, .package(reason), budget)
                        remembered = fallen
                        if let former, let model = fleet.models[$0.package(in: former)] {
                            var rollback = RollbackGuard(accepted: $0.accepted)
                            rollback.fallBack(to: model.candidate.stated)
                            $0.accepted = rollback.accepted
                        }
                    }
                    $0.queue(fallen, .rolledBack, reason)
                }
            case .nothing, .fetch, .discard, .check, .prove: break
            }
        }
        note("concludes", predictor, Self.name(action))
        switch action {
        case .activated: acceptedFile = disk.records.accepted
        case .refuse: fleet.outcome.refusals += 1
        case .rolledBack(let slot, _, _):
            acceptedFile = disk.records.accepted
            fleet.outcome.rolledBack += 1
            if slot == nil { predictor = 0 }
            daysActive = 0
        case .nothing, .fetch, .discard, .check, .prove, .compare: break
        }
        if let remembered { truth.refused.append(remembered) }
    }

    private static func name(_ action: Update.Action) -> String {
        switch action {
        case .compare: "beside"
        case .activated(_, let slot, let why): "active in \(slot): \(why)"
        case .refuse(let candidate, let reason):
            "refused \(candidate.stated.digest[0]): \(reason.text)"
        case .rolledBack(let slot, let reason, let isFinal):
            "back to \(slot.map { "\($0)" } ?? "none"), final \(isFinal): \(reason)"
        case .nothing, .fetch, .discard, .check, .prove: ""
        }
    }

    // MARK: AgentService+Trial

    func goOnWithTrial() throws(Ending) {
        if case .trial(_, .due) = update.phase, windowIsOpen { try step(.looked) }
        guard let candidate = update.candidateBeside else { return }
        let model = fleet.model(of: candidate)
        guard disk.records.package(in: update.spare) == model.number else {
            return try step(.failed(.download("its slot does not hold it any more")))
        }
        guard model.record.arenaBytes <= budget else {
            return try step(.failed(.budget("it does not fit any more")))
        }
        try forecastBeside(model)
        while let day = dayToCompare() {
            try step(.compared(BusinessDay(daysSince1970: Int32(day)), verdict(on: day, model)))
        }
    }

    private func forecastBeside(_ model: SimulatedModel) throws(Ending) {
        guard case .trial(_, .beside(let compared, let since, _)) = update.phase else { return }
        let next = disk.records.lastClose + 1
        guard predictor != 0, next >= Int(since.daysSince1970), next > disk.records.besideThrough
        else { return }
        mark = .candidate
        if case .beside(let days) = model.nature.crash, compared >= days, model.crashes(on: index) {
            throw .crash
        }
        mark = .none
        if update.crashes > 0 { _ = update.handle(.wentWell) }
        try disk.write { [update] in
            $0.besideThrough = next
            $0.save(update)
        }
    }

    private func dayToCompare() -> Int? {
        guard case .trial(_, .beside(_, _, let through)) = update.phase else { return nil }
        let day = Int(through.daysSince1970) + 1
        let last = disk.records.lastClose
        guard last >= day, day <= knownThrough || last - day >= 2 else { return nil }
        return day
    }

    private func verdict(on day: Int, _ candidate: SimulatedModel) -> DayVerdict {
        let days = disk.records.pairDays.filter { $0 <= day }
        guard days.contains(day) else { return .silent }
        var errors = PairedErrors()
        let (active, beside) = (predictor, candidate.number)
        fleet.addPairs(
            of: [
                (index, days.map { PairedDay(day: $0, active: active, candidate: beside) })
            ], to: &errors)
        switch errors.verdict(looks: max(1, update.terms.trialDays)) {
        case .tooFew, .notWorse: return .notWorse
        case .worse: return .worse("worse beside the active package")
        }
    }

    // MARK: Its day

    /// The till closes its day.
    func close() throws(Ending) {
        let day = day
        guard day > disk.records.lastClose else { return }
        let isShut = fleet.isShut(store, day)
        // The active package forecasts the next day.
        if predictor != 0 {
            let model = fleet.models[predictor]!
            mark = .active
            if case .active(let days) = model.nature.crash, daysActive >= days,
                model.crashes(on: index)
            {
                throw .crash
            }
            mark = .none
            if update.crashes > 0, update.candidateBeside == nil { try step(.wentWell) }
        }
        let beside = update.candidateBeside.map { fleet.model(of: $0).number }
        let active = predictor
        try disk.write {
            $0.lastClose = day
            var closed = ClosedDay(day: day, isShut: isShut)
            if let beside, !isShut, active != 0, $0.besideThrough == day {
                closed.candidate = beside
                closed.active = active
                $0.pairDays.append(day)
            }
            $0.unsent.append(closed)
        }
        daysActive += 1
        try goOnWithTrial()
    }

    // MARK: Its contacts

    /// What it has to say: a message after the other, and what it makes of the answers.
    func heard() {
        hasHeardHub = true
        // The totals of the store come with a contact.
        if fleet.chance.happens(0.8) { knownThrough = disk.records.lastClose }
    }

    func sent(_ days: Int) throws(Ending) {
        try disk.write { $0.unsent.removeFirst(min(days, $0.unsent.count)) }
        try goOnWithTrial()
    }

    func noted(_ package: Int) throws(Ending) {
        try disk.write { $0.reports.removeAll { $0.package == package } }
    }
}

extension Records {
    mutating func save(_ update: Update) {
        self.update = update
        if update.candidateBeside == nil {
            besideThrough = -1
            if !pairDays.isEmpty { pairDays = [] }
        }
    }

    mutating func queue(_ package: Int, _ outcome: Outcome, _ reason: String) {
        reports.removeAll { $0.package == package }
        reports.append(Report(package: package, outcome: outcome, reason: reason))
    }

    mutating func remember(_ package: Int, _ reason: RefusalReason, _ budget: Int) {
        var memory: RefusedPackage
        let former = isRefused(package)
        switch reason {
        case .download:
            memory = RefusedPackage(
                reason: [], budgetBytes: nil, downloads: (former?.downloads ?? 0) + 1)
        case .budget:
            memory = RefusedPackage(
                reason: [], budgetBytes: budget, downloads: former?.downloads ?? 0)
        case .package:
            memory = RefusedPackage(
                reason: [], budgetBytes: nil, downloads: former?.downloads ?? 0)
        }
        memory.reason = Array(reason.text.utf8)
        refused.removeAll { $0.package == package }
        refused.append((package, memory))
    }
}
