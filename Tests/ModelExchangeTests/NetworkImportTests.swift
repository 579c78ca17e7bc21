import Forecasting
import ModelExchange
import Testing

@Suite("A network from elsewhere")
struct NetworkImportTests {
    @Test(
        "is found in the graphs of PyTorch's exporters and of Keras, and computes what they computed",
        arguments: [
            ("torch-lstm", CellKind.lstm), ("torch-lstm-state", .lstm),
            ("torch-lstm-dynamo", .lstm),
            ("torch-gru", .gru), ("torch-gru-dynamo", .gru), ("keras-lstm", .lstm),
            ("keras-lstm-unrolled", .lstm), ("keras-gru", .gru), ("keras-gru-unrolled", .gru),
        ])
    func exporters(name: String, cell: CellKind) throws {
        let test = ONNXCase(fixture: name)
        let imported = try NetworkImport.network(in: test.model(), window: 5)
        let parameters = imported.parameters
        #expect(parameters.shape == NetworkShape(cell: cell, inputWidth: 3, units: 4))
        #expect(imported.differenceMax < 1e-6)
        let windows = try #require(test.tensors("input")[0].floats)
        let outputs = try #require(test.tensors("output")[0].floats)
        #expect(outputs.count == 3)
        let reference = RecurrentReference(shape: parameters.shape)
        let exact = parameters.flattened.map(Double.init)
        for (index, output) in outputs.enumerated() {
            let window = Array(windows[index * 15..<(index + 1) * 15])
            #expect(abs(parameters.output(window: window) - output) < 1e-5)
            let trace = reference.forward(parameters: exact, window: window.map(Double.init))
            #expect(abs(trace.output - Double(output)) < 1e-5)
        }
    }

