import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import SyncProtocol

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, list and withdraw the tokens devices join with.",
        subcommands: [
            TokenCreateCommand.self, TokenListCommand.self, TokenRevokeCommand.self,
        ])
}

struct TokenCreateCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a join token for devices of one store.",
        discussion: """
            The token holds the hub's address, the fingerprint of its certificate authority and a \
            secret. It is shown once and kept nowhere; who has it can join as a device of that store.

            The line to paste on a device installs the agent from this hub and joins. It needs curl and \
            root there, and 'serve' with its install page here. The pinned key in it is the hub's own: \
            whoever stands between the two can hinder the device and plant nothing.

            Examples:
              shelfcast-hub token create --store 1 --host hub.example.org
              shelfcast-hub token create --store 1 --label kind=scanner --uses 20 --expires 7d
            """)

    @Option(help: "The store whose devices join with it.")
    var store: String
    @Option(
        name: .customLong("label"),
        help: ArgumentHelp(
            "A label for every device that joins with it (repeatable).", valueName: "key=value"))
    var labels: [String] = []
    @Option(help: "How many devices may join with it.")
    var uses = 1
    @Option(
        name: .customLong("expires"),
        help: ArgumentHelp("How long it is good for: 30m, 12h, 7d.", valueName: "duration"))
    var expiresIn = DurationText(seconds: 7 * 86_400)
    @Option(
        help: "The hub's address as devices reach it (default: this machine's host name).")
    var host: String?
    @Option(help: "The hub's port as devices reach it.")
    var port = 7420
    @Option(help: "The port of the hub's install page as devices reach it.")
    var webPort = 8443
    @Flag(help: "Devices wait for 'device approve' before they take part.")
    var needsApproval = false
    @Option(help: "Also set the store's time zone: an IANA name such as Europe/Berlin.")
    var timeZone: String?
    @Flag(help: "Print the token alone, for a script.")
    var plain = false
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Result: Encodable {
        var id: Int64
        var token: String
        /// What installs the agent and joins, for a shell.
        var install: String
        var store: String
        var labels: [String]
        var uses: Int
        var expiresAt: String
        var approves: Bool
    }

    func validate() throws {
        guard (1...TokenRecord.usesMaxLimit).contains(uses) else {
            throw ValidationError("--uses is 1 to \(TokenRecord.usesMaxLimit)")
        }
        guard (1...65_535).contains(port) else { throw ValidationError("--port is 1 to 65535") }
        guard (1...65_535).contains(webPort) else {
            throw ValidationError("--web-port is 1 to 65535")
        }
        guard !(plain && json.isOn) else {
            throw ValidationError("give --plain or --json, not both")
        }
        guard expiresIn.seconds >= 1 else { throw ValidationError("--expires is 1s or more") }
        guard labels.count <= DeviceLabel.countMax else {
            throw ValidationError("at most \(DeviceLabel.countMax) labels")
        }
        if let host, host.isEmpty || host.utf8.count > Limit.hostBytes {
            throw ValidationError("--host is 1 to \(Limit.hostBytes) bytes")
        }
        if let timeZone, TimeZone(identifier: timeZone) == nil {
            throw ValidationError("'\(timeZone)' is no time zone; an example is Europe/Berlin")
        }
        if (try? StoreID(store)) == nil {
            throw ValidationError(
                "--store is 1 to 32 printable ASCII characters without space , \" ' \\")
        }
        for label in labels {
            do throws(LabelError) { _ = try DeviceLabel(label) } catch {
                throw ValidationError(error.description)
            }
        }
    }

    func perform() async throws {
        let hub = try data.openStore()
        let authority = try data.openIdentity().authority
        let storeID = try StoreID(store)
        if let timeZone { try await hub.setTimeZone(timeZone, of: storeID) }
        let secret = JoinSecret.random()
        let now = Timestamp(Date())
        let token = try await hub.createToken(
            TokenRecord(
                secretSHA256: secret.sha256, store: storeID,
                labels: try labels.map { try DeviceLabel($0) }, createdAt: now,
                expiresAt: now.advanced(bySeconds: expiresIn.seconds), usesMax: uses,
                approves: !needsApproval))
        let address = host ?? ProcessInfo.processInfo.hostName
        let text = JoinToken(
            host: address, port: UInt32(port),
            caSha256: try authority.rootSHA256, secret: secret.bytes
        ).text
        let location = AgentPackagesFolder.authority(address, webPort)
        // Brackets mean something to a shell.
        let quote = location.hasPrefix("[") ? "'" : ""
        let install =
            "curl -fsSk --pinnedpubkey '\(try authority.webPin)'"
            + " \(quote)https://\(location)/install\(quote)"
            + " | sudo sh -s -- \(text)"
        if json.isOn {
            return try Console.printJSON(
                Result(
                    id: token.id, token: text, install: install, store: store,
                    labels: token.labels.map(\.text),
                    uses: uses, expiresAt: FleetText.moment(token.expiresAt),
                    approves: token.approves))
        }
        if plain { return Console.print(text) }
        let approval = token.approves ? "approved at once" : "waiting for 'device approve'"
        Console.print(
            "token \(token.id) for store \(store): \(FleetText.count(uses, "device")), until"
                + " \(FleetText.moment(token.expiresAt)), \(approval)")
        Console.print("on the device, to install the agent and join, paste:")
        Console.print("  \(install)")
        Console.print("where the agent is installed:")
        Console.print("  shelfcast-agent join \(text)")
    }
}

