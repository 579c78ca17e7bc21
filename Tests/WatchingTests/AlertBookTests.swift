import Forecasting
import HubCore
import Testing
import Watching

/// What becomes of alerts, look after look.
@Suite struct AlertBookTests {
    /// Alerts as a database would keep them.
    private struct Keeper {
        var alerts: [AlertRecord] = []
        var now = Timestamp(millisecondsSince1970: 1_700_000_000_000)
        var silences: [AlertSilence] = []
        var policy = AlertPolicy()
        var sent: [String] = []

        /// A look after `hours`.
        /// - Returns: what was sent and what was noted, `opened store 1`…
        mutating func look(
            after hours: Double, _ findings: [Finding], stores: Int = 10,
            endings: [Finding.Key: String] = [:]
        ) -> (sent: [String], noted: [String]) {
            now = now.advanced(bySeconds: Int64(hours * 3_600))
            var book = AlertBook(
                policy: policy, standing: alerts.filter { $0.state != .resolved },
                resolved: alerts.filter { $0.state == .resolved }, silences: silences, at: now)
            var (sent, noted): ([String], [String]) = ([], [])
            for change in book.step(findings, storeCount: stores, endings: endings) {
                let text = "\(change.event?.what.rawValue ?? "seen") \(change.alert.subject.text)"
                if change.isSent { sent.append(text) }
                if change.event != nil { noted.append(text) }
                var alert = change.alert
                alert.revision += 1
                if alert.id == 0 {
                    alert.id = Int64(alerts.count + 1)
                    alerts.append(alert)
                } else {
                    alerts[Int(alert.id) - 1] = alert
                }
            }
            return (sent, noted)
        }
    }

    private static func shift(
        _ store: Int, _ severity: AlertSeverity = .page, kind: AlertKind = .demandShift
    ) throws -> Finding {
        let id = try StoreID("\(store)")
        return Finding(kind, .store(id), severity, title: "store \(store)", stores: [id])
    }

