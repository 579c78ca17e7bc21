import Compression
import Forecasting
import Foundation
import Kernels
import TestSupport
import Testing

/// The integer LSTM beside one that others wrote, on the same weights. What both do alike: int8 inputs, weights and
/// hidden state without zero points, 32-bit sums rescaled to Q3.12, gates in Q0.15, an int16 cell state in a power of
/// two. Where they differ in definition:
///
/// | | ours | TFLite Micro's |
/// |---|---|---|
/// | scale of weights | a row's, 9 bits of mantissa | a gate's, 31 bits |
/// | bias | in the sum's unit, 2^-12 | in the unit of the products of inputs and weights, added to them |
/// | a gate's sum | saturated to ±8 at the end | also the inputs' part with the bias, and the hidden state's, each |
/// | activations | parabolas, within 9 units of Q0.15 | lines between 256 entries, within 3 |
/// | rounding | to the nearest, halves up; i · g and o · tanh c first to Q0.15 | to the nearest, halves away from zero, some of it twice |
/// | hidden state | -127...127 | -128...127 |
///
/// Scales and biases are chosen so that both are the same numbers; where a part of a sum saturates, or a state is -128,
/// a step is left out and counted. What remains is at most `Bound`.
@Suite(
    "The integer LSTM beside TFLite Micro's",
    .enabled(if: TFLiteMicro.isThere, TFLiteMicro.missing))
struct TFLiteMicroTests {
    @Test("Sigmoid and tanh of every argument are within a few units of 2^-15")
    func activations() async throws {
        let theirs = try await TFLiteMicro.activations()
        let every = Int16.min...Int16.max
        var ours = [every.map { Activations.sigmoid($0) }, every.map { Activations.tanh($0) }]
        for bits in 8...14 as ClosedRange<Int32> {
            ours.append(every.map { Activations.tanh(cell: $0, fractionBits: bits) })
        }
        try #require(theirs.count == ours.count)
        for (index, (ours, theirs)) in zip(ours, theirs).enumerated() {
            let (name, bound) =
                switch index {
                case 0: ("sigmoid", Bound.sigmoid)
                case 1: ("tanh", Bound.tanh)
                default: ("tanh of a cell state of \(index + 6) bits", Bound.tanhOfCell)
                }
            let differences = zip(ours, theirs).map { abs(Int($0) - Int($1)) }
            let largest = differences.max() ?? 0
            #expect(Double(largest) <= bound, "\(name)")
            let mean = Double(differences.reduce(0, +)) / Double(differences.count)
            print(
                "TFLite Micro, \(name): at most \(largest),",
                String(format: "%.2f on the mean", mean))
        }
    }

    /// Hidden fraction bits, and the cell fraction bits from which one unit of int8 is what theory allows.
    @Test(
        "Fed the same state, a step ends within one unit of int8 of theirs",
        arguments: [(7, 9), (8, 11)])
    func steps(hiddenFractionBits: Int, cellFractionBitsMin: Int) async throws {
        var numbers = SeededGenerator(seed: 41)
        let jobs = (1...64).flatMap { units in
            (0..<4).map { _ in
                Self.job(
                    units: units, hiddenFractionBits: hiddenFractionBits,
                    cellFractionBits: cellFractionBitsMin...14, &numbers)
            }
        }
        var (fed, free) = (Agreement(), Agreement())
        for (job, theirs) in zip(jobs, try await TFLiteMicro.states(jobs)) {
            #expect(Bound(job.network, biasApart: 0).hidden == 1)
            Self.feed(job, theirs, biasApart: 0, &fed)
            Self.runFreely(job, theirs, &free)
        }
        print("TFLite Micro, \(hiddenFractionBits) bits, fed its state: \(fed)")
        print("TFLite Micro, \(hiddenFractionBits) bits, whole windows: \(free)")
        #expect(fed.states > 100_000 && fed.leftOut < fed.states / 10)
        #expect(fed.largest == 1, "equal everywhere: is it the same program?")
        #expect(fed.squareOurs <= 1.1 * fed.squareTheirs)
        // Wide random kernels make a unit's difference grow: see the windows of `quantized`.
        #expect(free.squareOurs <= 1.1 * free.squareTheirs)
    }

