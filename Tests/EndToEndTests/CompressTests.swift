import Foundation
import TestSupport
import Testing

/// The compression workbench as an engineer uses it, with the real programs.
@Suite("The compression workbench") struct CompressTests {
    /// A hub with a made-up store's sales and one small family.
    private static func stocked() throws -> HubUnderTest {
        let folder = try TemporaryFolder()
        try Program(path: Binaries.hub).run([
            "sales", "sample", "--out", folder.path + "/sales.csv", "--stores", "2", "--items", "3",
            "--seed", "5", "--from", "2023-01-01", "--to", "2024-06-30",
        ])
        let hub = try HubUnderTest()
        try hub.command("sales", "import", folder.path + "/sales.csv", "--strict")
        try hub.command(
            "train", "--form", "profile", "--units", "4,2", "--epochs", "2", "--name", "f",
            "--test-from", "2024-05-01")
        return hub
    }

    private struct Run: Decodable {
        struct Step: Decodable {
            var step: String
            var parameters: Int
            var nonZeros: Int
            var fileBytes: Int
            var payloadBytes: Int
            var arenaBytes: Int
            var nanosecondsPerForecast: Int
            var wapePercent: Double
        }
        var steps: [Step]
        var saved: String?
    }

    private struct Packed: Decodable {
        var variant: String
        var store: String?
        var packageBytes: Int
        var arenaBytes: Int
    }

    @Test("shows every step of a recipe, keeps the result, and a device is given exactly that")
    func runAndSave() throws {
        let hub = try Self.stocked()
        let output = try hub.command(
            "compress", "run", "f", "--recipe",
            "lstm6 epochs=2 | prune 50% | finetune epochs=1 | qat int8 epochs=1 | huffman",
            "--save", "pruned", "--json")
        let run = try JSONDecoder().decode(Run.self, from: Data(output.utf8))
        #expect(run.steps.map(\.step).first == "lstm6 epochs=2")
        #expect(run.steps.count == 5)
        #expect(run.saved == "f")
        #expect(run.steps[1].nonZeros < run.steps[0].nonZeros)
        for step in run.steps {
            #expect(step.payloadBytes < step.fileBytes && step.nanosecondsPerForecast > 0)
            #expect(step.wapePercent > 0 && step.wapePercent < 100)
        }
        let packed = try JSONDecoder().decode(
            [Packed].self, from: Data(try hub.command("package", "build", "f", "--json").utf8))
        let pruned = packed.filter { $0.variant == "pruned" }
        #expect(pruned.count == 3)
        #expect(
            pruned.contains {
                // A trial's package has shorter names in its manifest than a family's.
                abs($0.packageBytes - run.steps[4].fileBytes) < 40
                    && $0.arenaBytes == run.steps[4].arenaBytes
            })
        // A name is taken once, and said so before any work.
        let again = try Program(path: Binaries.hub).run(
            [
                "compress", "run", "f", "--recipe", "lstm4", "--save", "pruned", "--data",
                hub.data,
            ], expecting: 3)
        #expect(again.errors.contains("variant pruned of f"))
        // Another form is another family.
        try hub.command(
            "compress", "run", "f", "--recipe", "gru3 form=calendar epochs=1 | qat int4 epochs=1",
            "--save", "sensor")
        #expect(try hub.command("package", "build", "sensor").contains("sensor"))
    }

    @Test(
        "refuses what cannot be done, naming the step",
        arguments: [
            ("lstm4 | squash", Int32(64), "step 2 'squash'"),
            ("lstm4 | int8 | finetune", 64, "step 3 'finetune'"),
            ("lstm4 | prune 100%", 64, "step 2 'prune 100%'"),
            ("lstm4 epochs=1 | lowrank 4", 3, "step 2 'lowrank 4'"),
            ("lstm4 epochs=1 | shrink 4", 3, "step 2 'shrink 4'"),
            ("lstm4 epochs=1 | finetune rate=1 epochs=30 | int8", 0, ""),
        ])
    func refused(recipe: String, status: Int32, says text: String) throws {
        let hub = try Self.stocked()
        let outcome = try Program(path: Binaries.hub).run(
            ["compress", "run", "f", "--recipe", recipe, "--data", hub.data],
            expecting: nil)
        // The last one is merely unwise: it ends one way or the other, but never by a crash.
        #expect(outcome.signal == 0)
        if status != 0 {
            #expect(outcome.status == status, "\(outcome.errors)")
            #expect(outcome.errors.contains(text), "\(outcome.errors)")
        }
        #expect(!outcome.errors.contains("Fatal error"))
    }

    private struct Found: Decodable {
        struct Point: Decodable {
            struct Figures: Decodable {
                var fileBytes: Int
                var validationError: Double
            }
            var recipe: String
            var isOnFront: Bool
            var figures: Figures
        }
        var trials: Int
        var points: [Point]
        var chosen: String?
        var keepsLimits: Bool
        var reason: String
    }

    @Test("searches, is interrupted, goes on from there, and keeps what it chose")
    func search() throws {
        let hub = try Self.stocked()
        let arguments = [
            "compress", "search", "--form", "profile", "--max-file", "512B", "--max-arena", "2KiB",
            "--data", hub.data,
        ]
        let running = try Program(path: Binaries.hub).start(arguments + ["--time", "120s"])
        let file = hub.data + "/searches/search.json"
        // Until a first trial is on disk.
        for _ in 0..<600 where !FileManager.default.fileExists(atPath: file) {
            Thread.sleep(forTimeInterval: 0.1)
        }
        running.interrupt()
        _ = running.wait(secondsMax: 60)
        #expect(try running.errors().contains("goes on from here"))
        let resumed = try Program(path: Binaries.hub).run(
            arguments + ["--time", "25s", "--json", "--save", "found"], secondsMax: 180)
        #expect(resumed.errors.contains("going on from"))
        let json = try #require(resumed.output.range(of: "\n}"))
        let found = try JSONDecoder().decode(
            Found.self, from: Data(resumed.output[..<json.upperBound].utf8))
        #expect(found.keepsLimits, "\(found.reason)")
        let chosen = try #require(found.points.first { $0.recipe == found.chosen })
        #expect(chosen.figures.fileBytes <= 512)
        #expect(found.points.contains { $0.isOnFront })
        #expect(try hub.command("package", "build", "found").contains("found"))
        // Other sales, another search.
        let other = try Program(path: Binaries.hub).run(
            arguments + ["--time", "1s", "--seed", "9"], expecting: 3)
        #expect(other.errors.contains("--restart"))
    }

    @Test("of impossible limits shows the nearest point and what stands in the way")
    func impossible() throws {
        let hub = try Self.stocked()
        let outcome = try hub.command(
            "compress", "search", "--form", "profile", "--max-file", "20B", "--time", "20s")
        #expect(outcome.contains("nothing found keeps the limits"))
        #expect(outcome.contains("of 20"))
    }

    @Test("advises by what it measured on the family's own sales")
    func advise() throws {
        let hub = try Self.stocked()
        let outcome = try hub.command("compress", "advise", "f", "--variant", "profile-2")
        #expect(outcome.contains("plain INT8"))
        #expect(outcome.contains("what the others are compared with"))
        #expect(outcome.contains("whole system"))
    }
}
