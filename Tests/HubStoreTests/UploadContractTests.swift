import Forecasting
import HubCore
import HubStore
import Testing

@Suite("Contract: uploads")
struct UploadContractTests {
    /// What the ledger says: item to imported and uploaded units, day by day.
    private static func uploaded(
        _ store: any HubStore, _ id: String = "1"
    ) async throws -> [String: Int64] {
        var totals: [String: Int64] = [:]
        guard let ledger = try await store.ledger(store: try StoreID(id), from: nil) else {
            return totals
        }
        for day in ledger.days {
            for sold in day.sold {
                let key = "\(day.day - Sample.day0) \(ledger.items[sold.itemIndex].text)"
                totals[key] = sold.uploadedUnits
            }
        }
        return totals
    }

    @Test(
        "However a device resends, each record counts once", arguments: StoreUnderTest.allCases)
    func exactlyOnce(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            let records = [
                try Sample.sale(0, "a", 2), try Sample.sale(0, "a", 3), try Sample.sale(0, "b", 1),
                Sample.close(0), try Sample.sale(1, "a", 4), Sample.close(1),
            ]
            func send(_ first: Int, _ count: Int) async throws -> UploadOutcome {
                try await Sample.upload(
                    store, id, from: UInt64(first),
                    Array(records[(first - 1)..<(first - 1 + count)]))
            }
            #expect(try await send(2, 1) == .gap(expectedSequence: 1))
            #expect(try await send(1, 3) == .stored(throughSequence: 3, new: 3))
            #expect(try await send(1, 3) == .stored(throughSequence: 3, new: 0))
            #expect(try await send(5, 1) == .gap(expectedSequence: 4))
            #expect(try await send(2, 4) == .stored(throughSequence: 5, new: 2))
            #expect(try await send(1, 1) == .stored(throughSequence: 5, new: 0))
            #expect(try await send(6, 1) == .stored(throughSequence: 6, new: 1))
            #expect(try await Self.uploaded(store) == ["0 a": 5, "0 b": 1, "1 a": 4])
            #expect(try await store.device(id)?.throughSequence == 6)
            let days = try await store.deviceDays(store: try StoreID("1"), from: nil, through: nil)
            #expect(days.map(\.units) == [6, 4] && days.allSatisfy { $0.closedAllDay == false })
        }
    }

    @Test(
        "A day closed with business and then again without is taken, and so is what follows",
        arguments: StoreUnderTest.allCases, [false, true])
    func closedTwice(implementation: StoreUnderTest, oneUpload: Bool) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            let records = [
                try Sample.sale(0, "a", 5), Sample.close(0), Sample.close(0, allDay: true),
                try Sample.sale(1, "a", 2), Sample.close(1, allDay: true), Sample.close(1),
            ]
            if oneUpload {
                #expect(
                    try await Sample.upload(store, id, from: 1, records)
                        == .stored(throughSequence: 6, new: 6))
            } else {
                for (index, record) in records.enumerated() {
                    let sequence = UInt64(index + 1)
                    #expect(
                        try await Sample.upload(store, id, from: sequence, [record])
                            == .stored(throughSequence: sequence, new: 1))
                }
            }
            // The later word counts.
            let days = try await store.deviceDays(store: try StoreID("1"), from: nil, through: nil)
            #expect(days.map(\.closedAllDay) == [true, false])
            // A second device's word stands beside it, whatever its order.
            let other = try await Sample.join(store, device: "e")
            #expect(
                try await Sample.upload(
                    store, other, from: 1, [Sample.close(0), Sample.close(0, allDay: true)])
                    == .stored(throughSequence: 2, new: 2))
        }
    }

    @Test(
        "What comes back is taken off its day once, and never more than there is",
        arguments: StoreUnderTest.allCases)
    func returns(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            let records = [
                try Sample.sale(0, "a", 5), try Sample.returned(0, "a", 2),
                try Sample.sale(0, "b", 1), try Sample.returned(0, "b", 9),
                try Sample.returned(1, "c", 1), Sample.close(0), Sample.close(1),
            ]
            try await Sample.upload(store, id, from: 1, records)
            #expect(
                try await Sample.upload(store, id, from: 2, Array(records[1...]))
                    == .stored(throughSequence: 7, new: 0))
            #expect(try await Self.uploaded(store).filter { $0.value != 0 } == ["0 a": 3])
            let days = try await store.deviceDays(store: try StoreID("1"), from: nil, through: nil)
            #expect(days.map(\.units).allSatisfy { $0 >= 0 })
            guard
                case .invalid = try await Sample.upload(
                    store, id, from: 8, [try Sample.returned(0, "a", 0)])
            else {
                Issue.record("a return of nothing was taken")
                return
            }
        }
    }

    @Test(
        "Sales that a device had to put into totals are told to the operator, once for each growth",
        arguments: StoreUnderTest.allCases)
    func foldedSales(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            for (sequence, folded) in [(1, 0), (2, 700), (3, 700), (3, 900), (4, 950), (5, 0)] {
                let batch = UploadBatch(
                    device: id, firstSequence: UInt64(sequence),
                    records: [try Sample.sale(0, "a", 2)], foldedSales: UInt64(folded))
                let outcome = try await store.storeUpload(batch, at: Sample.now)
                guard case .stored = outcome else {
                    Issue.record("\(outcome)")
                    return
                }
            }
            let events = try await store.events(of: id, countMax: 10).filter {
                $0.kind == "folded"
            }
            // The repetition of record 3 stored nothing, so it said nothing.
            #expect(events.map { $0.text.prefix(9) } == ["250 sales", "700 sales"])
        }
    }

    @Test(
        "A forecast comes back to the last bit, with what it was made from",
        arguments: StoreUnderTest.allCases)
    func uploadedForecasts(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            func forecast(_ offset: Int, level: Float, digest: UInt32) throws -> DeviceForecast {
                DeviceForecast(
                    day: Sample.day(offset), item: try ItemID("a"), units: 0.1,
                    networkOutput: .min, release: .max, actualUnits: 3, inputsComplete: offset > 0,
                    level: level, inputsDigest: digest)
            }
            let sent = [
                try forecast(0, level: 0, digest: 0), try forecast(1, level: 0.3, digest: .max),
            ]
            try await Sample.upload(store, id, from: 1, sent.map { .forecast($0) })
            func stored(_ from: Int?, _ to: Int?) async throws -> [UploadedForecast] {
                try await store.uploadedForecasts(
                    store: try StoreID("1"), from: from.map { Sample.day($0) },
                    through: to.map { Sample.day($0) })
            }
            #expect(
                try await stored(nil, nil)
                    == sent.map { UploadedForecast(device: id, forecast: $0) }
            )
            #expect(try await stored(1, nil).map(\.forecast) == [sent[1]])
            #expect(try await stored(nil, 0).map(\.forecast) == [sent[0]])
            var broken = sent[0]
            broken.level = .nan
            #expect(
                try await Sample.upload(store, id, from: 3, [.forecast(broken)])
                    == .invalid(index: 0, reason: "a level is not a number from 0 up"))
        }
    }

    @Test(
        "Random resends, overlaps and interleaved devices end at exactly what was sold",
        arguments: StoreUnderTest.allCases, [UInt64(1), 2, 3, 4])
    func randomResends(implementation: StoreUnderTest, seed: UInt64) async throws {
        try await implementation.run { store in
            var state = seed
            func random(_ range: Range<Int>) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return range.lowerBound + Int((state >> 33) % UInt64(range.count))
            }
            var queues: [[UploadRecord]] = []
            var expected: [String: Int64] = [:]
            var ids: [DeviceID] = []
            for device in 0..<3 {
                ids.append(try await Sample.join(store, device: "d\(device)"))
                var queue: [UploadRecord] = []
                for day in 0..<4 {
                    for _ in 0..<random(5..<40) {
                        let item = "i\(random(0..<4))"
                        let units = Int32(random(1..<9))
                        queue.append(try Sample.sale(day, item, units))
                        expected["\(day) \(item)", default: 0] += Int64(units)
                    }
                    queue.append(Sample.close(day))
                }
                queues.append(queue)
            }
            var acknowledged = [0, 0, 0]
            var steps = 0
            while acknowledged != queues.map(\.count), steps < 5000 {
                steps += 1
                let device = random(0..<3)
                // From somewhere at or before what the device knows to be acknowledged.
                let first = max(0, acknowledged[device] - random(0..<6))
                let count = min(random(1..<12), queues[device].count - first)
                guard count > 0 else { continue }
                let outcome = try await Sample.upload(
                    store, ids[device], from: UInt64(first + 1),
                    Array(queues[device][first..<(first + count)]))
                guard case .stored(let through, _) = outcome else {
                    Issue.record("seed \(seed): \(outcome)")
                    return
                }
                // An acknowledgement in three is lost.
                if random(0..<3) > 0 { acknowledged[device] = Int(through) }
            }
            #expect(acknowledged == queues.map(\.count))
            #expect(try await Self.uploaded(store) == expected, "seed \(seed)")
        }
    }

    @Test(
        "A batch with a record that cannot be stored is refused whole",
        arguments: StoreUnderTest.allCases)
    func invalid(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            let outcome = try await Sample.upload(
                store, id, from: 1, [try Sample.sale(0, "a", 1), try Sample.sale(0, "a", 0)])
            guard case .invalid(index: 1, _) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(try await store.device(id)?.throughSequence == 0)
            #expect(
                try await Sample.upload(store, try DeviceID("x"), from: 1, [Sample.close(0)])
                    == .notAllowed(nil))
            guard case .invalid(index: nil, _) = try await Sample.upload(store, id, from: 1, [])
            else {
                Issue.record("an empty batch was taken")
                return
            }
        }
    }

    @Test(
        "Days become known when somebody closes them, and changes after that raise the revision",
        arguments: StoreUnderTest.allCases)
    func revisions(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let storeID = try StoreID("1")
            let d = try await Sample.join(store, device: "d")
            let e = try await Sample.join(store, device: "e")
            func revision() async throws -> UInt64 {
                try #require(try await store.store(storeID)).revision
            }
            try await Sample.upload(store, d, from: 1, [try Sample.sale(0, "a", 2)])
            #expect(try await revision() == 0)
            #expect(try await store.lastKnownDay(store: storeID) == nil)
            try await Sample.upload(store, d, from: 2, [Sample.close(0)])
            #expect(try await revision() == 1)
            try await Sample.upload(store, e, from: 1, [try Sample.sale(0, "a", 5)])
            #expect(try await revision() == 2)
            try await Sample.upload(store, e, from: 2, [try Sample.sale(1, "a", 5)])
            #expect(try await revision() == 2)
            try await Sample.upload(store, e, from: 3, [Sample.close(1)])
            #expect(try await revision() == 3)
            // A late close changes who is expected on the days after it.
            try await Sample.upload(store, e, from: 4, [Sample.close(0)])
            let ledger = try #require(try await store.ledger(store: storeID, from: nil))
            #expect(ledger.days.map(\.revision) == [4, 4])
            #expect(ledger.devices == [d, e])
            #expect(ledger.days.map { $0.sold.first?.uploadedUnits } == [7, 5])
            let context = StoreContext.decide(ledger, device: d, knownRevision: 3)
            #expect(context.days.map(\.isFinal) == [true, false])
            _ = try await store.setStatus(.revoked, of: d, at: Sample.now)
            let after = try #require(try await store.ledger(store: storeID, from: nil))
            let news = StoreContext.decide(after, device: e, knownRevision: 4)
            #expect(news.days.map(\.isFinal) == [true, true])
            #expect(
                try await store.ledger(store: storeID, from: Sample.day(1))?.days.count == 1)
        }
    }

    @Test(
        "Imported and uploaded totals are kept apart, and the import counts",
        arguments: StoreUnderTest.allCases)
    func importBesideUpload(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            try await Sample.upload(
                store, id, from: 1,
                [try Sample.sale(0, "a", 2), try Sample.sale(0, "b", 9), Sample.close(0)])
            try await Sample.importRows(store, [("1", "a", 0, 50)])
            try await Sample.upload(store, id, from: 4, [try Sample.sale(0, "a", 1)])
            let histories = try await store.histories(store: try StoreID("1"), through: nil)
            #expect(histories.map { $0.days.map(\.units) } == [[50], [9]])
            #expect(try await Self.uploaded(store) == ["0 a": 3, "0 b": 9])
        }
    }

    @Test(
        "Observations set forecasts beside the ledger's totals of the day and of a week before",
        arguments: StoreUnderTest.allCases)
    func observations(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            try await Sample.importRows(store, [("1", "a", 0, 11), ("1", "b", 0, 1)])
            let outcome = try await Sample.upload(
                store, id, from: 1,
                [
                    try Sample.sale(7, "a", 4), Sample.close(7), try Sample.forecast(7, "a", 5.5),
                    // Sold nothing on a day of business.
                    try Sample.forecast(7, "b", 0.5),
                    // The store did no business: there is nothing to compare with.
                    Sample.close(8, allDay: true), try Sample.forecast(8, "a", 6),
                    // A day nobody has closed, of an item never sold.
                    try Sample.forecast(9, "c", 7), try Sample.forecast(7, "a", 5.25),
                ])
            #expect(outcome == .stored(throughSequence: 8, new: 8))
            let all = try await store.observations(
                store: try StoreID("1"), from: nil, through: nil)
            func row(_ item: String, _ day: Int) -> ForecastObservation? {
                all.first { $0.item.text == item && $0.day == Sample.day(day) }
            }
            #expect(all.count == 4)
            let first = try #require(row("a", 7))
            #expect(first.forecastUnits == 5.25 && first.actualUnits == 4)
            #expect(first.seasonalNaiveUnits == 11 && !first.actualIsImported)
            #expect(row("b", 7)?.actualUnits == 0 && row("b", 7)?.seasonalNaiveUnits == 1)
            #expect(row("a", 8)?.actualUnits == nil)
            #expect(row("c", 9)?.actualUnits == nil)
            let some = try await store.observations(
                store: try StoreID("1"), from: Sample.day(8), through: Sample.day(8))
            #expect(some.map(\.forecastUnits) == [6])
            #expect(
                try await store.observations(store: try StoreID("2"), from: nil, through: nil)
                    .isEmpty)
        }
    }
}
