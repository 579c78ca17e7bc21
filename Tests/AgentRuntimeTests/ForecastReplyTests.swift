import AgentCore
import AgentRuntime
import Forecasting
import JSONText
import ModelPackage
import Testing

@Suite("The forecasts a till asks for")
struct ForecastReplyTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    init() { hub.enrol(folder) }

    func ask(_ service: AgentService, _ line: String) throws -> JSONValue {
        service.reply(to: try LocalRequest(line: [UInt8](line.utf8)))
    }

    func list(_ reply: JSONValue) -> [JSONValue] {
        if case .array(let list)? = reply["forecasts"] { list } else { [] }
    }

    func number(_ value: JSONValue, _ name: String) throws -> Double {
        guard case .number(let digits)? = value[name] else { throw AgentError.failed(name) }
        return try #require(Double(String(decoding: digits, as: UTF8.self)))
    }

    @Test("reach as many days as asked, and lie the further apart the further away")
    func horizon() throws {
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        let stored = try ask(service, #"{"do":"forecast"}"#)
        #expect(list(stored).count == 3)
        let reply = try ask(service, #"{"do":"forecast","item":"2","days":14}"#)
        #expect(list(reply).count == 14)
        #expect(list(reply)[0] == list(stored)[1])
        for (ahead, forecast) in list(reply).enumerated() {
            #expect(forecast["item"] == .string("2"))
            #expect(forecast["day"] == .string(TestPackage.day(1 + ahead).iso8601))
            #expect(forecast["daysAhead"] == .integer(ahead + 1))
            let (half, most) = (try number(forecast, "p50"), try number(forecast, "p90"))
            let units = try number(forecast, "units")
            #expect(half < most && abs(half - units) < 2)
        }
        let widths = try list(reply).map { try number($0, "p90") - number($0, "units") }
        #expect(widths[13] > widths[0])
        for days in ["0", "15", "1.5", "-1", "99999999999999999999", #""3""#] {
            #expect(throws: LocalRequestError("'days' must be a whole number from 1 to 14")) {
                try ask(service, #"{"do":"forecast","days":\#(days)}"#)
            }
        }
    }

    @Test("keep close while the days are as forecast, and give way when they are not")
    func realised() throws {
        func width(_ units: (Int) -> UInt32) throws -> Double {
            let folder = TemporaryFolder()
            hub.enrol(folder)
            hub.records = []
            let service = try AgentService.start(folder)
            try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
            try hub.visit(service)
            for day in 1...40 {
                try service.sell(units(day), of: "1", on: TestPackage.day(day))
                _ = try service.close(TestPackage.day(day), isClosedAllDay: false)
            }
            let next = list(try ask(service, #"{"do":"forecast","item":"1"}"#))[0]
            return try number(next, "p90") / number(next, "units")
        }
        let calm = try width { $0 % 2 == 0 ? 11 : 9 }
        let wild = try width { $0 % 4 == 0 ? 35 : 2 }
        #expect(calm < 1.5)
        #expect(wild > 1.9)
    }
}
