import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync

struct PushCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Roll a family out: each device gets the best of its packages that it can run.",
        discussion: """
            The hub picks, for each device, the most accurate package whose exact memory arena fits \
            the device's budget and whose features it has. Connected devices hear of it at once, \
            visiting ones at their next visit; devices that join later get it too. Where several \
            rollouts select a device, the newest counts.

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
            """)

    @Argument(help: "The family, as 'train' named it.")
    var family: String
    @Option(
        name: .customLong("to"), help: "Which devices: a selector.", transform: Selector.argument)
    var selector: Selector?
    @Flag(name: .customLong("all"), help: "Every device.")
    var isForAll = false
    @Option(
        help: ArgumentHelp(
            "What one forecast may take on a device: 50us, 2ms.", valueName: "time"))
    var maxLatency: LatencyText?
    @Flag(name: .customLong("dry-run"), help: "Show what would happen and change nothing.")
    var isDryRun = false
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Result: Encodable {
        struct Device: Encodable {
            var device: String
            var store: String
            var budgetBytes: UInt64?
            var variant: String?
            var digest: String?
            var arenaBytes: Int?
            var reason: String
        }
        /// nil: a dry run.
        var rollout: UInt64?
        var family: String
        var selector: String
        /// Of one forecast; left out: any.
        var nanosecondsMax: Int?
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
        let packages = try await Self.packages(of: family, in: hub)
        let devices = try await hub.devices(store: nil).filter {
            $0.status != .revoked && selector.matches($0)
        }
        let choices = devices.map { device in
            (
                device,
                VariantChoice.choose(
                    family: family, store: device.store, capabilities: device.capabilities,
                    nanosecondsMax: maxLatency?.nanoseconds, among: packages)
            )
        }
        var rollout: RolloutRecord?
        if !isDryRun {
            rollout = try await hub.createRollout(
                RolloutRecord(
                    family: family, selector: selector, nanosecondsMax: maxLatency?.nanoseconds,
                    createdAt: Timestamp(Date())))
        }
        if json.isOn {
            return try Console.printJSON(
                Result(
                    rollout: rollout?.id, family: family, selector: selector.text,
                    nanosecondsMax: maxLatency?.nanoseconds,
                    devices: choices.map { Self.line($0, $1) }))
        }
        if choices.isEmpty {
            Console.print("no device matches '\(selector.text)' yet; see shelfcast-hub device list")
        } else {
            Console.print(Self.table(choices))
        }
        if let rollout {
            Console.print(
                "rollout \(rollout.id): \(family) to \(selector.text),"
                    + " \(FleetText.count(devices.count, "device"))")
            Console.print("next: shelfcast-hub rollout watch \(rollout.id)")
        } else {
            Console.print("a dry run: nothing was changed")
        }
    }

    private static func line(_ device: DeviceRecord, _ choice: VariantChoice) -> Result.Device {
        var line = Result.Device(
            device: device.id.text, store: device.store.text,
            budgetBytes: device.capabilities?.modelMemoryBudgetBytes, reason: choice.reason)
        if case .run(let package, _) = choice {
            line.variant = package.variant
            line.digest = hexadecimal(package.digest)
            line.arenaBytes = package.arenaBytes
        }
        return line
    }

    private static func table(_ choices: [(DeviceRecord, VariantChoice)]) -> String {
        var table = TextTable([
            ("DEVICE", .left), ("STORE", .left), ("BUDGET", .right), ("GETS", .left),
            ("ARENA", .right), ("WHY", .left),
        ])
        for (device, choice) in choices {
            let line = line(device, choice)
            table.add([
                line.device, line.store, line.budgetBytes.map { "\($0)" } ?? "",
                line.variant ?? (device.capabilities == nil ? "later" : "nothing"),
                line.arenaBytes.map { "\($0)" } ?? "", line.reason,
            ])
        }
        return table.text
    }

    /// The packages of a family, of which there are some.
    static func packages(
        of family: String, in hub: some HubStore
    ) async throws -> [PackageRecord] {
        let packages = try await hub.packages(family: family)
        guard packages.isEmpty else { return packages }
        throw try await noPackages(of: family, in: hub)
    }

    private static func noPackages(
        of family: String, in hub: some HubStore
    ) async throws -> CommandFailure {
        if try await hub.family(family) != nil {
            return CommandFailure(
                .refused,
                "family \(family) has no packages yet: shelfcast-hub package build \(family)")
        }
        let names = try await hub.families().prefix(10).map(\.name)
        return CommandFailure(
            .refused,
            "there is no family '\(family)'; "
                + (names.isEmpty
                    ? "train one first: shelfcast-hub train --help"
                    : "the latest are: \(names.joined(separator: ", "))"))
    }
}
