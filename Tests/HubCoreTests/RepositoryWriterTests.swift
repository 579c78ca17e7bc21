import Forecasting
import HubCore
import JSONText
import TestSupport
import Testing
import UpdateTrust

@Suite("What of the repository is written when")
struct RepositoryWriterTests {
    @Test("The first writing has all four roles, and every package is found in it")
    func first() throws {
        let hub = try SampleHub(packages: 3)
        #expect(hub.files.values.map(\.version) == [1, 1, 1])
        #expect(Set(hub.files.keys) == ["targets", "snapshot", "timestamp"])
        var device = SampleDevice(hub)
        for package in hub.packages {
            let file = try #require(try device.update(from: hub, to: package))
            #expect(file.length == UInt64(package.packageBytes))
            #expect(file.digests.sha256 == package.digest)
            #expect(file.custom?["family"]?.utf8 == [UInt8]("spring".utf8))
            #expect(file.custom?["variant"]?.utf8 == [UInt8](package.variant.utf8))
            #expect(file.custom?["store"]?.utf8 == package.store.map { [UInt8]($0.text.utf8) })
            #expect(file.custom?["arena"] == .integer(package.arenaBytes))
            #expect(file.custom?["release"] == .integer(package.release))
        }
        #expect(try device.update(from: hub, to: try SampleHub.package(99)) == nil)
    }

    /// Days after the first writing, and what is signed anew then.
    @Test(
        "What is good for long enough stays",
        arguments: [
            (0, []), (1, ["timestamp"]), (6, ["timestamp"]), (7, ["snapshot", "timestamp"]),
            (20, ["snapshot", "timestamp"]), (182, ["snapshot", "timestamp"]),
            (183, ["targets", "snapshot", "timestamp"]),
            (2000, ["targets", "snapshot", "timestamp"]),
        ] as [(Int64, [String])])
    func renewal(days: Int64, roles: [String]) throws {
        var hub = try SampleHub(packages: 2)
        hub.pass(days: days)
        #expect(try hub.write() == roles)
        #expect(try hub.write() == [])
    }