    @Test("Of finer hidden or coarser cell states, it is within the units their rounding explains")
    func finerSteps() async throws {
        var numbers = SeededGenerator(seed: 43)
        let jobs = (0..<150).map { _ in
            Self.job(
                units: .random(in: 1...64, using: &numbers),
                hiddenFractionBits: .random(in: 7...11, using: &numbers),
                cellFractionBits: 8...14, &numbers)
        }
        var fed = Agreement()
        for (job, theirs) in zip(jobs, try await TFLiteMicro.states(jobs)) {
            Self.feed(job, theirs, biasApart: 0, &fed)
        }
        print("TFLite Micro, 7 to 11 bits, fed its state: \(fed)")
        #expect(fed.states > 10_000)
    }

    /// How trained networks come out of the quantizer: biases that are nobody's multiples, and ranges as calibrated.
    @Test("Networks as the hub quantises them agree step by step, and forecast as well")
    func quantized() async throws {
        let trained = try TrainedNetwork.calendar.get()
        let quantizer = Quantizer(kernels: WeightScheme(.integer(bits: 8), sharing: .gate))
        var networks = [
            try quantizer.quantize(
                trained.parameters, spec: trained.spec, windows: trained.windows)
        ]
        var windows = [trained.testDays.map(\.values)]
        for (units, remembers) in [(16, false), (16, true), (64, false), (64, true)] {
            let example = try Example(
                inputs: [.weekday, .month], units: units, remembers: remembers)
            networks.append(
                try quantizer.quantize(
                    example.parameters, spec: example.spec, windows: example.windows))
            windows.append(example.windows)
        }
        let jobs = zip(networks, windows).map { network, windows in
            TFLiteMicro.Job(
                network: network,
                windows: windows.map { window in
                    window.indices.map {
                        FixedPoint.quantize(
                            window[$0],
                            stepsPerUnit: network.inputSteps[$0 % network.shape.inputWidth])
                    }
                })
        }
        let states = try await TFLiteMicro.states(jobs)
        for (job, theirs) in zip(jobs, states) {
            var (fed, free) = (Agreement(), Agreement())
            Self.feed(job, theirs, biasApart: 1, &fed)
            Self.runFreely(job, theirs, &free)
            let (h, c) = (job.network.hiddenFractionBits, job.network.cellFractionBits)
            print("TFLite Micro, quantised, \(h) and \(c) bits, fed its state: \(fed)")
            print("TFLite Micro, quantised, \(h) and \(c) bits, whole windows: \(free)")
            #expect(fed.leftOut < fed.states / 10)
            // Over a window a unit's difference comes back through the recurrent kernel, where it may grow or die away.
            // So no bound in units: ours must end no farther from the exact network.
            #expect(free.squareOurs <= 1.1 * free.squareTheirs)
        }
        // The forecasts that the last hidden states of either make.
        let network = networks[0]
        let (units, steps) = (network.shape.units, jobs[0].steps)
        var day = 0
        let theirs = trained.wape { _ in
            day += 1
            let last = states[0].hidden[(day * steps - 1) * units..<day * steps * units]
            var sum = network.denseBias
            for (weight, state) in zip(network.denseKernel, last) {
                sum += Int32(weight) * Int32(state)
            }
            return Float(sum) * network.outputScale
        }
        let ours = trained.wape(network)
        print("TFLite Micro, WAPE of the trained network: \(ours) % ours, \(theirs) % theirs")
        #expect(abs(ours - theirs) < 0.1)
    }

    @Test(
        "Where a part of a sum saturates, TFLite Micro's differs from the exact network, ours not")
    func partsOfSums() async throws {
        // A candidate of +12 from the input and -11.2 from the hidden state: 0.8. Saturated each, 8 - 8.
        var network = IntegerNetwork(shape: NetworkShape(inputWidth: 1, units: 1))
        // Input and output gates open, forget gate closed.
        network.bias = [32_767, -32_767, 0, 32_767]
        network.inputKernel = [0, 0, 127, 0]
        network.recurrentKernel = [0, 0, -127, 0]
        network.inputMultipliers = [RowMultiplier](repeating: Self.unit, count: 4)
        network.recurrentMultipliers = network.inputMultipliers
        network.inputMultipliers[2] = try #require(.init(atLeast: 12 * 4096 / 127.0 / 127))
        network.recurrentMultipliers[2] = try #require(.init(atLeast: 11.2 * 4096 / 127.0 / 97))
        let job = TFLiteMicro.Job(network: network, windows: [[127, 127]])
        let theirs = try await TFLiteMicro.states([job])[0]
        let ours = Self.recurrence(network)
        for _ in 0..<2 { ours.step([127]) }
        var exact = FloatRecurrence(ExactStep.parameters(network))
        for day in 0..<2 { exact.step(day: day, of: [127, 127]) }
        let wanted = Double(exact.hidden[0]) * 128
        #expect(abs(Double(ours.hidden[0]) - wanted) < 4 && wanted > 50)
        #expect(theirs.hidden[0] == 97 && abs(theirs.hidden[1]) < 8)
    }

