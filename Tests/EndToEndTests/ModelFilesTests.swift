import Foundation
import TestSupport
import Testing

@Suite("An ONNX file") struct ModelFilesTests {
    private static func stocked(_ folder: TemporaryFolder) throws -> HubUnderTest {
        try Program(path: Binaries.hub).run([
            "sales", "sample", "--out", folder.path + "/sales.csv", "--stores", "1", "--items", "3",
            "--seed", "5", "--from", "2023-06-01", "--to", "2024-06-30",
        ])
        let hub = try HubUnderTest()
        try hub.command("sales", "import", folder.path + "/sales.csv", "--strict")
        return hub
    }

    @Test("carries a network out and back in with the same accuracy, up to its packages")
    func roundTrip() throws {
        let folder = try TemporaryFolder()
        let hub = try Self.stocked(folder)
        let trained = try hub.json(
            "train", "--form", "calendar", "--units", "4,2", "--epochs", "1", "--window", "7",
            "--name", "home")
        let file = folder.path + "/home.onnx"
        let said = try hub.command(
            "model", "export", "home", "--variant", "calendar-4", "--output", file)
        #expect(said.contains("wrote home/calendar-4"))
        let back = try hub.json("model", "import", file, "--name", "back")
        #expect(try back["form"].string == "calendar" && back["window"].number == 7)
        #expect(try back["variants"].list.count == 1)
        #expect(
            try back["variants"].list[0]["wapePercent"].number
                == trained["variants"].list[0]["wapePercent"].number)
        try hub.command("package", "build", "back")
    }

    @Test("that cannot be taken is refused by what is in the way, and nothing is saved")
    func refusals() throws {
        let folder = try TemporaryFolder()
        let hub = try Self.stocked(folder)
        let fixtures = StockPython.root.appending(path: "Tests/ModelExchangeTests/Fixtures").path
        let whole = try Data(contentsOf: URL(filePath: fixtures + "/torch-lstm/model.onnx"))
        let half = folder.path + "/half.onnx"
        try whole.prefix(1_000).write(to: URL(filePath: half))
        let rows: [(arguments: [String], status: Int32, says: String)] = [
            (
                [fixtures + "/torch-lstm/model.onnx", "--form", "plain"], 3,
                "the network has 3 inputs a day, the form plain has 1: demand"
            ),
            ([fixtures + "/torch-rnn/model.onnx"], 3, "(RNN) has no gates"),
            (
                [fixtures + "/keras-lstm/model.onnx", "--window", "14"], 3,
                "takes no window of 14 days"
            ),
            ([half], 3, "reaches beyond the end"),
            (["/dev/zero"], 3, "at most 16777216 are read"),
            ([folder.path], 1, "cannot read"),
            ([folder.path + "/none.onnx"], 1, "cannot read"),
        ]
        for row in rows {
            let outcome = try Program(path: Binaries.hub).run(
                ["model", "import"] + row.arguments + ["--data", hub.data], expecting: row.status)
            #expect(outcome.errors.contains(row.says), "\(row.arguments): \(outcome.errors)")
        }
        try hub.command(
            "train", "--form", "plain", "--units", "2,1", "--epochs", "1", "--name", "f")
        for (arguments, says) in [
            (["f"], "say which with --variant: plain-2, plain-1"),
            (["f", "--variant", "x"], "has no variant x; it has plain-2, plain-1"),
            (["g"], "family g"),
        ] {
            let outcome = try Program(path: Binaries.hub).run(
                ["model", "export"] + arguments
                    + ["--output", folder.path + "/x.onnx", "--data", hub.data], expecting: 3)
            #expect(outcome.errors.contains(says), "\(arguments): \(outcome.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/x.onnx"))
    }
}
