/// Computes an ONNX graph in float: the reference that an imported network is held against, not a fast engine.
///
/// Values are named; a graph inside a node sees those around it. What one run may cost is bounded.
package struct ONNXEvaluator: Sendable {
    /// Names of the operators that are computed.
    package static var operators: [String] { Operator.allCases.map(\.rawValue) }

    package let model: ONNXModel

    /// - Throws: when the operator set or an operator of the graph is not known, naming its node.
    package init(_ model: ONNXModel) throws(ExchangeError) {
        guard ONNXModel.operatorSets.contains(model.operatorSet) else {
            throw .operatorSet(version: model.operatorSet, known: ONNXModel.operatorSets)
        }
        self.model = model
        try Self.checkOperators(model.graph)
    }

    private static func checkOperators(_ graph: ONNXGraph) throws(ExchangeError) {
        for node in graph.nodes {
            guard node.domain.isEmpty, Operator(rawValue: node.operation) != nil else {
                let domain = node.domain.isEmpty ? "" : "\(node.domain.printable)."
                throw .operatorUnsupported(
                    node: node.label, name: domain + node.operation.printable)
            }
            for attribute in node.attributes {
                if case .graph(let inner) = attribute.value { try checkOperators(inner) }
            }
        }
    }

    /// - Parameter inputs: a tensor for each of the graph's open inputs.
    /// - Returns: every value of the graph by name, its outputs among them.
    package func run(_ inputs: [String: Tensor]) throws(ExchangeError) -> [String: Tensor] {
        let scope = Scope([:])
        for value in model.graph.openInputs {
            guard let tensor = inputs[value.name] else {
                throw .input(value.name.printable, reason: "it was given nothing")
            }
            try value.check(tensor)
            scope.values[value.name] = tensor
        }
        var budget = Budget()
        _ = try Self.run(model.graph, scope: scope, budget: &budget)
        return scope.values
    }

    /// Runs the nodes in their order, which ONNX asks to be one in which they can be computed.
    /// - Parameter scope: holds the graph's open inputs.
    /// - Returns: the graph's outputs.
    static func run(
        _ graph: ONNXGraph, scope: Scope, budget: inout Budget
    ) throws(ExchangeError) -> [Tensor] {
        for initializer in graph.initializers {
            scope.values[initializer.name] = initializer.tensor
        }
        for node in graph.nodes {
            try budget.spend(nodes: 1, at: node)
            let call = try NodeCall(node, scope: scope)
            let results = try call.run(budget: &budget)
            guard node.outputs.count <= results.count else {
                throw call.failure(
                    "\(node.outputs.count) outputs are asked for, it has \(results.count)")
            }
            for (name, result) in zip(node.outputs, results) where !name.isEmpty {
                guard scope.values[name] == nil else {
                    throw call.failure("'\(name.printable)' is already there")
                }
                try budget.spend(elements: result.count, at: node)
                scope.values[name] = result
            }
        }
        var outputs: [Tensor] = []
        for output in graph.outputs {
            guard let tensor = scope.find(output.name) else {
                throw .input(output.name.printable, reason: "an output that no node makes")
            }
            outputs.append(tensor)
        }
        return outputs
    }

    /// The values of a graph, and of those it lies in.
    final class Scope {
        var values: [String: Tensor]
        private let outer: Scope?

        init(_ values: [String: Tensor], outer: Scope? = nil) {
            self.values = values
            self.outer = outer
        }

        func find(_ name: String) -> Tensor? {
            var scope: Scope? = self
            while let here = scope {
                if let tensor = here.values[name] { return tensor }
                scope = here.outer
            }
            return nil
        }
    }

    /// What is left of what one run may cost.
    struct Budget {
        private var nodes = 1 << 18
        private var elements = 1 << 24
        private var products = 1 << 30

        mutating func spend(
            nodes: Int = 0, elements: Int = 0, products: Int = 0, at node: ONNXNode
        ) throws(ExchangeError) {
            self.nodes -= nodes
            self.elements -= elements
            self.products -= products
            guard self.nodes >= 0 else {
                throw .tooMuchWork(node: node.label, what: "\(1 << 18) steps")
            }
            guard self.elements >= 0 else {
                throw .tooMuchWork(node: node.label, what: "\(1 << 24) numbers")
            }
            guard self.products >= 0 else {
                throw .tooMuchWork(node: node.label, what: "\(1 << 30) multiplications")
            }
        }
    }
}

extension ONNXValue {
    fileprivate func check(_ tensor: Tensor) throws(ExchangeError) {
        if (tensor.floats != nil) != type.isFloat {
            throw .input(name.printable, reason: "it asks for another element type")
        }
        guard let shape else { return }
        guard shape.count == tensor.shape.count else {
            throw .input(
                name.printable,
                reason: "it has \(shape.count) dimensions, and was given \(tensor.shape)")
        }
        for (dimension, size) in zip(shape, tensor.shape) {
            if case .fixed(let fixed) = dimension, fixed != size {
                throw .input(
                    name.printable, reason: "a dimension of \(fixed) was given a size of \(size)")
            }
        }
    }
}
