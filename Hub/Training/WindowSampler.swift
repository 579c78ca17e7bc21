import Forecasting

/// One training example: the day to forecast.
struct Sample {
    var cell: UInt32
    var entry: UInt32
}

/// Gathers windows from a panel straight into the matrices of a `BatchedNetwork`: the same numbers, bit for
/// bit, as `FeatureWindow` writes.
struct WindowSampler: Sendable {
    let panel: SeriesPanel
    let spec: FeatureSpec
    /// Columns that depend on the date alone, `[days, columns]`; `context[d]` describes day `d` after
    /// `contextStart`.
    private let context: [Float]
    private let contextColumns: Int
    private let contextStart: BusinessDay

    init(panel: SeriesPanel, spec: FeatureSpec) {
        self.panel = panel
        self.spec = spec
        var dated = spec
        dated.inputs.subtract([.levelLogarithm, .persistence, .planned])
        contextColumns = dated.inputs.columns
        let start = panel.days.lowerBound.advanced(by: -panel.padding)
        contextStart = start
        var table: [Float] = []
        if contextColumns > 0 {
            // One row of a window of one day that ends the day before is what the day looks like.
            dated.window = 1
            var row = [Float](repeating: 0, count: dated.windowValues)
            for d in 0...panel.days.upperBound - start {
                let window = FeatureWindow(
                    spec: dated, state: SeriesState(level: 1), profile: .flat,
                    target: start.advanced(by: d))
                var span = row.mutableSpan
                window.write([DemandDay.unknown].span, into: &span)
                table.append(contentsOf: row[1...])
            }
        }
        context = table
    }

    /// Writes one window as column `column` of a network's inputs.
    func gather(_ sample: Sample, column: Int, into network: BatchedNetwork) {
        let entry = panel.entries[Int(sample.entry)]
        let target = Int(sample.cell)
        let (B, T, stride) = (network.columns, spec.window, network.inputStride)
        let inputs = network.inputs + column
        let level = panel.level[target]
        let (low, high) = (FeatureSpec.demandRange.lowerBound, FeatureSpec.demandRange.upperBound)
        let isZScore = spec.output == .zScore
        for t in 0..<T {
            let units = panel.deseasonalised[target - T + t]
            let value = isZScore ? (units - level) / entry.scale : units / level - 1
            // Unknown is NaN, and only NaN differs from itself.
            inputs[t * B] = value != value ? 0 : min(max(value, low), high)
        }
        guard spec.inputWidth > 1 else { return }
        let firstDescribed = panel.day(target - T + 1, of: entry) - contextStart
        for i in 0..<contextColumns {
            let row = inputs + (1 + i) * stride
            for t in 0..<T { row[t * B] = context[(firstDescribed + t) * contextColumns + i] }
        }
        var column = 1 + contextColumns
        func nextRow() -> UnsafeMutablePointer<Float> {
            defer { column += 1 }
            return inputs + column * stride
        }
        if spec.inputs.contains(.levelLogarithm) {
            let row = nextRow()
            let value = 0.25 * naturalLogarithm(level)
            for t in 0..<T { row[t * B] = value }
        }
        if spec.inputs.contains(.persistence) {
            let row = nextRow()
            for t in 0..<T { row[t * B] = entry.persistence }
        }
        for (input, mark) in [(FeatureInputs.holiday, DayMarks.holiday), (.promotion, .promotion)]
        where spec.inputs.contains(input) {
            let row = nextRow()
            for t in 0..<T { row[t * B] = panel.marks[target - T + 1 + t].contains(mark) ? 1 : 0 }
        }
    }

    /// What the network's output means in units, as `FeatureWindow.units` says.
    func units(_ sample: Sample, networkOutput y: Float) -> Float {
        let entry = panel.entries[Int(sample.entry)]
        let cell = Int(sample.cell)
        return spec.units(
            networkOutput: y, state: SeriesState(level: panel.level[cell], scale: entry.scale),
            factor: panel.factor[cell])
    }

    /// Every day within `range` whose demand was observed, and expected, and before which a window of days is at hand.
    func trainingSamples(within range: Range<BusinessDay>) -> [Sample] {
        var samples: [Sample] = []
        for (index, entry) in panel.entries.enumerated() {
            for cell in panel.cells(entry, within: range)
            where cell - entry.base >= panel.padding + spec.window
                && !panel.deseasonalised[cell].isNaN
            {
                samples.append(Sample(cell: UInt32(cell), entry: UInt32(index)))
            }
        }
        return samples
    }

    /// Every day within `range` whose units are recorded, closed days included: what counts in the end.
    func evaluationSamples(within range: Range<BusinessDay>) -> [Sample] {
        var samples: [Sample] = []
        for (index, entry) in panel.entries.enumerated() {
            for cell in panel.cells(entry, within: range) where !panel.recorded[cell].isNaN {
                samples.append(Sample(cell: UInt32(cell), entry: UInt32(index)))
            }
        }
        return samples
    }
}
