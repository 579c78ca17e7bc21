package import Forecasting

/// Writes a network as an ONNX graph: operator set 14, one input `window` `[batch, T, I]`, one output `y` `[batch, 1]`.
///
/// LSTM and GRU are the operators of that name. FastGRNN has none and is written out day by day, which every runtime
/// takes, while the shorter Scan asks for one that runs graphs inside graphs.
package struct NetworkExport {
    private static let operatorSet: Int64 = 14
    /// Of ONNX 1.9, the first with that operator set.
    private static let irVersion: Int64 = 7

    private let parameters: NetworkParameters
    private let spec: FeatureSpec
    private var graph = ONNXGraph()

    /// - Parameters:
    ///   - family: for people, as is `variant`.
    ///   - spec: whose input width is the network's.
    package static func model(
        _ parameters: NetworkParameters, spec: FeatureSpec, family: String, variant: String
    ) -> ONNXModel {
        precondition(parameters.inputWidth == spec.inputWidth)
        var export = NetworkExport(parameters, spec)
        export.write(name: "\(family)/\(variant)")
        var model = ONNXModel()
        model.irVersion = irVersion
        model.operatorSet = operatorSet
        model.producer = "shelfcast"
        model.graph = export.graph
        model.documentation = documentation(spec, family: family, variant: variant)
        model.metadata = [
            ("family", family), ("variant", variant), ("cell", parameters.shape.cell.name),
            ("form", spec.form.name), ("window", "\(spec.window)"),
            ("inputs", spec.inputs.groupNames.joined(separator: ",")),
            ("columns", (["demand"] + spec.inputs.columnNames).joined(separator: ",")),
            ("output", spec.output.name), ("levelRate", "\(spec.levelRate)"),
        ].map { ONNXModel.Entry(key: "shelfcast.\($0.0)", value: $0.1) }
        return model
    }

    private init(_ parameters: NetworkParameters, _ spec: FeatureSpec) {
        self.parameters = parameters
        self.spec = spec
    }

    private static func documentation(
        _ spec: FeatureSpec, family: String, variant: String
    ) -> String {
        let range = FeatureSpec.demandRange
        return """
            Demand one day ahead: family \(family), variant \(variant), form \(spec.form.name).
            window: the last \(spec.window) days, oldest first. The first column of a day is its demand, \
            \(spec.output.demandFormula), held within \(Int(range.lowerBound)) to \(Int(range.upperBound)), and 0 for \
            a day that was closed or is unknown\(spec.inputs.isEmpty ? "" : "; the other columns describe the day after it").
            y: units expected on the next day are \(spec.output.unitsFormula), at least 0.
            level, scale and season are the series' own and not in this file.
            """
    }

    // MARK: The graph

    private mutating func write(name: String) {
        graph.name = name
        let (T, I) = (spec.window, spec.inputWidth)
        graph.inputs = [
            value(
                "window", [.named("batch"), .fixed(T), .fixed(I)],
                (["demand"] + spec.inputs.columnNames).joined(separator: ", "))
        ]
        graph.outputs = [value("y", [.named("batch"), .fixed(1)], spec.output.unitsFormula)]
        switch parameters.shape.cell {
        case .lstm: writeRecurrent("LSTM", order: [0, 3, 1, 2])
        case .gru: writeRecurrent("GRU", order: [0, 1, 2])
        case .fastGRNN: writeFastGRNN()
        }
        add("dense.weight", Tensor([1, parameters.units], parameters.denseWeight))
        add("dense.bias", Tensor([1], [parameters.denseBias]))
        node(
            "Gemm", ["state", "dense.weight", "dense.bias"], ["y"], [("transB", .integer(1))],
            name: "dense")
    }

    /// - Parameter order: for each of ONNX's gates, ours: LSTM i o f c, GRU z r h.
    private mutating func writeRecurrent(_ operation: String, order: [Int]) {
        let (G, I, H) = (order.count, parameters.inputWidth, parameters.units)
        func rows(_ values: [Float], width: Int) -> [Float] {
            Array(order.map { values[$0 * H * width..<($0 + 1) * H * width] }.joined())
        }
        // The LSTM's biases are added anyway; the GRU's fourth block belongs to the candidate's recurrent product.
        let bias = rows(Array(parameters.bias[..<(G * H)]), width: 1)
        let atRest = [Float](repeating: 0, count: G * H)
        let recurrentBias =
            operation == "GRU" ? atRest[..<(2 * H)] + parameters.bias[(3 * H)...] : atRest[...]
        add("recurrent.W", Tensor([1, G * H, I], rows(parameters.inputKernel, width: I)))
        add("recurrent.R", Tensor([1, G * H, H], rows(parameters.recurrentKernel, width: H)))
        add("recurrent.B", Tensor([1, 2 * G * H], bias + recurrentBias))
        add("axis.direction", Tensor([1], integers: [0]))
        node(
            "Transpose", ["window"], ["days"], [("perm", .integers([1, 0, 2]))], name: "daysFirst")
        node(
            operation, ["days", "recurrent.W", "recurrent.R", "recurrent.B"], ["", "last"],
            [("hidden_size", .integer(Int64(H)))]
                + (operation == "GRU" ? [("linear_before_reset", .integer(1))] : []),
            name: "recurrent")
        node("Squeeze", ["last", "axis.direction"], ["state"], name: "lastState")
    }

    /// `z = σ(W x + U h + b₀)`, `c = tanh(W x + U h + b₁)`, `h' = (ζ · (1 − z) + ν) · c + z · h`, from h = 0.
    private mutating func writeFastGRNN() {
        let (I, H) = (parameters.inputWidth, parameters.units)
        let kernel = NetworkImport.transposed(parameters.inputKernel, rows: H)
        let recurrent = NetworkImport.transposed(parameters.recurrentKernel, rows: H)
        add(FastGRNNName.inputKernel, Tensor([I, H], kernel))
        add(FastGRNNName.recurrentKernel, Tensor([H, H], recurrent))
        add(FastGRNNName.gateBias, Tensor([H], Array(parameters.bias[..<H])))
        add(FastGRNNName.candidateBias, Tensor([H], Array(parameters.bias[H...])))
        add(FastGRNNName.zeta, Tensor([1], [parameters.scalars[0]]))
        add(FastGRNNName.nu, Tensor([1], [parameters.scalars[1]]))
        add("one", Tensor([1], [1]))
        add("axis.day", Tensor([1], integers: [1]))
        // All days' products at once, then one sum [batch, 1, H] for each day.
        node("MatMul", ["window", FastGRNNName.inputKernel], ["fromWindow"], name: "inputProducts")
        node(
            "Split", ["fromWindow"], (0..<spec.window).map { "day\($0).input" },
            [("axis", .integer(1))], name: "days")
        for day in 0..<spec.window {
            func at(_ name: String) -> String { "day\(day).\(name)" }
            var sum = at("input")
            if day > 0 {
                node(
                    "MatMul", ["day\(day - 1).h", FastGRNNName.recurrentKernel], [at("recurrent")])
                node("Add", [sum, at("recurrent")], [at("sum")])
                sum = at("sum")
            }
            node("Add", [sum, FastGRNNName.gateBias], [at("gateSum")])
            node("Sigmoid", [at("gateSum")], [at("z")])
            node("Add", [sum, FastGRNNName.candidateBias], [at("candidateSum")])
            node("Tanh", [at("candidateSum")], [at("c")])
            node("Sub", ["one", at("z")], [at("open")])
            node("Mul", [FastGRNNName.zeta, at("open")], [at("scaled")])
            node("Add", [at("scaled"), FastGRNNName.nu], [at("share")])
            node("Mul", [at("share"), at("c")], [day > 0 ? at("new") : at("h")])
            if day > 0 {
                node("Mul", [at("z"), "day\(day - 1).h"], [at("kept")])
                node("Add", [at("new"), at("kept")], [at("h")])
            }
        }
        node("Squeeze", ["day\(spec.window - 1).h", "axis.day"], ["state"], name: "lastState")
    }

    private mutating func add(_ name: String, _ tensor: Tensor) {
        graph.initializers.append(ONNXGraph.NamedTensor(name: name, tensor: tensor))
    }

    private mutating func node(
        _ operation: String, _ inputs: [String], _ outputs: [String],
        _ attributes: [(String, ONNXAttribute.Value)] = [], name: String? = nil
    ) {
        var node = ONNXNode()
        node.operation = operation
        node.name = name ?? outputs[0]
        node.inputs = inputs
        node.outputs = outputs
        node.attributes = attributes.map { ONNXAttribute(name: $0.0, value: $0.1) }
        graph.nodes.append(node)
    }

    private func value(
        _ name: String, _ shape: [ONNXValue.Dimension], _ documentation: String
    ) -> ONNXValue {
        var value = ONNXValue()
        value.name = name
        value.shape = shape
        value.documentation = documentation
        return value
    }
}

extension ONNXModel {
    /// What the network sees and gives, where the model was exported from here.
    ///
    /// - Returns: nil without or with a damaged description: the caller's own words count then.
    package var spec: FeatureSpec? {
        func text(_ key: String) -> String? { metadata("shelfcast.\(key)") }
        guard let form = text("form").flatMap(ModelForm.init(name:)),
            let window = text("window").flatMap({ Int($0) }),
            let inputs = text("inputs").flatMap({
                FeatureInputs(groupNames: $0.split(separator: ",").map(String.init))
            }), let output = text("output").flatMap(OutputKind.init(name:)),
            let levelRate = text("levelRate").flatMap({ Float($0) })
        else { return nil }
        let spec = FeatureSpec(
            form: form, window: window, levelRate: levelRate, inputs: inputs, output: output)
        do { try spec.validate() } catch { return nil }
        return spec
    }
}
