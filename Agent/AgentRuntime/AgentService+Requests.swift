package import AgentCore
import CPosix
import Forecasting
package import JSONText
import ModelPackage
import SyncProtocol
import UpdateTrust

/// Requests and their answers as JSON, for the socket and for commands that find no running agent.
extension AgentService {
    /// Answers everything but `sync`, which takes a hub.
    package func reply(to request: LocalRequest) -> JSONValue {
        do throws(AgentError) {
            switch request {
            case .sales(let sales):
                return try reply(toSales: sales)
            case .closeDay(let day, let isClosedAllDay):
                if let day, let problem = problem(with: day) { throw .refused(problem) }
                let day = if let day { day } else { try today().day }
                let closing = try close(day, isClosedAllDay: isClosedAllDay)
                return Self.ok([
                    .init("day", .string(closing.day.iso8601)),
                    .init("wasClosedBefore", .bool(closing.wasClosedBefore)),
                    .init("forecastsCompared", .integer(closing.forecastsCompared)),
                    .init("nextDay", closing.next.map { .string($0.iso8601) } ?? .null),
                    .init("nextForecasts", .integer(closing.nextForecasts)),
                ])
            case .stock(let request):
                return try reply(toStock: request)
            case .ordered(let request):
                return try reply(toOrder: request)
            case .forecast(let item, let days):
                return try reply(toForecastOf: item, days: days)
            case .hello:
                return Self.ok([
                    .init("version", .integer(LocalRequest.version)),
                    .init("agent", .string(Machine.agentVersion)),
                    .init("operations", .array(LocalRequest.operations.map { .string($0) })),
                ])
            case .status:
                return try status()
            case .subscribe:
                return Self.failure(.usage("subscribe needs a running agent: shelfcast-agent run"))
            case .sync:
                return Self.failure(.usage("sync needs a connection to the hub"))
            case .benchmark:
                return benchmark()
            case .selfTest(let sets):
                return SelfTest.run(sets, content: try activeContent())
            }
        } catch {
            return Self.failure(error)
        }
    }

    package static func ok(_ members: [JSONValue.Member] = []) -> JSONValue {
        .object([.init("ok", .bool(true))] + members)
    }

    package static func failure(_ error: AgentError) -> JSONValue {
        .object([
            .init("ok", .bool(false)), .init("code", .integer(error.exitCode)),
            .init("error", .string(error.text)),
        ])
    }

    /// Records what can be recorded, in one transaction, and names each that cannot.
    private func reply(toSales values: [JSONValue]) throws(AgentError) -> JSONValue {
        var sales: [Sale] = []
        var places: [Int] = []
        var problems: [JSONValue] = []
        var todayText: [UInt8]?
        func problem(_ index: Int, _ text: String) {
            problems.append(
                .object([.init("index", .integer(index)), .init("error", .string(text))]))
        }
        for (index, value) in values.enumerated() {
            if value["day"] == nil, todayText == nil {
                todayText = [UInt8](try today().day.iso8601.utf8)
            }
            do throws(SalesLineError) {
                let sale = try SalesReader.sale(object: value, defaultDay: todayText)
                if let text = self.problem(with: sale.day) {
                    problem(index, text)
                } else {
                    sales.append(sale)
                    places.append(index)
                }
            } catch {
                problem(index, error.text)
            }
        }
        return reply(to: try record(sales), at: places, of: values.count, &problems)
    }

    /// Records plain sales in one transaction. Nil, and nothing done, where the reason of a refusal has to be told.
    func record(plain: [PlainSale]) throws(AgentError) -> [SaleOutcome]? {
        var sales: [Sale] = []
        sales.reserveCapacity(plain.count)
        var today: BusinessDay?
        for line in plain {
            var sale = line.sale
            if !line.namesDay {
                // What is wrong with the clock is told elsewhere.
                if today == nil { today = try? self.today().day }
                guard let today else { return nil }
                sale.day = today
            }
            guard problem(with: sale.day) == nil else { return nil }
            sales.append(sale)
        }
        return try record(sales)
    }

