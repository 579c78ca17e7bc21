import Foundation

/// Programs that do the same as the engine, measured between its rounds: not part of the project, found through PEERS.
struct EnginePeers {
    enum Peer: String, CaseIterable {
        /// The least that int8 products and an LSTM's gates take on this CPU.
        case floor
        case onnxRuntime
        case onnxRuntimeBatch50
        case tfliteMicro
    }

    private var commands: [Peer: (path: String, arguments: [String])] = [:]
    private(set) var microseconds: [Peer: [Double]] = [:]
    /// Why a peer is not measured.
    private(set) var missing: [Peer: String] = [:]

    init() {
        let environment = ProcessInfo.processInfo.environment
        let folder = environment["PEERS"] ?? "../shared/peers"
        let python = environment["SHELFCAST_PYTHON"] ?? ".venv/bin/python3"
        func isThere(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

        let source = "\(folder)/floor_lstm_int8.c"
        if !isThere(source) {
            missing[.floor] = "no file at \(source) (set PEERS)"
        } else {
            do {
                let program = try Program.temporaryFolder() + "/floor"
                _ = try Program.run(
                    "cc", ["-O3", "-march=native", "-DH=64", source, "-o", program, "-lm"])
                commands[.floor] = (program, [])
            } catch {
                missing[.floor] = "it does not compile for this CPU: \(error)"
            }
        }
        let script = "\(folder)/onnxruntime_lstm.py"
        for (peer, batch) in [(Peer.onnxRuntime, "1"), (.onnxRuntimeBatch50, "50")] {
            if !isThere(script) {
                missing[peer] = "no file at \(script) (set PEERS)"
            } else {
                commands[peer] = (python, [script, "64", batch])
            }
        }
        commands[.tfliteMicro] = (python, ["Tests/Stock/tflm_lstm.py", "measure", "64"])
    }

    /// Runs each peer once more. One that fails is not tried again.
    mutating func measure() {
        for peer in Peer.allCases {
            guard let command = commands[peer] else { continue }
            do {
                let output = try Program.run(command.path, command.arguments).output
                guard let figure = Self.figure(of: peer, in: output) else {
                    throw Program.Failure(description: "no figure in what it printed")
                }
                microseconds[peer, default: []].append(figure)
            } catch {
                commands[peer] = nil
                microseconds[peer] = nil
                missing[peer] = "\(error) (a Python without it? make .venv/complete)"
            }
        }
    }

    /// The median of what all runs print.
    func median(_ peer: Peer) -> Double? {
        guard let figures = microseconds[peer] else { return nil }
        return figures.sorted()[figures.count / 2]
    }

    private static func figure(of peer: Peer, in output: String) -> Double? {
        let lines = output.split(separator: "\n")
        switch peer {
        case .floor:
            // The least of those that compute the whole cell in vectors.
            return lines.filter { $0.contains("rational") }.compactMap { number(after: "p50", $0) }
                .min()
        case .onnxRuntime, .onnxRuntimeBatch50:
            return lines.first { $0.contains("int8") }.flatMap { number(after: "median", $0) }
        case .tfliteMicro:
            // The least of rounds: they are so long that others take the core from every second one.
            return lines.first { $0.hasPrefix("LSTM-64") }.flatMap { number(after: "bytes,", $0) }
        }
    }

    private static func number(after word: String, _ line: Substring) -> Double? {
        let words = line.split(separator: " ")
        guard let at = words.firstIndex(where: { $0 == word }), at + 1 < words.count else {
            return nil
        }
        return Double(words[at + 1])
    }
}
