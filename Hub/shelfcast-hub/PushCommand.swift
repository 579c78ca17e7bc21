import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import HubWeb

struct PushCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Roll a family out: each device gets the best of its packages that it can run.",
        discussion: """
            The hub picks, for each device, the most accurate package whose exact memory arena fits \
            the device's budget and whose features it has. Connected devices hear of it at once, \
            visiting ones at their next visit; devices that join later get it too. Where several \
            rollouts select a device, the newest that admits it counts.

            It goes out in waves, a hundredth of the devices first, spread over the stores. A device that runs \
            a package lets the new one forecast beside it for --trial-days business days, on the same days and \
            sales, and takes it over unless it proves worse. A wave that succeeded soaks for --soak business \
            days before the next is opened; failures pause the rollout; a store in which the package is \
            significantly worse goes back by itself. Where nothing runs yet there is nothing to compare: the \
            first push to a fleet is at once. What is pushed is the family's newest release of now. The same \
            push again changes nothing.

            With --max-latency a package that takes longer on the device is passed over. What the device \
            has measured of the very package counts before what is assumed from the reference networks it \
            timed; what turns out slower than assumed is replaced by the next best.

            A selector is 'key=value[,value...]', several of them separated by spaces, all of which \
            must hold. 'store' and 'device' are a device's own; arch, cpu, feature, power, contact, cores, \
            memory, budget and version are what it can do, the last four also with < <= > >=; every other \
            key is a label.

            Examples:
              shelfcast-hub push first --all --dry-run
              shelfcast-hub push first --to 'store=1,2 kind=scanner'
              shelfcast-hub push first --to kind=sensor --max-latency 2ms
              shelfcast-hub push second --all --waves 3,10%,50%,100% --window 22:00-05:30
              shelfcast-hub push second --all --at-once
            """)

    @Argument(help: "The family, as 'train' named it.")
    var family: String
    @Option(
        name: .customLong("to"), help: "Which devices: a selector.", transform: Selector.argument)
    var selector: Selector?
    @Flag(name: .customLong("all"), help: "Every device.")
    var isForAll = false
    @Option(
        name: [.customLong("max-latency"), .customLong("latency-max")],
        help: ArgumentHelp(
            "What one forecast may take on a device: 50us, 2ms.", valueName: "time"))
    var maxLatency: LatencyText?
    @OptionGroup var policy: PolicyOptions
    @Flag(name: .customLong("dry-run"), help: "Show what would happen and change nothing.")
    var isDryRun = false
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Result: Encodable {
        struct Device: Encodable {
            var device: String
            var store: String
            var budgetBytes: UInt64?
            /// From 1 up; left out: it comes with the wave that is open then.
            var wave: Int?
            var variant: String?
            var digest: String?
            var arenaBytes: Int?
            var packageBytes: Int?
            /// Of the package on the family's evaluation days, and of the one that runs there now.
            var wapePercent: Double?
            var runningWapePercent: Double?
            var reason: String
        }
        /// nil: a dry run.
        var rollout: UInt64?
        /// false: the newest rollout said the same already.
        var isNew: Bool
        var family: String
        var release: UInt64
        var selector: String
        /// Of one forecast; left out: any.
        var nanosecondsMax: Int?
        var policy: RolloutPolicy
        var waves: [Int]
        var devices: [Device]
    }

    func validate() throws {
        guard isForAll != (selector != nil) else {
            throw ValidationError("say which devices: either --to SELECTOR or --all")
        }
        if let key = selector?.passingKeys.first {
            throw ValidationError(
                "a rollout cannot select by \(key): it changes by itself, and the package with it"
                    + " ('fit' and 'device list' can)")
        }
    }

    func perform() async throws {
        let hub = try data.openStore()
        let selector = selector ?? .all
        let packages = try await FamilyPush.packages(of: family, in: hub)
        let release = packages.map(\.release).max() ?? 1
        let devices = try await FamilyPush.devices(of: selector, in: hub)
        let (policy, why) = try await self.policy(
            for: devices, release: release, selector, in: hub)
        let push = FamilyPush(
            family, to: selector, packages: packages, devices: devices, policy: policy,
            nanosecondsMax: maxLatency?.nanoseconds, at: Timestamp(Date()))
        let (rollout, plan) = (push.rollout, push.plan)
        let pushed =
            isDryRun ? nil : try await push.push(in: hub, vouch: data.voucher(for: hub).vouch)
        try await warnOfRoot(in: hub, at: rollout.createdAt)
        let view = PushView(
            rollout: rollout, plan: plan, devices: devices, packages: packages,
            all: try await hub.packages(family: nil))
        if json.isOn {
            return try Console.printJSON(
                Result(
                    rollout: pushed?.rollout.id, isNew: pushed?.isNew ?? false, family: family,
                    release: release, selector: selector.text,
                    nanosecondsMax: maxLatency?.nanoseconds, policy: policy,
                    waves: plan.waves.map(\.count), devices: view.lines.map(Self.line)))
        }
        if let pushed, !pushed.isNew {
            Console.print(
                "nothing was changed: rollout \(pushed.rollout.id) says the same and is"
                    + " \(pushed.rollout.state.rawValue)")
            return Console.print("next: shelfcast-hub rollout show \(pushed.rollout.id)")
        }
        if view.lines.isEmpty {
            Console.print("no device matches '\(selector.text)' yet; see shelfcast-hub device list")
        } else {
            Console.print(view.deviceTable)
            Console.print(view.storeTable)
        }
        if plan.waves.count > 1 {
            Console.print(
                "waves of " + plan.waves.map { "\($0.count)" }.joined(separator: ", ")
                    + " devices")
        }
        Console.print("\(policy.summary)\(why)")
        if let pushed {
            Console.print(
                "rollout \(pushed.rollout.id): \(family) to \(selector.text),"
                    + " \(FleetText.count(devices.count, "device"))")
            Console.print("next: shelfcast-hub rollout watch \(pushed.rollout.id)")
        } else {
            Console.print("a dry run: nothing was changed")
        }
    }

    /// On standard error: with an expired root, no device takes what is pushed.
    private func warnOfRoot(in hub: some HubStore, at now: Timestamp) async throws {
        guard let root = try await data.repository(of: hub).root(), root.isEndingSoon(at: now)
        else { return }
        Console.error("shelfcast-hub: \(root.endingText(at: now))")
    }

    /// What the options say; where they say nothing, what the same push had before, and for a fleet that runs nothing
    /// yet, everything at once.
    private func policy(
        for devices: [DeviceRecord], release: UInt64, _ selector: Selector, in hub: some HubStore
    ) async throws -> (RolloutPolicy, why: String) {
        guard !policy.isGiven else { return (policy.policy, "") }
        return try await FamilyPush.standardPolicy(
            family, release: release, to: selector, devices: devices,
            nanosecondsMax: maxLatency?.nanoseconds, in: hub)
    }

    private static func line(_ line: PushView.Line) -> Result.Device {
        Result.Device(
            device: line.device.id.text, store: line.device.store.text,
            budgetBytes: line.device.capabilities?.modelMemoryBudgetBytes,
            wave: line.wave.map { $0 + 1 }, variant: line.package?.variant,
            digest: line.package.map { hexadecimal($0.digest) },
            arenaBytes: line.package?.arenaBytes, packageBytes: line.package?.packageBytes,
            wapePercent: line.package?.wape, runningWapePercent: line.running?.wape,
            reason: line.reason)
    }
}
