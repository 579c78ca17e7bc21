import Forecasting
import ModelPackage
import PackageSamples
import TestSupport
import Testing

@Suite("The package file")
struct ModelPackageTests {
    static let kinds: [(ModelForm, Int, Int, Int)] = [
        // form, units, items, profiles
        (.profile, 2, 10, 1), (.profile, 1, 0, 1), (.profile, 5, 300, 8), (.calendar, 4, 10, 1),
        (.plain, 16, 3, 1), (.plain, 128, 0, 1),
    ]

    @Test(
        "A package comes back as it was, and the same values give the same bytes", arguments: kinds)
    func roundTrip(form: ModelForm, units: Int, items: Int, profiles: Int) throws {
        let package = try PackageFixtures.package(
            form, units: units, items: items, profiles: profiles)
        let bytes = package.encode()
        #expect(try ModelPackage.decode(bytes) == package)
        #expect(package.encode() == bytes)
        #expect(try ModelPackage.decode(bytes).encode() == bytes)
    }

    static let calendars: [DemandCalendar] = {
        let days = (1...31).map { 0.9 + Float($0) / 160 }
        let specials = [
            SpecialDay(rule: AnnualRule(month: 1, dayOfMonth: 1), factor: 0),
            SpecialDay(rule: AnnualRule(month: 9, weekday: 0, place: 0), factor: 1.375),
        ]
        let many = (0..<24).map { k in
            SpecialDay(
                rule: AnnualRule(month: 1 + k / 2, dayOfMonth: 3 + k), factor: 0.5 + Float(k) / 8)
        }
        return [
            DemandCalendar(specialDays: specials), DemandCalendar(dayOfMonth: days),
            DemandCalendar(dayOfMonth: days, specialDays: many),
        ]
    }()

    @Test("A calendar and what items differ in come back as they were", arguments: calendars)
    func calendar(calendar: DemandCalendar) throws {
        let package = try PackageFixtures.package(
            .profile, units: 2, profiles: 2, calendar: calendar)
        let bytes = package.encode()
        let delivered = try ModelPackage.decode(bytes)
        #expect(delivered == package)
        #expect(delivered.calendar.specialDays.count == calendar.specialDays.count)
        let engine = try Engine(bytes, budgetBytes: package.manifest.arenaBytes)
        try engine.proveGoldenVectors(of: bytes)
    }

    @Test("Profiles that differ in their calendar are no package's")
    func oneCalendar() throws {
        var package = try PackageFixtures.package(
            .profile, units: 2, profiles: 2, calendar: Self.calendars[0])
        package.profiles[1].calendar = Self.calendars[1]
        #expect(throws: PackageError.field(.calendar, index: 1)) { try package.validate() }
    }

