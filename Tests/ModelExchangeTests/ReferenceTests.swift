import Forecasting
import Foundation
import ModelExchange
import TestSupport
import Testing

/// `RecurrentReference` is what the trainer, and through the float network the integers, are held against. Here it is
/// held against what others compute, its gates and biases put in order by hand.
@Suite("The reference network beside ONNX", .enabled(if: StockONNX.isThere, StockONNX.missing))
struct ReferenceTests {
    @Test("gives what the node tests of the onnx package give, where a cell of ours computes it")
    func nodeTests() async throws {
        var held: [String] = []
        for line in try await StockONNX.run(["nodes"]).split(separator: "\n") {
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard ["LSTM", "GRU"].contains(parts[1]) else { continue }
            let test = ONNXCase(folder: String(parts[0]))
            guard let layer = try PlainLayer(test) else { continue }
            try layer.check()
            held.append(test.name)
        }
        // The others: peepholes, and a GRU of two steps that resets before its recurrent product.
        #expect(
            held == [
                "test_gru_batchwise", "test_gru_defaults", "test_gru_with_initial_bias",
                "test_lstm_batchwise", "test_lstm_defaults", "test_lstm_with_initial_bias",
            ])
    }

    /// The node tests have one step and equal weights in all gates. These have neither.
    @Test("gives what ONNX Runtime gives for random weights, after every step")
    func randomLayers() async throws {
        let folder = try TemporaryFolder()
        _ = try await StockONNX.run(["plain", folder.path, "4", "100"])
        let cases = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(cases.count == 100)
        for name in cases {
            let layer = try PlainLayer(ONNXCase(folder: "\(folder.path)/\(name)"))
            try #require(layer, "\(name)").check()
        }
    }
}

/// A graph of one LSTM or GRU node that a cell of ours computes, its inputs and the states it has to give.
struct PlainLayer {
    private let name: String
    private let shape: NetworkShape
    /// In the order of `NetworkShape`, the dense layer 0.
    private let parameters: [Double]
    /// `[batch][T · I]`
    private let windows: [[Double]]
    /// `[batch][T][H]`; empty where the graph does not give them.
    private let states: [[[Float]]]
    /// `[batch][H]`
    private let lastStates: [[Float]]

    /// - Returns: nil for a layer with options that no cell of ours has.
    init?(_ test: ONNXCase) throws {
        let graph = try test.model().graph
        let node = try #require(graph.nodes.first)
        var attributes: [String: Int64] = [:]
        for attribute in node.attributes {
            guard case .integer(let value) = attribute.value else { return nil }
            attributes[attribute.name] = value
        }
        guard Set(attributes.keys).isSubset(of: ["hidden_size", "layout", "linear_before_reset"]),
            graph.nodes.count == 1, node.inputs.dropFirst(4).allSatisfy(\.isEmpty)
        else { return nil }

        let inputs = Dictionary(
            uniqueKeysWithValues: zip(graph.openInputs.map(\.name), try test.tensors("input")))
        func input(_ index: Int) throws -> Tensor { try #require(inputs[node.inputs[index]]) }
        func numbers(_ index: Int) throws -> [Double] {
            try #require(try input(index).floats).map(Double.init)
        }
        let isBatchFirst = attributes["layout"] == 1
        let x = try input(0).shape
        let (batch, steps) = isBatchFirst ? (x[0], x[1]) : (x[1], x[0])
        let isLSTM = node.operation == "LSTM"
        let (H, I) = (Int(try #require(attributes["hidden_size"])), x[2])
        name = test.name
        shape = NetworkShape(cell: isLSTM ? .lstm : .gru, inputWidth: I, units: H)

        // i o f c becomes i f c o; z r h is ours.
        let order = isLSTM ? [0, 2, 3, 1] : [0, 1, 2]
        func blocks(_ numbers: [Double], of count: Int) -> [Double] {
            order.flatMap { numbers[$0 * count..<($0 + 1) * count] }
        }
        let hasBias = node.inputs.count > 3 && !node.inputs[3].isEmpty
        let rows = shape.kernelRows
        let bias = hasBias ? try numbers(3) : [Double](repeating: 0, count: 2 * rows)
        let (ofInput, ofState) = (
            blocks(Array(bias[..<rows]), of: H), blocks(Array(bias[rows...]), of: H)
        )
        var flat = blocks(try numbers(1), of: H * I) + blocks(try numbers(2), of: H * H)
        if isLSTM {
            flat += zip(ofInput, ofState).map(+)
        } else {
            // Reset after the recurrent product is ours. In one step from nothing there is no product: only its bias
            // would differ.
            let candidate = ofState[(2 * H)...]
            guard
                attributes["linear_before_reset"] == 1
                    || steps == 1 && candidate.allSatisfy({ $0 == 0 })
            else { return nil }
            flat += zip(ofInput, ofState).prefix(2 * H).map(+) + ofInput[(2 * H)...] + candidate
        }
        parameters = flat + [Double](repeating: 0, count: H + 1)

        let values = try numbers(0)
        windows = (0..<batch).map { b in
            (0..<steps).flatMap { t in
                let row = isBatchFirst ? b * steps + t : t * batch + b
                return values[row * I..<(row + 1) * I]
            }
        }
        let outputs = Dictionary(
            uniqueKeysWithValues: zip(graph.outputs.map(\.name), try test.tensors("output")))
        func output(_ index: Int) -> [Float]? {
            index < node.outputs.count ? outputs[node.outputs[index]]?.floats : nil
        }
        // One direction, so that its axis is of no matter.
        let last = try #require(output(1))
        lastStates = (0..<batch).map { Array(last[$0 * H..<($0 + 1) * H]) }
        let all = output(0)
        states = (0..<(all == nil ? 0 : batch)).map { b in
            (0..<steps).map { t in
                let row = isBatchFirst ? b * steps + t : t * batch + b
                return Array(all![row * H..<(row + 1) * H])
            }
        }
    }

    func check() throws {
        let reference = RecurrentReference(shape: shape)
        for (b, window) in windows.enumerated() {
            func expect(_ wanted: [Float], after steps: Int) {
                let values = Array(window[..<(steps * shape.inputWidth)])
                let trace = reference.forward(parameters: parameters, window: values)
                let worst = zip(trace.lastHidden, wanted).map { abs($0 - Double($1)) }.max() ?? 1
                #expect(worst < 2e-6, "\(name), series \(b), step \(steps)")
            }
            expect(lastStates[b], after: window.count / shape.inputWidth)
            guard !states.isEmpty else { continue }
            for (t, state) in states[b].enumerated() { expect(state, after: t + 1) }
        }
    }
}
