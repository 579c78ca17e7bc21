import Alerting
import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import Watching

struct AlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts",
        abstract: "See what needs somebody, say that it is seen to, and say where alerts are sent.",
        discussion: """
            While the hub serves it looks by itself, every minute. Docs/alerts.md says of each kind of alert \
            what it means and what to do.
            """,
        subcommands: [
            AlertsListCommand.self, AlertsShowCommand.self, AlertsAcknowledgeCommand.self,
            AlertsResolveCommand.self, AlertsSilenceCommand.self, AlertsSilencesCommand.self,
            AlertsLiftCommand.self, AlertsCheckCommand.self, AlertsDeliverCommand.self,
        ], defaultSubcommand: AlertsListCommand.self)
}

extension AlertKind: ExpressibleByArgument {}
extension AlertSeverity: ExpressibleByArgument {}

/// How commands say alerts.
enum AlertText {
    struct Line: Encodable {
        var id: Int64
        var kind: String
        var severity: String
        var state: String
        var subject: String
        var title: String
        var detail: [String]
        var stores: [String]
        var storeCount: Int
        var since: String?
        var grouped: Bool
        var openedAt: String
        var seenAt: String
        var openings: Int
        var notices: Int
        var acknowledgedBy: String?
        var acknowledgedAt: String?
        var resolvedBy: String?
        var resolvedWhy: String?
        var resolvedAt: String?

        init(_ alert: AlertRecord) {
            let isOver = alert.state == .resolved
            id = alert.id
            kind = alert.kind.rawValue
            severity = alert.severity.rawValue
            state = alert.state.rawValue
            subject = alert.subject.text
            title = alert.title
            detail = alert.detail.split(separator: "\n").map(String.init)
            stores = alert.stores.map(\.text)
            storeCount = alert.storeCount
            since = alert.since?.iso8601
            grouped = alert.isGrouped
            openedAt = FleetText.moment(alert.openedAt)
            seenAt = FleetText.moment(alert.seenAt)
            openings = alert.openings
            notices = alert.notices
            acknowledgedBy = alert.acknowledgedBy
            acknowledgedAt = alert.acknowledgedAt.map { FleetText.moment($0) }
            resolvedBy = alert.resolvedBy
            resolvedWhy = isOver ? alert.resolvedWhy : nil
            resolvedAt = isOver ? FleetText.moment(alert.changedAt) : nil
        }
    }

    static func table(_ alerts: [AlertRecord], now: Timestamp) -> String {
        var table = TextTable([
            ("NO", .right), ("SEVERITY", .left), ("KIND", .left), ("STATE", .left),
            ("OPENED", .left), ("WHAT", .left),
        ])
        for alert in alerts {
            table.add([
                "\(alert.id)", alert.severity.rawValue, alert.kind.rawValue,
                alert.state.rawValue + (alert.isGrouped ? ", of the chain" : ""),
                FleetText.age(alert.openedAt, now: now), alert.title,
            ])
        }
        return table.text
    }
}

struct AlertsListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List alerts, the newest first.",
        discussion: """
            Without --all those that are open or acknowledged, and of those that an alert of the whole chain \
            speaks for only that one.

            Examples:
              shelfcast-hub alerts
              shelfcast-hub alerts list --all --store 3 --json
            """)

    @Flag(help: "Resolved ones too, and those that an alert of the chain speaks for.")
    var all = false
    @Option(help: "About this store, its devices, or naming it.")
    var store: String?
    @Option(help: "About this device.")
    var device: String?
    @Option(help: "Only of this kind.")
    var kind: AlertKind?
    @Option(help: "info, warn or page: nothing less severe.")
    var severity = AlertSeverity.info
    @Option(help: "How many at most.")
    var last = 200
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard (1...AlertQuery.countMax).contains(last) else {
            throw ValidationError("--last is 1 to \(AlertQuery.countMax)")
        }
    }

    func perform() async throws {
        let hub = try data.openStore()
        var query = AlertQuery(
            states: all ? Set(AlertRecord.State.allCases) : [.open, .acknowledged], countMax: last)
        query.leavesOutGrouped = !all && store == nil && device == nil
        query.severityMin = severity
        query.kind = kind
        query.store = try store.map { try AlertArguments.store($0) }
        if let device { query.device = try await FleetText.device(device, in: hub).id }
        let alerts = try await hub.alerts(query)
        if json.isOn { return try Console.printJSON(alerts.map(AlertText.Line.init)) }
        guard !alerts.isEmpty else { return Console.print("nothing needs anybody") }
        Console.print(AlertText.table(alerts, now: Timestamp(Date())))
        Console.print("next: shelfcast-hub alerts show \(alerts[0].id)")
    }
}