struct TokenListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the tokens, never their secrets.",
        discussion: """
            Example:
              shelfcast-hub token list --json
            """)

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Line: Encodable {
        var id: Int64
        var store: String
        var labels: [String]
        var uses: Int
        var usesMax: Int
        var createdAt: String
        var expiresAt: String
        var approves: Bool
        var state: String
    }

    func perform() async throws {
        let now = Timestamp(Date())
        let tokens = try await data.openStore().tokens()
        if json.isOn {
            return try Console.printJSON(
                tokens.map {
                    Line(
                        id: $0.id, store: $0.store.text, labels: $0.labels.map(\.text),
                        uses: $0.uses, usesMax: $0.usesMax,
                        createdAt: FleetText.moment($0.createdAt),
                        expiresAt: FleetText.moment($0.expiresAt), approves: $0.approves,
                        state: Self.state(of: $0, now: now))
                })
        }
        guard !tokens.isEmpty else {
            return Console.print(
                "no tokens yet; make one with shelfcast-hub token create --store ID")
        }
        var table = TextTable([
            ("TOKEN", .right), ("STORE", .left), ("USES", .right), ("EXPIRES", .left),
            ("APPROVES", .left), ("STATE", .left), ("LABELS", .left),
        ])
        for token in tokens {
            table.add([
                "\(token.id)", token.store.text, "\(token.uses)/\(token.usesMax)",
                FleetText.moment(token.expiresAt), token.approves ? "yes" : "no",
                Self.state(of: token, now: now), FleetText.labels(token.labels),
            ])
        }
        Console.print(table.text)
    }

    private static func state(of token: TokenRecord, now: Timestamp) -> String {
        if token.revokedAt != nil { return "revoked" }
        switch TokenCheck.decide(token, now: now) {
        case .accepted: return "open"
        case .expired: return "expired"
        case .usedUp: return "used-up"
        case .unknown: return "revoked"
        }
    }
}

struct TokenRevokeCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Withdraw a token: nobody joins with it any more.",
        discussion: """
            Devices that have joined with it stay; see 'device revoke'.

            Example:
              shelfcast-hub token revoke 3
            """)

    @Argument(help: "The token's number, as 'token list' shows it.")
    var id: Int64
    @OptionGroup var data: DataOptions

    func perform() async throws {
        guard try await data.openStore().revokeToken(id, at: Timestamp(Date())) else {
            throw CommandFailure(.refused, "there is no token \(id); see shelfcast-hub token list")
        }
        Console.print("token \(id) is withdrawn; devices that joined with it stay")
    }
}
