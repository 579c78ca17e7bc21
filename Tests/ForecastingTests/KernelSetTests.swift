import Forecasting
import Kernels
import TestSupport
import Testing

@Suite("Kernel sets")
struct KernelSetTests {
    static let units = [1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 24, 25, 63, 64, 65, 127, 128]

    /// What is left behind by a run: every bit of it is defined.
    struct Outcome: Equatable {
        var output: Int32
        var cell: [Int16]
        var hidden: [Int8]

        init(_ recurrence: IntegerRecurrence) {
            output = recurrence.run()
            cell = [Int16](recurrence.cell)
            hidden = [Int8](recurrence.hidden)
        }
    }

    @Test(
        "Every set this CPU has gives the plain one's bits", arguments: CellKind.allCases, units)
    func equal(cell: CellKind, units: Int) {
        var numbers = SeededGenerator(seed: UInt64(units))
        for (inputs, window) in [(1, 14), (2, 1), (5, 3), (20, 14), (64, 64)] {
            let network = IntegerRecurrenceTests.network(
                NetworkShape(cell: cell, inputWidth: inputs, units: units), shifts: 5...14, &numbers
            )
            let values = (0..<window * inputs).map { _ in
                Float.random(in: -2...2, using: &numbers)
            }
            func outcome(_ kernels: KernelSet) -> Outcome {
                let recurrence = IntegerRecurrenceTests.recurrence(
                    network, window: window, kernels: kernels)
                recurrence.load(window: values)
                return Outcome(recurrence)
            }
            let expected = outcome(.plain)
            for kernels in KernelSet.available where kernels != .plain {
                #expect(outcome(kernels) == expected, "\(kernels.name), \(inputs) inputs")
            }
        }
    }

    /// Weights, inputs, biases and multipliers at their ends, either sign: sums saturate or come as near as they can.
    @Test("Numbers at their ends give the plain one's bits", arguments: CellKind.allCases)
    func extremes(cell: CellKind) {
        for sign in [1, -1] as [Int8] {
            for shift in [1, 9, 30] as [UInt16] {
                for bits in [8, 13, 14] {
                    var network = IntegerNetwork(
                        shape: NetworkShape(cell: cell, inputWidth: 64, units: 128))
                    network.inputKernel = network.inputKernel.map { _ in 127 * sign }
                    network.recurrentKernel = network.recurrentKernel.map { _ in 127 * sign }
                    network.denseKernel = network.denseKernel.map { _ in 127 * sign }
                    network.inputMultipliers = network.inputMultipliers.map { _ in
                        .init(code: shift << 8 | 0xFF)
                    }
                    network.recurrentMultipliers = network.inputMultipliers
                    network.bias = network.bias.map { _ in Int32(sign) * IntegerNetwork.biasMax }
                    network.scalars = network.scalars.map { _ in IntegerNetwork.scalarMax }
                    network.cellFractionBits = bits
                    network.hiddenFractionBits = 7
                    func outcome(_ kernels: KernelSet, _ input: Float) -> Outcome {
                        let recurrence = IntegerRecurrenceTests.recurrence(
                            network, window: 3, kernels: kernels)
                        recurrence.load(window: [Float](repeating: input, count: 192))
                        return Outcome(recurrence)
                    }
                    for input in [10, -10] as [Float] {
                        let expected = outcome(.plain, input)
                        for kernels in KernelSet.available {
                            #expect(outcome(kernels, input) == expected, "\(kernels.name)")
                        }
                    }
                }
            }
        }
    }

    /// Seeds that failed. None has so far but with faults put into the vector kernels by hand, which these found.
    static let committedSeeds: [UInt64] = [
        1,  // a state left over from the series before; a hidden state of -128
        4,  // a saturating sum wraps
        6,  // the sum of a GRU's candidate wraps
        7, 11,  // a large cell state wraps on its way to tanh's position
        16, 51,  // a cell state of 14 bits is cut instead of rounded
        38, 47,  // tanh of -8 wraps where four gates share a register
    ]
    static let freshSeeds = (0..<64).map { _ in UInt64.random(in: .min ... .max) }

    /// A fresh seed that fails belongs into `committedSeeds`.
    @Test(
        "Whatever network and window a seed makes, every set gives the plain one's bits, again and again",
        arguments: committedSeeds + freshSeeds)
    func property(seed: UInt64) throws {
        var example = KernelExample(seed: seed)
        try example.network.validate()
        let all = KernelSet.available.map {
            IntegerRecurrenceTests.recurrence(
                example.network, window: example.window, kernels: $0)
        }
        // The second series starts from what the first one left behind.
        for series in 1...2 {
            let values = example.values()
            var reference = IntegerReference(example.network)
            for day in example.quantized(values) { reference.step(day) }
            for recurrence in all {
                recurrence.load(window: values)
                let outcome = Outcome(recurrence)
                #expect(
                    Int(outcome.output) == reference.output
                        && outcome.cell.map { Int($0) } == reference.cell
                        && outcome.hidden.map { Int($0) } == reference.hidden,
                    "seed \(seed): \(example.network.shape), \(example.window) days, \(recurrence.kernels.name), series \(series)"
                )
            }
        }
    }

    @Test("Every set of instructions gives the same tanh at every position")
    func setsTanh() {
        let positions = Array(UInt16.min...UInt16.max)
        let plain = positions.map { Activations.tanh(position: $0) }
        for set in KernelSet.available {
            var values = [Int16](repeating: -1, count: positions.count)
            positions.withUnsafeBufferPointer { positions in
                values.withUnsafeMutableBufferPointer { set.tanh(positions, into: $0) }
            }
            #expect(values == plain, "\(set.name)")
        }
    }

    @Test("A set is found by its name, and the plain one runs everywhere")
    func names() {
        for kernels in KernelSet.allCases { #expect(KernelSet(name: kernels.name) == kernels) }
        #expect(KernelSet(name: "") == nil)
        #expect(KernelSet.available.first == .plain)
        #expect(KernelSet.available.contains(.best))
    }
}
