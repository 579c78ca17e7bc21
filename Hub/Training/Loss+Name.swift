extension Loss {
    /// By the words of options and recipes; of the Tweedie losses only Poisson's has one.
    private static let named: [(name: String, loss: Loss)] = [
        ("auto", .automatic), ("square", .meanSquare), ("log", .logarithmicSquare),
        ("mape", .absolutePercentage), ("poisson", .tweedie(power: 1)),
    ]
    package static var names: [String] { named.map(\.name) }

    package init?(name: String) {
        guard let loss = Self.named.first(where: { $0.name == name })?.loss else { return nil }
        self = loss
    }

    package var name: String {
        if let name = Self.named.first(where: { $0.loss == self })?.name { return name }
        guard case .tweedie(let power) = self else {
            preconditionFailure("every other loss has a name")
        }
        return "tweedie-\(power)"
    }
}
