import ModelExchange
import Testing

/// Graphs made here, for what the stock tests do not hold: errors and bounds.
@Suite("A graph")
struct GraphTests {
    static func node(
        _ operation: String, _ inputs: [String], _ outputs: [String],
        _ attributes: [(String, ONNXAttribute.Value)] = [], name: String = ""
    ) -> ONNXNode {
        var node = ONNXNode()
        node.operation = operation
        node.name = name
        node.inputs = inputs
        node.outputs = outputs
        node.attributes = attributes.map { ONNXAttribute(name: $0.0, value: $0.1) }
        return node
    }

    static func graph(
        _ nodes: [ONNXNode], inputs: [String] = ["x"], outputs: [String] = ["y"],
        constants: [(String, Tensor)] = []
    ) -> ONNXGraph {
        func value(_ name: String) -> ONNXValue {
            var value = ONNXValue()
            value.name = name
            return value
        }
        var graph = ONNXGraph()
        graph.nodes = nodes
        graph.inputs = inputs.map(value)
        graph.outputs = outputs.map(value)
        graph.initializers = constants.map { ONNXGraph.NamedTensor(name: $0.0, tensor: $0.1) }
        return graph
    }

    static func model(_ graph: ONNXGraph) -> ONNXModel {
        var model = ONNXModel()
        model.operatorSet = 17
        model.graph = graph
        return model
    }

    /// What running a graph on a small `x` says.
    static func complaint(_ graph: ONNXGraph) -> String {
        do throws(ExchangeError) {
            _ = try ONNXEvaluator(model(graph)).run(["x": Tensor([2, 3], [1, 2, 3, 4, 5, 6])])
            return "nothing"
        } catch {
            return error.explanation
        }
    }

    static let wrong: [(graph: ONNXGraph, says: String)] = [
        (
            graph([node("Softmax", ["x"], ["y"], name: "head/softmax")]),
            "node 'head/softmax' uses the operator Softmax, which is not supported"
        ),
        (graph([node("Softmax", ["x"], ["y"])]), "node that makes 'y' uses the operator Softmax"),
        (graph([node("Tanh", ["z"], ["y"])]), "its input 'z' is made by no node before it"),
        (graph([node("Tanh", ["x"], ["x"])]), "'x' is already there"),
        (graph([node("Tanh", ["x"], ["z"])]), "an output that no node makes"),
        (graph([node("Tanh", ["x"], ["y", "z"])]), "2 outputs are asked for, it has 1"),
        (graph([node("Tanh", [], ["y"])]), "input 0 is not given"),
        (graph([node("MatMul", ["x", "x"], ["y"])]), "shapes [2, 3] and [2, 3] do not fit"),
        (graph([node("Gather", ["x", "x"], ["y"])]), "has to be of integers"),
        (
            graph(
                [node("Tanh", ["x"], ["y"], name: "\u{1B}[31mred")]
                    + [node("Tanh", ["y"], ["y"], name: "\u{1B}[31mred")]),
            "node '?[31mred'"
        ),
        (
            graph(
                [node("ConstantOfShape", ["shape"], ["y"])],
                constants: [("shape", Tensor([2], integers: [4_000_000, 4_000_000]))]),
            "negative or too large"
        ),
        (
            graph(
                [node("Expand", ["x", "shape"], ["y"])],
                constants: [("shape", Tensor([3], integers: [1 << 40, 2, 3]))]),
            "negative or too large"
        ),
        (
            graph(
                [
                    node("Reshape", ["x", "column"], ["a"]), node("Reshape", ["x", "row"], ["b"]),
                ] + (0..<40).map { node("Expand", ["a", "wide"], ["y\($0)"]) },
                outputs: ["y0"],
                constants: [
                    ("column", Tensor([2], integers: [6, 1])),
                    ("row", Tensor([2], integers: [1, 6])),
                    ("wide", Tensor([2], integers: [6, 600_000])),
                ]),
            "asks for more than 16777216 numbers"
        ),
        (
            graph(
                [
                    node("Expand", ["one", "tall"], ["a"]), node("Expand", ["one", "wide"], ["b"]),
                    node("MatMul", ["a", "b"], ["y"]),
                ],
                constants: [
                    ("one", Tensor([1, 1], [1])), ("tall", Tensor([2], integers: [2_000, 2_000])),
                    ("wide", Tensor([2], integers: [2_000, 2_000])),
                ]),
            "multiplications"
        ),
        (
            graph(
                [
                    node(
                        "Loop", ["", "", "x"], ["y"],
                        [
                            (
                                "body",
                                .graph(
                                    graph(
                                        [node("Identity", ["c"], ["d"])],
                                        inputs: ["i", "c", "v"], outputs: ["d", "v"]))
                            )
                        ])
                ]),
            "steps"
        ),
        (
            graph(
                [node("LSTM", ["x3", "w", "r"], ["y"])],
                constants: [
                    ("x3", Tensor([1, 1, 2], [1, 2])),
                    ("w", Tensor([1, 4, 2], [Float](repeating: 0, count: 8))),
                    ("r", Tensor([1, 3, 1], [0, 0, 0])),
                ]),
            "R of shape [1, 3, 1] instead of [1, 4, 1]"
        ),
    ]

    @Test(
        "that cannot be computed is refused with its node and the reason", arguments: wrong.indices)
    func refusals(index: Int) {
        let row = Self.wrong[index]
        let complaint = Self.complaint(row.graph)
        #expect(complaint.contains(row.says), "\(complaint)")
    }

    @Test("of an operator set not known is refused")
    func operatorSet() {
        var model = Self.model(Self.graph([Self.node("Tanh", ["x"], ["y"])]))
        model.operatorSet = 99
        #expect(throws: ExchangeError.operatorSet(version: 99, known: 7...27)) {
            try ONNXEvaluator(model)
        }
    }

    @Test("is asked for inputs of the shape it states")
    func inputs() throws {
        var graph = Self.graph([Self.node("Tanh", ["x"], ["y"])])
        graph.inputs[0].shape = [.named("batch"), .fixed(3)]
        let evaluator = try ONNXEvaluator(Self.model(graph))
        #expect(try evaluator.run(["x": Tensor([1, 3], [0, 0, 0])])["y"]?.count == 3)
        for wrong in [
            Tensor([1, 4], [0, 0, 0, 0]), Tensor([3], [0, 0, 0]),
            Tensor([1, 3], integers: [0, 0, 0]),
        ] {
            #expect(throws: ExchangeError.self) { try evaluator.run(["x": wrong]) }
        }
        #expect(throws: ExchangeError.self) { try evaluator.run([:]) }
    }
}
