import Foundation

/// Importing 913,000 generated rows (50 items, 10 stores, 5 years) with the hub as it ships: a process of its own,
/// into a new database, measured from its start to its end.
enum ImportGroup {
    private static let hub = ".build/release/shelfcast-hub"
    private static let runs = 3

    static func run(_ report: inout BenchReport) throws {
        guard FileManager.default.isExecutableFile(atPath: hub) else {
            report.skip("import", because: "there is no \(hub): make hub")
            return
        }
        let directory = try Program.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: directory) }  // only a leftover
        for order in [Order.bySeries, .byDate] {
            let file = "\(directory)/\(order).csv"
            try write(order, to: file)
            var seconds: [Double] = []
            var peak = 0.0
            for number in 1...runs {
                let data = "\(directory)/\(order)-\(number)"
                _ = try Program.run(hub, ["init", "--data", data])
                let measured = try Program.run(hub, ["sales", "import", file, "--data", data])
                seconds.append(measured.seconds)
                peak = max(peak, measured.peakMegabytes)
            }
            let median = seconds.sorted()[runs / 2]
            switch order {
            case .bySeries:
                report.add("import.rows913k.seconds", median, "s")
                report.add("import.peakMB", peak, "MB")
            case .byDate:
                report.add("import.rows913kByDate.seconds", median, "s")
                report.add("import.byDate.peakMB", peak, "MB")
            }
        }
    }

    /// As the well-known file is sorted, and as a till's nightly export would be.
    private enum Order { case bySeries, byDate }

    private static func write(_ order: Order, to path: String) throws {
        let calendar = Calendar(identifier: .iso8601)
        let first = DateComponents(calendar: calendar, timeZone: .gmt, year: 2013).date!
        let format = Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day()
        let dates = (0..<1826).map {
            first.addingTimeInterval(Double($0) * 86_400).formatted(format)
        }
        var state: UInt64 = 1
        func row(_ date: Int, _ store: Int, _ item: Int) -> String {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return "\(dates[date]),\(store),\(item),\((state >> 33) % 200)\n"
        }
        var text = "date,store,item,sales\n"
        text.reserveCapacity(22_000_000)
        switch order {
        case .bySeries:
            for item in 1...50 {
                for store in 1...10 {
                    for date in dates.indices { text += row(date, store, item) }
                }
            }
        case .byDate:
            for date in dates.indices {
                for store in 1...10 { for item in 1...50 { text += row(date, store, item) } }
            }
        }
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }
}
