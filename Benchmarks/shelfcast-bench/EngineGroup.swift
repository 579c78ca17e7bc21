import Forecasting
import ModelPackage

/// Time and memory of the engine, features included, beside programs that do the same, in rounds that take turns.
enum EngineGroup {
    private static let rounds = 5
    private static let manySeries = 10_000

    static func run(_ report: inout BenchReport) throws {
        let packages = try EnginePackages()
        var (clocks, sets) = (try clocks(packages), KernelSet.available.map(\.name))
        sets[sets.count - 1] += " (the best: figures without a name)"
        print("  kernel sets: \(sets.joined(separator: ", "))")
        var peers = EnginePeers()
        for _ in 0..<rounds {
            peers.measure()
            for number in clocks.indices { clocks[number].measure() }
        }
        var table = EngineTable(peers: peers)
        for clock in clocks {
            report.add(clock.name, clock.median, clock.unit)
            table.values[clock.name] = clock.median
        }
        for (peer, name) in [
            (EnginePeers.Peer.floor, "engine.floor.lstm64.us"),
            (.onnxRuntime, "peer.onnxruntime.lstm64.int8.us"),
            (.onnxRuntimeBatch50, "peer.onnxruntime.lstm64.int8.batch50.us"),
            (.tfliteMicro, "peer.tflm.lstm64.us"),
        ] {
            if let median = peers.median(peer) {
                report.add(name, median, "us")
            } else {
                report.skip(name, because: peers.missing[peer] ?? "never asked for")
            }
        }
        for (name, bytes) in [
            ("engine.lstm64.fileBytes", packages.lstm64.encode().count),
            ("engine.lstm64.arenaBytes", packages.lstm64.arenaBytes()),
            ("engine.lstm64.tiles.fileBytes", tiles(packages.lstm64).count),
            ("engine.lstm64.tiles.arenaBytes", packages.lstm64.arenaBytes(coding: .tiles)),
            ("engine.profile2.arenaBytes", packages.profile2.arenaBytes()),
        ] {
            report.add(name, Double(bytes), "B")
            table.values[name] = Double(bytes)
        }
        table.print()
    }

    private static func tiles(_ package: ModelPackage) -> [UInt8] {
        var package = package
        return package.encodeStatingArena(coding: .tiles)
    }

    private static func clocks(_ packages: EnginePackages) throws -> [Clock] {
        var clocks: [Clock] = []
        for set in KernelSet.available {
            let suffixes: [String] =
                switch set {
                case .plain, .avx2, .neon:
                    set == .best ? ["." + set.name, ""] : ["." + set.name]
                default: set == .best ? [""] : []
                }
            for suffix in suffixes {
                for (name, package) in [
                    ("lstm64", packages.lstm64), ("lstm32", packages.lstm32),
                    ("calendar4", packages.calendar4),
                ] {
                    let runner = try EngineRunner(package, days: packages.days, kernels: set)
                    clocks.append(
                        Clock("engine.\(name).single\(suffix).us", runner.single))
                    clocks.append(
                        Clock("engine.\(name).kernels\(suffix).us", runner.kernels(set)))
                    clocks.append(
                        Clock(
                            "engine.\(name).batch50\(suffix).us", of: EngineRunner.batch,
                            runner.batch))
                    if name == "calendar4" {
                        let many = try EngineRunner(
                            package, days: packages.days, count: manySeries, kernels: set)
                        clocks.append(
                            Clock(
                                "engine.series10k\(suffix).ms", milliseconds: true, many.batch))
                    }
                }
            }
        }
        for (name, bytes) in [
            ("engine.loadAndProve.us", packages.lstm64.encode()),
            ("engine.loadAndProve.tiles.us", tiles(packages.lstm64)),
        ] {
            clocks.append(
                Clock(name) {
                    do throws(EngineError) {
                        let engine = try Engine(bytes, budgetBytes: .max)
                        try engine.proveGoldenVectors(of: bytes)
                    } catch {
                        preconditionFailure("the builder proved it: \(error.message)")
                    }
                })
        }
        return clocks
    }

    /// What something takes: the median of rounds, each the median of samples, each of many times.
    private struct Clock {
        let name: String
        let unit: String
        private let body: () -> Void
        /// A microsecond or a millisecond, over how many `body` does.
        private let divisor: Double
        /// So many make a sample: long beside what reading the clock takes.
        private var repeats = 1
        private var medians: [Double] = []

        init(
            _ name: String, of count: Int = 1, milliseconds: Bool = false,
            _ body: @escaping () -> Void
        ) {
            self.name = name
            self.body = body
            unit = milliseconds ? "ms" : "us"
            divisor = (milliseconds ? 1e-3 : 1e-6) * Double(count)
            while sample() < 150e-6 { repeats *= 2 }
        }

        mutating func measure() {
            var samples: [Double] = []
            var seconds = 0.0
            while samples.count < 3 || (samples.count < 101 && seconds < 0.05) {
                let sample = sample()
                samples.append(sample)
                seconds += sample
            }
            medians.append(
                samples.sorted()[samples.count / 2] / Double(repeats) / divisor)
        }

        private func sample() -> Double {
            let start = BenchReport.clockSeconds()
            for _ in 0..<repeats { body() }
            return BenchReport.clockSeconds() - start
        }

        var median: Double { medians.sorted()[medians.count / 2] }
    }
}
