import Crypto
import Forecasting
import HubCore
import HubStore
import HubSync
import Training

/// The sales a family learns from, with a digest that says whether they are still the same.
struct SalesSnapshot {
    var series: [TrainingSeries] = []
    /// SHA-256 over stores, items, first days and days, in hexadecimal.
    var digest: String

    /// - Parameter last: nil for everything there is.
    init(_ store: some HubStore, through last: BusinessDay?) async throws {
        var hash = SHA256()
        for record in try await store.stores() {
            for history in try await store.histories(store: record.id, through: last) {
                Self.add(history, to: &hash)
                series.append(
                    TrainingSeries(
                        store: history.store, item: history.item, firstDay: history.firstDay,
                        days: history.days))
            }
        }
        digest = hexadecimal(hash.finalize())
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
            bytes.append(day.isOpen ? 1 : 0)
            withUnsafeBytes(of: (day.units ?? -1).littleEndian) { bytes.append(contentsOf: $0) }
        }
        hash.update(data: bytes)
    }

    var dayCount: Int { series.reduce(0) { $0 + $1.days.count } }
    var storeCount: Int { Set(series.map(\.store)).count }
}
