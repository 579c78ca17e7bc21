extension ONNXModel {
    /// The model in these bytes. What forecasters have no use for is passed over.
    package init(decoding file: [UInt8]) throws(ExchangeError) {
        guard file.count <= Self.fileBytesMax else {
            throw .fileTooLarge(bytes: file.count, bytesMax: Self.fileBytesMax)
        }
        var reader = ONNXReader(file: file)
        var hasGraph = false
        while let field = try reader.next() {
            switch field {
            case 1: irVersion = try reader.integer()
            case 2: producer = try reader.text()
            case 3: producerVersion = try reader.text()
            case 6: documentation = try reader.text(bytesMax: Self.documentationBytesMax)
            case 7:
                // Two would be merged by protobuf; no exporter writes two.
                guard !hasGraph else { throw reader.malformed("there are two graphs") }
                hasGraph = true
                var inner = try reader.inner("graph")
                graph = try ONNXGraph(&inner, depth: 1)
            case 8:
                var inner = try reader.inner("opset_import")
                let (domain, version) = try Self.operatorSet(&inner)
                if domain.isEmpty || domain == "ai.onnx" { operatorSet = version }
            case 14:
                var inner = try reader.element("metadata_props", metadata.count, countMax: listMax)
                metadata.append(try Self.entry(&inner))
            default: try reader.skip()
            }
        }
        guard hasGraph else { throw reader.malformed("there is no graph") }
    }

    private var listMax: Int { Self.listMax }

    package func metadata(_ key: String) -> String? {
        metadata.first { $0.key == key }?.value
    }

    private static func operatorSet(
        _ reader: inout ONNXReader
    ) throws(ExchangeError) -> (domain: String, version: Int64) {
        var result = (domain: "", version: Int64(0))
        while let field = try reader.next() {
            switch field {
            case 1: result.domain = try reader.text()
            case 2: result.version = try reader.integer()
            default: try reader.skip()
            }
        }
        return result
    }

    private static func entry(_ reader: inout ONNXReader) throws(ExchangeError) -> Entry {
        var entry = Entry(key: "", value: "")
        while let field = try reader.next() {
            switch field {
            case 1: entry.key = try reader.text()
            case 2: entry.value = try reader.text(bytesMax: documentationBytesMax)
            default: try reader.skip()
            }
        }
        return entry
    }
}

extension ONNXGraph {
    init(_ reader: inout ONNXReader, depth: Int) throws(ExchangeError) {
        guard depth <= ONNXModel.depthMax else {
            throw reader.malformed("graphs lie more than \(ONNXModel.depthMax) deep in one another")
        }
        while let field = try reader.next() {
            switch field {
            case 1:
                var inner = try reader.element(
                    "node", nodes.count, countMax: ONNXModel.nodesMax)
                nodes.append(try ONNXNode(&inner, depth: depth))
            case 2: name = try reader.text()
            case 5:
                var inner = try reader.element(
                    "initializer", initializers.count, countMax: ONNXModel.listMax)
                let (name, tensor) = try Tensor.decode(&inner)
                initializers.append(NamedTensor(name: name, tensor: tensor))
            case 10: documentation = try reader.text(bytesMax: ONNXModel.documentationBytesMax)
            case 11:
                var inner = try reader.element(
                    "input", inputs.count, countMax: ONNXModel.listMax)
                inputs.append(try ONNXValue(&inner))
            case 12:
                var inner = try reader.element(
                    "output", outputs.count, countMax: ONNXModel.listMax)
                outputs.append(try ONNXValue(&inner))
            case 15: throw reader.notRead("sparse initializers are not read")
            default: try reader.skip()
            }
        }
    }
}

extension ONNXNode {
    init(_ reader: inout ONNXReader, depth: Int) throws(ExchangeError) {
        while let field = try reader.next() {
            switch field {
            case 1: try reader.append(to: &inputs, countMax: ONNXModel.listMax)
            case 2: try reader.append(to: &outputs, countMax: ONNXModel.listMax)
            case 3: name = try reader.text()
            case 4: operation = try reader.text()
            case 5:
                var inner = try reader.element(
                    "attribute", attributes.count, countMax: ONNXModel.attributesMax)
                attributes.append(try ONNXAttribute(&inner, depth: depth))
            case 7: domain = try reader.text()
            default: try reader.skip()
            }
        }
        if domain == "ai.onnx" { domain = "" }
    }
}

