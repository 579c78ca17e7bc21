import Forecasting
import ModelPackage
import PackageSamples
import Testing

/// One row for each way a package can be malformed.
@Suite("Malformed packages")
struct PackageRowsTests {
    @Test("Bytes written by hand from FORMAT.md say what the document says")
    func goldenBytes() throws {
        let package = try ModelPackage.decode(RawPackage().file)
        let manifest = package.manifest
        #expect(manifest.requiredFeatures == ["lstm-int8-v2"])
        #expect(manifest.family == "f1" && manifest.variant == "p1")
        #expect(manifest.recipe.isEmpty && manifest.lineage == "seed 1")
        #expect(
            manifest.spec
                == FeatureSpec(
                    form: .profile, window: 2, levelRate: 0.125, inputs: [], output: .logResidual))
        #expect(manifest.store?.text == "s7")
        #expect(manifest.asOf.daysSince1970 == 20_000)
        #expect(manifest.release == 300 && manifest.arenaBytes == 288)
        #expect(
            manifest.evaluation
                == PackageEvaluation(
                    wapePartsPerMillion: 128, mapePartsPerMillion: nil, biasPartsPerMillion: -3,
                    forecasts: 9))
        #expect(manifest.newItemScale == 0.5)

        let network = package.network
        #expect(network.shape == NetworkShape(inputWidth: 1, units: 1))
        #expect(network.inputSteps == [64])
        #expect(network.inputKernel == [1, -1, 127, -127])
        #expect(network.inputMultiplierCodes == [0x0800, 0x0901, 0x0AFF, 0x0B00])
        #expect(network.recurrentKernel == [5, 6, 7, 8])
        #expect(network.recurrentMultiplierCodes == [0x0800, 0x0800, 0x0800, 0x0800])
        #expect(network.bias == [0, 4096, -1, 1])
        #expect(network.denseKernel == [100] && network.denseBias == -10)
        #expect(network.cellFractionBits == 12 && network.hiddenFractionBits == 7)
        #expect(network.outputScale == 0x1p-7)

        #expect(package.profiles[0] == .flat && package.profiles.count == 2)
        #expect(package.profiles[1].month == [Float](repeating: 65_535.0 / 8192, count: 12))
        #expect(package.starts.map(\.item.text) == ["9", "10"])
        #expect(package.starts.map(\.level) == [1, 10])
        #expect(package.starts.map(\.profile) == [0, 1])
        let golden = try #require(package.goldenVectors.first)
        #expect(golden.item == 1 && golden.level == 4 && golden.target.daysSince1970 == 20_001)
        #expect(golden.recentDays == [.unknown, DemandDay(units: 5)])
        #expect(golden.networkOutput == -10 && golden.units == 1)
    }

    /// Field, its bytes, the error.
    static let rows: [(String, [UInt8], PackageError)] = [
        ("feature count", [9], .field(.features, index: 0)),
        ("feature", [0], .field(.feature, index: 0)),
        ("feature", [1, 0x1F], .field(.feature, index: 0)),
        ("feature", [1, 0x7F], .field(.feature, index: 0)),
        ("feature", [33] + [UInt8](repeating: 0x61, count: 33), .field(.feature, index: 0)),
        (
            "feature", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
            .field(.feature, index: 0)
        ),
        ("feature", [UInt8](repeating: 0x80, count: 9) + [2], .field(.number, index: 0)),
        ("feature", [UInt8](repeating: 0x80, count: 11) + [1], .field(.number, index: 0)),
        ("family", [0], .field(.family, index: 0)),
        ("family", [65] + [UInt8](repeating: 0x61, count: 65), .field(.family, index: 0)),
        ("family", [0x82, 0, 0x66, 0x31], .field(.number, index: 0)),  // two bytes for a 2
        ("variant", [0], .field(.variant, index: 0)),
        ("recipe", [0x81, 2], .field(.recipe, index: 0)),
        ("lineage", [1, 0xC3], .field(.lineage, index: 0)),
        ("form", [0], .field(.form, index: 0)),
        ("form", [4], .field(.form, index: 0)),
        ("form", [1], .spec(.output(.logResidual, form: .plain))),
        ("output", [9], .field(.output, index: 0)),
        ("output", [1], .spec(.output(.zScore, form: .profile))),
        ("window", [0], .spec(.window(0))),
        ("window", [65], .spec(.window(65))),
        ("window", [0xFF, 0xFF, 4], .field(.number, index: 0)),
        ("inputs", [0x80, 2], .spec(.unknownInputs(rawValue: 256))),
        ("inputs", [1], .field(.inputWidth, index: 0)),  // the network says 1 column, this needs 8
        ("level rate", [0, 0, 0xC0, 0x7F], .spec(.levelRate)),  // NaN
        ("level rate", [0, 0, 0x80, 0x7F], .spec(.levelRate)),  // infinity
        ("level rate", [0, 0, 0, 0xBE], .spec(.levelRate)),
        ("store", [1, 0x20], .field(.store, index: 0)),
        ("store", [33] + [UInt8](repeating: 0x61, count: 33), .field(.store, index: 0)),
        ("as of", [63], .field(.asOf, index: 0)),
        ("as of", [0xA6, 0x90, 5], .field(.asOf, index: 0)),  // 84,006
        ("wape", [0x82, 0xA8, 0xD6, 0xB9, 7], .field(.evaluation, index: 0)),
        ("bias", [0x83, 0xD0, 0xAC, 0xF3, 0x0E], .field(.evaluation, index: 0)),
        ("forecasts", [0x80, 0x80, 0x80, 0x80, 8], .field(.evaluation, index: 0)),
        ("new item scale", [0, 0, 0, 0], .field(.newItemScale, index: 0)),
        ("new item scale", [0, 0, 0xC0, 0x7F], .field(.newItemScale, index: 0)),
        ("new item scale", [0, 0, 0x80, 0x7F], .field(.newItemScale, index: 0)),
        ("new item scale", [0, 0, 0, 0x3F, 0], .strayBytes(.manifest, count: 1)),
        ("new item scale", [0, 0, 0], .truncated(.manifest)),

        ("golden count", [0], .field(.goldenCount, index: 0)),
        ("golden count", [17], .field(.goldenCount, index: 0)),
        ("golden count", [2], .truncated(.goldenVectors)),
        ("golden item", [3], .field(.goldenItem, index: 0)),
        ("golden item", [0x81, 0x20], .field(.goldenItem, index: 0)),
        ("golden level", [0, 0, 0xC0, 0x7F], .field(.goldenLevel, index: 0)),
        ("golden level", [0, 0, 0, 0], .field(.goldenLevel, index: 0)),
        ("golden target", [0xC1, 0xB8, 2], .field(.goldenTarget, index: 0)),  // -19,937: day 63
        ("golden target", [0xC0, 0x9A, 0x0C], .field(.goldenTarget, index: 0)),  // + 100,000
        ("golden target", [0xC2, 0x9A, 0x0C], .field(.goldenTarget, index: 0)),
        ("golden days", [0, 0x82, 0x80, 0x80, 0x80, 8], .field(.goldenDay, index: 0)),
        ("golden output", [0x80, 0x80, 0x80, 0x80, 0x10], .field(.goldenOutput, index: 0)),
        ("golden units", [0, 0, 0x80, 0xBF], .field(.goldenUnits, index: 0)),
        ("golden units", [0, 0, 0xC0, 0x7F], .field(.goldenUnits, index: 0)),
        ("golden units", [0, 0, 0x80, 0x3F, 1], .strayBytes(.goldenVectors, count: 1)),
    ]

    @Test("A malformed field is named", arguments: rows + sectionRows)
    func malformedField(row: (String, [UInt8], PackageError)) {
        var raw = RawPackage()
        raw[row.0] = row.1
        #expect(throws: row.2, "\(row.0)") { try ModelPackage.decode(raw.file) }
        #expect(!row.2.message.isEmpty)
    }

    /// Of the sections that codings shrink.
    static let sectionRows: [(String, [UInt8], PackageError)] = [
        ("cell", [0], .field(.cell, index: 0)),
        ("cell", [4], .field(.cell, index: 0)),
        ("cell", [3], .field(.coding, index: 2)),  // one weight, not four
        ("input width", [0], .field(.inputWidth, index: 0)),
        ("input width", [2], .field(.inputWidth, index: 0)),
        ("units", [0], .field(.units, index: 0)),
        ("units", [0x81, 1], .field(.units, index: 0)),  // 129
        (
            "units", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
            .field(.units, index: 0)
        ),
        ("units", [0x80, 1], .truncated(.network)),
        ("fraction bits", [0x77], .network(.cellFractionBits(15))),
        ("fraction bits", [0x4C], .network(.hiddenFractionBits(12))),
        ("fraction bits", [0x46], .network(.hiddenFractionBits(6))),
        ("output scale", [0x80, 0], .network(.outputScale)),
        ("output scale", [0xFF, 0x80], .network(.outputScale)),
        ("output scale", [0xFF, 0xC0], .network(.outputScale)),
        ("output scale", [0x3C, 0, 0, 0], .field(.number, index: 0)),  // two bytes are enough
        ("steps", [2, 0xC2, 0x80], .field(.stepRun, index: 0)),
        ("steps", [0, 0xC2, 0x80], .field(.stepRun, index: 0)),
        ("steps", [1, 0x80, 0], .network(.inputSteps(at: 0))),
        ("steps", [1, 0xFF, 0xC0], .network(.inputSteps(at: 0))),
        ("steps", [1, 0xFF, 0x80], .network(.inputSteps(at: 0))),

        ("input kernel", [0, 1, 1, 1, 1], .field(.coding, index: 1)),
        ("input kernel", [2, 1, 1, 1, 1], .field(.coding, index: 1)),  // for numbers only
        ("input kernel", [4, 1, 1, 1, 1], .field(.coding, index: 1)),
        ("input kernel", [8, 0, 0, 0], .field(.coding, index: 1)),
        ("input kernel", [10], .field(.coding, index: 1)),
        ("input kernel", [0x11, 1, 1, 1, 1], .field(.coding, index: 1)),  // flags it has not
        ("input kernel", [0x47, 0], .field(.coding, index: 1)),
        ("input kernel", [1, 1, 0xFF, 127, 0x80], .network(.weight(.inputKernel, at: 3))),
        ("input kernel", [5, 1, 7, 7, 0], .field(.codeTable, index: 1)),  // twice
        ("input kernel", [5, 1, 7, 6, 0], .field(.codeTable, index: 1)),
        ("input kernel", [5, 255, 7, 8, 9], .truncated(.network)),
        ("input kernel", [5, 0, 0x80], .network(.weight(.inputKernel, at: 0))),
        ("input kernel", [5, 2, 1, 2, 3, 81], .field(.codeSymbol, index: 1)),  // a fifth trit
        ("input kernel", [5, 1, 1, 2, 0x10], .field(.codeSymbol, index: 1)),  // a fifth bit
        ("input kernel", [5, 6, 1, 2, 3, 4, 5, 6, 7, 7, 0], .field(.codeSymbol, index: 1)),
        ("input kernel", [6, 127, 1, 0x11], .field(.codeTable, index: 1)),  // 127 and 128
        ("input kernel", [6, 1, 1, 0x21], .field(.codeLengths, index: 1)),  // a code is missing
        ("input kernel", [6, 1, 2, 0x11, 1], .field(.codeLengths, index: 1)),  // one too many
        ("input kernel", [6, 1, 0, 2], .field(.codeLengths, index: 1)),  // alone and two bits long
        ("input kernel", [6, 1, 0, 0], .field(.codeLengths, index: 1)),
        // two after one of three
        ("input kernel", [6, 1, 2, 0x01, 0x11], .field(.codeLengths, index: 1)),
        ("input kernel", [6, 1, 1, 0x10, 0, 0], .field(.codeLengths, index: 1)),
        ("input kernel", [6, 1, 0, 0x11], .field(.codeSymbol, index: 1)),  // a bit after the last
        ("input kernel", [6, 1, 1, 0x11, 0x10], .field(.codeSymbol, index: 1)),
        ("input kernel", [9, 0, 0, 1, 1, 1, 1, 1, 1, 1], .field(.codeRank, index: 1)),
        ("input kernel", [9, 2, 0, 1, 1, 1, 1, 1, 1, 1], .field(.codeRank, index: 1)),
        ("input kernel", [9, 1, 31, 1, 1, 1, 1, 1, 1, 1], .field(.codeRank, index: 1)),
        ("input kernel", [9, 1, 0, 1, 1, 1, 1, 1, 1, 0x80], .field(.codeRank, index: 1)),
        ("input kernel", [9, 1, 0, 9, 1, 0], .field(.coding, index: 1)),  // factors of factors
        ("input kernel", [0x19, 1, 0, 1, 1, 1, 1, 1, 1, 1], .field(.coding, index: 1)),
        ("dense kernel", [9, 1, 0, 1, 1, 1, 1], .field(.coding, index: 6)),
        ("dense kernel", [1, 0x80], .network(.weight(.denseKernel, at: 0))),

        ("input multipliers", [2, 0, 0, 0, 0], .field(.coding, index: 2)),
        ("input multipliers", [1, 0, 0, 0, 0], .field(.coding, index: 2)),
        (
            "input multipliers", [3, 0, 8, 1, 9, 0xFF, 10, 0, 0],
            .network(.multiplier(.inputMultipliers, at: 3))
        ),
        (
            "recurrent multipliers", [3, 0, 31, 0, 8, 0, 8, 0, 8],
            .network(.multiplier(.recurrentMultipliers, at: 0))
        ),
        ("recurrent multipliers", [0xB8, 0, 25, 2], .field(.codePrior, index: 4)),
        ("recurrent multipliers", [0xB8, 0, 0, 64], .field(.codeSymbol, index: 4)),  // 65,536
        ("recurrent multipliers", [0xB8, 0, 0, 1], .field(.codeSymbol, index: 4)),  // below 0
        (
            "recurrent multipliers", [0xB8, 0, 0, 0x82, 0x80, 0x80, 0x80, 0x20],
            .field(.codePrior, index: 4)
        ),
        ("recurrent multipliers", [10, 1, 0xB8, 0, 0, 2], .field(.coding, index: 4)),
        ("recurrent multipliers", [10, 3, 0xB8, 0, 0, 2], .field(.coding, index: 4)),  // of four
        ("recurrent multipliers", [10, 8, 0xB8, 0, 0, 2], .field(.coding, index: 4)),
        ("recurrent multipliers", [10, 2, 10, 2, 0xB8, 0, 0, 2], .field(.coding, index: 4)),
        ("recurrent multipliers", [0x1A, 2, 0xB8, 0, 0, 2], .field(.coding, index: 4)),
        (
            "recurrent multipliers", [10, 2, 3, 0, 8, 0, 31],
            .network(.multiplier(.recurrentMultipliers, at: 2))
        ),
        ("gate bias", [3, 0, 0, 0, 0, 0, 0, 0, 0], .field(.coding, index: 5)),
        // 2^20 + 1
        ("gate bias", [2, 0, 0x82, 0x80, 0x80, 1, 1, 2], .network(.bias(.bias, at: 1))),
        // 2^31
        ("gate bias", [2, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 2], .field(.number, index: 0)),
        ("dense bias", [0x82, 0x80, 0x80, 0x80, 8], .network(.bias(.denseBias, at: 0))),
        ("dense bias", [], .truncated(.network)),
        ("network stream", [0], .field(.codeStream, index: 0)),
        ("network stream", [1], .field(.codeStream, index: 0)),

        ("profile count", [0], .field(.profileCount, index: 0)),
        ("profile count", [3], .field(.codeStream, index: 0)),
        ("profile count", [1], .field(.codeStream, index: 0)),
        ("profile count", [0x81, 0x20], .field(.profileCount, index: 0)),  // 4,097
        ("factors", [3, 55, 10, 0x80, 0x80, 1], .field(.coding, index: 0)),
        ("factors", [8, 55, 10, 0xFE, 0x0F], .field(.factor, index: 0)),  // 1,023
        ("factors", [8, 55, 10, 0x82, 0x80, 1], .field(.factor, index: 1)),  // up to 65,536
        ("profile stream", [], .field(.codeStream, index: 0)),
        ("profile stream", [UInt8](repeating: 0xFF, count: 60), .field(.codeStream, index: 0)),

        ("start count", [0], .field(.startCount, index: 0)),
        ("start count", [0x81, 0x20], .field(.startCount, index: 0)),  // too many items
        ("start count", [1], .field(.itemRun, index: 0)),
        ("item runs", [3], .field(.itemRun, index: 0)),
        ("item runs", [1, 9, 2], .field(.itemRun, index: 0)),  // three of two items
        ("item runs", [2, 9, 1, 0, 0], .field(.itemRun, index: 2)),
        (
            "item runs", [1, 0xFF, 0xFF, 0x8F, 0xBB, 0xBA, 0xD6, 0xAD, 0xF0, 0x0D, 1],
            .field(.itemRun, index: 1)
        ),  // 10^18 - 1, and one more
        (
            "item runs", [1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1],
            .field(.itemRun, index: 0)
        ),
        ("levels", [3, 0, 0], .field(.coding, index: 0)),
        ("levels", [0xD8, 13, 0, 0], .field(.level, index: 0)),  // 0
        ("levels", [0xD8, 13, 0, 0x88, 9], .field(.level, index: 1)),  // 2.6 million
        ("levels", [0xD8, 13, 0, 0x80, 0x20], .field(.codeSymbol, index: 0)),  // beyond 24 bits
        ("levels", [0xD8, 13, 0, 0xF7, 7], .field(.codeSymbol, index: 0)),  // negative
        ("start stream", [], .field(.codeStream, index: 0)),
        ("start stream", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .field(.codeStream, index: 0)),
    ]

    /// In place of the items 9 and 10; the runs, the others, the error or what is read.
    static let itemRows: [([UInt8], [UInt8], PackageError?, [String])] = [
        ([0], [0, 1, 0x39, 0, 2, 0x31, 0x30], nil, ["9", "10"]),
        ([1, 9, 0], [0, 1, 0x61], nil, ["9", "a"]),
        ([1, 9, 0], [1, 1, 0x61], nil, ["9", "9a"]),
        ([0], [0, 3, 0x61, 0x62, 0x63, 2, 2, 0x64, 0x65], nil, ["abc", "abde"]),
        ([2, 9, 0, 0, 0], [], nil, ["9", "10"]),
        ([2, 9, 0, 89, 0], [], nil, ["9", "99"]),
        ([0], [1, 1, 0x39, 0, 1, 0x61], .field(.item, index: 0), []),
        ([1, 9, 0], [2, 1, 0x61], .field(.item, index: 1), []),
        ([1, 9, 0], [0, 0], .field(.item, index: 1), []),
        ([1, 9, 0], [0, 1, 0x2C], .field(.item, index: 1), []),
        (
            [1, 9, 0], [1, 32] + [UInt8](repeating: 0x61, count: 32), .field(.item, index: 1), []
        ),
        ([1, 9, 0], [0, 1, 0x38], .field(.itemOrder, index: 1), []),
        ([1, 9, 0], [0, 1, 0x39], .field(.itemOrder, index: 1), []),
        ([0], [0, 1, 0x61, 0, 1, 0x39], .field(.itemOrder, index: 1), []),
    ]

    @Test(
        "Items come as runs of numbers and as what they do not share", arguments: itemRows.indices)
    func items(row: Int) throws {
        let (runs, others, expected, items) = Self.itemRows[row]
        var raw = RawPackage()
        raw["item runs"] = runs
        raw["items"] = others
        if let expected {
            #expect(throws: expected) { try ModelPackage.decode(raw.file) }
        } else {
            #expect(try ModelPackage.decode(raw.file).starts.map(\.item.text) == items)
        }
    }

    static let files: [(String, @Sendable (RawPackage) -> [UInt8], PackageError)] = [
        ("nothing", { _ in [] }, .notAPackage),
        ("the magic alone", { [UInt8]($0.file.prefix(4)) }, .notAPackage),
        ("another magic", { [0x53, 0x48, 0x50, 0x4A] + $0.file.dropFirst(4) }, .notAPackage),
        (
            "a later version", { [UInt8]($0.file.prefix(4)) + [3] + $0.file.dropFirst(5) },
            .unsupportedVersion(3)
        ),
        (
            "an earlier version", { [UInt8]($0.file.prefix(4)) + [1] + $0.file.dropFirst(5) },
            .unsupportedVersion(1)
        ),
        ("no section", { $0.header }, .missingSection(.manifest)),
        ("no network", { drop(2, $0) }, .missingSection(.network)),
        ("no profiles", { drop(3, $0) }, .missingSection(.profiles)),
        ("no manifest", { drop(1, $0) }, .missingSection(.manifest)),
        (
            "a section twice", { $0.file + RawPackage.section(6, [0]) },
            .sectionOutOfOrder(.goldenVectors)
        ),
        (
            "sections in another order",
            { raw in
                var raw = raw
                raw.sections.swapAt(0, 1)
                return raw.file
            }, .sectionOutOfOrder(.manifest)
        ),
        ("an unknown section", { $0.file + RawPackage.section(8, [0]) }, .unknownSection(tag: 8)),
        ("section zero", { $0.file + RawPackage.section(0, []) }, .unknownSection(tag: 0)),
        ("an unknown packing", { raw in raw.header + [1, 3, 1, 1, 0] }, .packing(.manifest)),
        (
            "a length without end", { raw in raw.header + [1, 0, 0x80, 0x80, 0x80, 0x80] },
            .field(.number, index: 0)
        ),
        (
            "a length written too long", { raw in raw.header + [1, 0, 0x80, 0] },
            .field(.number, index: 0)
        ),
        ("a length and no bytes", { raw in raw.header + [1, 0, 5] }, .truncated(.manifest)),
        ("a head cut short", { raw in raw.header + [1] }, .truncated(nil)),
        (
            "a section beyond its ceiling", { raw in raw.header + [1, 1, 0x81, 0x10, 1, 0] },
            .sectionTooLarge(.manifest, bytes: 2049, bytesMax: 2048)
        ),
        (
            "deflate that is none", { raw in raw.header + [1, 1, 9, 2, 0xFF, 0xFF] },
            .packing(.manifest)
        ),
        (
            "deflate longer than stated",
            { raw in raw.header + [1, 1, 1, 7, 1, 2, 0, 0xFD, 0xFF, 0x61, 0x61] },
            .packing(.manifest)
        ),
        (
            "deflate shorter than stated",
            { raw in raw.header + [1, 1, 3, 7, 1, 2, 0, 0xFD, 0xFF, 0x61, 0x61] },
            .packing(.manifest)
        ),
        (
            "deflate and then more",
            { raw in raw.header + [1, 1, 2, 8, 1, 2, 0, 0xFD, 0xFF, 0x61, 0x61, 0] },
            .packing(.manifest)
        ),
        (
            "too large a file",
            { $0.file + [UInt8](repeating: 0, count: ModelPackage.fileBytesMax) },
            .fileTooLarge(
                bytes: RawPackage().file.count + ModelPackage.fileBytesMax,
                bytesMax: ModelPackage.fileBytesMax)
        ),
    ]

    static func drop(_ tag: UInt8, _ raw: RawPackage) -> [UInt8] {
        var raw = raw
        raw.sections.removeAll { $0.tag == tag }
        return raw.file
    }

    @Test("A malformed file is refused with its reason", arguments: files.indices)
    func malformedFile(row: Int) {
        let (name, make, expected) = Self.files[row]
        #expect(throws: expected, "\(name)") { try ModelPackage.decode(make(RawPackage())) }
    }

    /// What of `RawPackage.fastGRNN` no other cell has so.
    static let fastGRNNRows: [(String, [UInt8], PackageError)] = [
        ("fraction bits", [0x4C], .network(.hiddenFractionBits(12))),
        ("gate bias", [2, 0, 0x82, 0x80, 0x80, 1], .network(.bias(.bias, at: 1))),
        ("scalars", [0xFF, 0x7F, 0, 0x80], .network(.scalar(at: 1))),
        ("scalars", [0, 0x40, 1], .truncated(.network)),
        ("scalars", [0, 0x40, 1, 0, 0], .field(.codeStream, index: 0)),
    ]

    @Test("A malformed field of a FastGRNN is named", arguments: fastGRNNRows)
    func malformedFastGRNN(field: String, bytes: [UInt8], expected: PackageError) {
        var raw = RawPackage.fastGRNN
        raw[field] = bytes
        #expect(throws: expected) { try ModelPackage.decode(raw.file) }
    }

    @Test("Numbers that are shared stand for as many as they say")
    func shared() throws {
        var raw = RawPackage()
        raw["recurrent multipliers"] = [10, 2, 3, 0, 8, 1, 9]
        raw["gate bias"] = [10, 4, 2, 3]
        let network = try ModelPackage.decode(raw.file).network
        #expect(network.recurrentMultiplierCodes == [0x0800, 0x0800, 0x0901, 0x0901])
        #expect(network.bias == [-2, -2, -2, -2])
    }

    @Test("A FastGRNN's bytes, written by hand, say what the document says")
    func fastGRNN() throws {
        let network = try ModelPackage.decode(RawPackage.fastGRNN.file).network
        #expect(network.shape == NetworkShape(cell: .fastGRNN, inputWidth: 1, units: 1))
        #expect(network.inputKernel == [127] && network.recurrentKernel == [-127])
        #expect(network.inputMultiplierCodes == [0x0800])
        #expect(network.recurrentMultiplierCodes == [0x0901])
        #expect(network.bias == [0, -1] && network.scalars == [0x4000, 0x0201])
        #expect(network.hiddenFractionBits == 0 && network.denseKernel == [100])
    }

    /// The calendar and what else `RawPackage.withCalendar` adds.
    static let calendarRows: [(String, [UInt8], PackageError)] = [
        ("days of the month", [1], .field(.dayOfMonth, index: 0)),
        ("days of the month", [32], .field(.dayOfMonth, index: 0)),
        ("day factors", [3, 0, 0, 0xFE, 0xFF, 7], .field(.coding, index: 0)),
        ("day factors", [8, 0, 0, 0x80, 0x80, 8], .field(.codeSymbol, index: 0)),  // 65,536
        ("day factors", [8, 0, 0, 0xFE, 0x0F], .field(.dayOfMonth, index: 0)),  // 1,023
        ("special day count", [25], .field(.specialDayCount, index: 0)),
        ("special day count", [3], .field(.number, index: 0)),
        ("special day 0", [0xD9, 0x0D], .field(.specialDay, index: 0)),  // rule 876, closed
        ("special day 0", [0xD7, 0x0D], .field(.specialDay, index: 1)),  // rule 875, and then 1,392
        ("special day 1", [0x8A, 8], .field(.specialDay, index: 1)),
        ("special factors", [0xD8, 0, 0, 0], .field(.specialDay, index: 1)),
        ("special factors", [8, 0, 0, 0xFE, 0x0F], .field(.specialDay, index: 1)),
        ("calendar stream", [1], .field(.codeStream, index: 0)),
        ("persistences", [], .field(.coding, index: 2)),
        ("persistences", [8, 63, 2, 1], .field(.codeSymbol, index: 2)),  // up to 254
    ]

    @Test("A malformed calendar or persistence is named", arguments: calendarRows)
    func malformedCalendar(field: String, bytes: [UInt8], expected: PackageError) {
        var raw = RawPackage.withCalendar
        raw[field] = bytes
        #expect(throws: expected) { try ModelPackage.decode(raw.file) }
        #expect(!expected.message.isEmpty)
    }

    @Test("A calendar's and persistences' bytes, written by hand, say what the document says")
    func calendar() throws {
        let package = try ModelPackage.decode(RawPackage.withCalendar.file)
        #expect(package.manifest.spec.inputs == .persistence)
        #expect(package.starts.map(\.persistence) == [-2, 127.0 / 64])
        #expect(
            package.calendar
                == DemandCalendar(
                    dayOfMonth: [Float](repeating: 65_535.0 / 8192, count: 31),
                    specialDays: [
                        SpecialDay(rule: AnnualRule(month: 12, dayOfMonth: 18), factor: 0),
                        SpecialDay(rule: AnnualRule(month: 12, weekday: 6, place: 5), factor: 1),
                    ]))
        #expect(package.profiles.allSatisfy { $0.calendar == package.calendar })
        #expect(package.profiles.count == 2)
    }

    @Test("A golden vector's promotions, written by hand, say what the document says")
    func promotions() throws {
        let package = try ModelPackage.decode(RawPackage.withPromotions.file)
        #expect(package.manifest.requiredFeatures == ["lstm-int8-v2", "planned-inputs-v1"])
        #expect(package.manifest.spec.inputs == .promotion)
        let golden = try #require(package.goldenVectors.first)
        #expect(golden.recentDays == [.unknown, DemandDay(units: 5, marks: .promotion)])
        #expect(golden.targetMarks == [] && golden.networkOutput == -10)
        var other = RawPackage.withPromotions
        other["golden marks"] = [0, 8]
        let target = try #require(try ModelPackage.decode(other.file).goldenVectors.first)
        #expect(target.recentDays == [.unknown, DemandDay(units: 5)])
        #expect(target.targetMarks == .promotion)
    }

    @Test(
        "A mark of a golden vector that is no input, or none at all, is refused",
        arguments: [[4, 0], [0, 4], [8, 12], [9, 0], [2, 0], [0, 16]] as [[UInt8]])
    func strayMarks(bytes: [UInt8]) {
        var raw = RawPackage.withPromotions
        raw["golden marks"] = bytes
        #expect(throws: PackageError.field(.goldenDay, index: 0)) {
            try ModelPackage.decode(raw.file)
        }
    }

    @Test("A calendar that says nothing, or comes in another form, is refused")
    func needlessCalendar() throws {
        #expect(throws: PackageError.field(.calendar, index: 0)) {
            var raw = RawPackage()
            raw.sections.insert((4, [.init(name: "calendar", bytes: [0, 0])]), at: 3)
            _ = try ModelPackage.decode(raw.file)
        }
        var plain = try PackageFixtures.package(.plain, units: 1, items: 0)
        plain.goldenVectors = []
        let calendar = RawPackage.withCalendar.sections[3].fields.flatMap(\.bytes)
        #expect(throws: PackageError.field(.calendar, index: 0)) {
            try ModelPackage.decode(plain.encode() + RawPackage.section(4, calendar))
        }
    }

    @Test("A section this version need not understand is passed over, wherever it stands")
    func skippableSection() throws {
        let raw = RawPackage()
        let plain = try ModelPackage.decode(raw.file)
        #expect(try ModelPackage.decode(raw.file + RawPackage.section(128, [1, 2, 3])) == plain)
        #expect(try ModelPackage.decode(raw.file + [200, 77, 5, 1, 9]) == plain)
    }

    @Test("The preset dictionary is the one FORMAT.md describes")
    func dictionary() {
        let dictionary = PackingDictionary.bytes
        var (a, b) = (1, 0)  // Adler-32
        for byte in dictionary {
            a = (a + Int(byte)) % 65_521
            b = (b + a) % 65_521
        }
        #expect(dictionary.count == 1_003)
        #expect(b << 16 | a == 0xF61B_4C82)
    }

    @Test("Only the profile form may bring profiles")
    func profilesInAnotherForm() throws {
        let calendar = try PackageFixtures.package(.calendar, units: 1, items: 0)
        let profiles = RawPackage.section(3, RawPackage().sections[2].fields.flatMap(\.bytes))
        var bare = calendar
        bare.goldenVectors = []
        #expect(throws: PackageError.field(.profileCount, index: 0)) {
            try ModelPackage.decode(bare.encode() + profiles)
        }
    }
}
