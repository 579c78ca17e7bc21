import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Integer kernels")
struct IntegerKernelTests {
    @Test("The committed segments follow each other, and their middles are the middles")
    func segments() {
        let widths = [
            2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048,
            4096, 4096, 4096, 4096, 8192, 8192, 8192, 8192,
        ]
        var start = 0
        for k in 0..<16 {
            #expect(Int(TanhSegments.middles[k]) == start + widths[k] / 2)
            start += widths[k]
        }
        #expect(start == 65_536)
    }

    @Test("INTEGER.md states the coefficients that a device has")
    func statedSegments() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let definition = try String(
            contentsOf: root.appending(path: "Sources/Forecasting/INTEGER.md"), encoding: .utf8)
        let lines = Set(definition.split(separator: "\n"))
        for k in 0..<16 {
            let (middle, value) = (TanhSegments.middles[k], TanhSegments.values[k])
            let (slope, curvature) = (TanhSegments.slopes[k], TanhSegments.curvatures[k])
            #expect(lines.contains("| \(k) | \(middle) | \(value) | \(slope) | \(curvature) |"))
        }
    }

    @Test("Wherever it is asked, tanh is within 9 units and falls by no more than one")
    func tanhEverywhere() {
        var last: Int16 = 0
        for position in UInt16.min...UInt16.max {
            let y = Activations.tanh(position: position)
            let exact = tanh(Double(position) / 8192) * 32_768
            #expect(abs(Double(y) - exact) <= 9, "position \(position)")
            #expect(y >= max(last - 1, 0) && y <= Activations.largest, "position \(position)")
            last = y
        }
        #expect(Activations.tanh(position: 0) == 0)
        #expect(Activations.tanh(position: .max) == 32_766)
    }

    @Test("tanh of a gate's sum is odd, within 9 units and falls by no more than one")
    func tanhOfSum() {
        var last: Int16 = -32_766
        for x in Int16.min...Int16.max {
            let y = Activations.tanh(x)
            #expect(abs(Double(y) - tanh(Double(x) / 4096) * 32_768) <= 9, "x = \(x)")
            #expect(y >= last - 1, "x = \(x)")
            if x > Int16.min { #expect(Activations.tanh(-x) == -y) }
            last = y
        }
        #expect(Activations.tanh(Int16.min) == -32_766 && Activations.tanh(Int16.max) == 32_766)
    }

    @Test("sigmoid is within 5 units, falls by no more than one, and stays between 0 and 1")
    func sigmoidEverywhere() {
        var last: Int16 = 1
        for x in Int16.min...Int16.max {
            let y = Activations.sigmoid(x)
            let exact = 32_768 / (1 + exp(-Double(x) / 4096))
            #expect(abs(Double(y) - exact) <= 5, "x = \(x)")
            #expect(y >= max(last - 1, 1), "x = \(x)")
            last = y
        }
    }

    @Test("tanh of a cell state is as exact at every scale a cell may have", arguments: 8...14)
    func tanhOfCell(fractionBits: Int) {
        let unit = pow(2, Double(fractionBits))
        // A position is a 2^-13th: at 14 bits the argument itself is rounded by half of one, 2 units of tanh.
        let tolerance = fractionBits > 13 ? 11.0 : 9.0
        for cell in Int16.min...Int16.max {
            let y = Activations.tanh(cell: cell, fractionBits: Int32(fractionBits))
            #expect(
                abs(Double(y) - tanh(Double(cell) / unit) * 32_768) <= tolerance, "cell \(cell)")
            if cell > Int16.min {
                #expect(Activations.tanh(cell: -cell, fractionBits: Int32(fractionBits)) == -y)
            }
        }
    }

    @Test(
        "A product is rounded once, halves towards plus infinity, and fits at its ends",
        arguments: [
            (-32_768, 32_767, -32_767), (32_767, -32_768, -32_767), (32_767, 32_767, 32_766),
            (-32_767, 32_767, -32_766), (-32_767, -32_767, 32_766), (-32_768, -32_767, 32_767),
            (-32_768, 1, -1), (-32_768, -1, 1), (16_384, 1, 1), (-16_384, 1, 0), (16_383, 1, 0),
            (-16_385, 1, -1), (0, -32_768, 0), (16_384, 3, 2), (16_384, -3, -1),
        ] as [(Int16, Int16, Int16)])
    func products(a: Int16, b: Int16, expected: Int16) {
        #expect(FixedPoint.product(a, b) == expected)
        #expect(FixedPoint.product(b, a) == expected)
    }

    @Test("Rounding to fewer bits is nearest, halves towards plus infinity", arguments: 1...15)
    func roundedToFewer(bits: Int) {
        for value in Int16.min...Int16.max {
            let expected = Int(floor(Double(value) / pow(2, Double(bits)) + 0.5))
            #expect(Int(FixedPoint.rounded(value, by: Int32(bits))) == expected, "\(value)")
        }
    }

    @Test(
        "A sum stops at both ends of int16",
        arguments: [
            (32_767, 32_767, 32_767), (32_767, 1, 32_767), (32_767, 0, 32_767),
            (32_766, 1, 32_767), (-32_768, -32_768, -32_768), (-32_768, -1, -32_768),
            (-32_767, -1, -32_768), (32_767, -32_768, -1), (0, 0, 0),
        ] as [(Int16, Int16, Int16)])
    func sums(a: Int16, b: Int16, expected: Int16) {
        #expect(FixedPoint.sum(a, b) == expected)
        #expect(FixedPoint.sum(b, a) == expected)
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
