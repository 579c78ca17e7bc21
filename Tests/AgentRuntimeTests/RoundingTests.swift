import CPosix
import Foundation
import TestSupport
import Testing

@Suite("Rounding without the mathematical library")
struct RoundingTests {
    private static let special: [Double] = [
        0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.499_999_999_999_999_94, .leastNonzeroMagnitude,
        .leastNormalMagnitude, .greatestFiniteMagnitude, .infinity, -.infinity, .nan, -1,
        4_503_599_627_370_495.5, 4_503_599_627_370_496, -4_503_599_627_370_495.5, 8_388_607.5,
        8_388_608, 0x1p62,
    ]

    /// Numbers of every size, of every size below 1, and around whole ones.
    private static func numbers(_ count: Int) -> [Double] {
        var random = SeededGenerator(seed: 14)
        var numbers = special
        for _ in 0..<count {
            let bits = random.next()
            numbers.append(Double(bitPattern: bits))
            numbers.append(Double(bitPattern: bits & 0x000F_FFFF_FFFF_FFFF))
            numbers.append(Double(Int64(bitPattern: bits) >> 12) / Double(1 << (bits & 31)))
            numbers.append(Double(Int64(bitPattern: bits) >> 40) / 2)
        }
        return numbers
    }

    @Test("gives the C library's bits")
    func sameBits() {
        for x in Self.numbers(50_000) {
            #expect(Self.same(shelfcast_ceil(x), Foundation.ceil(x)), "ceil of \(x)")
            #expect(Self.same(shelfcast_sqrt(x), Foundation.sqrt(x)), "square root of \(x)")
            let y = Float(x)
            #expect(
                Self.same(Double(shelfcast_roundf(y)), Double(Foundation.roundf(y))),
                "\(y) rounded")
        }
    }

    /// What is not a number has many forms, and none of them matters.
    private static func same(_ a: Double, _ b: Double) -> Bool {
        a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN)
    }
}
