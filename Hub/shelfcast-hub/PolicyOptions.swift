import ArgumentParser
import HubCore

/// How a push comes to its devices.
struct PolicyOptions: ParsableArguments {
    @Flag(help: "Everyone now: one wave, no trial, nobody waits for another.")
    var atOnce = false
    @Option(
        help: ArgumentHelp(
            "How many devices have it after each wave: 3,10%,50%,100%, or all (default:"
                + " \(RolloutWaves.careful.text)).", valueName: "amounts"),
        transform: Self.read(RolloutWaves.init))
    var waves: RolloutWaves?
    @Option(
        help: ArgumentHelp(
            "Business days between a wave's success and the next wave, 0 to"
                + " \(RolloutPolicy.soakDaysMax) (default: 1).", valueName: "days"))
    var soak: Int?
    @Option(
        help: ArgumentHelp(
            "Business days that a device compares it with what it runs, 0 to"
                + " \(RolloutPolicy.trialDaysMax) (default: 7).", valueName: "days"))
    var trialDays: Int?
    @Option(
        name: .customLong("fail"),
        help: ArgumentHelp(
            "How many failures pause it: of the first wave, of later ones (default:"
                + " \(FailureLimit.careful.text)).", valueName: "amounts"),
        transform: Self.read(FailureLimit.init))
    var failures: FailureLimit?
    @Option(
        help: ArgumentHelp(
            "How many devices of a store may be on the way to it at once, or none for no limit"
                + " (default: 1).", valueName: "devices"))
    var storeBudget: StoreBudgetText?
    @Option(
        help: ArgumentHelp(
            "Only in these hours of the store's day it becomes active: 22:00-05:30.",
            valueName: "from-to"), transform: Self.read(OpeningWindow.init))
    var window: OpeningWindow?
    @Option(
        help: ArgumentHelp("What a device may fetch for it: 64KiB.", valueName: "bytes"))
    var bytesMax: ByteCountText?

    func validate() throws {
        if let soak, !(0...RolloutPolicy.soakDaysMax).contains(soak) {
            throw ValidationError("--soak is 0 to \(RolloutPolicy.soakDaysMax) business days")
        }
        if let trialDays, !(0...RolloutPolicy.trialDaysMax).contains(trialDays) {
            throw ValidationError(
                "--trial-days is 0 to \(RolloutPolicy.trialDaysMax) business days")
        }
        if atOnce, waves != nil || soak != nil || trialDays != nil || storeBudget != nil {
            throw ValidationError(
                "--at-once is one wave without soak, trial and store budget: leave those options out"
            )
        }
    }

    var isGiven: Bool {
        atOnce || waves != nil || soak != nil || trialDays != nil || failures != nil
            || storeBudget != nil || window != nil || bytesMax != nil
    }

    var policy: RolloutPolicy {
        var policy = atOnce ? .atOnce : RolloutPolicy()
        if let waves { policy.waves = waves }
        if let soak { policy.soakDays = soak }
        if let trialDays { policy.trialDays = trialDays }
        if let failures { policy.failures = failures }
        if let storeBudget { policy.storeBudget = storeBudget.devices }
        policy.window = window
        policy.bytesMax = bytesMax.map { UInt64($0.bytes) }
        return policy
    }

    /// What is wrong with a text is a wrong usage, in the text's own words.
    private static func read<Value>(
        _ parse: @escaping @Sendable (String) throws(RolloutTextError) -> Value
    ) -> @Sendable (String) throws -> Value {
        { text in
            do throws(RolloutTextError) { return try parse(text) } catch {
                throw ValidationError(error.description)
            }
        }
    }
}

/// A number of devices, or `none`.
struct StoreBudgetText: ExpressibleByArgument {
    /// nil: no limit.
    var devices: Int?

    init?(argument: String) {
        guard argument != "none" else { return }
        guard let count = Int(argument), (1...RolloutPolicy.storeBudgetMax).contains(count) else {
            return nil
        }
        devices = count
    }
}
