import Forecasting
import HTTPTypes
import HubCore
import HubStore
import JSONText

/// Rollouts: what was pushed to whom, how far it has come, and what an operator can do with it.
enum RolloutRoutes {
    static let policy = Shape<RolloutPolicy>(
        "Policy", "How a push comes to its devices; fixed when it is pushed.",
        [
            .text("summary", "In one line.", RolloutPolicy().summary) { $0.summary },
            .text("waves", "How many devices have it after each wave.", "1%,10%,50%,100%") {
                $0.waves.text
            },
            .count("soakDays", "Business days between a wave's success and the next.", 1) {
                $0.soakDays
            },
            .count("trialDays", "Business days that a device compares it with what it runs.", 7) {
                $0.trialDays
            },
            .text("success", "How much of a wave has to end well.", "95%") { $0.success.text },
            .text("fail", "How many failures pause it: of the first wave, of later ones.", "1,2%") {
                $0.failures.text
            },
            .count("silentDays", "Days after which a device not heard of counts as failed.", 3) {
                $0.silentDays
            },
            .countIfAny(
                "storeBudget", "Devices of a store on their way at once; null: no limit.", 1
            ) { $0.storeBudget },
            .textIfAny(
                "window", "Only in these hours of the store's day it becomes active; null: always.",
                "22:00-05:30"
            ) { $0.window?.text },
            .countIfAny("bytesMax", "What a device may fetch for it; null: anything.", 65_536) {
                $0.bytesMax
            },
        ])

    static let rollout = Shape<RolloutRecord>(
        "Rollout", "A push, and where it stands.",
        [
            .count("id", "Its number.", 4) { $0.id },
            .text("family", "What was pushed.", "spring") { $0.family },
            .countIfAny("release", "Its release; null: the newest there is.", 3) { $0.release },
            .text("selector", "To which devices.", "kind=scanner") { $0.selector.text },
            .word("state", "Where it stands.", RolloutState.allCases.map(\.rawValue)) {
                $0.state.rawValue
            },
            .text("why", "Why it is in that state.", "complaints from store 12") { $0.why },
            .moment("since", "Since when.") { $0.stateSince },
            .countIfAny("wave", "The wave it stands at, from 1 up; null: it has none.", 2) {
                $0.openWave.map { $0 + 1 }
            },
            .count("waves", "How many there are.", 4) { $0.waves.count },
            .countIfAny(
                "nanosecondsMax", "What one forecast may take on a device; null: anything.",
                2_000_000
            ) { $0.nanosecondsMax },
            .count(
                "meteredBytesMax",
                "What an update may take over a link that is paid for by the byte; 0: what each device allows itself.",
                20_480
            ) { $0.meteredBytesMax },
            .moment("createdAt", "When it was pushed.") { $0.createdAt },
            .count(
                "revision", "Grows with every change; who changes it may say which one was read.", 7
            ) { $0.revision },
            .shape("policy", "How it comes to its devices.", policy) { $0.policy },
        ])

    struct Wave: Sendable {
        var number: Int
        var wave: RolloutWave
        var facts: RolloutFacts.Wave
    }

    static let wave = Shape<Wave>(
        "Wave", "One wave of a rollout, and how its devices stand.",
        [
            .count("wave", "From 1 up.", 1) { $0.number },
            .count("devices", "Drawn into it.") { $0.wave.devices },
            .momentIfAny("openedAt", "null: its turn has not come.") { $0.wave.openedAt },
            .momentIfAny("succeededAt", "null: it has not succeeded yet.") { $0.wave.soakingSince },
            .count("absent", "Not in touch since it was opened.", 1) { $0.facts.absent },
            .count("waiting", "Waiting for others of their store.", 0) { $0.facts.waiting },
            .count("assigned", "Told, and not heard of since.", 1) { $0.facts.assigned },
            .count("trial", "Comparing it with what they run.", 3) { $0.facts.trial },
            .count("active", "Running it.", 6) { $0.facts.active },
            .count("failed", "That refused it, went back or fell silent.", 0) { $0.facts.failures },
            .count("noFit", "For which nothing of it fits.", 1) { $0.facts.noFit },
        ])