    /// What became of sales, as an answer.
    /// - Parameters:
    ///   - places: where each of them stands among all of the request.
    ///   - count: of the request.
    ///   - problems: those of the others; grows by those of `outcomes`.
    func reply(
        to outcomes: [SaleOutcome], at places: [Int], of count: Int, _ problems: inout [JSONValue]
    ) -> JSONValue {
        func problem(_ index: Int, _ text: String) {
            problems.append(
                .object([.init("index", .integer(index)), .init("error", .string(text))]))
        }
        var (recorded, repeated) = (0, 0)
        var uncounted: Int64?
        for (at, outcome) in outcomes.enumerated() {
            switch outcome {
            case .recorded: recorded += 1
            case .returned(let units):
                recorded += 1
                uncounted = (uncounted ?? 0) + units
            case .repeated: repeated += 1
            case .conflict(let item, let units):
                problem(
                    places[at],
                    "ref was used that day for another sale or return: item \(printable(item)), units \(units)"
                )
            }
        }
        var counts: [JSONValue.Member] = [
            .init("recorded", .integer(recorded)), .init("repeated", .integer(repeated)),
        ]
        // Beyond what was sold here that day.
        if let uncounted { counts.append(.init("uncounted", .integer(uncounted))) }
        counts += durability
        guard problems.isEmpty else {
            var text = "\(problems.count) of \(count) sales were not taken"
            if count == 1, let only = problems[0]["error"]?.utf8 {
                text = String(decoding: only, as: UTF8.self)
            }
            return .object(
                [
                    .init("ok", .bool(false)), .init("code", .integer(1)),
                    .init("error", .string(text)),
                ] + counts + [.init("problems", .array(problems))])
        }
        return Self.ok(counts)
    }

    /// Of sales that were taken: nothing to add when they are on the disk.
    var durability: [JSONValue.Member] { isHolding ? [.init("durable", .bool(false))] : [] }

    /// Timed anew, and told to the hub at the next occasion.
    private func benchmark() -> JSONValue {
        forgetMeasurement()
        let stated = predictor?.candidate.stated
        return Benchmark.answer(
            measured(),
            package: stated.map {
                [.init("family", .string($0.family)), .init("variant", .string($0.variant))]
            } ?? [])
    }

    /// The file of the package at work; nil while there is none.
    private func activeContent() throws(AgentError) -> [UInt8]? {
        guard let slot = update.active else { return nil }
        return try stored { () throws(StoreError) in try store.package(in: slot) }?.content
    }

    package static func number(_ value: Float, decimals: Int32) -> JSONValue {
        var text = [CChar](repeating: 0, count: 64)
        let count = shelfcast_float_text(Double(value), decimals, &text, text.count)
        return .number(text.prefix(Int(count)).map { UInt8(bitPattern: $0) })
    }

