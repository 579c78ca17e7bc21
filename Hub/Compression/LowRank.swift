package import Forecasting
import Training

/// Low rank: a kernel becomes the product of two thin matrices, its truncated singular value decomposition, which is
/// the nearest of its rank (Eckart and Young 1936; for recurrent kernels: Prabhavalkar et al. 2016).
package enum LowRank {
    /// The least rank that keeps a share of a kernel's energy, the sum of its squared singular values.
    /// - Parameter share: above 0 and below 1.
    /// - Returns: at least 1.
    package static func rank(
        of tensor: IntegerTensor, in parameters: NetworkParameters, keeping share: Double
    ) throws(CompressionError) -> Int {
        guard share > 0, share < 1 else { throw .energyShare(share) }
        try parameters.checkFinite()
        let energies = SingularValues(parameters.kernel(tensor)).values.map { $0 * $0 }
        let needed = share * energies.reduce(0, +)
        var sum = 0.0
        for (index, energy) in energies.enumerated() {
            sum += energy
            if sum >= needed { return index + 1 }
        }
        return max(energies.count, 1)
    }

    /// What a rank above is not: the smaller side of the kernel.
    package static func fullRank(of tensor: IntegerTensor, _ shape: NetworkShape) -> Int {
        min(shape.kernelRows, tensor == .inputKernel ? shape.inputWidth : shape.units)
    }

    /// Whether two factors have fewer weights than their product.
    package static func isSmaller(
        rank: Int, of tensor: IntegerTensor, _ shape: NetworkShape
    ) -> Bool {
        let (rows, columns) = (
            shape.kernelRows, tensor == .inputKernel ? shape.inputWidth : shape.units
        )
        return rank * (rows + columns) < rows * columns
    }
}

/// A row-major matrix.
struct Matrix: Equatable, Sendable {
    var rows: Int
    var columns: Int
    var values: [Double]

    subscript(row: Int, column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    var transposed: Matrix {
        var other = Matrix(rows: columns, columns: rows, values: values)
        for row in 0..<rows {
            for column in 0..<columns { other[column, row] = self[row, column] }
        }
        return other
    }
}

extension NetworkParameters {
    /// The input or the recurrent kernel.
    func kernel(_ tensor: IntegerTensor) -> Matrix {
        switch tensor {
        case .inputKernel:
            Matrix(
                rows: shape.kernelRows, columns: inputWidth, values: inputKernel.map(Double.init))
        case .recurrentKernel:
            Matrix(rows: shape.kernelRows, columns: units, values: recurrentKernel.map(Double.init))
        default: preconditionFailure("only the kernels of the recurrence have a rank to speak of")
        }
    }
}

/// The singular value decomposition `A = Σₖ values[k] · left[k] · right[k]ᵀ`, by one-sided Jacobi rotations (Hestenes
/// 1958): columns are turned against each other until all are orthogonal. For matrices of at most 512 by 128 it is
/// quick, and unlike a matrix library's it has the same bits on every CPU.
struct SingularValues {
    private static let sweepsMax = 60
    /// Falling, as many as the smaller side.
    private(set) var values: [Double]
    /// Of length `rows` and `columns` each; zero vectors where the value is 0.
    private(set) var left: [[Double]]
    private(set) var right: [[Double]]

    init(_ matrix: Matrix) {
        let isWide = matrix.columns > matrix.rows
        let tall = isWide ? matrix.transposed : matrix
        var columns = (0..<tall.columns).map { c in (0..<tall.rows).map { tall[$0, c] } }
        var turns = (0..<tall.columns).map { c in
            (0..<tall.columns).map { $0 == c ? 1.0 : 0 }
        }
        for _ in 0..<Self.sweepsMax where !Self.sweep(&columns, &turns) { break }
        let norms = columns.map { column in
            column.reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
        let order = norms.indices.sorted { (norms[$1], $0) < (norms[$0], $1) }
        values = order.map { norms[$0] }
        let units = order.map { k in columns[k].map { norms[k] > 0 ? $0 / norms[k] : 0 } }
        let others = order.map { turns[$0] }
        (left, right) = isWide ? (others, units) : (units, others)
    }

    /// Turns every pair of columns once.
    /// - Returns: whether any pair was not yet orthogonal.
    private static func sweep(_ columns: inout [[Double]], _ turns: inout [[Double]]) -> Bool {
        var turned = false
        for p in columns.indices {
            for q in columns.indices.dropFirst(p + 1) {
                var (alpha, beta, gamma) = (0.0, 0.0, 0.0)
                for k in columns[p].indices {
                    alpha += columns[p][k] * columns[p][k]
                    beta += columns[q][k] * columns[q][k]
                    gamma += columns[p][k] * columns[q][k]
                }
                guard abs(gamma) > 1e-15 * (alpha * beta).squareRoot() else { continue }
                turned = true
                let zeta = (beta - alpha) / (2 * gamma)
                let tangent =
                    (zeta < 0 ? -1 : 1) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
                let cosine = 1 / (1 + tangent * tangent).squareRoot()
                turn(&columns, p, q, cosine: cosine, sine: cosine * tangent)
                turn(&turns, p, q, cosine: cosine, sine: cosine * tangent)
            }
        }
        return turned
    }

    private static func turn(
        _ columns: inout [[Double]], _ p: Int, _ q: Int, cosine: Double, sine: Double
    ) {
        for k in columns[p].indices {
            let (a, b) = (columns[p][k], columns[q][k])
            columns[p][k] = cosine * a - sine * b
            columns[q][k] = sine * a + cosine * b
        }
    }
}
