import Foundation
import ModelExchange
import TestSupport
import Testing

@Suite("The ONNX evaluator", .enabled(if: StockONNX.isThere, StockONNX.missing))
struct EvaluatorTests {
    @Test("computes every node test of the onnx package whose operators it knows")
    func nodeTests() async throws {
        let known = Set(ONNXEvaluator.operators)
        let recurrent: Set = ["LSTM", "GRU", "RNN"]
        var ran = 0
        var ranRecurrent: [String] = []
        /// By reason.
        var left: [String: [String]] = [:]
        for line in try await StockONNX.run(["nodes"]).split(separator: "\n") {
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            let operators = Set(parts[1].split(separator: " ").map(String.init))
            let test = ONNXCase(folder: String(parts[0]))
            let isRecurrent = !operators.isDisjoint(with: recurrent)
            guard operators.isSubset(of: known) else {
                let unknown = operators.subtracting(known).sorted().joined(separator: " ")
                if isRecurrent { left["operators \(unknown)", default: []].append(test.name) }
                continue
            }
            do {
                _ = try test.evaluated(try test.model())
            } catch ExchangeError.notRead(_, let what) where !isRecurrent {
                left[what, default: []].append(test.name)
                continue
            } catch let error as ExchangeError where !isRecurrent {
                left[error.explanation, default: []].append(test.name)
                continue
            }
            try test.check()
            ran += 1
            if isRecurrent { ranRecurrent.append(test.name) }
        }
        print("ONNX node tests: \(ran) ran, of LSTM, GRU and RNN: \(ranRecurrent.count)")
        print(
            "left out of those whose operators are known: \(left.values.reduce(0) { $0 + $1.count })"
        )
        for (reason, names) in left.sorted(by: { $0.key < $1.key }) {
            print("  \(reason): \(names.joined(separator: " "))")
        }
        #expect(ran > 150)
        #expect(ranRecurrent.count == 12)
        #expect(
            left.keys.allSatisfy {
                $0.contains("element type") || $0 == "only tensors are read"
                    || $0.contains("(Dropout)")
            },
            "a node test fails that should not: \(left.keys)")
    }

    @Test(
        "computes recurrent layers of random weights and options as ONNX Runtime does",
        arguments: [1, 2, 3])
    func randomLayers(seed: Int) async throws {
        let folder = try TemporaryFolder()
        _ = try await StockONNX.run(["random", folder.path, "\(seed)", "200"])
        let cases = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(cases.count == 200)
        for name in cases { try ONNXCase(folder: "\(folder.path)/\(name)").check(tolerance: 2e-5) }
    }
}

@Suite("An exported graph")
struct ExportedGraphTests {
    @Test(
        "gives in the evaluator what the framework it came from gave",
        arguments: try FileManager.default.contentsOfDirectory(
            atPath: ONNXCase(fixture: "").folder
        ).filter { !$0.hasSuffix(".md") }.sorted())
    func exported(name: String) throws {
        try ONNXCase(fixture: name).check()
    }
}
