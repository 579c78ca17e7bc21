import AgentCore
import CLogFile
import CPosix
import CSQLite
import Forecasting
package import JSONText
import SyncProtocol
import UpdateTrust

/// What `doctor` finds on a device: what is well, what is not, and what to do about it. It reads only: no setting, no
/// file and no number of the device is changed, and an agent at work on it goes on.
package struct Doctor {
    package enum Verdict: Equatable, Sendable {
        case ok
        /// It works, and soon it may not.
        case warning
        case wrong

        package var name: String {
            switch self {
            case .ok: "ok"
            case .warning: "warning"
            case .wrong: "wrong"
            }
        }
    }

    package struct Finding: Equatable, Sendable {
        package var name: String
        package var verdict: Verdict
        package var text: String
        /// What to do; empty where there is nothing.
        package var advice: String
    }

    /// Below it a database cannot grow for long.
    static let freeBytesLow: Int64 = 16 << 20
    static let freeBytesMin: Int64 = 1 << 20
    /// Of the device's clock beside the hub's.
    static let clockSecondsOff: Int64 = 120

    package private(set) var findings: [Finding] = []
    private let directory: String
    private let clock: AgentClock

    package init(directory: String, clock: AgentClock = AgentClock()) {
        self.directory = directory
        self.clock = clock
    }

    package var isWell: Bool { !findings.contains { $0.verdict == .wrong } }

    /// All of it, one thing after the other; takes as long as the hub does to answer, at most some 50 s.
    package mutating func examine() {
        let identity = Identity(in: directory)
        let configuration = Configuration(in: directory)
        let agent = lookForAgent()
        examineDisk()
        examineConfiguration(configuration)
        // The database before the clock and the model: both are judged by what it holds.
        var store: AgentStore?
        if let agent { ask(agent) } else { store = examineDatabase() }
        examineClock(identity)
        guard let identity else {
            add(
                "hub", .wrong, "this device has not joined a hub",
                "make a token there (shelfcast-hub token create) and run: shelfcast-agent join TOKEN"
            )
            return
        }
        examineCertificate(identity)
        examineHub(identity)
        if let store {
            examineModel(store, configuration)
            examineTrust(store)
            // What cannot be read is told of the database already.
            if let calendar = try? store.calendar() {
                examineCalendar(AgentService.reply(of: calendar))
            }
        }
    }

    package var reply: JSONValue {
        .object([
            .init("ok", .bool(isWell)),
            .init(
                "checks",
                .array(
                    findings.map {
                        .object([
                            .init("name", .string($0.name)),
                            .init("verdict", .string($0.verdict.name)),
                            .init("text", .string($0.text)), .init("advice", .string($0.advice)),
                        ])
                    })),
        ])
    }

    @inline(never)
    private mutating func add(
        _ name: String, _ verdict: Verdict, _ text: String, _ advice: String = ""
    ) {
        findings.append(Finding(name: name, verdict: verdict, text: text, advice: advice))
    }

    /// One after the other: far less code than interpolation, in the Embedded build.
    @inline(never)
    private static func joined(_ parts: String...) -> String {
        var text = ""
        for part in parts { text += part }
        return text
    }

    @inline(never)
    private static func number(_ value: Int64) -> String { "\(value)" }

    // MARK: The device

    private mutating func lookForAgent() -> LocalConnection? {
        let socket = shelfcast_connect_unix(directory + "/" + LocalServer.fileName)
        guard socket >= 0 else {
            add(
                "agent", .warning, Self.joined("no agent runs on ", directory),
                "start it: shelfcast-agent run")
            return nil
        }
        add("agent", .ok, "running")
        return LocalConnection(descriptor: socket)
    }

    /// A running agent has the database for itself, and proves its package when asked.
    private mutating func ask(_ agent: LocalConnection) {
        do throws(AgentError) {
            let status = try agent.ask(.object([.init("do", .string("status"))]))
            let trouble = Self.text(status["disk"])
            add(
                "database", trouble.utf8.isEmpty ? .ok : .wrong,
                trouble.utf8.isEmpty
                    ? "in use by the agent, which looked at it when it started" : trouble,
                trouble.utf8.isEmpty ? "" : "mend the disk; the agent goes on by itself")
            if status["joined"] == .bool(true) {
                examineTrust(status["metadata"])
                examineCalendar(status["calendar"])
            }
            let reply = try agent.ask(.object([.init("do", .string("selftest"))]))
            if let package = reply["package"], package != .null {
                let isRight = package["right"] == .bool(true) && reply["ok"] == .bool(true)
                add(
                    "model", isRight ? .ok : .wrong,
                    isRight
                        ? "gives what it gives elsewhere" : Self.text(reply["error"]),
                    isRight ? "" : "stop the agent, and look at: shelfcast-agent selftest")
            } else if status["joined"] == .bool(true) {
                noModel(because: Self.text(status["desireReason"]))
            }
        } catch {
            add("database", .wrong, error.text, "restart the agent")
        }
    }

    private static func text(_ value: JSONValue?) -> String {
        String(decoding: value?.utf8 ?? [], as: UTF8.self)
    }

    private mutating func noModel(because reason: String) {
        add(
            "model", .warning,
            Self.joined("none runs", reason.utf8.isEmpty ? "" : "; the hub says: ", reason),
            "roll one out: shelfcast-hub fit FAMILY, then shelfcast-hub push FAMILY")
    }

    private mutating func examineDisk() {
        let access = shelfcast_writable(directory)
        guard access == 0 else {
            add(
                "disk", .wrong, Self.joined(directory, " cannot be written: ", errorText(access)),
                Self.joined("mount it writable, and run the agent as the owner of ", directory))
            return
        }
        let free = shelfcast_free_bytes(directory)
        let text = Self.joined(Self.number(free >> 10), " KiB free")
        if free < Self.freeBytesMin {
            add("disk", .wrong, text, "free some space: sales cannot be recorded without")
        } else if free < Self.freeBytesLow {
            add("disk", .warning, text, "free some space soon")
        } else {
            add("disk", .ok, text)
        }
    }

    private mutating func examineConfiguration(_ configuration: Configuration) {
        let path = directory + "/" + Configuration.fileName
        if let bytes = Files.read(path, bytesMax: 65_536), (try? JSONValue(parsing: bytes)) == nil {
            add(
                "config", .warning, Self.joined(path, " is not JSON: as if nothing were set"),
                "repair it, or remove it and set the budget again: shelfcast-agent run --memory-budget"
            )
            return
        }
        let total = UInt64(max(0, shelfcast_memory_total()))
        let budget =
            configuration.budgetBytes ?? Capabilities.derivedBudget(memoryTotalBytes: total)
        let how =
            configuration.budgetBytes == nil
            ? " bytes, a thousandth of the memory (4 KiB to 1 MiB)" : " bytes, set"
        guard total == 0 || budget <= total / 2 else {
            add(
                "config", .warning,
                Self.joined(
                    "the model budget is ", Self.number(Int64(budget)), how, ": most of the memory"),
                "set what a model may really take: --memory-budget")
            return
        }
        add("config", .ok, Self.joined("model budget ", Self.number(Int64(budget)), how))
    }

    // MARK: The database

    /// - Returns: the store, open for reading, unless it cannot be read.
    private mutating func examineDatabase() -> AgentStore? {
        let path = directory + "/" + AgentStore.fileName
        guard shelfcast_file_bytes(path) >= 0 else {
            add("database", .ok, "none yet")
            return nil
        }
        do throws(StoreError) {
            // A file that nobody writes is opened so that not even a lock is left beside it.
            let isAtRest = shelfcast_log_is_empty(path + "-wal") != 0
            let store = AgentStore(
                directory: directory,
                database: try Database(path: path, readOnly: true, isImmutable: isAtRest))
            let verdict = try store.database.first("PRAGMA quick_check(1)", columns: 1)?[0].bytes
            guard verdict?.elementsEqual("ok".utf8) == true else { throw .corrupt }
            let version = Int(
                try store.database.first("PRAGMA user_version", columns: 1)?[0].integer ?? 0)
            guard version <= Schema.migrations.count else { throw .newer(version: version) }
            if let bound = try store.integer(.timeLowerBound) {
                clock.noteLowerBound(seconds: bound)
            }
            add(
                "database", .ok,
                Self.joined(
                    "sound, ", Self.number(Int64(try store.unsentCount())),
                    " records wait for the hub"))
            return store
        } catch {
            let advice: String =
                switch error {
                case .corrupt:
                    "restart the agent: it sets the file aside and saves what can be read"
                case .newer: ""
                default: "run doctor as the agent's user; if that is so already, restart the agent"
                }
            add("database", .wrong, error.text, advice)
            return nil
        }
    }

    private mutating func examineModel(_ store: AgentStore, _ configuration: Configuration) {
        do throws(StoreError) {
            guard let slot = try store.update().active else {
                noModel(
                    because: String(decoding: try store.text(.desireReason) ?? [], as: UTF8.self))
                return
            }
            let package = try store.package(in: slot)
            let memory = UInt64(max(0, shelfcast_memory_total()))
            let budget =
                configuration.budgetBytes ?? Capabilities.derivedBudget(memoryTotalBytes: memory)
            var problem = package == nil ? "its slot is empty" : ""
            if let package {
                do throws(UnusablePackage) {
                    // The digest, the arena within the budget, and the golden vectors.
                    _ = try EnginePredictor.load(
                        package.candidate, content: package.content, budgetBytes: Int(budget))
                } catch { problem = error.reason.text }
            }
            if let stated = package?.candidate.stated, problem.utf8.isEmpty {
                add(
                    "model", .ok,
                    Self.joined(
                        stated.family, "/", stated.variant, " gives what it gives elsewhere, in ",
                        Self.number(Int64(stated.arenaBytes)), " of ", Self.number(Int64(budget)),
                        " bytes")
                )
            } else {
                add(
                    "model", .wrong, Self.joined("the active package cannot be used: ", problem),
                    "restart the agent: it takes the package before, or fetches it again")
            }
        } catch {
            add("model", .wrong, error.text, "restart the agent")
        }
    }

    private mutating func examineTrust(_ store: AgentStore) {
        do throws(StoreError) {
            let state = try store.trustState()
            examineTrust(
                AgentService.trustReply(
                    state, at: clock.secondsForTrust(proven: state.proven),
                    problem: try store.text(.trustProblem)))
        } catch { add("metadata", .wrong, error.text, "restart the agent") }
    }

    /// What vouches for packages.
    private mutating func examineTrust(_ metadata: JSONValue?) {
        guard let metadata, metadata["expires"] != .null else {
            add(
                "metadata", .warning, "none of the hub's repository is here",
                "join again: shelfcast-agent join TOKEN --again")
            return
        }
        let problem = Self.text(metadata["problem"])
        guard problem.utf8.isEmpty else {
            add(
                "metadata", .wrong, problem,
                "see that the hub runs (shelfcast-hub serve renews it), and this device's clock")
            return
        }
        add("metadata", .ok, Self.joined("trusted until ", Self.text(metadata["expires"])))
    }

    private mutating func examineCalendar(_ calendar: JSONValue?) {
        guard let calendar, calendar != .null else {
            add("calendar", .ok, "the hub's says nothing of the days around these")
            return
        }
        add("calendar", .ok, Self.text(calendar["text"]))
    }

    // MARK: Time and the hub

    private mutating func examineClock(_ identity: Identity?) {
        if clock.isBehind {
            add(
                "clock", .wrong, "it stands before what has certainly passed",
                "set it, or let NTP do so; until then name days explicitly (--day)")
            return
        }
        if clock.isAhead {
            add(
                "clock", .wrong, "it stands at what cannot have come",
                "set it, or let NTP do so; until then name days explicitly (--day)")
            return
        }
        if let zone = identity?.timeZone {
            var (days, minutes): (Int32, Int32) = (0, 0)
            guard shelfcast_local_time(zone, 0, &days, &minutes) == 0 else {
                add(
                    "clock", .wrong,
                    Self.joined("the store's time zone ", zone, " is not known here"),
                    "install tzdata")
                return
            }
        }
        add("clock", .ok, "later than anything known to have passed")
    }

    private mutating func examineCertificate(_ identity: Identity) {
        guard let validity = Crypto.validity(of: identity.certificate),
            Crypto.certificate(identity.certificate, matches: identity.key)
        else {
            add(
                "certificate", .wrong, "it cannot be read, or is not for this device's key",
                "join again: shelfcast-agent join TOKEN --again")
            return
        }
        let now = (clock.nowMilliseconds ?? clock.lowerBoundSeconds * 1000) / 1000
        let left = (validity.upperBound - now) / 86_400
        if now > validity.upperBound {
            add(
                "certificate", .wrong, Self.joined("expired ", Self.number(-left), " days ago"),
                "join again: shelfcast-agent join TOKEN --again")
        } else if validity.upperBound - now < (validity.upperBound - validity.lowerBound) / 4 {
            add(
                "certificate", .warning,
                Self.joined("ends in ", Self.number(left), " days; it should have been renewed"),
                "let the device reach its hub: shelfcast-agent sync")
        } else {
            add("certificate", .ok, Self.joined("valid for ", Self.number(left), " more days"))
        }
    }

    /// Name, connection, TLS and the hub's greeting. The hub takes it for no visit: nothing is registered.
    private mutating func examineHub(_ identity: Identity) {
        let address = identity.hubAddress
        do throws(ConnectionError) {
            let connection = SecureConnection(
                host: identity.hubHost, port: identity.hubPort,
                trust: Trust(
                    anchor: .ca(identity.ca), certificate: identity.certificate,
                    key: identity.key, clockIsBehind: clock.isBehind,
                    clockIsAhead: clock.isAhead))
            try Joining.open(connection)
            connection.send(
                encodeFrame(
                    .hello(
                        Hello(
                            versionMin: Limit.versionMin, versionMax: Limit.versionMax,
                            agentVersion: Machine.agentVersion))))
            var decoder = FrameDecoder(from: .hub)
            let answer = try Joining.answer(on: connection, &decoder)
            guard case .welcome(let welcome) = answer else { throw Joining.refusal(answer) }
            add("hub", .ok, Self.joined(address, " answers"))
            compare(hubMilliseconds: welcome.hubTimeMs)
        } catch {
            add(
                "hub", .wrong, error.text,
                error.kind == .refused
                    ? "see the hub's log, and whether something between answers in its place"
                    : Self.joined(
                        "see that the hub serves at ", address, ", and this device's network"))
        }
    }

    private mutating func compare(hubMilliseconds: Int64) {
        guard !clock.isWrong, let now = clock.nowMilliseconds else { return }
        let off = (now - hubMilliseconds) / 1000
        guard off.magnitude > Self.clockSecondsOff else { return }
        add(
            "clock", off.magnitude > 43_200 ? .wrong : .warning,
            Self.joined(
                "it is ", Self.number(abs(off)), " s ", off > 0 ? "ahead of" : "behind",
                " the hub's"),
            "set it, or let NTP do so")
    }
}