    @Test("A hidden state that rounds to -128 is -127 in ours")
    func mostNegative() async throws {
        var network = IntegerNetwork(shape: NetworkShape(inputWidth: 1, units: 1))
        network.bias = [32_767, 32_767, -32_767, 32_767]
        network.inputMultipliers = [RowMultiplier](repeating: Self.unit, count: 4)
        network.cellFractionBits = 11
        let job = TFLiteMicro.Job(network: network, windows: [[Int8](repeating: 0, count: 14)])
        let theirs = try await TFLiteMicro.states([job])[0]
        let ours = Self.recurrence(network)
        for _ in 0..<14 { ours.step([0]) }
        #expect(theirs.hidden[13] == -128 && ours.hidden[0] == -127)
    }

    // MARK: helpers

    /// 1: no bias is rounded by it.
    static let unit = RowMultiplier(code: 8 << 8)

    /// Random weights, scaled so that the sums are some ±2 in size, and biases that are whole in TFLite Micro's unit too.
    static func job(
        units: Int, hiddenFractionBits: Int, cellFractionBits: ClosedRange<Int>,
        _ numbers: inout SeededGenerator
    ) -> TFLiteMicro.Job {
        let width = Int.random(in: 1...20, using: &numbers)
        var network = IntegerNetwork(shape: NetworkShape(inputWidth: width, units: units))
        network.hiddenFractionBits = hiddenFractionBits
        network.cellFractionBits = .random(in: cellFractionBits, using: &numbers)
        func weights(_ count: Int) -> [Int8] {
            (0..<count).map { _ in .random(in: -127...127, using: &numbers) }
        }
        // What int8 holds of a hidden state, 1 for 7 bits, its output gates should mostly leave: about 0.6 of it.
        let reach = 128.0 / Double(1 << hiddenFractionBits)
        for gate in Gate.allCases {
            let isLimited = gate == .output && reach < 1
            /// Sums of `count` products of numbers of the root mean square size 73 and `size`.
            func multiplier(_ count: Int, _ size: Double) -> RowMultiplier {
                let deviation = Double.random(in: isLimited ? 0.05...0.2 : 0.2...2, using: &numbers)
                return RowMultiplier(
                    atLeast: deviation * 4096 / (73 * size * Double(count).squareRoot()))!
            }
            let (input, recurrent) = (multiplier(width, 73), multiplier(units, 40))
            let middle = isLimited ? -log(1 / (0.6 * reach) - 1) * 4096 : 0
            for row in gate.rawValue * units..<(gate.rawValue + 1) * units {
                network.inputMultipliers[row] = input
                network.recurrentMultipliers[row] = recurrent
                // mantissa · k is 2^shift · k steps of theirs.
                let k = Int32(middle) / input.mantissa
                network.bias[row] =
                    input.mantissa
                    * (k + .random(in: isLimited ? -2...2 : -20...20, using: &numbers))
            }
        }
        network.inputKernel = weights(network.inputKernel.count)
        network.recurrentKernel = weights(network.recurrentKernel.count)
        let steps = Int.random(in: 14...28, using: &numbers)
        return TFLiteMicro.Job(network: network, windows: [weights(steps * width)])
    }

    static func recurrence(
        _ network: IntegerNetwork, _ kernels: KernelSet = .best
    ) -> IntegerRecurrence {
        let counts = ArenaLayout.Counts(
            shape: network.shape, window: 1, profiles: 0, starts: 0, identifierBytes: 0)
        return IntegerRecurrence(network, in: Arena(ArenaLayout(counts)), kernels: kernels)
    }

