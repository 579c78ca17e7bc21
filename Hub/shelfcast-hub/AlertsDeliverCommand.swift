import Alerting
import ArgumentParser
import Foundation
import HubCore
import HubStore
import HubSync

struct AlertsDeliverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliver", abstract: "Say where alerts are sent, and see what became of it.",
        subcommands: [
            DeliverAddCommand.self, DeliverListCommand.self, DeliverRemoveCommand.self,
            DeliverTestCommand.self, DeliverQueueCommand.self, DeliverResendCommand.self,
        ], defaultSubcommand: DeliverListCommand.self)
}

struct DeliverAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a destination: a webhook, a mail server, a command.",
        subcommands: [AddWebhookCommand.self, AddMailCommand.self, AddCommandCommand.self])
}

/// What every destination has.
struct DestinationOptions: ParsableArguments {
    @Argument(help: "The destination's name: letters, digits, '.', '_', '-' and '@'.")
    var name: String
    @Option(
        help: ArgumentHelp(
            "What is sent there: page, warn, info, with commas between.", valueName: "severities"))
    var severities = "page,warn"
    @Flag(help: "It is not told when an alert is over.")
    var withoutEnds = false

    func validate() throws {
        guard UserRecord.isName(name) else {
            throw ValidationError(
                "a destination's name is 1 to \(AlertDestination.nameBytesMax) letters, digits, '.',"
                    + " '_', '-' and '@'")
        }
        _ = try set()
    }

    func set() throws -> Set<AlertSeverity> {
        let words = severities.split(separator: ",", omittingEmptySubsequences: false)
        let known = words.compactMap { AlertSeverity(rawValue: String($0)) }
        guard known.count == words.count, !known.isEmpty else {
            throw ValidationError("--severities takes page, warn and info, with commas between")
        }
        return Set(known)
    }

    func add(
        _ channel: AlertChannel, secret: AlertSecret?, to data: DataOptions
    ) async throws {
        try await data.openStore().addAlertDestination(
            AlertDestination(
                name: name, channel: channel, severities: try set(), isToldOfEnds: !withoutEnds,
                secret: secret, createdAt: Timestamp(Date())))
        Console.print("\(name): \(channel.text)")
        Console.print("next: shelfcast-hub alerts deliver test \(name)")
    }

    /// The first line of a file, or of standard input for `-`.
    static func secret(in file: String, bytesMin: Int) throws -> AlertSecret {
        let bytes: Data
        do {
            bytes =
                file == "-"
                ? try FileHandle.standardInput.read(upToCount: AlertSecret.bytesMax + 2) ?? Data()
                : try Data(contentsOf: URL(filePath: file))
        } catch {
            throw CommandFailure(.refused, "cannot read \(file): \(fileProblem(error))")
        }
        var line = Array(bytes.prefix { $0 != UInt8(ascii: "\n") })
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard (bytesMin...AlertSecret.bytesMax).contains(line.count) else {
            throw CommandFailure(
                .refused,
                "the first line of \(file) has \(line.count) bytes; \(bytesMin) to"
                    + " \(AlertSecret.bytesMax) are needed")
        }
        return AlertSecret(bytes: line)
    }
}

struct AddWebhookCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook",
        abstract: "POST each notice as JSON, signed with a key that the receiver has too.",
        discussion: """
            The key is the first line of --key-file, 16 bytes or more. Headers: Shelfcast-Timestamp (seconds) \
            and Shelfcast-Signature (v1= and the HMAC-SHA256 of 'TIMESTAMP.BODY' in hexadecimal). Docs/alerts.md \
            has a receiver that checks them. http:// is for this machine alone.

            Example:
              openssl rand -hex 32 > webhook.key
              shelfcast-hub alerts deliver add webhook night https://example.com/hook --key-file webhook.key
            """)

    @OptionGroup var destination: DestinationOptions
    @Argument(help: "An https:// URL.")
    var url: String
    @Option(help: ArgumentHelp("The key to sign with; - reads standard input.", valueName: "file"))
    var keyFile: String
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard WebhookTarget(url) != nil else {
            throw ValidationError(
                "'\(url)' is no https:// URL without a user or a fragment (http:// is for this machine"
                    + " alone)")
        }
    }

    func perform() async throws {
        try await destination.add(
            .webhook(url: url),
            secret: try DestinationOptions.secret(in: keyFile, bytesMin: 16), to: data)
    }
}

extension MailRoute.Security: ExpressibleByArgument {}

