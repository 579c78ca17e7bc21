// Forecasts must come out the same on every CPU, so nothing here calls a C library: only + − × ÷ and
// integer conversions, each exactly rounded by IEEE 754, never fused.

/// eˣ to within 2 units in the last place; 0 below −708, the largest finite value's order above 709.
/// A NaN comes back as a NaN.
package func exponential(_ x: Double) -> Double {
    guard x > -708 else { return x.isNaN ? x : 0 }
    let bounded = x < 709 ? x : 709
    // x = n · ln 2 + r, |r| ≤ ln 2 / 2; ln 2 in two parts so that r loses nothing.
    let scaled = bounded * 1.442_695_040_888_963_4
    let n = Double(Int(scaled + (scaled < 0 ? -0.5 : 0.5)))
    let r = (bounded - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33
    // Taylor's series to r¹³: the next term is below 2⁻⁵⁸.
    var sum = 1.0
    var k = 13.0
    while k > 0 {
        sum = 1 + sum * r / k
        k -= 1
    }
    return sum * Double(sign: .plus, exponent: Int(n), significand: 1)
}

/// The natural logarithm, to within 4 units in the last place (absolute 2⁻⁵² near 1).
/// - Precondition: `x` is finite and above 0.
package func naturalLogarithm(_ x: Double) -> Double {
    precondition(x > 0 && x.isFinite)
    var exponent = Double(x.exponent)
    var m = x.significand
    if m > 1.414_213_562_373_095_1 {
        m *= 0.5
        exponent += 1
    }
    // ln m = 2 artanh((m − 1) / (m + 1)); |s| ≤ 0.1716, so s²⁵ / 25 is below 2⁻⁶⁸.
    let s = (m - 1) / (m + 1)
    let s2 = s * s
    var sum = 0.0
    var k = 23.0
    while k > 0 {
        sum = sum * s2 + 1 / k
        k -= 2
    }
    return 2 * s * sum + exponent * 0.693_147_180_559_945_3
}

package func exponential(_ x: Float) -> Float { Float(exponential(Double(x))) }
package func naturalLogarithm(_ x: Float) -> Float { Float(naturalLogarithm(Double(x))) }

/// 1 / (1 + e⁻ˣ)
package func sigmoid(_ x: Double) -> Double { 1 / (1 + exponential(-x)) }

package func hyperbolicTangent(_ x: Double) -> Double {
    // From the side on which e²ˣ is small, so that it cannot overflow.
    let e = exponential(x > 0 ? -2 * x : 2 * x)
    let magnitude = (1 - e) / (1 + e)
    return x > 0 ? magnitude : -magnitude
}

package func sigmoid(_ x: Float) -> Float { Float(sigmoid(Double(x))) }
package func hyperbolicTangent(_ x: Float) -> Float { Float(hyperbolicTangent(Double(x))) }

/// Sine and cosine of `turns` full circles, 0 ≤ turns ≤ 1, to within 10⁻¹⁵.
package func circle(turns: Double) -> (sine: Double, cosine: Double) {
    // To −⅛…⅛ of a turn around the nearest quarter, where the series is short.
    let quarter = Int(turns * 4 + 0.5)
    let angle = (turns - Double(quarter) * 0.25) * 6.283_185_307_179_586
    let a2 = angle * angle
    var sine = 1.0
    var cosine = 1.0
    var k = 18.0
    while k > 0 {
        cosine = 1 - cosine * a2 / (k * (k - 1))
        sine = 1 - sine * a2 / (k * (k + 1))
        k -= 2
    }
    sine *= angle
    switch quarter % 4 {
    case 0: return (sine, cosine)
    case 1: return (cosine, -sine)
    case 2: return (-sine, -cosine)
    default: return (-cosine, sine)
    }
}
