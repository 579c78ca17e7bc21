import Forecasting

/// The activation functions of ONNX's recurrent operators.
struct RecurrentActivation: Equatable {
    enum Function: String {
        case affine, elu, hardsigmoid, leakyrelu, relu, scaledtanh, sigmoid, softplus, softsign,
            tanh
        case thresholdedrelu

        /// α and β where the node gives none; nil: the function has none.
        var alpha: Double? {
            switch self {
            case .affine, .elu, .scaledtanh, .thresholdedrelu: 1
            case .hardsigmoid: Double(Float(0.2))
            case .leakyrelu: Double(Float(0.01))
            case .relu, .sigmoid, .softplus, .softsign, .tanh: nil
            }
        }

        var beta: Double? {
            switch self {
            case .affine: 0
            case .hardsigmoid: 0.5
            case .scaledtanh: 1
            case .elu, .leakyrelu, .relu, .sigmoid, .softplus, .softsign, .tanh, .thresholdedrelu:
                nil
            }
        }
    }

    var function: Function
    var alpha: Double
    var beta: Double

    /// The functions named, each taking what it needs from the lists, in their order.
    /// - Returns: nil when a name is not known.
    static func list(names: [String], alphas: [Float], betas: [Float]) -> [RecurrentActivation]? {
        var (alphas, betas) = (alphas.makeIterator(), betas.makeIterator())
        var list: [RecurrentActivation] = []
        for name in names {
            guard let function = Function(rawValue: name.lowercased()) else { return nil }
            list.append(
                RecurrentActivation(
                    function: function,
                    alpha: function.alpha.map { alphas.next().map { Double($0) } ?? $0 } ?? 0,
                    beta: function.beta.map { betas.next().map { Double($0) } ?? $0 } ?? 0))
        }
        return list
    }

    func callAsFunction(_ x: Double) -> Double {
        switch function {
        case .affine: alpha * x + beta
        case .elu: x >= 0 ? x : alpha * (exponential(x) - 1)
        case .hardsigmoid: min(max(alpha * x + beta, 0), 1)
        case .leakyrelu: x >= 0 ? x : alpha * x
        case .relu: max(x, 0)
        case .scaledtanh: alpha * hyperbolicTangent(beta * x)
        case .sigmoid: Forecasting.sigmoid(x)
        // Above 30 the 1 beside eˣ is lost to a float.
        case .softplus: x > 30 ? x : naturalLogarithm(1 + exponential(x))
        case .softsign: x / (1 + abs(x))
        case .tanh: hyperbolicTangent(x)
        case .thresholdedrelu: x > alpha ? x : 0
        }
    }
}
