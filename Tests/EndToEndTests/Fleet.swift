import Foundation
import TestSupport
import Testing

/// Where the programs under test lie, and which form of the agent a test runs.
enum Binaries {
    /// The test's own executable lies beside them.
    static let folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()
        .path(percentEncoded: false)

    static var hub: String { folder + "shelfcast-hub" }

    enum Agent: Sendable, CustomTestStringConvertible {
        case ordinary, embedded
        /// The Embedded form for another architecture.
        case emulated(Emulated)

        /// Those every machine can run by itself.
        static let native: [Agent] = [.ordinary, .embedded]

        /// The Embedded form is built by `make agent`, which `make test` runs first.
        var path: String { get throws { try program.path } }

        var program: Program {
            get throws {
                switch self {
                case .ordinary: return Program(path: folder + "shelfcast-agent")
                case .embedded:
                    return Program(
                        path: try #require(
                            ProcessInfo.processInfo.environment["SHELFCAST_EMBEDDED_AGENT"],
                            "set SHELFCAST_EMBEDDED_AGENT to the binary of `make agent`, or run `make test`"
                        ))
                case .emulated(let architecture):
                    return try architecture.program("shelfcast-agent")
                }
            }
        }
        var testDescription: String { "\(self) agent" }
    }
}

/// A hub of this test's own, with its commands and its server.
final class HubUnderTest {
    let folder: TemporaryFolder
    var data: String { folder.path + "/hub" }
    private(set) var port = 0
    private(set) var server: ChildProcess?

    init() throws {
        folder = try TemporaryFolder()
        try command("init")
    }

    /// Gives it a year's sales of made-up stores, and the packages of one small family named `f`.
    /// - Parameter units: widths of networks, as `train --units` takes them.
    func stock(stores: Int = 1, items: Int = 3, units: String = "2") throws {
        let sales = folder.path + "/sales.csv"
        try Program(path: Binaries.hub).run([
            "sales", "sample", "--out", sales, "--stores", "\(stores)", "--items", "\(items)",
            "--seed", "5", "--from", "2023-06-01", "--to", "2024-06-30",
        ])
        try command("sales", "import", sales, "--strict")
        try command("train", "--form", "profile", "--units", units, "--epochs", "1", "--name", "f")
        try command("package", "build", "f")
    }

    @discardableResult
    func command(_ arguments: String..., expecting status: Int32? = 0) throws -> String {
        try Program(path: Binaries.hub).run(
            arguments + ["--data", data], expecting: status, secondsMax: 300
        ).output
    }

    func json(_ arguments: String?...) throws -> JSON {
        let text = try Program(path: Binaries.hub).run(
            arguments.compactMap { $0 } + ["--json", "--data", data], secondsMax: 300
        ).output
        return try JSON(text)
    }

    /// Starts the server on the port it had before, so that devices find it again.
    /// - Parameter port: another one, that of a hub that is gone.
    func serve(port other: Int? = nil) throws {
        if let other { port = other }
        _ = try serve(["--no-pages"])
    }

    /// The same with the pages for people, on a free port.
    /// - Returns: their address.
    func servePages() throws -> String {
        let running = try serve(["--pages-port", "0"])
        let line = try #require(try running.line { $0.hasPrefix("pages on ") })
        return String(line.dropFirst("pages on ".count))
    }

    private func serve(_ options: [String]) throws -> ChildProcess {
        let running = try Program(path: Binaries.hub).start(
            [
                "serve", "--data", data, "--host", "127.0.0.1", "--port", "\(port)",
                "--no-web",
            ] + options)
        let line = try #require(
            try running.line { $0.contains("listening on 127.0.0.1:") },
            "the hub did not start listening")
        let digits = line.split(separator: "127.0.0.1:", maxSplits: 1)[1].prefix { $0.isNumber }
        port = try #require(Int(digits))
        server = running
        return running
    }

    /// As a power cut.
    func kill() {
        server?.kill()
        server?.wait()
        server = nil
    }

    func token(
        store: String, uses: Int = 1, needsApproval: Bool = false, region: String? = nil
    ) throws -> String {
        let reply = try json(
            "token", "create", "--store", store, "--uses", "\(uses)", "--host", "127.0.0.1",
            "--port", "\(port)", needsApproval ? "--needs-approval" : nil,
            region == nil ? nil : "--label", region.map { "region=\($0)" })
        return try reply["token"].string
    }
}

/// A device of this test's own.
final class DeviceUnderTest: Sendable {
    let folder: TemporaryFolder
    let program: Program
    let store: String
    let budget: String

    init(_ agent: Binaries.Agent, store: String, budget: String = "64KiB") throws {
        folder = try TemporaryFolder()
        program = try agent.program
        self.store = store
        self.budget = budget
    }

    var state: String { folder.path + "/state" }

    @discardableResult
    func command(_ arguments: [String], input: String? = nil, expecting status: Int32? = 0) throws
        -> Program.Outcome
    {
        try program.run(arguments + ["--state", state], input: input, expecting: status)
    }

    func join(_ token: String) throws {
        try command(["join", token, "--memory-budget", budget])
    }

    func run() throws -> ChildProcess {
        try program.start(["run", "--state", state])
    }

    func status() throws -> JSON { try JSON(try command(["status", "--json"]).output) }
    func forecasts() throws -> JSON { try JSON(try command(["forecast", "--json"]).output) }
}

/// JSON as a test reads it: a missing member fails the test and says which.
struct JSON: @unchecked Sendable {
    struct Missing: Error { var what: String }
    let value: Any

    init(_ text: String) throws {
        value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    }
    private init(value: Any) { self.value = value }

    subscript(_ name: String) -> JSON {
        get throws {
            guard let member = (value as? [String: Any])?[name] else {
                throw Missing(what: "\"\(name)\" in \(value)")
            }
            return JSON(value: member)
        }
    }
    var isNull: Bool { value is NSNull }
    var list: [JSON] {
        get throws {
            guard let list = value as? [Any] else { throw Missing(what: "a list, not \(value)") }
            return list.map(JSON.init(value:))
        }
    }
    var string: String {
        get throws {
            guard let string = value as? String else {
                throw Missing(what: "a string, not \(value)")
            }
            return string
        }
    }
    var number: Double {
        get throws {
            guard let number = value as? NSNumber else {
                throw Missing(what: "a number, not \(value)")
            }
            return number.doubleValue
        }
    }
}
