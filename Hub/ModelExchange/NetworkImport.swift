package import Forecasting
import Training

/// A network found in an ONNX graph.
package struct ImportedNetwork: Equatable, Sendable {
    package var parameters: NetworkParameters
    /// Days of a window.
    package var window: Int
    /// What it was found in, such as "LSTM '/rnn/LSTM'".
    package var origin: String
    /// The greatest difference between the graph's output and the network's, over random windows.
    package var differenceMax: Float
}

/// Finds in a graph the recurrent layer and the dense head that make one of our networks.
///
/// What a graph means is not read from its nodes alone, since exporters wrap a layer in many ways: whatever network
/// seems to be in it is computed beside the graph on random windows, and taken only when the two agree.
package struct NetworkImport {
    /// Of a graph and its network, relative to `1 + Σ|dense weight|`: the states differ by no more.
    package static let tolerance: Float = 1e-5

    private let evaluator: ONNXEvaluator
    private let outline: GraphOutline
    private let input: ONNXValue
    private let head: GraphOutline.Head
    private let window: Int?

    var model: ONNXModel { evaluator.model }
    private var graph: ONNXGraph { model.graph }

    /// - Parameter window: days; nil: as the graph states it, else 14.
    package static func network(
        in model: ONNXModel, window: Int? = nil
    ) throws(ExchangeError) -> ImportedNetwork {
        try NetworkImport(model, window: window).find()
    }

    private init(_ model: ONNXModel, window: Int?) throws(ExchangeError) {
        evaluator = try ONNXEvaluator(model)
        outline = GraphOutline(model.graph)
        self.window = window
        let inputs = model.graph.openInputs
        guard inputs.count == 1, let input = inputs.first, input.type.isFloat else {
            throw .notOurs(
                reason:
                    "the graph has the inputs \(Self.list(inputs.map(\.name))); a network has one, "
                    + "its window of floats",
                advice: "export it with one input, starting from states of zero")
        }
        self.input = input
        guard let output = model.graph.outputs.first else {
            throw .notOurs(
                reason: "the graph has no output", advice: "export it with one: the forecast")
        }
        try Self.checkLayers(outline.recurrentNodes)
        head = try outline.head(of: output.name)
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "none" : names.prefix(8).map { "'\($0.printable)'" }.joined(separator: ", ")
    }

    /// Refuses by name what no cell of ours computes.
    private static func checkLayers(_ layers: [ONNXNode]) throws(ExchangeError) {
        guard layers.count < 2 else {
            throw .notOurs(
                reason:
                    "the graph has \(layers.count) recurrent layers: \(list(layers.map(\.name)))",
                advice: "train one layer; a device's network has no more")
        }
        guard let layer = layers.first else { return }
        let operation = try RecurrentOperator(NodeCall(attributesOf: layer))
        let (name, kind) = (layer.label, layer.operation)
        func refusal(_ reason: String, _ advice: String) -> ExchangeError {
            .notOurs(reason: "node \(name) (\(kind)) \(reason)", advice: advice)
        }
        guard operation.kind != .rnn else {
            throw refusal("has no gates", "train an LSTM or a GRU")
        }
        guard operation.direction == .forward else {
            throw refusal(
                "is \(operation.direction.rawValue)",
                "train it forward: a device meets days in order")
        }
        guard
            operation.activations.map(\.function.rawValue)
                == RecurrentOperator.defaultActivations(operation.kind).map({ $0.lowercased() })
        else {
            throw refusal(
                "has activations of its own", "train it with the sigmoid and tanh it has by default"
            )
        }
        guard operation.clip == nil else {
            throw refusal("clips its sums", "train it without clip")
        }
        guard !operation.isInputForget else {
            throw refusal("couples input and forget gate", "train it without input_forget")
        }
        guard operation.kind != .gru || operation.isLinearBeforeReset else {
            throw refusal(
                "applies its reset gate before the recurrent product (linear_before_reset = 0)",
                "train it with reset_after=True, Keras's default; PyTorch has no other")
        }
    }

    private func find() throws(ExchangeError) -> ImportedNetwork {
        guard let width = statedWidth else {
            throw .notOurs(
                reason: "how many inputs a day has is stated nowhere",
                advice: "export it with a fixed last dimension of '\(input.name.printable)'")
        }
        guard (1...NetworkShape.inputWidthMax).contains(width) else {
            throw .notOurs(
                reason: "a day has \(width) inputs",
                advice: "a network has 1 to \(NetworkShape.inputWidthMax)")
        }
        let probes = WindowProbe.all(
            evaluator, input: input, output: graph.outputs[0].name, window: window, width: width)
        guard !probes.isEmpty else {
            let wanted = window.map { "\($0) days" } ?? "any number of days"
            throw .notOurs(
                reason:
                    "its input '\(input.name.printable)' of shape \(input.shapeText) takes no window "
                    + "of \(wanted) with \(width) inputs each",
                advice: "say --window as the graph has it, at most "
                    + "\(FeatureSpec.windowRange.upperBound) days")
        }
        var firstError: ExchangeError?
        for probe in probes {
            do throws(ExchangeError) {
                return try find(probe)
            } catch {
                // Of two layouts the wrong one fails somewhere; the first is the likelier one.
                firstError = firstError ?? error
            }
        }
        throw firstError ?? .input(input.name.printable, reason: "no window fits it")
    }

    /// I, from the input or from the layer's weights.
    private var statedWidth: Int? {
        if case .fixed(let width)? = input.shape?.last { return width }
        guard let layer = outline.recurrentNodes.first, layer.inputs.count > 1 else { return nil }
        return graph.initializers.first { $0.name == layer.inputs[1] }?.tensor.shape.last
    }

    private func find(_ probe: WindowProbe) throws(ExchangeError) -> ImportedNetwork {
        var random = SeededRandom(seed: 1)
        let windows = probe.windows(&random)
        let values = try probe.run(windows)
        let dense = try denseLayer(values)
        guard probe.outputs(values) != nil else {
            let shape = values[probe.output]?.shape ?? []
            throw .notOurs(
                reason: "for a batch of \(probe.batch) the output has the shape \(shape)",
                advice: "give one number for a window: the last day's")
        }
        guard (1...NetworkShape.unitsMax).contains(dense.weight.count) else {
            throw .notOurs(
                reason: "the layer has \(dense.weight.count) units",
                advice: "a network has 1 to \(NetworkShape.unitsMax)")
        }
        let candidates: [NetworkParameters]
        let origin: String
        if let layer = outline.recurrentNodes.first {
            candidates = [try network(of: layer, windows, values, dense, probe)]
            origin = "\(layer.operation) \(layer.label)"
        } else {
            candidates = unrolledCandidates(dense, width: probe.width)
            origin = candidates.first.map { "\($0.shape.cell.name) in single steps" } ?? ""
            guard !candidates.isEmpty else { throw Self.noLayer }
        }
        let trials = try trials(probe)
        let tolerance = Self.tolerance * (1 + dense.weight.reduce(0) { $0 + abs($1) })
        var difference: Float = .infinity
        for parameters in candidates where parameters.flattened.allSatisfy(\.isFinite) {
            difference = Self.difference(parameters, trials, giveUpAbove: tolerance)
            if difference <= tolerance {
                return ImportedNetwork(
                    parameters: parameters, window: probe.window, origin: origin,
                    differenceMax: difference)
            }
        }
        guard outline.recurrentNodes.isEmpty else {
            throw .notOurs(
                reason:
                    "its outputs differ from those of \(origin) with the dense layer on the last "
                    + "day's state, by \(difference)",
                advice: "the dense layer has to see the state after the last day, and nothing else")
        }
        throw Self.noLayer
    }

    private static let noLayer = ExchangeError.notOurs(
        reason:
            "the graph has no LSTM or GRU operator, and its products are not those of a Keras LSTM, "
            + "of a Keras GRU with reset_after=True or of a network exported from here",
        advice: "train one LSTM or GRU layer, forward, with one dense output")

    private struct Trial {
        var window: [Float]
        var output: Float
    }

    /// What the graph gives for windows not seen so far.
    private func trials(_ probe: WindowProbe) throws(ExchangeError) -> [Trial] {
        var random = SeededRandom(seed: 2)
        var trials: [Trial] = []
        for _ in 0..<8 {
            let windows = probe.windows(&random)
            guard let outputs = probe.outputs(try probe.run(windows)) else { continue }
            trials += zip(windows, outputs).map { Trial(window: $0, output: $1) }
        }
        return trials
    }

    /// The greatest difference between what the graph gave and what the network gives, or the first that is too much:
    /// of many guesses nearly all are wrong at once.
    private static func difference(
        _ parameters: NetworkParameters, _ trials: [Trial], giveUpAbove tolerance: Float
    ) -> Float {
        var greatest: Float = trials.isEmpty ? .infinity : 0
        for trial in trials {
            let difference = abs(parameters.output(window: trial.window) - trial.output)
            guard difference <= tolerance else { return difference }
            greatest = max(greatest, difference)
        }
        return greatest
    }

    // MARK: The dense layer

    struct Dense {
        /// `[H]`
        var weight: [Float]
        var bias: Float
    }

    private func denseLayer(_ values: [String: Tensor]) throws(ExchangeError) -> Dense {
        let call = try NodeCall(head.product, scope: ONNXEvaluator.Scope(values))
        let (shape, weight) = try call.floats(1)
        let isStateTransposed = try call.integer("transA", default: 0) != 0
        let isTransposed = try call.integer("transB", default: 0) != 0
        let outputs = shape.count < 2 ? 1 : shape[isTransposed ? 0 : shape.count - 1]
        guard outputs == 1, !isStateTransposed else {
            throw .notOurs(
                reason: "the dense layer of node \(head.product.label) has \(outputs) outputs",
                advice: "a network has one: the next day")
        }
        let alpha = try call.float("alpha") ?? 1
        var bias: Float = 0
        func add(_ tensor: Tensor?, times factor: Float) throws(ExchangeError) {
            guard let tensor else { return }
            guard let number = tensor.floats, number.count == 1 else {
                throw call.failure("a bias of shape \(tensor.shape) for one output")
            }
            bias += factor * number[0]
        }
        let beta = try call.float("beta") ?? 1
        try add(call.optional(2), times: beta)
        for addition in head.additions.reversed() {
            try add(values[addition.name], times: addition.isSubtracted ? -1 : 1)
        }
        return Dense(weight: alpha == 1 ? weight : weight.map { alpha * $0 }, bias: bias)
    }

    // MARK: The recurrent layer

    private func network(
        of layer: ONNXNode, _ windows: [[Float]], _ values: [String: Tensor], _ dense: Dense,
        _ probe: WindowProbe
    ) throws(ExchangeError) -> NetworkParameters {
        let source = outline.source(of: head.state)
        guard let node = source.node, node == layer else {
            let what =
                source.node.map { "node \($0.label) (\($0.operation.printable))" } ?? "a constant"
            throw .notOurs(
                reason: "\(what) lies between the recurrent layer and the dense one",
                advice: "let the dense layer see the last state itself")
        }
        let call = try NodeCall(layer, scope: ONNXEvaluator.Scope(values))
        let operation = try RecurrentOperator(call)
        let given = try operation.inputs(call)
        func refusal(_ reason: String, _ advice: String) -> ExchangeError {
            .notOurs(reason: "node \(layer.label) (\(layer.operation)) \(reason)", advice: advice)
        }
        for (index, name) in zip([1, 2, 3, 7], ["W", "R", "B", "P"])
        where index < layer.inputs.count && outline.dependsOnInput(layer.inputs[index]) {
            throw refusal("gets its \(name) from the input", "export it with its weights inside")
        }
        guard given.isOf(windows, probe) else {
            let source = outline.source(of: layer.inputs[0])
            throw refusal(
                source.node.map { "gets its X from node \($0.label) (\($0.operation.printable))" }
                    ?? "does not get the window itself as its X",
                "give the layer the window as it is: scaling belongs to the form")
        }
        guard given.lengths.allSatisfy({ $0 == probe.window }) else {
            throw refusal("sees only a part of the window", "export it without sequence lengths")
        }
        guard given.initialHidden.allSatisfy({ $0 == 0 }), given.initialCell.allSatisfy({ $0 == 0 })
        else { throw refusal("starts from a state", "start it from zero") }
        guard given.peepholes?.allSatisfy({ $0 == 0 }) != false else {
            throw refusal("has peepholes", "train it without")
        }
        guard given.units == dense.weight.count else {
            throw .notOurs(
                reason: "the dense layer sees \(dense.weight.count) numbers, the recurrent one has "
                    + "\(given.units) units",
                advice: "let the dense layer see the state after the last day, and nothing else")
        }
        return operation.parameters(given, dense)
    }
}