    /// Step by step from the states of TFLite Micro: every step's difference is that step's own. Whatever this CPU can
    /// run it with gives the same step.
    static func feed(
        _ job: TFLiteMicro.Job, _ theirs: TFLiteMicro.States, biasApart: Double,
        _ agreement: inout Agreement
    ) {
        let (network, H, I) = (job.network, job.network.shape.units, job.network.shape.inputWidth)
        let bound = Bound(network, biasApart: biasApart)
        let all = KernelSet.available.map { recurrence(network, $0) }
        let integer = all[0]
        for (number, window) in job.windows.enumerated() {
            for other in all { other.reset() }
            for t in 0..<job.steps {
                let at = (number * job.steps + t) * H
                if t > 0 {
                    for other in all {
                        for h in 0..<H {
                            other.hidden[h] = theirs.hidden[at - H + h]
                            other.cell[h] = theirs.cell[at - H + h]
                        }
                    }
                }
                guard !integer.hidden.contains(-128) else {
                    agreement.leftOut += H
                    continue
                }
                let input = Array(window[t * I..<(t + 1) * I])
                let before = ExactStep(
                    network, input, [Int8](integer.hidden), [Int16](integer.cell))
                for other in all { other.step(input) }
                for other in all[1...] {
                    #expect(
                        other.hidden.elementsEqual(integer.hidden)
                            && other.cell.elementsEqual(integer.cell),
                        "\(other.kernels.name): \(H) units, step \(t)")
                }
                for h in 0..<H {
                    guard !before.partSaturates(unit: h) else {
                        agreement.leftOut += 1
                        continue
                    }
                    let (ours, other) = (Int(integer.hidden[h]), Int(theirs.hidden[at + h]))
                    agreement.add(ours, other, exact: before.hidden(unit: h))
                    #expect(
                        abs(ours - other) <= bound.hidden,
                        "hidden \(ours), theirs \(other): unit \(h) of \(H), step \(t)")
                    let apart = abs(Double(integer.cell[h]) - Double(theirs.cell[at + h]))
                    #expect(
                        apart <= bound.cell(from: before.cell[h]),
                        "cell \(integer.cell[h]), theirs \(theirs.cell[at + h]): unit \(h) of \(H), step \(t)"
                    )
                }
            }
        }
    }

    /// Each from its own states.
    static func runFreely(
        _ job: TFLiteMicro.Job, _ theirs: TFLiteMicro.States, _ agreement: inout Agreement
    ) {
        let (network, H, I) = (job.network, job.network.shape.units, job.network.shape.inputWidth)
        let integer = recurrence(network)
        let parameters = ExactStep.parameters(network)
        let hiddenUnit = Double(1 << network.hiddenFractionBits)
        for (number, window) in job.windows.enumerated() {
            let values = window.map(Float.init)
            var exact = FloatRecurrence(parameters)
            integer.reset()
            for t in 0..<job.steps {
                integer.step(Array(window[t * I..<(t + 1) * I]))
                exact.step(day: t, of: values)
                let at = (number * job.steps + t) * H
                for h in 0..<H {
                    agreement.add(
                        Int(integer.hidden[h]), Int(theirs.hidden[at + h]),
                        exact: Double(exact.hidden[h]) * hiddenUnit)
                }
            }
        }
    }
}

/// How far one step of ours may end from theirs, both starting from the same state.
///
/// Each product rescaled to Q3.12 is rounded, so that the same number may come out one unit apart: a gate's sum two, and
/// as many more as the biases are apart. A unit of Q3.12 moves a sigmoid by 2 units of Q0.15, tanh by 8.
struct Bound {
    /// Of the same argument, units of Q0.15. By INTEGER.md ours are within 5 of the sigmoid, 9 of tanh and 11 of a cell
    /// state's; theirs within 2, 2 and 3.
    static let (sigmoid, tanh, tanhOfCell) = (7.0, 11.0, 14.0)

    /// Units of Q0.15.
    private let gate: Double
    private let candidate: Double
    private let cellFractionBits: Int
    private let hiddenFractionBits: Int

    /// - Parameter biasApart: at most, units of Q3.12.
    init(_ network: IntegerNetwork, biasApart: Double) {
        gate = Self.sigmoid + 2 * (2 + biasApart)
        candidate = Self.tanh + 8 * (2 + biasApart)
        cellFractionBits = network.cellFractionBits
        hiddenFractionBits = network.hiddenFractionBits
    }

    /// Units of Q0.15 to one of the cell state.
    private var cellUnit: Double { Double(1 << (15 - cellFractionBits)) }

    /// Of the new cell state: f · c, i · g, and roundings of half a unit each: two of ours and one in Q0.15, two of
    /// theirs, of which one rounds twice.
    func cell(from c: Int16) -> Double {
        (gate * abs(Double(c)) / 32_768) + (gate + candidate + 0.5) / cellUnit + 2.25
    }

    /// Of the new hidden state. tanh falls off faster than |c| grows: |c| · tanh'(c) is at most 0.448.
    var hidden: Int {
        let cell = 0.45 * gate + gate + candidate + 0.5 + 2.25 * cellUnit
        let apart = gate + Self.tanhOfCell + 0.5 + cell
        return Int(apart / Double(1 << (15 - hiddenFractionBits))) + 1
    }
}

