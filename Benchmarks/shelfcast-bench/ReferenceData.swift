import Forecasting
import Foundation
import Training

/// The reference sales data: not part of the project, found through SALES_DATA.
enum ReferenceData: String {
    /// 5 stores × 10 items, smooth demand, 2013–2017.
    case simulated = "store-item-demand-5x10.csv.gz"
    /// 3 stores × 28 items, real demand, half of it zeros, 2011–2016.
    case real = "walmart-3x28.csv.gz"

    private var path: String {
        let folder = ProcessInfo.processInfo.environment["SALES_DATA"] ?? "../shared/data"
        return "\(folder)/\(rawValue)"
    }

    /// Nil, having said so, when the file is not there.
    func series(_ report: BenchReport) throws -> [TrainingSeries]? {
        guard FileManager.default.fileExists(atPath: path) else {
            report.skip(rawValue, because: "no file at \(path) (set SALES_DATA)")
            return nil
        }
        return try SalesFile.read(path)
    }

    /// First test day of the published figures.
    var testFrom: BusinessDay {
        switch self {
        case .simulated: BusinessDay(year: 2017, month: 1, day: 1)!
        case .real: BusinessDay(year: 2015, month: 7, day: 1)!
        }
    }
}
