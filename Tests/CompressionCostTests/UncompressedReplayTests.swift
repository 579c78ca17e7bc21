import CompressionCost
import Forecasting
import Foundation
import HubCore
import HubStore
import ModelPackage
import Testing
import Training

/// What compression costs: forecasts of devices beside those of the uncompressed networks, from the same inputs.
@Suite("Replay by uncompressed networks")
struct UncompressedReplayTests {
    /// Two items are sold for three days: 10, 20, 30 of the one and 4 a day of the other.
    private static func threeDays(
        _ one: OneStore, by till: inout OneStore.Till, units: (Float) -> Float
    ) async throws {
        for offset in 0..<3 {
            let day = OneStore.day(offset)
            let days = try await one.days()
            var records: [UploadRecord] = []
            for (item, sold, level) in [
                (OneStore.items[0], Int32(10 * (offset + 1)), Float(18)),
                (OneStore.items[1], 4, 5),
            ] {
                records.append(.sale(day: day, item: item, units: sold))
                records.append(
                    one.forecast(item, on: day, level: level, units: units(level), days))
            }
            records.append(.close(day: day, closedAllDay: false))
            try await one.upload(records, by: &till)
        }
    }

    @Test("A network that says nothing forecasts the level, and the errors are those made by hand")
    func byHand() async throws {
        let one = try await OneStore(prepare: { $0.silence() })
        var till = try await one.join("d1")
        // The device forecasts a half more than it should: 27 for 10, 20, 30, and 7.5 for 4.
        try await Self.threeDays(one, by: &till) { $0 * 1.5 }
        #expect(try await one.sums().unreplayed == 6)
        #expect(try await one.sums().compression == CompressionSums())
        try await one.replayAll()
        let sums = try await one.sums()
        #expect(sums.unreplayed == 0 && sums.accuracy.count == 6)
        let cost = sums.compression
        #expect(cost.count == 6 && cost.actualSum == 72)
        // 17 + 7 + 3 and three times 3.5; uncompressed 8 + 2 + 12 and three times 1.
        #expect(abs(cost.deviceErrorSum - 37.5) < 1e-4)
        #expect(abs(cost.uncompressedErrorSum - 25) < 1e-4)
        #expect(abs(try #require(cost.costPoints) - 100 * 12.5 / 72) < 1e-3)
        // By item it is read from single forecasts, and comes to the same.
        for row in try await one.hub.forecastSums(ReportQuery(by: [.item])) {
            let isFirst = row.key.item == OneStore.items[0]
            #expect(abs(row.sums.compression.uncompressedErrorSum - (isFirst ? 22 : 3)) < 1e-4)
        }
    }

    @Test("A package that forecasts as its uncompressed network does costs nothing")
    func free() async throws {
        let one = try await OneStore(prepare: { $0.silence() })
        var till = try await one.join("d1")
        try await Self.threeDays(one, by: &till) { $0 }
        try await one.replayAll()
        let cost = try await one.sums().compression
        #expect(cost.count == 6)
        #expect(abs(try #require(cost.costPoints)) < 1e-4)
    }

