import Forecasting
import HubCore

/// What a push comes to: who gets what in which wave, what that costs on the wire, and what it should do to the error.
struct PushView {
    struct Line {
        var device: DeviceRecord
        /// From 0 up; nil: not drawn, it comes with the wave that is open then.
        var wave: Int?
        /// nil: nothing fits.
        var package: PackageRecord?
        /// What runs there now, as far as the hub knows it.
        var running: PackageRecord?
        var reason: String
    }

    let lines: [Line]

    /// - Parameter all: packages of every family, for what runs now.
    init(
        rollout: RolloutRecord, plan: RolloutPlan, devices: [DeviceRecord],
        packages: [PackageRecord], all: [PackageRecord]
    ) {
        var waves: [DeviceID: Int] = [:]
        for (wave, drawn) in plan.waves.enumerated() { for id in drawn { waves[id] = wave } }
        let known = Dictionary(all.map { ($0.digest, $0) }, uniquingKeysWith: { first, _ in first })
        let shelf = PackageShelf(packages)
        lines = devices.map { device in
            let choice = VariantChoice.choose(
                family: rollout.family, releaseMax: rollout.release, store: device.store,
                capabilities: device.capabilities, nanosecondsMax: rollout.nanosecondsMax,
                among: shelf.packages(for: device.store))
            var line = Line(
                device: device, wave: waves[device.id],
                running: device.running.flatMap { known[$0.digest] }, reason: choice.reason)
            if case .run(let package, _) = choice { line.package = package }
            return line
        }
    }

    var deviceTable: String {
        let hasWaves = (lines.compactMap(\.wave).max() ?? 0) > 0
        var columns: [(String, TextTable.Alignment)] = [("DEVICE", .left), ("STORE", .left)]
        if hasWaves { columns.append(("WAVE", .right)) }
        columns += [("BUDGET", .right), ("GETS", .left), ("ARENA", .right), ("WHY", .left)]
        var table = TextTable(columns)
        for line in lines {
            var cells = [line.device.id.text, line.device.store.text]
            if hasWaves { cells.append(line.wave.map { "\($0 + 1)" } ?? "late") }
            cells += [
                line.device.capabilities.map { "\($0.modelMemoryBudgetBytes)" } ?? "",
                line.package?.variant ?? (line.device.capabilities == nil ? "later" : "nothing"),
                line.package.map { "\($0.arenaBytes)" } ?? "", line.reason,
            ]
            table.add(cells)
        }
        return table.text
    }

    /// Both errors are of the families' evaluation days: what a trial will show is the store's own.
    var storeTable: String {
        var table = TextTable([
            ("STORE", .left), ("DEVICES", .right), ("GET IT", .right), ("BYTES", .right),
            ("WAPE NOW", .right), ("WAPE THEN", .right),
        ])
        let stores = Dictionary(grouping: lines, by: \.device.store)
        for (store, here) in stores.sorted(by: { $0.key < $1.key }) {
            let fetched = here.filter { $0.package != nil && $0.package != $0.running }
            table.add([
                store.text, "\(here.count)", "\(here.filter { $0.package != nil }.count)",
                "\(fetched.reduce(0) { $0 + ($1.package?.packageBytes ?? 0) })",
                Self.mean(here.compactMap(\.running?.wape)),
                Self.mean(here.compactMap(\.package?.wape)),
            ])
        }
        return table.text
    }

    private static func mean(_ values: [Double]) -> String {
        values.isEmpty ? "" : Figure.percent(values.reduce(0, +) / Double(values.count))
    }
}