    @Test("The payload is what is left of a file without its manifest and its proof")
    func payload() throws {
        let package = try PackageFixtures.package(.profile, units: 2, calendar: Self.calendars[2])
        let raw = RawPackage.withCalendar
        let sections = [1, 2, 3, 4].map { raw.sections[$0] }
        let bytes = sections.flatMap { RawPackage.section($0.tag, $0.fields.flatMap(\.bytes)) }
        #expect(try ModelPackage.payloadBytes(of: raw.file) == bytes.count)
        let file = package.encode()
        let payload = try ModelPackage.payloadBytes(of: file)
        #expect(payload > 100 && payload < file.count - 100)
        #expect(throws: PackageError.self) {
            try ModelPackage.payloadBytes(of: [UInt8](file.dropLast()))
        }
    }

    @Test("Every cell comes back as it was", arguments: CellKind.allCases, [1, 5, 128])
    func cells(cell: CellKind, units: Int) throws {
        let package = try PackageFixtures.package(.calendar, cell: cell, units: units)
        #expect(package.manifest.requiredFeatures == [cell.runtimeFeature])
        let bytes = package.encode()
        #expect(bytes[4] == 2)
        let delivered = try ModelPackage.decode(bytes)
        #expect(delivered == package)
        let engine = try Engine(bytes, budgetBytes: package.manifest.arenaBytes)
        try engine.proveGoldenVectors(of: bytes)
    }

    @Test("A two-unit profile model with ten items takes at most 512 bytes, arena included")
    func size() throws {
        let package = try PackageFixtures.package(.profile, units: 2)
        #expect(package.encode().count <= 512)
        #expect(package.manifest.arenaBytes <= 512)
    }

    @Test("What cannot be null in one field can be in another")
    func emptyFields() throws {
        var package = try PackageFixtures.package(.profile, units: 1, items: 0)
        package.manifest.recipe = ""
        package.manifest.lineage = ""
        package.manifest.requiredFeatures = []
        package.manifest.evaluation = PackageEvaluation()
        package.manifest.release = .max
        package.goldenVectors = []
        #expect(try ModelPackage.decode(package.encode()) == package)
    }

    @Test(
        "A file cut anywhere is refused, by its bytes or for what is missing", arguments: [0, 10])
    func truncation(items: Int) throws {
        let file = try PackageFixtures.package(.profile, units: 2, items: items).encode()
        for length in 0..<file.count {
            let accepted = Self.accepts([UInt8](file[..<length]))
            #expect(!accepted, "the first \(length) of \(file.count) bytes were accepted")
        }
        #expect(Self.accepts(file))
    }

    @Test("A byte after the end is refused")
    func strayByte() throws {
        let file = try PackageFixtures.package(.profile, units: 2).encode()
        for byte in [0, 1, 5, 6, 127, 128, 255] as [UInt8] {
            #expect(throws: PackageError.self) { try ModelPackage.decode(file + [byte]) }
        }
    }

    @Test("No flipped bit makes a reader crash, and a package that still reads is a whole one")
    func flippedBits() throws {
        let file = try PackageFixtures.package(.profile, units: 2, profiles: 2).encode()
        var refused = 0
        for position in file.indices {
            for bit in 0..<8 {
                var mutated = file
                mutated[position] ^= 1 << UInt8(bit)
                if !Self.accepts(mutated) { refused += 1 }
            }
        }
        // The rest changed a text, a figure or a level: only the digest outside can tell.
        #expect(refused > file.count * 4)
    }

    @Test("Ten thousand hostile files are refused or read, and never crash", arguments: 1...5)
    func mutations(seed: UInt64) throws {
        var numbers = SeededGenerator(seed: seed)
        let sources = [
            Self.unpackedFile,
            try PackageFixtures.package(.profile, units: 2, profiles: 3).encode(),
            try PackageFixtures.package(.calendar, units: 3, items: 4).encode(),
            try PackageFixtures.package(.plain, units: 2, items: 2).encode(),
            try PackageFixtures.package(.calendar, cell: .gru, units: 2, items: 2).encode(),
            RawPackage.fastGRNN.file,
        ]
        for _ in 0..<10_000 {
            var file = sources.randomElement(using: &numbers)!
            for _ in 0..<Int.random(in: 1...4, using: &numbers) { Self.mutate(&file, &numbers) }
            _ = Self.accepts(file)
        }
    }

    static func mutate(_ file: inout [UInt8], _ numbers: inout SeededGenerator) {
        guard !file.isEmpty else { return }
        let at = Int.random(in: file.indices, using: &numbers)
        switch Int.random(in: 0..<6, using: &numbers) {
        case 0: file[at] = .random(in: 0...255, using: &numbers)
        case 1: file[at] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &numbers)!
        case 2: file.remove(at: at)
        case 3: file.insert(.random(in: 0...255, using: &numbers), at: at)
        case 4: file.replaceSubrange(at..<min(at + 4, file.count), with: [255, 255, 255, 255])
        default:
            let from = Int.random(in: file.indices, using: &numbers)
            let piece = file[from..<min(from + 24, file.count)]
            file.insert(contentsOf: piece, at: at)
        }
    }

    /// Everything a device does with a file before it forecasts.
    static func accepts(_ file: [UInt8]) -> Bool {
        do {
            let engine = try Engine(file, budgetBytes: 1 << 21)
            try engine.proveGoldenVectors(of: file)
            // Device and hub agree on what is a package.
            _ = try ModelPackage.decode(file)
            return true
        } catch {
            return false
        }
    }

    /// All sections stored, so that mutations reach the fields behind the packing.
    static var unpackedFile: [UInt8] { RawPackage().file }
}

