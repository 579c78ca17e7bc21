/// ONNX's LSTM, GRU and RNN (operator sets 7 to 27), with all their attributes.
///
/// D directions, T steps, B sequences, I inputs, H units, G gates. Gate order: LSTM i o f c, GRU z r h.
struct RecurrentOperator: Equatable {
    enum Direction: String {
        case forward, reverse, bidirectional
    }

    let kind: Operator
    var direction = Direction.forward
    /// Nil: as the recurrent weights have it.
    var hiddenSize: Int?
    /// Those of one direction after the other.
    var activations: [RecurrentActivation] = []
    /// Holds the gates' sums within -clip...clip before their activation. The specification's words would
    /// have it hold the LSTM's cell too before its output's; ONNX Runtime, which all compare with, does not.
    var clip: Double?
    /// The LSTM's forget gate is 1 − its input gate.
    var isInputForget = false
    /// The GRU's reset gate multiplies the recurrent product, not what enters it.
    var isLinearBeforeReset = false
    /// X is `[B, T, I]`, Y is `[B, T, D, H]` and states are `[B, D, H]`, instead of T or D first.
    var isBatchFirst = false

    var gates: Int { Self.gates(kind) }
    var directions: Int { direction == .bidirectional ? 2 : 1 }

    static func gates(_ kind: Operator) -> Int {
        switch kind {
        case .lstm: 4
        case .gru: 3
        default: 1
        }
    }

    static func defaultActivations(_ kind: Operator) -> [String] {
        switch kind {
        case .lstm: ["Sigmoid", "Tanh", "Tanh"]
        case .gru: ["Sigmoid", "Tanh"]
        default: ["Tanh"]
        }
    }

    /// - Throws: at an attribute that is not as the specification has it.
    init(_ call: NodeCall) throws(ExchangeError) {
        kind = call.operation
        if let text = try call.text("direction") {
            guard let direction = Direction(rawValue: text.lowercased()) else {
                throw call.failure("direction '\(text.printable)'")
            }
            self.direction = direction
        }
        if let size = try call.integer("hidden_size") {
            guard (1...Int64(Tensor.elementsMax)).contains(size) else {
                throw call.failure("hidden_size \(size)")
            }
            hiddenSize = Int(size)
        }
        let defaults = Self.defaultActivations(kind)
        let names = try call.texts("activations") ?? []
        let all = Array(repeatElement(defaults, count: directions).joined())
        guard names.isEmpty || names.count == all.count else {
            throw call.failure("\(names.count) activations instead of \(all.count)")
        }
        guard
            let list = RecurrentActivation.list(
                names: names.isEmpty ? all : names,
                alphas: try call.floats("activation_alpha") ?? [],
                betas: try call.floats("activation_beta") ?? [])
        else {
            throw call.failure(
                "an activation is not known: \(names.joined(separator: " ").printable)")
        }
        activations = list
        if let clip = try call.float("clip"), clip > 0 { self.clip = Double(clip) }
        isInputForget = try call.integer("input_forget", default: 0) != 0
        isLinearBeforeReset = try call.integer("linear_before_reset", default: 0) != 0
        isBatchFirst = try call.integer("layout", default: 0) != 0
    }

    /// What the node is given, shapes checked.
    struct Inputs {
        var steps: Int
        var batch: Int
        var inputWidth: Int
        var units: Int
        /// `[T, B, I]`
        var x: [Float]
        /// `[D, G·H, I]`
        var w: [Float]
        /// `[D, G·H, H]`
        var r: [Float]
        /// `[D, 2, G·H]`: those of W, then those of R.
        var b: [Float]
        /// `[B]`, each 1...T
        var lengths: [Int]
        /// `[D, B, H]`
        var initialHidden: [Float]
        var initialCell: [Float]
        /// `[D, 3, H]`: input, output, forget; nil without peepholes.
        var peepholes: [Float]?
    }