struct AlertsShowCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one alert: what it means, and what became of it.")

    @Argument(help: "The alert's number.")
    var id: Int64
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Event: Encodable {
        var at: String
        var author: String
        var what: String
        var text: String
    }

    private struct Whole: Encodable {
        var alert: AlertText.Line
        var history: [Event]
    }

    func perform() async throws {
        let hub = try data.openStore()
        guard let alert = try await hub.alert(id) else {
            throw HubStoreError.notFound(what: "alert \(id)")
        }
        let events = try await hub.alertEvents(of: id, countMax: AlertEvent.keptPerAlertMax)
        if json.isOn {
            return try Console.printJSON(
                Whole(
                    alert: AlertText.Line(alert),
                    history: events.map {
                        Event(
                            at: FleetText.moment($0.at), author: $0.author, what: $0.what.rawValue,
                            text: $0.text)
                    }))
        }
        Console.print("\(alert.severity.rawValue): \(alert.title)")
        for line in alert.detail.split(separator: "\n") { Console.print("  \(line)") }
        if alert.storeCount > 1 {
            Console.print(
                "  stores " + alert.stores.map(\.text).joined(separator: ", ")
                    + (alert.storeCount > alert.stores.count
                        ? " and \(alert.storeCount - alert.stores.count) more" : ""))
        }
        var table = TextTable([
            ("AT", .left), ("AUTHOR", .left), ("WHAT", .left), ("TEXT", .left),
        ])
        for event in events {
            table.add([
                FleetText.moment(event.at), event.author, event.what.rawValue, event.text,
            ])
        }
        Console.print(table.text)
        if alert.state == .open {
            Console.print("next: shelfcast-hub alerts acknowledge \(id) --why '...'")
        }
    }
}

struct AlertsAcknowledgeCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "acknowledge",
        abstract: "Say that somebody sees to it: it is not sent again unless it becomes worse.")

    @Argument(help: "The alert's number.")
    var id: Int64
    @Option(help: "For the alert's history and the audit log.")
    var why = ""
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let alert = try await data.openStore().acknowledgeAlert(
            id, why: why, at: Timestamp(Date()))
        Console.print("alert \(id) is acknowledged: \(alert.title)")
    }
}

struct AlertsResolveCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "Say that an alert is done with, before its cause is gone.",
        discussion: """
            Alerts resolve by themselves when their cause is gone. One that is resolved by hand does not come \
            back for a week, unless it becomes worse.
            """)

    @Argument(help: "The alert's number.")
    var id: Int64
    @Option(help: "For the alert's history and the audit log.")
    var why = ""
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let alert = try await data.openStore().resolveAlert(id, why: why, at: Timestamp(Date()))
        Console.print("alert \(id) is resolved: \(alert.title)")
    }
}

/// What several commands take.
enum AlertArguments {
    static func store(_ text: String) throws -> StoreID {
        do { return try StoreID(text) } catch {
            throw CommandFailure(.refused, "'\(text)' is no name of a store: \(error)")
        }
    }
}

