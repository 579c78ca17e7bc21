package import Forecasting

/// The engine on trial: a fixed set of networks and windows, the same on every machine. What they come to is the same
/// wherever the engine is right, whatever CPU and kernel set it runs on.
///
/// Every cell, sizes around what the kernels take at once, windows of 1 to 64 days, and networks whose sums and states
/// run into their ends. All of it takes some hundredths of a second, and memory for one network at a time: 200 KiB for the
/// largest.
package enum EngineTrial {
    /// One network with the windows it is tried on.
    package struct Case: Equatable, Sendable {
        /// Where the network's numbers come from.
        package var seed: UInt64
        package var shape: NetworkShape
        /// Days.
        package var window: Int
        /// Whether sums and states are driven to their ends.
        package var isExtreme: Bool
        /// Whether weights have four bits, which run in a form of their own.
        package var hasNibbles: Bool

        package init(
            seed: UInt64, shape: NetworkShape, window: Int, isExtreme: Bool,
            hasNibbles: Bool = false
        ) {
            self.seed = seed
            self.shape = shape
            self.window = window
            self.isExtreme = isExtreme
            self.hasNibbles = hasNibbles
        }

        /// "lstm-17, 5 inputs, 14 days, extreme".
        package var name: String {
            "\(shape.cell.name)-\(shape.units), \(shape.inputWidth) inputs, \(window) days"
                + (isExtreme ? ", extreme" : "") + (hasNibbles ? ", four bits" : "")
        }
    }

    /// Around the 8 rows, and the 16 and 32 bytes, that kernels take at once, and both ends of what is allowed.
    static let units = [1, 2, 3, 15, 16, 17, 63, 64, 65, 128]
    static let inputWidths = [1, 3, 4, 5, 24, 64, 2]
    static let windows = [1, 2, 3, 14, 15, 64]
    /// The larger sizes are tried on fewer: the time goes with the square of the units.
    static let unitsWithEveryWindow = 17

    /// In the order in which their results are told.
    package static var cases: [Case] {
        var cases: [Case] = []
        for cell in CellKind.allCases {
            for units in units {
                for window in windows
                where units <= unitsWithEveryWindow || window == 1 || window == 15 {
                    // Widths, extremes and forms take turns, so that each meets each.
                    let at = cases.count
                    cases.append(
                        Case(
                            seed: UInt64(at),
                            shape: NetworkShape(
                                cell: cell, inputWidth: inputWidths[at % inputWidths.count],
                                units: units), window: window, isExtreme: at % 5 == 0,
                            hasNibbles: at % 4 == 1))
                }
            }
        }
        return cases
    }

    /// What one network leaves behind after each of three windows, run one after the other in one arena: the output in
    /// four bytes, the states of its cells in two each, what the kernels see of them in one each; low bytes first.
    package static func results(of one: Case, kernels: KernelSet) -> [UInt8] {
        let network = network(of: one)
        var counts = ArenaLayout.Counts(shape: one.shape, window: one.window)
        counts.inputForm = KernelForm(of: network.inputKernel, columns: one.shape.inputWidth)
        counts.recurrentForm = KernelForm(of: network.recurrentKernel, columns: one.shape.units)
        let recurrence = IntegerRecurrence(
            network, in: Arena(ArenaLayout(counts)), kernels: kernels)
        var numbers = SplitMix64(seed: ~one.seed)
        var results: [UInt8] = []
        for pass in 0..<3 {
            recurrence.load(window: window(of: one, pass: pass, &numbers))
            let output = UInt32(bitPattern: recurrence.run())
            for byte in 0..<4 as Range<UInt32> {
                results.append(UInt8(truncatingIfNeeded: output &>> (8 &* byte)))
            }
            for value in recurrence.cell {
                results.append(UInt8(truncatingIfNeeded: value))
                results.append(UInt8(truncatingIfNeeded: value &>> 8))
            }
            for value in recurrence.hidden { results.append(UInt8(bitPattern: value)) }
        }
        return results
    }

    /// A valid network whose sums mostly lie where sigmoid and tanh bend, or mostly beyond their ends.
    package static func network(of one: Case) -> IntegerNetwork {
        var numbers = SplitMix64(seed: one.seed)
        var network = IntegerNetwork(shape: one.shape)
        func fill(_ weights: inout [Int8]) {
            for i in weights.indices {
                weights[i] = Int8(
                    one.isExtreme ? numbers.sign() * 127 : numbers.within(-127...127))
                // -8...7
                if one.hasNibbles { weights[i] >>= 4 }
            }
        }
        func multipliers(columns: Int) -> [UInt16] {
            // 127² · √columns times the mantissa, shifted so, is some units of Q3.12.
            let usual =
                (one.hasNibbles ? 4 : 8) + (Int.bitWidth - columns.leadingZeroBitCount) / 2
            var codes: [UInt16] = []
            for _ in 0..<one.shape.kernelRows {
                let shift = one.isExtreme ? numbers.within(1...30) : usual + numbers.within(-1...2)
                codes.append(UInt16(shift << 8 | numbers.within(0...255)))
            }
            return codes
        }
        for i in network.inputSteps.indices {
            network.inputSteps[i] = Float(numbers.within(8...254)) / 2
        }
        fill(&network.inputKernel)
        fill(&network.recurrentKernel)
        fill(&network.denseKernel)
        network.inputMultiplierCodes = multipliers(columns: one.shape.inputWidth)
        network.recurrentMultiplierCodes = multipliers(columns: one.shape.units)
        let biasMax = one.isExtreme ? Int(IntegerNetwork.biasMax) : 8192
        for i in network.bias.indices {
            network.bias[i] = Int32(numbers.within(-biasMax...biasMax))
        }
        for i in network.scalars.indices {
            network.scalars[i] = UInt16(numbers.within(0...Int(IntegerNetwork.scalarMax)))
        }
        network.denseBias =
            one.isExtreme
            ? Int32(numbers.sign()) * IntegerNetwork.denseBiasMax
            : Int32(numbers.within(-65_536...65_536))
        network.cellFractionBits = numbers.within(IntegerNetwork.cellFractionBitsRange)
        network.hiddenFractionBits = numbers.within(
            IntegerNetwork.hiddenFractionBitsRange(
                one.shape.cell, cellFractionBits: network.cellFractionBits))
        return network
    }

    /// `[window, I]` float: values within and beyond what int8 holds, or all of them beyond.
    private static func window(of one: Case, pass: Int, _ numbers: inout SplitMix64) -> [Float] {
        var values: [Float] = []
        for day in 0..<one.window {
            for _ in 0..<one.shape.inputWidth {
                if one.isExtreme {
                    // Up, down, and to and fro by the day.
                    let isUp = pass == 0 || (pass == 2 && day % 2 == 0)
                    values.append(isUp ? 1000 : -1000)
                } else {
                    values.append(Float(numbers.within(-5120...5120)) / 1024)
                }
            }
        }
        return values
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed for ever.
private struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed &>> 31)
    }

    /// Evenly enough for a trial: the range is far below 2^32.
    mutating func within(_ range: ClosedRange<Int>) -> Int {
        let count = UInt64(range.upperBound - range.lowerBound + 1)
        return range.lowerBound + Int(((next() &>> 32) &* count) &>> 32)
    }

    /// 1 or -1.
    mutating func sign() -> Int { next() &>> 63 == 0 ? 1 : -1 }
}