    /// Devices that really run the package, for 40 days on which they sell what the uncompressed network expects.
    private static func realDevice(_ one: OneStore, isBrief: Bool) async throws {
        var till = try await one.join("d1")
        let variant = one.family.variants[0]
        let model = ForecastModel(
            spec: one.family.spec, parameters: variant.uncompressed ?? variant.parameters,
            profiles: one.family.profiles)
        let engine = try one.runningEngine()
        for offset in 0..<40 {
            let day = OneStore.day(offset)
            let days = try await one.days()
            var records: [UploadRecord] = []
            for item in OneStore.items {
                let level = try #require(one.engine.level(of: item, before: day, days: days))
                let recent = OneStore.recent(item, before: day, days)
                let marks = days.plannedMarks(of: item, on: day)
                let start = try #require(
                    one.family.starts[0].starts.first { $0.item == item })
                let float = model.forecast(
                    state: SeriesState(level: level, persistence: start.persistence),
                    profile: start.profile, recentDays: recent, target: day,
                    targetMarks: marks)
                let units = engine.forecast(
                    index: engine.index(of: item), level: level, recentDays: recent, target: day,
                    targetMarks: marks
                ).units
                let sold = Int32(max(1, float.rounded()))
                records.append(.sale(day: day, item: item, units: sold))
                records.append(
                    one.forecast(
                        item, on: day, level: level, units: units, days, isBrief: isBrief))
            }
            records.append(.close(day: day, closedAllDay: false))
            try await one.upload(records, by: &till)
        }
        try await one.replayAll()
    }

    @Test("INT8 costs next to nothing, also where devices leave the level to the hub")
    func int8() async throws {
        for isBrief in [false, true] {
            let one = try await OneStore(prepare: { $0.speakUp() })
            try await Self.realDevice(one, isBrief: isBrief)
            let cost = try await one.sums().compression
            #expect(cost.count == 120)
            // Its error is that of rounding what was sold to whole units.
            #expect(try #require(cost.uncompressedWape) < 5)
            #expect(abs(try #require(cost.costPoints)) < 1.5, "\(cost)")
        }
    }

    @Test("So it is where the network sees promotions, and their days count like others")
    func promotions() async throws {
        for isBrief in [false, true] {
            let one = try await OneStore(promotes: true) { family in
                family.speakUp()
                // The last of its inputs says the most.
                let width = family.variants[0].parameters.inputWidth
                for k in stride(
                    from: width - 1, to: family.variants[0].parameters.inputKernel.count, by: width
                ) {
                    family.variants[0].parameters.inputKernel[k] = 2
                }
            }
            #expect(one.family.spec.inputs.contains(.promotion))
            try await Self.realDevice(one, isBrief: isBrief)
            let cost = try await one.sums().compression
            #expect(cost.count == 120 && cost.inputsUnknown == 0)
            // Every error of its own is that of rounding what was sold to whole units.
            #expect(cost.uncompressedErrorSum <= 0.5 * 120, "\(cost)")
            #expect(abs(try #require(cost.costPoints)) < 1.5, "\(cost)")
        }
    }

    @Test("A badly compressed package shows its cost")
    func bad() async throws {
        // What pruning left forecasts a quarter and more too much.
        let one = try await OneStore(prepare: { family in
            family.speakUp()
            family.variants[0].recipe = "lstm3 | prune 50%"
            family.variants[0].uncompressed = family.variants[0].parameters
            family.variants[0].parameters.denseBias += 0.25
        })
        try await Self.realDevice(one, isBrief: false)
        let cost = try await one.sums().compression
        #expect(cost.count == 120)
        #expect(try #require(cost.uncompressedWape) < 5)
        #expect(try #require(cost.costPoints) > 10, "\(cost)")
    }

    @Test("Where the recipe took weights away, the network before that is the one that replays")
    func pruned() async throws {
        // Half of what is packed: a dense bias that takes a third of every forecast away.
        let one = try await OneStore(prepare: { family in
            family.silence()
            family.variants[0].recipe = "lstm3 | prune 50%"
            family.variants[0].uncompressed = family.variants[0].parameters
            family.variants[0].parameters.denseBias = -0.4
        })
        var till = try await one.join("d1")
        try await Self.threeDays(one, by: &till) { $0 * Float(exp(-0.4)) }
        try await one.replayAll()
        let cost = try await one.sums().compression
        #expect(abs(cost.uncompressedErrorSum - 25) < 1e-4 && cost.count == 6)

        // A family from before that was kept.
        let old = try await OneStore(prepare: { family in
            family.silence()
            family.variants[0].recipe = "lstm3 | prune 50%"
        })
        till = try await old.join("d1")
        try await Self.threeDays(old, by: &till) { $0 }
        try await old.replayAll()
        let sums = try await old.sums()
        #expect(sums.compression.networkGone == 6 && sums.compression.count == 0)
        #expect(sums.compression.costPoints == nil && sums.unreplayed == 0)
    }

    @Test("What cannot be replayed is counted by why: no family, another package, other inputs")
    func impossible() async throws {
        let none = try await OneStore(prepare: { $0.silence() }, save: { _ in nil })
        var till = try await none.join("d1")
        try await Self.threeDays(none, by: &till) { $0 }
        try await none.replayAll()
        #expect(try await none.sums().compression.networkGone == 6)

        let one = try await OneStore(prepare: { $0.silence() })
        till = try await one.join("d1")
        let days = try await one.days()
        let day = OneStore.day(0)
        func record(_ item: Int, _ change: (inout DeviceForecast) -> Void) -> UploadRecord {
            let whole = one.forecast(OneStore.items[item], on: day, level: 9, units: 9, days)
            guard case .forecast(var forecast) = whole else { return whole }
            change(&forecast)
            return .forecast(forecast)
        }
        try await one.upload(
            [
                record(0) { $0.release = 77 }, record(1) { $0.inputsDigest ^= 4 },
                record(2) { $0.inputsDigest = 0 }, .close(day: day, closedAllDay: false),
            ], by: &till)
        try await one.replayAll()
        let sums = try await one.sums()
        #expect(sums.accuracy.count == 3 && sums.unreplayed == 0)
        #expect(sums.compression.networkGone == 1 && sums.compression.inputsUnknown == 2)
    }

    @Test("A turn ends after a day, however many forecasts wait, and the last finds nothing")
    func turns() async throws {
        let one = try await OneStore(prepare: { $0.silence() })
        var till = try await one.join("d1")
        try await Self.threeDays(one, by: &till) { $0 }
        let replay = one.replay
        for _ in 0..<3 { #expect(try await replay.turn(forecastsMax: 1) == .done(forecasts: 2)) }
        #expect(try await replay.turn(forecastsMax: 1) == .nothing)
    }

    @Test("What came in meanwhile is not overwritten by what was replayed before it")
    func meanwhile() async throws {
        let one = try await OneStore(prepare: { $0.silence() })
        var till = try await one.join("d1")
        try await Self.threeDays(one, by: &till) { $0 }
        let waiting = try #require(try await one.hub.waitingForecasts(countMax: 100))
        try await one.upload(
            [.sale(day: OneStore.day(0), item: OneStore.items[0], units: 3)], by: &till)
        let all = waiting.forecasts.map {
            ReplayedForecast(
                device: $0.device, item: $0.forecast.item, day: $0.forecast.day,
                uncompressed: .units(1))
        }
        #expect(try await one.hub.keepReplayed(all, of: waiting) == false)
        #expect(try await one.sums().unreplayed == 6)
    }

    /// Random numbers that repeat.
    private struct Dice {
        var state: UInt64

        mutating func roll(_ range: Range<Int>) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return range.lowerBound + Int((state >> 33) % UInt64(range.count))
        }
    }

    @Test("A device that is approved or revoked has those days alone replayed that it changes")
    func devices() async throws {
        let one = try await OneStore(prepare: { $0.silence() })
        var tills = [try await one.join("d1"), try await one.join("d2")]
        let days = 30
        for offset in 0..<days {
            let day = OneStore.day(offset)
            let known = try await one.days()
            // The second falls silent for the last three days.
            for index in tills.indices where index == 0 || offset < days - 3 {
                var records = OneStore.items.indices.map { item in
                    UploadRecord.sale(
                        day: day, item: OneStore.items[item], units: OneStore.sold(item, offset))
                }
                records += OneStore.items.map {
                    one.forecast($0, on: day, level: 9, units: 9, known)
                }
                try await one.upload(
                    records + [.close(day: day, closedAllDay: false)], by: &tills[index])
            }
        }
        try await one.replayAll()
        let before = try await one.tables()
        // One that has said nothing yet.
        let third = try await one.join("d3", approves: false)
        let all = try await one.hub.setStatus(.approved, of: third.id, at: OneStore.now)
        #expect(all?.status == .approved)
        #expect(try await one.hub.waitingForecasts(countMax: 1) == nil)
        #expect(try await one.tables() == before)
        // The last three days are final without the second.
        _ = try await one.hub.setStatus(.revoked, of: tills[1].id, at: OneStore.now)
        var waiting = 0
        var earliest = BusinessDay(daysSince1970: 84_005)
        let replay = one.replay
        while let found = try await one.hub.waitingForecasts(countMax: 10_000) {
            waiting += found.forecasts.count
            earliest = min(earliest, found.forecasts.map(\.forecast.day).min() ?? earliest)
            guard try await replay.turn() != .nothing else { break }
        }
        #expect(waiting == 3 * OneStore.items.count)
        #expect(earliest == OneStore.day(days - 3))
        let kept = try await one.tables()
        _ = try await one.hub.rebuildReport()
        try await one.replayAll()
        #expect(try await one.tables() == kept)
    }

    @Test(
        "After any history, turn by turn, the sums are those of a rebuild, to the last bit",
        arguments: [UInt64(1), 2, 3])
    func rebuilt(seed: UInt64) async throws {
        let one = try await OneStore(prepare: { $0.speakUp() })
        var dice = Dice(state: seed)
        var tills = [try await one.join("d1"), try await one.join("d2")]
        let replay = one.replay
        for offset in 0..<80 {
            let day = OneStore.day(offset)
            for till in tills.indices where dice.roll(0..<8) > 0 {
                let days = try await one.days()
                var records: [UploadRecord] = []
                for item in OneStore.items where dice.roll(0..<9) > 0 {
                    records.append(.sale(day: day, item: item, units: Int32(dice.roll(1..<30))))
                    let followed = try #require(
                        one.engine.level(of: item, before: day, days: days))
                    let isBrief = dice.roll(0..<2) == 0
                    let level = isBrief ? followed : Float(dice.roll(10..<200)) / 10
                    records.append(
                        one.forecast(
                            item, on: day, level: level, units: Float(dice.roll(1..<30)), days,
                            isBrief: isBrief))
                }
                records.append(.close(day: day, closedAllDay: false))
                // Somebody finds a receipt of last week, or of two months ago.
                if dice.roll(0..<10) == 0 {
                    let late = max(0, offset - dice.roll(1..<(dice.roll(0..<3) == 0 ? 75 : 9)))
                    records.append(
                        .sale(day: OneStore.day(late), item: OneStore.items[1], units: 2))
                }
                try await one.upload(records, by: &tills[till])
            }
            if dice.roll(0..<3) == 0 { _ = try await replay.turn(forecastsMax: dice.roll(1..<40)) }
            if offset == 60 {
                _ = try await one.hub.setStatus(.revoked, of: tills[1].id, at: OneStore.now)
                tills.removeLast()
            }
            guard offset % 26 == 25 else { continue }
            try await one.replayAll()
            let kept = try await one.tables()
            _ = try await one.hub.rebuildReport()
            #expect(try await one.sums().compression.count == 0)
            try await one.replayAll()
            #expect(try await one.tables() == kept, "seed \(seed), day \(offset)")
        }
        let cost = try await one.sums().compression
        #expect(cost.count > 50 && cost.inputsUnknown > 0, "\(cost)")
    }
}
