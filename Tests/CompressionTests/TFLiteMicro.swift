import Forecasting
import Foundation
import Kernels
import TestSupport
import Testing

/// TFLite Micro's INT8 LSTM on networks of ours, driven through `Tests/Stock/tflm_lstm.py`.
enum TFLiteMicro {
    static let isThere: Bool = {
        guard let path = StockPython.path else { return false }
        // What does not start is not there.
        let process = try? ChildProcess(
            path, ["-c", "from tflite_micro.python.tflite_micro import runtime"])
        return process?.wait().status == 0
    }()

    static let missing: Comment =
        "no Python with tflite-micro (it has wheels for Linux on x86-64): make test makes .venv, or name one in SHELFCAST_PYTHON"

    /// A network whose gates have one multiplier each, and the windows it is to run on.
    struct Job {
        var network: IntegerNetwork
        /// `[N][T · I]` quantised, of one length. Each starts from nothing.
        var windows: [[Int8]]

        var steps: Int { windows[0].count / network.shape.inputWidth }
    }

    /// After every step, the windows one after the other.
    struct States {
        /// `[N · T · H]`
        var hidden: [Int8]
        /// `[N · T · H]`
        var cell: [Int16]
    }

    static func states(_ jobs: [Job]) async throws -> [States] {
        let lines = try jobs.map { job in
            String(decoding: try JSONEncoder().encode(Description(job)), as: UTF8.self) + "\n"
        }
        let answers = try await answers(["run"], input: lines.joined())
        try #require(answers.count == jobs.count)
        return try zip(answers, jobs).map { answer, job in
            let parts = answer.split(separator: " ")
            let states = States(
                hidden: try integers(parts[0], Int8.self), cell: try integers(parts[1], Int16.self))
            let count = job.windows.count * job.steps * job.network.shape.units
            try #require(states.hidden.count == count && states.cell.count == count)
            return states
        }
    }

    /// Of every Int16 from -32768 up: sigmoid, tanh, and for 8, 9 ... 14 fraction bits tanh of a cell state.
    static func activations() async throws -> [[Int16]] {
        try await answers(["activations"]).map { try integers($0, Int16.self) }
    }

    private static func answers(_ arguments: [String], input: String = "") async throws
        -> [Substring]
    {
        let process = try StockPython.start("tflm_lstm.py", arguments, input: .text(input))
        let end = await process.untilEnd(secondsMax: 300)
        let complaint = try process.errors()
        try #require(end.status == 0, "\(complaint)")
        return try process.output().split(separator: "\n")
    }

    /// What the script reads.
    private struct Description: Encodable {
        var inputWidth: Int
        var units: Int
        var steps: Int
        var cellFractionBits: Int
        var hiddenFractionBits: Int
        var inputMultipliers: [UInt16]
        var recurrentMultipliers: [UInt16]
        var inputKernel: Data
        var recurrentKernel: Data
        var bias: Data
        var inputs: Data

        init(_ job: Job) throws {
            let network = job.network
            inputWidth = network.shape.inputWidth
            units = network.shape.units
            steps = job.steps
            cellFractionBits = network.cellFractionBits
            hiddenFractionBits = network.hiddenFractionBits
            let units = units
            func ofGates(_ multipliers: [RowMultiplier]) throws -> [UInt16] {
                try stride(from: 0, to: 4 * units, by: units).map { first in
                    let codes = multipliers[first..<first + units].map(\.code)
                    try #require(codes.allSatisfy { $0 == codes[0] }, "a scale for each row")
                    return codes[0]
                }
            }
            inputMultipliers = try ofGates(network.inputMultipliers)
            recurrentMultipliers = try ofGates(network.recurrentMultipliers)
            inputKernel = Self.bytes(network.inputKernel)
            recurrentKernel = Self.bytes(network.recurrentKernel)
            bias = Self.bytes(network.bias)
            inputs = Self.bytes(job.windows.flatMap { $0 })
        }

        private static func bytes<Number: FixedWidthInteger>(_ numbers: [Number]) -> Data {
            numbers.map(\.littleEndian).withUnsafeBytes { Data($0) }
        }
    }

    private static func integers<Number: FixedWidthInteger>(
        _ text: Substring, _: Number.Type
    ) throws -> [Number] {
        let data = try #require(Data(base64Encoded: String(text)))
        return data.withUnsafeBytes { bytes in
            bytes.bindMemory(to: Number.self).map(Number.init(littleEndian:))
        }
    }
}
