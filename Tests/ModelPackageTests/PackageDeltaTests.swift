import ModelPackage
import PackageSamples
import TestSupport
import Testing

@Suite("A delta between two files")
struct PackageDeltaTests {
    static let most = ModelPackage.fileBytesMax

    @Test("has these bytes")
    func golden() {
        let base: [UInt8] = Array("The quick brown fox jumps over the lazy dog".utf8)
        let target: [UInt8] = Array("A quick brown cat jumps over the lazy dog, over the lazy".utf8)
        let delta = PackageDelta.make(from: base, to: target)
        let expected: [UInt8] =
            [1, 56]
            // "A", then 13 bytes from place 3: two on from where the one of "A" ends.
            + [1, 0x41, 13, 4]
            // "cat", then 24 from where as many on.
            + [3, 0x63, 0x61, 0x74, 24, 0]
            // ",", then 14 from 19 before that.
            + [1, 0x2C, 14, 37]
        #expect(delta == expected)
        #expect(PackageDelta.apply(expected, to: base, targetBytes: 56) == target)
    }

    /// What an edit does: another byte, bytes more, bytes less, a stretch moved, the end cut off.
    static func edited(_ base: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
        var target = base
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let at = Int.random(in: 0...target.count, using: &random)
            let end = min(target.count, at + Int.random(in: 0...40, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0: for i in at..<end { target[i] = UInt8.random(in: 0...255, using: &random) }
            case 1:
                target.insert(
                    contentsOf: (0..<(end - at)).map { _ in
                        UInt8.random(in: 0...255, using: &random)
                    }, at: at)
            case 2: target.removeSubrange(at..<end)
            case 3:
                let moved = Array(target[at..<end])
                target.removeSubrange(at..<end)
                target.insert(contentsOf: moved, at: target.count / 2)
            default: target.removeLast(target.count - at)
            }
        }
        return target.isEmpty ? [0] : target
    }

    @Test(
        "gives the new file byte for byte, whatever was changed", arguments: 0..<8 as Range<UInt64>)
    func edits(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for round in 0..<300 {
            let letters = UInt8.random(in: 0...255, using: &random)
            let base = (0..<Int.random(in: 0...3_000, using: &random)).map { _ in
                UInt8.random(in: 0...letters, using: &random)
            }
            let target =
                round % 10 == 0
                ? (0...Int.random(in: 0...900, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                } : Self.edited(base, using: &random)
            let delta = PackageDelta.make(from: base, to: target)
            #expect(
                PackageDelta.apply(delta, to: base, targetBytes: target.count) == target,
                "seed \(seed), round \(round)")
            // Version, length, and the length of what is new.
            #expect(delta.count <= target.count + 7, "seed \(seed), round \(round)")
        }
    }

    @Test("of two real packages takes what differs and little more")
    func packages() throws {
        for sample in try PackageSample.small() + PackageSample.large() {
            var target = sample.file
            target[target.count / 2] ^= 0xFF
            target.insert(7, at: target.count / 3)
            let delta = PackageDelta.make(from: sample.file, to: target)
            #expect(delta.count < 24)
            #expect(
                PackageDelta.apply(delta, to: sample.file, targetBytes: target.count) == target)
        }
    }

    @Test("of the largest files there may be, and of one byte")
    func extremes() {
        var random = SeededGenerator(seed: 5)
        let base = (0..<Self.most).map { _ in UInt8.random(in: 0...255, using: &random) }
        let swapped = Array(base[(Self.most / 2)...] + base[..<(Self.most / 2)])
        for target in [swapped, [UInt8](repeating: 0, count: Self.most), [9]] {
            for base in [base, [UInt8](repeating: 0, count: Self.most), []] {
                let delta = PackageDelta.make(from: base, to: target)
                #expect(
                    PackageDelta.apply(delta, to: base, targetBytes: target.count) == target)
            }
        }
        #expect(PackageDelta.make(from: base, to: swapped).count < 20)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var delta: [UInt8]
        var bytes = 4
    }

    @Test(
        "that is none is refused",
        arguments: [
            Row(testDescription: "empty", delta: []),
            Row(testDescription: "of another version", delta: [2, 4, 0, 4, 0]),
            Row(testDescription: "for another length", delta: [1, 5, 0, 5, 0]),
            Row(testDescription: "without an end", delta: [1, 4]),
            Row(testDescription: "cut in its new bytes", delta: [1, 4, 4, 1, 2, 3]),
            Row(
                testDescription: "more new bytes than the file has",
                delta: [1, 4, 5, 1, 2, 3, 4, 5]),
            Row(testDescription: "without a copy's place", delta: [1, 4, 0, 4]),
            Row(testDescription: "a copy of nothing", delta: [1, 4, 0, 0, 0, 0, 4, 0]),
            Row(testDescription: "a copy beyond the file", delta: [1, 4, 0, 5, 0]),
            Row(testDescription: "a copy from before the base", delta: [1, 4, 0, 4, 1]),
            Row(testDescription: "a copy across the base's end", delta: [1, 4, 0, 4, 10]),
            Row(
                testDescription: "a copy from behind the base",
                delta: [1, 4, 0, 4, 0xFE, 0xFF, 0x7F]),
            Row(testDescription: "a byte more", delta: [1, 4, 0, 4, 0, 0]),
            Row(testDescription: "a number with a needless byte", delta: [1, 0x84, 0, 0, 4, 0]),
            Row(
                testDescription: "a number of four bytes", delta: [1, 0x84, 0x80, 0x80, 1, 0, 4, 0]),
            Row(testDescription: "for no byte", delta: [1, 0, 0], bytes: 0),
            Row(
                testDescription: "for more than a package may have",
                delta: [1, 0x81, 0x80, 0x20, 0, 1, 0], bytes: most + 1),
        ])
    func refused(row: Row) {
        let base: [UInt8] = [10, 11, 12, 13, 14, 15, 16, 17]
        #expect(PackageDelta.apply([1, 4, 0, 4, 0], to: base, targetBytes: 4) == [10, 11, 12, 13])
        #expect(PackageDelta.apply(row.delta, to: base, targetBytes: row.bytes) == nil)
    }

    @Test(
        "spoiled anywhere gives a file of the stated length or none", arguments: [1, 2] as [UInt64])
    func spoiled(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let samples = try PackageSample.small()
        let (base, target) = (samples[0].file, samples[1 % samples.count].file)
        let good = PackageDelta.make(from: base, to: target)
        var given = 0
        for round in 0..<20_000 {
            var delta = good
            for _ in 0...Int.random(in: 0...2, using: &random) {
                let at = Int.random(in: 0..<delta.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: delta[at] = UInt8.random(in: 0...255, using: &random)
                case 1: delta[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: delta.insert(UInt8.random(in: 0...255, using: &random), at: at)
                default: if delta.count > 1 { delta.remove(at: at) }
                }
            }
            let result = PackageDelta.apply(delta, to: base, targetBytes: target.count)
            if let result {
                given += 1
                #expect(result.count == target.count, "seed \(seed), round \(round)")
            }
        }
        // The digest judges these; some there must be, or nothing was tried.
        #expect(given > 100)
        for count in 0..<good.count {
            #expect(
                PackageDelta.apply(Array(good[..<count]), to: base, targetBytes: target.count)
                    == nil)
        }
    }
}
