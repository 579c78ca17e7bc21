import SyncProtocol

extension ONNXModel {
    /// The bytes of the file.
    package func encoded() -> [UInt8] {
        var writer = WireWriter()
        writer.int64(1, irVersion)
        writer.string(2, producer)
        writer.string(3, producerVersion)
        writer.string(6, documentation)
        writer.message(7) { graph.encode(to: &$0) }
        writer.message(8) { inner in
            // The default domain is the empty text.
            inner.int64(2, operatorSet)
        }
        for entry in metadata {
            writer.message(14) { inner in
                inner.string(1, entry.key)
                inner.string(2, entry.value)
            }
        }
        return writer.bytes
    }
}

extension ONNXGraph {
    fileprivate func encode(to writer: inout WireWriter) {
        for node in nodes { writer.message(1) { node.encode(to: &$0) } }
        writer.string(2, name)
        for initializer in initializers {
            writer.message(5) { initializer.tensor.encode(name: initializer.name, to: &$0) }
        }
        writer.string(10, documentation)
        for value in inputs { writer.message(11) { value.encode(to: &$0) } }
        for value in outputs { writer.message(12) { value.encode(to: &$0) } }
    }
}

extension ONNXNode {
    fileprivate func encode(to writer: inout WireWriter) {
        writer.repeated(1, inputs)
        writer.repeated(2, outputs)
        writer.string(3, name)
        writer.string(4, operation)
        for attribute in attributes { writer.message(5) { attribute.encode(to: &$0) } }
        writer.string(7, domain)
    }
}

extension ONNXAttribute {
    /// - Precondition: of the kinds a graph of ours has.
    fileprivate func encode(to writer: inout WireWriter) {
        writer.string(1, name)
        switch value {
        case .float(let value):
            writer.float(2, value)
            writer.int64(20, 1)
        case .integer(let value):
            writer.int64(3, value)
            writer.int64(20, 2)
        case .text(let value):
            writer.bytes(4, value)
            writer.int64(20, 3)
        case .tensor(let value):
            writer.message(5) { value.encode(name: "", to: &$0) }
            writer.int64(20, 4)
        case .integers(let values):
            writer.repeated(8, values)
            writer.int64(20, 7)
        case .graph, .floats, .texts, .other: preconditionFailure("written by no graph of ours")
        }
    }
}

extension ONNXValue {
    fileprivate func encode(to writer: inout WireWriter) {
        writer.string(1, name)
        writer.message(2) { type in
            type.message(1) { tensor in
                tensor.int64(1, self.type.rawValue)
                guard let shape else { return }
                tensor.message(2) { writer in
                    for dimension in shape {
                        writer.message(1) { inner in
                            switch dimension {
                            case .fixed(let size): inner.int64(1, Int64(size))
                            case .named(let name): inner.string(2, name)
                            }
                        }
                    }
                }
            }
        }
        writer.string(3, documentation)
    }
}

extension Tensor {
    /// Floats as float, integers as int64, in `raw_data`.
    fileprivate func encode(name: String, to writer: inout WireWriter) {
        writer.repeated(1, shape.map { Int64($0) })
        var raw: [UInt8] = []
        func append(_ bits: UInt64, bytes: Int) {
            for k in 0..<bytes { raw.append(UInt8(truncatingIfNeeded: bits >> (8 * UInt64(k)))) }
        }
        switch elements {
        case .floats(let values):
            writer.int64(2, ONNXType.float.rawValue)
            for value in values { append(UInt64(value.bitPattern), bytes: 4) }
        case .integers(let values):
            writer.int64(2, ONNXType.int64.rawValue)
            for value in values { append(UInt64(bitPattern: value), bytes: 8) }
        }
        writer.string(8, name)
        writer.bytes(9, raw)
    }
}
