import Alerting
import Forecasting
import Foundation
import HubCore
import HubStore
import SimulatedDemand
import TestSupport
import Testing
import Watching

/// Days as devices send them up, and the alerts that come of them: through the database, without a clock.
@Suite struct WatcherTests {
    private static let day0 = BusinessDay(daysSince1970: 17_000)
    private static let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)

    private struct Chain {
        let store: any HubStore
        var ids: [DeviceID] = []
        var next: [UInt64] = []

        /// One device in each store.
        init(_ store: any HubStore, stores: Int) async throws {
            self.store = store
            for number in 1...stores {
                let secret = [UInt8](repeating: UInt8(number), count: 32)
                _ = try await store.createToken(
                    TokenRecord(
                        secretSHA256: secret, store: try StoreID("\(number)"), labels: [],
                        createdAt: now, expiresAt: now.advanced(bySeconds: 3_600), usesMax: 9,
                        approves: true))
                let id = try DeviceID("d\(number)")
                guard
                    case .joined = try await store.joinDevice(
                        id, tokenSecretSHA256: secret, at: now)
                else { throw HubStoreError.failed(reason: "could not join") }
                ids.append(id)
                next.append(1)
            }
        }

        /// A day of four items, each forecast 50 units; `factor` times that is sold, give or take 8.
        mutating func close(
            _ offset: Int, store index: Int, factor: Double = 1, release: UInt64 = 1
        ) async throws {
            let day = day0.advanced(by: offset)
            var records: [UploadRecord] = []
            for item in 0..<4 {
                let noise = Double((offset * 37 + item * 11 + index * 7) % 17) - 8
                let id = try ItemID("i\(item)")
                records.append(
                    .sale(day: day, item: id, units: Int32(max(1, (50 + noise) * factor))))
                records.append(
                    .forecast(
                        DeviceForecast(
                            day: day, item: id, units: 50, networkOutput: 0, release: release,
                            actualUnits: 50, inputsComplete: true)))
            }
            records.append(.close(day: day, closedAllDay: false))
            _ = try await store.storeUpload(
                UploadBatch(device: ids[index], firstSequence: next[index], records: records),
                at: now)
            next[index] += UInt64(records.count)
        }
    }

    @Test(
        "A shift in two stores and a silent device in a third are told of, each once, and nothing else"
    )
    func story() async throws {
        let store = try SQLiteHubStore.inMemory()
        var chain = try await Chain(store, stores: 8)
        let watcher = AlertWatcher(store: store, listeningSince: Self.now)
        for day in 0..<60 {
            for index in 0..<8 where index != 5 || day < 50 {
                let isShifted = day >= 45 && index < 2
                try await chain.close(day, store: index, factor: isShifted ? 1.4 : 1)
            }
        }
        var now = Self.now.advanced(bySeconds: 60)
        try await watcher.look(at: now)
        let alerts = try await store.alerts(AlertQuery())
        // Weeks of 40 % more are worse weeks too.
        let worse = alerts.filter { $0.kind == .accuracyWorse }.map(\.subject.text)
        #expect(Set(worse).isSubset(of: ["store 1", "store 2"]))
        #expect(
            Set(
                alerts.filter { $0.kind != .accuracyWorse }.map {
                    "\($0.kind.rawValue) \($0.subject.text)"
                })
                == [
                    "demand-shift store 1", "demand-shift store 2", "device-silent device d6",
                ])
        let shift = try #require(
            alerts.first { $0.subject.text == "store 1" && $0.kind == .demandShift })
        #expect(abs(try #require(shift.since).daysSince1970 - (17_000 + 45)) <= 1)
        #expect(shift.title.contains("more than is forecast"))
        #expect(shift.detail.contains("item i"))
        #expect(shift.detail.contains("stability index"))
        let silent = try #require(alerts.first { $0.kind == .deviceSilent })
        #expect(silent.title.contains("10 missing"))

        // Looked at again, nothing is new.
        now = now.advanced(bySeconds: 60)
        #expect(try await watcher.look(at: now).isEmpty)
        #expect(try await !watcher.hasNews())
        // Another process, which knows nothing, comes to the same.
        #expect(
            try await AlertWatcher(store: store, listeningSince: Self.now).look(at: now).isEmpty)

        // A new model ends what was said of the old one; the silent device is back.
        for index in 0..<8 where index != 5 {
            for day in 60..<63 {
                try await chain.close(day, store: index, release: index < 2 ? 2 : 1)
            }
        }
        for day in 50..<63 { try await chain.close(day, store: 5) }
        #expect(try await watcher.hasNews())
        now = now.advanced(bySeconds: 60)
        try await watcher.look(at: now)
        #expect(try await store.alerts(AlertQuery()).isEmpty)
        let over = try #require(try await store.alert(shift.id))
        #expect(over.resolvedWhy.hasPrefix("the store's model changed: release 2 since"))
        #expect(over.resolvedBy == "hub")
    }

    @Test("In a chain of 20 stores and more an alert says that they were asked too")
    func chain() async throws {
        let store = try SQLiteHubStore.inMemory()
        var chain = try await Chain(store, stores: 21)
        for day in 0..<40 {
            for index in 0..<21 {
                // The last one's model is another, and its days tell nothing of the others'.
                try await chain.close(
                    day, store: index, factor: index == 0 && day >= 32 ? 1.4 : 1,
                    release: index == 20 ? 2 : 1)
            }
        }
        try await AlertWatcher(store: store, listeningSince: nil).look(at: Self.now)
        let shift = try #require(
            try await store.alerts(AlertQuery()).first { $0.kind == .demandShift })
        #expect(shift.subject.text == "store 1")
        #expect(
            shift.detail.contains("days of release 1 and by 20 stores under it: level"),
            "\(shift.detail)")
    }

    @Test("What opens is handed to its destinations once, and what cannot be delivered waits")
    func outbox() async throws {
        let store = try SQLiteHubStore.inMemory()
        var chain = try await Chain(store, stores: 5)
        let folder = try TemporaryFolder()
        func destination(_ name: String, _ script: String) -> AlertDestination {
            AlertDestination(
                name: name,
                channel: .command(
                    CommandRoute(path: "/bin/sh", arguments: ["-c", script], seconds: 20)),
                severities: [.page], isToldOfEnds: true, secret: nil, createdAt: Self.now)
        }
        try await store.addAlertDestination(
            destination("good", "cat >> \(folder.path)/got; echo >> \(folder.path)/got"))
        try await store.addAlertDestination(destination("bad", "exit 1"))
        var policy = AlertPolicy()
        policy.gatherSeconds = 0
        let watcher = AlertWatcher(store: store, listeningSince: Self.now, policy: policy)
        for day in 0..<50 {
            for index in 0..<5 {
                try await chain.close(day, store: index, factor: day >= 44 && index == 0 ? 2 : 1)
            }
        }
        let now = Self.now.advanced(bySeconds: 60)
        try await watcher.look(at: now)
        let deliverer = AlertDeliverer(store: store)
        let failures = try await deliverer.turn(now: { now })
        #expect(failures.map(\.destination) == ["bad"])
        #expect(failures.first?.problem == "it refused: it ended with status 1")
        #expect(try await deliverer.turn(now: { now }).isEmpty)
        let lines = try folder.read("got").split(separator: "\n")
        #expect(lines.count == 1)
        let notice = try JSONDecoder().decode(AlertNotice.self, from: Data(lines[0].utf8))
        #expect(notice.kind == .demandShift)
        #expect(notice.event == .opened)
        #expect(notice.stores == ["1"])
        // The one that failed is tried again, with the same id.
        let waiting = try await store.deliveries(.waiting, countMax: 9)
        #expect(waiting.map(\.destination) == ["bad"])
        #expect(waiting.first?.at == now.advanced(bySeconds: 30))
        #expect(waiting.first?.payload.contains("\"id\":\"\(notice.id)\"") == true)
        let later = now.advanced(bySeconds: 30)
        #expect(try await deliverer.turn(now: { later }).count == 1)
    }
}