    @Test(
        "that no cell of ours computes is refused with its node and what to do",
        arguments: [
            ("torch-lstm-stacked", "2 recurrent layers", "train one layer"),
            ("torch-gru-bidirectional", "(GRU) is bidirectional", "train it forward"),
            ("torch-rnn", "(RNN) has no gates", "an LSTM or a GRU"),
            ("keras-gru-reset-before", "no LSTM or GRU operator", "reset_after=True"),
            ("keras-lstm-hidden-dense", "(Relu) lies between", "the last state itself"),
        ])
    func refused(name: String, reason: String, advice: String) throws {
        let model = try ONNXCase(fixture: name).model()
        let error = #expect(throws: ExchangeError.self) {
            try NetworkImport.network(in: model, window: 5)
        }
        let text = error?.explanation ?? ""
        #expect(text.contains(reason) && text.contains(advice), "\(text)")
    }

    /// A change to an exported LSTM of 2 units that sees 7 days, and what the refusal says.
    static let spoiled: [(change: @Sendable (inout ONNXModel) -> Void, says: String)] = [
        ({ layer(&$0) { $0.set("clip", .float(3)) } }, "'recurrent' (LSTM) clips its sums"),
        (
            { layer(&$0) { $0.set("input_forget", .integer(1)) } },
            "couples input and forget gate"
        ),
        (
            {
                layer(&$0) {
                    $0.set(
                        "activations", .texts(["Sigmoid", "Tanh", "Relu"].map { Array($0.utf8) }))
                }
            },
            "activations of its own"
        ),
        ({ layer(&$0) { $0.set("direction", .text(Array("reverse".utf8))) } }, "is reverse"),
        (
            { model in
                model.add("P", Tensor([1, 6], [0, 0, 0, 1, 0, 0]))
                layer(&model) { $0.inputs += ["", "", "", "P"] }
            }, "has peepholes"
        ),
        (
            { model in
                model.add("h0", Tensor([1, 1, 2], [0, 0.5]))
                layer(&model) { $0.inputs += ["", "h0"] }
            }, "starts from a state"
        ),
        (
            { model in
                model.add("lengths", Tensor([1], integers: [5]))
                layer(&model) { $0.inputs += ["lengths"] }
            }, "sees only a part of the window"
        ),
        (
            { model in
                model.insert(
                    GraphTests.node("Mul", ["window", "dense.bias"], ["scaled"], name: "scale"))
                model.graph.nodes[1].inputs = ["scaled"]
            }, "gets its X from node 'scale' (Mul)"
        ),
        (
            { model in
                model.graph.nodes[model.graph.nodes.count - 1].outputs = ["before"]
                model.graph.nodes.append(
                    GraphTests.node("Sigmoid", ["before"], ["y"], name: "squash"))
            }, "'squash' (Sigmoid) stands where the dense layer should end"
        ),
        (
            { model in
                model.graph.initializers.removeAll { $0.name.hasPrefix("dense") }
                model.add("dense.weight", Tensor([2, 2], [1, 2, 3, 4]))
                model.add("dense.bias", Tensor([2], [1, 2]))
                model.graph.outputs[0].shape = nil
            }, "'dense' has 2 outputs"
        ),
        (
            { model in
                // The first day's state instead of the last's.
                layer(&model) { $0.outputs = ["all"] }
                model.add("first", Tensor([], integers: [0]))
                let at = model.graph.nodes.firstIndex { $0.operation == "Squeeze" } ?? 0
                model.graph.nodes[at] = GraphTests.node("Gather", ["all", "first"], ["one"])
                model.graph.nodes.insert(
                    GraphTests.node("Squeeze", ["one", "axis.direction"], ["state"]), at: at + 1)
            }, "its outputs differ from those of LSTM 'recurrent'"
        ),
        (
            { model in
                var extra = model.graph.inputs[0]
                extra.name = "h0"
                model.graph.inputs.append(extra)
            }, "the inputs 'window', 'h0'; a network has one"
        ),
        (
            { model in model.graph.inputs[0].shape = [.named("b"), .fixed(7), .fixed(65)] },
            "a day has 65 inputs"
        ),
        (
            { model in model.graph.inputs[0].shape = [.named("b"), .fixed(9), .fixed(1)] },
            "of shape [b, 9, 1] takes no window of 7 days with 1 inputs each"
        ),
        ({ model in model.graph.outputs = [] }, "has no output"),
    ]

    static func layer(_ model: inout ONNXModel, _ change: (inout ONNXNode) -> Void) {
        for index in model.graph.nodes.indices where model.graph.nodes[index].name == "recurrent" {
            change(&model.graph.nodes[index])
        }
    }

    static let plain = NetworkExportTests.Sample(.lstm, .plain, units: 2, window: 7)

    @Test("that does something no cell of ours does is refused by name", arguments: spoiled.indices)
    func refusedByName(index: Int) throws {
        var model = Self.plain.model
        #expect(throws: Never.self) { try NetworkImport.network(in: model, window: 7) }
        Self.spoiled[index].change(&model)
        let error = #expect(throws: ExchangeError.self) {
            try NetworkImport.network(in: model, window: 7)
        }
        let text = error?.explanation ?? ""
        #expect(text.contains(Self.spoiled[index].says), "\(text)")
    }

    @Test("of a GRU that resets before the recurrent product is refused")
    func resetBefore() {
        var model = NetworkExportTests.Sample(.gru, .plain, units: 2, window: 7).model
        Self.layer(&model) { $0.set("linear_before_reset", .integer(0)) }
        let error = #expect(throws: ExchangeError.self) { try NetworkImport.network(in: model) }
        #expect(error?.explanation.contains("linear_before_reset = 0") == true)
    }

    /// Other ways to write the same network.
    static let rewritten: [@Sendable (inout ONNXModel) -> Void] = [
        // The window as the graph has it when nobody says.
        { _ in },
        // Days first, as the operator itself has them.
        { model in
            model.graph.nodes.removeFirst()
            layer(&model) { $0.inputs[0] = "window" }
            model.graph.inputs[0].shape = [.fixed(7), .named("batch"), .fixed(1)]
        },
        // The operator's own batch-first layout.
        { model in
            model.graph.nodes.removeFirst()
            layer(&model) {
                $0.inputs[0] = "window"
                $0.set("layout", .integer(1))
            }
            let axis = model.graph.initializers.firstIndex { $0.name == "axis.direction" } ?? 0
            model.graph.initializers[axis].tensor = Tensor([1], integers: [1])
        },
        // Five windows at once.
        { model in
            model.graph.inputs[0].shape = [.fixed(5), .fixed(7), .fixed(1)]
            model.graph.outputs[0].shape = nil
        },
        // One window without a batch.
        { model in
            model.add("axis.batch", Tensor([1], integers: [1]))
            model.graph.nodes[0] = GraphTests.node("Unsqueeze", ["window", "axis.batch"], ["days"])
            model.graph.inputs[0].shape = [.fixed(7), .fixed(1)]
        },
        // A product and a sum for the dense layer, its bias taken away in two parts.
        { model in
            let dense = model.graph.nodes.removeLast()
            let weight = model.graph.initializers.first { $0.name == "dense.weight" }?.tensor
            let bias = model.graph.initializers.first { $0.name == "dense.bias" }?.tensor
            model.add("column", Tensor([2, 1], weight?.floats ?? []))
            model.add("less", Tensor([1], [-2 * (bias?.floats?[0] ?? 0)]))
            model.add("more", Tensor([1, 1], [-(bias?.floats?[0] ?? 0)]))
            model.graph.nodes += [
                GraphTests.node("MatMul", [dense.inputs[0], "column"], ["product"]),
                GraphTests.node("Sub", ["product", "less"], ["a"]),
                GraphTests.node("Add", ["more", "a"], ["y"]),
            ]
        },
    ]

    @Test("is the same however the graph around it is written", arguments: rewritten.indices)
    func rewrittenGraphs(index: Int) throws {
        var model = Self.plain.model
        Self.rewritten[index](&model)
        let imported = try NetworkImport.network(in: model)
        #expect(imported.window == 7)
        #expect(
            zip(imported.parameters.flattened, Self.plain.parameters.flattened)
                .allSatisfy { abs($0 - $1) < 1e-6 })
    }
}

extension ONNXModel {
    fileprivate mutating func add(_ name: String, _ tensor: Tensor) {
        graph.initializers.append(ONNXGraph.NamedTensor(name: name, tensor: tensor))
    }

    fileprivate mutating func insert(_ node: ONNXNode) { graph.nodes.insert(node, at: 0) }
}

extension ONNXNode {
    fileprivate mutating func set(_ name: String, _ value: ONNXAttribute.Value) {
        attributes.removeAll { $0.name == name }
        attributes.append(ONNXAttribute(name: name, value: value))
    }
}
