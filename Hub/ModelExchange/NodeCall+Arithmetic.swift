import Forecasting

// Operators whose results are computed, as the ONNX operator specification (1.22) defines them.
extension NodeCall {
    func elementwise() throws(ExchangeError) -> Tensor {
        let (a, b) = (try input(0), try input(1))
        guard let shape = Tensor.broadcast(a.shape, b.shape) else {
            throw failure("shapes \(a.shape) and \(b.shape) do not fit")
        }
        // Two vectors stretched to a matrix may be too large though each is small.
        _ = try self.shape(shape.map { Int64($0) })
        let pairs = zip(a.indices(stretchedTo: shape), b.indices(stretchedTo: shape))
        switch (a.elements, b.elements) {
        case (.floats(let x), .floats(let y)):
            switch operation {
            case .add: return Tensor(shape, pairs.map { x[$0] + y[$1] })
            case .sub: return Tensor(shape, pairs.map { x[$0] - y[$1] })
            case .mul: return Tensor(shape, pairs.map { x[$0] * y[$1] })
            case .div: return Tensor(shape, pairs.map { x[$0] / y[$1] })
            case .less: return Tensor(shape, integers: pairs.map { x[$0] < y[$1] ? 1 : 0 })
            default: throw failure("it takes truth values")
            }
        case (.integers(let x), .integers(let y)):
            switch operation {
            case .add: return Tensor(shape, integers: pairs.map { x[$0] &+ y[$1] })
            case .sub: return Tensor(shape, integers: pairs.map { x[$0] &- y[$1] })
            case .mul: return Tensor(shape, integers: pairs.map { x[$0] &* y[$1] })
            case .div:
                guard !y.contains(0) else { throw failure("a division by zero") }
                // The one quotient that overflows wraps, as multiplication does.
                return Tensor(
                    shape, integers: pairs.map { x[$0].dividedReportingOverflow(by: y[$1]).0 })
            case .less: return Tensor(shape, integers: pairs.map { x[$0] < y[$1] ? 1 : 0 })
            default:
                return Tensor(shape, integers: pairs.map { x[$0] != 0 && y[$1] != 0 ? 1 : 0 })
            }
        case (.floats, .integers), (.integers, .floats):
            throw failure("one input is of floats, the other of integers")
        }
    }

    func activation() throws(ExchangeError) -> Tensor {
        let (shape, values) = try floats(0)
        return switch operation {
        case .relu: Tensor(shape, values.map { $0 < 0 ? 0 : $0 })
        case .sigmoid: Tensor(shape, values.map { Forecasting.sigmoid($0) })
        default: Tensor(shape, values.map { hyperbolicTangent($0) })
        }
    }

    func cast() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        guard let to = try integer("to"), let type = ONNXType(rawValue: to) else {
            throw failure("only casts to float, double, int32, int64 and bool are known")
        }
        switch (tensor.elements, type) {
        case (.floats, .float), (.floats, .double): return tensor
        case (.integers(let values), .float), (.integers(let values), .double):
            return Tensor(tensor.shape, values.map { Float($0) })
        case (.floats(let values), .bool):
            return Tensor(tensor.shape, integers: values.map { $0 == 0 ? 0 : 1 })
        case (.integers(let values), .bool):
            return Tensor(tensor.shape, integers: values.map { $0 == 0 ? 0 : 1 })
        case (.floats(let values), .int32), (.floats(let values), .int64):
            // Outside the integers the specification leaves the result open.
            return Tensor(
                tensor.shape,
                integers: values.map { Int64(exactly: $0.rounded(.towardZero)) ?? 0 })
        case (.integers(let values), .int32):
            return Tensor(
                tensor.shape, integers: values.map { Int64(Int32(truncatingIfNeeded: $0)) })
        case (.integers, .int64): return tensor
        }
    }

    /// `A · B` as NumPy's matmul.
    func matrixProduct(budget: inout ONNXEvaluator.Budget) throws(ExchangeError) -> Tensor {
        let (a, x) = try floats(0)
        let (b, y) = try floats(1)
        guard !a.isEmpty, !b.isEmpty else { throw failure("a scalar is no matrix") }
        let aShape = a.count == 1 ? [1, a[0]] : a
        let bShape = b.count == 1 ? [b[0], 1] : b
        let (rows, inner) = (aShape[aShape.count - 2], aShape[aShape.count - 1])
        let columns = bShape[bShape.count - 1]
        let (aLead, bLead) = (Array(aShape.dropLast(2)), Array(bShape.dropLast(2)))
        guard inner == bShape[bShape.count - 2], let lead = Tensor.broadcast(aLead, bLead) else {
            throw failure("shapes \(a) and \(b) do not fit")
        }
        let dimensions = (lead + [rows, columns]).map { Int64($0) }
        let (full, count) = try shape(dimensions)
        // Both at most 2²².
        try budget.spend(products: count * inner, at: node)
        let blocksA = Tensor.indices(of: aLead, stretchedTo: lead)
        let blocksB = Tensor.indices(of: bLead, stretchedTo: lead)
        var result: [Float] = []
        result.reserveCapacity(count)
        for (blockA, blockB) in zip(blocksA, blocksB) {
            let (startA, startB) = (blockA * rows * inner, blockB * inner * columns)
            for row in 0..<rows {
                for column in 0..<columns {
                    var sum = 0.0
                    for k in 0..<inner {
                        sum +=
                            Double(x[startA + row * inner + k])
                            * Double(y[startB + k * columns + column])
                    }
                    result.append(Float(sum))
                }
            }
        }
        var shape = full
        if b.count == 1 { shape.removeLast() }
        if a.count == 1 { shape.remove(at: lead.count) }
        return Tensor(shape, result)
    }

    /// `α · A' · B' + β · C`
    func generalProduct(budget: inout ONNXEvaluator.Budget) throws(ExchangeError) -> Tensor {
        let (a, x) = try floats(0)
        let (b, y) = try floats(1)
        guard a.count == 2, b.count == 2 else { throw failure("it takes matrices") }
        let isATransposed = try integer("transA", default: 0) != 0
        let isBTransposed = try integer("transB", default: 0) != 0
        let (rows, inner) = isATransposed ? (a[1], a[0]) : (a[0], a[1])
        let (innerB, columns) = isBTransposed ? (b[1], b[0]) : (b[0], b[1])
        guard inner == innerB else { throw failure("shapes \(a) and \(b) do not fit") }
        let alpha = Double(try float("alpha") ?? 1)
        let beta = Double(try float("beta") ?? 1)
        let (shape, count) = try self.shape([Int64(rows), Int64(columns)])
        try budget.spend(products: count * inner, at: node)
        var result = [Double](repeating: 0, count: count)
        for row in 0..<rows {
            for column in 0..<columns {
                var sum = 0.0
                for k in 0..<inner {
                    sum +=
                        Double(x[isATransposed ? k * rows + row : row * inner + k])
                        * Double(y[isBTransposed ? column * inner + k : k * columns + column])
                }
                result[row * columns + column] = alpha * sum
            }
        }
        if let c = optional(2) {
            guard let values = c.floats, Tensor.broadcast(c.shape, shape) == shape else {
                throw failure("input 2 of shape \(c.shape) cannot be added to \(shape)")
            }
            for (k, from) in c.indices(stretchedTo: shape).enumerated() {
                result[k] += beta * Double(values[from])
            }
        }
        return Tensor(shape, result.map { Float($0) })
    }
}
