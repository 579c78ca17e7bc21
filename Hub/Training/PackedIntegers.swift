package import Forecasting
import Kernels

/// An integer network as `BatchedNetwork.forward(integer:)` wants it: kernels as floats that hold whole numbers, row
/// multipliers taken apart. Made once for a step of training, read by all threads.
package struct PackedIntegers: Sendable {
    /// A row's multiplier, for sums that come as the bits of a float: see `IntegerStep`.
    struct Multiplier {
        var mantissa: Int32
        var shift: Int32
        /// Added before the shift: 2^(shift − 1), so that it rounds, less the mantissa times the bits of 1.5 · 2^23.
        /// Wraps, and so does the product it is added to; the sum of both does not.
        var offset: Int32

        init(_ multiplier: RowMultiplier) {
            (mantissa, shift) = (multiplier.mantissa, multiplier.shift)
            offset = (1 << (shift - 1)) &- mantissa &* 0x4B40_0000
        }
    }

    package let network: IntegerNetwork
    /// `[R, I]`
    let inputKernel: [Float]
    /// `[R, H]`
    let recurrentKernel: [Float]
    /// `[R]` each
    let inputMultipliers: [Multiplier]
    let recurrentMultipliers: [Multiplier]
    /// `[H]`
    let denseKernel: [Float]

    /// - Precondition: `network.validate()` passes.
    package init(_ network: IntegerNetwork) {
        self.network = network
        inputKernel = network.inputKernel.map(Float.init)
        recurrentKernel = network.recurrentKernel.map(Float.init)
        inputMultipliers = network.inputMultipliers.map(Multiplier.init)
        recurrentMultipliers = network.recurrentMultipliers.map(Multiplier.init)
        denseKernel = network.denseKernel.map(Float.init)
    }
}
