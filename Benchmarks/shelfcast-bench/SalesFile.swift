import CZlib
import Forecasting
import Foundation
import Training

/// Why the reference data cannot be used.
struct SalesFileError: Error {
    var message: String
}

/// Reads the reference files: gzip or plain text, header `date,store,item,sales`, no quotes.
enum SalesFile {
    static func read(_ path: String) throws -> [TrainingSeries] {
        var days: [Key: [BusinessDay: Int32]] = [:]
        var isHeader = true
        for line in try unpacked(path).split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            if isHeader {
                isHeader = false
                continue
            }
            guard fields.count == 4, let day = BusinessDay(iso8601: fields[0]),
                let units = Int32(String(decoding: fields[3], as: UTF8.self))
            else { throw SalesFileError(message: "not a sales row in \(path)") }
            let key = Key(
                store: try StoreID(utf8: fields[1]), item: try ItemID(utf8: fields[2]))
            days[key, default: [:]][day] = units
        }
        return days.sorted { ($0.key.store, $0.key.item) < ($1.key.store, $1.key.item) }
            .map { key, units in
                let (first, last) = (units.keys.min()!, units.keys.max()!)
                return TrainingSeries(
                    store: key.store, item: key.item, firstDay: first,
                    days: (0...last - first).map {
                        DemandDay(units: units[first.advanced(by: $0)])
                    })
            }
    }

    private struct Key: Hashable {
        var store: StoreID
        var item: ItemID
    }

    private static func unpacked(_ path: String) throws -> [UInt8] {
        guard let file = gzopen(path, "rb") else {
            throw SalesFileError(message: "cannot open \(path)")
        }
        defer { gzclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = gzread(file, &buffer, UInt32(buffer.count))
            guard count >= 0 else { throw SalesFileError(message: "damaged: \(path)") }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: buffer[..<Int(count)])
        }
    }
}
