import CZlib
import Forecasting
import Foundation
import HubCore
import Testing
import Training

/// The simulated sales of the benchmarks, smooth and without zeros: not part of the project, found through SALES_DATA.
enum ReferenceSales {
    static let testFrom = BusinessDay(year: 2017, month: 1, day: 1)!

    static let path: String? = {
        let folder = ProcessInfo.processInfo.environment["SALES_DATA"] ?? "../shared/data"
        let path = "\(folder)/store-item-demand-5x10.csv.gz"
        return FileManager.default.isReadableFile(atPath: path) ? path : nil
    }()

    static let missing: Comment =
        "no reference data: name the folder of store-item-demand-5x10.csv.gz in SALES_DATA"

    static func series() throws -> [TrainingSeries] {
        var reader = SalesCSVReader()
        let path = try #require(path)
        let file = try #require(gzopen(path, "rb"))
        defer { gzclose(file) }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = gzread(file, &chunk, UInt32(chunk.count))
            try #require(count >= 0, "damaged")
            guard count > 0 else { break }
            try chunk.withUnsafeBufferPointer {
                try reader.read(UnsafeBufferPointer(rebasing: $0[..<Int(count)]))
            }
        }
        try reader.finish()
        try #require(reader.badRowCount == 0)
        var days = [[(day: Int32, units: Int32)]](repeating: [], count: reader.series.count)
        reader.takeRows { rows in
            for row in rows { days[Int(row.series)].append((row.daysSince1970, row.units)) }
        }
        return try zip(reader.series, days).map { name, days in
            let days = days.sorted { $0.day < $1.day }
            let first = try #require(days.first).day
            // Without gaps.
            for (offset, day) in days.enumerated() { try #require(Int(day.day - first) == offset) }
            return TrainingSeries(
                store: name.store, item: name.item, firstDay: BusinessDay(daysSince1970: first),
                days: days.map { DemandDay(units: $0.units) })
        }
    }
}