    /// Everything an operator asks of a device, as one object.
    package func status() throws(AgentError) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("version", .string(Machine.agentVersion)),
            .init("joined", .bool(identity != nil)),
        ]
        if let identity {
            members += [
                .init("device", .string(identity.deviceID)),
                .init("store", .string(identity.store)),
                .init("hub", .string(identity.hubAddress)),
                .init("timeZone", .string(identity.timeZone)),
            ]
        }
        members += [
            .init("memoryBudgetBytes", .integer(budgetBytes)),
            .init("memoryBudgetSetByOperator", .bool(configuration.budgetBytes != nil)),
            .init("labels", .array(configuration.labels.map { .string($0) })),
            .init("clockIsBehind", .bool(clock.isBehind)),
            .init("clockIsAhead", .bool(clock.isAhead)),
        ]
        if let most = thrift.dataBytesMax {
            members.append(.init("dataBytesToday", .integer(thrift.bytes)))
            members.append(.init("dataBytesMax", .integer(most)))
        }
        members.append(.init("running", running == nil ? .null : runningStatus()))
        let phase =
            switch update.phase {
            case .idle: "idle"
            case .fetching: "fetching"
            case .verified: "verified"
            case .trial: "trial"
            }
        members.append(.init("update", .string(phase)))
        if let candidate = update.candidate {
            members.append(.init("updateDigest", .text(Hex.text(candidate.stated.digest))))
        }
        members += try stored { () throws(StoreError) in
            var more: [JSONValue.Member] = []
            let desire =
                switch Desire(rawValue: Int32(truncatingIfNeeded: try store.integer(.desire) ?? 0))
                {
                case .run: "run"
                case .noFit: "no-fit"
                case .goBack: "go-back"
                case .stayAsYouAre: "stay-as-you-are"
                case .unspecified, .unrecognized: "unknown"
                }
            more.append(.init("desire", .string(desire)))
            more.append(.init("desireReason", .text(try store.text(.desireReason) ?? [])))
            more.append(.init("waits", try waitingFor().map { .string($0) } ?? .null))
            more.append(.init("trial", try trialStatus()))
            more.append(
                .init(
                    "metadata",
                    Self.trustReply(
                        trust, at: trustedNow, problem: try store.text(.trustProblem))))
            more.append(.init("refused", .array(try refusals())))
            more.append(.init("unsent", .integer(try store.unsentCount())))
            more.append(.init("sendsTotals", .bool(try store.sendsTotals())))
            more.append(.init("foldedSales", .integer(try store.integer(.foldedSales) ?? 0)))
            more.append(.init("durable", .bool(!isHolding)))
            more.append(
                .init("disk", store.database.trouble.map { .string($0.text) } ?? .null))
            more.append(.init("nextSequence", .integer(try store.nextSequence())))
            more.append(
                .init("contextRevision", .integer(try store.contextRevision())))
            more.append(.init("ownShare", Self.number(try store.ownShare(), decimals: 4)))
            more.append(
                .init(
                    "lastClosedDay", try store.lastOwnClose().map { .string($0.iso8601) } ?? .null))
            more.append(
                .init(
                    "lastStoreDay", try store.lastStoreDay().map { .string($0.iso8601) } ?? .null))
            more.append(
                .init(
                    "forecastDay",
                    try store.lastForecastDay().map { .string($0.iso8601) } ?? .null))
            more.append(.init("calendar", Self.reply(of: try store.calendar())))
            more.append(
                .init("lastContactMilliseconds", .integer(try store.integer(.lastContact) ?? 0)))
            more.append(.init("lastError", Self.text(try store.text(.lastError))))
            more.append(.init("notice", Self.text(try store.text(.notice))))
            return more
        }
        if identity != nil { members.append(.init("alerts", try alerts())) }
        return Self.ok(members)
    }

    /// For `status` and `doctor`: what the hub's calendar says of the store's days; null: nothing.
    static func reply(of calendar: StoreCalendar) -> JSONValue {
        let entries = calendar.entries
        guard let first = entries.first, let last = entries.last else { return .null }
        func count(_ mark: DayMarks) -> Int { entries.count { $0.marks.contains(mark) } }
        let counts = [
            count(.closed), count(.stockOut), count(.holiday), count(.promotion),
        ]
        let text =
            "closed days \(counts[0]), stock-outs \(counts[1]), holidays \(counts[2]), promotions \(counts[3]); from "
            + first.day.iso8601 + " through " + last.day.iso8601
        return .object([
            .init("text", .string(text)), .init("from", .string(first.day.iso8601)),
            .init("through", .string(last.day.iso8601)), .init("closedDays", .integer(counts[0])),
            .init("stockOuts", .integer(counts[1])), .init("holidays", .integer(counts[2])),
            .init("promotions", .integer(counts[3])),
        ])
    }

    private func runningStatus() -> JSONValue {
        guard let predictor else { return .null }
        let stated = predictor.candidate.stated
        return .object([
            .init("family", .string(stated.family)), .init("variant", .string(stated.variant)),
            .init("release", .integer(stated.release)),
            .init("digest", .text(Hex.text(stated.digest))),
            .init("arenaBytes", .integer(predictor.engine.arenaBytes)),
            .init("packageBytes", .integer(stated.packageBytes)),
            .init("asOf", .string(predictor.asOf.iso8601)),
            .init("items", .integer(predictor.engine.itemCount)),
        ])
    }

    private func refusals() throws(StoreError) -> [JSONValue] {
        var list: [JSONValue] = []
        try store.database.query(
            "SELECT digest, reason FROM refusedPackage LIMIT 16", columns: 2
        ) { row in
            list.append(
                .object([
                    .init("digest", .text(Hex.text(row[0].bytes))),
                    .init("reason", .text(row[1].bytes)),
                ]))
            return true
        }
        return list
    }

    private static func text(_ bytes: [UInt8]?) -> JSONValue {
        bytes.map { .text($0) } ?? .null
    }
}
