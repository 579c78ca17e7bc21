import Foundation

/// The engine's figures beside its aims and its peers.
struct EngineTable {
    let peers: EnginePeers
    /// By their names in the report.
    var values: [String: Double] = [:]

    init(peers: EnginePeers) { self.peers = peers }

    func print() {
        Swift.print()
        row("microseconds, or what is said", "ours", "beside it", "ratio", "aim", "")
        let floor = EnginePeers.Peer.floor
        atMost("LSTM-64, one forecast", "engine.lstm64.single.us", 1.35, floor, "floor")
        faster("", "engine.lstm64.single.us", 3.2, .onnxRuntime, "ONNX Runtime INT8")
        faster("", "engine.lstm64.single.us", 17, .tfliteMicro, "TFLite Micro")
        atMost("  with AVX2", "engine.lstm64.single.avx2.us", 1.35, floor, "floor")
        faster(
            "LSTM-64, of 50", "engine.lstm64.batch50.us", 1.6, .onnxRuntimeBatch50,
            "ONNX Runtime INT8")
        atMost("  with AVX2", "engine.lstm64.batch50.avx2.us", 4.5)
        atMost("LSTM-32, one forecast", "engine.lstm32.single.us", 2.3)
        atMost("calendar, 4 units, one forecast", "engine.calendar4.single.us", 0.6)
        atMost("  10,000 series in a call, ms", "engine.series10k.ms", 12)
        atMost("LSTM-64, load and prove", "engine.loadAndProve.us", 1000)
        atMost("LSTM-64, arena bytes", "engine.lstm64.arenaBytes", 20_480)
        if let file = values["engine.lstm64.tiles.fileBytes"],
            let arena = values["engine.lstm64.tiles.arenaBytes"]
        {
            atMost("  as tiles, file and arena", file + arena, 24_576)
        }
        atMost("profile, 2 units, arena bytes", "engine.profile2.arenaBytes", 1024)
        for (all, kernels, what) in [
            ("engine.lstm64.single.us", "engine.lstm64.kernels.us", "LSTM-64"),
            ("engine.lstm32.single.us", "engine.lstm32.kernels.us", "LSTM-32"),
            ("engine.calendar4.single.us", "engine.calendar4.kernels.us", "calendar, 4 units"),
        ] {
            guard let all = values[all], let kernels = values[kernels] else { continue }
            row(
                "\(what): kernels alone", text(kernels), "features \(text(all - kernels))", "", "",
                "")
        }
    }

    private func atMost(_ what: String, _ name: String, _ limit: Double) {
        guard let value = values[name] else { return }
        atMost(what, value, limit)
    }

    private func atMost(_ what: String, _ value: Double, _ limit: Double) {
        row(what, text(value), "", "", "<= \(text(limit))", value <= limit ? "met" : "missed")
    }

    /// `name`'s value is at most so many times the peer's.
    private func atMost(
        _ what: String, _ name: String, _ times: Double, _ peer: EnginePeers.Peer,
        _ peerName: String
    ) {
        guard let value = values[name] else { return }
        guard let theirs = peers.median(peer) else { return absent(what, value, peer, peerName) }
        row(
            what, text(value), "\(peerName) \(text(theirs))", text(value / theirs),
            "<= \(text(times))", value <= theirs * times ? "met" : "missed")
    }

    /// The peer takes at least so many times `name`'s value.
    private func faster(
        _ what: String, _ name: String, _ times: Double, _ peer: EnginePeers.Peer,
        _ peerName: String
    ) {
        guard let value = values[name] else { return }
        guard let theirs = peers.median(peer) else { return absent(what, value, peer, peerName) }
        row(
            what, text(value), "\(peerName) \(text(theirs))", text(theirs / value),
            ">= \(text(times))", value * times <= theirs ? "met" : "missed")
    }

    private func absent(
        _ what: String, _ value: Double, _ peer: EnginePeers.Peer, _ peerName: String
    ) {
        row(what, text(value), "\(peerName): not measured", "", "", "")
    }

    private func text(_ value: Double) -> String {
        value < 1000 ? String(format: "%.2f", value) : String(format: "%.0f", value)
    }

    private func row(_ columns: String...) {
        let widths = [34, 10, 28, 8, 10, 8]
        let line = zip(columns, widths).map {
            $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0)
        }
        Swift.print("  " + line.joined(separator: " "))
    }
}