/// One step in real numbers, from integers.
struct ExactStep {
    /// `[H]`, the state before the step.
    let cell: [Int16]
    /// `[4H]` Q3.12, of inputs and bias and of the hidden state.
    private var parts: [(input: Double, recurrent: Double)] = []
    private let cellUnit: Double
    private let hiddenUnit: Double

    init(_ network: IntegerNetwork, _ input: [Int8], _ hidden: [Int8], _ cell: [Int16]) {
        self.cell = cell
        cellUnit = Double(1 << network.cellFractionBits)
        hiddenUnit = Double(1 << network.hiddenFractionBits)
        func product(_ kernel: [Int8], _ row: Int, _ vector: [Int8]) -> Double {
            let first = row * vector.count
            var sum: Int32 = 0
            for i in 0..<vector.count { sum &+= Int32(kernel[first &+ i]) &* Int32(vector[i]) }
            return Double(sum)
        }
        for row in 0..<network.shape.kernelRows {
            parts.append(
                (
                    Double(network.bias[row]) + network.inputMultipliers[row].value
                        * product(network.inputKernel, row, input),
                    network.recurrentMultipliers[row].value
                        * product(network.recurrentKernel, row, hidden)
                ))
        }
    }

    /// Whether in one of its gates the inputs' part with the bias, or the hidden state's, is beyond ±8.
    func partSaturates(unit: Int) -> Bool {
        stride(from: unit, to: parts.count, by: cell.count).contains {
            abs(parts[$0].input) > 32_766 || abs(parts[$0].recurrent) > 32_766
        }
    }

    /// After the step, in units of int8.
    func hidden(unit: Int) -> Double {
        func sum(_ gate: Gate) -> Double {
            let part = parts[gate.rawValue * cell.count + unit]
            return (part.input + part.recurrent) / 4096
        }
        func sigmoid(_ gate: Gate) -> Double { 1 / (1 + exp(-sum(gate))) }
        let c =
            sigmoid(.forget) * Double(cell[unit]) / cellUnit
            + sigmoid(.input) * tanh(sum(.candidate))
        return sigmoid(.output) * tanh(c) * hiddenUnit
    }

    /// The float network that the integers stand for, on the inputs' steps.
    static func parameters(_ network: IntegerNetwork) -> NetworkParameters {
        var parameters = NetworkParameters(
            shape: network.shape,
            flattened: [Float](repeating: 0, count: network.shape.parameterCount))
        let (H, I) = (network.shape.units, network.shape.inputWidth)
        let hiddenUnit = Double(1 << network.hiddenFractionBits)
        for row in 0..<network.shape.kernelRows {
            let input = network.inputMultipliers[row].value / 4096
            let recurrent = network.recurrentMultipliers[row].value / 4096 * hiddenUnit
            for i in row * I..<(row + 1) * I {
                parameters.inputKernel[i] = Float(Double(network.inputKernel[i]) * input)
            }
            for j in row * H..<(row + 1) * H {
                parameters.recurrentKernel[j] = Float(
                    Double(network.recurrentKernel[j]) * recurrent)
            }
            parameters.bias[row] = Float(network.bias[row]) / 4096
        }
        return parameters
    }
}

/// How two networks' hidden states compare, in units of int8.
struct Agreement: CustomStringConvertible {
    private(set) var states = 0
    var leftOut = 0
    /// By how much they differ: how often.
    private(set) var apart: [Int: Int] = [:]
    /// Sums of squared distances from the exact network.
    private(set) var squareOurs = 0.0
    private(set) var squareTheirs = 0.0

    var largest: Int { apart.keys.max() ?? 0 }

    mutating func add(_ ours: Int, _ theirs: Int, exact: Double) {
        states += 1
        apart[abs(ours - theirs), default: 0] += 1
        // Beyond what int8 holds both saturate.
        let exact = max(-127, min(127, exact))
        squareOurs += (Double(ours) - exact) * (Double(ours) - exact)
        squareTheirs += (Double(theirs) - exact) * (Double(theirs) - exact)
    }

    var description: String {
        let shares = (0...3).map {
            String(format: "%.3f", 100 * Double(apart[$0] ?? 0) / Double(states))
        }
        let distances = [squareOurs, squareTheirs].map {
            String(format: "%.4f", ($0 / Double(states)).squareRoot())
        }
        return "\(states) states, \(leftOut) left out; % that are 0, 1, 2, 3 apart: "
            + "\(shares.joined(separator: ", ")), at most \(largest); from the exact network \(distances[0]), theirs \(distances[1])"
    }
}