struct AlertsSilenceCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "silence",
        abstract:
            "Send nothing of some alerts for a while. They still open, are listed, and resolve.",
        discussion: """
            Of one alert by its number, or of a kind, a store with its devices, a device, or a kind there. What still \
            stands when the silence ends is sent then.

            Examples:
              shelfcast-hub alerts silence 17 --for 2d --why 'stock-taking'
              shelfcast-hub alerts silence --store 3 --for 2w --why 'rebuilding'
              shelfcast-hub alerts silence --kind battery-low --for 30d --why 'batteries are ordered'
            """)

    @Argument(help: "The alert's number: its kind, and whom it is about.")
    var id: Int64?
    @Option(help: "Alerts of this kind.")
    var kind: AlertKind?
    @Option(help: "About this store and its devices.")
    var store: String?
    @Option(help: "About this device.")
    var device: String?
    @Option(name: .customLong("for"), help: "For how long, 90d at most.")
    var length: DurationText
    @Option(help: "For the alert's history and the audit log.")
    var why = ""
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard id == nil || kind == nil && store == nil && device == nil else {
            throw ValidationError("name an alert, or what alerts are about, not both")
        }
        guard id != nil || kind != nil || store != nil || device != nil else {
            throw ValidationError("say which: a number, --kind, --store or --device")
        }
        guard store == nil || device == nil else {
            throw ValidationError("--store and --device: one of them")
        }
    }

    func perform() async throws {
        let hub = try data.openStore()
        let now = Timestamp(Date())
        var silence = AlertSilence(
            kind: kind, subject: nil, from: now, until: now.advanced(bySeconds: length.seconds),
            why: why)
        if let id {
            guard let alert = try await hub.alert(id) else {
                throw HubStoreError.notFound(what: "alert \(id)")
            }
            silence.kind = alert.kind
            silence.subject = alert.subject
        } else if let store {
            silence.subject = .store(try AlertArguments.store(store))
        } else if let device {
            silence.subject = .device(try await FleetText.device(device, in: hub).id)
        }
        let kept = try await hub.silence(silence)
        Console.print("silence \(kept.id) until \(FleetText.moment(kept.until))")
        Console.print("next: shelfcast-hub alerts lift \(kept.id)   to end it sooner")
    }
}

struct AlertsSilencesCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "silences", abstract: "List what is silent, and until when.")

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Line: Encodable {
        var id: Int64
        var kind: String?
        var subject: String?
        var until: String
        var author: String
        var why: String
    }

    func perform() async throws {
        let silences = try await data.openStore().silences(at: Timestamp(Date()))
        if json.isOn {
            return try Console.printJSON(
                silences.map {
                    Line(
                        id: $0.id, kind: $0.kind?.rawValue, subject: $0.subject?.text,
                        until: FleetText.moment($0.until), author: $0.author, why: $0.why)
                })
        }
        guard !silences.isEmpty else { return Console.print("nothing is silent") }
        var table = TextTable([
            ("NO", .right), ("KIND", .left), ("ABOUT", .left), ("UNTIL", .left), ("BY", .left),
            ("WHY", .left),
        ])
        for silence in silences {
            table.add([
                "\(silence.id)", silence.kind?.rawValue ?? "every", silence.subject?.text ?? "all",
                FleetText.moment(silence.until), silence.author, silence.why,
            ])
        }
        Console.print(table.text)
    }
}

struct AlertsLiftCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "lift", abstract: "End a silence before its time.")

    @Argument(help: "The silence's number.")
    var id: Int64
    @OptionGroup var data: DataOptions

    func perform() async throws {
        guard try await data.openStore().liftSilence(id, at: Timestamp(Date())) else {
            throw HubStoreError.notFound(what: "silence \(id)")
        }
        Console.print("silence \(id) is over")
    }
}

struct AlertsCheckCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look at every store and device once, now, without the hub serving.",
        discussion: """
            Opens, changes and resolves alerts as the hub does by itself while it serves, and says what became \
            of them. What is new is handed to the destinations at once; --send also tries to deliver it.

            Example:
              shelfcast-hub alerts check --send
            """)

    @Flag(help: "Deliver what is due, too.")
    var send = false
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let hub = try data.openStore(as: "hub")
        var policy = AlertPolicy()
        // Everything is looked at in one go: nobody else can turn out to have the same a moment later.
        policy.gatherSeconds = 0
        let changed = try await AlertWatcher(store: hub, listeningSince: nil, policy: policy).look(
            at: Timestamp(Date()))
        if json.isOn {
            try Console.printJSON(changed.map(AlertText.Line.init))
        } else if changed.isEmpty {
            Console.print("nothing has changed")
        } else {
            Console.print(AlertText.table(changed, now: Timestamp(Date())))
        }
        guard send else { return }
        let deliverer = AlertDeliverer(store: hub, limits: data.sendLimits)
        let failures = try await deliverer.turn(now: { Timestamp(Date()) })
        for failure in failures {
            Console.error(
                "notice \(failure.notice) to \(failure.destination): \(failure.problem)")
        }
        if !failures.isEmpty { throw ExitCode(ExitStatus.unreachable.rawValue) }
    }
}

extension DataOptions {
    /// With the operator's own authorities, where there are some.
    var sendLimits: SendLimits {
        var limits = SendLimits()
        let file = directory + "/" + SendLimits.authoritiesFileName
        if FileManager.default.fileExists(atPath: file) { limits.authoritiesFile = file }
        return limits
    }
}
