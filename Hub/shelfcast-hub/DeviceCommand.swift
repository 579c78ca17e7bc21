import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync

struct DeviceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device", abstract: "See devices, let them in, throw them out.",
        discussion: "A device may be named by the unmistakable start of its id.",
        subcommands: [
            DeviceListCommand.self, DeviceShowCommand.self, DeviceApproveCommand.self,
            DeviceRevokeCommand.self,
        ])
}

/// One device as `--json` prints it.
struct DeviceJSON: Encodable {
    struct Running: Encodable {
        var digest: String
        var release: UInt64
        var arenaBytes: UInt64
        var family: String?
        var variant: String?
    }

    var id: String
    var store: String
    var status: String
    var labels: [String]
    var joinedAt: String
    var lastSeenAt: String?
    var certificateExpiresAt: String?
    var capabilities: DeviceCapabilities?
    var running: Running?
    var storedRecords: UInt64
    /// "turnedAway": a copy of it came and is turned away; "undecided": copies that nothing tells apart, all turned away.
    var copies: String?

    init(_ device: DeviceRecord, package: PackageRecord?) {
        id = device.id.text
        store = device.store.text
        status = device.status.rawValue
        labels = device.effectiveLabels.map(\.text)
        joinedAt = FleetText.moment(device.joinedAt)
        lastSeenAt = device.lastSeenAt.map(FleetText.moment)
        certificateExpiresAt = device.certificateExpiresAt.map(FleetText.moment)
        capabilities = device.capabilities
        running = device.running.map {
            Running(
                digest: hexadecimal($0.digest), release: $0.release, arenaBytes: $0.arenaBytes,
                family: package?.family, variant: package?.variant)
        }
        storedRecords = device.throughSequence
        copies = device.contactLine.copies == .none ? nil : device.contactLine.copies.rawValue
    }
}

struct DeviceListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the devices: what they may use, what they run, when they were in touch.",
        discussion: """
            Examples:
              shelfcast-hub device list
              shelfcast-hub device list --store 1 --status pending --json
              shelfcast-hub device list --where 'power=battery battery<30 version<0.2'
            """)

    @Option(help: "Only devices of this store.")
    var store: String?
    @Option(help: "Only devices that are pending, approved or revoked.")
    var status: DeviceStatus?
    @Option(
        name: .customLong("where"),
        help: ArgumentHelp(
            "Only devices that a selector finds, as for 'push'; also by battery, temperature and flash.",
            valueName: "selector"),
        transform: Selector.argument)
    var selector: Selector?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let hub = try data.openStore()
        let storeID = try store.map { try StoreID($0) }
        let devices = try await hub.devices(store: storeID).filter {
            (status == nil || $0.status == status) && (selector ?? .all).matches($0)
        }
        let packages = try await PackageNames(of: devices, in: hub)
        if json.isOn {
            return try Console.printJSON(
                devices.map { DeviceJSON($0, package: packages.running(on: $0)) })
        }
        guard !devices.isEmpty else {
            return Console.print(
                "no such devices; one joins with a token: shelfcast-hub token create --help")
        }
        let now = Timestamp(Date())
        var table = TextTable([
            ("DEVICE", .left), ("STORE", .left), ("STATUS", .left), ("BUDGET", .right),
            ("RUNS", .left), ("TIME", .right), ("POWER", .left), ("CONTACT", .left),
            ("LAST", .left), ("LABELS", .left),
        ])
        for device in devices {
            table.add([
                device.id.text, device.store.text, Self.status(of: device),
                device.capabilities.map { "\($0.modelMemoryBudgetBytes)" } ?? "",
                packages.name(on: device), Self.time(of: device),
                device.capabilities.map(Self.power) ?? "",
                device.capabilities?.contact.rawValue ?? "",
                FleetText.age(device.lastSeenAt, now: now),
                FleetText.labels(device.effectiveLabels),
            ])
        }
        Console.print(table.text)
    }

    /// With what an operator must know of copies.
    static func status(of device: DeviceRecord) -> String {
        switch device.contactLine.copies {
        case .none: device.status.rawValue
        case .turnedAway: device.status.rawValue + ", a copy turned away"
        case .undecided: device.status.rawValue + ", COPIED: all turned away"
        }
    }

    /// `battery 80%`.
    static func power(of can: DeviceCapabilities) -> String {
        let source = can.powerSource == .unknown ? "" : can.powerSource.rawValue
        return source + (can.batteryPercent.map { (source.isEmpty ? "" : " ") + "\($0)%" } ?? "")
    }

    /// Of one forecast of what it runs, as it measured it.
    private static func time(of device: DeviceRecord) -> String {
        guard let running = device.running,
            let package = device.capabilities?.measured?.package(running.digest)
        else { return "" }
        return LatencyText(nanoseconds: package.nanoseconds).description
    }
}

