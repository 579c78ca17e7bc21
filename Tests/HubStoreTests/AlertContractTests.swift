import Forecasting
import HubCore
import HubStore
import Testing

/// Alerts as they are kept: one that stands of each kind and subject, changed only as it was looked at.
@Suite struct AlertContractTests {
    private static func alert(
        _ kind: AlertKind = .demandShift, store: String = "1", severity: AlertSeverity = .page
    ) throws -> AlertRecord {
        let id = try StoreID(store)
        return AlertRecord(
            kind: kind, subject: .store(id), severity: severity, title: "store \(store) sells more",
            detail: "two\nlines", stores: [id], since: Sample.day(3), openedAt: Sample.now)
    }

    private static func opened(_ alert: AlertRecord, isSent: Bool = true) -> AlertChange {
        AlertChange(
            alert: alert, event: AlertEvent(at: alert.openedAt, author: "hub", what: .opened),
            isSent: isSent)
    }

    private static func webhook(
        _ name: String, _ severities: Set<AlertSeverity> = [.page], isToldOfEnds: Bool = true
    ) -> AlertDestination {
        AlertDestination(
            name: name, channel: .webhook(url: "https://example.test/\(name)"),
            severities: severities, isToldOfEnds: isToldOfEnds,
            secret: AlertSecret(bytes: Array("key of \(name)".utf8)), createdAt: Sample.now)
    }

    @Test(
        "An alert reads back as it was written, and only one of a kind and subject stands",
        arguments: StoreUnderTest.allCases)
    func oneStands(_ under: StoreUnderTest) async throws {
        try await under.run { store in
            let written = try await store.apply([Self.opened(try Self.alert())], at: Sample.now)
            let first = try #require(written.first)
            #expect(first.id > 0)
            #expect(try await store.alert(first.id) == first)
            #expect(
                try await store.apply([Self.opened(try Self.alert())], at: Sample.now).isEmpty)
            #expect(try await store.alerts(AlertQuery()) == [first])
            #expect(
                try await store.alertEvents(of: first.id, countMax: 9).map(\.what) == [.opened])