    static let store = Shape<RolloutStoreRecord>(
        "RolloutStore", "How a rollout does in one store.",
        [
            .store { $0.store },
            .momentIfAny("rolledBackAt", "null: it was not taken back there.") { $0.rolledBackAt },
            .text("why", "Why it was.", "") { $0.why },
            .text(
                "error", "What its errors say, beside those of what runs.", "12.1 % beside 12.9 %"
            ) {
                $0.verdict
            },
        ])

    struct Whole: Sendable {
        var rollout: RolloutRecord
        var facts: RolloutFacts
        var stores: [RolloutStoreRecord]
        var progress: RolloutProgress
    }

    struct Count: Sendable {
        var state: RolloutProgress.State
        var devices: Int
    }

    static let whole = Shape<Whole>(
        "RolloutInFull", "A rollout, wave by wave and store by store.",
        [
            .shape("rollout", "The rollout.", rollout) { $0.rollout },
            .text("standing", "Why it stands where it stands.", "wave 2 of 4 is on its way") {
                RolloutEngine.standing($0.rollout, $0.facts)
            },
            .flag("waitsForOperator", "It goes no further until somebody decides.") {
                RolloutEngine.waitsForOperator($0.rollout, $0.facts)
            },
            .flag("isSettled", "Every device has said what became of its package.") {
                $0.progress.isSettled
            },
            .shapes("waves", "In their order.", wave, countMax: RolloutWaves.stepsMax) { whole in
                zip(whole.rollout.waves, whole.facts.waves).enumerated().map { index, pair in
                    Wave(number: index + 1, wave: pair.0, facts: pair.1)
                }
            },
            .shapes(
                "devices", "How many devices stand where.",
                Shape<Count>(
                    "RolloutCount", "How many devices of a rollout stand somewhere.",
                    [
                        .word("state", "Where.", states) { $0.state.rawValue },
                        .count("devices", "How many.") { $0.devices },
                    ]), countMax: RolloutProgress.State.allCases.count
            ) { whole in
                RolloutProgress.State.allCases.map {
                    Count(state: $0, devices: whole.progress.count($0))
                }.filter { $0.devices > 0 }
            },
            .shapes("stores", "Those rolled back, or with something to compare.", store) {
                $0.stores
            },
        ])

    private static let states = RolloutProgress.State.allCases.map(\.rawValue)

    static let device = Shape<RolloutProgress.Line>(
        "RolloutDevice", "Where one device of a rollout stands, and why.",
        [
            .device { $0.device }, .store { $0.store },
            .word("state", "Where it stands.", states) { $0.state.rawValue },
            .countIfAny("wave", "From 1 up; null: it came after the draw.", 1) {
                $0.wave.map { $0 + 1 }
            },
            .digestIfAny("digest", "SHA-256 of the package it was given.") { $0.digest },
            .text("reason", "Why.", "its wave is not open yet") { $0.reason },
        ])

    private static func steering(
        _ name: String, _ meaning: String, _ more: [APIObject.Member] = [],
        needsRevision: Bool = false
    ) -> APIObject {
        APIObject(
            name: name, meaning: meaning,
            members: [
                .init("why", .text(.why), "For the audit log."),
                .init(
                    "revision", .count,
                    needsRevision
                        ? "Of the rollout as it was read: sent twice, it opens one wave."
                        : "Of the rollout as it was read: who was quicker wins. Left out: as it is now.",
                    example: .integer(7), isRequired: needsRevision),
            ] + more)
    }

    private static let reason = steering("Reason", "Why a rollout is changed.")

