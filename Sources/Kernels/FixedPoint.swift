/// The fixed-point arithmetic of the integer network: one rounding rule, one saturation rule.
/// `Sources/Forecasting/INTEGER.md` is the text a second implementation follows.
package enum FixedPoint {
    /// `value · 2^-bits`, rounded to the nearest integer, halves towards +∞: `⌊(value + 2^(bits−1)) / 2^bits⌋`.
    ///
    /// - Parameter bits: 0...30. Zero leaves the value as it is.
    /// - Precondition: `value + 2^(bits−1)` fits Int32; each caller states why it does.
    @inline(__always)
    package static func roundingShiftRight(_ value: Int32, by bits: Int32) -> Int32 {
        guard bits > 0 else { return value }
        return (value &+ (1 &<< (bits &- 1))) &>> bits
    }

    /// `a · b` of two numbers in Q0.15, rounded once, halves towards +∞: `⌊(a · b + 2^14) / 2^15⌋`. What x86's
    /// `pmulhrsw` and ARM's `sqrdmulh` give.
    ///
    /// - Precondition: not both -32768, whose product is no int16.
    @inline(__always)
    package static func product(_ a: Int16, _ b: Int16) -> Int16 {
        Int16(truncatingIfNeeded: (Int32(a) &* Int32(b) &+ 0x4000) &>> 15)
    }

    /// `value · 2^-bits`, rounded like `product`.
    /// - Parameter bits: 1...15.
    @inline(__always)
    package static func rounded(_ value: Int16, by bits: Int32) -> Int16 {
        product(value, Int16(truncatingIfNeeded: 1 &<< (15 &- bits)))
    }

    /// `a + b`, held within int16.
    @inline(__always)
    package static func sum(_ a: Int16, _ b: Int16) -> Int16 {
        saturateInt16(Int32(a) &+ Int32(b))
    }

    /// The nearest value in `-32768...32767`.
    @inline(__always)
    package static func saturateInt16(_ value: Int32) -> Int16 {
        Int16(truncatingIfNeeded: max(-32_768, min(32_767, value)))
    }

    /// The nearest value in `-127...127`. Symmetric: -128 is never produced.
    @inline(__always)
    package static func saturateInt8(_ value: Int32) -> Int8 {
        Int8(truncatingIfNeeded: max(-127, min(127, value)))
    }

    /// The nearest int8 to `value · stepsPerUnit`, halves away from zero, saturated to ±127; NaN gives 0.
    ///
    /// One single-precision product and no libm call: the same on every CPU.
    @inline(__always)
    package static func quantize(_ value: Float, stepsPerUnit: Float) -> Int8 {
        let steps = value * stepsPerUnit
        // In this order a NaN fails both comparisons and then the equality.
        if steps >= 127 { return 127 }
        if steps <= -127 { return -127 }
        guard steps == steps else { return 0 }
        return Int8(truncatingIfNeeded: Int32(steps >= 0 ? steps + 0.5 : steps - 0.5))
    }

    /// The same of many, the i-th into `codes[i · stride]`.
    package static func quantize(
        _ values: Span<Float>, stepsPerUnit: Float, into codes: UnsafeMutablePointer<Int8>,
        stride: Int
    ) {
        for i in values.indices {
            codes[i &* stride] = quantize(values[i], stepsPerUnit: stepsPerUnit)
        }
    }
}

/// The scale of one row of weights, as the device multiplies with it: `mantissa · 2^-shift`.
///
/// Two bytes: the low one is `mantissa − 256`, the high one is the shift. The hub rounds a row's scale up to a
/// multiplier and divides the weights by exactly that, so the coarse mantissa costs no accuracy.
package struct RowMultiplier: Equatable, Sendable {
    package var code: UInt16

    package init(code: UInt16) { self.code = code }

    /// As the kernels read it: the mantissa in nine bits, above it the shift less one.
    package var packed: UInt16 { UInt16(shift &- 1) &<< 9 | UInt16(mantissa) }

    package init(packed: UInt16) {
        code = (packed &>> 9 &+ 1) &<< 8 | packed & 255
    }

    /// 2^-22.
    package static let smallest = RowMultiplier(code: 30 << 8)

    /// 256...511.
    @inline(__always)
    package var mantissa: Int32 { 256 &+ Int32(code & 0xFF) }

    /// 1...30 in a valid multiplier.
    @inline(__always)
    package var shift: Int32 { Int32(code &>> 8) }

    package var isValid: Bool { (1...30).contains(shift) }

    /// 2^-22 (nearly) ... 255.5, exactly.
    package var value: Double { Double(mantissa) / Double(1 &<< Int64(shift)) }

    /// The smallest multiplier that is at least `scale`, or nil above 255.5. Scales below the smallest one
    /// get the smallest.
    /// - Parameter scale: finite, not negative.
    package init?(atLeast scale: Double) {
        guard scale.isFinite, scale >= 0, scale <= 255.5 else { return nil }
        var shift = 30
        // Mantissas of 256 and up: halve the shift's weight until the scale fits below 512.
        while shift > 1, scale * Double(1 &<< Int64(shift)) > 511 { shift -= 1 }
        let exact = scale * Double(1 &<< Int64(shift))
        var mantissa = max(256, Int(exact))
        if Double(mantissa) < exact { mantissa += 1 }
        guard mantissa <= 511 else { return nil }
        code = UInt16(shift << 8 | (mantissa - 256))
    }

    /// `⌊(sum · mantissa + 2^(shift−1)) / 2^shift⌋`.
    ///
    /// - Precondition: `|sum| ≤ 127 · 127 · 128 = 2,064,512`. Then `|sum · mantissa| ≤ 1,054,965,632 < 2^30`, and
    ///   with the rounding term of at most `2^29` the sum stays below `2^31`.
    @inline(__always)
    package func rescale(_ sum: Int32) -> Int32 {
        FixedPoint.roundingShiftRight(sum &* mantissa, by: shift)
    }
}
