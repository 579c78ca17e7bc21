import Foundation
import ModelExchange
import TestSupport
import Testing

/// The Python with the stock ONNX implementations, driven through `Tests/Stock/onnx_cases.py`.
enum StockONNX {
    static let isThere: Bool = {
        guard let path = StockPython.path else { return false }
        // What does not start is not there.
        let process = try? ChildProcess(path, ["-c", "import onnx, onnxruntime"])
        return process?.wait().status == 0
    }()

    static let missing: Comment =
        "no Python with onnx and onnxruntime: make test makes .venv, or name one in SHELFCAST_PYTHON"

    static func run(_ arguments: [String], input: String = "") async throws -> String {
        let process = try StockPython.start("onnx_cases.py", arguments, input: .text(input))
        let end = await process.untilEnd()
        let complaint = try process.errors()
        try #require(end.status == 0, "\(complaint)")
        return try process.output()
    }
}

/// A model with inputs and the outputs it has to give: a folder as the onnx package lays out its node tests.
struct ONNXCase {
    let folder: String

    init(folder: String) { self.folder = folder }

    /// One of the committed graphs of real exporters.
    init(fixture: String) {
        folder =
            StockPython.root.appending(path: "Tests/ModelExchangeTests/Fixtures/\(fixture)").path
    }

    func bytes() throws -> [UInt8] { try Self.bytes(folder + "/model.onnx") }

    var name: String { String(folder.split(separator: "/").last ?? "") }

    func model() throws -> ONNXModel {
        try ONNXModel(decoding: bytes())
    }

    /// In the order of the graph's open inputs or of its outputs.
    func tensors(_ kind: String) throws -> [Tensor] {
        var tensors: [Tensor] = []
        while true {
            let path = "\(folder)/test_data_set_0/\(kind)_\(tensors.count).pb"
            guard FileManager.default.fileExists(atPath: path) else { return tensors }
            tensors.append(try Tensor.decode(file: Self.bytes(path)).tensor)
        }
    }

    /// What the evaluator gives for the case's inputs, in the order of the graph's outputs.
    func evaluated(_ model: ONNXModel) throws -> [Tensor] {
        let open = model.graph.openInputs
        let inputs = try tensors("input")
        try #require(inputs.count == open.count, "\(folder)")
        let values = try ONNXEvaluator(model).run(
            Dictionary(uniqueKeysWithValues: zip(open.map(\.name), inputs)))
        return try model.graph.outputs.map { try #require(values[$0.name]) }
    }

    /// Holds the evaluator to the case's outputs.
    func check(tolerance: Float = 1e-5) throws {
        let results = try evaluated(try model())
        let expected = try tensors("output")
        try #require(!expected.isEmpty && results.count == expected.count, "\(folder)")
        for (result, wanted) in zip(results, expected) {
            #expect(result.shape == wanted.shape, "\(folder)")
            switch (result.elements, wanted.elements) {
            case (.floats(let x), .floats(let y)):
                #expect(
                    zip(x, y).allSatisfy { Self.isClose($0, $1, tolerance) },
                    "\(folder): \(x), \(y)")
            default: #expect(result == wanted, "\(folder)")
            }
        }
    }

    static func isClose(_ x: Float, _ y: Float, _ tolerance: Float) -> Bool {
        x == y || abs(x - y) <= tolerance * (1 + abs(y)) || x.isNaN && y.isNaN
    }

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path)))
    }
}
