import Foundation

/// What was measured, for people as it comes and for programs in one file at the end.
struct BenchReport {
    struct Entry: Codable {
        var name: String
        var value: Double
        var unit: String
    }

    private var entries: [Entry] = []

    mutating func add(_ name: String, _ value: Double, _ unit: String) {
        entries.append(Entry(name: name, value: value, unit: unit))
        let padded = name.padding(toLength: 56, withPad: " ", startingAt: 0)
        print("  \(padded) \(String(format: "%10.3f", value)) \(unit)")
    }

    /// Says why something was not measured; earlier results of it are kept.
    func skip(_ what: String, because reason: String) {
        print("  \(what): skipped, \(reason)")
    }

    /// Replaces the entries of the same names in a flat list and keeps all others.
    func merge(into path: String) throws {
        var merged: [Entry] = []
        if let old = FileManager.default.contents(atPath: path) {
            merged = try JSONDecoder().decode([Entry].self, from: old)
        }
        let measured = Set(entries.map(\.name))
        merged.removeAll { measured.contains($0.name) }
        merged += entries
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try FileManager.default.createDirectory(
            atPath: ".build", withIntermediateDirectories: true)
        try encoder.encode(merged.sorted { $0.name < $1.name })
            .write(to: URL(fileURLWithPath: path), options: .atomic)
        print("\n\(entries.count) results into \(path)")
    }

    /// CPU model, cores and how busy the machine was when the program began.
    static let machine: String = {
        let info = ProcessInfo.processInfo
        var model = "unknown CPU"
        if let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("model name") })
        {
            model = line.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? model
        }
        var loads = [0.0]
        _ = getloadavg(&loads, 1)
        let load = String(format: "%.1f", loads[0])
        return "\(model), \(info.activeProcessorCount) cores, load \(load)"
    }()

    /// CPU time of all threads of this process so far.
    static func cpuSeconds() -> Double {
        let usage = resourceUsage()
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6
    }

    /// Time by the clock, as the programs measured beside ours take it.
    static func clockSeconds() -> Double {
        var time = timespec()
        precondition(clock_gettime(CLOCK_MONOTONIC, &time) == 0)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// The most memory this process ever had resident, in MB (10⁶ bytes).
    static func peakMegabytes() -> Double {
        Double(resourceUsage().ru_maxrss) * 1024 / 1e6  // Linux counts in KiB
    }

    private static func resourceUsage() -> rusage {
        var usage = rusage()
        // RUSAGE_SELF, which glibc declares in a type that getrusage does not take.
        let itself: Int32 = 0
        precondition(getrusage(itself, &usage) == 0)
        return usage
    }
}
