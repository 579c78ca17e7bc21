import CPosix
import Foundation
import Testing

/// `shelfcast_release_code` on this process, which is linked as an agent is: position-independent, with its addresses
/// filled in at the start.
@Suite("Code given back", .serialized)
struct ReleasedCodeTests {
    /// A mapping of a file that nothing may write to, and how much of it is in memory.
    struct Mapping {
        var start: UnsafeRawPointer
        var bytes: Int
        var residentKB = 0
        /// FNV-1a over what memory has.
        var sum: UInt64 = 0
    }

    static func mappings(of path: String) throws -> [Mapping] {
        var mappings: [Mapping] = []
        var isWanted = false
        for line in try String(contentsOfFile: "/proc/self/smaps", encoding: .utf8)
            .split(separator: "\n")
        {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            if words[0].hasSuffix(":") {
                guard isWanted, words[0] == "Rss:" else { continue }
                mappings[mappings.count - 1].residentKB = try #require(Int(words[1]))
                continue
            }
            isWanted = words.last.map(String.init) == path && words[1].hasPrefix("r-")
            guard isWanted else { continue }
            let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            let start = UnsafeRawPointer(bitPattern: ends[0])!  // the kernel names no mapping at 0
            mappings.append(Mapping(start: start, bytes: Int(ends[1] - ends[0])))
        }
        return mappings
    }

    static func read(_ mappings: [Mapping]) -> [Mapping] {
        mappings.map { mapping in
            var mapping = mapping
            let bytes = UnsafeRawBufferPointer(start: mapping.start, count: mapping.bytes)
            mapping.sum = bytes.bindMemory(to: UInt64.self).reduce(14_695_981_039_346_656_037) {
                ($0 ^ $1) &* 1_099_511_628_211
            }
            return mapping
        }
    }

    @Test("leaves memory, and is there again with the same bytes when it is read")
    func sameBytes() throws {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let before = Self.read(try Self.mappings(of: program))
        try #require(!before.isEmpty)
        let full = try Self.mappings(of: program).reduce(0) { $0 + $1.residentKB }
        let given = shelfcast_release_code()
        let left = try Self.mappings(of: program).reduce(0) { $0 + $1.residentKB }
        #expect(given >= Int64(full - left) << 10)
        // Other tests run beside this one and fetch what they need.
        #expect(left < full / 2, "of \(full) KiB \(left) are still in memory")
        let after = Self.read(before)
        #expect(after.map(\.sum) == before.map(\.sum))
    }
}
