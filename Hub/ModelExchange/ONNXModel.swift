/// As much of an ONNX model (onnx.proto of ONNX 1.22, the specification of the file format) as forecasters need.
package struct ONNXModel: Equatable, Sendable {
    package static let fileBytesMax = 16 << 20
    package static let nameBytesMax = 1_024
    package static let documentationBytesMax = 65_536
    package static let nodesMax = 16_384
    package static let listMax = 4_096
    package static let attributesMax = 64
    /// Graphs inside graphs.
    package static let depthMax = 4
    /// Of the default domain. Below 7 broadcasting was another; a later set may mean something else.
    package static let operatorSets: ClosedRange<Int64> = 7...27

    package var irVersion: Int64 = 0
    package var producer = ""
    package var producerVersion = ""
    package var documentation = ""
    /// Of the default domain; 0: none was named.
    package var operatorSet: Int64 = 0
    package var metadata: [Entry] = []
    package var graph = ONNXGraph()

    package struct Entry: Equatable, Sendable {
        package var key: String
        package var value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    package init() {}
}

package struct ONNXGraph: Equatable, Sendable {
    package var name = ""
    package var documentation = ""
    package var nodes: [ONNXNode] = []
    package var initializers: [NamedTensor] = []
    /// Older exporters name the initializers here too.
    package var inputs: [ONNXValue] = []
    package var outputs: [ONNXValue] = []

    package struct NamedTensor: Equatable, Sendable {
        package var name: String
        package var tensor: Tensor

        package init(name: String, tensor: Tensor) {
            self.name = name
            self.tensor = tensor
        }
    }

    package init() {}

    /// The inputs a caller has to give.
    package var openInputs: [ONNXValue] {
        let given = Set(initializers.map(\.name))
        return inputs.filter { !given.contains($0.name) }
    }
}

/// A named input or output.
package struct ONNXValue: Equatable, Sendable {
    package enum Dimension: Equatable, Sendable {
        case fixed(Int)
        /// Any size, the same wherever the name is; empty: nothing is said.
        case named(String)
    }

    package var name = ""
    package var type = ONNXType.float
    /// Nil: nothing is said of its shape.
    package var shape: [Dimension]?
    package var documentation = ""

    package init() {}
}

/// The element types that are read: TensorProto.DataType.
package enum ONNXType: Int64, Sendable {
    case float = 1
    case int32 = 6
    case int64 = 7
    case bool = 9
    case double = 11

    var isFloat: Bool { self == .float || self == .double }
}

package struct ONNXNode: Equatable, Sendable {
    package var name = ""
    package var operation = ""
    /// Empty is the default domain.
    package var domain = ""
    /// An empty name is an optional input left out.
    package var inputs: [String] = []
    package var outputs: [String] = []
    package var attributes: [ONNXAttribute] = []

    package init() {}

    /// For messages: its name, or what it makes.
    package var label: String {
        name.isEmpty
            ? "that makes '\((outputs.first { !$0.isEmpty } ?? "nothing").printable)'"
            : "'\(name.printable)'"
    }
}

package struct ONNXAttribute: Equatable, Sendable {
    package indirect enum Value: Equatable, Sendable {
        case float(Float)
        case integer(Int64)
        case text([UInt8])
        case tensor(Tensor)
        case graph(ONNXGraph)
        case floats([Float])
        case integers([Int64])
        case texts([[UInt8]])
        /// Of a kind no operator of ours has.
        case other
    }

    package var name: String
    package var value: Value

    package init(name: String, value: Value) {
        self.name = name
        self.value = value
    }
}
