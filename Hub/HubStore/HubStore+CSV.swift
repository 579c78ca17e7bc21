package import Forecasting
package import HubCore

/// What became of a file of sales.
package struct CSVImportOutcome: Sendable {
    package var imported: ImportOutcome
    package var badRowCount: Int
    /// The first `SalesCSVReader.badRowsKeptMax` of them.
    package var badRows: [BadRow]
}

/// Why a file changed nothing, beside `SalesCSVError` and `HubStoreError`.
package enum CSVImportError: Error, Sendable {
    /// Strict reading, and the file has bad rows.
    case badRows(count: Int, first: [BadRow])
}

/// Rows that are put in order and written at once: a file sorted by date would else touch every
/// series' pages for every single day.
private let importBatchRows = 1 << 17

extension HubStore {
    /// Imports a CSV file in one transaction, see `SalesCSVReader` for what it may hold.
    ///
    /// - Parameters:
    ///   - isStrict: any bad row refuses the file; else it is left out and counted.
    ///   - lastDay: a row of a later day is bad; nil takes any day.
    ///   - nextChunk: the file's next bytes; nil at its end. What it throws is thrown on, and
    ///     nothing is changed.
    package func importCSV(
        isStrict: Bool, through lastDay: BusinessDay? = nil,
        nextChunk: @escaping @Sendable () throws -> [UInt8]?
    ) async throws -> CSVImportOutcome {
        let report = CSVImportReport()
        let imported = try await importSales { sink in
            var reader = SalesCSVReader(lastDay: lastDay)
            var numbers: [Int32] = []
            var batch: [SalesRow] = []
            func flush() throws {
                for series in reader.series[numbers.count...] {
                    numbers.append(try sink.series(store: series.store, item: series.item))
                }
                reader.takeRows { rows in
                    batch.removeAll(keepingCapacity: true)
                    batch.append(contentsOf: rows)
                    for index in batch.indices {
                        batch[index].series = numbers[Int(batch[index].series)]
                    }
                }
                batch.sort { ($0.series, $0.daysSince1970) < ($1.series, $1.daysSince1970) }
                // Once a strict file has failed, the rest is only read for more to list.
                guard !isStrict || reader.badRowCount == 0 else { return }
                try batch.withUnsafeBufferPointer { try sink.upsert($0) }
            }
            while let chunk = try nextChunk() {
                try chunk.withUnsafeBufferPointer { try reader.read($0) }
                if reader.rows.count >= importBatchRows { try flush() }
            }
            try reader.finish()
            try flush()
            if isStrict, reader.badRowCount > 0 {
                throw CSVImportError.badRows(count: reader.badRowCount, first: reader.badRows)
            }
            report.badRowCount = reader.badRowCount
            report.badRows = reader.badRows
        }
        return CSVImportOutcome(
            imported: imported, badRowCount: report.badRowCount, badRows: report.badRows)
    }
}

/// Carries the reader's findings out of the transaction: written in its closure, read after it has
/// returned, never both at once.
private final class CSVImportReport: @unchecked Sendable {
    var badRowCount = 0
    var badRows: [BadRow] = []
}
