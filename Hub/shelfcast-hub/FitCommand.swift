import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync

struct FitCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "fit",
        abstract: "Ask before a push: what would each device get, and how accurate would it be?",
        discussion: """
            Decides as a push does, and changes nothing: for each device the package it would run, or why \
            none fits; for each store what its devices would run, and how accurate that was on the family's \
            evaluation days there. A selector is as for 'push', and may ask for what devices can do.

            Examples:
              shelfcast-hub fit first
              shelfcast-hub fit first --to 'store=1,2 arch=aarch64 budget<8KiB' --json
            """)

    @Argument(help: "The family, as 'train' named it.")
    var family: String
    @Option(
        name: .customLong("to"), help: "Which devices: a selector (default: every device).",
        transform: Selector.argument)
    var selector: Selector?
    @Option(
        help: ArgumentHelp(
            "What one forecast may take on a device: 50us, 2ms.", valueName: "time"))
    var maxLatency: LatencyText?
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
            var nanoseconds: Int?
            var isMeasured: Bool?
            var wapePercent: Double?
            var reason: String
        }
        struct Share: Encodable {
            var store: String
            /// Left out: nothing fits these devices.
            var variant: String?
            var devices: Int
            var arenaBytes: Int?
            var wapePercent: Double?
            var mapePercent: Double?
            var biasPercent: Double?
        }
        var family: String
        var selector: String
        var devices: [Device]
        var stores: [Share]
        var devicesWithout: Int
    }

    func perform() async throws {
        let hub = try data.openStore()
        let selector = selector ?? .all
        let packages = try await FamilyPush.packages(of: family, in: hub)
        let devices = try await hub.devices(store: nil).filter {
            $0.status != .revoked && selector.matches($0)
        }
        let fit = FleetFit(
            family: family, devices: devices, nanosecondsMax: maxLatency?.nanoseconds,
            among: packages)
        if json.isOn {
            return try Console.printJSON(
                Result(
                    family: family, selector: selector.text, devices: fit.devices.map(Self.line),
                    stores: fit.shares.map(Self.share), devicesWithout: fit.without.count))
        }
        guard !fit.devices.isEmpty else {
            return Console.print(
                "no device matches '\(selector.text)' yet; see shelfcast-hub device list")
        }
        Console.print(Self.deviceTable(fit))
        Console.print(Self.storeTable(fit))
        let count = FleetText.count(fit.devices.count, "device")
        Console.print(
            fit.without.isEmpty
                ? "\(count), each with a package that fits"
                : "\(count), \(fit.without.count) of them without a package: see WHY above")
        Console.print("nothing was changed; next: shelfcast-hub push \(family) --help")
    }

    private static func line(_ fit: FleetFit.Device) -> Result.Device {
        var line = Result.Device(
            device: fit.device.id.text, store: fit.device.store.text,
            budgetBytes: fit.device.capabilities?.modelMemoryBudgetBytes,
            reason: fit.choice.reason)
        if case .run(let package, _) = fit.choice {
            line.variant = package.variant
            line.digest = hexadecimal(package.digest)
            line.arenaBytes = package.arenaBytes
            line.wapePercent = package.wape
        }
        switch fit.time {
        case .measured(let nanoseconds)?: (line.nanoseconds, line.isMeasured) = (nanoseconds, true)
        case .assumed(let nanoseconds)?: (line.nanoseconds, line.isMeasured) = (nanoseconds, false)
        case .unknown?, nil: break
        }
        return line
    }

    private static func share(_ share: FleetFit.Share) -> Result.Share {
        Result.Share(
            store: share.store.text, variant: share.package?.variant, devices: share.devices,
            arenaBytes: share.package?.arenaBytes, wapePercent: share.package?.wape,
            mapePercent: share.package?.mape, biasPercent: share.package?.bias)
    }

    private static func deviceTable(_ fit: FleetFit) -> String {
        var table = TextTable([
            ("DEVICE", .left), ("STORE", .left), ("BUDGET", .right), ("GETS", .left),
            ("ARENA", .right), ("TIME", .right), ("WHY", .left),
        ])
        for device in fit.devices {
            let line = line(device)
            let time = line.nanoseconds.map {
                LatencyText(nanoseconds: $0).description + (line.isMeasured == true ? "" : " (?)")
            }
            table.add([
                line.device, line.store, line.budgetBytes.map { "\($0)" } ?? "",
                line.variant ?? (line.budgetBytes == nil ? "later" : "nothing"),
                line.arenaBytes.map { "\($0)" } ?? "", time ?? "", line.reason,
            ])
        }
        return table.text
    }

    private static func storeTable(_ fit: FleetFit) -> String {
        var table = TextTable([
            ("STORE", .left), ("DEVICES", .right), ("WOULD RUN", .left), ("WAPE", .right),
            ("MAPE", .right), ("BIAS", .right),
        ])
        for share in fit.shares {
            table.add([
                share.store.text, "\(share.devices)", share.package?.variant ?? "nothing",
                share.package.map { Figure.percent($0.wape) } ?? "",
                share.package.map { Figure.percent($0.mape) } ?? "",
                share.package.map { Figure.percent($0.bias) } ?? "",
            ])
        }
        return table.text
    }
}

extension Selector {
    /// For options: what is wrong with the text is a wrong usage, in the selector's own words.
    static func argument(_ text: String) throws -> Selector {
        do throws(SelectorError) { return try Selector(text) } catch {
            throw ValidationError(error.description)
        }
    }
}
