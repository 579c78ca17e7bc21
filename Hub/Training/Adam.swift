/// Adam (Kingma and Ba 2015) over one flat vector, with the gradient's norm held at a ceiling.
struct Adam {
    private let beta1: Float = 0.9
    private let beta2: Float = 0.999
    private let epsilon: Float = 1e-7
    /// A single odd batch must not undo an epoch: gradients are scaled down to this Euclidean norm.
    private let normMax: Float = 1
    private var mean: [Float]
    private var square: [Float]
    private var beta1Power: Float = 1
    private var beta2Power: Float = 1

    init(count: Int) {
        mean = [Float](repeating: 0, count: count)
        square = [Float](repeating: 0, count: count)
    }

    /// One step against `gradient`, which has as many values as `weights`.
    mutating func step(weights: inout [Float], gradient: [Float], learningRate: Float) {
        precondition(weights.count == mean.count && gradient.count == mean.count)
        var squares: Float = 0
        for value in gradient { squares += value * value }
        let norm = squares.squareRoot()
        let scale = norm > normMax ? normMax / norm : 1
        beta1Power *= beta1
        beta2Power *= beta2
        let rate = learningRate * (1 - beta2Power).squareRoot() / (1 - beta1Power)
        let (beta1, beta2, epsilon) = (beta1, beta2, epsilon)
        weights.withUnsafeMutableBufferPointer { w in
            gradient.withUnsafeBufferPointer { g in
                mean.withUnsafeMutableBufferPointer { m in
                    square.withUnsafeMutableBufferPointer { v in
                        for k in 0..<w.count {
                            let value = g[k] * scale
                            m[k] = beta1 * m[k] + (1 - beta1) * value
                            v[k] = beta2 * v[k] + (1 - beta2) * value * value
                            w[k] -= rate * m[k] / (v[k].squareRoot() + epsilon)
                        }
                    }
                }
            }
        }
    }
}
