import Forecasting
import TestSupport
import Testing

@Suite("Factors of a kernel")
struct KernelFactorsTests {
    @Test("The product is rounded as INTEGER.md says, and saturates")
    func expansion() {
        let factors = KernelFactors(
            rank: 2, left: [1, 0, 3, -4, 127, 127], right: [6, -10, 9, 127], shift: 2)
        // Rows (1, 0), (3, -4), (127, 127) by columns (6, 9), (-10, 127):
        // 6/4 = 1.5 up to 2; -10/4 = -2.5 up to -2; (18 - 36)/4 = -4.5 up to -4; (-30 - 508)/4 = -134.5 held;
        // 127 · 15 / 4 and 127 · 117 / 4 held.
        #expect(factors.expanded(rows: 3, columns: 2) == [2, -2, -4, -127, 127, 127])
    }

    @Test("Factors belong to a network only with the kernel they make")
    func invariant() throws {
        var numbers = SeededGenerator(seed: 8)
        let shape = NetworkShape(inputWidth: 5, units: 6)
        var network = IntegerNetwork(shape: shape)
        func weights(_ count: Int) -> [Int8] {
            (0..<count).map { _ in .random(in: -127...127, using: &numbers) }
        }
        let input = KernelFactors(rank: 5, left: weights(24 * 5), right: weights(25), shift: 8)
        let recurrent = KernelFactors(rank: 1, left: weights(24), right: weights(6), shift: 7)
        network.inputFactors = input
        #expect(throws: IntegerNetworkError.factors(.inputKernel)) { try network.validate() }
        network.inputKernel = try #require(input.expanded(rows: 24, columns: 5))
        try network.validate()
        network.recurrentFactors = recurrent
        network.recurrentKernel = try #require(recurrent.expanded(rows: 24, columns: 6))
        try network.validate()
        network.recurrentKernel[7] += network.recurrentKernel[7] == 127 ? -1 : 1
        #expect(throws: IntegerNetworkError.factors(.recurrentKernel)) { try network.validate() }
    }

    static let impossible: [KernelFactors] = [
        KernelFactors(rank: 0, left: [], right: [], shift: 0),
        KernelFactors(rank: 3, left: [1, 1, 1, 1, 1, 1], right: [1, 1, 1, 1, 1, 1], shift: 0),
        KernelFactors(rank: 1, left: [1, 1, 1], right: [1, 1], shift: 0),
        KernelFactors(rank: 1, left: [1, 1], right: [1], shift: 0),
        KernelFactors(rank: 1, left: [1, 1], right: [1, 1], shift: 31),
        KernelFactors(rank: 1, left: [1, 1], right: [1, 1], shift: -1),
        KernelFactors(rank: 1, left: [1, -128], right: [1, 1], shift: 0),
        KernelFactors(rank: 1, left: [1, 1], right: [-128, 1], shift: 0),
    ]

    @Test("Impossible factors make no kernel", arguments: impossible)
    func refused(factors: KernelFactors) {
        #expect(factors.expanded(rows: 2, columns: 2) == nil)
    }
}
