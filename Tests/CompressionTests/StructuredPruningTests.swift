import Compression
import Forecasting
import Testing

@Suite("Structured pruning and graph optimisation")
struct StructuredPruningTests {
    static let cells = CellKind.allCases

    @Test(
        "Without units whose outgoing weights are zero the network gives the same outputs, exactly",
        arguments: cells)
    func removal(cell: CellKind) throws {
        let shape = NetworkShape(cell: cell, inputWidth: 3, units: 7)
        var parameters = NetworkParameters.random(shape)
        for unit in [1, 4] { parameters.muteOutgoing(unit) }
        let smaller = try StructuredPruning.keeping([0, 2, 3, 5, 6], of: parameters)
        #expect(smaller.shape == NetworkShape(cell: cell, inputWidth: 3, units: 5))
        for window in NetworkParameters.randomWindows(shape, count: 10) {
            #expect(smaller.output(window: window) == parameters.output(window: window))
        }
        // The graph optimisation finds them by itself, and one that only reaches them too.
        var chained = parameters
        chained.muteOutgoing(6)
        chained.recurrentKernel[4 * 7 + 6] = 0.5
        #expect(try GraphOptimization.removingDeadUnits(parameters) == smaller)
        #expect(
            try GraphOptimization.removingDeadUnits(chained)
                == StructuredPruning.keeping([0, 2, 3, 5], of: chained))
    }

    @Test(
        "A unit into whose candidate nothing but zeros goes is always silent, and leaves",
        arguments: cells)
    func silentUnits(cell: CellKind) throws {
        let shape = NetworkShape(cell: cell, inputWidth: 2, units: 4)
        var parameters = NetworkParameters.random(shape)
        let (block, biases) =
            switch cell {
            case .lstm: (Gate.candidate.rawValue, [Gate.candidate.rawValue])
            case .gru: (GRUGate.candidate.rawValue, [GRUGate.candidate.rawValue, 3])
            case .fastGRNN: (0, [FastGRNNBias.candidate.rawValue])
            }
        // Unit 2 hears nothing, unit 0 hears unit 2 alone.
        for unit in [2, 0] {
            let row = block * 4 + unit
            for i in 0..<2 { parameters.inputKernel[row * 2 + i] = 0 }
            for j in 0..<4 { parameters.recurrentKernel[row * 4 + j] = 0 }
            for bias in biases { parameters.bias[bias * 4 + unit] = 0 }
        }
        parameters.recurrentKernel[(block * 4) * 4 + 2] = 0.7
        let smaller = try GraphOptimization.removingDeadUnits(parameters)
        #expect(smaller.units == 2)
        for window in NetworkParameters.randomWindows(shape, count: 10) {
            #expect(smaller.output(window: window) == parameters.output(window: window))
        }
    }

    @Test("A network of which nothing leads out keeps one unit and its output")
    func allDead() throws {
        var parameters = NetworkParameters.random(NetworkShape(inputWidth: 1, units: 3))
        parameters.denseWeight = [0, 0, 0]
        let smaller = try GraphOptimization.removingDeadUnits(parameters)
        #expect(smaller.units == 1)
        #expect(smaller.output(window: [1, 2]) == parameters.denseBias)
    }

    @Test("A living network is left as it is", arguments: cells)
    func living(cell: CellKind) throws {
        let parameters = NetworkParameters.random(
            NetworkShape(cell: cell, inputWidth: 2, units: 4))
        #expect(try GraphOptimization.removingDeadUnits(parameters) == parameters)
    }

    @Test(
        "One weight of every one-hot group moves to the bias without changing what is computed",
        arguments: cells)
    func centring(cell: CellKind) throws {
        let trained = try TrainedNetwork.calendar.get()
        let parameters =
            cell == .lstm
            ? trained.parameters
            : .random(
                NetworkShape(cell: cell, inputWidth: trained.spec.inputWidth, units: 3))
        let centred = GraphOptimization.centringOneHots(parameters, spec: trained.spec)
        #expect(trained.distance(parameters, centred) < 1e-6)
        #expect(trained.spec.oneHotColumns == [1..<8, 8..<20])
        let zeros = centred.inputKernel.count { $0 == 0 }
        #expect(zeros == 2 * parameters.shape.kernelRows)
        func size(_ weights: [Float]) -> Float { weights.reduce(0) { $0 + abs($1) } }
        #expect(size(centred.inputKernel) < size(parameters.inputKernel))
    }

    @Test("A column that never changes moves into the biases", arguments: cells)
    func constantColumns(cell: CellKind) throws {
        let shape = NetworkShape(cell: cell, inputWidth: 3, units: 4)
        let parameters = NetworkParameters.random(shape)
        let windows = NetworkParameters.randomWindows(shape, count: 5).map { window in
            window.indices.map { $0 % 3 == 1 ? 0.75 : window[$0] }
        }
        let folded = try GraphOptimization.foldingConstantColumns(parameters, windows: windows)
        for row in 0..<shape.kernelRows {
            #expect(folded.inputKernel[row * 3 + 1] == 0 && folded.inputKernel[row * 3] != 0)
        }
        for window in windows {
            #expect(
                abs(folded.output(window: window) - parameters.output(window: window)) < 1e-5)
        }
        #expect(throws: CompressionError.calibrationWindow(index: 1)) {
            try GraphOptimization.foldingConstantColumns(parameters, windows: [windows[0], [1]])
        }
    }

    @Test("Folding a trained network changes no forecast and leaves zeros behind")
    func folding() throws {
        let trained = try TrainedNetwork.calendar.get()
        var parameters = trained.parameters
        parameters.muteOutgoing(3)
        let folded = try GraphOptimization.folded(
            parameters, spec: trained.spec, windows: trained.windows)
        #expect(folded.units == 7)
        #expect(trained.distance(parameters, folded) < 1e-6)
        #expect(abs(trained.wape(folded) - trained.wape(parameters)) < 1e-4)
    }

    @Test("Units are ranked by what their loss costs; their means stand in for them")
    func ranking() throws {
        let trained = try TrainedNetwork.calendar.get()
        let parameters = trained.parameters
        let gradients = Pruning.outputGradients(parameters, windows: trained.windows)
        let saliencies = try StructuredPruning.saliencies(parameters, gradients: gradients)
        func wape(_ scores: [Float], means: StructuredPruning.MeanStates? = nil) throws -> Double {
            trained.wape(
                try StructuredPruning.shrunk(parameters, to: 6, scores: scores, means: means))
        }
        let means = StructuredPruning.MeanStates(parameters, windows: trained.windows)
        let whole = trained.wape(parameters)
        let kept = try wape(saliencies, means: means)
        #expect(kept > whole)
        // The least of them gone, and the greatest gone instead.
        #expect(try kept < wape(saliencies.map { -$0 }, means: means) - 1)
        #expect(try kept < wape(saliencies))
        #expect(try kept < wape(StructuredPruning.norms(parameters), means: means))
    }

    @Test(
        "A unit's saliency is the first-order change of the output when its state is nothing",
        arguments: cells)
    func saliency(cell: CellKind) throws {
        let shape = NetworkShape(cell: cell, inputWidth: 2, units: 3)
        let parameters = NetworkParameters.random(shape)
        let window = NetworkParameters.randomWindows(shape, count: 1)[0]
        let saliencies = try StructuredPruning.saliencies(
            parameters, gradients: Pruning.outputGradients(parameters, windows: [window]))
        for unit in 0..<3 {
            func output(_ share: Float) -> Float {
                var scaled = parameters
                scaled.denseWeight[unit] *= share
                for row in 0..<shape.kernelRows { scaled.recurrentKernel[row * 3 + unit] *= share }
                return scaled.output(window: window)
            }
            let slope = (output(1.01) - output(0.99)) / 0.02
            #expect(abs(abs(slope) - saliencies[unit]) < 0.002)
        }
    }

    @Test("A constant unit is replaced by its mean without loss")
    func means() throws {
        let shape = NetworkShape(inputWidth: 1, units: 3)
        var parameters = NetworkParameters.random(shape)
        // Unit 1 hears no input and no other unit: from day to day it settles, whatever was sold.
        for gate in 0..<4 {
            parameters.inputKernel[gate * 3 + 1] = 0
            for j in 0..<3 { parameters.recurrentKernel[(gate * 3 + 1) * 3 + j] = 0 }
        }
        parameters.bias[Gate.forget.rawValue * 3 + 1] = -30
        let windows = NetworkParameters.randomWindows(shape, count: 5)
        let means = StructuredPruning.MeanStates(parameters, windows: windows)
        let smaller = try StructuredPruning.keeping([0, 2], of: parameters, means: means)
        let zeroed = try StructuredPruning.keeping([0, 2], of: parameters)
        for window in windows {
            let exact = parameters.output(window: window)
            #expect(
                abs(smaller.output(window: window) - exact)
                    < 0.05 * abs(zeroed.output(window: window) - exact))
        }
    }

    @Test("All units, none, one twice and unknown ones cannot be kept")
    func refusals() throws {
        let parameters = NetworkParameters.random(NetworkShape(inputWidth: 1, units: 3))
        let norms = StructuredPruning.norms(parameters)
        for units in [0, 3, 4] {
            #expect(throws: CompressionError.unitsKept(units, of: 3)) {
                try StructuredPruning.shrunk(parameters, to: units, scores: norms)
            }
        }
        for units in [[], [0, 0], [3], [-1]] {
            #expect(throws: CompressionError.unitsKept(units.count, of: 3)) {
                try StructuredPruning.keeping(units, of: parameters)
            }
        }
        #expect(throws: CompressionError.scores(found: 2, expected: 3)) {
            try StructuredPruning.shrunk(parameters, to: 2, scores: [1, 2])
        }
        #expect(throws: CompressionError.scoreNotFinite(index: 1)) {
            try StructuredPruning.shrunk(parameters, to: 2, scores: [1, .nan, 2])
        }
    }
}