    static let routes: [APIRoute] = [
        .list(
            "/rollouts", "listRollouts", .rollouts, "Rollouts, the newest first", shape: rollout
        ) { call in
            try call.page(try await call.store.rollouts()) { [.falling(Int64($0.id))] }
        },
        .make(
            "/rollouts", "push", .rollouts,
            "Roll a family out: each device gets the best of its packages that it can run",
            """
            As 'shelfcast-hub push': in waves, compared with what runs, unless atOnce says otherwise or nothing runs yet. The \
            same push again changes nothing. With dryRun it shows what would happen.
            """, body: newPush, statuses: [.created, .ok], shape: pushed, push),
        .one(
            "/rollouts/{rollout}", "getRollout", .rollouts,
            "A rollout, wave by wave and store by store",
            shape: whole
        ) { try await read($0, try $0.number("rollout")) },
        .list(
            "/rollouts/{rollout}/devices", "listRolloutDevices", .rollouts,
            "Where each device of a rollout stands, and why, by store",
            query: [.init("state", .word(states), "Only these.")], shape: device
        ) { call in
            let whole = try await read(call, try call.number("rollout"))
            let state: RolloutProgress.State? = call.word("state")
            return try call.page(
                whole.progress.lines.filter { state == nil || $0.state == state }
            ) { [.text($0.store.text), .text($0.device.text)] }
        },
        verb(
            "pause", "Who has the package keeps it; nobody new gets it",
            "Paused already, it stays so.",
            reason, already: .paused
        ) { why, _, _ in .pause(why: why) },
        verb(
            "resume", "Let it go on; failures until now are not held against it again",
            "Running already, it goes on.", reason, already: .running
        ) { why, facts, _ in .resume(why: why, failures: facts.failures) },
        verb(
            "promote", "Open the next wave without waiting; after the last, call it complete",
            "Trials on the devices go on as they are.",
            steering(
                "Promotion", "Why the next wave is opened, and of what rollout.",
                needsRevision: true)
        ) { why, _, _ in .promote(why: why) },
        verb(
            "abort", "Take it back: whoever has the package goes back to what ran before. Final",
            "Aborted already, it stays so.", reason, already: .aborted
        ) { why, _, _ in .abort(why: why) },
        verb(
            "allow-metered", "Let devices on links that are paid for by the byte fetch its package",
            nil,
            steering(
                "MeteredAllowance",
                "What may go over links that are paid for by the byte, and why.",
                [
                    .init(
                        "bytes", .integer(0...(1 << 40)),
                        "What one device's update may take; 0: what each device allows itself.",
                        example: .integer(20_480))
                ])
        ) { why, _, call in
            .allowMetered(bytes: UInt64(call.body.number("bytes") ?? 0), why: why)
        },
    ]

    /// The same change as the command of that name makes.
    /// - Parameter already: a rollout in this state stays as it is, so that a repeated request changes nothing.
    private static func verb(
        _ verb: String, _ summary: String, _ detail: String?, _ body: APIObject,
        already: RolloutState? = nil,
        _ event:
            @escaping @Sendable (_ why: String, RolloutFacts, APICall) -> RolloutEvent
    ) -> APIRoute {
        let id = verb == "allow-metered" ? "allowMetered" : verb
        return .change(
            "/rollouts/{rollout}/\(verb)", "\(id)Rollout", .rollouts, summary, detail, body: body,
            shape: whole
        ) { call in
            let whole = try await read(call, try call.number("rollout"))
            guard whole.rollout.state != already else { return whole }
            _ = try await call.store.change(
                rollout: whole.rollout.id,
                by: event(call.body.text("why") ?? "", whole.facts, call),
                ifStill: call.body.number("revision").map { UInt64($0) } ?? whole.rollout.revision,
                at: call.now)
            return try await read(call, Int64(whole.rollout.id))
        }
    }

    private static func read(_ call: APICall, _ id: Int64) async throws -> Whole {
        guard
            let (rollout, facts) = try await call.store.rolloutFacts(
                UInt64(id), listeningSince: call.now, at: call.now)
        else { throw APICall.nothing("rollout", "\(id)") }
        return Whole(
            rollout: rollout, facts: facts,
            stores: try await call.store.rolloutStores(rollout.id),
            progress: RolloutProgress(
                of: rollout, devices: try await call.store.devices(store: nil),
                members: try await call.store.members(rollout: rollout.id)))
    }

    // MARK: Push

