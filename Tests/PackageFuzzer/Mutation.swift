import TestSupport

/// Ways to spoil bytes.
struct Mutation {
    var numbers: SeededGenerator

    mutating func below(_ bound: Int) -> Int { Int(numbers.next() % UInt64(max(bound, 1))) }

    /// One change of any kind.
    mutating func spoil(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else {
            bytes.append(UInt8(below(256)))
            return
        }
        let at = below(bytes.count)
        switch below(10) {
        case 0, 1, 2: bytes[at] ^= 1 << UInt8(below(8))
        case 3: bytes[at] = UInt8(below(256))
        case 4: bytes[at] = Self.edges[below(Self.edges.count)]
        case 5: bytes.removeLast(below(min(bytes.count, 16)) + 1)
        case 6: bytes.remove(at: at)
        case 7: bytes.insert(UInt8(below(256)), at: at)
        case 8:
            // A float or a short one that no scale may be.
            let float = Self.floats[below(Self.floats.count)]
            for (i, byte) in float.enumerated() where at + i < bytes.count { bytes[at + i] = byte }
        default:
            let from = below(bytes.count)
            let count = min(below(8) + 1, bytes.count - max(at, from))
            for i in 0..<count { bytes[at + i] = bytes[from + i] }
        }
    }

    /// Parts of a package, or how they stand together.
    mutating func spoil(_ package: inout PackageParts, others: [PackageParts]) {
        let section = below(package.sections.count)
        switch below(package.sections.isEmpty ? 1 : 12) {
        case 0:
            switch below(4) {
            case 0: package.arenaBytes = max(0, package.arenaBytes + below(9) - 4)
            case 1: package.arenaBytes = below(2 * package.arenaBytes)
            case 2: package.arenaBytes = 1 << 20 + below(3) - 1
            default: package.arenaBytes = 1 << below(40)
            }
        case 1: package.sections.swapAt(section, below(package.sections.count))
        case 2: package.sections.remove(at: section)
        case 3: package.sections.insert(package.sections[section], at: section)
        case 4: package.sections[section].tag = UInt8(below(below(4) > 0 ? 9 : 256))
        case 5: package.sections[section].packing = UInt8(below(4))
        case 6:
            let lie = below(2) > 0 ? below(64) - 32 : 1 << below(40)
            package.sections[section].unpackedBytes = max(
                0, package.sections[section].unpackedBytes + lie)
        case 7:
            let other = others[below(others.count)]
            for candidate in other.sections where candidate.tag == package.sections[section].tag {
                package.sections[section] = candidate
            }
        case 8, 9: spoil(&package.sections[section].content)
        default:
            // Beyond the packing: what the section says.
            var content = package.sections[section].unpacked
            for _ in 0...below(3) { spoil(&content) }
            package.sections[section].packing = 0
            package.sections[section].content = content
            package.sections[section].unpackedBytes = content.count
        }
    }

    private static let edges: [UInt8] = [0, 1, 0x7F, 0x80, 0x81, 0xFE, 0xFF]
    private static let floats: [[UInt8]] = [
        [0, 0, 0, 0], [0, 0, 0, 0x80], [0, 0, 0xC0, 0x7F], [0, 0, 0x80, 0x7F], [0, 0, 0x80, 0xFF],
        [1, 0, 0, 0], [0xFF, 0xFF, 0x7F, 0x7F], [0, 0], [0x7F, 0xC0], [0x7F, 0x80], [0xFF, 0x80],
    ]
}
