package import Forecasting

/// One run of the autopilot, from what made it begin to what became of its model: one entry.
package struct AutopilotRecord: Hashable, Sendable, Codable {
    /// How far it has come. Everything but `rollingOut` and `ended` takes minutes, and is done by one process.
    package enum Stage: String, Hashable, Sendable, Codable, CaseIterable {
        case reading, backTesting, training, packing, pushing
        /// Its rollout is on its way: days, or weeks.
        case rollingOut
        case ended

        /// Whether a process is at work in it.
        package var isOfProcess: Bool {
            switch self {
            case .reading, .backTesting, .training, .packing, .pushing: true
            case .rollingOut, .ended: false
            }
        }

        /// After "it is".
        package var text: String {
            switch self {
            case .reading: "reading sales"
            case .backTesting: "back-testing"
            case .training: "training"
            case .packing: "packing"
            case .pushing: "pushing"
            case .rollingOut: "rolling out"
            case .ended: "ended"
            }
        }
    }

    /// What became of it.
    package enum Outcome: String, Hashable, Sendable, Codable, CaseIterable {
        /// The challenger is not better: nothing was changed.
        case refused
        /// It is better and packed; the push is left to a person.
        case advised
        /// It runs wherever it did not prove worse.
        case kept
        /// It was taken back everywhere.
        case undone
        /// Something stood in the way.
        case failed
        /// Its process ended before it did: nothing of it is used.
        case cutOff
    }

    /// A network of the challenger, and what it was made from.
    package struct Network: Hashable, Sendable, Codable {
        package var variant: String
        package var recipe: String
        /// Whether it begins with the champion's weights; in a back-test where they know none of a fold's days.
        package var isWarmStarted: Bool

        package init(variant: String, recipe: String, isWarmStarted: Bool) {
            self.variant = variant
            self.recipe = recipe
            self.isWarmStarted = isWarmStarted
        }
    }

    /// What the rollout came to in a store.
    package struct Realised: Hashable, Sendable, Codable {
        package var store: StoreID
        package var isUndone: Bool
        /// Both errors on the same days, in words.
        package var text: String

        package init(store: StoreID, isUndone: Bool, text: String) {
            self.store = store
            self.isUndone = isUndone
            self.text = text
        }
    }

    /// Given by the store, from 1 up; 0 in a run that is not stored yet.
    package var id: Int64 = 0
    package var startedAt: Timestamp
    /// nil: it goes on.
    package var endedAt: Timestamp?
    /// Never `off`.
    package var mode: AutopilotMode
    package var cause: AutopilotCause
    package var stage = Stage.reading
    package var outcome: Outcome?
    /// Why that came of it, in words.
    package var why = ""

    /// What it learnt from; nil: it has not come so far, here and below.
    package var data: TrainingData?
    /// The family that runs in most stores.
    package var champion: String?
    package var seed: UInt64?
    package var networks: [Network] = []
    package var backTest: BackTest?
    package var verdict: PromotionVerdict?
    /// The challenger; kept only when it is promoted, or advised.
    package var family: String?
    package var release: UInt64?
    package var packageCount: Int?
    package var rollout: UInt64?
    package var realised: [Realised] = []

    package init(startedAt: Timestamp, mode: AutopilotMode, cause: AutopilotCause) {
        self.startedAt = startedAt
        self.mode = mode
        self.cause = cause
    }

    package mutating func end(_ outcome: Outcome, why: String, at now: Timestamp) {
        stage = .ended
        self.outcome = outcome
        self.why = why
        endedAt = now
    }
}

extension AutopilotRecord {
    /// What the state of a run's rollout asks for.
    package enum FollowUp: Hashable, Sendable {
        /// It goes on, or an operator has paused it.
        case wait
        /// The hub has paused it: it is to be taken back.
        case abort(why: String)
        case end(Outcome, why: String, realised: [Realised])
    }

    /// - Parameters:
    ///   - rollout: the run's; nil: it is not there any more.
    ///   - isPausedByHub: where it is paused: by the rules of the rollout, not by a person.
    package static func followUp(
        _ rollout: RolloutRecord?, stores: [RolloutStoreRecord], isPausedByHub: Bool
    ) -> FollowUp {
        guard let rollout else { return .end(.undone, why: "its rollout is gone", realised: []) }
        let realised = stores.map { store in
            Realised(
                store: store.store, isUndone: store.rolledBackAt != nil,
                text: store.verdict.isEmpty ? store.why : store.verdict)
        }
        switch rollout.state {
        case .running: return .wait
        case .paused: return isPausedByHub ? .abort(why: rollout.why) : .wait
        case .aborted: return .end(.undone, why: rollout.why, realised: realised)
        case .complete:
            let undone = realised.filter(\.isUndone).map(\.store.text)
            return .end(
                .kept,
                why: undone.isEmpty
                    ? "it proved no worse anywhere"
                    : "it was taken back in store \(undone.joined(separator: ", ")), and proved no worse elsewhere",
                realised: realised)
        }
    }
}
