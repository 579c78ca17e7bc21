/// The operators of the default domain that are computed.
enum Operator: String, CaseIterable {
    case add = "Add"
    case and = "And"
    case cast = "Cast"
    case concat = "Concat"
    case constant = "Constant"
    case constantOfShape = "ConstantOfShape"
    case div = "Div"
    case dropout = "Dropout"
    case expand = "Expand"
    case flatten = "Flatten"
    case gather = "Gather"
    case gemm = "Gemm"
    case gru = "GRU"
    case identity = "Identity"
    case less = "Less"
    case loop = "Loop"
    case lstm = "LSTM"
    case matMul = "MatMul"
    case mul = "Mul"
    case relu = "Relu"
    case reshape = "Reshape"
    case rnn = "RNN"
    case shape = "Shape"
    case sigmoid = "Sigmoid"
    case slice = "Slice"
    case split = "Split"
    case squeeze = "Squeeze"
    case sub = "Sub"
    case tanh = "Tanh"
    case transpose = "Transpose"
    case unsqueeze = "Unsqueeze"
}

/// One node with what it is given.
struct NodeCall {
    let node: ONNXNode
    let operation: Operator
    let scope: ONNXEvaluator.Scope
    private let given: [Tensor?]

    /// A node that is only asked for its attributes.
    init(attributesOf node: ONNXNode) throws(ExchangeError) {
        guard let operation = Operator(rawValue: node.operation), node.domain.isEmpty else {
            throw .operatorUnsupported(node: node.label, name: node.operation.printable)
        }
        self.node = node
        self.operation = operation
        scope = ONNXEvaluator.Scope([:])
        given = []
    }

    /// - Throws: when a value it names is not there yet.
    init(_ node: ONNXNode, scope: ONNXEvaluator.Scope) throws(ExchangeError) {
        guard let operation = Operator(rawValue: node.operation), node.domain.isEmpty else {
            throw .operatorUnsupported(node: node.label, name: node.operation.printable)
        }
        self.node = node
        self.operation = operation
        self.scope = scope
        var given: [Tensor?] = []
        for name in node.inputs {
            guard !name.isEmpty else {
                given.append(nil)
                continue
            }
            guard let tensor = scope.find(name) else {
                throw .node(
                    node.label, name: node.operation,
                    reason: "its input '\(name.printable)' is made by no node before it")
            }
            given.append(tensor)
        }
        self.given = given
    }

    func run(budget: inout ONNXEvaluator.Budget) throws(ExchangeError) -> [Tensor] {
        switch operation {
        case .add, .sub, .mul, .div, .less, .and: [try elementwise()]
        case .relu, .sigmoid, .tanh: [try activation()]
        case .matMul: [try matrixProduct(budget: &budget)]
        case .gemm: [try generalProduct(budget: &budget)]
        case .identity: [try input(0)]
        case .dropout: [try dropout()]
        case .cast: [try cast()]
        case .constant: [try constant()]
        case .constantOfShape: [try constantOfShape()]
        case .shape: [try shapeOf()]
        case .reshape: [try reshape()]
        case .flatten: [try flatten()]
        case .squeeze: [try squeeze()]
        case .unsqueeze: [try unsqueeze()]
        case .transpose: [try transpose()]
        case .expand: [try expand()]
        case .slice: [try slice()]
        case .gather: [try gather()]
        case .concat: [try concat()]
        case .split: try split()
        case .lstm, .gru, .rnn: try RecurrentOperator(self).run(self, budget: &budget)
        case .loop: try loop(budget: &budget)
        }
    }

    var inputCount: Int { given.count }

    func failure(_ reason: String) -> ExchangeError {
        .node(node.label, name: node.operation, reason: reason)
    }

    /// An input that may be left out.
    func optional(_ index: Int) -> Tensor? {
        index < given.count ? given[index] : nil
    }

    func input(_ index: Int) throws(ExchangeError) -> Tensor {
        guard let tensor = optional(index) else { throw failure("input \(index) is not given") }
        return tensor
    }

    func floats(_ index: Int) throws(ExchangeError) -> (shape: [Int], values: [Float]) {
        let tensor = try input(index)
        guard let values = tensor.floats else {
            throw failure("input \(index) is of integers, and has to be of floats")
        }
        return (tensor.shape, values)
    }

    func integers(_ index: Int) throws(ExchangeError) -> [Int64] {
        guard let values = try input(index).integers else {
            throw failure("input \(index) is of floats, and has to be of integers")
        }
        return values
    }

    func attribute(_ name: String) -> ONNXAttribute.Value? {
        node.attributes.first { $0.name == name }?.value
    }

    func integer(_ name: String) throws(ExchangeError) -> Int64? {
        switch attribute(name) {
        case nil: return nil
        case .integer(let value): return value
        default: throw failure("attribute \(name) is not an integer")
        }
    }

    func integer(_ name: String, default value: Int64) throws(ExchangeError) -> Int64 {
        try integer(name) ?? value
    }

    func float(_ name: String) throws(ExchangeError) -> Float? {
        switch attribute(name) {
        case nil: return nil
        case .float(let value): return value
        default: throw failure("attribute \(name) is not a float")
        }
    }

    func integers(_ name: String) throws(ExchangeError) -> [Int64]? {
        switch attribute(name) {
        case nil: return nil
        case .integers(let values): return values
        default: throw failure("attribute \(name) is not a list of integers")
        }
    }

    func floats(_ name: String) throws(ExchangeError) -> [Float]? {
        switch attribute(name) {
        case nil: return nil
        case .floats(let values): return values
        default: throw failure("attribute \(name) is not a list of floats")
        }
    }

    func text(_ name: String) throws(ExchangeError) -> String? {
        switch attribute(name) {
        case nil: return nil
        case .text(let bytes): return String(decoding: bytes, as: UTF8.self)
        default: throw failure("attribute \(name) is not a string")
        }
    }

    func texts(_ name: String) throws(ExchangeError) -> [String]? {
        switch attribute(name) {
        case nil: return nil
        case .texts(let texts): return texts.map { String(decoding: $0, as: UTF8.self) }
        default: throw failure("attribute \(name) is not a list of strings")
        }
    }

    /// An axis as ONNX writes it, counted from the end when negative.
    func axis(_ value: Int64, rank: Int) throws(ExchangeError) -> Int {
        let rank64 = Int64(rank)
        guard (-rank64..<rank64).contains(value) else {
            throw failure("axis \(value) of \(rank) dimensions")
        }
        return Int(value < 0 ? value + rank64 : value)
    }

    /// Axes of the attribute, as older operator sets have them, or of an input; nil: none are given.
    func axes(input index: Int, rank: Int) throws(ExchangeError) -> [Int]? {
        var values = try integers("axes")
        if values == nil, optional(index) != nil { values = try integers(index) }
        guard let values else { return nil }
        guard values.count <= Tensor.rankMax else { throw failure("\(values.count) axes") }
        var axes: [Int] = []
        for value in values {
            let axis = try axis(value, rank: rank)
            guard !axes.contains(axis) else { throw failure("axis \(value) is named twice") }
            axes.append(axis)
        }
        return axes
    }

    /// A shape that came as a value.
    func shape(_ dimensions: [Int64]) throws(ExchangeError) -> (shape: [Int], count: Int) {
        guard let result = Tensor.shape(dimensions) else {
            throw failure("a shape of \(dimensions.prefix(8)), which is negative or too large")
        }
        return result
    }
}
