import Foundation
import TestSupport
import Testing

/// Power cuts, as `kill -9` gives them: no handler runs, nothing is flushed.
@Suite struct PowerCutTests {
    static let kills = 50
    /// A bound, should the machine be too slow for the kills to come to an end.
    static let daysMax = 900

    @Test(
        "Fifty power cuts of hub and devices in the middle of a replay neither lose nor double a sale"
    )
    func powerCuts() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let hub = try HubUnderTest()
        try hub.serve()
        let devices = try ["1", "1", "2"].map { try DeviceUnderTest(.embedded, store: $0) }
        for device in devices { try device.join(try hub.token(store: device.store)) }

        var running: [ChildProcess] = []
        for device in devices { running.append(try device.run()) }
        let tills = devices.enumerated().map { Till(device: $1, number: $0) }
        let group = DispatchGroup()
        for till in tills {
            DispatchQueue.global().async(group: group) { till.sell() }
        }
        for _ in 0..<Self.kills {
            usleep(UInt32.random(in: 1_000...150_000, using: &random))
            let victim = Int.random(in: 0...devices.count, using: &random)
            if victim == devices.count {
                hub.kill()
                usleep(UInt32.random(in: 0...50_000, using: &random))
                try hub.serve()
            } else {
                running[victim].kill()
                running[victim].wait()
                usleep(UInt32.random(in: 0...50_000, using: &random))
                running[victim] = try devices[victim].run()
            }
        }
        for till in tills { till.finish() }
        group.wait()

        for (till, device) in zip(tills, devices) {
            #expect(till.failure == nil, "seed \(seed): \(till.failure ?? "")")
            #expect(till.daysSold < Self.daysMax, "the replay was over before the last power cut")
            try device.command(["sync"])
            #expect(try device.status()["unsent"].number == 0, "seed \(seed)")
        }
        var fed: [Ledger.Cell: Int] = [:]
        for till in tills { fed.merge(till.sold) { $0 + $1 } }
        #expect(fed.values.reduce(0, +) > 1_000, "the replay was too short to mean anything")
        let ledger = Ledger(csv: try hub.command("sales", "export", "--out", "-"))
        #expect(ledger.sales.filter { $0.value > 0 } == fed, "seed \(seed)")
    }
}

/// Sells day after day until told to stop; says every sale again until it is acknowledged.
private final class Till: @unchecked Sendable {
    let device: DeviceUnderTest
    let number: Int
    private let lock = NSLock()
    private var isFinishing = false
    private(set) var sold: [Ledger.Cell: Int] = [:]
    private(set) var daysSold = 0
    private(set) var failure: String?

    init(device: DeviceUnderTest, number: Int) {
        self.device = device
        self.number = number
    }

    func finish() { lock.withLock { isFinishing = true } }

    func sell() {
        for index in 0..<PowerCutTests.daysMax where !lock.withLock({ isFinishing }) {
            let day = Ledger.day("2024-01-01", plus: index)
            var csv = "day,item,units,ref\n"
            for sale in 0..<20 {
                let units = 1 + (index + sale * 7 + number) % 5
                csv += "\(day),item-\(sale % 6),\(units),\(number)/\(sale)\n"
                sold[.init(day: day, store: device.store, item: "item-\(sale % 6)"), default: 0] +=
                    units
            }
            daysSold += 1
            guard untilAcknowledged(["sale", "--csv"], csv),
                untilAcknowledged(["close-day", day], nil)
            else {
                return
            }
        }
    }

    private func untilAcknowledged(_ command: [String], _ input: String?) -> Bool {
        var last = ""
        for _ in 0..<500 {
            do {
                let outcome = try device.command(command, input: input, expecting: nil)
                if outcome.status == 0 { return true }
                last = "status \(outcome.status): \(outcome.errors)"
            } catch {
                last = "\(error)"
            }
            usleep(10_000)
        }
        failure = "\(command) was never acknowledged: \(last)"
        return false
    }
}
