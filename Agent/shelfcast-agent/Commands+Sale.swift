import AgentCore
import AgentRuntime
import CPosix
import Forecasting
import JSONText

extension Commands {
    func sale(_ words: [String], isReturn: Bool = false) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state", "--day", "--ref"],
            flags: isReturn ? ["--json"] : ["--csv", "--jsonl", "--json"], positionalMax: 2)
        let isBulk = arguments.has("--csv") || arguments.has("--jsonl")
        guard !isBulk else {
            guard arguments.positional.isEmpty,
                !(arguments.has("--csv") && arguments.has("--jsonl"))
            else {
                throw .usage("sale --csv or --jsonl reads standard input and takes nothing else")
            }
            return try bulk(arguments)
        }
        guard arguments.positional.count == 2 else {
            let verb = isReturn ? "return" : "sale"
            throw .usage(
                verb + " needs ITEM and UNITS; shelfcast-agent " + verb + " --help shows more")
        }
        let units = [UInt8](arguments.positional[1].utf8)
        guard decimal(units) != nil else { throw .usage(SaleError.units(units).text) }
        var members: [JSONValue.Member] = [
            .init("item", .string(arguments.positional[0])), .init("units", .number(units)),
        ]
        if let day = arguments.value("--day") { members.append(.init("day", .string(day))) }
        if let reference = arguments.value("--ref") {
            members.append(.init("ref", .string(reference)))
        }
        if isReturn { members.append(.init("do", .string("return"))) }
        let reply = try SaleTarget(arguments).send([.object(members)])
        try Self.check(reply)
        if arguments.has("--json") {
            Self.print(reply)
        } else if reply.integer("repeated") == 1 {
            Output.line("recorded before: nothing changed")
        } else {
            let what = arguments.positional[1] + " of item " + arguments.positional[0]
            Output.line((isReturn ? "took back " : "recorded ") + what)
            if reply.integer("uncounted") > 0 {
                Output.line(
                    "\(reply.integer("uncounted")) of them were not sold here that day: on the shelf again, but not off its sales"
                )
            }
        }
        return 0
    }

    func stock(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words,
            options: ["--state", "--day", "--lead-days", "--service-level", "--order-multiple"],
            flags: ["--json"], positionalMax: 2)
        guard let item = arguments.positional.first else {
            throw .usage("stock needs ITEM, and UNITS on the shelf to count it")
        }
        var members: [JSONValue.Member] = [.init("item", .string(item))]
        if arguments.positional.count == 2 {
            members.append(
                .init("units", try Self.wholeNumber(arguments.positional[1], "UNITS")))
        }
        if let day = arguments.value("--day") { members.append(.init("day", .string(day))) }
        for (option, name) in [
            ("--lead-days", "leadDays"), ("--service-level", "servicePercent"),
            ("--order-multiple", "multiple"),
        ] {
            if let text = arguments.value(option) {
                members.append(.init(name, try Self.wholeNumber(text, option)))
            }
        }
        return try showShelf(arguments, "stock", members)
    }

    func ordered(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state", "--due"], flags: ["--json"], positionalMax: 2)
        guard arguments.positional.count == 2 else {
            throw .usage("ordered needs ITEM and UNITS; 0 units: nothing any more")
        }
        var members: [JSONValue.Member] = [
            .init("item", .string(arguments.positional[0])),
            .init("units", try Self.wholeNumber(arguments.positional[1], "UNITS")),
        ]
        if let due = arguments.value("--due") { members.append(.init("due", .string(due))) }
        return try showShelf(arguments, "ordered", members)
    }

    private func showShelf(
        _ arguments: Arguments, _ verb: String, _ members: [JSONValue.Member]
    ) throws(AgentError) -> Int32 {
        let reply = try ask(arguments, verb, members)
        try Self.check(reply)
        if arguments.has("--json") {
            Self.print(reply)
        } else {
            var text = "item " + reply.shown("item") + ": " + reply.shown("onHand") + " on hand"
            for delivery in reply.list("onOrder") {
                text += ", " + delivery.shown("units") + " due on " + delivery.shown("due")
            }
            Output.line(text)
            if reply["text"] != nil { Output.line(reply.shown("text")) }
        }
        return 0
    }

    /// Shows what happens until the agent stops, or lets go of a reader that is too slow.
    func subscribe(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state"], flags: ["--json"], positionalMax: 0)
        guard case .running(let connection) = try StateDirectory.open(Self.statePath(arguments))
        else { throw .failed("no agent is running; start it with: shelfcast-agent run") }
        let reply = try connection.ask(Self.request("subscribe"))
        try Self.check(reply)
        if arguments.has("--json") {
            Self.print(reply)
        } else {
            for alert in reply.list("alerts") { Output.line(alert.shown("text")) }
        }
        while true {
            let event = try connection.next()
            if arguments.has("--json") {
                Self.print(event)
            } else if event["forecasts"] != nil {
                Report.forecasts(event)
            } else {
                Output.line(event.shown("text"))
            }
            if event["error"] != nil { throw .busy(event.shown("error")) }
        }
    }

    /// How items are ordered where no `stock` line says otherwise.
    static func orderRule(_ arguments: Arguments) throws(AgentError) -> OrderRule {
        var rule = OrderRule()
        if let text = arguments.value("--lead-days") {
            rule.leadDays = try number(text, "--lead-days", in: OrderRule.leadDaysRange)
        }
        if let text = arguments.value("--service-level") {
            rule.servicePercent = try number(
                text, "--service-level", in: OrderRule.servicePercentRange)
        }
        if let text = arguments.value("--order-multiple") {
            rule.multiple = try number(text, "--order-multiple", in: OrderRule.multipleRange)
        }
        return rule
    }

    private static func number(
        _ text: String, _ name: String, in range: ClosedRange<Int>
    ) throws(AgentError) -> Int {
        guard let number = decimal([UInt8](text.utf8)).map({ Int(clamping: $0) }),
            range.contains(number)
        else {
            throw .usage(
                "\(name) is a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func bulk(_ arguments: Arguments) throws(AgentError) -> Int32 {
        let target = try SaleTarget(arguments)
        var feed = SaleFeed(target: target)
        var reader = SalesReader(format: arguments.has("--csv") ? .csv : .jsonLines)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while reader.headerError == nil {
            let count = shelfcast_read(0, &buffer, buffer.count)
            guard count >= 0 else { throw .failed("standard input cannot be read") }
            guard count > 0 else { break }
            try feed.take(reader.read(buffer.prefix(Int(count))))
        }
        try feed.take(reader.finish())
        try feed.flush()
        if reader.isWithoutHeader { throw .failed("the input is empty: a CSV has a header line") }
        guard reader.headerError == nil else { return 1 }
        let summary: [JSONValue.Member] = [
            .init("ok", .bool(feed.bad == 0)), .init("recorded", .integer(feed.recorded)),
            .init("repeated", .integer(feed.repeated)), .init("bad", .integer(feed.bad)),
        ]
        if arguments.has("--json") {
            Self.print(.object(summary))
        } else {
            Output.line(
                "\(feed.recorded) sales recorded, \(feed.repeated) had been before, \(feed.bad) lines left out"
            )
        }
        return feed.bad == 0 ? 0 : 1
    }
}

/// Where sales go: the running agent, or the database in this process.
private struct SaleTarget {
    private let connection: LocalConnection?
    private let directory: StateDirectory?
    private let service: AgentService?

    init(_ arguments: Arguments) throws(AgentError) {
        switch try StateDirectory.open(Commands.statePath(arguments)) {
        case .running(let connection):
            (self.connection, directory, service) = (connection, nil, nil)
        case .own(let directory):
            connection = nil
            self.directory = directory
            service = try Commands.service(directory, checks: false)
        }
    }

    func send(_ sales: [JSONValue]) throws(AgentError) -> JSONValue {
        let request = Commands.request("sales", [.init("sales", .array(sales))])
        if let connection { return try connection.ask(request) }
        guard let service else { throw .failed("nowhere to record sales") }
        return try Commands.answer(request, by: service)
    }
}

/// Sales on their way, some hundreds at a time: each batch is one transaction.
private struct SaleFeed {
    /// Well within one line of the local API, whatever the references hold.
    static let batchMax = 200

    let target: SaleTarget
    private(set) var recorded: Int64 = 0
    private(set) var repeated: Int64 = 0
    private(set) var bad: Int64 = 0
    private var batch: [JSONValue] = []
    private var lineNumbers: [Int] = []

    init(target: SaleTarget) {
        self.target = target
    }

    mutating func take(_ lines: [SalesReader.Line]) throws(AgentError) {
        for line in lines {
            switch line.sale {
            case .failure(let error):
                complain(line.number, error.text)
            case .success(let sale):
                var members: [JSONValue.Member] = [
                    .init("day", .string(sale.day.iso8601)), .init("item", .text(sale.item.utf8)),
                    .init("units", .integer(sale.units)),
                ]
                if let reference = sale.reference { members.append(.init("ref", .text(reference))) }
                batch.append(.object(members))
                lineNumbers.append(line.number)
                if batch.count == Self.batchMax { try flush() }
            }
        }
    }

    mutating func flush() throws(AgentError) {
        guard !batch.isEmpty else { return }
        let reply = try target.send(batch)
        if reply["problems"] == nil { try Commands.check(reply) }
        recorded += reply.integer("recorded")
        repeated += reply.integer("repeated")
        for problem in reply.list("problems") {
            complain(lineNumbers[Int(problem.integer("index"))], problem.shown("error"))
        }
        batch = []
        lineNumbers = []
    }

    private mutating func complain(_ line: Int, _ text: String) {
        bad += 1
        // Enough to see what is wrong with a file; the count says how much more there is.
        if bad <= 100 { Output.warn("line \(line): \(text)") }
    }
}