    @Test(
        "It opens, is sent once it has stood for ten minutes, is reminded of three times, and resolves"
    )
    func life() throws {
        var keeper = Keeper()
        let findings = [try Self.shift(1)]
        #expect(keeper.look(after: 0, findings) == ([], ["opened store 1"]))
        #expect(keeper.look(after: 0.1, findings) == ([], []))
        #expect(keeper.look(after: 0.1, findings).sent == ["seen store 1"])
        var sent: [String] = []
        for _ in 0..<200 { sent += keeper.look(after: 1, findings).sent }
        #expect(sent == ["reminded store 1", "reminded store 1", "reminded store 1"])
        #expect(keeper.alerts.count == 1)
        #expect(keeper.alerts[0].notices == 4)
        let key = findings[0].key
        #expect(
            keeper.look(after: 1, [], endings: [key: "its model changed"])
                == (["resolved store 1"], ["resolved store 1"]))
        #expect(keeper.alerts[0].resolvedWhy == "its model changed")
        #expect(keeper.alerts[0].resolvedBy == "hub")
    }

    @Test("What is gone before it was sent is never sent")
    func nothing() throws {
        var keeper = Keeper()
        _ = keeper.look(after: 0, [try Self.shift(1)])
        #expect(keeper.look(after: 0.05, []) == ([], ["resolved store 1"]))
    }

    @Test("What comes back soon is the same alert and no news; later it is a new one")
    func coolDown() throws {
        var keeper = Keeper()
        let findings = [try Self.shift(1)]
        _ = keeper.look(after: 0, findings)
        _ = keeper.look(after: 1, findings)
        _ = keeper.look(after: 1, [])
        #expect(keeper.look(after: 48, findings) == ([], ["reopened store 1"]))
        #expect(keeper.look(after: 1, findings).sent == [])
        #expect(keeper.alerts.count == 1)
        #expect(keeper.alerts[0].openings == 2)
        _ = keeper.look(after: 1, [])
        _ = keeper.look(after: 24 * 8, findings)
        #expect(keeper.alerts.count == 2)
        #expect(keeper.look(after: 1, findings).sent == ["seen store 1"])
    }

    @Test("Acknowledged, it is not sent again unless it becomes worse")
    func acknowledged() throws {
        var keeper = Keeper()
        _ = keeper.look(after: 0, [try Self.shift(1, .warn)])
        _ = keeper.look(after: 1, [try Self.shift(1, .warn)])
        keeper.alerts[0].state = .acknowledged
        keeper.alerts[0].acknowledgedBy = "os:night"
        for _ in 0..<10 {
            #expect(keeper.look(after: 24, [try Self.shift(1, .warn)]).sent == [])
        }
        #expect(keeper.look(after: 1, [try Self.shift(1, .page)]).noted == ["worse store 1"])
        #expect(keeper.alerts[0].state == .open)
        #expect(keeper.look(after: 1, [try Self.shift(1, .page)]).sent == ["seen store 1"])
        #expect(keeper.look(after: 1, [try Self.shift(1, .info)]) == ([], ["better store 1"]))
    }

    @Test("Resolved by an operator it stays so for the cool-down, unless it becomes worse")
    func resolvedByHand() throws {
        var keeper = Keeper()
        _ = keeper.look(after: 0, [try Self.shift(1, .warn)])
        keeper.alerts[0].state = .resolved
        keeper.alerts[0].resolvedBy = "os:night"
        keeper.alerts[0].changedAt = keeper.now
        #expect(keeper.look(after: 1, [try Self.shift(1, .warn)]) == ([], []))
        #expect(keeper.look(after: 1, [try Self.shift(1, .page)]).noted == ["reopened store 1"])
    }

    @Test("Silenced, it opens and resolves without a word")
    func silenced() throws {
        var keeper = Keeper()
        keeper.silences = [
            AlertSilence(
                kind: nil, subject: .store(try StoreID("1")), from: keeper.now,
                until: keeper.now.advanced(bySeconds: 86_400), why: "")
        ]
        let findings = [try Self.shift(1), try Self.shift(2)]
        _ = keeper.look(after: 0, findings)
        #expect(keeper.look(after: 1, findings).sent == ["seen store 2"])
        // What stands when the silence ends is said then.
        #expect(keeper.look(after: 24, findings).sent.contains("seen store 1"))
    }

    @Test(
        "Many stores at once are one alert that names them; what is left of it speaks for itself again"
    )
    func chain() throws {
        var keeper = Keeper()
        let two = [try Self.shift(1), try Self.shift(2)]
        #expect(
            keeper.look(after: 0, two)
                == ([], ["opened store 1", "opened store 2"]))
        let four = two + [try Self.shift(3), try Self.shift(4)]
        #expect(
            keeper.look(after: 0.1, four).noted
                == [
                    "opened chain", "grouped store 1", "grouped store 2", "opened store 3",
                    "opened store 4",
                ])
        #expect(keeper.look(after: 1, four).sent == ["seen chain"])
        let chain = try #require(keeper.alerts.first { $0.subject == .chain })
        #expect(chain.stores.map(\.text) == ["1", "2", "3", "4"])
        #expect(chain.title == "demand left its forecasts in 4 of 10 stores")
        // It stands while half as many are left.
        #expect(keeper.look(after: 1, two).sent == [])
        let rest = keeper.look(after: 1, [try Self.shift(1)])
        #expect(rest.noted.contains("resolved chain"))
        #expect(rest.sent == ["seen store 1", "resolved chain"])
    }

    @Test("Three of a hundred stores, or three over a year, are no event of the chain")
    func noChain() throws {
        var keeper = Keeper()
        let three = [try Self.shift(1), try Self.shift(2), try Self.shift(3)]
        #expect(keeper.look(after: 0, three, stores: 100).noted.count == 3)
        #expect(!keeper.alerts.contains { $0.subject == .chain })
        // Twenty of a thousand are.
        keeper = Keeper()
        _ = keeper.look(after: 0, try (1...20).map { try Self.shift($0) }, stores: 1_000)
        #expect(keeper.alerts.contains { $0.subject == .chain })

        keeper = Keeper()
        _ = keeper.look(after: 0, [try Self.shift(1)], stores: 5)
        _ = keeper.look(after: 24 * 30, [try Self.shift(1), try Self.shift(2)], stores: 5)
        _ = keeper.look(after: 24 * 30, three, stores: 5)
        #expect(!keeper.alerts.contains { $0.subject == .chain })
    }
}