extension NetworkParameters {
    /// Nothing the unit says is heard.
    fileprivate mutating func muteOutgoing(_ unit: Int) {
        denseWeight[unit] = 0
        for row in 0..<shape.kernelRows { recurrentKernel[row * units + unit] = 0 }
    }
}

@Suite("Dead units of integer networks")
struct IntegerDeadUnitsTests {
    private static func example(_ cell: CellKind) throws -> IntegerNetwork {
        try FrozenExample(cell: cell, quantizer: Quantizer(), seed: 8).network
    }

    private static func outputs(_ network: IntegerNetwork) -> [Int32] {
        let counts = ArenaLayout.Counts(
            shape: network.shape, window: 10, profiles: 0, starts: 0, identifierBytes: 0)
        let recurrence = IntegerRecurrence(network, in: Arena(ArenaLayout(counts)))
        return NetworkParameters.randomWindows(network.shape, count: 30).map { window in
            recurrence.load(window: window.map { 3 * $0 })
            return recurrence.run()
        }
    }

    private static func without(_ network: IntegerNetwork, units: Int) throws {
        let smaller = GraphOptimization.removingDeadUnits(network)
        #expect(smaller.shape.units == network.shape.units - units)
        try smaller.validate()
        #expect(outputs(smaller) == outputs(network))
    }