extension DeviceStatus: ExpressibleByArgument {}

/// The packages that some devices run, by digest.
struct PackageNames {
    private var packages: [[UInt8]: PackageRecord] = [:]

    init(of devices: [DeviceRecord], in store: some HubStore) async throws {
        for digest in Set(devices.compactMap { $0.running?.digest }) {
            packages[digest] = try await store.package(digest: digest)
        }
    }

    func running(on device: DeviceRecord) -> PackageRecord? {
        device.running.flatMap { packages[$0.digest] }
    }

    /// "family/variant", the digest of a package this hub does not know, or nothing.
    func name(on device: DeviceRecord) -> String {
        guard let running = device.running else { return "" }
        guard let package = packages[running.digest] else {
            return FleetText.digest(running.digest)
        }
        return "\(package.family)/\(package.variant)"
    }
}

struct DeviceShowCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one device: what it can do, what it runs and why, what happened lately.",
        discussion: """
            Example:
              shelfcast-hub device show 3f9a
            """)

    @Argument(help: "The device's id, or the start of it.")
    var device: String
    @Option(help: ArgumentHelp("Show so many of its last events.", valueName: "count"))
    var events = 10
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Result: Encodable {
        struct Assignment: Encodable {
            var rollout: UInt64
            var digest: String?
            var reason: String
            var decidedAt: String
            var outcome: String?
            var outcomeReason: String?
            var outcomeAt: String?
        }
        struct Event: Encodable {
            var at: String
            var kind: String
            var text: String
        }
        var device: DeviceJSON
        var assignment: Assignment?
        var events: [Event]
    }

    func validate() throws {
        guard (0...DeviceEvent.keptPerDeviceMax).contains(events) else {
            throw ValidationError("--events is 0 to \(DeviceEvent.keptPerDeviceMax)")
        }
    }

    func perform() async throws {
        let hub = try data.openStore()
        let record = try await FleetText.device(device, in: hub)
        let packages = try await PackageNames(of: [record], in: hub)
        let assignment = try await hub.assignment(of: record.id)
        let history = try await hub.events(of: record.id, countMax: events)
        if json.isOn {
            return try Console.printJSON(
                Result(
                    device: DeviceJSON(record, package: packages.running(on: record)),
                    assignment: assignment.map {
                        Result.Assignment(
                            rollout: $0.rollout, digest: $0.digest.map { hexadecimal($0) },
                            reason: $0.reason, decidedAt: FleetText.moment($0.decidedAt),
                            outcome: $0.outcome?.rawValue, outcomeReason: $0.outcomeReason,
                            outcomeAt: $0.outcomeAt.map(FleetText.moment))
                    },
                    events: history.map {
                        Result.Event(at: FleetText.moment($0.at), kind: $0.kind, text: $0.text)
                    }))
        }
        let now = Timestamp(Date())
        var lines: [(String, String)] = [
            ("device", record.id.text), ("store", record.store.text),
            ("status", DeviceListCommand.status(of: record)),
            ("labels", FleetText.labels(record.effectiveLabels)),
            ("joined", "\(FleetText.moment(record.joinedAt)), with token \(record.token)"),
            ("last contact", FleetText.age(record.lastSeenAt, now: now)),
            ("certificate until", FleetText.moment(record.certificateExpiresAt)),
            ("records stored", "\(record.throughSequence)"),
        ]
        if let can = record.capabilities {
            lines += [
                (
                    "machine",
                    "\(can.architecture), \(can.cores) core(s), "
                        + can.cpuFeatures.joined(separator: " ")
                ),
                ("power", DeviceListCommand.power(of: can)),
                ("temperature", can.temperatureCelsius.map { "\($0) °C" } ?? ""),
                ("memory", "\(can.memoryAvailableBytes) of \(can.memoryTotalBytes) bytes free"),
                ("flash", "\(can.flashFreeBytes) bytes free"),
                (
                    "model budget",
                    "\(can.modelMemoryBudgetBytes) bytes, "
                        + (can.modelMemoryBudgetSetByOperator ? "set by operator" : "derived")
                ),
                ("runtime features", can.runtimeFeatures.joined(separator: " ")),
                ("contact", can.contact.rawValue), ("agent", can.agentVersion),
            ]
            if let measured = can.measured { lines += Self.lines(of: measured, record) }
        } else {
            lines.append(("machine", "it has not registered yet"))
        }
        lines.append(("runs", Self.running(record, packages)))
        lines.append(("assigned", Self.assigned(assignment)))
        let width = lines.map(\.0.count).max() ?? 0
        for (name, value) in lines {
            let padding = String(repeating: " ", count: width - name.count)
            Console.print("\(name)\(padding)  \(value.isEmpty ? "-" : value)")
        }
        for event in history {
            Console.print("\(FleetText.moment(event.at))  \(event.kind)  \(event.text)")
        }
    }

    /// What it timed on itself; of packages the one it runs.
    private static func lines(
        of measured: DeviceMeasurement, _ device: DeviceRecord
    ) -> [(String, String)] {
        func times(_ single: Int, _ batch: Int) -> String {
            "\(LatencyText(nanoseconds: single)) a forecast,"
                + " \(LatencyText(nanoseconds: batch)) in a batch of 50"
        }
        var lines = [
            ("kernels", measured.kernels),
            ("LSTM-16", times(measured.smallNanoseconds, measured.smallBatchNanoseconds)),
            ("LSTM-64", times(measured.largeNanoseconds, measured.largeBatchNanoseconds)),
            ("agent's peak", "\(measured.peakMemoryBytes) bytes"),
        ]
        if let package = device.running.flatMap({ measured.package($0.digest) }) {
            let energy = package.nanojoules.map { ", \($0) nJ" } ?? ""
            lines.append(
                (
                    "its package",
                    times(package.nanoseconds, package.batchNanoseconds)
                        + ", arena \(package.arenaBytes) bytes" + energy
                ))
        }
        return lines
    }

    private static func running(_ device: DeviceRecord, _ packages: PackageNames) -> String {
        guard let running = device.running else { return "nothing" }
        return "\(packages.name(on: device)), release \(running.release),"
            + " arena \(running.arenaBytes) bytes"
    }

    private static func assigned(_ assignment: AssignmentRecord?) -> String {
        guard let assignment else { return "nothing" }
        var text = "rollout \(assignment.rollout): \(assignment.reason)"
        if let outcome = assignment.outcome {
            text += "; the device said: \(outcome.rawValue)"
            if let reason = assignment.outcomeReason, !reason.isEmpty { text += " (\(reason))" }
        } else if let reason = assignment.outcomeReason {
            text += "; on its way, the device said: \(reason)"
        }
        return text
    }
}

