/// What a device can do, read from what its system says of itself.
package enum Capabilities {
    /// CPU features worth choosing a kernel by, under the hub's names, from `/proc/cpuinfo`.
    package static func cpuFeatures(cpuinfo: [UInt8]) -> [String] {
        // The system's word and ours.
        let known: [(system: String, name: String)] = [
            ("sse4_1", "sse4.1"), ("avx2", "avx2"), ("avx_vnni", "avxvnni"),
            ("avx512_vnni", "avx512vnni"), ("neon", "neon"), ("asimd", "neon"),
            ("asimddp", "dotprod"), ("i8mm", "i8mm"),
        ]
        var found: [String] = []
        for line in cpuinfo.split(separator: UInt8(ascii: "\n")) {
            guard line.starts(with: "flags".utf8) || line.starts(with: "Features".utf8),
                let colon = line.firstIndex(of: UInt8(ascii: ":"))
            else { continue }
            let words = line[(colon + 1)...].split(separator: UInt8(ascii: " "))
            for (system, name) in known
            where words.contains(where: { $0.elementsEqual(system.utf8) })
                && !found.contains(where: { $0.utf8.elementsEqual(name.utf8) })
            {
                found.append(name)
            }
            break
        }
        return found
    }

    /// `MemAvailable` of `/proc/meminfo` in bytes; 0 when it is not there.
    package static func memoryAvailable(meminfo: [UInt8]) -> UInt64 {
        bytes(of: "MemAvailable:", in: meminfo)
    }

    /// A line of `/proc/meminfo` or `/proc/self/status` that counts kilobytes, in bytes; 0 when it is not there.
    /// - Parameter name: with its colon.
    package static func bytes(of name: String, in file: [UInt8]) -> UInt64 {
        for line in file.split(separator: UInt8(ascii: "\n")) where line.starts(with: name.utf8) {
            let value = line.dropFirst(name.utf8.count).drop {
                $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t")
            }
            return (decimal(value.prefix { $0 != UInt8(ascii: " ") }) ?? 0) * 1024
        }
        return 0
    }

    /// The whole number a file of the kernel holds, its newline aside; nil when it holds something else.
    package static func integer(_ file: [UInt8]) -> Int64? {
        let text = file.prefix { $0 != UInt8(ascii: "\n") }
        let isNegative = text.first == UInt8(ascii: "-")
        guard let value = decimal(text.dropFirst(isNegative ? 1 : 0)) else { return nil }
        let magnitude = Int64(clamping: value)
        return isNegative ? -magnitude : magnitude
    }

    /// Whether a percentage or a temperature has moved enough to be told: by ten, or into or out of being known (0).
    package static func hasMoved(_ last: UInt32, _ now: UInt32) -> Bool {
        (last == 0) != (now == 0) || max(last, now) - min(last, now) >= 10
    }

    /// A thousandth of the machine's memory, from 4 KiB to 1 MiB: what a forecaster may take of a device
    /// that has other work, when the operator has not said otherwise.
    package static func derivedBudget(memoryTotalBytes: UInt64) -> UInt64 {
        min(max(memoryTotalBytes / 1000, 4096), 1 << 20)
    }

    /// 1 GiB: what an operator may allow at most.
    package static let budgetMax: UInt64 = 1 << 30

    /// `20480`, `20KiB`, `1MiB`; nil for anything else and above `budgetMax`.
    package static func budget(text: [UInt8]) -> UInt64? {
        guard let bytes = byteCount(text: text), bytes <= budgetMax else { return nil }
        return bytes
    }

    /// `65536`, `64KiB` or `1MiB`; nil for anything else.
    package static func byteCount(text: [UInt8]) -> UInt64? {
        var digits = text[...]
        var unit: UInt64 = 1
        for (suffix, factor) in [("KiB", UInt64(1024)), ("MiB", UInt64(1 << 20))]
        where digits.count > 3 && digits.suffix(3).elementsEqual(suffix.utf8) {
            digits.removeLast(3)
            unit = factor
            break
        }
        guard let number = decimal(digits), number <= UInt64.max / unit else { return nil }
        return number * unit
    }

    /// A label as it may travel: `key=value`, 3 to 128 bytes of printable ASCII without spaces.
    package static func isLabel(_ text: [UInt8]) -> Bool {
        guard (3...128).contains(text.count),
            text.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") }),
            let equals = text.firstIndex(of: UInt8(ascii: "="))
        else { return false }
        return equals > 0 && equals < text.count - 1
    }
}