/// What codings do to a whole file.
@Suite("Coded packages")
struct CodedPackageTests {
    static func networks() throws -> [ModelPackage] {
        var numbers = SeededGenerator(seed: 12)
        return try [Int8(127), 7, 1].flatMap { largest in
            try [
                (ModelForm.plain, CellKind.lstm, 32), (.calendar, .gru, 4),
                (.profile, .fastGRNN, 2),
            ]
            .map { form, cell, units in
                var package = try PackageFixtures.package(form, cell: cell, units: units)
                package.network.inputKernel = package.network.inputKernel.map { _ in
                    .random(in: -largest...largest, using: &numbers)
                }
                package.network.recurrentKernel = package.network.recurrentKernel.map { _ in
                    Bool.random(using: &numbers)
                        ? 0 : .random(in: -largest...largest, using: &numbers)
                }
                return package
            }
        }
    }

    @Test("Every coding gives the same package back, and the smallest is no larger than any")
    func everyCoding() throws {
        for package in try Self.networks() {
            let smallest = package.encode()
            for coding in TensorCoding.allCases {
                let file = package.encode(coding: coding)
                #expect(try ModelPackage.decode(file) == package, "\(coding)")
                #expect(file.count >= smallest.count, "\(coding)")
                #expect(package.encode(coding: coding) == file, "\(coding)")
            }
        }
    }

    @Test("Codings have names")
    func names() {
        for coding in TensorCoding.allCases { #expect(TensorCoding(name: coding.name) == coding) }
        #expect(TensorCoding(name: "Range") == nil && TensorCoding(name: "") == nil)
    }

    @Test("Four bits, ternary weights and zeros take the bytes they are worth")
    func sizes() throws {
        var numbers = SeededGenerator(seed: 13)
        var package = try PackageFixtures.package(.plain, units: 32)
        func networkBytes(_ weight: (inout SeededGenerator) -> Int8) throws -> Int {
            package.network.recurrentKernel = package.network.recurrentKernel.map { _ in
                weight(&numbers)
            }
            return try PackageBytes(of: package.encode())[.network]
        }
        let whole = try networkBytes { .random(in: -127...127, using: &$0) }
        let fourBits = try networkBytes { .random(in: -7...7, using: &$0) }
        let ternary = try networkBytes { .random(in: -1...1, using: &$0) }
        let sparse = try networkBytes {
            .random(in: 0..<10, using: &$0) < 7 ? 0 : .random(in: -127...127, using: &$0)
        }
        // 4,096 weights of log2(255) = 7.994, log2(15) = 3.907 and log2(3) = 1.585 bits; the sparse ones say in 0.881 bits
        // whether they are zero, and three in ten go on.
        let expected: [(bytes: Int, bits: Double, tolerance: Double)] = [
            (fourBits, 3.907, 16), (ternary, 1.585, 16), (sparse, 3.278, 100),
        ]
        for (bytes, bits, tolerance) in expected {
            let saved = 512 * (7.994 - bits)
            #expect(abs(Double(whole - bytes) - saved) < tolerance, "\(bits) bits")
        }
    }

    @Test(
        "Factors travel in the kernel's place, and both come back",
        arguments: TensorCoding.allCases.filter { $0 != .tiles })
    func factors(coding: TensorCoding) throws {
        var numbers = SeededGenerator(seed: 14)
        var package = try PackageFixtures.package(.plain, units: 16)
        let whole = package.encode(coding: coding).count
        package.network.recurrentFactors = KernelFactors(
            rank: 3, left: (0..<64 * 3).map { _ in .random(in: -90...90, using: &numbers) },
            right: (0..<3 * 16).map { _ in .random(in: -90...90, using: &numbers) }, shift: 7)
        package.network.recurrentKernel = try #require(
            package.network.recurrentFactors?.expanded(rows: 64, columns: 16))
        let file = package.encode(coding: coding)
        #expect(try ModelPackage.decode(file) == package)
        #expect(file.count < whole - 700)
    }

    @Test("Scales that a gate's rows share cost their gate, not their rows", arguments: [1, 2, 4])
    func sharedScales(kinds: Int) throws {
        var package = try PackageFixtures.package(.plain, units: 32)
        let each = try PackageBytes(of: package.encode()).payload
        let codes = (0..<128).map { UInt16(0x0B00 + 71 * ($0 * kinds / 128)) }
        package.network.inputMultiplierCodes = codes
        package.network.recurrentMultiplierCodes = codes.reversed()
        let file = package.encode()
        #expect(try ModelPackage.decode(file) == package)
        // 256 of nine bits before, and now at most eight of two bytes.
        #expect(try PackageBytes(of: file).payload < each - 256)
    }

