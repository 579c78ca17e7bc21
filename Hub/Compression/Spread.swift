/// Mean and standard deviation over seeds.
package struct Spread: Equatable, Codable, Sendable {
    package var mean: Double
    /// Of the sample (n − 1); 0 for one value.
    package var deviation: Double

    /// - Precondition: at least one value.
    package init(_ values: [Double]) {
        precondition(!values.isEmpty)
        let mean = values.reduce(0, +) / Double(values.count)
        self.mean = mean
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    }
}
