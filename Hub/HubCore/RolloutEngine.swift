package import Forecasting

/// What is known of a rollout when it is judged: counts, not devices.
package struct RolloutFacts: Hashable, Sendable {
    /// How a wave's devices stand, each in one count.
    package struct Wave: Hashable, Sendable {
        /// Not given the package, and not in touch since the wave was opened: whoever is off waits for nobody, and nobody
        /// for him.
        package var absent = 0
        /// Not given the package though in touch: its store's disruption budget, or moments only.
        package var waiting = 0
        package var assigned = 0
        package var trial = 0
        /// It runs there, since this rollout or before it.
        package var active = 0
        package var refused = 0
        package var rolledBack = 0
        package var goingBack = 0
        package var noFit = 0
        package var superseded = 0
        /// Given the package, and not heard of for `RolloutPolicy.silentDays`.
        package var silent = 0

        package init() {}

        package var failures: Int { refused + rolledBack + goingBack + silent }
        /// On the way to an end.
        var underway: Int { waiting + assigned + trial }
        /// That the package is for at all.
        var concerned: Int { absent + underway + active + failures }
    }

    /// What the errors of a store's devices in trial say of the package there.
    package struct Store: Hashable, Sendable {
        package var store: StoreID
        /// Significantly worse than what ran (`PairedErrors`).
        package var worse: Bool
        /// The figures, for a person.
        package var text: String

        package init(store: StoreID, worse: Bool, text: String) {
            self.store = store
            self.worse = worse
            self.text = text
        }
    }

    /// One for each wave of the rollout.
    package var waves: [Wave]
    /// Business days that the stores of the wave it stands at have closed since that wave succeeded; 0 before.
    package var soakedDays: Int
    /// Stores judged that are not rolled back.
    package var stores: [Store]

    package init(waves: [Wave], soakedDays: Int = 0, stores: [Store] = []) {
        self.waves = waves
        self.soakedDays = soakedDays
        self.stores = stores
    }

    package var failures: [Int] { waves.map(\.failures) }
}

/// What judging a rollout came to.
package struct RolloutStep: Hashable, Sendable {
    package struct StoreRollback: Hashable, Sendable {
        package var store: StoreID
        package var why: String

        package init(store: StoreID, why: String) {
            self.store = store
            self.why = why
        }
    }

    /// As it is afterwards.
    package var rollout: RolloutRecord
    /// In the order of the facts.
    package var rolledBack: [StoreRollback] = []
    /// What was done and why, a line each for the audit log.
    package var notes: [Note] = []

    package struct Note: Hashable, Sendable {
        /// One word: "open-wave", "pause", "complete", "roll-back".
        package var action: String
        package var why: String

        package init(action: String, why: String) {
            self.action = action
            self.why = why
        }
    }
}

