/// The table of SPEC 11: what a device may do after each refusal.
extension RefusalCode {
    /// Whether the same request can succeed later without anybody changing anything.
    package var retry: Bool {
        switch self {
        case .busy, .internal, .notApproved, .sequenceGap: true
        case .unspecified, .version, .malformed, .outOfOrder, .tooLarge, .tokenUnknown,
            .tokenExpired, .tokenUsedUp, .csrInvalid, .noCertificate, .revoked, .notFound,
            .recordInvalid, .copy, .unrecognized:
            false
        }
    }

    /// How long to wait at least; 0 where there is nothing to wait for.
    package var retryAfterSeconds: UInt32 {
        switch self {
        case .busy: 10
        case .internal: 60
        case .notApproved: 60
        case .sequenceGap: 0
        case .unspecified, .version, .malformed, .outOfOrder, .tooLarge, .tokenUnknown,
            .tokenExpired, .tokenUsedUp, .csrInvalid, .noCertificate, .revoked, .notFound,
            .recordInvalid, .copy, .unrecognized:
            0
        }
    }
}

extension Refusal {
    /// A refusal that says about retrying what the table says. A message too long to send is cut.
    package init(_ code: RefusalCode, _ message: String) {
        self.init(
            code: code, message: cut(message, bytesMax: Limit.textBytes), retry: code.retry,
            retryAfterSeconds: code.retryAfterSeconds)
    }
}

/// The longest start of `text` with at most `bytesMax` bytes and no character cut in two.
package func cut(_ text: String, bytesMax: Int) -> String {
    guard text.utf8.count > bytesMax else { return text }
    var bytes = [UInt8](text.utf8.prefix(bytesMax + 1))
    // Drops the bytes of the scalar that the ceiling falls into: continuation bytes, then its first.
    while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
    return String(decoding: bytes, as: UTF8.self)
}
