import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Integer kernels")
struct IntegerKernelTests {
    @Test("The committed table is tanh to half a unit")
    func table() {
        for n in 0...256 {
            let exact = min(32_767, tanh(Double(n) / 32) * 32_768)
            #expect(abs(Double(TanhTable.values[n]) - exact) <= 0.5, "entry \(n)")
        }
    }

    @Test("tanh is odd, never falls, and stays within 4 units over all of int16")
    func tanhEverywhere() {
        var last: Int16 = -32_768
        for x in Int16.min...Int16.max {
            let y = Activations.tanh(x)
            let exact = tanh(Double(x) / 4096) * 32_768
            #expect(abs(Double(y) - exact) <= 4, "x = \(x)")
            #expect(y >= last, "x = \(x)")
            if x > Int16.min { #expect(Activations.tanh(-x) == -y) }
            last = y
        }
    }

    @Test("sigmoid never falls and stays within 3 units and inside 0 and 1 over all of int16")
    func sigmoidEverywhere() {
        var last: Int16 = 0
        for x in Int16.min...Int16.max {
            let y = Activations.sigmoid(x)
            let exact = 32_768 / (1 + exp(-Double(x) / 4096))
            #expect(abs(Double(y) - exact) <= 3, "x = \(x)")
            #expect(y >= last && y >= 1, "x = \(x)")
            last = y
        }
    }

    @Test("tanh of a cell state is as exact at every scale a cell may have", arguments: 8...15)
    func tanhOfCell(fractionBits: Int) {
        let unit = pow(2, Double(fractionBits))
        // A position is a 2^-13th: beyond 13 bits the argument itself is rounded by half of one, 2 units of tanh.
        let tolerance = fractionBits > 13 ? 6.0 : 4.0
        for cell in Int16.min...Int16.max {
            let y = Activations.tanh(cell: cell, fractionBits: Int32(fractionBits))
            #expect(
                abs(Double(y) - tanh(Double(cell) / unit) * 32_768) <= tolerance, "cell \(cell)")
        }
    }

    @Test(
        "Halves round towards plus infinity, whatever the sign",
        arguments: [
            (5, 1, 3), (-5, 1, -2), (6, 2, 2), (-6, 2, -1), (7, 2, 2), (-7, 2, -2), (1, 1, 1),
            (-1, 1, 0),
            (7, 0, 7), (-7, 0, -7), (1 << 30, 30, 1), (-(1 << 30), 30, -1), (1 << 29, 30, 1),
            (-(1 << 29), 30, 0), ((1 << 29) - 1, 30, 0),
        ] as [(Int32, Int32, Int32)])
    func rounding(value: Int32, bits: Int32, expected: Int32) {
        #expect(FixedPoint.roundingShiftRight(value, by: bits) == expected)
    }

    @Test("Saturation keeps what fits and stops at both ends")
    func saturation() {
        #expect(
            [Int32.min, -32_769, -32_768, 0, 32_767, 32_768, .max].map(FixedPoint.saturateInt16)
                == [-32_768, -32_768, -32_768, 0, 32_767, 32_767, 32_767])
        #expect(
            [Int32.min, -128, -127, 0, 127, 128, .max].map(FixedPoint.saturateInt8)
                == [-127, -127, -127, 0, 127, 127, 127])
    }

    @Test(
        "A float becomes the nearest of 255 steps, and nothing traps",
        arguments: [
            (0, 127, 0), (-0.0, 127, 0), (1, 127, 127), (-1, 127, -127), (1.5, 127, 127),
            (-9, 127, -127),
            (0.5, 1, 1), (-0.5, 1, -1), (0.499, 1, 0), (126.5, 1, 127), (-126.49, 1, -126),
            (.infinity, 1, 127), (-.infinity, 1, -127), (.nan, 1, 0),
            (.greatestFiniteMagnitude, 1e6, 127),
            (0x1p-149, 1, 0), (0, .infinity, 0),
        ] as [(Float, Float, Int8)])
    func quantising(value: Float, steps: Float, expected: Int8) {
        #expect(FixedPoint.quantize(value, stepsPerUnit: steps) == expected)
    }

    @Test("A multiplier is never below its scale and at most 1/256 above it")
    func multiplier() throws {
        var numbers = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            let scale = pow(2, Double.random(in: -22...7.99, using: &numbers))
            let multiplier = try #require(RowMultiplier(atLeast: scale), "scale \(scale)")
            #expect(multiplier.isValid)
            #expect(multiplier.value >= scale && multiplier.value <= scale * 257 / 256, "\(scale)")
        }
        #expect(RowMultiplier(atLeast: 0)?.value == 256 * pow(2, -30))
        #expect(RowMultiplier(atLeast: 255.5)?.value == 255.5)
        #expect(RowMultiplier(atLeast: 255.6) == nil)
        #expect(RowMultiplier(atLeast: .nan) == nil)
        #expect(RowMultiplier(atLeast: -1) == nil)
    }

    @Test("Rescaling at its bounds equals wide arithmetic", arguments: 1...30)
    func rescaling(shift: Int) {
        let sumMax = Int32(127 * 127 * GateKernels.rowWidthMax)
        for mantissa in [256, 257, 384, 511] {
            let multiplier = RowMultiplier(code: UInt16(shift << 8 | (mantissa - 256)))
            for sum in [-sumMax, -sumMax + 1, -1, 0, 1, 12_345, sumMax - 1, sumMax] {
                let wide = (Int(sum) * mantissa + 1 << (shift - 1)) >> shift
                #expect(Int(multiplier.rescale(sum)) == wide)
            }
        }
    }
}
