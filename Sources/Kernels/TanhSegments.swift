/// `tanh` on 0...8 as sixteen parabolas, within 9 units of Q0.15 of the true value. INTEGER.md says how they are used.
///
/// Written by `Scripts/tanh-segments`; never edited by hand, because a changed entry changes every forecast.
package enum TanhSegments {
    /// The middle of each segment, 8192 positions a unit.
    package static let middles: InlineArray<16, UInt16> = [
        1024, 3072, 5120, 7168, 9216, 11264, 13312, 15360,
        18432, 22528, 26624, 30720, 36864, 45056, 53248, 61440,
    ]
    /// The value in the middle, Q0.15.
    package static let values: InlineArray<16, Int16> = [
        4077, 11745, 18173, 23065, 26519, 28830, 30322, 31262,
        32048, 32501, 32670, 32732, 32760, 32766, 32766, 32766,
    ]
    package static let slopes: InlineArray<16, Int16> = [
        16064, 14241, 11341, 8280, 5674, 3720, 2369, 1481,
        733, 274, 101, 37, 9, 0, 0, 0,
    ]
    package static let curvatures: InlineArray<16, Int16> = [
        -985, -2533, -3125, -2892, -2285, -1628, -1099, -701,
        -354, -132, -52, -20, -5, 0, 0, 0,
    ]
}