    @Test("A hub that is off for less than a fortnight leaves nothing that has expired")
    func outage() throws {
        var hub = try SampleHub(packages: 60)
        var device = SampleDevice(hub)
        for _ in 0..<60 {
            hub.pass(days: 6)
            // Nobody signs on this day: what was signed six days ago is still good.
            _ = try device.update(from: hub, to: hub.packages[0])
            try hub.write()
        }
        hub.pass(days: 15)
        #expect(throws: MetadataError.expired(.timestamp)) {
            try device.update(from: hub, to: hub.packages[0])
        }
        try hub.write()
        #expect(try device.update(from: hub, to: hub.packages[0]) != nil)
    }

    @Test("A package more is a new file for the devices of its bin, not for the others")
    func oneMore() throws {
        var small = try SampleHub(packages: 2)
        small.packages.append(try SampleHub.package(1000))
        #expect(try small.write() == ["targets", "snapshot", "timestamp"])
        var large = try SampleHub(packages: 400)
        let before = large.files
        large.packages.append(try SampleHub.package(1000))
        let written = try large.write()
        #expect(written.count == 3, "\(written)")
        #expect(written.first?.hasPrefix("bin-") == true)
        #expect(large.files["targets"] == before["targets"])
        #expect(large.listed.last { $0.digest == large.packages[400].digest }?.role == written[0])
    }

    /// Packages, and what a device may have to read at its first and at a later update.
    @Test(
        "A device reads little, however many packages there are",
        arguments: [
            (0, 2_000, 1_400), (6, 3_700, 3_000), (50, 5_000, 4_000), (300, 8_000, 7_000),
            (3_000, 16_000, 15_000), (30_000, 42_000, 41_000),
        ])
    func bytes(packages: Int, firstMax: Int, laterMax: Int) throws {
        var hub = try SampleHub(packages: packages)
        var device = SampleDevice(hub)
        _ = try device.update(from: hub, to: hub.packages.last)
        #expect(device.bytesFetched <= firstMax, "\(device.bytesFetched)")
        hub.packages.append(try SampleHub.package(40_000, release: 8))
        hub.pass(days: 1)
        try hub.write()
        #expect(try device.update(from: hub, to: hub.packages.last) != nil)
        #expect(device.bytesFetched <= laterMax, "\(device.bytesFetched)")
        for file in hub.files.values { #expect(file.bytes.count <= 49_152, "\(file.role)") }
    }

    @Test("Packages that nobody may run any more drop out")
    func dropOut() throws {
        var hub = try SampleHub(packages: 3)
        let gone = hub.packages.removeLast()
        #expect(try hub.write() == ["targets", "snapshot", "timestamp"])
        var device = SampleDevice(hub)
        #expect(try device.update(from: hub, to: gone) == nil)
        #expect(hub.listed.map(\.digest).contains(gone.digest) == false)
    }

    @Test("A new key signs anew whatever it stands for, and what refers to it")
    func rotation() throws {
        var hub = try SampleHub(packages: 400)
        let bins = hub.files.keys.filter { $0.hasPrefix("bin-") }
        #expect(bins.count >= 16)
        var device = SampleDevice(hub)
        _ = try device.update(from: hub, to: hub.packages[0])
        #expect(
            Set(try hub.rotate(.targets)) == Set(bins).union(["targets", "snapshot", "timestamp"]))
        #expect(try hub.rotate(.snapshot) == ["snapshot", "timestamp"])
        #expect(try hub.rotate(.timestamp) == ["timestamp"])
        #expect(try hub.rotate(.root) == [])
        #expect(try device.update(from: hub, to: hub.packages[0]) != nil)
        #expect(hub.roots.count == 5)
    }

    @Test("Names stay in the snapshot when bins change, until snapshot's key is another")
    func names() throws {
        var hub = try SampleHub(packages: 3_000)
        var device = SampleDevice(hub)
        _ = try device.update(from: hub, to: hub.packages[0])
        let many = hub.files.count
        hub.packages.removeLast(2_990)
        try hub.write()
        #expect(hub.listed.count == 10)
        #expect(hub.files.count >= many)
        #expect(try device.update(from: hub, to: hub.packages[0]) != nil)
        _ = try hub.rotate(.snapshot)
        #expect(hub.files.count < 20)
        #expect(try device.update(from: hub, to: hub.packages[0]) != nil)
    }

    @Test("Without the keys that a role needs, the role and the keys are named")
    func keysMissing() throws {
        var hub = try SampleHub(packages: 1)
        hub.pass(days: 1)
        let id = hub.root[.timestamp].keys[0].id
        let others = hub.keys.filter { $0.id != id }
        #expect(
            throws: RepositoryError.keysMissing(.timestamp, have: 0, needed: 1, ids: [id])
        ) { try hub.write(signer: SampleSigner(others)) }
    }

    @Test("More packages than devices can be told of are refused")
    func tooMany() throws {
        var hub = try SampleHub()
        // Names that take six bytes a character.
        let name = String(repeating: "\u{1}", count: 64)
        for number in 0..<24_000 {
            var package = try SampleHub.package(number)
            (package.family, package.variant) = (name, name)
            hub.packages.append(package)
        }
        #expect(throws: RepositoryError.tooManyTargets(count: 24_000)) { try hub.write() }
    }

    @Test(
        "A hub restored from a backup goes on with versions that no device has seen, twice if need be"
    )
    func leap() throws {
        var hub = try SampleHub(packages: 60)
        var device = SampleDevice(hub)
        for restore in 1...2 {
            let backup = hub
            for number in 0..<5 {
                hub.packages.append(try SampleHub.package(1_000 * restore + number))
                hub.pass(days: 1)
                try hub.write()
            }
            _ = try device.update(from: hub, to: hub.packages[64])
            let now = hub.now
            hub = backup
            hub.now = now
            // Everything but root, whether or not it was due.
            let written = try hub.write(leap: 1_000_000)
            #expect(written.contains("timestamp") && written.contains("targets"))
            #expect(try device.update(from: hub, to: hub.packages[0]) != nil)
            hub.packages.append(try SampleHub.package(5_000 * restore))
            try hub.write()
            #expect(try device.update(from: hub, to: hub.packages[59 + restore]) != nil)
        }
    }

    @Test("A hub put back as it was is an attack to devices, until it rotates two keys")
    func restored() throws {
        var hub = try SampleHub(packages: 60)
        let backup = hub
        var device = SampleDevice(hub)
        for number in 0..<5 {
            hub.packages.append(try SampleHub.package(1_000 + number))
            hub.pass(days: 1)
            try hub.write()
        }
        _ = try device.update(from: hub, to: hub.packages[64])
        let now = hub.now
        hub = backup
        hub.now = now
        try hub.write()
        #expect(throws: MetadataError.rolledBack(.timestamp, version: 2, trusted: 6)) {
            try device.update(from: hub, to: hub.packages[0])
        }
        _ = try hub.rotate(.snapshot)
        _ = try hub.rotate(.timestamp)
        #expect(try device.update(from: hub, to: hub.packages[0]) != nil)
        hub.packages.append(try SampleHub.package(2_000))
        try hub.write()
        #expect(try device.update(from: hub, to: hub.packages[60]) != nil)
    }

    /// Packages come and go, time passes, keys are rotated; devices look in now and then.
    @Test(
        "Whatever happened meanwhile, a device follows and finds what is listed", arguments: 1...40)
    func history(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var hub = try SampleHub(packages: Int.random(in: 0...40, using: &random))
        var next = 1_000
        var devices = (0..<3).map { _ in SampleDevice(hub) }
        for _ in 0..<25 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                for _ in 0..<Int.random(in: 1...120, using: &random) {
                    hub.packages.append(try SampleHub.package(next))
                    next += 1
                }
                try hub.write()
            case 2:
                hub.packages.removeFirst(Int.random(in: 0...hub.packages.count, using: &random))
                try hub.write()
            case 3:
                _ = try hub.rotate(TrustRole.allCases.randomElement(using: &random) ?? .root)
            default:
                hub.pass(days: Int64.random(in: 0...40, using: &random))
                try hub.write()
            }
            for index in devices.indices where Bool.random(using: &random) {
                let package = hub.packages.randomElement(using: &random)
                let found = try devices[index].update(from: hub, to: package)
                #expect(found?.digests.sha256 == package?.digest, "seed \(seed)")
            }
        }
    }
}

