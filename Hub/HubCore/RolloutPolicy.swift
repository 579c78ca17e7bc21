package import Forecasting

/// How a package comes to the devices of a rollout. The operator's, fixed when it is pushed.
package struct RolloutPolicy: Hashable, Sendable, Codable {
    package static let soakDaysMax = 28
    package static let trialDaysMax = 28
    package static let storeBudgetMax = 1_000

    package var waves = RolloutWaves.careful
    /// Business days that a wave's stores close after it succeeded, before the next is opened; 0 to `soakDaysMax`.
    package var soakDays = 1
    /// Business days that a device compares a package with the one it runs, 0 to `trialDaysMax`.
    package var trialDays = 7
    /// Of a wave's devices that ended well or badly, how many must be active for it to have succeeded.
    package var success = RolloutAmount.share(basisPoints: 9_500)
    package var failures = FailureLimit.careful
    /// Days after which a device that has the package and is not heard of counts as failed, 1 to 365.
    package var silentDays = 3
    /// How many devices of a store may be on their way to another package at once, from 1 up; nil: all.
    package var storeBudget: Int? = 1
    /// When a package may become active, in the store's time; nil: at any time.
    package var window: OpeningWindow?
    /// What a device may fetch for it; nil: anything.
    package var bytesMax: UInt64?
    /// Of the paired test: how often a package that is no worse may be taken for worse in one store.
    package var level = PairedErrors.Criterion().level
    /// Of the active package's error, what counts as worse at all.
    package var leastWorsening = PairedErrors.Criterion().leastWorsening

    package init() {}

    /// Every device now: nothing is compared, and nobody waits for another.
    package static var atOnce: RolloutPolicy {
        var policy = RolloutPolicy()
        policy.waves = .atOnce
        policy.soakDays = 0
        policy.trialDays = 0
        policy.failures = .lenient
        policy.storeBudget = nil
        return policy
    }

    package var criterion: PairedErrors.Criterion {
        PairedErrors.Criterion(level: level, leastWorsening: leastWorsening)
    }

    /// One line for a person: `waves 1%,10%,50%,100%; 1 business day between; trial 7 business days; ...`.
    package var summary: String {
        var parts: [String] = []
        parts.append(waves == .atOnce ? "all devices in one wave" : "waves \(waves.text)")
        if waves != .atOnce || soakDays > 0 { parts.append("soak \(Self.days(soakDays))") }
        parts.append(trialDays == 0 ? "no trial" : "trial \(Self.days(trialDays))")
        parts.append("fails at \(failures.text)")
        if let storeBudget { parts.append("\(storeBudget) of a store at once") }
        if let window { parts.append("active from \(window.text)") }
        if let bytesMax { parts.append("at most \(bytesMax) bytes") }
        return parts.joined(separator: "; ")
    }

    static func days(_ count: Int) -> String { "\(count) business day\(count == 1 ? "" : "s")" }
}

extension RolloutAmount: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
