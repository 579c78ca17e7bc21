import Forecasting
import Kernels
import TestSupport

/// A network of any shape and any numbers, and windows for it, out of a seed. Half of the time any one of its parts lies
/// at its ends instead of anywhere.
struct KernelExample {
    private(set) var network: IntegerNetwork
    let window: Int
    private var numbers: SeededGenerator

    init(seed: UInt64) {
        numbers = SeededGenerator(seed: seed)
        let isAwkward = Bool.random(using: &numbers)
        let shape = NetworkShape(
            cell: CellKind.allCases.randomElement(using: &numbers)!,
            inputWidth: .random(in: 1...64, using: &numbers),
            units: isAwkward
                ? KernelSetTests.units.randomElement(using: &numbers)!
                : .random(in: 1...NetworkShape.unitsMax, using: &numbers))
        window = .random(in: 1...64, using: &numbers)
        // From sums that always saturate to sums that vanish.
        let shift = UInt16.random(in: 1...24, using: &numbers)
        network = IntegerRecurrenceTests.network(shape, shifts: shift...shift + 6, &numbers)
        if isAtEnds() { network.inputKernel = network.inputKernel.map { _ in end(127) } }
        if isAtEnds() { network.recurrentKernel = network.recurrentKernel.map { _ in end(127) } }
        if isAtEnds() { network.denseKernel = network.denseKernel.map { _ in end(127) } }
        if isAtEnds() { network.bias = network.bias.map { _ in end(IntegerNetwork.biasMax) } }
        if isAtEnds() { network.denseBias = end(IntegerNetwork.denseBiasMax) }
        if isAtEnds() {
            network.scalars = network.scalars.map { _ in
                Bool.random(using: &numbers) ? IntegerNetwork.scalarMax : 0
            }
        }
        if isAtEnds() {
            // The largest mantissa: the largest products.
            network.inputMultipliers = network.inputMultipliers.map {
                RowMultiplier(code: $0.code | 0xFF)
            }
            network.recurrentMultipliers = network.inputMultipliers
        }
    }

    private mutating func isAtEnds() -> Bool { Bool.random(using: &numbers) }

    /// One end, the other or 0.
    private mutating func end<Number: SignedInteger>(_ largest: Number) -> Number {
        [largest, -largest, 0].randomElement(using: &numbers)!
    }

    /// `[window, I]`: the next series.
    mutating func values() -> [Float] {
        let width = network.shape.inputWidth
        let isAtEnds = isAtEnds()
        return (0..<window * width).map { k in
            let steps = network.inputSteps[k % width]
            guard isAtEnds else { return .random(in: -2...2, using: &numbers) }
            // Beyond both ends, nothing, no number, and between two integers.
            return [1e9, -1e9, 0, -0, .nan, .infinity, 0.5 / steps, -1.5 / steps]
                .randomElement(using: &numbers)!
        }
    }

    /// Day by day as INTEGER.md has inputs.
    func quantized(_ values: [Float]) -> [[Int8]] {
        let width = network.shape.inputWidth
        return (0..<window).map { day in
            (0..<width).map {
                FixedPoint.quantize(
                    values[day * width + $0], stepsPerUnit: network.inputSteps[$0])
            }
        }
    }
}