@Suite("How packages are spread over files")
struct TargetLayoutTests {
    @Test(
        "Few are in one file; many are spread so that a device reads least",
        arguments: [(0, 0), (900, 0), (6_800, 4), (43_000, 5), (640_000, 7), (6_400_000, 9)])
    func choice(entryBytes: Int, bits: Int) {
        #expect(TargetLayout.choose(entryBytes: entryBytes, current: nil).bits == bits)
    }

    @Test("What is there stays until it costs twice as much as the best")
    func hysteresis() {
        let there = TargetLayout(bits: 5)
        #expect(TargetLayout.choose(entryBytes: 100_000, current: there) == there)
        #expect(TargetLayout.choose(entryBytes: 6_400_000, current: there).bits == 9)
        #expect(TargetLayout.choose(entryBytes: 500, current: there).bits == 0)
    }

    @Test(
        "A bin is named as every client of the framework names it",
        arguments: [
            (1, 1, "bin-1"), (4, 15, "bin-f"), (5, 3, "bin-03"), (8, 255, "bin-ff"),
            (9, 511, "bin-1ff"), (9, 0, "bin-000"),
        ])
    func names(bits: Int, number: Int, name: String) {
        #expect(TargetLayout(bits: bits).bin(number) == name)
    }

    @Test("The first bits of the path's digest say the bin")
    func numbers() {
        #expect(TargetLayout(bits: 9).binNumber(digest: [0xFF, 0x80]) == 511)
        #expect(TargetLayout(bits: 1).binNumber(digest: [0x7F, 0xFF]) == 0)
        #expect(TargetLayout(bits: 4).binNumber(digest: [0xA5, 0]) == 10)
    }
}

@Suite("A root as it is edited")
struct RootDocumentTests {
    private static func root() throws -> RootDocument { try SampleHub().root }

    private static func mixed(_ bytes: [UInt8]) -> [UInt8] { SampleSigner.mix(bytes, count: 32) }

