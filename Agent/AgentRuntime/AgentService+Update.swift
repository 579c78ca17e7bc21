import AgentCore
import Forecasting
import JSONText
package import SyncProtocol
import UpdateTrust

/// From what the hub wants to what runs. Every step is a state written first and an action after, so that
/// a power cut between any two leaves a step to repeat.
extension AgentService {
    static let acceptedFile = "accepted-package.json"
    private static let brokenNotice = "the active package could not be loaded: "

    /// Takes up what a restart interrupted, and loads the active package.
    func resume() throws(AgentError) {
        update = try stored { () throws(StoreError) in try store.update() }
        let former = update.active
        if let work = AtWork.interrupted(in: store.directory) {
            try step(
                .crashed(inTrial: work == .candidate, otherSlotIsUsable: try formerIsThere()))
            AtWork.none.mark(in: store.directory)
        }
        if let slot = update.active {
            let active = try stored { () throws(StoreError) in try store.package(in: slot) }
            if let problem = load(active) {
                let isUsable = try otherLoads()
                if !isUsable { predictor = nil }
                try step(.activeBroken(problem, otherSlotIsUsable: isUsable))
            } else if update.active != former {
                // It was the other one that crashed.
                try stored { () throws(StoreError) in
                    try store.transaction { () throws(StoreError) in try refreshForecasts() }
                }
            }
        }
        switch update.phase {
        case .fetching, .verified, .trial: try step(.restarted)
        case .idle: break
        }
        goOnWithTrial()
    }

    /// Whether the other slot holds a package that was active here and did not lose its place.
    private func formerIsThere() throws(AgentError) -> Bool {
        guard !update.spareIsTaken, let active = update.active else { return false }
        return try stored { () throws(StoreError) in
            guard let other = try store.package(in: active.other) else { return false }
            return try store.refused(other.candidate.stated.digest) == nil
        }
    }

    /// Makes the package at work that can stand in for a broken one: the candidate once it is proved, or the former one. One that was
    /// refused, or never passed its trial, is none.
    private func otherLoads() throws(AgentError) -> Bool {
        switch update.phase {
        case .idle, .fetching: guard try formerIsThere() else { return false }
        case .trial(_, .beside), .trial(_, .due): break
        case .verified, .trial(_, .proving): return false
        }
        guard let slot = update.active?.other else { return false }
        let other = try stored { () throws(StoreError) in try store.package(in: slot) }
        return other.map { load($0) == nil } ?? false
    }

    /// Makes `package` the one at work; otherwise says why not and changes nothing.
    private func load(_ package: StoredPackage?) -> String? {
        guard let package else { return "its slot is empty" }
        workOfPredictor.mark(in: store.directory)
        defer { AtWork.none.mark(in: store.directory) }
        do throws(UnusablePackage) {
            predictor = try EnginePredictor.load(
                package.candidate, content: package.content, budgetBytes: Int(budgetBytes))
            return nil
        } catch {
            return error.reason.text
        }
    }

