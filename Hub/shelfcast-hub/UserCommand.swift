import ArgumentParser
import Crypto
import Foundation
import HubCore
import HubStore
import HubSync

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Say who may use the hub's pages and API, and give them passwords and tokens.",
        subcommands: [
            UserAddCommand.self, UserListCommand.self, UserRemoveCommand.self,
            UserPasswordCommand.self, UserTokenCommand.self,
        ])
}

extension UserRole: ExpressibleByArgument {}

struct UserAddCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a user.",
        discussion: """
            A viewer may look; an operator may also change what runs.

            Example:
              shelfcast-hub user add manager --role operator
            """)

    @Argument(help: "Letters, digits, '.', '_', '-' and '@'.")
    var name: String
    @Option(help: "operator or viewer.")
    var role: UserRole
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard UserRecord.isName(name) else {
            throw ValidationError(
                "a user's name is 1 to \(UserRecord.nameBytesMax) letters, digits, '.', '_', '-' and"
                    + " '@'")
        }
    }

    func perform() async throws {
        try await data.openStore().addUser(
            UserRecord(name: name, role: role, createdAt: Timestamp(Date())))
        Console.print("\(name) is \(role.rawValue) now")
        Console.print("next: shelfcast-hub user password \(name), for the pages")
        Console.print("      shelfcast-hub user token create \(name), for the API")
    }
}

struct UserListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List users and the numbers of their tokens.")

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Line: Encodable {
        var name: String
        var role: String
        var createdAt: String
        var tokens: [Int64]
    }

    func perform() async throws {
        let users = try await data.openStore().users()
        if json.isOn {
            return try Console.printJSON(
                users.map {
                    Line(
                        name: $0.name, role: $0.role.rawValue,
                        createdAt: FleetText.moment($0.createdAt), tokens: $0.tokens)
                })
        }
        guard !users.isEmpty else {
            return Console.print(
                "no users yet; add one with shelfcast-hub user add NAME --role viewer")
        }
        var table = TextTable([
            ("NAME", .left), ("ROLE", .left), ("SINCE", .left), ("TOKENS", .left),
        ])
        for user in users {
            table.add([
                user.name, user.role.rawValue, FleetText.moment(user.createdAt),
                user.tokens.map { "\($0)" }.joined(separator: " "),
            ])
        }
        Console.print(table.text)
    }
}

struct UserRemoveCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a user, and with it every token and session of the user.")

    @Argument(help: "The user's name.")
    var name: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        guard try await data.openStore().removeUser(name, at: Timestamp(Date())) else {
            throw CommandFailure(
                .refused, "there is no user '\(name)'; see shelfcast-hub user list")
        }
        Console.print("\(name) is gone, and every token and session of that user with it")
    }
}

struct UserTokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make and withdraw a user's tokens for the API.",
        subcommands: [UserTokenCreateCommand.self, UserTokenRevokeCommand.self])
}

struct UserTokenCreateCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a token. It is shown once and kept nowhere.",
        discussion: """
            The hub keeps its SHA-256 only: 256 random bits need no slower hash.

            Example:
              shelfcast-hub user token create manager
            """)

    @Argument(help: "The user's name.")
    var name: String
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Result: Encodable {
        var id: Int64
        var token: String
    }

    func perform() async throws {
        let secret = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        let token =
            "shelfcast-api."
            + Data(secret).base64EncodedString().replacing("+", with: "-")
            .replacing("/", with: "_").replacing("=", with: "")
        let id = try await data.openStore().addUserToken(
            sha256: Array(SHA256.hash(data: Data(token.utf8))), of: name, at: Timestamp(Date()))
        if json.isOn { return try Console.printJSON(Result(id: id, token: token)) }
        Console.print("token \(id) of \(name), shown this once:")
        Console.print(token)
    }
}

struct UserTokenRevokeCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Withdraw a token: it is good for nothing any more.")

    @Argument(help: "The token's number, as 'user list' shows it.")
    var id: Int64
    @OptionGroup var data: DataOptions

    func perform() async throws {
        guard try await data.openStore().revokeUserToken(id, at: Timestamp(Date())) else {
            throw CommandFailure(
                .refused, "there is no token \(id) that is good; see shelfcast-hub user list")
        }
        Console.print("token \(id) is withdrawn")
    }
}