    func inputs(_ call: NodeCall) throws(ExchangeError) -> Inputs {
        let (xShape, xValues) = try call.floats(0)
        let (wShape, w) = try call.floats(1)
        let (rShape, r) = try call.floats(2)
        guard xShape.count == 3, rShape.count == 3 else {
            throw call.failure(
                "X of shape \(xShape) and R of shape \(rShape): three dimensions each")
        }
        let (D, I, H) = (directions, xShape[2], rShape[2])
        let (T, B) = isBatchFirst ? (xShape[1], xShape[0]) : (xShape[0], xShape[1])
        guard T > 0, B > 0, I > 0, H > 0 else { throw call.failure("X or R is empty") }
        guard hiddenSize == nil || hiddenSize == H else {
            throw call.failure("hidden_size is not that of R, \(H)")
        }
        func optional(_ index: Int, _ name: String, _ shape: [Int]) throws(ExchangeError)
            -> [Float]?
        {
            guard call.optional(index) != nil else { return nil }
            let (given, values) = try call.floats(index)
            guard given == shape else {
                throw call.failure("\(name) of shape \(given) instead of \(shape)")
            }
            return values
        }
        guard wShape == [D, gates * H, I] else {
            throw call.failure("W of shape \(wShape) instead of \([D, gates * H, I])")
        }
        guard rShape == [D, gates * H, H] else {
            throw call.failure("R of shape \(rShape) instead of \([D, gates * H, H])")
        }
        var lengths = [Int](repeating: T, count: B)
        if call.optional(4) != nil {
            let given = try call.integers(4)
            guard given.count == B, given.allSatisfy({ (1...Int64(T)).contains($0) }) else {
                throw call.failure("sequence_lens has to be \(B) numbers within 1...\(T)")
            }
            lengths = given.map { Int($0) }
        }
        let stateShape = isBatchFirst ? [B, D, H] : [D, B, H]
        func state(_ index: Int, _ name: String) throws(ExchangeError) -> [Float] {
            guard let values = try optional(index, name, stateShape) else {
                return [Float](repeating: 0, count: D * B * H)
            }
            return isBatchFirst ? Self.swapped(values, B, D, H) : values
        }
        let isLSTM = kind == .lstm
        return Inputs(
            steps: T, batch: B, inputWidth: I, units: H,
            x: isBatchFirst ? Self.swapped(xValues, B, T, I) : xValues, w: w, r: r,
            b: try optional(3, "B", [D, 2 * gates * H])
                ?? [Float](repeating: 0, count: D * 2 * gates * H),
            lengths: lengths, initialHidden: try state(5, "initial_h"),
            initialCell: isLSTM ? try state(6, "initial_c") : [],
            peepholes: isLSTM ? try optional(7, "P", [D, 3 * H]) : nil)
    }

    /// `[a, b, c]` as `[b, a, c]`.
    private static func swapped(_ values: [Float], _ a: Int, _ b: Int, _ c: Int) -> [Float] {
        Tensor.walk(shape: [b, a, c], steps: [c, b * c, 1]).map { values[$0] }
    }