    /// What the hub says this device should run.
    package func consider(_ desired: DesiredState) throws(AgentError) {
        try stored { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                // SPEC 7.4: before anything else of it.
                if desired.contactNumber > 0 {
                    try store.set(
                        .contactNumber, .integer(Int64(bitPattern: desired.contactNumber)))
                }
                try store.set(.desire, .integer(Int64(desired.desire.rawValue)))
                try store.set(.desireReason, desired.reason)
            }
        }
        guard let candidate = try candidate(of: desired) else { return }
        let ownStore = try joined().store
        let rollback = try stored { () throws(StoreError) in try store.rollbackGuard() }
        do throws(TrustError) {
            try candidate.stated.checkOffer(
                store: ownStore, arenaBudgetBytes: budgetBytes,
                packageBytesMax: AgentStore.packageBytesMax, rollback: rollback)
        } catch {
            try refuse(candidate, Self.reason(error))
            return
        }
        try note(desired.delta, for: candidate)
        try step(.offered(candidate, UpdateTerms(desired)))
        // What could not be written at an earlier offer goes on from there; no crash is blamed on the package.
        switch update.phase {
        case .verified: try step(.restarted)
        case .trial(let candidate, .proving): try prove(candidate)
        case .fetching(let candidate): try goOnIfComplete(candidate)
        case .idle, .trial: break
        }
        goOnWithTrial()
    }

    /// The package that `desired` wants, if somebody trusted vouches for it and it is not here or refused already.
    private func candidate(of desired: DesiredState) throws(AgentError) -> Candidate? {
        if desired.desire == .run {
            let digest = desired.digest
            if let underway = update.candidate, underway.stated.digest == digest {
                // Signed when it was first offered.
                try refreshTrust()
                return underway
            }
            var isSettled = digest == predictor?.candidate.stated.digest
            if !isSettled,
                let refused = try stored({ () throws(StoreError) in try store.refused(digest) })
            {
                isSettled = !refused.mayBeRetried(budgetBytes: Int(budgetBytes))
            }
            if !isSettled { return try trustedCandidate(desired) }
        }
        // What runs goes on, and what was under way is dropped.
        try refreshTrust()
        if desired.desire == .goBack {
            try takeBack(desired.digest, because: desired.reason)
        } else {
            try step(.withdrawn)
        }
        return nil
    }

    private func trustedCandidate(_ desired: DesiredState) throws(AgentError) -> Candidate? {
        let digest = desired.digest
        switch try walk(to: desired.target) {
        case .found(let file):
            let stated: StatedPackage
            do throws(TrustError) { stated = try StatedPackage(file) } catch {
                try tell(digest, refusal: error.explanation)
                return nil
            }
            guard stated.digest == digest else {
                try noteTrust(
                    problem: "the hub names another package than its metadata", wanting: digest)
                return nil
            }
            try noteTrust(problem: nil)
            return Candidate(stated: stated)
        case .none(let problem): try noteTrust(problem: problem, wanting: digest)
        case .current: break
        }
        return nil
    }

    /// The hub takes a package back that runs here or was to.
    private func takeBack(_ digest: [UInt8], because reason: String) throws(AgentError) {
        guard let active = predictor, active.candidate.stated.digest == digest else {
            // Not here, or on its way. What is on its way and another one goes on.
            if update.candidate?.stated.digest == digest {
                try step(.takenBack(reason, isActive: false, otherSlotIsUsable: false))
            }
            return
        }
        var isUsable = false
        if try formerIsThere(), let slot = update.active?.other {
            let former = try stored { () throws(StoreError) in try store.package(in: slot) }
            isUsable = load(former) == nil
        }
        do throws(AgentError) {
            try step(.takenBack(reason, isActive: true, otherSlotIsUsable: isUsable))
        } catch {
            predictor = active
            throw error
        }
        guard !isUsable else { return }
        try stored { () throws(StoreError) in
            try store.set(
                .lastError,
                "the hub takes its package back, and there is no former one here to go back to: "
                    + reason)
        }
    }

    private static func reason(_ error: TrustError) -> RefusalReason {
        switch error {
        case .arenaAboveBudget: .budget(error.explanation)
        case .lengthDiffers, .digestDiffers: .download(error.explanation)
        case .incomplete, .otherStore, .packageTooLarge, .olderRelease, .releaseReused,
            .manifestDiffers:
            .package(error.explanation)
        }
    }

    /// One piece of the wanted package, or of the delta by which it comes.
    package func take(_ chunk: Chunk) throws(AgentError) {
        guard case .fetching(let candidate) = update.phase else { return }
        let route = try stored { () throws(StoreError) in try self.route(to: candidate) }
        guard chunk.digest == route.digest else { return }  // an answer to what is no longer wanted
        guard chunk.packageBytes == route.bytes else {
            guard route.base == nil else {
                return try giveUpDelta(
                    to: candidate,
                    "the hub's delta has \(chunk.packageBytes) bytes; it said \(route.bytes)")
            }
            try step(
                .failed(
                    .download(
                        "the hub's file has \(chunk.packageBytes) bytes; its metadata says \(candidate.stated.packageBytes)"
                    )))
            return
        }
        let here = try stored { () throws(StoreError) in try store.fetchedBytes() }
        guard chunk.offset == here, !chunk.content.isEmpty,
            here + UInt64(chunk.content.count) <= route.bytes
        else {
            throw .refused("the hub sent another piece of the package than was asked for")
        }
        try stored { () throws(StoreError) in
            try store.append(chunk: chunk.content, at: chunk.offset)
        }
        try goOnIfComplete(candidate)
        goOnWithTrial()
    }

    private func goOnIfComplete(_ candidate: Candidate) throws(AgentError) {
        let isComplete = try stored { () throws(StoreError) -> Bool in
            let here = try store.fetchedBytes()
            return here == (try route(to: candidate).bytes)
        }
        if isComplete { try step(.fetched) }
    }

    /// Feeds one event, stores the state with what the action leaves behind, and acts.
    func step(_ event: Update.Event) throws(AgentError) {
        let before = update
        let action = update.handle(event, windowIsOpen: windowIsOpen)
        do throws(AgentError) {
            try carryOut(action, from: before)
        } catch {
            // Steps that it led to may have been stored: memory goes back to what the database says, and where that
            // cannot be read to what it said before.
            update = (try? store.update()) ?? before
            throw error
        }
    }

    private func carryOut(_ action: Update.Action, from before: Update) throws(AgentError) {
        switch action {
        case .nothing:
            if update != before { try save() }
        case .fetch(let candidate):
            try stored { () throws(StoreError) in
                try store.transaction { () throws(StoreError) in
                    if before.phase == .idle { try store.discardFetched() }
                    try store.save(update)
                }
            }
            // All of it may lie here already, after a cut between the last piece and the check.
            try goOnIfComplete(candidate)
        case .discard:
            try stored { () throws(StoreError) in
                try store.transaction { () throws(StoreError) in
                    try discard(before)
                    try store.save(update)
                }
            }
        case .check(let candidate):
            try check(candidate)
        case .prove(let candidate):
            try save()  // a trial that crashes the agent is counted
            try prove(candidate)
        case .activated(let candidate, let slot, _):
            try activate(candidate, in: slot, action, from: before)
        case .compare, .refuse, .rolledBack:
            try conclude(action, from: before)
        }
    }

    /// Forgets what was fetched or put aside of a candidate. Its slot too: what never was active here is nothing to go
    /// back to.
    private func discard(_ before: Update) throws(StoreError) {
        try store.discardFetched()
        if before.spareIsTaken { try store.empty(before.spare) }
    }

    private func save() throws(AgentError) {
        try stored { () throws(StoreError) in try store.save(update) }
    }

    private func check(_ candidate: Candidate) throws(AgentError) {
        guard let content = try fetchedPackage(candidate) else { return }
        do throws(UnusablePackage) {
            try EnginePredictor.check(candidate, content: content)
        } catch {
            try step(.failed(error.reason))
            return
        }
        let slot = update.spare
        var verified = update
        _ = verified.handle(.checked)
        try stored { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                try store.put(candidate, content: content, in: slot)
                try store.discardFetched()
                try store.save(verified)
            }
        }
        update = verified
        try step(.restarted)
    }

    private func prove(_ candidate: Candidate) throws(AgentError) {
        let slot = update.spare
        let stored = try stored { () throws(StoreError) in try store.package(in: slot) }
        let asOf: BusinessDay
        do throws(UnusablePackage) {
            guard let stored, stored.candidate == candidate else {
                throw UnusablePackage(.download("its slot does not hold it"))
            }
            AtWork.candidate.mark(in: store.directory)
            defer { AtWork.none.mark(in: store.directory) }
            let proved = try EnginePredictor.load(
                candidate, content: stored.content, budgetBytes: Int(budgetBytes))
            try checkTime(of: proved)
            asOf = proved.asOf
        } catch {
            try step(.failed(error.reason))
            return
        }
        try step(.proved(on: try firstDayBeside(asOf: asOf)))
    }

    /// Puts the candidate to work, and writes that down: forecasts are made anew in the same transaction.
    private func activate(
        _ candidate: Candidate, in slot: Slot, _ action: Update.Action, from before: Update
    ) throws(AgentError) {
        let former = predictor
        // Until it is written down, an end of the agent in its code is the candidate's.
        workOfPredictor = .candidate
        defer { workOfPredictor = .active }
        let kept = try stored { () throws(StoreError) in try store.package(in: slot) }
        if let problem = load(kept) {
            update = before
            try step(.failed(.package(problem)))
            return
        }
        do throws(AgentError) {
            try conclude(action, from: before)
        } catch {
            predictor = former
            throw error
        }
    }

    private func checkTime(of package: EnginePredictor) throws(UnusablePackage) {
        let most = update.terms.nanosecondsMax
        guard most > 0 else { return }
        let measured = UInt64(EngineTiming.nanoseconds(of: package.engine))
        guard measured > most else { return }
        throw UnusablePackage(
            .package("one forecast takes \(measured) ns here, and at most \(most) ns are allowed"))
    }

    /// The last step of an update: what it leaves behind, in one transaction with the state.
    private func conclude(
        _ action: Update.Action, from before: Update
    ) throws(AgentError) {
        var accepted: RollbackGuard.Accepted?
        try stored { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                try store.save(update)
                switch action {
                case .compare(let candidate):
                    try store.queueReport(
                        digest: candidate.stated.digest, outcome: .trial,
                        reason:
                            "golden vectors proved; \(update.terms.trialDays) days beside the active package"
                            + wayHere(of: candidate),
                        arenaBytes: candidate.stated.arenaBytes)
                case .activated(let candidate, _, let reason):
                    var rollback = try store.rollbackGuard()
                    // It was checked when it was offered; only an older one could have come between.
                    try? rollback.accept(candidate.stated)
                    accepted = rollback.accepted
                    if let accepted { try store.save(accepted) }
                    // What was broken is replaced: the notice has been heard.
                    if let notice = try store.text(.notice),
                        notice.starts(with: Self.brokenNotice.utf8)
                    {
                        try store.clear(.notice)
                    }
                    try store.queueReport(
                        digest: candidate.stated.digest, outcome: .active,
                        reason: reason + wayHere(of: candidate),
                        arenaBytes: candidate.stated.arenaBytes)
                    try refreshForecasts()
                case .refuse(let candidate, let reason):
                    try discard(before)
                    try store.remember(
                        refusalOf: candidate.stated.digest, reason: reason,
                        budgetBytes: Int(budgetBytes))
                    // A copy that was bad is fetched again, so that is no answer yet.
                    if case .download = reason,
                        let refused = try store.refused(candidate.stated.digest),
                        refused.mayBeRetried(budgetBytes: Int(budgetBytes))
                    {
                        break
                    }
                    try store.queueReport(
                        digest: candidate.stated.digest, outcome: .refused, reason: reason.text,
                        arenaBytes: candidate.stated.arenaBytes)
                case .rolledBack(let slot, let reason, let isFinal):
                    switch before.phase {
                    case .idle, .fetching: break
                    case .verified, .trial: try store.empty(before.spare)
                    }
                    if let fallen = try before.active.flatMap({ (at) throws(StoreError) in
                        try store.package(in: at)
                    }) {
                        let digest = fallen.candidate.stated.digest
                        if isFinal {
                            try store.remember(
                                refusalOf: digest, reason: .package(reason),
                                budgetBytes: Int(budgetBytes))
                            if let at = before.active { try store.empty(at) }
                            if let former = try slot.flatMap({ (at) throws(StoreError) in
                                try store.package(in: at)
                            }) {
                                var rollback = try store.rollbackGuard()
                                rollback.fallBack(to: former.candidate.stated)
                                accepted = rollback.accepted
                                if let accepted { try store.save(accepted) }
                            }
                        }
                        try store.queueReport(
                            digest: digest, outcome: .rolledBack,
                            reason: (slot == nil
                                ? "no package runs: " : "the former package runs: ")
                                + reason, arenaBytes: 0)
                    }
                    if !isFinal { try store.set(.notice, Self.brokenNotice + reason) }
                    try refreshForecasts()
                case .nothing, .fetch, .discard, .check, .prove:
                    preconditionFailure("not the end of an update")
                }
            }
        }
        // The guard outlives a damaged database. Written after the commit: never ahead of it.
        if let accepted { keepOutsideDatabase(accepted) }
    }

    /// Refuses what was offered before any of it was fetched.
    private func refuse(_ candidate: Candidate, _ reason: RefusalReason) throws(AgentError) {
        try step(.withdrawn)
        try conclude(.refuse(candidate, reason), from: update)
    }

    private func tell(_ digest: [UInt8], refusal: String) throws(AgentError) {
        try stored { () throws(StoreError) in
            try store.set(.lastError, "a package was refused: " + refusal)
            try store.queueReport(
                digest: digest, outcome: .refused, reason: refusal, arenaBytes: 0)
        }
    }

    private func keepOutsideDatabase(_ accepted: RollbackGuard.Accepted) {
        let json = JSONValue.object([
            .init("device", .string(identity?.deviceID ?? "")),
            .init("release", .integer(accepted.release)),
            .init("digest", .text(Hex.text(accepted.digest))),
            .init("family", .string(accepted.family)), .init("variant", .string(accepted.variant)),
        ])
        // It failing costs rollback protection only if the database is damaged too; the database has it.
        _ = Files.replace(store.directory + "/" + Self.acceptedFile, by: json.line)
    }

    /// A new database learns from the file beside it what was accepted.
    func restoreRollbackGuard() throws(StoreError) {
        guard try store.integer(.acceptedRelease) == nil,
            let bytes = Files.read(store.directory + "/" + Self.acceptedFile, bytesMax: 4096),
            let value = try? JSONValue(parsing: bytes),  // damaged: as if there were none
            let device = value["device"]?.utf8, let identity,
            device.elementsEqual(identity.deviceID.utf8),  // another hub numbers its own releases
            case .number(let digits)? = value["release"], let release = decimal(digits),
            let digest = value["digest"]?.utf8.flatMap({ Hex.bytes($0) }),
            let family = value["family"]?.utf8, let variant = value["variant"]?.utf8
        else { return }
        try store.transaction { () throws(StoreError) in
            try store.save(
                RollbackGuard.Accepted(
                    release: release, digest: digest,
                    family: String(decoding: family, as: UTF8.self),
                    variant: String(decoding: variant, as: UTF8.self)))
        }
    }
}
