/// How a graph hangs together: what its input reaches, and the dense layer that ends it.
struct GraphOutline {
    let graph: ONNXGraph
    /// The node that makes a value.
    private let producers: [String: Int]
    /// Values that the input's numbers reach; its shape alone reaches more.
    private let dependent: Set<String>

    init(_ graph: ONNXGraph) {
        self.graph = graph
        var producers: [String: Int] = [:]
        var dependent = Set(graph.openInputs.map(\.name))
        for (index, node) in graph.nodes.enumerated() {
            for output in node.outputs where !output.isEmpty { producers[output] = index }
            // A loop's body may see any value around it.
            let isReached =
                node.operation == Operator.loop.rawValue
                || node.inputs.contains(where: dependent.contains)
            if isReached, node.operation != Operator.shape.rawValue {
                dependent.formUnion(node.outputs)
            }
        }
        dependent.remove("")
        self.producers = producers
        self.dependent = dependent
    }

    func dependsOnInput(_ name: String) -> Bool { dependent.contains(name) }

    /// The LSTM, GRU and RNN nodes.
    var recurrentNodes: [ONNXNode] {
        graph.nodes.filter { node in
            [Operator.lstm, .gru, .rnn].contains { $0.rawValue == node.operation }
        }
    }

    /// Walks back from a value over nodes that only move numbers.
    /// - Returns: the name of the value they move, and what makes it; nil: it is an input or a constant.
    func source(of name: String) -> (name: String, node: ONNXNode?) {
        var name = name
        // No walk is longer than the graph has nodes, unless it goes round.
        for _ in graph.nodes.indices {
            guard let index = producers[name] else { return (name, nil) }
            let node = graph.nodes[index]
            guard let operation = Operator(rawValue: node.operation),
                Self.movers.contains(operation), let from = node.inputs.first
            else { return (name, node) }
            name = from
        }
        return (name, nil)
    }

    private static let movers: Set<Operator> = [
        .identity, .dropout, .squeeze, .unsqueeze, .reshape, .transpose, .slice, .gather, .flatten,
        .split, .cast,
    ]

    /// The dense layer the graph ends with.
    struct Head {
        /// Gemm or MatMul.
        var product: ONNXNode
        /// What enters it.
        var state: String
        /// Constants added after it, or taken away.
        var additions: [(name: String, isSubtracted: Bool)] = []
    }

    /// - Throws: `notOurs`, naming the node that is in the way.
    func head(of output: String) throws(ExchangeError) -> Head {
        var additions: [(name: String, isSubtracted: Bool)] = []
        var name = output
        for _ in graph.nodes.indices {
            guard let node = source(of: name).node else { break }
            let inputs = node.inputs.map { dependent.contains($0) }
            switch (Operator(rawValue: node.operation), inputs.count) {
            case (.matMul, 2) where inputs == [true, false],
                (.gemm, 2) where inputs == [true, false],
                (.gemm, 3) where inputs == [true, false, false]:
                return Head(product: node, state: node.inputs[0], additions: additions)
            case (.add, 2) where inputs == [true, false], (.sub, 2) where inputs == [true, false]:
                additions.append((node.inputs[1], node.operation == Operator.sub.rawValue))
                name = node.inputs[0]
            case (.add, 2) where inputs == [false, true]:
                additions.append((node.inputs[0], false))
                name = node.inputs[1]
            default:
                throw .notOurs(
                    reason:
                        "node \(node.label) (\(node.operation.printable)) stands where the dense layer "
                        + "should end the graph",
                    advice: "end the model with one dense layer of one output and no activation")
            }
        }
        throw .notOurs(
            reason: "its output '\(output.printable)' does not come from a dense layer",
            advice: "end the model with one dense layer of one output and no activation")
    }
}
