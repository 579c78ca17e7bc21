// Written by Scripts/range-streams, a second implementation of FORMAT.md's range stream; never edited by hand.
import ModelPackage
import Testing

enum RangeStreams {
    struct Weights: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var prior: Prior
        var values: [Int8]?
        var weights: [Int8]
        var hex: String
    }

    struct Numbers: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var zeroBits: Int
        var rawBits: Int
        var center: Int
        var prior: Prior
        var numbers: [Int]
        var hex: String
    }

    static let weights: [Weights] = [
        Weights(
            testDescription: "uniform",
            prior: Prior(shape: .uniform, scale: 63, zero: nil),
            values: nil,
            weights: [
                -45, -89, 38, -109, 9, -34, -113, 2, -118, -17, -110, -104, -19, 83, -96, -71, 32,
                114, 20, -26, 121, -116, 91, -54, -91, -97, -49, 81, -81, 21, 35, -33, 12, -111,
                -112, -75, 46, -18, -47, 22,
            ],
            hex: "52787a0c66a57c4cdac6323308d779d3880c0eee659a4ffab3ca83a9d7ec64c58088173bd7d1f6ec"),
        Weights(
            testDescription: "four bits",
            prior: Prior(shape: .uniform, scale: 3, zero: nil),
            values: nil,
            weights: [
                -1, -3, 4, 3, -4, 1, 0, 6, 3, -3, 7, -6, -1, 4, -5, 0, -7, 3, 4, 1, 6, -3, 3, 1, 1,
                -1, 5, 7, 0, 2, -7, 3, 2, 7, 5, -3, -2, 3, -7, -1, -5, -6, -7, 4, -6, -4, -2, 6, -6,
                -1, 1, 6, 5, 5, -3, -1, -2, 6, 7, -5,
            ], hex: "6bd505fcb8a9caedd3e1a62766ba2e3900a909c63563babbd59bb9179ea0"),
        Weights(
            testDescription: "ternary without a table",
            prior: Prior(shape: .uniform, scale: 0, zero: 120),
            values: nil,
            weights: [
                -1, -1, -1, 0, 0, -1, -1, 0, 0, 0, 1, 0, 0, 0, 0, -1, 1, 1, 1, 1, 0, 0, -1, 0, -1,
                -1, -1, -1, 0, -1, -1, -1, -1, 0, -1, 1, 0, -1, -1, 0, 0, -1, 1, 1, 0, 0, -1, -1, 0,
                0, 1, -1, -1, 1, 0, -1, 0, -1, 0, 1,
            ], hex: "01e27647e9870c02e9cf7e06"),
        Weights(
            testDescription: "geometric",
            prior: Prior(shape: .geometric, scale: 25, zero: nil),
            values: nil,
            weights: [
                3, 1, -2, -1, -3, 2, 0, 2, -1, -2, 3, 10, 3, 3, 3, 2, -2, 0, -1, -8, -8, -2, -2, 1,
                7, 0, 6, 10, 7, -1, -2, -2, -2, -2, 1, 4, 3, 0, 1, 2, -5, 1, 5, 2, 2, 0, -3, 2, -1,
                2, 8, -1, -1, 6, 2, -3, -4, -3, 4, 3,
            ], hex: "d7302d78b927adff398580cbc9844a96614c9f144b2e1fa38e8505ce6fb8"),
        Weights(
            testDescription: "a narrow Gaussian",
            prior: Prior(shape: .gaussian, scale: 3, zero: nil),
            values: nil,
            weights: [
                0, 0, 1, 0, 0, 0, 0, -1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, -1, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ], hex: "dcf22a85f0"),
        Weights(
            testDescription: "the widest Gaussian",
            prior: Prior(shape: .gaussian, scale: 63, zero: nil),
            values: nil,
            weights: [
                -84, 51, 38, -87, 94, 118, -67, 114, -24, -3, 124, 81, -82, -16, 3, -38, -74, -43,
                53, -122, 13, -14, -122, -40, 29, 3, -109, 123, 69, 119, -98, -56, -116, 67, -55,
                -91, -18, 102, 77, -58, -86, 104, 16, 48, -102, -111, 45, -17, -106, 109, 32, 73,
                -103, 87, -108, 89, -11, -38, 12, 106,
            ],
            hex:
                "27f79661663862cb1e9cee8870c0db557402eb13c50639914660a94cfaced73b850efaefcb0ddafb0b431195f035937ffc7b0694fb7ba7acaa8d5c1b"
        ),
        Weights(
            testDescription: "Student",
            prior: Prior(shape: .student, scale: 30, zero: nil),
            values: nil,
            weights: [
                -3, -6, 0, -3, -6, -5, -9, -4, -2, -2, 3, -2, 0, -4, -2, -15, -3, -16, 3, 1, -4, 0,
                8, -6, 4, -1, 0, 5, -1, 0, 2, 15, -2, 5, 2, 2, -1, -2, -9, -6, -8, 3, -3, -5, -7, 5,
                6, 2, -3, -3, -2, 0, -5, -1, -3, 11, 12, 1, -3, 11, -2, -2, -59, -1, 0, 0, -4, 0,
                -25, -3, -7, -1, -10, -14, -2, -3, 1, 0, 3, 2,
            ],
            hex:
                "3aecb81dff5a5c0bd6d50e36236165b3b6ba7b276a5d441b3cf989ac7185a44e0a4b85cbcf73181ca079995fabdd30"
        ),
        Weights(
            testDescription: "seven in ten are zero",
            prior: Prior(shape: .geometric, scale: 35, zero: 179),
            values: nil,
            weights: [
                0, 2, 0, 0, 18, 0, 0, 0, -10, 0, 3, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, -13,
                -1, 0, -3, 0, 0, 0, 0, 0, 0, -33, 0, 0, 0, 0, 0, -7, 0, 0, -6, 0, 0, 0, 0, 15, 0, 0,
                0, 0, 0, 0, 0, -6, -1, 0, 0, 0, 0, -20, -7, 0, 0, 0, 0, 0, 0, 0, 0, -2, 3, 0, 16, 7,
                -17, 0, 0, 12, 0, 0, 0, 8, 0, 0, -1, 0,
            ], hex: "c47cc2b9b9c2536357c7cddc3fff5aa4c24fd7d994cb855aca0ac9"),
        Weights(
            testDescription: "hardly ever zero",
            prior: Prior(shape: .student, scale: 12, zero: 0),
            values: nil,
            weights: [
                2, -1, 1, 1, 1, 1, -1, 1, -1, -2, -6, -1, -1, -1, -1, -1, -1, 1, -15, 1, 1, -1, 2,
                1, 1, -1, -1, -1, 48, 1, -1, -1, -1, -2, -1, 1, -1, 2, -1, -1,
            ], hex: "f1984f0ce4981547bcc206455c"),
        Weights(
            testDescription: "a table",
            prior: Prior(shape: .gaussian, scale: 10, zero: nil),
            values: [-90, -31, -4, 0, 7, 44, 126],
            weights: [
                0, 0, 0, 7, 7, 0, 0, 7, 7, 0, 0, -4, 0, 0, 0, 0, 0, -4, 7, -4, 0, 0, 0, 0, 7, 0, 0,
                0, 0, 0, 0, -4, 0, 7, 0, 0, 7, 7, 0, -4, 0, -4, 0, -4, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0,
                -4, 0, 7, -4, 0, 0, 7, 0, 0, 0, 0, 0, 7, 7, 7, -4, -4, 0, 7, 0, 0, -31, 0, 7, 0, 7,
                7, 0, -4, -4, 0, 0, 7, 0, 0, 0,
            ], hex: "a643778725736331a4f6bf3b040da9bd"),
        Weights(
            testDescription: "ternary",
            prior: Prior(shape: .uniform, scale: 0, zero: 200),
            values: [-1, 0, 1],
            weights: [
                0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0,
                0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
                0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, -1, -1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, -1, 0,
                0, 0, 0, 0, -1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 1, -1, 0, 0, 0, -1,
                -1, -1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0,
            ], hex: "3e8b0688f607c4a4923472f0da50df189b"),
        Weights(
            testDescription: "all negative",
            prior: Prior(shape: .geometric, scale: 7, zero: 255),
            values: [-9, -3],
            weights: [
                -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3,
                -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3,
                -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3, -3,
            ], hex: "ff"),
        Weights(
            testDescription: "alone",
            prior: Prior(shape: .student, scale: 50, zero: 3),
            values: [5],
            weights: [
                5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
                5, 5,
            ], hex: ""),
    ]

    static let numbers: [Numbers] = [
        Numbers(
            testDescription: "one number", zeroBits: 11, rawBits: 0, center: 1,
            prior: Prior(shape: .uniform, scale: 0), numbers: [2048, 2048, 2048], hex: ""),
        Numbers(
            testDescription: "uniform", zeroBits: 4, rawBits: 3, center: 500,
            prior: Prior(shape: .uniform, scale: 40),
            numbers: [
                9088, 8176, 12304, 10128, 8960, 8384, 12208, 8272, 12128, 11344, 11424, 11680,
                13184, 10176, 9616, 10048, 12560, 11424, 11760, 12960, 12704, 8528, 10128, 10336,
                8640, 10912, 8464, 11872, 8704, 8800,
            ], hex: "35280b5af276603de24eafde6a870266c86b88148f5d5b6232e83cc36ac86cf2"),
        Numbers(
            testDescription: "a bell of biases", zeroBits: 0, rawBits: 7, center: -90,
            prior: Prior(shape: .gaussian, scale: 45),
            numbers: [
                4161, -936, -1615, 5793, -1399, -4017, 990, 856, 2772, 432, -818, -955, -3113,
                -5201, 1272, -3430, 372, 1140, 658, -764, -362, -2778, 931, -232, 2075, 2847, -841,
                -3308, -1001, -80,
            ],
            hex:
                "ecd33260650fdf0ad1f73beaf7f983a7a40d512d04f2398f1febcf8d5b201367982c9fe6cb2ba89bf4981e2fcde08ed1c528"
        ),
        Numbers(
            testDescription: "thirteen raw bits", zeroBits: 0, rawBits: 13, center: 100000,
            prior: Prior(shape: .student, scale: 18),
            numbers: [
                77558, 88756, 109502, 89806, 102231, 76511, 167331, 99866, 94513, 111814, 89365,
                104132, 96313, 123861, 99674, 96114, 103889, 100603, 98418, 96365,
            ],
            hex:
                "085fee503f1aec8e940bf840b11e87489068a9b4736fa4680ae55c73bc9560e206a65e868aed2a9891"
        ),
        Numbers(
            testDescription: "twenty-four raw bits", zeroBits: 2, rawBits: 24, center: -3,
            prior: Prior(shape: .geometric, scale: 6),
            numbers: [
                50_578_708, 35_479_216, -60_589_712, 48_288_724, 195_023_524, 14_040_340,
                52_916_184, 49_857_340, 49_518_876, 48_352_108, 10_923_368, 23_723_784,
            ], hex: "38a096a25372291f39841949730c114ffb1bb86e3bf6f1a3cf20ef383220b2e860724834fc5f"),
    ]

    /// `RawPackage`'s: uniform from 8192, scale 55, ten raw bits.
    static let profiles =
        "000000000000000000000000000000000000000000000000000000000000000000000000000404fffd49fd78ffa8fd6dfd58ffd7fd35ffdeffd4fd3cff15ff18fdd8fd9effb4fdf8fdfcfd"
    /// `RawPackage`'s: thirteen zero bits, uniform from 508, scale 13.
    static let starts = "11a2"
    /// After the levels, uniform from -128, scale 63, two raw bits.
    static let startsWithPersistences = "10fce2"
}
