import Forecasting
import HTTPTypes
import HubCore
import Hummingbird

/// How a list is sorted, as its address says.
struct ReportSorting: Sendable {
    var key: String
    var isDescending: Bool
    var path: Link
    /// Of the query, kept by the headings' links.
    var kept: [(String, String)]

    init(_ query: FormFields, path: Link, kept: [(String, String)], standard: String = "name") {
        key = query["sort"] ?? standard
        isDescending = query["order"] == "desc"
        self.path = path
        self.kept = kept + (query["q"].map { [("q", $0)] } ?? [])
    }

    var ofTable: PageTable.Sorting {
        PageTable.Sorting(key: key, isDescending: isDescending, path: path, kept: kept)
    }

    /// By a figure; what is not known comes last either way. Rows that are alike keep their order.
    func sorted<Row>(_ rows: [Row], by value: (Row) -> Double?) -> [Row] {
        rows.enumerated().sorted { a, b in
            switch (value(a.element), value(b.element)) {
            case (let x?, let y?) where x != y: isDescending ? x > y : x < y
            case (.some, nil): true
            case (nil, .some): false
            default: a.offset < b.offset
            }
        }.map(\.element)
    }
}

/// Rows of a report, sorted by any of their figures.
struct ReportList {
    /// A column beside those of every report.
    struct More {
        var heading: String
        var meaning: String
        var key: String
        var decimals: Int
        var value: (ReportText.Row) -> Double?

        init(
            _ heading: String, meaning: String, key: String, decimals: Int = 1,
            value: @escaping (ReportText.Row) -> Double?
        ) {
            self.heading = heading
            self.meaning = meaning
            self.key = key
            self.decimals = decimals
            self.value = value
        }
    }

    /// In the order of their names.
    var rows: [ReportText.Row]
    var heading: String
    var sorting: ReportSorting
    var more: [More] = []

    private func sorted() -> [ReportText.Row] {
        if sorting.key == "name" { return sorting.isDescending ? rows.reversed() : rows }
        if let column = ReportText.shown.first(where: { $0.key == sorting.key }) {
            return sorting.sorted(rows) { $0.line.flatMap(column.value) }
        }
        if let column = more.first(where: { $0.key == sorting.key }) {
            return sorting.sorted(rows, by: column.value)
        }
        return rows
    }

    /// - Parameter name: of a row, as a link.
    func table(name: (ReportText.Row) -> Markup) -> PageTable {
        var table = PageTable(
            heading,
            columns: ReportMarkup.columns(first: heading)
                + more.map {
                    PageTable.Column($0.heading, meaning: $0.meaning, sortKey: $0.key)
                })
        table.sorting = sorting.ofTable
        for row in sorted() {
            table.add(
                [PageTable.Cell(name(row))] + ReportMarkup.cells(row.line)
                    + more.map {
                        PageTable.Cell(Figure.fixed($0.value(row), decimals: $0.decimals))
                    })
        }
        return table
    }
}