            var gone = first
            gone.state = .resolved
            gone.resolvedWhy = "its cause is gone"
            #expect(
                try await store.apply(
                    [AlertChange(alert: gone, event: nil, isSent: false)], at: Sample.now
                ).first?.state == .resolved)
            // From what was read before: somebody was quicker.
            #expect(
                try await store.apply(
                    [AlertChange(alert: gone, event: nil, isSent: false)], at: Sample.now
                ).isEmpty)
            let second = try #require(
                try await store.apply([Self.opened(try Self.alert())], at: Sample.now).first)
            #expect(second.id > first.id)
            // The first does not come back beside the second.
            var back = try #require(try await store.alert(first.id))
            back.state = .open
            #expect(
                try await store.apply(
                    [AlertChange(alert: back, event: nil, isSent: false)], at: Sample.now
                ).isEmpty)
            #expect(try await store.alerts(AlertQuery()).map(\.id) == [second.id])
        }
    }

    @Test(
        "Alerts are found by state, severity, kind, store and device",
        arguments: StoreUnderTest.allCases)
    func queries(_ under: StoreUnderTest) async throws {
        try await under.run { store in
            let device = try DeviceID("d-1")
            var grouped = try Self.alert(.noData, store: "12")
            grouped.isGrouped = true
            let kept = try await store.apply(
                [
                    Self.opened(try Self.alert(store: "1")),
                    Self.opened(try Self.alert(store: "2", severity: .warn)),
                    Self.opened(grouped),
                    Self.opened(
                        AlertRecord(
                            kind: .batteryLow, subject: .device(device), severity: .info,
                            title: "battery", stores: [try StoreID("2")], openedAt: Sample.now)),
                ], at: Sample.now)
            #expect(kept.count == 4)
            func found(_ change: (inout AlertQuery) throws -> Void) async throws -> [String] {
                var query = AlertQuery()
                try change(&query)
                return try await store.alerts(query).map(\.subject.text)
            }
            #expect(
                try await found { _ in } == ["device d-1", "store 12", "store 2", "store 1"])
            #expect(try await found { $0.severityMin = .page } == ["store 12", "store 1"])
            #expect(try await found { $0.kind = .batteryLow } == ["device d-1"])
            #expect(try await found { $0.store = try StoreID("2") } == ["device d-1", "store 2"])
            #expect(try await found { $0.store = try StoreID("1") } == ["store 1"])
            #expect(try await found { $0.device = device } == ["device d-1"])
            #expect(
                try await found { $0.leavesOutGrouped = true }
                    == ["device d-1", "store 2", "store 1"])
            #expect(try await found { $0.before = kept[1].id } == ["store 1"])
            #expect(try await found { $0.countMax = 1 } == ["device d-1"])
            #expect(try await found { $0.states = [.resolved] } == [])
        }
    }

    @Test(
        "Who acknowledges, resolves or silences stands in the alert's history and in the audit log",
        arguments: StoreUnderTest.allCases)
    func operators(_ under: StoreUnderTest) async throws {
        try await under.run { store in
            let kept = try await store.apply([Self.opened(try Self.alert())], at: Sample.now)
            let id = try #require(kept.first).id
            let night = store.acting(as: "os:night")
            let seen = try await night.acknowledgeAlert(id, why: "stock-taking", at: Sample.now)
            #expect(seen.state == .acknowledged)
            #expect(seen.acknowledgedBy == "os:night")
            await #expect(
                throws: HubStoreError.refused(why: "alert \(id) was acknowledged by os:night")
            ) { try await store.acknowledgeAlert(id, why: "", at: Sample.now) }
            await #expect(throws: HubStoreError.notFound(what: "alert 99")) {
                try await store.acknowledgeAlert(99, why: "", at: Sample.now)
            }

            let silence = try await night.silence(
                AlertSilence(
                    kind: nil, subject: .store(try StoreID("1")), from: Sample.now,
                    until: Sample.now.advanced(bySeconds: 60), why: "rebuilding"))
            #expect(silence.author == "os:night")
            #expect(try await store.silences(at: Sample.now) == [silence])
            #expect(silence.covers(seen, at: Sample.now))
            #expect(!silence.covers(seen, at: Sample.now.advanced(bySeconds: 60)))
            #expect(try await store.silences(at: Sample.now.advanced(bySeconds: 60)) == [])
            await #expect(throws: HubStoreError.self) {
                try await store.silence(
                    AlertSilence(
                        kind: nil, subject: nil, from: Sample.now,
                        until: Sample.now.advanced(bySeconds: AlertSilence.secondsMax + 1), why: "")
                )
            }
            #expect(try await night.liftSilence(silence.id, at: Sample.now))
            #expect(try await !night.liftSilence(silence.id, at: Sample.now))

            let over = try await night.resolveAlert(id, why: "counted", at: Sample.now)
            #expect(over.state == .resolved)
            #expect(over.resolvedBy == "os:night")
            await #expect(throws: HubStoreError.refused(why: "alert \(id) is resolved already")) {
                try await night.resolveAlert(id, why: "", at: Sample.now)
            }
            #expect(
                try await store.alertEvents(of: id, countMax: 9).map(\.what)
                    == [.resolved, .silenced, .acknowledged, .opened])
            let audit = try await store.audit(countMax: 4)
            #expect(
                audit.map(\.action) == ["resolve", "lift-silence", "silence", "acknowledge"])
            #expect(audit.allSatisfy { $0.author == "os:night" })
            #expect(audit[3].why == "demand-shift, store 1: stock-taking")
        }
    }

    @Test(
        "A notice goes to the destinations that want its severity, is tried again, given up and sent anew",
        arguments: StoreUnderTest.allCases)
    func outbox(_ under: StoreUnderTest) async throws {
        try await under.run { store in
            try await store.addAlertDestination(Self.webhook("night"))
            try await store.addAlertDestination(
                Self.webhook("office", [.page, .warn], isToldOfEnds: false))
            try await store.addAlertDestination(Self.webhook("screen", [.info]))
            await #expect(throws: HubStoreError.alreadyExists(what: "destination night")) {
                try await store.addAlertDestination(Self.webhook("night"))
            }
            let destinations = try await store.alertDestinations()
            #expect(destinations.map(\.name) == ["night", "office", "screen"])
            #expect(destinations.first == Self.webhook("night"))
            #expect(!"\(destinations)".contains("key of"))

            let kept = try await store.apply([Self.opened(try Self.alert())], at: Sample.now)
            var alert = try #require(kept.first)
            var due = try await store.dueDeliveries(at: Sample.now, countMax: 9)
            #expect(due.map(\.destination) == ["night", "office"])
            #expect(due[0].payload == due[1].payload)
            #expect(due[0].payload.contains("\"id\":\"1-1700000000000\""))
            #expect(due[0].payload.contains("\"since\":\"\(Sample.day(3).iso8601)\""))

            // One arrives, the other fails until it is given up.
            try await store.noteDelivery(due[0], problem: nil, at: Sample.now)
            var now = Sample.now
            var waits: [Int64] = []
            for _ in 0..<DeliverySchedule.attemptsMax {
                let one = try #require(
                    try await store.deliveries(.waiting, countMax: 9).first)
                waits.append((one.at.millisecondsSince1970 - now.millisecondsSince1970) / 1000)
                now = one.at
                try await store.noteDelivery(one, problem: "refused", at: now)
            }
            #expect(Array(waits.prefix(4)) == [0, 30, 60, 120])
            #expect(waits.max() == DeliverySchedule.secondsMax)
            let dead = try await store.deliveries(.dead, countMax: 9)
            #expect(dead.map(\.destination) == ["office"])
            #expect(dead.first?.problem == "refused")
            #expect(
                try await store.deliveryStandings() == [
                    "night": DeliveryStanding(arrivedAt: Sample.now),
                    "office": DeliveryStanding(dead: 1, problem: "refused"),
                ])
            #expect(try await store.resend(notice: 99, destination: nil, at: now) == 0)
            #expect(try await store.resend(notice: nil, destination: nil, at: now) == 1)
            due = try await store.dueDeliveries(at: now, countMax: 9)
            #expect(due.map(\.destination) == ["office"])
            #expect(due.first?.attempts == 0)

            // The end goes to who wants to know of it.
            alert.state = .resolved
            _ = try await store.apply(
                [
                    AlertChange(
                        alert: alert,
                        event: AlertEvent(at: now, author: "hub", what: .resolved), isSent: true)
                ], at: now)
            #expect(
                try await store.deliveries(.waiting, countMax: 9).map(\.destination)
                    == ["night", "office"])
            #expect(try await store.removeAlertDestination("office", at: now))
            #expect(try await !store.removeAlertDestination("office", at: now))
            #expect(
                try await store.deliveries(nil, countMax: 9).map(\.destination)
                    == ["night", "night"])
            let test = try await store.sendTestNotice(to: "screen", at: now)
            #expect(try await store.deliveries(.waiting, countMax: 1).first?.notice == test)
            #expect(
                try await store.deliveryStandings() == [
                    "night": DeliveryStanding(arrivedAt: Sample.now, waiting: 1),
                    "screen": DeliveryStanding(waiting: 1),
                ])
            await #expect(throws: HubStoreError.notFound(what: "destination office")) {
                try await store.sendTestNotice(to: "office", at: now)
            }
        }
    }

    @Test(
        "A store's day counts once, without what was out of stock",
        arguments: StoreUnderTest.allCases)
    func watchedDays(_ under: StoreUnderTest) async throws {
        try await under.run { store in
            let first = try await Sample.join(store, device: "d1")
            let second = try await Sample.join(store, device: "d2")
            try await Sample.upload(
                store, first, from: 1,
                [
                    try Sample.sale(0, "a", 6), Sample.close(0),
                    try Sample.forecast(0, "a", 4), try Sample.forecast(0, "b", 7),
                    try Sample.forecast(0, "c", 1),
                ])
            let id = try StoreID("1")
            let before = try await store.watchedStores()[id]
            // The second device has not closed the day yet, and has never closed one: nobody waits for it.
            try await Sample.upload(
                store, second, from: 1,
                [
                    try Sample.sale(0, "a", 2), Sample.close(0),
                    try Sample.forecast(0, "a", 6), try Sample.forecast(0, "b", 9),
                    try Sample.forecast(0, "c", 2),
                ])
            #expect(try await store.watchedStores()[id] != before)
            let days = try await store.watchedDays(store: id, from: nil)
            let day = try #require(days.first)
            #expect(days.count == 1)
            #expect(day.day == Sample.day(0))
            // Item a sold 8 and was forecast 4 and 6, item c sold 0 and was forecast 1 and 2; item b was not there.
            #expect(day.forecasts == 2)
            #expect(day.outOfStock == 1)
            #expect(day.actualUnits == 8)
            #expect(day.forecastUnits == 6.5)
            #expect(day.absoluteErrorUnits == 4.5)
            #expect(day.z == 1.5 / 6.5.squareRoot())

            let activity = try await store.deviceActivity(lastDays: 7)
            #expect(activity.map(\.device) == [first, second])
            #expect(activity[1].days.map(\.units) == [2])
            #expect(activity[1].days.map(\.forecasts) == [3])
            #expect(activity[1].days.map(\.isBusiness) == [true])
        }
    }

    @Test(
        "What a device allowed its model before, and its longest silence, are remembered",
        arguments: StoreUnderTest.allCases)
    func habits(_ under: StoreUnderTest) async throws {
        try await under.run { store in
            let id = try await Sample.join(store, device: "d1")
            func register(_ budget: UInt64, after seconds: Int64) async throws -> DeviceRecord {
                var can = DeviceCapabilities()
                can.modelMemoryBudgetBytes = budget
                return try #require(
                    try await store.registerDevice(
                        id, capabilities: can, labels: [], running: nil,
                        at: Sample.now.advanced(bySeconds: seconds)))
            }
            var device = try await register(2_048, after: 0)
            #expect(device.budgetBefore == nil)
            device = try await register(1_024, after: 100)
            device = try await register(512, after: 7_300)
            #expect(device.budgetBefore?.bytes == 2_048)
            #expect(device.budgetBefore?.until == Sample.now.advanced(bySeconds: 7_300))
            #expect(device.longestGapSeconds == 7_200)
            device = try await register(2_048, after: 7_400)
            #expect(device.budgetBefore == nil)
            // A fourteenth of the time since is forgotten.
            #expect(device.longestGapSeconds == 7_200 - 100 / 14)
            try await store.touchDevice(id, at: Sample.now.advanced(bySeconds: 90 * 86_400))
            device = try #require(try await store.device(id))
            #expect(device.longestGapSeconds == DeviceRecord.gapSecondsMax)
        }
    }
}
