import Crypto
import Forecasting
import HubCore
import HubStore
import HubSync
import Training

/// The sales a family learns from, with a digest that says whether they are still the same. Days that the calendar calls
/// closed, and stock-outs, are not known in them.
struct SalesSnapshot {
    var series: [TrainingSeries] = []
    /// SHA-256 over stores, items, first days and days, in hexadecimal.
    private(set) var digest = ""
    private let sources: SalesSources
    private var closedDays = 0
    private var outOfStockDays = 0

    /// - Parameter last: nil for everything there is.
    init(_ store: some HubStore, through last: BusinessDay?) async throws {
        var hash = SHA256()
        sources = try await store.salesSources(through: last)
        let calendar = try await store.calendar(kind: nil, store: nil, from: nil, through: last)
        for record in try await store.stores() {
            let calendar = StoreCalendar(calendar, store: record.id)
            for var history in try await store.histories(store: record.id, through: last) {
                exclude(calendar, from: &history)
                Self.add(history, to: &hash)
                series.append(
                    TrainingSeries(
                        store: history.store, item: history.item, firstDay: history.firstDay,
                        days: history.days))
            }
        }
        digest = hexadecimal(hash.finalize())
    }

    private mutating func exclude(_ calendar: StoreCalendar, from history: inout SeriesHistory) {
        for index in history.days.indices where !calendar.isEmpty {
            let before = history.days[index]
            let day = calendar.demand(
                before, of: history.item, on: history.firstDay.advanced(by: index))
            history.days[index] = day
            if before.units != nil, day.units == nil, day.isOpen { outOfStockDays += 1 }
        }
        closedDays += history.days.count { !$0.isOpen }
    }

    /// What it is, for the lineage of what learns from it; nil: there are no sales.
    var data: TrainingData? {
        guard let first = series.map(\.firstDay).min(),
            let end = series.map({ $0.firstDay.advanced(by: $0.days.count) }).max()
        else { return nil }
        return TrainingData(
            digest: digest, firstDay: first, lastDay: end.advanced(by: -1), stores: storeCount,
            series: series.count, seriesDays: dayCount, importedTotals: sources.imported,
            uploadedTotals: sources.uploaded, closedDays: closedDays,
            outOfStockDays: outOfStockDays)
    }

    /// - Returns: nil: there are no sales.
    func lineage(
        _ origin: Lineage.Origin, _ family: TrainedFamily, at now: Timestamp,
        parent: String? = nil, fileDigest: String? = nil
    ) -> Lineage? {
        data.map { data in
            Lineage(
                origin: origin, data: data,
                networks: family.variants.map {
                    Lineage.Network(
                        variant: $0.name, recipe: $0.recipe, seed: family.seed, origin: origin,
                        madeAt: now)
                }, parent: parent, fileDigest: fileDigest)
        }
    }

    /// Sales straight from a file, for what needs no hub: read as `sales import --strict` reads them.
    init(file: String) async throws {
        let store = try SQLiteHubStore.inMemory()
        do {
            let source = try SalesFile(path: file)
            _ = try await store.importCSV(isStrict: true, through: .latest) {
                try source.nextChunk()
            }
        } catch CSVImportError.badRows(let count, let first) {
            throw CommandFailure(
                .refused,
                "\(file): \(count) bad rows, the first: \(first.first.map { "\($0)" } ?? "")")
        } catch let error as SalesCSVError {
            throw CommandFailure(.refused, "\(file): \(error)")
        } catch let error as SalesFileError {
            throw CommandFailure(.refused, "\(error)")
        }
        try await self.init(store, through: nil)
        guard !series.isEmpty else { throw CommandFailure(.refused, "\(file) holds no sales") }
    }

    private static func add(_ history: SeriesHistory, to hash: inout SHA256) {
        hash.update(data: Array("\(history.store.text) \(history.item.text) ".utf8))
        hash.update(data: Array("\(history.firstDay.iso8601) \(history.days.count)\n".utf8))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(history.days.count * 5)
        for day in history.days {
            // Marks are 4 and 8.
            bytes.append((day.isOpen ? 1 : 0) | day.marks.rawValue)
            withUnsafeBytes(of: (day.units ?? -1).littleEndian) { bytes.append(contentsOf: $0) }
        }
        hash.update(data: bytes)
    }

    var dayCount: Int { series.reduce(0) { $0 + $1.days.count } }
    var storeCount: Int { Set(series.map(\.store)).count }
}
