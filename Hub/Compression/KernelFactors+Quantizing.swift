import Forecasting
import Kernels

extension KernelFactors {
    /// The integer factors of a kernel that is (nearly) the product of two thin matrices.
    ///
    /// Each pair of a column of the left and a row of the right factor shares its range evenly: rounding then hurts the
    /// product the same from both sides.
    /// - Parameters:
    ///   - kernel: `[R, C]` in units of its rows' integers: within ±127.
    ///   - rank: at least 1 and at most the kernel's smaller side.
    init(nearest kernel: Matrix, rank: Int) {
        let singular = SingularValues(kernel)
        var left = Matrix(
            rows: kernel.rows, columns: rank,
            values: [Double](repeating: 0, count: kernel.rows * rank))
        var right = Matrix(
            rows: rank, columns: kernel.columns,
            values: [Double](repeating: 0, count: rank * kernel.columns))
        // Of each pair, the product of the largest entries.
        var reaches = [Double](repeating: 0, count: rank)
        for k in 0..<rank where singular.values[k] > 0 {
            let (u, v) = (singular.left[k], singular.right[k])
            let (uMax, vMax) = (u.map(abs).max() ?? 0, v.map(abs).max() ?? 0)
            reaches[k] = singular.values[k] * uMax * vMax
            let root = reaches[k].squareRoot()
            for row in u.indices { left[row, k] = u[row] / uMax * root }
            for column in v.indices { right[k, column] = v[column] / vMax * root }
        }
        // As many bits behind the point as the widest pair leaves.
        let widest = max(reaches.max() ?? 0, 0x1p-20)
        let shift = Self.shiftRange.last { widest * Double(1 << $0) <= 127 * 127 } ?? 0
        let scale = Double(1 << shift).squareRoot()
        func rounded(_ value: Double) -> Int8 {
            Int8(max(-127, min(127, (value * scale).rounded())))
        }
        self.init(
            rank: rank, left: left.values.map(rounded), right: right.values.map(rounded),
            shift: shift)
    }
}
