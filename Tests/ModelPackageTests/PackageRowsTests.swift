import Forecasting
import ModelPackage
import Testing

/// One row for each way a package can be malformed.
@Suite("Malformed packages")
struct PackageRowsTests {
    @Test("Bytes written by hand from FORMAT.md say what the document says")
    func goldenBytes() throws {
        let package = try ModelPackage.decode(RawPackage().file)
        let manifest = package.manifest
        #expect(manifest.requiredFeatures == ["lstm-int8-v1"])
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
        ("inputs", [64], .spec(.unknownInputs(rawValue: 64))),
        ("inputs", [1], .field(.inputWidth, index: 0)),  // the network says 1 column, this needs 8
        ("level rate", [0, 0, 0xC0, 0x7F], .spec(.levelRate)),  // NaN
        ("level rate", [0, 0, 0x80, 0x7F], .spec(.levelRate)),  // infinity
        ("level rate", [0, 0, 0, 0xBE], .spec(.levelRate)),
        ("store", [1, 0x20], .field(.store, index: 0)),
        ("store", [33] + [UInt8](repeating: 0x61, count: 33), .field(.store, index: 0)),
        ("as of", [63], .field(.asOf, index: 0)),
        ("as of", [0xA6, 0x90, 5], .field(.asOf, index: 0)),  // 84,006
        ("arena", [0x80, 0x80, 0x80, 0x80, 8], .field(.arenaBytes, index: 0)),  // 2^31
        ("wape", [0x82, 0xA8, 0xD6, 0xB9, 7], .field(.evaluation, index: 0)),
        ("bias", [0x83, 0xD0, 0xAC, 0xF3, 0x0E], .field(.evaluation, index: 0)),
        ("forecasts", [0x80, 0x80, 0x80, 0x80, 8], .field(.evaluation, index: 0)),
        ("new item scale", [0, 0, 0, 0], .field(.newItemScale, index: 0)),
        ("new item scale", [0, 0, 0xC0, 0x7F], .field(.newItemScale, index: 0)),
        ("new item scale", [0, 0, 0x80, 0x7F], .field(.newItemScale, index: 0)),
        ("new item scale", [0, 0, 0, 0x3F, 0], .strayBytes(.manifest, count: 1)),
        ("new item scale", [0, 0, 0], .truncated(.manifest)),

        ("cell", [0], .field(.cell, index: 0)),
        ("cell", [4], .field(.cell, index: 0)),
        ("cell", [2], .field(.tensorDimension, index: 1)),  // three blocks of rows, not four
        ("cell", [3], .field(.tensorCount, index: 0)),  // nine tensors, not eight
        ("input width", [0], .field(.inputWidth, index: 0)),
        ("input width", [2], .field(.inputWidth, index: 0)),
        ("units", [0], .field(.units, index: 0)),
        ("units", [0x81, 1], .field(.units, index: 0)),  // 129
        (
            "units", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
            .field(.units, index: 0)
        ),
        ("units", [2], .field(.tensorDimension, index: 1)),  // every tensor says one unit
        ("units", [0x80, 1], .field(.tensorDimension, index: 1)),
        ("cell bits", [7], .network(.cellFractionBits(7))),
        ("cell bits", [255], .network(.cellFractionBits(255))),
        ("hidden bits", [12], .network(.hiddenFractionBits(12))),
        ("output scale", [0, 0, 0, 0], .network(.outputScale)),
        ("output scale", [0, 0, 0, 0x80], .network(.outputScale)),
        ("output scale", [0, 0, 0x80, 0x7F], .network(.outputScale)),
        ("output scale", [0, 0, 0xC0, 0x7F], .network(.outputScale)),
        ("tensor count", [7], .field(.tensorCount, index: 0)),
        ("tensor count", [9], .field(.tensorCount, index: 0)),
        ("steps head", [2, 0x41, 1], .field(.tensorKind, index: 0)),
        ("steps head", [1, 0x11, 1], .field(.tensorType, index: 0)),
        ("steps head", [1, 0x42, 1, 1], .field(.tensorRank, index: 0)),
        ("steps head", [1, 0x41, 2], .field(.tensorDimension, index: 0)),
        ("steps", [2, 0, 0, 0x80, 0x42], .field(.stepRun, index: 0)),
        ("steps", [0, 0, 0, 0x80, 0x42], .field(.stepRun, index: 0)),
        ("steps", [1, 0, 0, 0, 0], .network(.inputSteps(at: 0))),
        ("steps", [1, 0, 0, 0xC0, 0x7F], .network(.inputSteps(at: 0))),
        ("steps", [1, 0, 0, 0x80, 0x7F], .network(.inputSteps(at: 0))),
        ("input kernel head", [2, 0x12, 0xFF, 0xFF, 0x7F, 1], .field(.tensorDimension, index: 1)),
        ("input kernel head", [3, 0x12, 4, 1], .field(.tensorKind, index: 1)),
        ("input kernel", [1, 0xFF, 127, 0x80], .network(.weight(.inputKernel, at: 3))),
        ("recurrent kernel", [0x80, 6, 7, 8], .network(.weight(.recurrentKernel, at: 0))),
        (
            "input multipliers", [0, 8, 1, 9, 0xFF, 10, 0, 0],
            .network(.multiplier(.inputMultipliers, at: 3))
        ),
        (
            "recurrent multipliers", [0, 31, 0, 8, 0, 8, 0, 8],
            .network(.multiplier(.recurrentMultipliers, at: 0))
        ),
        ("gate bias", [0, 0x82, 0x80, 0x80, 1, 1, 2], .network(.bias(.bias, at: 1))),  // 2^20 + 1
        ("gate bias", [0, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 2], .field(.number, index: 0)),  // 2^31
        ("dense kernel", [0x80], .network(.weight(.denseKernel, at: 0))),
        ("dense bias", [0x82, 0x80, 0x80, 0x80, 8], .network(.bias(.denseBias, at: 0))),
        ("dense bias", [], .truncated(.network)),
        ("dense bias", [0x13, 0], .strayBytes(.network, count: 1)),

        ("profile count", [0], .field(.profileCount, index: 0)),
        ("profile count", [3], .truncated(.profiles)),
        ("profile count", [1], .strayBytes(.profiles, count: 38)),
        ("profile count", [0x81, 0x20], .field(.profileCount, index: 0)),  // 4,097
        ("profile 1", [UInt8](repeating: 0, count: 38), .field(.factor, index: 1)),
        (
            "profile 0", [0xFF, 3] + [UInt8]((0..<18).flatMap { _ in [0, 0x20] }),
            .field(.factor, index: 0)
        ),

        ("start count", [0], .field(.startCount, index: 0)),
        ("start count", [0x81, 0x20], .field(.startCount, index: 0)),  // too many items
        ("start count", [1], .strayBytes(.starts, count: 7)),
        ("items", [0, 2, 0x31, 0x30], .field(.item, index: 0)),
        ("items", [1, 0x2C, 2, 0x31, 0x30], .field(.item, index: 0)),
        ("items", [1, 0x39, 33] + [UInt8](repeating: 0x61, count: 33), .field(.item, index: 1)),
        ("items", [1, 0x39, 1, 0x39], .field(.itemOrder, index: 1)),  // twice
        ("items", [2, 0x31, 0x30, 1, 0x39], .field(.itemOrder, index: 1)),
        ("levels", [0, 0xC0, 0x7F, 0, 0x20, 0x41], .field(.level, index: 0)),  // NaN
        ("levels", [0, 0x80, 0x3F, 0, 0x80, 0x7F], .field(.level, index: 1)),  // infinity
        ("levels", [0, 0, 0, 0, 0x20, 0x41], .field(.level, index: 0)),
        ("levels", [0, 0x80, 0xBF, 0, 0x20, 0x41], .field(.level, index: 0)),
        ("profile indexes", [0, 2], .field(.profileIndex, index: 1)),

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

    @Test("A malformed field is named", arguments: rows)
    func malformedField(field: String, bytes: [UInt8], expected: PackageError) {
        var raw = RawPackage()
        raw[field] = bytes
        #expect(throws: expected) { try ModelPackage.decode(raw.file) }
        #expect(!expected.message.isEmpty)
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
            "no version", { [UInt8]($0.file.prefix(4)) + [0] + $0.file.dropFirst(5) },
            .unsupportedVersion(0)
        ),
        (
            "a later version's network in an earlier one's file",
            { [UInt8]($0.file.prefix(4)) + [1] + $0.file.dropFirst(5) },
            .field(.tensorCount, index: 0)
        ),
        ("no section", { $0.header }, .missingSection(.manifest)),
        ("no network", { drop(2, $0) }, .missingSection(.network)),
        ("no profiles", { drop(3, $0) }, .missingSection(.profiles)),
        ("no manifest", { drop(1, $0) }, .missingSection(.manifest)),
        (
            "a section twice", { $0.file + RawPackage.section(5, [0]) },
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
        ("an unknown section", { $0.file + RawPackage.section(7, [0]) }, .unknownSection(tag: 7)),
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

    /// The tensors of `RawPackage.fastGRNN` that no other cell has so.
    static let fastGRNNRows: [(String, [UInt8], PackageError)] = [
        ("tensor count", [8], .field(.tensorCount, index: 0)),
        ("hidden bits", [12], .network(.hiddenFractionBits(12))),
        ("gate bias", [0, 0x82, 0x80, 0x80, 1], .network(.bias(.bias, at: 1))),
        ("bias head", [6, 0x21, 1], .field(.tensorDimension, index: 5)),
        ("scalars head", [8, 0x31, 2], .field(.tensorKind, index: 8)),
        ("scalars head", [9, 0x21, 2], .field(.tensorType, index: 8)),
        ("scalars head", [9, 0x32, 2, 1], .field(.tensorRank, index: 8)),
        ("scalars head", [9, 0x31, 3], .field(.tensorDimension, index: 8)),
        ("scalars", [0xFF, 0x7F, 0, 0x80], .network(.scalar(at: 1))),
        ("scalars", [0, 0x40, 1], .truncated(.network)),
        ("scalars", [0, 0x40, 1, 0, 0], .strayBytes(.network, count: 1)),
    ]

    @Test("A malformed field of a FastGRNN is named", arguments: fastGRNNRows)
    func malformedFastGRNN(field: String, bytes: [UInt8], expected: PackageError) {
        var raw = RawPackage.fastGRNN
        raw[field] = bytes
        #expect(throws: expected) { try ModelPackage.decode(raw.file) }
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
        ("days of the month", [1, 0, 0x20], .field(.dayOfMonth, index: 0)),
        ("days of the month", [32], .field(.dayOfMonth, index: 0)),
        (
            "days of the month", [31] + [UInt8](repeating: 0xFF, count: 60) + [0xFF, 3],
            .field(.dayOfMonth, index: 30)
        ),
        ("special day count", [25], .field(.specialDayCount, index: 0)),
        ("special day count", [1], .strayBytes(.calendar, count: 4)),
        ("special day count", [3], .truncated(.calendar)),
        ("special day 0", [0xEC, 6, 0, 0], .field(.specialDay, index: 0)),  // rule 876
        ("special day 0", [1, 0xFF, 3], .field(.specialDay, index: 0)),
        ("special day 1", [0xE6, 2, 0, 0x20], .field(.specialDay, index: 1)),  // the same again
        ("special day 1", [1, 0, 0x20], .field(.specialDay, index: 1)),
        ("persistences", [0x80], .truncated(.starts)),
        ("persistences", [0x80, 0x7F, 0], .strayBytes(.starts, count: 1)),
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

    @Test("A calendar that says nothing, or comes in another form, is refused")
    func needlessCalendar() throws {
        #expect(throws: PackageError.field(.calendar, index: 0)) {
            try ModelPackage.decode(RawPackage().file + RawPackage.section(6, [0, 0]))
        }
        let plain = try PackageFixtures.package(.plain, units: 1, items: 0)
        let calendar = RawPackage.withCalendar.sections[5].fields.flatMap(\.bytes)
        #expect(throws: PackageError.field(.calendar, index: 0)) {
            try ModelPackage.decode(plain.encode() + RawPackage.section(6, calendar))
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
        var (a, b) = (1, 0)  // Adler-32
        for byte in ModelPackage.packingDictionary {
            a = (a + Int(byte)) % 65_521
            b = (b + a) % 65_521
        }
        #expect(ModelPackage.packingDictionary.count == 496)
        #expect(b << 16 | a == 0xC03C_9D37)
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
