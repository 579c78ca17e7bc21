extension WireError {
    /// For a log or a Refusal.
    package var explanation: String {
        switch self {
        case .truncated(let field): "field \(field) reaches beyond the end"
        case .varintTooLong(let field): "the integer of field \(field) has more than 64 bits"
        case .fieldNumberInvalid: "a field number that cannot be"
        case .wireTypeInvalid(let field, let wireType):
            "field \(field) has wire type \(wireType), which proto3 does not know"
        case .wireTypeUnexpected(let field, let wireType):
            "field \(field) has the wrong wire type, \(wireType)"
        case .bytesTooMany(let field, let bytes, let bytesMax):
            "field \(field) has \(bytes) bytes; at most \(bytesMax) are allowed"
        case .elementsTooMany(let field, let countMax):
            "field \(field) has more than \(countMax) elements"
        case .textNotUTF8(let field): "the text of field \(field) is not UTF-8"
        case .valueInvalid(let field, let rule): "field \(field) " + rule.explanation
        case .recordInvalid(let index, let rule):
            "record \(index + 1) of the upload has a value that " + rule.explanation
        }
    }
}

extension ValueRule {
    var explanation: String {
        switch self {
        case .length: "has the wrong length"
        case .range: "is out of range"
        case .identifier:
            "is not an identifier: 1 to 32 printable ASCII characters, without space , \" ' \\"
        case .index: "points beyond the end of its table"
        case .finite: "must be a finite number of at least 0"
        case .choice: "leaves open what must be chosen"
        }
    }
}

extension FrameError {
    /// For a log or a Refusal.
    package var explanation: String {
        switch self {
        case .payloadTooLarge(let kind, let announcedBytes, let bytesMax):
            "a frame of kind \(kind) announced \(announcedBytes) bytes; at most \(bytesMax) are allowed"
        case .kindUnknown(let kind): "kind \(kind) does not exist"
        case .kindFromWrongSide(let kind): "kind \(kind.rawValue) comes only from the other side"
        case .payloadMalformed(let kind, let error):
            "the payload of a frame of kind \(kind.rawValue) is malformed: " + error.explanation
        case .truncated(let strayBytes):
            "the stream ended inside a frame, \(strayBytes) bytes after its start"
        }
    }

    /// What a hub answers before it closes (SPEC 11).
    package var refusalCode: RefusalCode {
        switch self {
        case .payloadTooLarge: .tooLarge
        case .kindFromWrongSide: .outOfOrder
        case .payloadMalformed(_, .recordInvalid): .recordInvalid
        case .kindUnknown, .payloadMalformed, .truncated: .malformed
        }
    }
}
