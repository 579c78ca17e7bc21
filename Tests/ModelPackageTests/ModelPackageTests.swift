import Forecasting
import ModelPackage
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
        try Engine(delivered, budgetBytes: package.manifest.arenaBytes)
            .proveGoldenVectors(of: delivered)
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
        let sections = [1, 2, 3, 5].map { raw.sections[$0] }
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
        try Engine(delivered, budgetBytes: package.manifest.arenaBytes)
            .proveGoldenVectors(of: delivered)
    }

    @Test("A file of format version 1 still says what it said, and proves it", arguments: 0...2)
    func version1(row: Int) throws {
        let (hex, make) = PackageFixtures.version1[row]
        let digits = [UInt8](hex.utf8).map { UInt8($0 >= 0x61 ? $0 - 0x57 : $0 - 0x30) }
        let file = stride(from: 0, to: digits.count, by: 2).map {
            digits[$0] << 4 | digits[$0 + 1]
        }
        #expect(file[4] == 1)
        let package = try ModelPackage.decode(file)
        #expect(package == (try make()))
        try Engine(package, budgetBytes: package.manifest.arenaBytes)
            .proveGoldenVectors(of: package)
        #expect(try ModelPackage.decode(package.encode()) == package)
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
            let package = try ModelPackage.decode(file)
            let engine = try Engine(package, budgetBytes: 1 << 20)
            try engine.proveGoldenVectors(of: package)
            return true
        } catch {
            return false
        }
    }

    /// All sections stored, so that mutations reach the fields behind the packing.
    static var unpackedFile: [UInt8] { RawPackage().file }
}
