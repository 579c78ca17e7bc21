import ArgumentParser
import Foundation
import Glibc
import HubCore
import HubStore
import HubWeb

struct UserPasswordCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "password",
        abstract: "Give a user a password for the pages.",
        discussion: """
            Asks for it twice at a terminal, without showing it; otherwise reads one line from standard \
            input. Of the password only what scrypt makes of it is kept. Every session of the user ends.

            Examples:
              shelfcast-hub user password manager
              pwgen -s 24 1 | tee /dev/tty | shelfcast-hub user password manager
            """)

    @Argument(help: "The user's name.")
    var name: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let store = try data.openStore()
        guard try await store.users().contains(where: { $0.name == name }) else {
            throw CommandFailure(
                .refused, "there is no user '\(name)'; see shelfcast-hub user list")
        }
        let password = try HiddenInput.password(of: name)
        guard PasswordHasher.isPassword(password) else {
            let range = PasswordHasher.bytesRange
            throw CommandFailure(
                .refused,
                "a password has \(range.lowerBound) to \(range.upperBound) bytes: a few words do")
        }
        let record = try await PasswordHasher().record(of: password, at: Timestamp.now)
        try await store.setPassword(record, of: name)
        Console.print("\(name) has a new password; every session of \(name) has ended")
    }
}

/// What is typed and not shown.
enum HiddenInput {
    static func password(of name: String) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else { return try line() }
        let first = try hidden("password for \(name): ")
        guard try hidden("the same again: ") == first else {
            throw CommandFailure(.refused, "these were two different ones; nothing was changed")
        }
        return first
    }

    private static func hidden(_ prompt: String) throws -> String {
        Console.write(prompt, to: STDERR_FILENO)
        var shown = termios()
        guard tcgetattr(STDIN_FILENO, &shown) == 0 else { return try line() }
        var hiding = shown
        hiding.c_lflag &= ~tcflag_t(ECHO)
        _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hiding)
        defer {
            _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
            Console.write("\n", to: STDERR_FILENO)
        }
        return try line()
    }

    /// Byte by byte, at most as many as a password may have and one more.
    private static func line() throws -> String {
        var bytes: [UInt8] = []
        while bytes.count <= PasswordHasher.bytesRange.upperBound {
            var byte: UInt8 = 0
            let count = read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1, byte != UInt8(ascii: "\n") else { break }
            bytes.append(byte)
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(.refused, "a password is text in UTF-8")
        }
        return text
    }
}
