import Forecasting
import Foundation
import Kernels
import TestSupport
import Testing

@Suite("The integer network")
struct IntegerRecurrenceTests {
    @Test("Every state equals the second implementation's", arguments: IntegerTrace.all)
    func trace(_ trace: IntegerTrace) throws {
        let network = trace.network
        try network.validate()
        let integer = Self.recurrence(network)
        let (I, H) = (trace.inputWidth, trace.units)
        for t in 0..<trace.inputs.count / I {
            integer.step([Int8](trace.inputs[t * I..<(t + 1) * I]))
            #expect(
                [Int16](integer.cell) == [Int16](trace.cells[t * H..<(t + 1) * H]),
                "cell, step \(t)")
            #expect(
                [Int8](integer.hidden) == [Int8](trace.hiddens[t * H..<(t + 1) * H]),
                "hidden, step \(t)")
        }
        #expect(integer.denseSum() == trace.output)
    }

    /// One, odd, prime, the largest.
    static let shapes = [(1, 1), (64, 1), (1, 128), (3, 5), (17, 31), (20, 4), (64, 128)]

    @Test(
        "Any shape and any numbers give what plain integers give", arguments: CellKind.allCases,
        shapes)
    func property(cell: CellKind, shape: (Int, Int)) throws {
        for seed in 1...4 as ClosedRange<UInt64> { try property(cell, shape, seed) }
    }

    /// Around what a vector and a tile hold, and the largest.
    static let awkwardUnits = [1, 2, 3, 15, 16, 17, 63, 64, 65, 128]

    @Test(
        "After any number of days, at any awkward size, the output is what plain integers give",
        arguments: CellKind.allCases, awkwardUnits)
    func windows(cell: CellKind, units: Int) throws {
        var numbers = SeededGenerator(seed: UInt64(units))
        let shape = NetworkShape(
            cell: cell, inputWidth: units % 5 + 1, units: units)
        var network = Self.network(shape, shifts: 8...16, &numbers)
        network.inputSteps = network.inputSteps.map { _ in 127 }
        var reference = IntegerReference(network)
        var window: [Float] = []
        for days in 1...64 {
            let day = (0..<shape.inputWidth).map { _ in Int8.random(in: -127...127, using: &numbers)
            }
            reference.step(day)
            window += day.map { Float($0) / 127 }
            for kernels in KernelSet.available {
                let integer = Self.recurrence(network, window: days, kernels: kernels)
                integer.load(window: window)
                let what = "\(days) days, \(kernels.name)"
                try #require(Int(integer.run()) == reference.output, "\(what)")
                try #require(integer.cell.map { Int($0) } == reference.cell, "\(what)")
            }
        }
    }

    func property(_ cell: CellKind, _ shape: (Int, Int), _ seed: UInt64) throws {
        var numbers = SeededGenerator(seed: seed)
        let shape = NetworkShape(cell: cell, inputWidth: shape.0, units: shape.1)
        let network = Self.network(shape, shifts: 5...16, &numbers)
        try network.validate()
        try Self.compare(network, days: 6) { _ in .random(in: -127...127, using: &numbers) }
    }

    /// Everything at its end, each sign, at the largest size: where an int32 would wrap if the bounds were wrong.
    @Test(
        "The largest network at its extremes does not overflow", arguments: CellKind.allCases,
        [(127, 127), (127, -127), (-127, 127), (-127, -127)] as [(Int8, Int8)])
    func extremes(cell: CellKind, signs: (weight: Int8, input: Int8)) throws {
        for shift in [1, 2, 30] as [UInt16] {
            for cellBits in [8, 14] {
                var network = IntegerNetwork(
                    shape: NetworkShape(cell: cell, inputWidth: 64, units: 128))
                let rows = network.shape.kernelRows
                network.inputKernel = [Int8](repeating: signs.weight, count: rows * 64)
                network.recurrentKernel = [Int8](repeating: signs.weight, count: rows * 128)
                network.denseKernel = [Int8](repeating: signs.weight, count: 128)
                let multipliers = [RowMultiplier](
                    repeating: .init(code: shift << 8 | 0xFF), count: rows)
                network.inputMultipliers = multipliers
                network.recurrentMultipliers = multipliers
                let biasSign: Int32 = signs.weight == signs.input ? 1 : -1
                network.bias = network.bias.map { _ in biasSign * IntegerNetwork.biasMax }
                network.scalars = network.scalars.map { _ in IntegerNetwork.scalarMax }
                network.denseBias = biasSign * IntegerNetwork.denseBiasMax
                network.cellFractionBits = cellBits
                network.hiddenFractionBits = cell == .lstm ? 11 : min(11, cellBits - 1)
                try network.validate()
                try Self.compare(network, days: 4) { _ in signs.input }
            }
        }
    }

    /// The largest product of all: a gate that lets everything go, both scalars nearly 1, a candidate at its end.
    @Test("FastGRNN's largest gain does not overflow", arguments: 8...14, [1, -1] as [Int32])
    func largestGain(cellBits: Int, sign: Int32) throws {
        var network = IntegerNetwork(
            shape: NetworkShape(cell: .fastGRNN, inputWidth: 1, units: 2))
        // The gate closed, and opened later by the input; the candidate at ±1 all the time.
        network.bias = [-32_768, -32_768, sign * 65_536, sign * 65_536]
        network.inputKernel = [127, 127]
        network.inputMultipliers = [RowMultiplier](repeating: .init(code: 6 << 8 | 0xFF), count: 2)
        network.scalars = [IntegerNetwork.scalarMax, IntegerNetwork.scalarMax]
        network.cellFractionBits = cellBits
        network.hiddenFractionBits = 0
        try network.validate()
        try Self.compare(network, days: 64) { day in day % 16 < 2 ? 0 : day % 16 < 9 ? 127 : -127 }
    }

    /// 64 days of ν, and a gate that keeps all but 1/2,980 of the state.
    @Test("A FastGRNN counts to 64 without saturating in its widest range", arguments: [1, -1])
    func longCount(sign: Int) throws {
        var network = IntegerNetwork(
            shape: NetworkShape(cell: .fastGRNN, inputWidth: 1, units: 1))
        network.bias = [32_767, Int32(sign) * 32_767]
        network.scalars = [0, IntegerNetwork.scalarMax]
        network.cellFractionBits = 8
        network.hiddenFractionBits = 0
        let integer = Self.recurrence(network)
        for _ in 0..<64 { integer.step([0]) }
        let state = Double(integer.cell[0]) / 256 * Double(sign)
        #expect(state > 62 && state < 65)
        #expect(abs(Double(integer.hidden[0]) - state * Double(sign)) <= 0.5)
    }

    /// Each day moves the state by less than half a step of its int8 rounding: kept as int8 it would stand still.
    ///
    /// A day rounds z · c to half a unit of 2^-14, what is added to Q0.15 and then to that unit, and FastGRNN's gain
    /// times a candidate of a quarter before: 0.5 + 0.25 + 0.5 + 0.1 units. All the days that a state remembers, 1 / (1 − z)
    /// or 64.5, are then at most 87 units or 0.0053 off. A gate within 5 units of 2^-15 is within 1 % of 1 − z, and so
    /// at worst 0.245 · 1 % / e = 0.0009 early or late; the candidate is within 9 units, 0.0003.
    @Test("A state that moves slower than int8 can say still arrives", arguments: [1, -1])
    func slowState(sign: Int) throws {
        for cell in [CellKind.gru, .fastGRNN] {
            var network = IntegerNetwork(shape: NetworkShape(cell: cell, inputWidth: 1, units: 1))
            network.cellFractionBits = 14
            network.hiddenFractionBits = 7
            let target = Int32(sign) * 1024  // tanh(0.25) = 0.245
            if cell == .gru {
                network.bias = [17_000, 0, target, 0]  // z = σ(4.15): a 64th moves
            } else {
                network.bias = [17_000, target]
                network.scalars = [IntegerNetwork.scalarMax, 0]
            }
            let integer = Self.recurrence(network)
            var (days, exact) = (0, 0.0)
            let kept = 1 / (1 + exp(-17_000.0 / 4096))
            while days < 300 {
                integer.step([0])
                exact = (1 - kept) * tanh(0.25) + kept * exact
                days += 1
                #expect(abs(Double(sign) * Double(integer.cell[0]) / 16_384 - exact) < 0.0065)
            }
            #expect(exact > 0.24 && abs(Int(integer.hidden[0])) == 31)
            #expect((1 - kept) * 0.245 * 128 < 0.5)
        }
    }

    @Test(
        "Cell and hidden state saturate at both ends and come back", arguments: [1, -1] as [Int8],
        KernelSet.available)
    func saturation(sign: Int8, kernels: KernelSet) {
        var network = IntegerNetwork(shape: NetworkShape(inputWidth: 1, units: 1))
        network.bias = [32_767, 32_767, 0, 32_767]  // input, forget and output gates open
        network.inputKernel = [0, 0, 127, 0]
        network.inputMultipliers = [RowMultiplier](repeating: .init(code: 1 << 8), count: 4)
        network.cellFractionBits = 14
        network.hiddenFractionBits = 11
        let integer = Self.recurrence(network, kernels: kernels)
        for _ in 0..<3 { integer.step([127 * sign]) }
        #expect(integer.cell[0] == (sign > 0 ? 32_767 : -32_768))
        #expect(integer.hidden[0] == 127 * sign)
        for _ in 0..<5 { integer.step([-127 * sign]) }
        #expect(integer.cell[0] == (sign > 0 ? -32_768 : 32_767))
        #expect(integer.hidden[0] == -127 * sign)
    }

    @Test(
        "A run starts from nothing, whatever ran before", arguments: CellKind.allCases,
        KernelSet.available)
    func reset(cell: CellKind, kernels: KernelSet) throws {
        var numbers = SeededGenerator(seed: 9)
        let network = Self.network(
            NetworkShape(cell: cell, inputWidth: 3, units: 5), shifts: 5...12, &numbers)
        let integer = Self.recurrence(network, window: 4, kernels: kernels)
        let window = (0..<12).map { _ in Float.random(in: -1...1, using: &numbers) }
        func run(_ values: [Float]) -> Int32 {
            integer.load(window: values)
            return integer.run()
        }
        let first = run(window)
        _ = run([Float](repeating: 4, count: 12))
        #expect(run(window) == first)
        #expect(run([Float](repeating: .nan, count: 12)) == run([Float](repeating: 0, count: 12)))
    }

    static let digests: [(CellKind, UInt64)] = [
        (.lstm, 4_904_329_506_841_967_797), (.gru, 14_349_502_249_808_026_489),
        (.fastGRNN, 13_604_133_716_628_384_192),
    ]

    @Test(
        "A thousand seeded networks give the outputs they gave when this was written",
        arguments: digests)
    func digest(cell: CellKind, expected: UInt64) {
        var numbers = SeededGenerator(seed: 2026)
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a over the outputs
        for _ in 0..<1000 {
            let shape = NetworkShape(
                cell: cell, inputWidth: .random(in: 1...24, using: &numbers),
                units: .random(in: 1...20, using: &numbers))
            let network = Self.network(shape, shifts: 5...14, &numbers)
            let integer = Self.recurrence(network, window: 14)
            integer.load(
                window: (0..<14 * shape.inputWidth).map { _ in
                    Float(Int.random(in: -512...512, using: &numbers)) / 256
                })
            digest = (digest ^ UInt64(UInt32(bitPattern: integer.run()))) &* 0x100_0000_01B3
        }
        #expect(digest == expected)
    }

    @Test(
        "The arena is laid out without gaps or overlaps, and its size is INTEGER.md's sum",
        arguments: CellKind.allCases, [3, 8, 17])
    func arena(cell: CellKind, units: Int) {
        let counts = ArenaLayout.Counts(
            shape: NetworkShape(cell: cell, inputWidth: 5, units: units), window: 7, profiles: 2,
            starts: 11, identifierBytes: 23, startsHaveScales: true, dayOfMonthFactors: 31,
            specialDays: 5, startsHavePersistences: true)
        let layout = ArenaLayout(counts)
        let regions: [(ArenaLayout.Region, Int)] = [
            (layout.inputKernel, 1), (layout.recurrentKernel, 1), (layout.inputSteps, 4),
            (layout.bias, 4), (layout.inputMultipliers, 2), (layout.recurrentMultipliers, 2),
            (layout.denseKernel, 1), (layout.profileFactors, 2), (layout.dayOfMonthFactors, 2),
            (layout.specialFactors, 2), (layout.specialRules, 2), (layout.startLevels, 4),
            (layout.startScales, 4), (layout.startProfiles, 2), (layout.startPersistences, 1),
            (layout.identifiers, 1), (layout.target, 4), (layout.seasons, 4), (layout.sums, 2),
            (layout.cell, 2), (layout.weekdaysAndMonths, 1), (layout.window, 1),
            (layout.hidden, 1),
        ]
        var end = 0
        for (region, elementBytes) in regions {
            end = (end + elementBytes - 1) / elementBytes * elementBytes
            #expect(region.offset == end)
            end += region.count * elementBytes
        }
        #expect(layout.bytes == end)
        #expect(layout.networkEnd == layout.profileFactors.offset)
        #expect(layout.startsEnd == layout.identifiers.offset + 11 + 23)

        let (T, I, H, P, S, B, M, D) = (7, 5, units, 2, 11, 23, 31, 5)
        func eights(_ count: Int) -> Int { (count + 7) / 8 * 8 }
        func fours(_ count: Int) -> Int { (count + 3) / 4 * 4 }
        let (R, N, A) =
            switch cell {
            case .lstm: (eights(4 * H), eights(4 * H), 4)
            case .gru:
                (eights(2 * H) + eights(H), eights(2 * H) + eights(H) + eights(H), 4)
            case .fastGRNN: (eights(H), eights(H) + eights(H), 2)
            }
        let network = R * fours(I) + R * fours(H) + 4 * I + 4 * N + 4 * R + eights(H)
        #expect(layout.networkEnd == network)
        let seasons = 38 * P + 2 * M + 4 * D
        // Levels begin at a multiple of four.
        let starts = fours(network + seasons) + 8 * S + 2 * S + S + S + B
        #expect(layout.startsEnd == starts)
        let state =
            4 + 4 * (T + 1) + 2 * eights((A - 1) * H + eights(H)) + 2 * eights(H) + T + 1
            + T * fours(I) + eights(H)
        #expect(layout.bytes == fours(starts) + state)
    }

    @Test("What a later count adds moves nothing before it")
    func growingLayout() {
        var counts = ArenaLayout.Counts(
            shape: NetworkShape(inputWidth: 3, units: 5), window: 14)
        let network = ArenaLayout(counts)
        counts.profiles = 3
        counts.specialDays = 2
        let seasons = ArenaLayout(counts)
        #expect(seasons.denseKernel == network.denseKernel)
        counts.starts = 4
        let starts = ArenaLayout(counts)
        #expect(starts.specialRules == seasons.specialRules)
        counts.identifierBytes = 40
        let all = ArenaLayout(counts)
        #expect(all.identifiers.offset == starts.identifiers.offset)
        #expect(all.startLevels == starts.startLevels)
    }

    @Test("Tiles hold every weight once, four of a row side by side, and zeros between")
    func tiles() {
        for (rows, columns) in [(1, 1), (8, 4), (9, 5), (12, 3), (24, 128)] {
            let size = WeightTiles.padded(rows: rows) * WeightTiles.padded(columns: columns)
            var seen = Set<Int>()
            for row in 0..<rows {
                for column in 0..<columns {
                    let index = WeightTiles.index(row: row, column: column, columns: columns)
                    let quads = (columns + 3) / 4
                    #expect(
                        index == ((row / 8 * quads + column / 4) * 8 + row % 8) * 4 + column % 4)
                    #expect(index < size && seen.insert(index).inserted)
                }
            }
        }
    }

    /// Vector instructions may leave something in the state's filling; no weight but zero ever meets it.
    @Test("What fills up tiles and rows is zero before a plain run and after it")
    func filling() throws {
        var numbers = SeededGenerator(seed: 4)
        for cell in CellKind.allCases {
            let shape = NetworkShape(cell: cell, inputWidth: 3, units: 5)
            let network = Self.network(shape, shifts: 5...12, &numbers)
            let counts = ArenaLayout.Counts(
                shape: shape, window: 2, profiles: 0, starts: 0, identifierBytes: 0)
            let owner = Arena(ArenaLayout(counts))
            let arena = owner.view
            let integer = IntegerRecurrence(network, in: owner, kernels: .plain)
            integer.load(window: [Float](repeating: 1, count: 6))
            _ = integer.run()
            let kernels = [arena.layout.inputKernel, arena.layout.recurrentKernel]
                .map { arena.elements($0, as: Int8.self).count { $0 != 0 } }
            let weights = [network.inputKernel, network.recurrentKernel]
                .map { $0.count { $0 != 0 } }
            #expect(kernels == weights)
            let bias = arena.elements(arena.layout.bias, as: Int32.self)
            #expect(bias.count { $0 != 0 } == network.bias.count { $0 != 0 })
            for region in [arena.layout.hidden, arena.layout.denseKernel] {
                #expect(arena.elements(region, as: Int8.self)[5...].allSatisfy { $0 == 0 })
            }
            #expect(arena.elements(arena.layout.cell, as: Int16.self)[5...].allSatisfy { $0 == 0 })
            let window = arena.elements(arena.layout.window, as: Int8.self)
            #expect(window[3] == 0 && window[7] == 0 && window[0] != 0)
        }
    }

    static let invalid: [(@Sendable (inout IntegerNetwork) -> Void, IntegerNetworkError)] = [
        ({ $0.inputKernel[7] = -128 }, .weight(.inputKernel, at: 7)),
        ({ $0.recurrentKernel[0] = -128 }, .weight(.recurrentKernel, at: 0)),
        ({ $0.denseKernel[1] = -128 }, .weight(.denseKernel, at: 1)),
        ({ $0.inputMultipliers[3] = .init(code: 0x00FF) }, .multiplier(.inputMultipliers, at: 3)),
        (
            { $0.recurrentMultipliers[2] = .init(code: 0x1F00) },
            .multiplier(.recurrentMultipliers, at: 2)
        ),
        ({ $0.bias[4] = 1 << 20 + 1 }, .bias(.bias, at: 4)),
        ({ $0.bias[4] = -(1 << 20) - 1 }, .bias(.bias, at: 4)),
        ({ $0.denseBias = 1 << 30 + 1 }, .bias(.denseBias, at: 0)),
        ({ $0.denseBias = .min }, .bias(.denseBias, at: 0)),
        ({ $0.bias.removeLast() }, .count(.bias, found: 7, expected: 8)),
        ({ $0.inputKernel.append(0) }, .count(.inputKernel, found: 25, expected: 24)),
        ({ $0.inputSteps = [] }, .count(.inputSteps, found: 0, expected: 3)),
        ({ $0.cellFractionBits = 7 }, .cellFractionBits(7)),
        ({ $0.cellFractionBits = 15 }, .cellFractionBits(15)),
        ({ $0.hiddenFractionBits = 6 }, .hiddenFractionBits(6)),
        ({ $0.hiddenFractionBits = 12 }, .hiddenFractionBits(12)),
        ({ $0.inputSteps[1] = 0 }, .inputSteps(at: 1)),
        ({ $0.inputSteps[1] = .nan }, .inputSteps(at: 1)),
        ({ $0.inputSteps[1] = .infinity }, .inputSteps(at: 1)),
        ({ $0.inputSteps[1] = -1 }, .inputSteps(at: 1)),
        ({ $0.outputScale = 0 }, .outputScale),
        ({ $0.outputScale = .nan }, .outputScale),
        ({ $0.outputScale = .infinity }, .outputScale),
        ({ $0.outputScale = -1 }, .outputScale),
    ]

    @Test("Numbers that are no network are refused by name", arguments: invalid.indices)
    func validation(row: Int) throws {
        var network = IntegerNetwork(shape: NetworkShape(inputWidth: 3, units: 2))
        try network.validate()
        Self.invalid[row].0(&network)
        #expect(throws: Self.invalid[row].1) { try network.validate() }
    }

    static let invalidByCell:
        [(CellKind, @Sendable (inout IntegerNetwork) -> Void, IntegerNetworkError)] = [
            (.gru, { $0.bias.removeLast() }, .count(.bias, found: 7, expected: 8)),
            (.gru, { $0.inputKernel += [0, 0] }, .count(.inputKernel, found: 20, expected: 18)),
            (.gru, { $0.scalars = [0, 0] }, .count(.scalars, found: 2, expected: 0)),
            (.gru, { $0.hiddenFractionBits = 6 }, .hiddenFractionBits(6)),
            (
                .gru, { ($0.cellFractionBits, $0.hiddenFractionBits) = (8, 8) },
                .hiddenFractionBits(8)
            ),
            (
                .fastGRNN, { ($0.cellFractionBits, $0.hiddenFractionBits) = (10, 11) },
                .hiddenFractionBits(11)
            ),
            (.fastGRNN, { $0.scalars = [0] }, .count(.scalars, found: 1, expected: 2)),
            (.fastGRNN, { $0.scalars[1] = 32_768 }, .scalar(at: 1)),
            (.fastGRNN, { $0.bias += [0, 0] }, .count(.bias, found: 6, expected: 4)),
            (.fastGRNN, { $0.hiddenFractionBits = -1 }, .hiddenFractionBits(-1)),
            (.fastGRNN, { $0.hiddenFractionBits = 12 }, .hiddenFractionBits(12)),
        ]

    @Test("What one cell has another may not have", arguments: invalidByCell.indices)
    func validationByCell(row: Int) throws {
        let (cell, change, expected) = Self.invalidByCell[row]
        var network = IntegerNetwork(shape: NetworkShape(cell: cell, inputWidth: 3, units: 2))
        try network.validate()
        change(&network)
        #expect(throws: expected) { try network.validate() }
    }

    // MARK: helpers

    static func recurrence(
        _ network: IntegerNetwork, window: Int = 1, kernels: KernelSet = .best
    ) -> IntegerRecurrence {
        let counts = ArenaLayout.Counts(
            shape: network.shape, window: window, profiles: 0, starts: 0, identifierBytes: 0)
        return IntegerRecurrence(network, in: Arena(ArenaLayout(counts)), kernels: kernels)
    }

    static func network(
        _ shape: NetworkShape, shifts: ClosedRange<UInt16>, _ numbers: inout SeededGenerator
    ) -> IntegerNetwork {
        var network = IntegerNetwork(shape: shape)
        func weights(_ count: Int) -> [Int8] {
            (0..<count).map { _ in .random(in: -127...127, using: &numbers) }
        }
        func multipliers() -> [RowMultiplier] {
            (0..<shape.kernelRows).map { _ in
                RowMultiplier(
                    code: .random(in: shifts, using: &numbers) << 8
                        | .random(in: 0...255, using: &numbers))
            }
        }
        network.inputSteps = (0..<shape.inputWidth).map { _ in
            .random(in: 20...200, using: &numbers)
        }
        network.inputKernel = weights(network.inputKernel.count)
        network.recurrentKernel = weights(network.recurrentKernel.count)
        network.denseKernel = weights(network.denseKernel.count)
        network.inputMultipliers = multipliers()
        network.recurrentMultipliers = multipliers()
        network.bias = network.bias.map { _ in .random(in: -40_000...40_000, using: &numbers) }
        network.denseBias = .random(in: -1_000_000...1_000_000, using: &numbers)
        network.cellFractionBits = .random(
            in: IntegerNetwork.cellFractionBitsRange, using: &numbers)
        network.hiddenFractionBits = .random(
            in: IntegerNetwork.hiddenFractionBitsRange(
                shape.cell, cellFractionBits: network.cellFractionBits), using: &numbers)
        network.scalars = network.scalars.map { _ in .random(in: 0...32_767, using: &numbers) }
        return network
    }

    static func compare(_ network: IntegerNetwork, days: Int, input: (Int) -> Int8) throws {
        let all = KernelSet.available.map { recurrence(network, kernels: $0) }
        var reference = IntegerReference(network)
        for t in 0..<days {
            let row = (0..<network.shape.inputWidth).map(input)
            reference.step(row)
            for integer in all {
                integer.step(row)
                let what = "step \(t), \(integer.kernels.name)"
                try #require(integer.cell.map { Int($0) } == reference.cell, "cell, \(what)")
                try #require(integer.hidden.map { Int($0) } == reference.hidden, "hidden, \(what)")
            }
        }
        for integer in all { #expect(Int(integer.denseSum()) == reference.output) }
    }
}

extension IntegerTrace {
    var network: IntegerNetwork {
        var network = IntegerNetwork(
            shape: NetworkShape(cell: cell, inputWidth: inputWidth, units: units))
        network.inputKernel = inputKernel
        network.inputMultipliers = inputCodes.map(RowMultiplier.init(code:))
        network.recurrentKernel = recurrentKernel
        network.recurrentMultipliers = recurrentCodes.map(RowMultiplier.init(code:))
        network.bias = bias
        network.denseKernel = denseKernel
        network.denseBias = denseBias
        network.scalars = scalars
        network.cellFractionBits = cellFractionBits
        network.hiddenFractionBits = hiddenFractionBits
        return network
    }
}
