import Foundation
import JSONText
import Testing
import UpdateTrust

@Suite("An update")
struct UpdateWalkTests {
    static let top = ["root", "timestamp", "snapshot", "targets"]

    static func role(_ name: String) -> RoleName {
        switch name {
        case "root": .root
        case "timestamp": .timestamp
        case "snapshot": .snapshot
        case "targets": .targets
        default: .delegated([UInt8](name.utf8))
        }
    }

    @Test(
        "asks for the next root, then timestamp, snapshot and targets, and keeps their very bytes")
    func order() throws {
        var repository = SampleRepository()
        repository.published["timestamp.json"]? += [0x20, 0x0A]
        try repository.refresh()
        #expect(
            repository.requests == [
                "2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json",
            ])
        #expect(repository.trusted == ["root": 1, "timestamp": 1, "snapshot": 1, "targets": 1])
        #expect(repository.kept["timestamp"] == repository.published["timestamp.json"])
        try repository.refresh()
        #expect(repository.requests == ["2.root.json", "timestamp.json"])
    }

    @Test("without consistent snapshots asks for plain names")
    func inconsistent() throws {
        var repository = SampleRepository()
        repository.isConsistent = false
        repository.bump("root")
        try repository.refresh()
        #expect(
            repository.requests == [
                "2.root.json", "3.root.json", "timestamp.json", "snapshot.json", "targets.json",
            ])
    }

    @Test("takes in no more than is announced or than may be")
    func ceilings() throws {
        var repository = SampleRepository()
        repository.hasMetaDigests = true
        repository.bump("targets", "snapshot", "timestamp")
        var walk = try repository.begin()
        var step = try walk.next(nil)
        var ceilings: [Int] = []
        while step != .current {
            switch step {
            case .read: step = try walk.next(nil)
            case .fetch(let request):
                ceilings.append(request.bytesMax)
                let name = String(decoding: request.fileName, as: UTF8.self)
                step = try walk.next(repository.published[name])
            case .keep: step = try walk.next(nil)
            case .current, .found, .absent: break
            }
        }
        #expect(
            ceilings == [
                512_000, 16_384, repository.published["snapshot.json"]?.count ?? 0,
                repository.published["targets.json"]?.count ?? 0,
            ])
        repository.limits.snapshotBytesMax = 10
        #expect(
            throws: MetadataError.tooLarge(
                .snapshot, bytes: UInt64(repository.published["snapshot.json"]?.count ?? 0),
                bytesMax: 10)
        ) { try repository.refresh() }
        repository.limits.timestampBytesMax = 10
        #expect(throws: MetadataError.notFound(.timestamp)) { try repository.refresh() }
    }

    @Test("stops where a role is not signed, and keeps what came before", arguments: top)
    func unsigned(_ name: String) throws {
        var repository = SampleRepository()
        repository[name].version = 2
        repository[name].signers = [
            SampleKey("x"), SampleKey(repository[name].keys[0].id, text: "forged"),
        ]
        repository.publish()
        #expect(throws: MetadataError.tooFewSignatures(Self.role(name), valid: 0, threshold: 1)) {
            try repository.refresh()
        }
        let before = ["root", "timestamp", "snapshot", "targets"].prefix { $0 != name }
        #expect(Set(repository.kept.keys) == Set(before + ["root"]))
        #expect(repository.version("root") == 1)
    }

    @Test("takes no role's metadata for another's", arguments: top)
    func wrongType(_ name: String) throws {
        var repository = SampleRepository()
        repository[name].version = 2
        repository[name].type = name == "timestamp" ? "snapshot" : "timestamp"
        if name == "targets" {
            repository.put(as: "targets")
        } else {
            repository.publish()
        }
        #expect(throws: MetadataError.wrongType(Self.role(name))) { try repository.refresh() }
        #expect(
            repository.kept[name] == (name == "root" ? repository.published["1.root.json"] : nil))
    }

    @Test("does not begin with a root that is broken or not signed by itself")
    func firstRoot() throws {
        var repository = SampleRepository()
        let good = try #require(repository.kept["root"])
        repository.kept["root"] = Array(good.dropLast(3))
        #expect(throws: MetadataError.self) { try repository.refresh() }
        repository["root"].signers = [SampleKey("r1", text: "forged")]
        repository.publishRoot()
        repository.kept["root"] = repository.published["1.root.json"]
        #expect(throws: MetadataError.tooFewSignatures(.root, valid: 0, threshold: 1)) {
            try repository.refresh()
        }
        #expect(repository.requests.isEmpty)
    }

    @Test("follows fifteen roots in a row, each signed by the one before", arguments: [0, 9])
    func rotations(_ broken: Int) throws {
        var repository = SampleRepository()
        for version in 2...16 {
            let old = repository["root"].keys
            repository["root"].version = version
            repository["root"].keys = [SampleKey("r\(version)")]
            repository["root"].signers = (version == broken ? [] : old) + repository["root"].keys
            repository.publishRoot()
        }
        if broken == 0 {
            try repository.refresh()
            #expect(repository.version("root") == 16)
            #expect(repository.requests.prefix(15) == (2...16).map { "\($0).root.json" }[...])
        } else {
            #expect(throws: MetadataError.tooFewSignatures(.root, valid: 0, threshold: 1)) {
                try repository.refresh()
            }
            #expect(repository.version("root") == broken - 1)
        }
    }

    @Test("follows no more roots at a time than it may")
    func rotationsMax() throws {
        var repository = SampleRepository()
        repository.limits.rootRotationsMax = 3
        for _ in 0..<7 { repository.bump("root") }
        try repository.refresh()
        #expect(repository.version("root") == 4)
        try repository.refresh()
        #expect(repository.version("root") == 7)
    }

    @Test("takes no root but the next one", arguments: [1, 3, 9])
    func rootVersion(_ version: Int) throws {
        var repository = SampleRepository()
        repository["root"].version = version
        repository.publishRoot()
        repository.published["2.root.json"] = repository.published["\(version).root.json"]
        #expect(
            throws: MetadataError.versionDiffers(.root, stated: 2, found: UInt64(version))
        ) { try repository.refresh() }
    }

    struct Rotation: CustomTestStringConvertible {
        let old: ([Int], threshold: Int)
        let new: ([Int], threshold: Int)
        let signers: [Int]
        let isGood: Bool
        var testDescription: String {
            "\(old.threshold) of \(old.0) to \(new.threshold) of \(new.0), signed by \(signers)"
        }
    }

    @Test(
        "takes a root only from enough of the old keys and enough of the new",
        arguments: [
            Rotation(old: ([1], 1), new: ([2], 1), signers: [2, 1], isGood: true),
            Rotation(old: ([1], 1), new: ([2], 1), signers: [3, 2, 1, 4], isGood: true),
            Rotation(old: ([1], 1), new: ([2], 1), signers: [2, 3, 4], isGood: false),
            Rotation(old: ([1], 1), new: ([2], 1), signers: [1, 3, 4], isGood: false),
            Rotation(
                old: ([0, 1, 2, 3, 4], 3), new: ([0, 1, 3, 4, 5], 3), signers: [0, 4, 1],
                isGood: true),
            Rotation(
                old: ([0, 1, 2, 3, 4], 3), new: ([0, 1, 3, 4, 5], 3), signers: [0, 2, 4],
                isGood: false),
            Rotation(
                old: ([0, 1, 2, 3, 4], 3), new: ([0, 1, 3, 4, 5], 3), signers: [0, 4, 5],
                isGood: false),
            Rotation(
                old: ([0, 1, 2, 3, 4], 3), new: ([5, 6, 7, 8, 9], 3), signers: [0, 2, 4, 5, 6, 7],
                isGood: true),
            Rotation(old: ([1, 2, 3], 1), new: ([1, 2, 3], 2), signers: [1, 2], isGood: true),
            Rotation(old: ([1, 2, 3], 1), new: ([1, 2, 3], 2), signers: [2], isGood: false),
            Rotation(old: ([1, 2, 3], 2), new: ([1, 2, 3], 1), signers: [1, 2], isGood: true),
            Rotation(old: ([1, 2, 3], 2), new: ([1, 2, 3], 1), signers: [1], isGood: false),
        ])
    func thresholds(_ rotation: Rotation) throws {
        var repository = SampleRepository()
        repository["root"].keys = rotation.old.0.map { SampleKey("k\($0)") }
        repository["root"].signers = repository["root"].keys
        repository["root"].threshold = rotation.old.threshold
        repository.publishRoot()
        repository.kept["root"] = repository.published["1.root.json"]
        repository["root"].keys = rotation.new.0.map { SampleKey("k\($0)") }
        repository["root"].threshold = rotation.new.threshold
        repository["root"].signers = rotation.signers.map { SampleKey("k\($0)") }
        repository["root"].version = 2
        repository.publishRoot()
        if rotation.isGood {
            try repository.refresh()
        } else {
            #expect(throws: MetadataError.self) { try repository.refresh() }
        }
        #expect(repository.version("root") == (rotation.isGood ? 2 : 1))
    }

    @Test("counts keys, not names of keys, and refuses a signature or a name that comes twice")
    func duplicates() throws {
        var repository = SampleRepository()
        let key = SampleKey("s1")
        repository["snapshot"].keys = [key] + (2...6).map { SampleKey("s\($0)", text: key.text) }
        repository["snapshot"].signers = repository["snapshot"].keys
        repository["snapshot"].threshold = 2
        repository.bump("root")
        #expect(throws: MetadataError.tooFewSignatures(.snapshot, valid: 1, threshold: 2)) {
            try repository.refresh()
        }
        repository["snapshot"].keys = [key]
        repository["snapshot"].signers = [key, key]
        repository["snapshot"].threshold = 1
        repository.bump("root")
        #expect(throws: MetadataError.malformed(.snapshot, "signatures")) {
            try repository.refresh()
        }
        repository["snapshot"].keys = [key, key]
        repository.bump("root")
        #expect(throws: MetadataError.malformed(.root, "keyids")) { try repository.refresh() }
        #expect(repository.version("snapshot") == nil)
    }

    @Test(
        "lets a signature that is wrong, empty or of an unknown kind be, when there are enough without it"
    )
    func spareSignatures() throws {
        var repository = SampleRepository()
        let spare = SampleKey("t0", scheme: "of tomorrow")
        repository["timestamp"].keys = [spare] + repository["timestamp"].keys
        repository["timestamp"].signers =
            [SampleKey("t0", text: "forged")] + repository["timestamp"].signers
        repository.bump("root")
        try repository.refresh()
        #expect(repository.version("timestamp") == 1)
        repository.bump("timestamp")
        let text = String(decoding: repository.published["timestamp.json"] ?? [], as: UTF8.self)
        let at = try #require(text.range(of: #""keyid":"t0","sig":""#))
        let end = try #require(text[at.upperBound...].firstIndex(of: "\""))
        repository.published["timestamp.json"] = [UInt8](
            text.replacingCharacters(in: at.upperBound..<end, with: "").utf8)
        try repository.refresh()
        #expect(repository.version("timestamp") == 2)
    }

    @Test("keeps what it does not know among what is signed")
    func unknownFields() throws {
        var repository = SampleRepository()
        for name in Self.top { repository[name].extra = #","x-ours":{"b":[1,null],"a":"\u00e9"}"# }
        repository.bump("root", "targets", "snapshot", "timestamp")
        try repository.refresh()
        #expect(repository.trusted == ["root": 2, "timestamp": 2, "snapshot": 2, "targets": 2])
        repository.bump("timestamp")
        let changed = String(decoding: repository.published["timestamp.json"] ?? [], as: UTF8.self)
            .split(separator: "null").joined(separator: "true")
        repository.published["timestamp.json"] = [UInt8](changed.utf8)
        #expect(throws: MetadataError.tooFewSignatures(.timestamp, valid: 0, threshold: 1)) {
            try repository.refresh()
        }
    }

    @Test("with expired metadata goes no further, and recovers with newer", arguments: top)
    func expired(_ name: String) throws {
        var repository = SampleRepository()
        try repository.refresh()
        let good = repository[name].expires
        repository[name].expires = "2026-01-01T00:00:00Z"  // the very second
        repository.bump("root", "targets", "snapshot", "timestamp")
        #expect(throws: MetadataError.expired(Self.role(name))) { try repository.refresh() }
        let place = Self.top.firstIndex(of: name) ?? 0
        for (index, role) in Self.top.enumerated() {
            // An expired root is still the newest one and is kept; the others are not.
            #expect(repository.version(role) == (index < place || role == "root" ? 2 : 1))
        }
        repository[name].expires = good
        repository.bump("root", "targets", "snapshot", "timestamp")
        try repository.refresh()
        #expect(repository.trusted == ["root": 3, "timestamp": 3, "snapshot": 3, "targets": 3])
    }

    @Test(
        "with what it kept expired meanwhile takes newer, and does without it when there is none",
        arguments: top)
    func keptExpired(_ name: String) throws {
        var repository = SampleRepository()
        repository[name].expires = "2026-02-01T00:00:00Z"
        repository.bump("root", "targets", "snapshot", "timestamp")
        try repository.refresh()
        repository.clock += 40 * 86_400
        #expect(throws: MetadataError.expired(Self.role(name))) { try repository.refresh() }
        repository[name].expires = "2027-01-01T00:00:00Z"
        repository.bump("root", "targets", "snapshot", "timestamp")
        try repository.refresh()
        #expect(repository.trusted == ["root": 3, "timestamp": 3, "snapshot": 3, "targets": 3])
    }

    @Test("does not go back to an older timestamp")
    func timestampRollback() throws {
        var repository = SampleRepository()
        repository.bump("timestamp")
        try repository.refresh()
        repository["timestamp"].version = 1
        repository.publishOthers()
        #expect(throws: MetadataError.rolledBack(.timestamp, version: 1, trusted: 2)) {
            try repository.refresh()
        }
        #expect(repository.requests.last == "timestamp.json")
        #expect(repository.version("timestamp") == 2)
    }

    @Test("leaves a timestamp of the same version alone, whatever it says")
    func timestampEqual() throws {
        var repository = SampleRepository()
        try repository.refresh()
        repository["snapshot"].version = 100
        repository.publishOthers()
        try repository.refresh()
        #expect(repository.requests.last == "timestamp.json")
        #expect(repository.version("snapshot") == 1)
    }

    @Test("does not go back to an older snapshot", arguments: [false, true])
    func snapshotRollback(_ hasDigests: Bool) throws {
        var repository = SampleRepository()
        repository.hasMetaDigests = hasDigests
        repository.bump("snapshot", "timestamp")
        try repository.refresh()
        repository["snapshot"].version = 1
        repository.bump("timestamp")
        #expect(throws: MetadataError.rolledBack(.snapshot, version: 1, trusted: 2)) {
            try repository.refresh()
        }
        #expect(repository.trusted == ["root": 1, "timestamp": 2, "snapshot": 2, "targets": 1])
    }

    @Test(
        "does not go back to older targets, not even under a newer snapshot",
        arguments: [false, true])
    func targetsRollback(_ hasDigests: Bool) throws {
        var repository = SampleRepository()
        repository.hasMetaDigests = hasDigests
        repository.bump("targets", "snapshot", "timestamp")
        try repository.refresh()
        repository["targets"].version = 1
        repository.bump("snapshot", "timestamp")
        #expect(throws: MetadataError.rolledBack(.targets, version: 1, trusted: 2)) {
            try repository.refresh()
        }
        #expect(repository.version("targets") == 2)
        #expect(repository.version("snapshot") == 2)
    }

    @Test("takes no snapshot that has lost a role")
    func lostRole() throws {
        var repository = SampleRepository()
        repository.snapshotExtra = #","a.json":{"version":4}"#
        repository.publishOthers()
        try repository.refresh()
        repository.snapshotExtra = ""
        repository.bump("snapshot", "timestamp")
        #expect(throws: MetadataError.notInSnapshot(.delegated([UInt8(ascii: "a")]))) {
            try repository.refresh()
        }
        #expect(repository.version("snapshot") == 1)
    }

    @Test("mixes no snapshot and targets that were not announced together")
    func mixAndMatch() throws {
        var repository = SampleRepository()
        try repository.refresh()
        let oldSnapshot = repository.published["snapshot.json"]
        let oldTargets = repository.published["targets.json"]
        repository.bump("targets", "snapshot", "timestamp")
        repository.published["2.snapshot.json"] = oldSnapshot
        #expect(throws: MetadataError.versionDiffers(.snapshot, stated: 2, found: 1)) {
            try repository.refresh()
        }
        repository.bump("targets", "snapshot", "timestamp")
        repository.published["3.targets.json"] = oldTargets
        #expect(throws: MetadataError.versionDiffers(.targets, stated: 3, found: 1)) {
            try repository.refresh()
        }
        #expect(repository.trusted == ["root": 1, "timestamp": 3, "snapshot": 3, "targets": 1])
    }

    @Test(
        "checks the digest and the length that the metadata before announced",
        arguments: ["snapshot", "targets"])
    func metaDigests(_ name: String) throws {
        var repository = SampleRepository()
        repository.hasMetaDigests = true
        repository.bump("targets", "snapshot", "timestamp")
        let file = "2.\(name).json"
        let good = try #require(repository.published[file])
        // The same document, otherwise written: only the bytes tell.
        repository.published[file] = good.map { $0 == 0x20 ? 0x0A : $0 }
        #expect(throws: MetadataError.digestDiffers(Self.role(name))) { try repository.refresh() }
        repository.published[file] = good.filter { $0 != 0x20 }
        #expect(throws: MetadataError.lengthDiffers(Self.role(name))) { try repository.refresh() }
        repository.published[file] = good
        try repository.refresh()
    }

    @Test(
        "fails when the repository lacks what it announced",
        arguments: ["timestamp", "snapshot", "targets"])
    func missing(_ name: String) throws {
        var repository = SampleRepository()
        repository.published["\(name).json"] = nil
        repository.published["1.\(name).json"] = nil
        #expect(throws: MetadataError.notFound(Self.role(name))) { try repository.refresh() }
        #expect(repository.kept[name] == nil)
    }

    @Test(
        "recovers from versions thrown far ahead once the keys are replaced",
        arguments: ["timestamp", "snapshot", "targets"])
    func fastForward(_ name: String) throws {
        var repository = SampleRepository()
        repository[name].version = 99_999
        repository.publishOthers()
        try repository.refresh()
        #expect(repository.version(name) == 99_999)
        repository[name].version = 1
        let isTargets = name == "targets"
        for role in isTargets ? ["snapshot"] : ["timestamp", name] {
            repository[role].keys = [SampleKey("new \(role)")]
            repository[role].signers = repository[role].keys
        }
        if isTargets { repository["snapshot"].version = 2 }
        if name != "timestamp" { repository["timestamp"].version = 2 }
        repository["root"].version = 2
        repository.publish()
        try repository.refresh()
        #expect(repository.version(name) == 1)
    }

    @Test("takes no fields for what they are not")
    func malformed() throws {
        let rows: [(String, String, String)] = [
            ("timestamp", #""version":1,"#, #""version":1.0,"#),
            ("timestamp", #""version":1,"#, #""version":"1","#),
            ("timestamp", #""version":1,"#, #""version":0,"#), ("timestamp", #""version":1,"#, ""),
            ("timestamp", #""version":1,"#, #""version":-1,"#),
            ("timestamp", #""version":1,"#, #""version":1,"version":1,"#),
            ("timestamp", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00+00:00"),
            ("timestamp", "2030-01-01T00:00:00Z", "2030-02-30T00:00:00Z"),
            ("timestamp", "1.0.34", "2.0.0"), ("timestamp", "snapshot.json", "snapshop.json"),
            ("snapshot", #""meta":{"#, #""meta":[{"#), ("snapshot", "targets.json", "target.json"),
            (
                "targets", #""targets":{}"#,
                #""targets":{"a":{"length":-1,"hashes":{"sha256":"00"}}}"#
            ),
            (
                "targets", #""targets":{}"#,
                #""targets":{"a":{"length":1,"hashes":{"sha256":"00"}}}"#
            ),
            ("targets", #""targets":{}"#, #""targets":{"a":{"length":1,"hashes":{}}}"#),
            ("targets", #""targets":{}"#, #""targets":{},"delegations":{"keys":{},"roles":[{}]}"#),
            (
                "targets", #""targets":{}"#,
                #""targets":{},"delegations":{"keys":{},"roles":[{"name":"root","keyids":[],"threshold":1,"terminating":false,"paths":["*"]}]}"#
            ),
            (
                "targets", #""targets":{}"#,
                #""targets":{},"delegations":{"keys":{},"roles":[{"name":"a","keyids":[],"threshold":1,"terminating":false}]}"#
            ),
        ]
        for (name, from, to) in rows {
            var repository = SampleRepository()
            let file = name == "timestamp" ? "timestamp.json" : "1.\(name).json"
            let text = String(decoding: repository.published[file] ?? [], as: UTF8.self)
            let range = try #require(text.range(of: from))
            let changed = text.replacingCharacters(in: range, with: to)
            let start = try #require(changed.range(of: "\"signed\": "))
            let end = try #require(changed.range(of: ", \"signatures\""))
            // Signed as it is: only the field is wrong.
            repository.published[file] = SampleRole.sign(
                String(changed[start.upperBound..<end.lowerBound]), by: repository[name].signers)
            #expect(throws: MetadataError.self, "\(name): \(to)") { try repository.refresh() }
            #expect(repository.kept[name] == nil || name == "snapshot", "\(name): \(to)")
        }
    }

    @Test("takes no step out of turn")
    func turns() throws {
        var repository = SampleRepository()
        var walk = try repository.begin()
        #expect(throws: MetadataError.outOfTurn) { try walk.find([1]) }
        #expect(try walk.next(nil) != .current)
        _ = try repository.run(&walk, from: try walk.next(nil))
        #expect(throws: MetadataError.outOfTurn) { try walk.next(nil) }
        #expect(throws: MetadataError.outOfTurn) { try walk.find([1]) }
    }
}

extension SampleRepository {
    /// Publishes `role` as targets metadata although its type says otherwise.
    mutating func put(as role: String) {
        let bytes = self[role].signed(#""targets":{}"#)
        published["\(self[role].version).\(role).json"] = bytes
        let meta = #""meta":{"\#(role).json":{"version":\#(self[role].version)}}"#
        published["1.snapshot.json"] = self["snapshot"].signed(meta)
    }
}