extension ONNXAttribute {
    init(_ reader: inout ONNXReader, depth: Int) throws(ExchangeError) {
        var type: Int64?
        var float: Float = 0
        var integer: Int64 = 0
        var text: [UInt8] = []
        var tensor: Tensor?
        var graph: ONNXGraph?
        var floats: [Float] = []
        var integers: [Int64] = []
        var texts: [[UInt8]] = []
        /// What was met, for the files of before the type was written.
        var met = Value.other
        name = ""
        while let field = try reader.next() {
            switch field {
            case 1: name = try reader.text()
            case 2: (float, met) = (try reader.float(), .float(0))
            case 3: (integer, met) = (try reader.integer(), .integer(0))
            case 4: (text, met) = (try reader.bytes(), .text([]))
            case 5:
                var inner = try reader.inner("t")
                tensor = try Tensor.decode(&inner).tensor
            case 6:
                var inner = try reader.inner("g")
                graph = try ONNXGraph(&inner, depth: depth + 1)
            case 7:
                try reader.append(to: &floats, countMax: Tensor.elementsMax)
                met = .floats([])
            case 8:
                try reader.append(to: &integers, countMax: Tensor.elementsMax)
                met = .integers([])
            case 9:
                guard texts.count < ONNXModel.listMax else {
                    throw reader.malformed("there are more than \(ONNXModel.listMax) strings")
                }
                texts.append(try reader.bytes())
                met = .texts([])
            case 20: type = try reader.integer()
            default: try reader.skip()
            }
        }
        // A default value may be left out by a proto3 writer, so it is the type that counts.
        switch (type, met) {
        case (1, _), (nil, .float): value = .float(float)
        case (2, _), (nil, .integer): value = .integer(integer)
        case (3, _), (nil, .text): value = .text(text)
        case (6, _), (nil, .floats): value = .floats(floats)
        case (7, _), (nil, .integers): value = .integers(integers)
        case (8, _), (nil, .texts): value = .texts(texts)
        default:
            if let tensor {
                value = .tensor(tensor)
            } else if let graph {
                value = .graph(graph)
            } else {
                value = .other
            }
        }
    }
}

extension ONNXValue {
    init(_ reader: inout ONNXReader) throws(ExchangeError) {
        while let field = try reader.next() {
            switch field {
            case 1: name = try reader.text()
            case 2:
                var inner = try reader.inner("type")
                while let field = try inner.next() {
                    guard field == 1 else {
                        // Sequences, maps and optionals: fields 4, 5, 8, 9. 6 is a denotation.
                        guard field == 6 else { throw inner.notRead("only tensors are read") }
                        try inner.skip()
                        continue
                    }
                    var tensor = try inner.inner("tensor_type")
                    try readTensorType(&tensor)
                }
            case 3: documentation = try reader.text(bytesMax: ONNXModel.documentationBytesMax)
            default: try reader.skip()
            }
        }
    }

    private mutating func readTensorType(_ reader: inout ONNXReader) throws(ExchangeError) {
        while let field = try reader.next() {
            switch field {
            case 1:
                let number = try reader.integer()
                type = try ONNXType(number, &reader)
            case 2:
                var inner = try reader.inner("shape")
                var shape: [Dimension] = []
                while let field = try inner.next() {
                    guard field == 1 else {
                        try inner.skip()
                        continue
                    }
                    var dimension = try inner.element("dim", shape.count, countMax: Tensor.rankMax)
                    shape.append(try Self.dimension(&dimension))
                }
                self.shape = shape
            default: try reader.skip()
            }
        }
    }

    private static func dimension(_ reader: inout ONNXReader) throws(ExchangeError) -> Dimension {
        var dimension = Dimension.named("")
        while let field = try reader.next() {
            switch field {
            case 1:
                let size = try reader.integer()
                guard (0...Int64(Tensor.elementsMax)).contains(size) else {
                    throw reader.malformed("a dimension of \(size)")
                }
                dimension = .fixed(Int(size))
            case 2: dimension = .named(try reader.text())
            default: try reader.skip()
            }
        }
        return dimension
    }
}

