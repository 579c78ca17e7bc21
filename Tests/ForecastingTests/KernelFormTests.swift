import Forecasting
import Kernels
import TestSupport
import Testing

@Suite("Kernel forms")
struct KernelFormTests {
    /// Around what a tile, a pair of tiles and eight of them hold: where sums of 16 bits are emptied.
    static let units = [5, 8, 9, 12, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128]

    @Test(
        "Every set gives the same integers from nibbles as from tiles",
        arguments: CellKind.allCases, units)
    func equal(cell: CellKind, units: Int) {
        var numbers = SeededGenerator(seed: UInt64(units))
        for (inputs, window) in [(1, 14), (5, 3), (8, 2), (20, 14), (64, 64)] {
            var network = IntegerRecurrenceTests.network(
                NetworkShape(cell: cell, inputWidth: inputs, units: units), shifts: 2...11, &numbers
            )
            func nibbles(_ count: Int) -> [Int8] {
                (0..<count).map { _ in .random(in: -8...7, using: &numbers) }
            }
            network.inputKernel = nibbles(network.inputKernel.count)
            network.recurrentKernel = nibbles(network.recurrentKernel.count)
            let values = (0..<window * inputs).map { _ in
                Float.random(in: -2...2, using: &numbers)
            }
            Self.expectEqual(network, values, window: window)
        }
    }

    /// All products at their ends, and of one sign: what 16 bits have to hold.
    @Test(
        "Weights of four bits and inputs at their ends give the same",
        arguments: [-8, 7] as [Int8],
        [10, -10] as [Float])
    func extremes(weight: Int8, input: Float) {
        for cell in CellKind.allCases {
            for shift in [1, 8, 30] as [UInt16] {
                var network = IntegerNetwork(
                    shape: NetworkShape(cell: cell, inputWidth: 64, units: 128))
                network.inputKernel = network.inputKernel.map { _ in weight }
                network.recurrentKernel = network.recurrentKernel.map { _ in weight }
                network.denseKernel = network.denseKernel.map { _ in 127 }
                network.inputMultipliers = network.inputMultipliers.map { _ in
                    .init(code: shift << 8 | 0xFF)
                }
                network.recurrentMultipliers = network.inputMultipliers
                network.scalars = network.scalars.map { _ in IntegerNetwork.scalarMax }
                Self.expectEqual(
                    network, [Float](repeating: input, count: 192), window: 3)
            }
        }
    }

