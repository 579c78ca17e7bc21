import Compression
import Forecasting
import Foundation
import TestSupport
import Training

/// A network really trained, on made-up sales of known structure, and the windows it is judged by.
struct TrainedNetwork {
    /// One day to forecast: what the network sees, and what was sold.
    struct Day {
        var values: [Float]
        var window: FeatureWindow
        var units: Int32
    }

    var series: [TrainingSeries]
    var session: TrainingSession
    var family: TrainedFamily
    /// For calibration, `[T, I]` each.
    var windows: [[Float]]
    /// Never trained on.
    var testDays: [Day]

    var parameters: NetworkParameters { family.variants[0].parameters }
    var spec: FeatureSpec { family.spec }

    /// Of whatever forecasts from a window, on the test days.
    func accuracy(_ output: ([Float]) -> Float) -> Accuracy {
        var accuracy = Accuracy()
        for day in testDays {
            accuracy.add(
                actual: Double(day.units),
                forecast: Double(day.window.units(networkOutput: output(day.values))))
        }
        return accuracy
    }

    /// WAPE in percent.
    func wape(_ output: ([Float]) -> Float) -> Double { accuracy(output).wape ?? .nan }

    func wape(_ parameters: NetworkParameters) -> Double {
        wape { parameters.output(window: $0) }
    }

    func wape(_ network: IntegerNetwork) -> Double { accuracy(network).wape ?? .nan }

    func accuracy(_ network: IntegerNetwork) -> Accuracy {
        let counts = ArenaLayout.Counts(
            shape: network.shape, window: spec.window, profiles: 0, starts: 0, identifierBytes: 0)
        let recurrence = IntegerRecurrence(network, in: Arena(ArenaLayout(counts)))
        return accuracy { window in
            recurrence.load(window: window)
            return Float(recurrence.run()) * network.outputScale
        }
    }

    /// The network after a few more epochs under a parametrization.
    func fineTuned(
        _ start: NetworkParameters, _ parametrization: (any WeightParametrization)?,
        epochs: Int = 6, rate: Float = 0.01
    ) throws -> NetworkParameters {
        var request = FitRequest(start: start, plan: session.plan)
        request.parametrization = parametrization
        request.epochs = epochs
        request.learningRate = rate
        return try session.fit(request).parameters
    }

    /// The integer network after a few epochs of training through it.
    func trainedThrough(
        _ quantization: FrozenQuantizer, _ parametrization: (any WeightParametrization)? = nil,
        from start: NetworkParameters, epochs: Int = 8
    ) throws -> FittedNetwork {
        var request = FitRequest(start: start, plan: session.plan)
        request.parametrization = parametrization
        request.quantization = quantization
        request.epochs = epochs
        request.learningRate = 0.01
        return try session.fit(request)
    }

    /// The root mean square of the difference between two networks' outputs on the calibration windows.
    func distance(_ a: NetworkParameters, _ b: NetworkParameters) -> Double {
        let squares = windows.map { window in
            let difference = Double(a.output(window: window) - b.output(window: window))
            return difference * difference
        }
        return (squares.reduce(0, +) / Double(squares.count)).squareRoot()
    }

    /// Calendar form, LSTM-8: 20 columns of which 19 are one-hot.
    static let calendar = Result { try TrainedNetwork(form: .calendar, units: 8) }

    init(form: ModelForm, units: Int, seed: UInt64 = 4) throws {
        var plan = TrainingPlan(
            form: form, units: [units], seed: seed, testFrom: Self.firstDay.advanced(by: 670))
        plan.epochs = 12
        // The network is judged by WAPE: the loss for units, not for shares of them.
        plan.loss = .meanSquare
        try self.init(series: Self.sales(days: 760), plan: plan)
    }

    init(series: [TrainingSeries], plan: TrainingPlan) throws {
        self.series = series
        family = try train(series: series, plan: plan)
        session = try TrainingSession(series: series, plan: plan)
        let replay = session.replay
        let (family, spec) = (family, family.spec)
        func window(_ day: ReplayDay) -> FeatureWindow {
            FeatureWindow(
                spec: spec, state: day.state, profile: family.profiles[day.profile],
                target: day.target)
        }
        func values(_ day: ReplayDay) -> [Float] {
            var values = [Float](repeating: 0, count: spec.windowValues)
            var span = values.mutableSpan
            window(day).write(day.recentDays.span, into: &span)
            return values
        }
        windows = replay.learntDays(atMost: 200).map(values)
        testDays = (0..<replay.seriesCount).flatMap { replay.evaluatedDays(series: $0) }
            .compactMap { day in
                day.recordedUnits.map { Day(values: values(day), window: window(day), units: $0) }
            }
    }

    static let firstDay = BusinessDay(year: 2015, month: 1, day: 1)!

    /// Six items whose sales are level × weekday × season, of which the last week's mean says something more.
    static func sales(days: Int) -> [TrainingSeries] {
        var numbers = SeededGenerator(seed: 23)
        return (1...6).map { item in
            var wave = 0.0
            let demand = (0..<days).map { offset in
                let day = firstDay.advanced(by: offset)
                let season = 1 + 0.3 * sin(Double(day.dayOfYear) / 58)
                let weekday = [0.7, 0.8, 0.9, 1, 1.2, 1.5, 1.1][day.weekday]
                wave = 0.9 * wave + Double.random(in: -0.05...0.05, using: &numbers)
                let noise = Double.random(in: 0.9...1.1, using: &numbers)
                let mean = Double(20 + 12 * item) * season * weekday * (1 + wave)
                return DemandDay(units: Int32((mean * noise).rounded()))
            }
            return TrainingSeries(
                store: try! StoreID("1"), item: try! ItemID("\(item)"), firstDay: firstDay,
                days: demand)
        }
    }
}

extension NetworkParameters {
    /// Weights of the size training gives.
    static func random(_ shape: NetworkShape, seed: UInt64 = 1) -> NetworkParameters {
        var numbers = SeededGenerator(seed: seed)
        let reach = 1.5 / Float(shape.units).squareRoot()
        var parameters = NetworkParameters(
            shape: shape,
            flattened: (0..<shape.parameterCount).map { _ in
                Float.random(in: -reach...reach, using: &numbers)
            })
        parameters.scalars = parameters.scalars.map { _ in .random(in: 0.1...0.9, using: &numbers) }
        return parameters
    }

    /// Windows of ten days as a network of this shape might see them.
    static func randomWindows(_ shape: NetworkShape, count: Int, seed: UInt64 = 2) -> [[Float]] {
        var numbers = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            (0..<10 * shape.inputWidth).map { _ in .random(in: -1...1, using: &numbers) }
        }
    }

    /// The largest difference of the outputs on random windows.
    func largestDifference(from other: NetworkParameters) -> Float {
        Self.randomWindows(shape, count: 20).map {
            abs(output(window: $0) - other.output(window: $0))
        }.max()!
    }
}
