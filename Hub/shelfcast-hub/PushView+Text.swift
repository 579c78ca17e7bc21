import Forecasting
import HubCore

/// What it costs on the wire, and what it should do to the error.
extension PushView {
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
