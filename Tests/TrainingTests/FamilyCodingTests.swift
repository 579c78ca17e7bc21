import Forecasting
import Foundation
import Testing
import Training

@Suite("A stored family")
struct FamilyCodingTests {
    private static func family(_ form: ModelForm, testFrom: Int? = 340) throws -> TrainedFamily {
        var plan = TrainingPlan(
            form: form, units: [2, 3], testFrom: testFrom.map(SalesFixture.day))
        plan.epochs = 1
        return try train(series: SalesFixture(days: 400, level: 2).series, plan: plan)
    }

    @Test(
        "Comes back bit for bit, and the same family gives the same bytes",
        arguments: ModelForm.allCases, [340, nil])
    func roundTrip(form: ModelForm, testFrom: Int?) throws {
        let family = try Self.family(form, testFrom: testFrom)
        let data = try family.encoded()
        #expect(try TrainedFamily(encoded: data) == family)
        #expect(try TrainedFamily(encoded: data).encoded() == data)
    }

    @Test(
        "A recipe's network of any cell comes back with its integers", arguments: CellKind.allCases)
    func recipe(cell: CellKind) throws {
        var family = try Self.family(.calendar)
        let shape = NetworkShape(cell: cell, inputWidth: family.spec.inputWidth, units: 3)
        var variant = family.variants[1]
        variant.name = "small"
        variant.recipe = "\(cell.name)3 | qat int8 | huffman"
        variant.coding = "huffman"
        variant.parameters = NetworkParameters(
            shape: shape, flattened: (0..<shape.parameterCount).map { Float($0) / 7 })
        var integer = IntegerNetwork(shape: shape)
        for k in integer.inputKernel.indices { integer.inputKernel[k] = Int8(k % 255 - 127) }
        for k in integer.recurrentKernel.indices { integer.recurrentKernel[k] = Int8(100 - k) }
        for k in integer.bias.indices { integer.bias[k] = Int32(7 - 1000 * k) }
        for k in integer.scalars.indices { integer.scalars[k] = UInt16(32_000 + k) }
        integer.inputMultiplierCodes[1] += 3
        integer.recurrentMultiplierCodes[2] += 5
        integer.inputSteps[2] = 31.7
        integer.denseKernel = [-127, 3, 127]
        integer.denseBias = -123_456
        (integer.cellFractionBits, integer.hiddenFractionBits) = (11, 8)
        integer.outputScale = 0.001_3
        variant.integer = integer
        family.variants.append(variant)
        #expect(try TrainedFamily(encoded: try family.encoded()) == family)

        let factors = KernelFactors(
            rank: 2, left: (0..<2 * shape.kernelRows).map { Int8(3 * $0 - 30) },
            right: [-127, 9, 40, 1, -2, 127], shift: 5)
        integer.recurrentFactors = factors
        integer.recurrentKernel = try #require(factors.expanded(rows: shape.kernelRows, columns: 3))
        family.variants[2].integer = integer
        #expect(try TrainedFamily(encoded: try family.encoded()) == family)
        family.variants[2].integer?.recurrentKernel[0] += 1
        #expect(throws: FamilyCodingError.self) {
            try TrainedFamily(encoded: try family.encoded())
        }
        family.variants[2].integer = integer

        family.variants[2].integer?.denseKernel[0] = -128
        #expect(throws: FamilyCodingError.self) {
            try TrainedFamily(encoded: try family.encoded())
        }
    }

    @Test("A family stored before variants had names and recipes is named by form and size")
    func older() throws {
        let family = try Self.family(.profile)
        var text = String(decoding: try family.encoded(), as: UTF8.self)
        for field in [
            "\"cell\":\"lstm\",", "\"name\":\"profile-2\",", "\"name\":\"profile-3\",",
            "\"recipe\":\"lstm2\",", "\"recipe\":\"lstm3\",",
        ] {
            try #require(text.contains(field))
            text = text.replacingOccurrences(of: field, with: "")
        }
        #expect(try TrainedFamily(encoded: Data(text.utf8)) == family)
        // It could have the same size twice.
        let twice = text.replacingOccurrences(
            of: "\"variants\":[", with: "\"variants\":[\(try Self.firstVariant(text)),")
        #expect(
            try TrainedFamily(encoded: Data(twice.utf8)).variants.map(\.name)
                == ["profile-2", "profile-2-2", "profile-3"])
    }

    private static func firstVariant(_ text: String) throws -> Substring {
        let start = try #require(text.range(of: "\"variants\":["))
        let next = try #require(
            text.range(of: "},{\"bestEpoch", range: start.upperBound..<text.endIndex))
        return text[start.upperBound..<next.lowerBound] + "}"
    }

    @Test(
        "Keeps what was made small",
        arguments: [Loss.meanSquare, .logarithmicSquare, .absolutePercentage, .tweedie(power: 1.5)])
    func loss(_ loss: Loss) throws {
        var family = try Self.family(.profile)
        family.loss = loss
        #expect(try TrainedFamily(encoded: try family.encoded()) == family)
    }

    @Test("Every cut-off is refused as damage")
    func truncated() throws {
        let data = try Self.family(.plain).encoded()
        for count in stride(from: 0, to: data.count, by: 97) {
            #expect(throws: FamilyCodingError.self) {
                try TrainedFamily(encoded: data.prefix(count))
            }
        }
    }

    @Test(
        "A value no training run gives is refused",
        arguments: [
            ("\"form\":\"profile\"", "\"form\":\"other\""), ("\"window\":14", "\"window\":0"),
            ("\"output\":3", "\"output\":9"), ("\"output\":3", "\"output\":1"),
            ("\"asOf\":\"2014-12-06\"", "\"asOf\":\"2014-13-06\""),
            ("\"units\":2", "\"units\":5"), ("\"units\":2", "\"units\":-1"),
            ("\"items\":[\"i1\"", "\"items\":[\"i 1\""), ("\"items\":[\"i1\",", "\"items\":["),
            ("\"zeroActualCount\":", "\"zeroActualCount\":-"),
            ("\"cell\":\"lstm\"", "\"cell\":\"rnn\""),
            ("\"name\":\"profile-3\"", "\"name\":\"profile-2\""),
            ("\"recipe\":\"lstm2\"", "\"recipe\":\"lstm2\\n\""),
            ("\"recipe\":\"lstm2\"", "\"recipe\":\"\""),
            ("\"version\":1", "\"version\":1,\"loss\":\"other\""),
        ])
    func field(old: String, new: String) throws {
        let text = String(decoding: try Self.family(.profile).encoded(), as: UTF8.self)
        let changed = text.replacingOccurrences(of: old, with: new)
        try #require(changed != text)
        #expect(throws: FamilyCodingError.self) {
            try TrainedFamily(encoded: Data(changed.utf8))
        }
    }

    @Test("A later version is named")
    func version() throws {
        let text = String(decoding: try Self.family(.plain).encoded(), as: UTF8.self)
        let later = text.replacingOccurrences(of: "\"version\":1", with: "\"version\":7")
        #expect(throws: FamilyCodingError.unknownVersion(7)) {
            try TrainedFamily(encoded: Data(later.utf8))
        }
    }
}
