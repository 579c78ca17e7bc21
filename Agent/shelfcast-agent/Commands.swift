import AgentCore
import AgentRuntime
import CPosix
import Forecasting
import JSONText

/// One run of the program. Every command ends in an exit code.
struct Commands {
    /// The command and its arguments, without the program's name.
    let words: [String]

    func execute() throws(AgentError) -> Int32 {
        guard let command = words.first else {
            Output.write(Help.overview)
            return 2
        }
        let rest = [String](words.dropFirst())
        if rest.contains("--help") || rest.contains("-h") {
            guard let text = Self.help(command) else { throw unknown(command) }
            Output.write(text)
            return 0
        }
        switch command {
        case "--help", "-h", "help":
            Output.write(rest.first.flatMap { Self.help($0) } ?? Help.overview)
            return 0
        case "--version":
            Output.line(
                "shelfcast-agent " + Machine.agentVersion + ", state \(Machine.stateVersion)")
            return 0
        case "join": return try join(rest)
        case "run": return try run(rest)
        case "sync": return try sync(rest)
        case "sale": return try sale(rest)
        case "return": return try sale(rest, isReturn: true)
        case "stock": return try stock(rest)
        case "ordered": return try ordered(rest)
        case "close-day": return try closeDay(rest)
        case "forecast": return try forecast(rest)
        case "status": return try status(rest)
        case "subscribe": return try subscribe(rest)
        case "selftest": return try selfTest(rest)
        case "benchmark": return try benchmark(rest)
        case "doctor": return try doctor(rest)
        default: throw unknown(command)
        }
    }

    private func unknown(_ command: String) -> AgentError {
        .usage("unknown command \(command); shelfcast-agent --help lists them")
    }

    private static func help(_ command: String) -> String? {
        switch command {
        case "join": Help.join
        case "run": Help.run
        case "sync": Help.sync
        case "sale": Help.sale
        case "return": Help.returned
        case "stock": Help.stock
        case "ordered": Help.ordered
        case "close-day": Help.closeDay
        case "forecast": Help.forecast
        case "status": Help.status
        case "subscribe": Help.subscribe
        case "selftest": Help.selfTest
        case "benchmark": Help.benchmark
        case "doctor": Help.doctor
        default: nil
        }
    }

    // MARK: The commands

