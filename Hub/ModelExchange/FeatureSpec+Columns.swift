import Forecasting

/// The columns of a window by name, as an exported model tells them.
extension FeatureInputs {
    private static let groups: [(inputs: FeatureInputs, name: String, columns: [String])] = [
        (
            .weekday, "weekday",
            ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        ),
        (
            .month, "month",
            [
                "january", "february", "march", "april", "may", "june", "july", "august",
                "september", "october", "november", "december",
            ]
        ),
        (.yearCircle, "year", ["sine", "cosine"]),
        (.monthCircle, "monthday", ["sine", "cosine"]),
        (.levelLogarithm, "level", ["logarithm"]),
        (.persistence, "persistence", ["item"]),
        (.holiday, "holiday", ["day"]),
        (.promotion, "promotion", ["day"]),
    ]

    /// Of the groups it has, in the order of the columns.
    var groupNames: [String] {
        Self.groups.filter { contains($0.inputs) }.map(\.name)
    }

    /// Those after the demand column.
    var columnNames: [String] {
        Self.groups.filter { contains($0.inputs) }.flatMap { group in
            group.columns.map { "\(group.name).\($0)" }
        }
    }

    /// - Returns: nil when a name is not known.
    init?(groupNames: some Sequence<String>) {
        self = []
        for name in groupNames {
            guard let group = Self.groups.first(where: { $0.name == name }) else { return nil }
            insert(group.inputs)
        }
    }
}

extension OutputKind {
    var name: String {
        switch self {
        case .zScore: "zScore"
        case .relative: "relative"
        case .logResidual: "logResidual"
        }
    }

    init?(name: String) {
        guard
            let kind = [OutputKind.zScore, .relative, .logResidual].first(where: { $0.name == name }
            )
        else { return nil }
        self = kind
    }

    /// What the demand column of a day holds.
    var demandFormula: String {
        switch self {
        case .zScore: "(units - level) / scale"
        case .relative: "units / level - 1"
        case .logResidual: "units / (level * season) - 1"
        }
    }

    var unitsFormula: String {
        switch self {
        case .zScore: "level + scale * y"
        case .relative: "level * (1 + y)"
        case .logResidual: "level * season * exp(y)"
        }
    }
}