    @Test("Profiles that share a half, and items of every kind, come back")
    func repeats() throws {
        var package = try PackageFixtures.package(
            .profile, units: 1, items: 0, profiles: 5, finely: true)
        package.profiles[1].month = package.profiles[0].month
        package.profiles[2].weekday = package.profiles[1].weekday
        package.profiles[4] = package.profiles[3]
        package.manifest.store = try StoreID("s")
        let items = [
            "0", "00", "1", "2", "3", "007", "999999999999999999", "1000000000000000000",
            "12345678901234567890123456789012", "FOODS_1_001", "FOODS_1_002", "FOODS_2", "a",
        ]
        for (index, item) in items.enumerated() {
            package.starts.append(
                SeriesStart(
                    item: try ItemID(item), level: index % 2 == 0 ? 1.0 / 64 : 1_000_000, scale: 1,
                    profile: UInt16(index % 5)))
        }
        package.goldenVectors = []
        _ = package.encodeStatingArena()
        try package.validate()
        #expect(try ModelPackage.decode(package.encode()) == package)
    }

    @Test("A start as a builder rounds it stays within the range of levels")
    func rounding() throws {
        for level in [0, 1.0 / 64, 0.999_999, 1, 35.55, 999_999, 1_000_000, 1e30] as [Float] {
            let start = SeriesStart(item: try ItemID("1"), level: level, scale: level, profile: 0)
            let rounded = start.rounded(keepsScale: true)
            let held = min(max(level, 1.0 / 64), 1_000_000)
            #expect(abs(rounded.level - held) <= held / 512)
            #expect(rounded.level <= SeriesState.levelMax && rounded.level >= SeriesState.levelMin)
            #expect(rounded.scale == rounded.level)
            #expect(rounded.rounded(keepsScale: true) == rounded)
        }
        let extremes = SeasonalProfile(
            weekday: [0, 0.125, 1, 8, .nan, .infinity, 1.001], month: .init(repeating: 2, count: 12)
        )
        let expected: [Float] = [
            0.125, 0.125, 1, 7.998_046_875, 0.125, 7.998_046_875, 1.001_953_125,
        ]
        #expect(extremes.rounded.weekday == expected)
    }

    @Test("Bytes are told by section, and the payload is network, profiles and starts")
    func bytes() throws {
        let raw = RawPackage()
        let bytes = try PackageBytes(of: raw.file)
        for (section, fields) in raw.sections {
            let content = fields.map(\.bytes.count).reduce(0, +)
            #expect(bytes[PackageSection(rawValue: section)!] == content + 3)
        }
        #expect(bytes.total == raw.file.count)
        #expect(bytes.payload == bytes[.network] + bytes[.profiles] + bytes[.starts])
        let sum = PackageSection.allCases.map { bytes[$0] }.reduce(0, +)
        // The header, its arena in two bytes.
        #expect(bytes.total == sum + 7)
        // What a program may skip counts as nothing but bytes.
        let longer = try PackageBytes(of: raw.file + RawPackage.section(128, [1]))
        #expect(longer.total == bytes.total + 4 && longer.payload == bytes.payload)
        #expect(throws: PackageError.notAPackage) { try PackageBytes(of: []) }
    }

    @Test("Hostile codes are refused or read, and never crash", arguments: 1...4)
    func mutations(seed: UInt64) throws {
        var numbers = SeededGenerator(seed: seed)
        let package = try Self.networks()[4]
        var factored = package
        factored.network.recurrentFactors = KernelFactors(
            rank: 1, left: .init(repeating: 3, count: 12), right: [1, 2, 3, 4], shift: 0)
        factored.network.recurrentKernel = factored.network.recurrentFactors!.expanded(
            rows: 12, columns: 4)!
        let files = TensorCoding.allCases.flatMap {
            [package.encode(coding: $0), factored.encode(coding: $0)]
        }
        for _ in 0..<4_000 {
            var file = files.randomElement(using: &numbers)!
            for _ in 0..<Int.random(in: 1...4, using: &numbers) {
                ModelPackageTests.mutate(&file, &numbers)
            }
            _ = ModelPackageTests.accepts(file)
        }
    }
}
