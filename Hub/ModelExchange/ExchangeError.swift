/// Why a file is not taken, or a graph not run. Texts that come from the file are made fit to print.
package enum ExchangeError: Error, Equatable, Sendable {
    case fileTooLarge(bytes: Int, bytesMax: Int)
    /// The bytes are no ONNX model. `place` is a path from the model, such as `graph.node[3].attribute[0]`;
    /// `byte` is counted from the file's first.
    case malformed(place: String, byte: Int, reason: String)
    /// Good ONNX, of a kind that is not read.
    case notRead(place: String, what: String)
    /// The operator set of the default domain is not one we know.
    case operatorSet(version: Int64, known: ClosedRange<Int64>)
    case operatorUnsupported(node: String, name: String)
    /// A node cannot be computed from what it is given.
    case node(String, name: String, reason: String)
    /// What the caller gives the graph is not what it asks for.
    case input(String, reason: String)
    /// Computing the graph would take more than `what` allows.
    case tooMuchWork(node: String, what: String)
    /// A good graph that none of our networks can stand for: what is in the way, and what to do.
    case notOurs(reason: String, advice: String)

    package var explanation: String {
        switch self {
        case .fileTooLarge(let bytes, let bytesMax):
            "the file has \(bytes) bytes; at most \(bytesMax) are read"
        case .malformed(let place, let byte, let reason):
            "this is no ONNX model, or a damaged one: \(reason) (in \(place), at byte \(byte))"
        case .notRead(let place, let what): "\(what) (\(place))"
        case .operatorSet(let version, let known):
            "the graph uses operator set \(version); \(known.lowerBound) to \(known.upperBound) are "
                + "known: export it with opset_version=17"
        case .operatorUnsupported(let node, let name):
            "node \(node) uses the operator \(name), which is not supported"
        case .node(let node, let name, let reason): "node \(node) (\(name)): \(reason)"
        case .input(let name, let reason): "input \(name) of the graph: \(reason)"
        case .tooMuchWork(let node, let what): "node \(node) asks for more than \(what)"
        case .notOurs(let reason, let advice): "\(reason); \(advice)"
        }
    }
}

extension String {
    /// A name from a file, fit to print: 80 characters at most, nothing a terminal would obey.
    var printable: String {
        var text = ""
        for scalar in unicodeScalars.prefix(80) {
            text.unicodeScalars.append(
                scalar.properties.generalCategory == .control
                    || scalar.properties.generalCategory == .format ? "?" : scalar)
        }
        return unicodeScalars.count > 80 ? text + "..." : text
    }
}