struct AddMailCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "mail", abstract: "Hand each notice to a mail server (SMTP).",
        discussion: """
            With --security starttls (port 587) or tls (port 465); none is for a server on this machine. The \
            password is the first line of --password-file.

            Example:
              shelfcast-hub alerts deliver add mail office --host smtp.example.com --user hub \\
                --password-file smtp.password --from hub@example.com --to office@example.com
            """)

    @OptionGroup var destination: DestinationOptions
    @Option(help: "The mail server.")
    var host: String
    @Option(help: "Its port (default: 587 for starttls, 465 for tls, 25 for none).")
    var port: Int?
    @Option(help: "starttls, tls or none.")
    var security = MailRoute.Security.starttls
    @Option(help: "Who signs in there.")
    var user: String?
    @Option(
        help: ArgumentHelp("The password; - reads standard input.", valueName: "file"))
    var passwordFile: String?
    @Option(help: "The sender's address.")
    var from: String
    @Option(help: "A recipient's address; may be given several times.")
    var to: [String]
    @OptionGroup var data: DataOptions

    private static let here = ["localhost", "127.0.0.1", "::1"]

    func validate() throws {
        guard port.map({ (1...65_535).contains($0) }) ?? true else {
            throw ValidationError("--port is 1 to 65535")
        }
        guard MailRoute.isHost(host) else {
            throw ValidationError("--host is no name of a mail server")
        }
        guard (user == nil) == (passwordFile == nil) else {
            throw ValidationError("--user and --password-file belong together")
        }
        guard user.map({ $0.utf8.count <= MailRoute.userBytesMax }) ?? true else {
            throw ValidationError("--user has more than 255 bytes")
        }
        guard security != .none || Self.here.contains(host) else {
            throw ValidationError("--security none is for a mail server on this machine")
        }
        guard (1...MailRoute.recipientsMax).contains(to.count) else {
            throw ValidationError("--to may be given 1 to \(MailRoute.recipientsMax) times")
        }
        for address in [from] + to where !MailRoute.isAddress(address) {
            throw ValidationError("'\(address)' is no mail address that can be sent to")
        }
    }

    func perform() async throws {
        try await destination.add(
            .mail(
                MailRoute(
                    host: host, port: port ?? security.usualPort, security: security, user: user,
                    from: from,
                    to: to)),
            secret: try passwordFile.map { try DestinationOptions.secret(in: $0, bytesMin: 1) },
            to: data)
    }
}

struct AddCommandCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "command",
        abstract: "Run a program that reads each notice as JSON from its standard input.",
        discussion: """
            By its absolute path and without a shell. Status 0: it has arrived. It is killed after --limit, with \
            all that it started in its process group.

            Example:
              shelfcast-hub alerts deliver add command lamp /usr/local/bin/lamp --severities page -- --red
            """)

    @OptionGroup var destination: DestinationOptions
    @Argument(help: "The program's absolute path.")
    var path: String
    @Argument(help: "Its arguments; after -- where they begin with a dash.")
    var arguments: [String] = []
    @Option(name: .customLong("limit"), help: "How long it may take, 5m at most.")
    var limit = DurationText(seconds: 30)
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard path.hasPrefix("/"), path.utf8.count <= 4_096 else {
            throw ValidationError("'\(path)' is no absolute path")
        }
        guard arguments.count <= CommandRoute.argumentsMax,
            arguments.allSatisfy({ $0.utf8.count <= 4_096 })
        else {
            throw ValidationError(
                "a command takes \(CommandRoute.argumentsMax) arguments of 4096 bytes at most")
        }
        guard (1...Int64(CommandRoute.secondsMax)).contains(limit.seconds) else {
            throw ValidationError("--limit is 1s to 5m")
        }
    }

    func perform() async throws {
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw CommandFailure(.refused, "\(path) is no program that can be run")
        }
        try await destination.add(
            .command(
                CommandRoute(path: path, arguments: arguments, seconds: Int(limit.seconds))),
            secret: nil, to: data)
    }
}