struct DeviceApproveCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve",
        abstract: "Let devices take part that joined with a --needs-approval token.",
        discussion: """
            Also says of a device whose copies were turned away that these are gone: whoever comes next with \
            its identity is the device.

            Example:
              shelfcast-hub device approve 3f9a 77c0
            """)

    @Argument(help: "Device ids, or the starts of them.")
    var devices: [String]
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let hub = try data.openStore()
        for text in devices {
            let device = try await FleetText.device(text, in: hub)
            switch device.status {
            case .approved where device.contactLine.copies != .none:
                _ = try await hub.forgetCopies(of: device.id, at: Timestamp(Date()))
                Console.print(
                    "\(device.id.text) of store \(device.store.text): whoever comes next with its"
                        + " identity is the device")
            case .approved:
                Console.print("\(device.id.text) is approved already")
            case .revoked:
                throw CommandFailure(
                    .refused,
                    "\(device.id.text) was revoked for good: let it join again with a new token")
            case .pending:
                _ = try await hub.setStatus(.approved, of: device.id, at: Timestamp(Date()))
                Console.print(
                    "\(device.id.text) of store \(device.store.text) is approved; it takes part"
                        + " from its next contact on")
            }
        }
    }
}

struct DeviceRevokeCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Throw devices out, for good and at once.",
        discussion: """
            An open connection is closed within a second; the certificate is worthless from then on. \
            What the device has sent stays. To bring it back, let it join again with a new token.

            Example:
              shelfcast-hub device revoke 3f9a
            """)

    @Argument(help: "Device ids, or the starts of them.")
    var devices: [String]
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let hub = try data.openStore()
        for text in devices {
            let device = try await FleetText.device(text, in: hub)
            guard device.status != .revoked else {
                Console.print("\(device.id.text) is revoked already")
                continue
            }
            _ = try await hub.setStatus(.revoked, of: device.id, at: Timestamp(Date()))
            Console.print(
                "\(device.id.text) of store \(device.store.text) is revoked; its"
                    + " \(FleetText.count(Int(device.throughSequence), "record")) stay")
        }
    }
}
