import SyncProtocol

/// Reads one protobuf message of an ONNX file and knows where in the file it is, for the error.
struct ONNXReader {
    private var wire: WireReader
    /// The path of this message from the model.
    let place: String

    init(file: [UInt8]) {
        self.init(WireReader(file), place: "model")
    }

    private init(_ wire: WireReader, place: String) {
        self.wire = wire
        self.place = place
    }

    /// Steps to the next field: its number, or nil at the end.
    mutating func next() throws(ExchangeError) -> Int? {
        try located { wire throws(WireError) in try wire.next() }
    }

    mutating func skip() throws(ExchangeError) {
        try located { wire throws(WireError) in try wire.skip() }
    }

    mutating func integer() throws(ExchangeError) -> Int64 {
        try located { wire throws(WireError) in try wire.int64() }
    }

    mutating func float() throws(ExchangeError) -> Float {
        try located { wire throws(WireError) in try wire.float() }
    }

    mutating func bytes() throws(ExchangeError) -> [UInt8] {
        try located { wire throws(WireError) in
            try wire.bytes(bytesMax: ONNXModel.fileBytesMax)
        }
    }

    mutating func text(
        bytesMax: Int = ONNXModel.nameBytesMax
    ) throws(ExchangeError) -> String {
        try located { wire throws(WireError) in try wire.string(bytesMax: bytesMax) }
    }

    mutating func append(to values: inout [String], countMax: Int) throws(ExchangeError) {
        try located { wire throws(WireError) in
            try wire.append(
                to: &values, bytesMax: ONNXModel.nameBytesMax, countMax: countMax)
        }
    }

    mutating func append(to values: inout [Int64], countMax: Int) throws(ExchangeError) {
        try located { wire throws(WireError) in try wire.append(to: &values, countMax: countMax) }
    }

    mutating func append(to values: inout [Float], countMax: Int) throws(ExchangeError) {
        try located { wire throws(WireError) in try wire.append(to: &values, countMax: countMax) }
    }

    mutating func append(to values: inout [Double], countMax: Int) throws(ExchangeError) {
        try located { wire throws(WireError) in try wire.append(to: &values, countMax: countMax) }
    }

    /// A reader of the message that stands here.
    mutating func inner(_ name: String) throws(ExchangeError) -> ONNXReader {
        let inner = try located { wire throws(WireError) in try wire.inner() }
        return ONNXReader(inner, place: "\(place).\(name)")
    }

    /// As `inner`, of an element of a list.
    /// - Throws: when the list has `countMax` elements already.
    mutating func element(
        _ name: String, _ index: Int, countMax: Int
    ) throws(ExchangeError) -> ONNXReader {
        guard index < countMax else {
            throw malformed("there are more than \(countMax) of \(name)")
        }
        return try inner("\(name)[\(index)]")
    }

    func malformed(_ reason: String) -> ExchangeError {
        .malformed(place: place, byte: wire.offset, reason: reason)
    }

    func notRead(_ what: String) -> ExchangeError {
        .notRead(place: place, what: what)
    }

    private mutating func located<Value>(
        _ read: (inout WireReader) throws(WireError) -> Value
    ) throws(ExchangeError) -> Value {
        do throws(WireError) {
            return try read(&wire)
        } catch {
            throw malformed(error.explanation)
        }
    }
}