struct DeliverListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract:
            "List the destinations, and how sending there goes. Keys and passwords are not shown.")

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Line: Encodable {
        var name: String
        var how: String
        var severities: [String]
        var isToldOfEnds: Bool
        var arrivedAt: String?
        var waiting: Int
        var dead: Int
    }

    func perform() async throws {
        let hub = try data.openStore()
        let standings = try await hub.deliveryStandings()
        let lines = try await hub.alertDestinations().map { destination in
            let standing = standings[destination.name] ?? DeliveryStanding()
            return Line(
                name: destination.name, how: destination.channel.text,
                severities: AlertSeverity.allCases.reversed().filter(
                    destination.severities.contains
                ).map(\.rawValue), isToldOfEnds: destination.isToldOfEnds,
                arrivedAt: standing.arrivedAt.map { FleetText.moment($0) },
                waiting: standing.waiting, dead: standing.dead)
        }
        if json.isOn { return try Console.printJSON(lines) }
        guard !lines.isEmpty else {
            return Console.print(
                "alerts are sent nowhere; see shelfcast-hub alerts deliver add --help")
        }
        var table = TextTable([
            ("NAME", .left), ("GETS", .left), ("ARRIVED LAST", .left), ("WAITING", .right),
            ("GIVEN UP", .right), ("HOW", .left),
        ])
        for line in lines {
            table.add([
                line.name,
                line.severities.joined(separator: " ") + (line.isToldOfEnds ? ", and ends" : ""),
                line.arrivedAt ?? "never", "\(line.waiting)", "\(line.dead)", line.how,
            ])
        }
        Console.print(table.text)
    }
}

struct DeliverRemoveCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a destination, and with it what waits to be sent there.")

    @Argument(help: "The destination's name.")
    var name: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        guard
            try await data.openStore().removeAlertDestination(name, at: Timestamp(Date()))
        else { throw HubStoreError.notFound(what: "destination \(name)") }
        Console.print("\(name) is gone")
    }
}

struct DeliverTestCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Send a notice to one destination now, and say whether it arrived.")

    @Argument(help: "The destination's name.")
    var name: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let hub = try data.openStore()
        let number = try await hub.sendTestNotice(to: name, at: Timestamp(Date()))
        guard
            let destination = try await hub.alertDestinations().first(where: { $0.name == name }),
            let delivery = try await hub.deliveries(nil, countMax: 100).first(where: {
                $0.notice == number && $0.destination == name
            })
        else { throw HubStoreError.notFound(what: "destination \(name)") }
        do {
            try await AlertSender.send(
                delivery, to: destination, limits: data.sendLimits, at: Timestamp(Date()))
        } catch {
            try await hub.noteDelivery(delivery, problem: "\(error)", at: Timestamp(Date()))
            throw CommandFailure(.unreachable, "\(name): \(error)")
        }
        try await hub.noteDelivery(delivery, problem: nil, at: Timestamp(Date()))
        Console.print("notice \(number) has arrived at \(name)")
    }
}

struct DeliverQueueCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Show notices that wait, and those that were given up (--dead).",
        discussion: """
            A notice is tried for a day: after 30 s, then twice as long each time, an hour at most. After that \
            it is a dead letter, which 'resend' sends on its way again.
            """)

    @Flag(help: "The dead letters alone.")
    var dead = false
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Line: Encodable {
        var notice: Int64
        var alert: Int64
        var destination: String
        var state: String
        var attempts: Int
        var at: String
        var problem: String
    }

    func perform() async throws {
        let hub = try data.openStore()
        var found = try await hub.deliveries(.dead, countMax: 1_000)
        if !dead { found = try await hub.deliveries(.waiting, countMax: 1_000) + found }
        let lines = found.map {
            Line(
                notice: $0.notice, alert: $0.alert, destination: $0.destination,
                state: $0.state.rawValue, attempts: $0.attempts, at: FleetText.moment($0.at),
                problem: $0.problem)
        }
        if json.isOn { return try Console.printJSON(lines) }
        guard !lines.isEmpty else {
            return Console.print(dead ? "no dead letters" : "everything has arrived")
        }
        var table = TextTable([
            ("NOTICE", .right), ("ALERT", .right), ("TO", .left), ("STATE", .left),
            ("TRIED", .right), ("NEXT OR LAST", .left), ("PROBLEM", .left),
        ])
        for line in lines {
            table.add([
                "\(line.notice)", line.alert == 0 ? "test" : "\(line.alert)", line.destination,
                line.state, "\(line.attempts)", line.at, line.problem,
            ])
        }
        Console.print(table.text)
    }
}

struct DeliverResendCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "resend", abstract: "Send dead letters on their way again.")

    @Argument(help: "The notice's number; without it all.")
    var notice: Int64?
    @Option(help: "Only to this destination.")
    var to: String?
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let count = try await data.openStore().resend(
            notice: notice, destination: to, at: Timestamp(Date()))
        guard count > 0 else {
            throw CommandFailure(.refused, "there is no such dead letter; see alerts deliver queue")
        }
        Console.print("\(FleetText.count(count, "notice")) will be tried again")
    }
}