extension RecurrentOperator.Inputs {
    fileprivate func isOf(_ windows: [[Float]], _ probe: WindowProbe) -> Bool {
        guard steps == probe.window, batch == windows.count, inputWidth == probe.width else {
            return false
        }
        for t in 0..<steps {
            for b in 0..<batch {
                let start = (t * batch + b) * inputWidth
                guard
                    x[start..<start + inputWidth]
                        == windows[b][t * inputWidth..<(t + 1) * inputWidth]
                else { return false }
            }
        }
        return true
    }
}

extension RecurrentOperator {
    /// ONNX's weights in our order of gates, its two biases in ours.
    fileprivate func parameters(
        _ given: Inputs, _ dense: NetworkImport.Dense
    ) -> NetworkParameters {
        let (I, H) = (given.inputWidth, given.units)
        let cell: CellKind = kind == .lstm ? .lstm : .gru
        // For each of our blocks, ONNX's: LSTM i o f c, GRU z r h.
        let order = kind == .lstm ? [0, 2, 3, 1] : [0, 1, 2]
        func rows(_ values: [Float], width: Int) -> [Float] {
            Array(order.map { values[$0 * H * width..<($0 + 1) * H * width] }.joined())
        }
        let fromInput = rows(Array(given.b[..<(gates * H)]), width: 1)
        let fromHidden = rows(Array(given.b[(gates * H)...]), width: 1)
        let bias =
            kind == .lstm
            ? zip(fromInput, fromHidden).map(+)
            : zip(fromInput, fromHidden).prefix(2 * H).map(+) + fromInput[(2 * H)...]
                + fromHidden[(2 * H)...]
        return NetworkParameters(
            shape: NetworkShape(cell: cell, inputWidth: I, units: H),
            flattened: rows(given.w, width: I) + rows(given.r, width: H) + bias + dense.weight
                + [dense.bias])
    }
}

extension ONNXValue {
    fileprivate var shapeText: String {
        guard let shape else { return "[?]" }
        let sizes = shape.map { dimension in
            switch dimension {
            case .fixed(let size): "\(size)"
            case .named(let name): name.isEmpty ? "?" : name.printable
            }
        }
        return "[" + sizes.joined(separator: ", ") + "]"
    }
}
