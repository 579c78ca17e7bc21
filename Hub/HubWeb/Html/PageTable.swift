/// A table with a heading for each column, its first cell in a row the row's own heading. Where the screen is too narrow it
/// scrolls sideways within itself, or, stacked, shows each row as a list of its cells.
package struct PageTable: Sendable {
    /// Rows shown; a note says how many there are beyond.
    package static let rowsMax = 500

    package struct Column: Sendable {
        package var heading: String
        /// As a tip on the heading; empty: it says all.
        package var meaning: String
        /// Words stand at the left, figures at the right.
        package var isText: Bool
        /// The figure to look at first.
        package var isMain: Bool
        /// What `?sort=` calls it; nil: the table is not sorted by it.
        package var sortKey: String?

        package init(
            _ heading: String, meaning: String = "", isText: Bool = false, isMain: Bool = false,
            sortKey: String? = nil
        ) {
            self.heading = heading
            self.meaning = meaning
            self.isText = isText
            self.isMain = isMain
            self.sortKey = sortKey
        }
    }

    package struct Cell: Sendable {
        var content: Markup
        /// It says that something is not known.
        var isUnknown: Bool

        package init(_ content: Markup, isUnknown: Bool = false) {
            self.content = content
            self.isUnknown = isUnknown
        }

        package init(_ text: String) {
            self.init(Markup(text: text), isUnknown: text == "n/a")
        }
    }

    /// How a table is sorted, and what the headings' links keep of the address.
    struct Sorting {
        var key: String
        var isDescending: Bool
        var path: Link
        /// Of the query, without sort and order.
        var kept: [(String, String)]
    }

    /// Read to who cannot see it.
    package var label: String
    package var columns: [Column]
    package var rows: [[Cell]]
    /// Rows have long names.
    package var isNamed = false
    /// Rows are more words than figures.
    package var isStacked = false
    /// Of all rows there are; `rows` may be the first of them.
    package var note: Markup?
    var sorting: Sorting?

    package init(_ label: String, columns: [Column], rows: [[Cell]] = []) {
        self.label = label
        self.columns = columns
        self.rows = rows
    }

    /// - Precondition: as many cells as columns.
    package mutating func add(_ cells: [Cell]) {
        precondition(cells.count == columns.count)
        rows.append(cells)
    }

    package var markup: Markup {
        let head = columns.map(heading)
        let body: [Markup] = rows.prefix(Self.rowsMax).map { row in
            let cells = zip(columns, row).enumerated().map { index, cell -> Markup in
                let (column, cell) = cell
                if index == 0 {
                    return "<th scope=\"row\"\(role("rowheader"))>\(cell.content)</th>"
                }
                let label: Markup? = isStacked ? " data-label=\"\(column.heading)\"" : nil
                return
                    "<td\(Self.classes(column, cell))\(label)\(role("cell"))>\(cell.content)</td>"
            }
            return "<tr\(role("row"))>\(cells)</tr>\n"
        }
        let rest: Markup =
            rows.count > Self.rowsMax
            ? "<p class=\"note\">The first \(Self.rowsMax) of \(rows.count).\(note.map { " \($0)" })</p>"
            : .empty
        let kind: Markup =
            isStacked
            ? sorting == nil ? " class=\"stack\"" : " class=\"stack sorted\""
            : isNamed ? " class=\"named\"" : .empty
        return """
            <div class="scroll" tabindex="0" role="region" aria-label="\(label)"><table\(kind)\(role("table"))>
            <thead\(role("rowgroup"))><tr\(role("row"))>\(head)</tr></thead>
            <tbody\(role("rowgroup"))>\(body)</tbody></table></div>\(rest)
            """
    }

    /// A table that is laid out otherwise is none to some readers unless it says so.
    private func role(_ name: String) -> Markup? { isStacked ? " role=\"\(name)\"" : nil }

    private static func classes(_ column: Column, _ cell: Cell?) -> Markup {
        switch (column.isText, column.isMain, cell?.isUnknown ?? false) {
        case (true, _, true): " class=\"t none\""
        case (true, _, false): " class=\"t\""
        case (false, true, false): " class=\"main\""
        case (false, _, true): " class=\"none\""
        case (false, false, false): .empty
        }
    }

    private func heading(_ column: Column) -> Markup {
        let tip: Markup? = column.meaning.isEmpty ? nil : " title=\"\(column.meaning)\""
        let classes = Self.classes(Column("", isText: column.isText), nil)
        guard let sorting, let key = column.sortKey else {
            return """
                <th scope="col"\(classes)\(role("columnheader"))\(tip)>\(column.heading)</th>
                """
        }
        let isSorted = sorting.key == key
        // The first click shows what a person looks for: the worst figures, the first names.
        let descends = isSorted ? !sorting.isDescending : !column.isText
        let query = sorting.kept + [("sort", key), ("order", descends ? "desc" : "asc")]
        let address = sorting.path.with(query)
        let order: Markup? =
            !isSorted
            ? nil
            : sorting.isDescending ? " aria-sort=\"descending\"" : " aria-sort=\"ascending\""
        let mark: Markup =
            !isSorted
            ? .empty
            : sorting.isDescending
                ? " <span aria-hidden=\"true\">↓</span>" : " <span aria-hidden=\"true\">↑</span>"
        return """
            <th scope="col"\(classes)\(role("columnheader"))\(order)\(tip)><a href="\(address.text)">\(column.heading)\(mark)</a></th>
            """
    }
}