/// Judges rollouts by their facts, again and again; it remembers nothing and reads no clock. The caller writes the step
/// in one transaction that checks that the rollout still is as it was judged.
package enum RolloutEngine {
    /// How the wave that a rollout stands at does.
    private enum Judgement {
        case failed(why: String)
        case underway(String)
        /// The package is for none of its devices.
        case moot
        case succeeded(String)
    }

    /// - Parameter facts: with as many waves as the rollout has.
    /// - Returns: nil: it stands where it stood.
    package static func step(
        _ rollout: RolloutRecord, _ facts: RolloutFacts, at now: Timestamp
    ) -> RolloutStep? {
        precondition(facts.waves.count == rollout.waves.count, "facts of another rollout")
        guard rollout.state != .aborted else { return nil }
        var step = RolloutStep(rollout: rollout)
        for store in facts.stores where store.worse {
            step.rolledBack.append(.init(store: store.store, why: store.text))
            step.notes.append(
                .init(action: "roll-back", why: "store \(store.store.text): \(store.text)"))
        }
        // Paused or complete, nothing else moves by itself. Nor does a wave whose devices are just sent back: they still count as
        // active here.
        if rollout.state == .running, step.rolledBack.isEmpty { advance(&step, facts, at: now) }
        return step.rollout == rollout && step.rolledBack.isEmpty ? nil : step
    }

    private static func advance(
        _ step: inout RolloutStep, _ facts: RolloutFacts, at now: Timestamp
    ) {
        if let why = failure(of: step.rollout, facts) {
            return apply(.stop(why: why), "pause", why, to: &step, at: now)
        }
        // Each turn opens a wave or is the last.
        for _ in 0...step.rollout.waves.count {
            guard step.rollout.state == .running, let wave = step.rollout.openWave else { return }
            let isSoaking = step.rollout.waves[wave].soakingSince != nil
            let soaked = isSoaking ? facts.soakedDays : 0
            switch judge(step.rollout, facts, wave: wave) {
            case .failed, .underway: return
            case .succeeded(let how):
                if !isSoaking { apply(.soak, nil, "", to: &step, at: now) }
                // Days are counted from the soak's begin, which the caller has yet to store.
                guard step.rollout.policy.soakDays == 0 || soaked >= step.rollout.policy.soakDays
                else { return }
                goOn(&step, "wave \(wave + 1): \(how)", at: now)
                // What the next wave does is not known before its devices were told.
                return
            case .moot:
                goOn(&step, "wave \(wave + 1) concerns no device", at: now)
            }
        }
    }

    private static func goOn(_ step: inout RolloutStep, _ why: String, at now: Timestamp) {
        if step.rollout.isLastWaveOpen {
            apply(.complete, "complete", why, to: &step, at: now)
        } else {
            apply(.openNext, "open-wave", why, to: &step, at: now)
        }
    }

    private static func apply(
        _ event: RolloutEvent, _ action: String?, _ why: String, to step: inout RolloutStep,
        at now: Timestamp
    ) {
        do throws(RolloutRefusal) {
            try step.rollout.handle(event, at: now)
        } catch {
            preconditionFailure("the engine judged \(event) where \(error)")
        }
        if let action { step.notes.append(.init(action: action, why: why)) }
    }

    /// Why a wave that is open has failed, or nil.
    private static func failure(of rollout: RolloutRecord, _ facts: RolloutFacts) -> String? {
        for (index, wave) in rollout.waves.enumerated() where wave.openedAt != nil {
            let new = facts.waves[index].failures - wave.failuresForgiven
            let limit = rollout.policy.failures.limit(
                wave: index, of: rollout.waves.count, devices: wave.devices)
            guard new >= limit else { continue }
            return "wave \(index + 1): \(failures(facts.waves[index])) of \(devices(wave.devices))"
                + (wave.failuresForgiven > 0 ? ", \(wave.failuresForgiven) known before" : "")
                + "; it fails at \(limit)"
        }
        return nil
    }

    private static func judge(
        _ rollout: RolloutRecord, _ facts: RolloutFacts, wave index: Int
    ) -> Judgement {
        let wave = facts.waves[index]
        if let why = failure(of: rollout, facts) { return .failed(why: why) }
        // Nobody drawn into it can be reached by this package.
        if wave.concerned == 0 { return .moot }
        if wave.underway > 0 {
            var parts: [String] = []
            if wave.trial > 0 { parts.append("\(wave.trial) in trial") }
            if wave.assigned > 0 { parts.append("\(wave.assigned) not heard of yet") }
            if wave.waiting > 0 { parts.append("\(wave.waiting) waiting for their turn") }
            return .underway(parts.joined(separator: ", "))
        }
        if wave.active == 0 {
            return .underway(
                wave.absent > 0
                    ? "\(wave.absent) not in touch since it was opened" : "none is active")
        }
        let ended = wave.active + wave.failures
        guard wave.active >= rollout.policy.success.of(ended) else {
            return .underway(
                "\(wave.active) of \(ended) active, \(rollout.policy.success.text) are wanted:"
                    + " resume after a look, promote or abort")
        }
        return .succeeded(
            "\(wave.active) of \(ended) active"
                + (wave.absent > 0 ? ", \(wave.absent) not in touch" : ""))
    }

    private static func failures(_ wave: RolloutFacts.Wave) -> String {
        [
            (wave.refused, "refused"), (wave.rolledBack, "rolled back"),
            (wave.goingBack, "going back"), (wave.silent, "silent"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }

    private static func devices(_ count: Int) -> String {
        "\(count) device\(count == 1 ? "" : "s")"
    }

    /// Whether it runs, and goes on only if an operator says so: everybody has reported, and too few are active.
    package static func waitsForOperator(_ rollout: RolloutRecord, _ facts: RolloutFacts) -> Bool {
        guard rollout.state == .running, let wave = rollout.openWave else { return false }
        let own = facts.waves[wave]
        return own.underway == 0 && own.active > 0 && failure(of: rollout, facts) == nil
            && own.active < rollout.policy.success.of(own.active + own.failures)
    }

    /// Why a rollout stands where it stands, for a person.
    package static func standing(_ rollout: RolloutRecord, _ facts: RolloutFacts) -> String {
        switch rollout.state {
        case .paused: return "paused: \(rollout.why)"
        case .aborted: return "aborted: \(rollout.why)"
        case .complete: return "complete: \(rollout.why)"
        case .running: break
        }
        guard let wave = rollout.openWave else { return "running" }
        let title = "wave \(wave + 1) of \(rollout.waves.count)"
        switch judge(rollout, facts, wave: wave) {
        case .failed(let why): return "\(title) is about to pause: \(why)"
        case .underway(let what): return "\(title): \(what)"
        case .moot: return "\(title) concerns no device"
        case .succeeded(let how):
            let soak = rollout.policy.soakDays
            let days = RolloutPolicy.days(soak)
            return "\(title): \(how)"
                + (soak > 0 ? "; soaks, \(min(facts.soakedDays, soak)) of \(days) closed" : "")
        }
    }
}
