import ModelExchange
import SyncProtocol
import TestSupport
import Testing

@Suite("An ONNX file")
struct DecodingTests {
    static let file: [UInt8] = {
        guard let bytes = try? ONNXCase(fixture: "torch-lstm").bytes() else { return [] }
        return bytes
    }()

    @Test("cut off anywhere is refused or still a model, and never more than that")
    func truncated() throws {
        try #require(Self.file.count > 1_000)
        var refused = 0
        for length in 0..<Self.file.count {
            do throws(ExchangeError) {
                _ = try ONNXModel(decoding: Array(Self.file[..<length]))
            } catch {
                guard case .malformed = error else {
                    Issue.record("cut at \(length): \(error)")
                    continue
                }
                refused += 1
            }
        }
        // Only between two fields of the model itself is a shorter file whole.
        #expect(refused > Self.file.count - 12)
    }

    @Test(
        "with any bytes spoiled is read, computed, imported or refused, and never more than that",
        arguments: ["torch-lstm", "keras-gru", "torch-lstm-dynamo"])
    func spoiled(name: String) throws {
        let test = ONNXCase(fixture: name)
        let file = try test.bytes()
        let windows = try test.tensors("input")
        var random = SeededGenerator(seed: 11)
        var (ran, taken) = (0, 0)
        for _ in 0..<2_000 {
            var spoiled = file
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: spoiled.indices, using: &random)
                spoiled[at] = .random(in: 0...255, using: &random)
            }
            do throws(ExchangeError) {
                let model = try ONNXModel(decoding: spoiled)
                let open = model.graph.openInputs.map(\.name)
                _ = try ONNXEvaluator(model).run(
                    Dictionary(zip(open, windows)) { first, _ in first })
                ran += 1
                _ = try NetworkImport.network(in: model)
                taken += 1
            } catch {
                #expect(!error.explanation.isEmpty)
            }
        }
        #expect(ran >= taken && taken > 50)
    }

    /// Models of one node, and what the refusal has to say.
    static let malformed: [(bytes: [UInt8], says: String)] = [
        ([], "there is no graph"),
        ([0x3A, 0x00, 0x3A, 0x00], "two graphs"),
        ([0x3A, 0x05, 0x0A, 0x00], "reaches beyond the end (in model, at byte 2)"),
        (model(node(attribute: [0x0A, 0x7F])), "(in model.graph.node[0].attribute[0]"),
        (model(initializer: [0x08, 0x02, 0x10, 0x0A]), "element type 10 is not read"),
        (model(initializer: [0x10, 0x01, 0x70, 0x01]), "external_data=False"),
        (model(initializer: [0x08, 0x02, 0x10, 0x01, 0x4A, 0x01, 0x00]), "1 bytes for 2 elements"),
        (model(initializer: [0x08, 0x02, 0x10, 0x01]), "0 values for 2 elements"),
        (
            model(initializer: [UInt8](repeating: 0x08, count: 18).interleaved(with: 0x7F)),
            "more than 8 elements"
        ),
        (
            model(initializer: [
                0x08, 0xFF, 0xFF, 0x7F, 0x08, 0xFF, 0xFF, 0x7F, 0x08, 0x00, 0x10, 0x01,
            ]),
            "negative or too large"
        ),
        (
            model(
                initializer: [0x08]
                    + [UInt8](repeating: 0xFF, count: 9) + [0x01, 0x10, 0x01]),
            "negative or too large"
        ),
        (nested(depth: 5), "more than 4 deep"),
    ]

    @Test("that is malformed is refused with the place", arguments: malformed.indices)
    func malformedRows(index: Int) throws {
        let row = Self.malformed[index]
        let error = #expect(throws: ExchangeError.self) {
            try ONNXModel(decoding: row.bytes)
        }
        #expect(error?.explanation.contains(row.says) == true, "\(error?.explanation ?? "")")
    }

    @Test("above 16 MB is refused unread")
    func tooLarge() {
        #expect(throws: ExchangeError.fileTooLarge(bytes: 16 << 20 | 1, bytesMax: 16 << 20)) {
            try ONNXModel(decoding: [UInt8](repeating: 0, count: 16 << 20 | 1))
        }
    }

    static func message(_ field: UInt8, _ body: [UInt8]) -> [UInt8] {
        var writer = WireWriter()
        writer.bytes(Int(field), body.isEmpty ? [] : body)
        return body.isEmpty ? [field << 3 | 2, 0] : writer.bytes
    }

    static func model(_ graph: [UInt8]) -> [UInt8] { message(7, graph) }
    static func model(initializer: [UInt8]) -> [UInt8] { model(message(5, initializer)) }
    static func node(attribute: [UInt8]) -> [UInt8] { message(1, message(5, attribute)) }

    /// Graphs in attributes of nodes of graphs.
    static func nested(depth: Int) -> [UInt8] {
        var graph: [UInt8] = []
        for _ in 1..<depth { graph = node(attribute: message(6, graph)) }
        return model(graph)
    }
}

extension [UInt8] {
    fileprivate func interleaved(with byte: UInt8) -> [UInt8] { flatMap { [$0, byte] } }
}
