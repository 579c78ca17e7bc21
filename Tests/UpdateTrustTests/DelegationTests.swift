import Foundation
import Testing
import UpdateTrust

@Suite("The search for a target")
struct DelegationTests {
    struct Edge {
        let from: String
        let to: String
        var pattern = "*"
        var isTerminating = false

        init(_ from: String, _ to: String, _ pattern: String = "*", isTerminating: Bool = false) {
            self.from = from
            self.to = to
            self.pattern = pattern
            self.isTerminating = isTerminating
        }
    }

    static func repository(_ edges: [Edge]) -> SampleRepository {
        var repository = SampleRepository()
        for edge in edges {
            repository.delegate(
                edge.from,
                to: SampleDelegation(
                    name: edge.to, isTerminating: edge.isTerminating,
                    paths: #""paths":["\#(edge.pattern)"]"#))
        }
        repository.publishOthers()
        return repository
    }

    struct Graph: CustomTestStringConvertible {
        let testDescription: String
        let edges: [Edge]
        let visited: String
    }

    @Test(
        "visits each role before those it delegates to, in their order, and none twice",
        arguments: [
            Graph(testDescription: "one", edges: [Edge("targets", "A")], visited: "A"),
            Graph(
                testDescription: "two side by side",
                edges: [Edge("targets", "A"), Edge("targets", "B")],
                visited: "AB"),
            Graph(
                testDescription: "two levels",
                edges: [Edge("targets", "A"), Edge("targets", "B"), Edge("B", "C")], visited: "ABC"),
            Graph(
                testDescription: "depth first",
                edges: [
                    Edge("targets", "A"), Edge("targets", "B"), Edge("A", "C"), Edge("A", "D"),
                ], visited: "ACDB"),
            Graph(
                testDescription: "three levels",
                edges: [
                    Edge("targets", "A"), Edge("targets", "B"), Edge("A", "C"), Edge("C", "D"),
                ], visited: "ACDB"),
            Graph(
                testDescription: "a terminating role ends what comes after it, above too",
                edges: [
                    Edge("targets", "A"), Edge("targets", "B"), Edge("A", "C", isTerminating: true),
                    Edge("A", "D"),
                ], visited: "AC"),
            Graph(
                testDescription: "but not what it delegates to itself",
                edges: [
                    Edge("targets", "A"), Edge("targets", "B"), Edge("A", "C", isTerminating: true),
                    Edge("C", "D"),
                ], visited: "ACD"),
            Graph(
                testDescription: "a path that is not delegated",
                edges: [Edge("targets", "A", "*.py"), Edge("targets", "B"), Edge("A", "C")],
                visited: "B"),
            Graph(
                testDescription: "a path that is not delegated further",
                edges: [
                    Edge("targets", "A"), Edge("targets", "B"), Edge("A", "C", "*.py"),
                    Edge("C", "D"),
                ], visited: "AB"),
            Graph(
                testDescription: "a circle",
                edges: [
                    Edge("targets", "A"), Edge("targets", "B"), Edge("B", "C"), Edge("C", "D"),
                    Edge("D", "B"),
                ], visited: "ABCD"),
            Graph(
                testDescription: "two ways to one role",
                edges: [
                    Edge("targets", "A"), Edge("targets", "B"), Edge("B", "C"), Edge("A", "C"),
                ], visited: "ACB"),
            Graph(
                testDescription: "two ways, one of them not for this path",
                edges: [
                    Edge("targets", "A"), Edge("targets", "B"), Edge("B", "C"),
                    Edge("A", "C", "*.py"),
                ], visited: "ABC"),
        ])
    func order(_ graph: Graph) throws {
        var repository = Self.repository(graph.edges)
        #expect(try repository.find("missing") == nil)
        #expect(repository.requests == graph.visited.map { "1.\($0).json" })
        // All of it is kept now.
        #expect(try repository.find("missing") == nil)
        #expect(repository.requests.isEmpty)
    }

    static let tree = [
        Edge("targets", "A", "*.md"), Edge("targets", "B", "releases/*/*"),
        Edge("B", "C", "releases/x/*"), Edge("B", "D", "releases/y/*.zip"),
    ]

    @Test(
        "finds what the roles on the way may speak for, and nothing else",
        arguments: [
            ("file", ["targets"], [], true), ("README.md", ["A"], ["A"], true),
            ("releases/x/x_v1", ["C"], ["B", "C"], true),
            ("releases/y/y_v1.zip", ["D"], ["B", "D"], true),
            ("releases/z/z_v1.zip", ["D"], ["B"], false),
            ("README.md", ["targets", "A"], [], true),
        ])
    func tree(_ path: String, _ owners: [String], _ visited: [String], _ isFound: Bool) throws {
        var repository = Self.repository(Self.tree)
        for owner in owners { repository.files[owner] = [(path, "from \(owner)")] }
        repository.publishOthers()
        let file = try repository.find(path)
        #expect((file != nil) == isFound)
        #expect(repository.requests == visited.map { "1.\($0).json" })
        guard let file else { return }
        #expect(file.length == UInt64("from \(owners[0])".utf8.count))
        #expect(file.digests.match([UInt8]("from \(owners[0])".utf8), MixingCryptography()))
        #expect(!file.digests.match([UInt8]("from \(owners[0]) ".utf8), MixingCryptography()))
        let location = String(decoding: file.location(isConsistent: true), as: UTF8.self)
        #expect(location.hasSuffix("." + (path.split(separator: "/").last ?? "")))
        #expect(file.location(isConsistent: false) == [UInt8](path.utf8))
    }

    @Test("believes a role only with the keys that its own delegator names")
    func keys() throws {
        var repository = Self.repository([Edge("targets", "A"), Edge("A", "B")])
        repository.files["B"] = [("x", "y")]
        // Signed by A's key, whose owner may not speak for B.
        repository["B"].signers = repository["A"].keys
        repository.publishOthers()
        let b = RoleName.delegated([UInt8(ascii: "B")])
        #expect(throws: MetadataError.tooFewSignatures(b, valid: 0, threshold: 1)) {
            try repository.find("x")
        }
        #expect(repository.kept["B"] == nil)
    }

    @Test("fails with a role that has expired, is missing, or is not in the snapshot")
    func broken() throws {
        let a = RoleName.delegated([UInt8(ascii: "A")])
        var repository = Self.repository([Edge("targets", "A")])
        repository.files["A"] = [("x", "y")]
        repository["A"].expires = "2025-12-31T23:59:59Z"
        repository.publishOthers()
        #expect(throws: MetadataError.expired(a)) { try repository.find("x") }
        repository["A"].expires = "2026-01-08T00:00:00Z"
        repository.bump("A", "snapshot", "timestamp")
        #expect(try repository.find("x") != nil)
        repository.clock += 8 * 86_400
        #expect(throws: MetadataError.expired(a)) { try repository.find("x") }
        repository["A"].expires = "2026-02-08T00:00:00Z"
        repository.bump("A", "snapshot", "timestamp")
        repository.published["3.A.json"] = nil
        #expect(throws: MetadataError.notFound(a)) { try repository.find("x") }
        repository.publishOthers()
        #expect(try repository.find("x") != nil)

        var other = Self.repository([])
        other.delegationText["targets"] =
            #"{"keys":{},"roles":[{"name":"A","keyids":[],"threshold":1,"terminating":false,"paths":["*"]}]}"#
        other.publishOthers()
        #expect(throws: MetadataError.notInSnapshot(a)) { try other.find("x") }
    }

    @Test("gives up after as many roles as it may visit")
    func bounded() throws {
        let chain = (1...9).map { Edge($0 == 1 ? "targets" : "R\($0 - 1)", "R\($0)") }
        var repository = Self.repository(chain)
        repository.limits.delegationsMax = 8
        #expect(throws: MetadataError.tooManyDelegations(max: 8)) { try repository.find("x") }
        #expect(repository.requests.count == 8)
        repository.limits.delegationsMax = 9
        #expect(try repository.find("x") == nil)
    }

    @Test(
        "asks for a role of any name by that name and no path",
        arguments: ["?", "#", "/A", "../A", ".", "a b", "é%"])
    func names(_ name: String) throws {
        var repository = Self.repository([Edge("targets", name)])
        #expect(try repository.find("x") == nil)
        let escaped = repository.requests.last?.dropFirst(2).dropLast(5) ?? ""
        #expect(String(escaped).removingPercentEncoding == name)
        #expect(escaped.utf8.allSatisfy { $0 < 0x80 && !"?#/ ".utf8.contains($0) })
        #expect(repository.kept[name] != nil)
    }

    @Test("goes by the beginning of the path's digest where a role is delegated by it")
    func digestPrefixes() throws {
        let hex = MixingCryptography.mix([UInt8]("x".utf8), count: 32).hex
        let other = hex.hasPrefix("0") ? "1" : "0"
        var repository = SampleRepository()
        for (name, prefixes) in [("A", "\"\(other)\""), ("B", "\"\(other)\",\"\(hex.prefix(3))\"")]
        {
            repository.delegate(
                "targets",
                to: SampleDelegation(name: name, paths: #""path_hash_prefixes":[\#(prefixes)]"#))
        }
        repository.publishOthers()
        #expect(try repository.find("x") == nil)
        #expect(repository.requests == ["1.B.json"])
    }

    @Test("finds the one of many bins that a path belongs to", arguments: [1, 3, 8, 10, 32])
    func bins(_ bits: Int) throws {
        let digest = MixingCryptography.mix([UInt8]("x".utf8), count: 32)
        let number =
            digest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } >> UInt32(32 - bits)
        let digits = String(number, radix: 16)
        let bin = "bin-" + String(repeating: "0", count: (bits + 3) / 4 - digits.count) + digits
        let key = SampleKey("b")
        var repository = SampleRepository()
        repository.roles[bin] = SampleRole("targets", [key])
        repository.files[bin] = [("x", "y")]
        repository.delegationText["targets"] =
            #"{"keys":{"b":\#(key.json)},"succinct_roles":{"keyids":["b"],"threshold":1,"bit_length":\#(bits),"name_prefix":"bin"}}"#
        repository.publishOthers()
        #expect(try repository.find("x")?.length == 1)
        #expect(repository.requests == ["1.\(bin).json"])
    }

    @Test(
        "reads patterns part by part",
        arguments: [
            ("*", "a", true), ("*", "a/b", false), ("*", "", true), ("", "", true),
            ("", "a", false),
            ("a", "a", true), ("a", "b", false), ("*.tgz", "a.tgz", true),
            ("*.tgz", "a.tgz.b", false),
            ("*.tgz", "x/a.tgz", false), ("*/*.tgz", "x/a.tgz", true),
            ("foo-?.tgz", "foo-1.tgz", true),
            ("foo-?.tgz", "foo-12.tgz", false), ("foo-?", "foo-é", true), ("?", "/", false),
            ("a*b*c", "axxbyybzc", true), ("a*b*c", "axxbyybz", false), ("a**c", "abc", true),
            ("*/b", "a/b", true), ("*/b", "a/c/b", false), ("a/*", "a/", true), ("a/*", "a", false),
            ("*a/*b", "xa/ya/b", false), ("*a*/b", "xay/b", true), ("a?", "a", false),
            ("?*", "ab", true),
        ])
    func patterns(_ pattern: String, _ path: String, _ isMatch: Bool) throws {
        var repository = Self.repository([Edge("targets", "A", pattern)])
        #expect(try repository.find(path) == nil)
        #expect(repository.requests == (isMatch ? ["1.A.json"] : []))
    }

    @Test("does not take long over a pattern made to take long")
    func slowPattern() throws {
        var repository = Self.repository([
            Edge("targets", "A", String(repeating: "a*", count: 2_000) + "b")
        ])
        #expect(try repository.find(String(repeating: "a", count: 4_000)) == nil)
        #expect(repository.requests.isEmpty)
    }
}