    private func join(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state", "--memory-budget", "--label"], flags: ["--again"],
            positionalMax: 1)
        guard let token = arguments.positional.first else {
            throw .usage("join needs a token; make one with: shelfcast-hub token create")
        }
        let path = Self.statePath(arguments)
        try StateDirectory.create(path)
        let directory = try StateDirectory.take(path)
        let service = try Self.service(directory, checks: true)
        guard service.identity == nil || arguments.has("--again") else {
            let identity = try service.joined()
            throw .refused(
                "this device has joined already, as \(identity.deviceID) of store \(identity.store); --again joins anew, as another device"
            )
        }
        var configuration = service.configuration
        if let budget = try Self.budget(arguments) { configuration.budgetBytes = budget }
        let labels = arguments.values("--label")
        for label in labels where !Capabilities.isLabel([UInt8](label.utf8)) {
            throw .usage("'\(label)' is not a label; write KEY=VALUE without spaces or commas")
        }
        guard labels.count <= 64 else { throw .usage("at most 64 labels") }
        if !labels.isEmpty { configuration.labels = labels }
        let joined = try Joining.join(
            token: token, directory: path, makesNewKey: service.identity != nil,
            clock: service.clock)
        try service.adopt(joined.identity, root: joined.root, configuration: configuration)
        Output.line(
            "joined \(joined.identity.hubAddress) as \(joined.identity.deviceID) of store \(joined.identity.store)"
        )
        if !joined.isApproved {
            Output.line(
                "the hub's operator must approve it: shelfcast-hub device approve \(joined.identity.deviceID)"
            )
        }
        return 0
    }

    private func run(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Self.runArguments(words)
        do throws(AgentError) { return try run(arguments) } catch {
            throw arguments.located(error)
        }
    }

    /// What `run` takes, and what its file says beside it.
    private static func runArguments(_ words: [String]) throws(AgentError) -> Arguments {
        var arguments = try Arguments(
            words,
            options: [
                "--state", "--config", "--contact", "--close-at", "--memory-budget", "--lead-days",
                "--service-level", "--order-multiple", "--sales", "--commit-every", "--outbox-max",
                "--data-max", "--low-battery", "--metered-max",
            ], flags: ["--metered"], positionalMax: 0)
        try arguments.addDefaults()
        return arguments
    }

    private func run(_ arguments: Arguments) throws(AgentError) -> Int32 {
        let orderDefaults = try Self.orderRule(arguments)
        let contact: ContactMode
        switch arguments.value("--contact") {
        case nil, "stay"?: contact = .stay
        case "visit"?: contact = .visit
        default: throw .usage("--contact is stay or visit")
        }
        var closingTime: Runner.ClosingTime?
        if let text = arguments.value("--close-at") {
            closingTime = Runner.ClosingTime(text: [UInt8](text.utf8))
            guard closingTime != nil else { throw .usage("--close-at is a time, HH:MM") }
        }
        let sendsTotals: Bool
        switch arguments.value("--sales") {
        case nil, "every"?: sendsTotals = false
        case "daily"?: sendsTotals = true
        default: throw .usage("--sales is every or daily")
        }
        let outboxBytes = try Self.outboxBytes(arguments)
        let commitMilliseconds = try Self.commitMilliseconds(arguments)
        let thrift = try Self.thrift(arguments)
        let path = Self.statePath(arguments)
        try StateDirectory.create(path)
        let directory = try StateDirectory.take(path)
        let service = try Self.service(
            directory, checks: true, contact: contact, budget: try Self.budget(arguments),
            commitMilliseconds: commitMilliseconds)
        service.orderDefaults = orderDefaults
        try service.choose(sendsTotals: sendsTotals, outboxBytesMax: outboxBytes)
        try service.be(thrifty: thrift)
        let runner = try Runner(service, closingTime: closingTime) { Output.warn("agent: " + $0) }
        try runner.run(
            opening: service.identity.map {
                "\($0.deviceID) of store \($0.store), hub \($0.hubAddress)"
            } ?? "not joined yet; waits for a token in " + path + "/join-token")
        return 0
    }

    private func sync(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state", "--memory-budget"], flags: ["--json"], positionalMax: 0)
        let budget = try Self.budget(arguments)
        let reply: JSONValue
        switch try StateDirectory.open(Self.statePath(arguments)) {
        case .running(let connection):
            guard budget == nil else {
                throw .busy("an agent is running; give --memory-budget to run, or stop it first")
            }
            reply = try connection.ask(Self.request("sync"))
        case .own(let directory):
            let service = try Self.service(directory, checks: false, budget: budget)
            _ = try service.joined()
            try OneVisit.run(service)
            reply = service.reply(to: .status)
        }
        try Self.check(reply)
        if arguments.has("--json") {
            Self.print(reply)
        } else {
            Output.line("synced; \(reply.shown("unsent")) records wait")
            Report.runningPackage(reply)
        }
        return 0
    }

    private func closeDay(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state"], flags: ["--closed", "--json"], positionalMax: 1)
        var members: [JSONValue.Member] = [.init("closed", .bool(arguments.has("--closed")))]
        if let day = arguments.positional.first { members.append(.init("day", .string(day))) }
        let reply = try ask(arguments, "close-day", members)
        try Self.check(reply)
        if arguments.has("--json") {
            Self.print(reply)
        } else {
            Report.closing(reply)
        }
        return 0
    }

    private func forecast(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state", "--days"], flags: ["--json"], positionalMax: 1)
        var members: [JSONValue.Member] = []
        if let item = arguments.positional.first { members.append(.init("item", .string(item))) }
        if let days = arguments.value("--days") {
            members.append(.init("days", try Self.wholeNumber(days, "--days")))
        }
        let reply = try ask(arguments, "forecast", members)
        try Self.check(reply)
        if arguments.has("--json") {
            Self.print(reply)
        } else {
            Report.forecasts(reply)
        }
        return 0
    }

    private func status(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state"], flags: ["--json"], positionalMax: 0)
        let reply = try ask(arguments, "status", [])
        try Self.check(reply)
        if arguments.has("--json") {
            Self.print(reply)
        } else {
            Report.status(reply)
        }
        return reply.isTrue("joined") ? 0 : AgentError.notJoined.exitCode
    }

    // MARK: What they share

    static func statePath(_ arguments: Arguments) -> String {
        if let path = arguments.value("--state") { return path }
        if let path = shelfcast_environment("SHELFCAST_STATE") { return String(cString: path) }
        return StateDirectory.standardPath
    }

    private static func thrift(_ arguments: Arguments) throws(AgentError) -> Thrift {
        var thrift = Thrift()
        thrift.isMetered = arguments.has("--metered")
        if let text = arguments.value("--data-max") {
            thrift.dataBytesMax = Capabilities.budget(text: [UInt8](text.utf8))
            guard let most = thrift.dataBytesMax, most >= 16_384 else {
                throw .usage("--data-max is bytes a day, from 16KiB to 1024MiB, like 1MiB")
            }
        }
        if let text = arguments.value("--metered-max") {
            guard let most = Capabilities.budget(text: [UInt8](text.utf8)) else {
                throw .usage("--metered-max is a number of bytes, or like 8KiB or 1MiB")
            }
            (thrift.isMetered, thrift.meteredBytesMax) = (true, most)
        }
        if let text = arguments.value("--low-battery") {
            guard let percent = decimal([UInt8](text.utf8)), percent <= 100 else {
                throw .usage("--low-battery is a percentage from 0 to 100; 0 is never low")
            }
            thrift.lowBatteryPercent = UInt32(percent)
        }
        return thrift
    }

    static func budget(_ arguments: Arguments) throws(AgentError) -> UInt64? {
        guard let text = arguments.value("--memory-budget") else { return nil }
        guard let budget = Capabilities.budget(text: [UInt8](text.utf8)) else {
            throw .usage("--memory-budget is a number of bytes, or like 20KiB or 1MiB")
        }
        return budget
    }

    static func outboxBytes(_ arguments: Arguments) throws(AgentError) -> Int64 {
        guard let text = arguments.value("--outbox-max") else {
            return AgentStore.outboxBytesDefault
        }
        guard let bytes = Capabilities.byteCount(text: [UInt8](text.utf8)),
            AgentStore.outboxBytesRange.contains(Int64(clamping: bytes))
        else { throw .usage("--outbox-max is 1MiB to 4096MiB, or that in bytes") }
        return Int64(bytes)
    }

    static func commitMilliseconds(_ arguments: Arguments) throws(AgentError) -> Int64 {
        guard let text = arguments.value("--commit-every") else { return 0 }
        var digits = [UInt8](text.utf8)
        if digits.last == UInt8(ascii: "s") { digits.removeLast() }
        guard let seconds = decimal(digits), seconds <= 3_600 else {
            throw .usage("--commit-every is 0s to 3600s")
        }
        return Int64(seconds) * 1_000
    }

    /// The state of this device, for this process alone.
    static func service(
        _ directory: StateDirectory, checks: Bool, contact: ContactMode = .visit,
        budget: UInt64? = nil, commitMilliseconds: Int64 = 0
    ) throws(AgentError) -> AgentService {
        guard Crypto.setUp() else { throw .failed("mbedTLS cannot be set up") }
        let store: AgentStore
        do throws(StoreError) {
            store = try AgentStore.open(directory: directory.path, checks: checks)
        } catch { throw .store(error) }
        if let note = store.openingNote { Output.warn("agent: " + note) }
        var configuration = Configuration(in: directory.path)
        if let budget, configuration.budgetBytes != budget {
            configuration.budgetBytes = budget
            if let problem = configuration.save(in: directory.path) { throw .failed(problem) }
        }
        return try AgentService(
            store: store, contact: contact, configuration: configuration,
            commitMilliseconds: commitMilliseconds)
    }

    /// An option's number as it goes into a request, which says what range it must be of.
    static func wholeNumber(_ text: String, _ name: String) throws(AgentError) -> JSONValue {
        let digits = [UInt8](text.utf8)
        guard decimal(digits) != nil else { throw .usage("\(name) is a whole number") }
        return .number(digits)
    }

    static func request(_ verb: String, _ members: [JSONValue.Member] = []) -> JSONValue {
        .object([.init("do", .string(verb))] + members)
    }

    /// Asks the running agent, or does it here when none runs.
    func ask(
        _ arguments: Arguments, _ verb: String, _ members: [JSONValue.Member]
    ) throws(AgentError) -> JSONValue {
        let request = Self.request(verb, members)
        switch try StateDirectory.open(Self.statePath(arguments)) {
        case .running(let connection):
            return try connection.ask(request)
        case .own(let directory):
            let service = try Self.service(directory, checks: false)
            // As the agent would order, from the same file; one that is wrong stops `run`, and no question.
            do throws(AgentError) {
                let arguments = try Self.runArguments([])
                do throws(AgentError) {
                    service.orderDefaults = try Self.orderRule(arguments)
                } catch { throw arguments.located(error) }
            } catch { Output.warn("agent: " + error.text) }
            return try Self.answer(request, by: service)
        }
    }

    /// The same words as over the socket, so that both ways check and answer alike.
    static func answer(
        _ request: JSONValue, by service: AgentService
    ) throws(AgentError) -> JSONValue {
        do throws(LocalRequestError) {
            return service.reply(to: try LocalRequest(line: request.line))
        } catch { throw .usage(error.text) }
    }

    /// - Throws: what the answer says went wrong.
    static func check(_ reply: JSONValue) throws(AgentError) {
        guard !reply.isTrue("ok") else { return }
        let text = reply.shown("error")
        switch reply.integer("code") {
        case 2: throw .usage(text)
        case 3: throw .refused(text)
        case 4: throw .notJoined
        case 5: throw .unreachable(text)
        case 75: throw .busy(text)
        default: throw .failed(text)
        }
    }

    static func print(_ reply: JSONValue) {
        Output.line(String(decoding: reply.line, as: UTF8.self))
    }
}