    static func expectEqual(_ network: IntegerNetwork, _ values: [Float], window: Int) {
        func outcome(
            _ kernels: KernelSet, _ input: KernelForm, _ recurrent: KernelForm
        ) -> KernelSetTests.Outcome {
            var counts = ArenaLayout.Counts(
                shape: network.shape, window: window, profiles: 0, starts: 0, identifierBytes: 0)
            counts.inputForm = input
            counts.recurrentForm = recurrent
            let recurrence = IntegerRecurrence(
                network, in: Arena(ArenaLayout(counts)), kernels: kernels)
            recurrence.load(window: values)
            return KernelSetTests.Outcome(recurrence)
        }
        let expected = outcome(.plain, .tiles, .tiles)
        let shape = network.shape
        let input = KernelForm(of: network.inputKernel, columns: shape.inputWidth)
        for kernels in KernelSet.available {
            let found = outcome(kernels, .tiles, .nibbles)
            #expect(found == expected, "\(kernels.name), \(shape), recurrent")
            guard input == .nibbles else { continue }
            #expect(
                outcome(kernels, .nibbles, .tiles) == expected, "\(kernels.name), \(shape), input")
            #expect(
                outcome(kernels, .nibbles, .nibbles) == expected, "\(kernels.name), \(shape), both")
        }
    }

    @Test("A few units, whose input kernel alone has two tiles in a row, give the same")
    func few() {
        var numbers = SeededGenerator(seed: 4)
        for units in 1...4 {
            for inputs in [5, 8, 9, 20] {
                var network = IntegerRecurrenceTests.network(
                    NetworkShape(inputWidth: inputs, units: units), shifts: 4...11, &numbers)
                network.inputKernel = network.inputKernel.map { $0 / 16 }
                let values = (0..<14 * inputs).map { _ in
                    Float.random(in: -2...2, using: &numbers)
                }
                func outcome(_ kernels: KernelSet, _ form: KernelForm) -> KernelSetTests.Outcome {
                    var counts = ArenaLayout.Counts(
                        shape: network.shape, window: 14, profiles: 0, starts: 0,
                        identifierBytes: 0)
                    counts.inputForm = form
                    let recurrence = IntegerRecurrence(
                        network, in: Arena(ArenaLayout(counts)), kernels: kernels)
                    recurrence.load(window: values)
                    return KernelSetTests.Outcome(recurrence)
                }
                let expected = outcome(.plain, .tiles)
                for kernels in KernelSet.available {
                    #expect(
                        outcome(kernels, .nibbles) == expected,
                        "\(kernels.name), \(units) units, \(inputs) inputs")
                }
            }
        }
    }

    @Test("A form is nibbles where every weight has four bits and that takes fewer bytes")
    func choice() {
        #expect(KernelForm(of: [-8, 7, 0, 1, -1], columns: 5) == .nibbles)
        #expect(KernelForm(of: [-8, 7, 0, 1, -9], columns: 5) == .tiles)
        #expect(KernelForm(of: [8, 7, 0, 1, -1], columns: 5) == .tiles)
        #expect(KernelForm(of: [0, 0, 0, 0], columns: 4) == .tiles)
        for columns in 1...128 {
            let (tiles, nibbles) = (
                KernelForm.tiles.bytes(rows: 16, columns: columns),
                KernelForm.nibbles.bytes(rows: 16, columns: columns)
            )
            #expect(KernelForm(of: [0], columns: columns) == (nibbles < tiles ? .nibbles : .tiles))
        }
    }

    @Test("An LSTM-64's recurrent kernel takes 16,384 bytes, and 8,192 in nibbles")
    func bytes() {
        #expect(KernelForm.tiles.bytes(rows: 256, columns: 64) == 16_384)
        #expect(KernelForm.nibbles.bytes(rows: 256, columns: 64) == 8_192)
        #expect(KernelForm.nibbles.bytes(rows: 256, columns: 9) == 2_048)
        var counts = ArenaLayout.Counts(
            shape: NetworkShape(inputWidth: 1, units: 64), window: 14, profiles: 0, starts: 0,
            identifierBytes: 0)
        let tiles = ArenaLayout(counts).bytes
        counts.recurrentForm = .nibbles
        #expect(ArenaLayout(counts).bytes == tiles - 8_192)
    }

    /// INTEGER.md, "Nibbles", worked by hand: rows of 9 columns are three tiles, so two pairs.
    @Test("A weight's four bits lie where INTEGER.md says, and what fills up is 0")
    func place() {
        let form = KernelForm.nibbles
        var memory = [Int8](repeating: 0, count: form.bytes(rows: 16, columns: 9))
        #expect(memory.count == 2 * 2 * 32)
        memory.withUnsafeMutableBufferPointer { memory in
            form.clear(memory)
            #expect(memory.allSatisfy { UInt8(bitPattern: $0) == 0x88 })
            form.place(-8, row: 0, column: 0, columns: 9, in: memory)
            form.place(7, row: 0, column: 4, columns: 9, in: memory)
            form.place(1, row: 10, column: 8, columns: 9, in: memory)
            // Placed again, a weight replaces the one before and leaves its neighbour alone.
            form.place(3, row: 15, column: 5, columns: 9, in: memory)
            form.place(-3, row: 15, column: 5, columns: 9, in: memory)
            form.place(2, row: 15, column: 1, columns: 9, in: memory)
        }
        let bytes = memory.map { UInt8(bitPattern: $0) }
        #expect(bytes[0] == 0xF0)
        #expect(bytes[(1 * 2 + 1) * 32 + 2 * 4] == 0x89)
        #expect(bytes[(1 * 2 + 0) * 32 + 7 * 4 + 1] == 0x5A)
        #expect(bytes.filter { $0 != 0x88 }.count == 3)
    }
}