extension ONNXType {
    fileprivate init(_ number: Int64, _ reader: inout ONNXReader) throws(ExchangeError) {
        guard let type = ONNXType(rawValue: number) else {
            throw reader.notRead(
                "element type \(number) is not read, only float, double, int32, int64 and bool: "
                    + "export the model as float32")
        }
        self = type
    }
}

extension Tensor {
    /// A TensorProto.
    package static func decode(
        file: [UInt8]
    ) throws(ExchangeError) -> (name: String, tensor: Tensor) {
        guard file.count <= ONNXModel.fileBytesMax else {
            throw .fileTooLarge(bytes: file.count, bytesMax: ONNXModel.fileBytesMax)
        }
        var reader = ONNXReader(file: file)
        return try decode(&reader)
    }

    static func decode(
        _ reader: inout ONNXReader
    ) throws(ExchangeError) -> (name: String, tensor: Tensor) {
        var name = ""
        var dimensions: [Int64] = []
        var number: Int64 = 0
        var floats: [Float] = []
        var int32s: [Int64] = []
        var int64s: [Int64] = []
        var doubles: [Double] = []
        var raw: [UInt8]?
        while let field = try reader.next() {
            switch field {
            case 1: try reader.append(to: &dimensions, countMax: rankMax)
            case 2: number = try reader.integer()
            case 4: try reader.append(to: &floats, countMax: elementsMax)
            case 5: try reader.append(to: &int32s, countMax: elementsMax)
            case 7: try reader.append(to: &int64s, countMax: elementsMax)
            case 8: name = try reader.text()
            case 9: raw = try reader.bytes()
            case 10: try reader.append(to: &doubles, countMax: elementsMax)
            case 3: throw reader.notRead("a tensor in segments is not read")
            case 14:
                guard try reader.integer() == 0 else {
                    throw reader.notRead(
                        "the tensor lies in a file of its own, and only one file is read: export the "
                            + "model with external_data=False")
                }
            default: try reader.skip()
            }
        }
        let type = try ONNXType(number, &reader)
        guard let (shape, count) = shape(dimensions) else {
            throw reader.malformed("a shape of \(dimensions), which is negative or too large")
        }
        let elements: Elements
        if let raw {
            guard raw.count == count * type.bytes else {
                throw reader.malformed(
                    "\(raw.count) bytes for \(count) elements of \(type.bytes) bytes")
            }
            elements = Elements(type, raw)
        } else {
            elements =
                switch type {
                case .float: .floats(floats)
                case .double: .floats(doubles.map { Float($0) })
                case .int32, .bool: .integers(int32s)
                case .int64: .integers(int64s)
                }
            guard elements.count == count else {
                throw reader.malformed("\(elements.count) values for \(count) elements")
            }
        }
        return (name, Tensor(shape, elements))
    }
}

extension ONNXType {
    /// Of one element in `raw_data`.
    var bytes: Int {
        switch self {
        case .float, .int32: 4
        case .int64, .double: 8
        case .bool: 1
        }
    }
}

extension Tensor.Elements {
    /// - Precondition: `raw` is whole elements, little-endian.
    fileprivate init(_ type: ONNXType, _ raw: [UInt8]) {
        let bytes = type.bytes
        let patterns = stride(from: 0, to: raw.count, by: bytes).map { at in
            var bits: UInt64 = 0
            for k in 0..<bytes { bits |= UInt64(raw[at + k]) << (8 * UInt64(k)) }
            return bits
        }
        self =
            switch type {
            case .float:
                .floats(patterns.map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) })
            case .double: .floats(patterns.map { Float(Double(bitPattern: $0)) })
            case .int32:
                .integers(patterns.map { Int64(Int32(truncatingIfNeeded: $0)) })
            case .int64: .integers(patterns.map { Int64(bitPattern: $0) })
            case .bool: .integers(patterns.map { $0 == 0 ? 0 : 1 })
            }
    }
}