    @Test("What is written is read again")
    func text() throws {
        let root = try Self.root()
        #expect(try RootDocument(root.bytes, sha256: Self.mixed) == root)
        #expect(MetadataText.moment(SampleHub.start) == "2026-01-01T00:00:00Z")
        #expect(
            MetadataText.moment(Timestamp(millisecondsSince1970: 1_709_211_845_999))
                == "2024-02-29T13:04:05Z")
    }

    @Test("The next version is unsigned, and counts by both roots' holders")
    func next() throws {
        var hub = try SampleHub()
        var draft = hub.root.next(now: hub.now)
        #expect(draft.version == 2 && draft.signatures.isEmpty)
        let second = try hub.newKey()
        try draft.add(second, to: .root)
        try draft.setThreshold(2, of: .root)
        #expect(draft.signaturesMissing(after: hub.root) == 2)
        try draft.sign(hub.root[.root].keys[0].id, hub.signer)
        #expect(draft.signaturesMissing(after: hub.root) == 1)
        try draft.sign(second.id, hub.signer)
        #expect(draft.signaturesMissing(after: hub.root) == 0)
        hub.roots.append(draft)
        // Without one of the two, the next root stops here.
        var alone = draft.next(now: hub.now)
        try alone.sign(second.id, hub.signer)
        hub.roots.append(alone)
        var device = SampleDevice(hub)
        device = SampleDevice(try SampleHub())
        #expect(throws: MetadataError.tooFewSignatures(.root, valid: 1, threshold: 2)) {
            try device.update(from: hub, to: nil)
        }
    }

    @Test("What would lock everybody out is refused")
    func refused() throws {
        var draft = try Self.root().next(now: SampleHub.start)
        let first = draft[.root].keys[0]
        #expect(throws: RepositoryError.thresholdUnmet(threshold: 2, keys: 1)) {
            try draft.setThreshold(2, of: .root)
        }
        #expect(throws: RepositoryError.thresholdUnmet(threshold: 1, keys: 0)) {
            try draft.remove(keyID: first.id, from: .root)
        }
        #expect(throws: RepositoryError.keyThereAlready(id: first.id)) {
            try draft.add(first, to: .root)
        }
        #expect(throws: RepositoryError.keyThereAlready(id: first.id)) {
            try draft.replace(nil, with: first, of: .targets)
        }
        #expect(throws: RepositoryError.keyUnknown(id: "zz")) { try draft.rootKey("zz") }
        #expect(try draft.rootKey(String(first.id.prefix(4))) == first)
    }

    @Test(
        "A draft that says more than is read is refused",
        arguments: [
            (#""_type":"root""#, #""_type":"targets""#, "it is not root metadata"),
            (#""version":1"#, #""version":0"#, "nothing usable in 'version'"),
            (#""version":1"#, #""version":1,"x":1"#, "fields that this version does not know"),
            (#""consistent_snapshot":true"#, #""consistent_snapshot":false"#, "does not know"),
            (#""threshold":1"#, #""threshold":2"#, "nothing usable for role"),
            (#""spec_version":"1.0.34""#, #""spec_version":"1.0.99""#, "does not know"),
            ("MF", "NF", "P-256 public key"), (#"{"signatures""#, #"{"signatures"#, "not JSON"),
        ])
    func strange(what: String, instead: String, why: String) throws {
        let text = String(decoding: try Self.root().bytes, as: UTF8.self)
        let changed = text.replacing(what, with: instead, maxReplacements: 1)
        #expect(changed != text)
        let error = #expect(throws: RepositoryError.self) {
            try RootDocument([UInt8](changed.utf8), sha256: Self.mixed)
        }
        #expect(error?.description.contains(why) == true, "\(error?.description ?? "none")")
    }

    @Test("Its end is told sixty days before")
    func ending() throws {
        let root = try Self.root()
        let end = root.expires
        #expect(!root.isEndingSoon(at: end.advanced(bySeconds: -61 * 86_400)))
        #expect(root.isEndingSoon(at: end.advanced(bySeconds: -59 * 86_400)))
        #expect(
            root.endingText(at: end.advanced(bySeconds: 1)).hasPrefix(
                "the root expired on 2030-12-31T00:00:00Z: devices accept nothing new; renew it"))
    }
}
