package import Forecasting

/// Weights as IEEE 754 binary16: 11 bits of precision, 2 bytes each.
///
/// A device runs integers whatever its weights were stored as, so this is a size and an accuracy to compare with, and
/// what a float file for another runtime would hold.
package enum HalfPrecision {
    /// Every parameter rounded to the nearest half-precision number, halves to even.
    /// - Throws: `CompressionError.parameterNotFinite`, or `parameterBeyondHalf` beyond ±65504.
    package static func rounded(
        _ parameters: NetworkParameters
    ) throws(CompressionError) -> NetworkParameters {
        try parameters.checkFinite()
        let rounded = parameters.flattened.map { Float(Float16($0)) }
        if let index = rounded.firstIndex(where: { !$0.isFinite }) {
            throw .parameterBeyondHalf(index: index)
        }
        return NetworkParameters(shape: parameters.shape, flattened: rounded)
    }

    package static func bytes(_ shape: NetworkShape) -> Int { 2 * shape.parameterCount }
}