    @Test("A living network is left as it is", arguments: CellKind.allCases)
    func living(cell: CellKind) throws {
        let network = try Self.example(cell)
        #expect(GraphOptimization.removingDeadUnits(network) == network)
    }

    @Test(
        "A unit that nothing leaves, or nothing enters, goes without a trace",
        arguments: CellKind.allCases)
    func dead(cell: CellKind) throws {
        var unheard = try Self.example(cell)
        let (R, H) = (unheard.shape.kernelRows, unheard.shape.units)
        unheard.denseKernel[3] = 0
        for row in 0..<R where row % H != 3 { unheard.recurrentKernel[row * H + 3] = 0 }
        try Self.without(unheard, units: 1)

        var unhearing = try Self.example(cell)
        let (block, biases) =
            switch cell {
            case .lstm: (2, [2])
            case .gru: (2, [2, 3])
            case .fastGRNN: (0, [1])
            }
        for bias in biases { unhearing.bias[bias * H + 1] = 0 }
        for i in 0..<unhearing.shape.inputWidth {
            unhearing.inputKernel[(block * H + 1) * unhearing.shape.inputWidth + i] = 0
        }
        for j in 0..<H where j != 1 { unhearing.recurrentKernel[(block * H + 1) * H + j] = 0 }
        try Self.without(unhearing, units: 1)
    }

    @Test("An output gate that cannot open is a unit that cannot speak")
    func closed() throws {
        var network = try Self.example(.lstm)
        let row = Gate.output.rawValue * 5 + 2
        network.bias[row] = -60 * 4096
        try Self.without(network, units: 1)
        // Where the inputs can open it, it stays.
        network.bias[row] = -4 * 4096
        #expect(GraphOptimization.removingDeadUnits(network) == network)
    }

    @Test("Factors lose the same rows and columns as the kernel")
    func factors() throws {
        let trained = try TrainedNetwork.calendar.get()
        let factored = try FactoredWeights(
            trained.parameters.shape, inputRank: 3, recurrentRank: 2)
        var network = try Quantizer().quantize(
            factored.applied(to: trained.parameters), spec: trained.spec, windows: trained.windows,
            factored: factored)
        network.bias[Gate.output.rawValue * 8 + 5] = -60 * 4096
        let smaller = GraphOptimization.removingDeadUnits(network)
        #expect(smaller.shape.units == 7 && smaller.recurrentFactors?.rank == 2)
        try smaller.validate()
    }
}
