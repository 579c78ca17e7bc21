import Foundation

/// The test's own arithmetic over the CSV: shares no code with the programs it checks.
struct Ledger {
    struct Cell: Hashable {
        var day: String
        var store: String
        var item: String
    }

    var sales: [Cell: Int] = [:]
    private(set) var days: [String] = []

    init(csv: String) {
        for line in csv.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: ",").map(String.init)
            sales[Cell(day: fields[0], store: fields[1], item: fields[2])] = Int(fields[3])!
        }
        days = Set(sales.keys.map(\.day)).sorted()
    }

    var stores: [String] { Set(sales.keys.map(\.store)).sorted() }
    var items: [String] { Set(sales.keys.map(\.item)).sorted() }

    func csv(days: some Sequence<String>) -> String {
        let wanted = Set(days)
        return "date,store,item,sales\n"
            + sales.filter { wanted.contains($0.key.day) }
            .map { "\($0.key.day),\($0.key.store),\($0.key.item),\($0.value)\n" }.sorted().joined()
    }

    /// The day `distance` days from `day`.
    static func day(_ day: String, plus distance: Int) -> String {
        let seconds = Self.formatter.date(from: day)!.addingTimeInterval(Double(distance) * 86_400)
        return Self.formatter.string(from: seconds)
    }

    private static let formatter: DateFormatter = {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "yyyy-MM-dd"
        return formatter
    }()
}

/// A forecast a device gave for a day, as the device printed it.
struct Promise {
    var device: String
    var cell: Ledger.Cell
    var units: Double
}

/// The report's figures, from their definitions.
struct Figures {
    var wape: Double
    var bias: Double
    var mape: Double
    var excludedZeros: Int
    var valueAdded: Double
    var forecasts: Int

    init(_ promises: [Promise], ledger: Ledger) {
        var error = 0.0
        var signed = 0.0
        var total = 0.0
        var percent = 0.0
        var naiveError = 0.0
        var naiveTotal = 0.0
        var own = 0.0
        var nonzero = 0
        excludedZeros = 0
        for promise in promises {
            let actual = Double(ledger.sales[promise.cell] ?? 0)
            error += abs(promise.units - actual)
            signed += promise.units - actual
            total += actual
            if actual > 0 {
                percent += abs(promise.units - actual) / actual
                nonzero += 1
            } else {
                excludedZeros += 1
            }
            var weekBefore = promise.cell
            weekBefore.day = Ledger.day(promise.cell.day, plus: -7)
            if let naive = ledger.sales[weekBefore] {
                naiveError += abs(Double(naive) - actual)
                own += abs(promise.units - actual)
                naiveTotal += actual
            }
        }
        wape = error / total * 100
        bias = signed / total * 100
        mape = percent / Double(nonzero) * 100
        valueAdded = (1 - (own / naiveTotal) / (naiveError / naiveTotal)) * 100
        forecasts = promises.count
    }
}