    private static let newPush = APIObject(
        name: "NewPush", meaning: "What is pushed to whom, and how it comes to them.",
        members: [
            .init("family", .text(.family), "As training named it."),
            .init(
                "to", .text(.plain(1...Selector.textBytesMax, example: "kind=scanner")),
                "Which devices: a selector, or all."),
            .init(
                "dryRun", .flag, "Show what would happen, and change nothing.", isRequired: false),
            .init(
                "nanosecondsMax", .integer(1...60_000_000_000),
                "What one forecast may take on a device.", example: .integer(2_000_000),
                isRequired: false),
            .init("atOnce", .flag, "Everyone now: one wave, no trial.", isRequired: false),
            .init(
                "waves", .text(.plain(1...256, example: "3,10%,50%,100%")),
                "How many devices have it after each wave.", isRequired: false),
            .init(
                "soakDays", .integer(0...Int64(RolloutPolicy.soakDaysMax)),
                "Business days between a wave's success and the next.", isRequired: false),
            .init(
                "trialDays", .integer(0...Int64(RolloutPolicy.trialDaysMax)),
                "Business days that a device compares it with what it runs.",
                example: .integer(7), isRequired: false),
            .init(
                "fail", .text(.plain(1...64, example: "1,2%")),
                "How many failures pause it: of the first wave, of later ones.", isRequired: false),
            .init(
                "storeBudget", .nullable(.integer(1...Int64(RolloutPolicy.storeBudgetMax))),
                "Devices of a store on their way at once; null: no limit.", isRequired: false),
            .init(
                "window", .text(.plain(1...16, example: "22:00-05:30")),
                "Only in these hours of the store's day it becomes active.", isRequired: false),
            .init(
                "bytesMax", .integer(1...(1 << 40)), "What a device may fetch for it.",
                example: .integer(65_536), isRequired: false),
        ])

    struct Pushed: Sendable {
        var rollout: RolloutRecord?
        var isNew: Bool
        var push: FamilyPush
        var lines: [PushView.Line]
    }

    /// Lines of devices that a push shows; the rollout's list of devices has them all.
    private static let linesShown = 1_000

    private static let pushLine = Shape<PushView.Line>(
        "PushLine", "What one device gets.",
        [
            .device { $0.device.id }, .store { $0.device.store },
            .countIfAny("budgetBytes", "What a model may take there.", 2_048) {
                $0.device.capabilities?.modelMemoryBudgetBytes
            },
            .countIfAny("wave", "From 1 up; null: it comes with the wave that is open then.", 1) {
                $0.wave.map { $0 + 1 }
            },
            .textIfAny("variant", "Of the package; null: nothing fits.", "profile-4") {
                $0.package?.variant
            },
            .digestIfAny("digest", "SHA-256 of the package.") { $0.package?.digest },
            .countIfAny("arenaBytes", "The memory it takes.", 1_240) { $0.package?.arenaBytes },
            .countIfAny("packageBytes", "Its size.", 574) { $0.package?.packageBytes },
            .numberIfAny("wapePercent", "Its WAPE on the family's evaluation days.") {
                $0.package?.wape
            },
            .numberIfAny("runningWapePercent", "The same of what runs there now.", 13.1) {
                $0.running?.wape
            },
            .text("reason", "Why this one, or none.", "the most accurate that fits") { $0.reason },
        ])

    private static let pushed = Shape<Pushed>(
        "Pushed", "What a push comes to.",
        [
            .countIfAny("rollout", "Its number; null: a dry run.", 4) { $0.rollout?.id },
            .flag("isNew", "false: a dry run, or the newest rollout said the same already.") {
                $0.isNew
            },
            .text("family", "What is pushed.", "spring") { $0.push.rollout.family },
            .count("release", "Its release.", 3) { $0.push.release },
            .text("selector", "To which devices.", "kind=scanner") {
                $0.push.rollout.selector.text
            },
            .shape("policy", "How it comes to them.", policy) { $0.push.rollout.policy },
            .init(
                "waves", .list(.count, countMax: RolloutWaves.stepsMax),
                "How many devices each wave adds.", example: .array([.integer(1), .integer(11)])
            ) { .array($0.push.plan.waves.map { .whole($0.count) }) },
            .count("deviceCount", "Devices it selects.") { $0.lines.count },
            .count("fitCount", "Of these, those that something fits.", 11) { pushed in
                pushed.lines.count { $0.package != nil }
            },
            .shapes(
                "devices", "The first \(linesShown) of them, by store.", pushLine,
                countMax: linesShown
            ) { Array($0.lines.prefix(linesShown)) },
        ])