    /// - Returns: Y, Y_h and, of the LSTM, Y_c.
    func run(
        _ call: NodeCall, budget: inout ONNXEvaluator.Budget
    ) throws(ExchangeError) -> [Tensor] {
        let given = try inputs(call)
        let (T, B, I, H, D) = (
            given.steps, given.batch, given.inputWidth, given.units, directions
        )
        // T · B is no more than X has elements, the sum no more than W and R have: below 2⁴⁶.
        try budget.spend(products: T * B * (D * gates * H * (I + H)), at: call.node)
        _ = try call.shape([Int64(T), Int64(D), Int64(B), Int64(H)])
        var y = [Float](repeating: 0, count: T * D * B * H)
        var lastHidden = [Float](repeating: 0, count: D * B * H)
        var lastCell = lastHidden
        for d in 0..<D {
            for b in 0..<B {
                let states = (d * B + b) * H..<(d * B + b + 1) * H
                var h = given.initialHidden[states].map { Double($0) }
                var c = kind == .lstm ? given.initialCell[states].map { Double($0) } : []
                let isReverse = direction == .reverse || d == 1
                for step in 0..<given.lengths[b] {
                    let t = isReverse ? given.lengths[b] - 1 - step : step
                    advance(given, direction: d, x: (t * B + b) * I, h: &h, c: &c)
                    for j in 0..<H { y[((t * D + d) * B + b) * H + j] = Float(h[j]) }
                }
                for j in 0..<H {
                    lastHidden[states.lowerBound + j] = Float(h[j])
                    if kind == .lstm { lastCell[states.lowerBound + j] = Float(c[j]) }
                }
            }
        }
        func state(_ values: [Float]) -> Tensor {
            isBatchFirst
                ? Tensor([B, D, H], Self.swapped(values, D, B, H)) : Tensor([D, B, H], values)
        }
        let steps = Tensor([T, D, B, H], y)
        let all =
            isBatchFirst
            ? steps.picking(
                Tensor.walk(shape: [B, T, D, H], steps: [H, D * B * H, B * H, 1]),
                shape: [B, T, D, H])
            : steps
        return [all, state(lastHidden)] + (kind == .lstm ? [state(lastCell)] : [])
    }

    /// One step of one sequence.
    /// - Parameters:
    ///   - x: where in `given.x` the step's inputs start.
    ///   - h: `[H]`
    ///   - c: `[H]`, of the LSTM.
    private func advance(
        _ given: Inputs, direction d: Int, x: Int, h: inout [Double], c: inout [Double]
    ) {
        let (I, H) = (given.inputWidth, given.units)
        let rows = gates * H
        let perDirection = activations.count / directions
        let f = activations[d * perDirection]
        let g = activations[d * perDirection + min(1, perDirection - 1)]
        func clipped(_ value: Double) -> Double {
            clip.map { min(max(value, -$0), $0) } ?? value
        }
        /// W x + b of row `row`.
        func fromInput(_ row: Int) -> Double {
            var sum = Double(given.b[d * 2 * rows + row])
            for i in 0..<I {
                sum += Double(given.w[(d * rows + row) * I + i]) * Double(given.x[x + i])
            }
            return sum
        }
        /// R h + b of row `row`.
        func fromHidden(_ row: Int, _ h: [Double]) -> Double {
            var sum = Double(given.b[(d * 2 + 1) * rows + row])
            for j in 0..<H { sum += Double(given.r[(d * rows + row) * H + j]) * h[j] }
            return sum
        }
        func sum(_ gate: Int, _ j: Int) -> Double {
            fromInput(gate * H + j) + fromHidden(gate * H + j, h)
        }
        switch kind {
        case .lstm:
            let output = activations[d * perDirection + 2]
            func peephole(_ gate: Int, _ j: Int) -> Double {
                given.peepholes.map { Double($0[(d * 3 + gate) * H + j]) } ?? 0
            }
            var next = h
            for j in 0..<H {
                let input = f(clipped(sum(0, j) + peephole(0, j) * c[j]))
                let forget =
                    isInputForget ? 1 - input : f(clipped(sum(2, j) + peephole(2, j) * c[j]))
                c[j] = forget * c[j] + input * g(clipped(sum(3, j)))
                next[j] = f(clipped(sum(1, j) + peephole(1, j) * c[j])) * output(c[j])
            }
            h = next
        case .gru:
            let z = (0..<H).map { f(clipped(sum(0, $0))) }
            let r = (0..<H).map { f(clipped(sum(1, $0))) }
            let reset = (0..<H).map { r[$0] * h[$0] }
            h = (0..<H).map { j in
                let row = 2 * H + j
                let recurrent =
                    isLinearBeforeReset ? r[j] * fromHidden(row, h) : fromHidden(row, reset)
                return (1 - z[j]) * g(clipped(fromInput(row) + recurrent)) + z[j] * h[j]
            }
        default:
            h = (0..<H).map { f(clipped(sum(0, $0))) }
        }
    }
}
