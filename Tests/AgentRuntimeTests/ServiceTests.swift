import AgentCore
import AgentRuntime
import Foundation
import TestSupport
import Testing

/// The program as a service: what it tells the supervisor that started it, and what its configuration file says.
@Suite("The agent as a service")
struct ServiceTests {
    /// A supervisor's socket.
    final class Listener {
        let name: String
        private let descriptor: Int32

        /// - Parameter name: a path, or `@` and the name of an abstract socket.
        init(name: String) throws {
            self.name = name
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { path in
                path.copyBytes(from: name.utf8)
                if name.hasPrefix("@") { path[0] = 0 }
            }
            let bytes = MemoryLayout<sa_family_t>.size + name.utf8.count
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(bytes))
                }
            }
            try #require(descriptor >= 0 && result == 0, "no socket \(name)")
        }

        deinit { close(descriptor) }

        /// The next message; nil when none comes in a minute.
        func message() -> String? {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 60_000) == 1 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
        }

        /// All messages up to `last`, with it.
        func messages(through last: String) -> [String] {
            var messages: [String] = []
            while messages.last != last, let message = message() { messages.append(message) }
            return messages
        }
    }

    let state = TemporaryFolder()
    let hub = TestHub()

    init() {
        hub.enrol(state)
    }

    func run(
        _ form: StockHub.Form, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> ChildProcess {
        try ChildProcess(
            form.program.path, ["run", "--state", state.path] + arguments,
            // A machine's own configuration is not this test's.
            environment: ["SHELFCAST_CONFIG": "/dev/null"].merging(environment) { $1 })
    }

    @Test(
        "says that it is ready, how it does and that it stops", arguments: StockHub.Form.all,
        [true, false])
    func notifies(form: StockHub.Form, isAbstract: Bool) throws {
        let listener = try Listener(
            name: isAbstract ? "@shelfcast-test-\(UUID().uuidString)" : state.file("notify"))
        let agent = try run(form, environment: ["NOTIFY_SOCKET": listener.name])
        #expect(listener.message() == "READY=1")
        #expect(listener.message()?.hasPrefix("STATUS=") == true)
        agent.terminate()
        #expect(listener.messages(through: "STOPPING=1").last == "STOPPING=1")
        #expect(agent.wait().status == 0)
    }

    @Test("feeds the watchdog only where the unit asks for one", arguments: StockHub.Form.all)
    func watchdog(form: StockHub.Form) throws {
        for (asked, isFed) in [
            (["WATCHDOG_USEC": "2000000"], true), ([:], false),
            // Meant for another process.
            (["WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"], false),
            (["WATCHDOG_USEC": "never"], false),
        ] {
            let listener = try Listener(name: "@shelfcast-test-\(UUID().uuidString)")
            let agent = try run(
                form, ["--contact", "visit"],
                environment: asked.merging(["NOTIFY_SOCKET": listener.name]) { $1 })
            var messages: [String] = []
            // Fed before its first long pause; otherwise it has said by its second word how it does.
            while isFed ? messages.last?.hasPrefix("WATCHDOG=") != true : messages.count < 2,
                let message = listener.message()
            {
                messages.append(message)
            }
            agent.terminate()
            messages += listener.messages(through: "STOPPING=1")
            let fed = messages.filter { $0.hasPrefix("WATCHDOG=1\nWATCHDOG_USEC=") }
            #expect(fed.isEmpty == !isFed, "\(asked): \(messages)")
            for message in fed {
                // At least the two seconds it may work, and what it means to sleep.
                let allowed = try #require(Int(message.split(separator: "=").last ?? ""))
                #expect(allowed >= 2_000_000)
            }
        }
    }

    @Test("runs where no supervisor listens", arguments: StockHub.Form.all)
    func alone(form: StockHub.Form) throws {
        for name in [
            "", "@", "/nowhere/at/all", "vsock:2:1234", String(repeating: "/x", count: 90),
        ] {
            let agent = try run(
                form, environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"])
            #expect(try agent.line { $0.contains("of store 1, hub") } != nil)
            agent.terminate()
            #expect(agent.wait().status == 0)
        }
    }

    func outcome(
        _ form: StockHub.Form, _ file: String, _ arguments: [String] = []
    ) throws -> (status: Int32, errors: String) {
        let path = state.file("agent.toml")
        try file.write(toFile: path, atomically: false, encoding: .utf8)
        let agent = try run(form, ["--config", path] + arguments)
        let end = agent.wait()
        return (end.status, try agent.errors().replacingOccurrences(of: path, with: "FILE"))
    }

    static let wrong: [(file: String, says: String)] = [
        ("contact = \"sometimes\"", "FILE, line 1: --contact is stay or visit"),
        ("# when\nclose-at = \"25:00\"", "FILE, line 2: --close-at is a time, HH:MM"),
        ("memory-budget = \"much\"", "FILE, line 1: --memory-budget is a number of bytes"),
        ("memory-budget = true", "FILE, line 1: memory-budget needs a text or a number"),
        ("contct = \"visit\"", "FILE, line 1: unknown key contct; there are: "),
        ("state = \"/elsewhere\"", "FILE, line 1: unknown key state; there are: "),
        ("config = \"/elsewhere\"", "FILE, line 1: unknown key config; there are: "),
        ("close-at = 22:30", "FILE, line 1: the value of close-at is a \"text\" in quotes"),
        ("[agent]", "FILE, line 1: this file has no [tables]"),
    ]

    @Test("refuses a wrong file with the line and what to do", arguments: StockHub.Form.all, wrong)
    func wrongFile(form: StockHub.Form, row: (file: String, says: String)) throws {
        let outcome = try outcome(form, row.file)
        #expect(outcome.status == 2)
        #expect(outcome.errors.hasPrefix("shelfcast-agent: " + row.says), "\(outcome.errors)")
    }

    @Test("names the keys there are", arguments: StockHub.Form.all)
    func keys(form: StockHub.Form) throws {
        let errors = try outcome(form, "x = 1").errors
        for key in ["contact", "close-at", "memory-budget"] {
            #expect(errors.contains(key), "\(errors)")
        }
        #expect(!errors.contains("config,"))
    }

    @Test(
        "takes its options from the file, and the command line wins", arguments: StockHub.Form.all)
    func defaults(form: StockHub.Form) throws {
        let path = state.file("agent.toml")
        try "contact = \"visit\"\nmemory-budget = 12_288\n".write(
            toFile: path, atomically: false, encoding: .utf8)
        func budget(_ arguments: [String], environment: [String: String] = [:]) throws -> UInt64? {
            let agent = try run(form, arguments, environment: environment)
            _ = try agent.line { $0.contains("of store 1, hub") }
            agent.terminate()
            agent.wait()
            return Configuration(in: state.path).budgetBytes
        }
        #expect(try budget([]) == 20_000)
        #expect(try budget([], environment: ["SHELFCAST_CONFIG": path]) == 12_288)
        #expect(try budget(["--config", path, "--memory-budget", "30000"]) == 30_000)
        #expect(try budget(["--config", path]) == 12_288)
        // A wrong value that the command line replaces does not count.
        let replaced = try outcome(form, "contact = \"sometimes\"", ["--contact", "x"])
        #expect(replaced.errors.hasPrefix("shelfcast-agent: --contact is stay or visit"))
    }

    @Test(
        "started four times at once runs once, and says so to the others",
        arguments: StockHub.Form.all)
    func atOnce(form: StockHub.Form) throws {
        for _ in 0..<2 {
            var agents = try (0..<4).map { _ in try run(form) }
            var running: [ChildProcess] = []
            for agent in agents where try agent.line(where: { $0.contains("hub 127.0.0.1") }) != nil
            {
                running.append(agent)
            }
            #expect(running.count == 1)
            agents.removeAll { agent in running.contains { $0 === agent } }
            for agent in agents {
                #expect(agent.wait().status == 75)
                let errors = try agent.errors()
                #expect(
                    errors.contains("another process is using")
                        || errors.contains("an agent is running"))
            }
            let status = try ChildProcess(
                form.program.path, ["status", "--json", "--state", state.path])
            #expect(status.wait().status == 0)
            #expect(try status.output().contains(#""connection":""#))
            for agent in running {
                agent.terminate()
                #expect(agent.wait().status == 0)
            }
        }
    }

    @Test(
        "orders by the same file where no agent runs, and a wrong one stops no question",
        arguments: StockHub.Form.all)
    func ordersByFile(form: StockHub.Form) throws {
        let path = state.file("agent.toml")
        func stock(_ file: String) throws -> (output: String, errors: String) {
            try file.write(toFile: path, atomically: false, encoding: .utf8)
            let command = try ChildProcess(
                form.program.path,
                ["stock", "7", "100", "--day", "2016-07-19", "--json", "--state", state.path],
                environment: ["SHELFCAST_CONFIG": path])
            #expect(command.wait().status == 0)
            return (try command.output(), try command.errors())
        }
        let same = try stock("contact = \"visit\"\nlead-days = 4\norder-multiple = 6\n")
        #expect(same.output.contains(#""leadDays":4"#), "\(same)")
        #expect(same.output.contains(#""multiple":6"#))
        #expect(same.errors.isEmpty)
        let wrong = try stock("lead-days = 99\n")
        #expect(wrong.output.contains(#""leadDays":2"#), "\(wrong)")
        #expect(wrong.errors.contains("agent.toml, line 1: --lead-days is a whole number"))
    }

    @Test("says that a named file is not there", arguments: StockHub.Form.all)
    func missing(form: StockHub.Form) throws {
        let agent = try run(form, ["--config", state.file("none.toml")])
        #expect(agent.wait().status == 2)
        #expect(try agent.errors().contains("none.toml: there is no such file"))
    }

    @Test(
        "run by root, leaves nothing in the state directory that its owner cannot read",
        .enabled(if: geteuid() == 0, "only root can act as another user"))
    func owner() throws {
        let form = StockHub.Form.all[0]
        for path in [state.path]
            + (try FileManager.default.contentsOfDirectory(atPath: state.path)).map(state.file)
        {
            try #require(chown(path, 4242, 4242) == 0)
        }
        let process = try ChildProcess(form.program.path, ["status", "--state", state.path])
        process.wait()
        let errors = try process.errors()
        #expect(process.end?.status == 0, "\(errors)")
        let names = try FileManager.default.contentsOfDirectory(atPath: state.path)
        #expect(names.contains("agent.sqlite") && names.contains("agent.lock"))
        for name in names {
            let owner = try FileManager.default.attributesOfItem(atPath: state.file(name))[
                .ownerAccountID]
            #expect(owner as? Int == 4242, "\(name)")
        }
    }
}