    private static func push(
        _ call: APICall
    ) async throws -> (value: Pushed, location: Link?) {
        let hub = call.store
        let family = call.body.text("family") ?? ""
        guard try await hub.families().contains(where: { $0.name == family }) else {
            throw APIProblem(.notFound, "There is no family '\(family)'.", at: "body.family")
        }
        let packages = try await FamilyPush.packages(of: family, in: hub)
        let selector = try self.selector(call)
        let devices = try await FamilyPush.devices(of: selector, in: hub)
        let nanosecondsMax = call.body.number("nanosecondsMax").map { Int($0) }
        var policy = try self.policy(call)
        if policy == nil {
            policy =
                try await FamilyPush.standardPolicy(
                    family, release: packages.map(\.release).max() ?? 1, to: selector,
                    devices: devices, nanosecondsMax: nanosecondsMax, in: hub
                ).policy
        }
        let push = FamilyPush(
            family, to: selector, packages: packages, devices: devices,
            policy: policy ?? RolloutPolicy(), nanosecondsMax: nanosecondsMax, at: call.now)
        let isDry = call.body.flag("dryRun") == true
        let voucher = call.hub.voucher
        let result =
            isDry
            ? nil
            : try await push.push(in: hub) { family, release, now in
                try await voucher.vouch(family, release, now)
            }
        let view = PushView(
            rollout: push.rollout, plan: push.plan, devices: devices, packages: packages,
            all: try await hub.packages(family: nil))
        return (
            Pushed(
                rollout: result?.rollout, isNew: result?.isNew ?? false, push: push,
                lines: view.lines),
            result.flatMap { result in
                result.isNew ? Link("api", "v1", "rollouts", "\(result.rollout.id)") : nil
            }
        )
    }

    private static func selector(_ call: APICall) throws -> Selector {
        let selector: Selector
        do throws(SelectorError) {
            selector = try Selector(call.body.text("to") ?? "")
        } catch {
            throw APIBody.unfit(ReportMarkup.sentence(error.description), at: "to")
        }
        if let key = selector.passingKeys.first {
            throw APIBody.unfit(
                "A rollout cannot select by \(key): it changes by itself, and the package with it.",
                at: "to")
        }
        return selector
    }

    /// nil: nothing is said of it.
    private static func policy(_ call: APICall) throws -> RolloutPolicy? {
        let isAtOnce = call.body.flag("atOnce") == true
        let given = [
            "waves", "soakDays", "trialDays", "storeBudget", "fail", "window", "bytesMax",
        ].filter { call.body.has($0) }
        guard isAtOnce || !given.isEmpty else { return nil }
        if isAtOnce, let other = given.prefix(while: { $0 != "fail" }).first {
            throw APIBody.unfit(
                "At once is one wave without soak, trial and store budget.", at: other,
                "Leave it out, or leave out atOnce.")
        }
        var policy = isAtOnce ? .atOnce : RolloutPolicy()
        func read<Value>(
            _ name: String, _ parse: (String) throws(RolloutTextError) -> Value
        ) throws -> Value? {
            guard let text = call.body.text(name) else { return nil }
            do throws(RolloutTextError) { return try parse(text) } catch {
                throw APIBody.unfit(ReportMarkup.sentence(error.description), at: name)
            }
        }
        policy.waves = try read("waves", RolloutWaves.init) ?? policy.waves
        policy.failures = try read("fail", FailureLimit.init) ?? policy.failures
        policy.window = try read("window", OpeningWindow.init)
        policy.soakDays = call.body.number("soakDays").map { Int($0) } ?? policy.soakDays
        policy.trialDays = call.body.number("trialDays").map { Int($0) } ?? policy.trialDays
        if call.body.has("storeBudget") {
            policy.storeBudget = call.body.number("storeBudget").map { Int($0) }
        }
        policy.bytesMax = call.body.number("bytesMax").map { UInt64($0) }
        return policy
    }
}
