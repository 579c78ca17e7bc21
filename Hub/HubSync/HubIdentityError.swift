/// Why the hub's keys and certificates could not be made, read or used. Each case carries what the
/// operator needs to put it right.
package enum HubIdentityError: Error, Equatable, Sendable {
    /// `create` found a finished identity: overwriting it would lock every joined device out.
    case alreadyExists(directory: String)
    /// A file of the identity is not there: the directory was never initialised, or only in part.
    case missing(path: String)
    /// A file is there and is not what it should be.
    case unreadable(path: String, reason: String)
    /// The system refused to read or write a file; `code` is `errno`.
    case system(operation: String, path: String, code: Int32)
    /// A key operation failed inside the cryptographic library.
    case cryptography(reason: String)
}

extension HubIdentityError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .alreadyExists(let directory):
            "'\(directory)' already has a hub identity; it is never overwritten,"
                + " because every joined device trusts it"
        case .missing(let path):
            "'\(path)' is missing: restore the data directory from its backup"
        case .unreadable(let path, let reason):
            "'\(path)' cannot be used: \(reason)"
        case .system(let operation, let path, let code):
            "cannot \(operation) '\(path)': \(SystemMessage.text(of: code))"
        case .cryptography(let reason):
            "a key operation failed: \(reason)"
        }
    }
}

/// Why a device's signing request was not granted. Ends as `REFUSAL_CSR_INVALID` on the wire.
package enum SigningRequestError: Error, Equatable, Sendable {
    /// Longer than any P-256 request has a reason to be; not parsed.
    case tooLong(bytes: Int, bytesMax: Int)
    case notPKCS10(reason: String)
    case notP256
    /// The sender does not hold the private key of the public key it sent.
    case signatureInvalid
}

extension SigningRequestError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooLong(let bytes, let bytesMax):
            "the signing request has \(bytes) bytes, above the \(bytesMax) allowed"
        case .notPKCS10(let reason): "not a PKCS #10 signing request: \(reason)"
        case .notP256: "the signing request's key is not an ECDSA P-256 key"
        case .signatureInvalid: "the signing request is not signed by the key inside it"
        }
    }
}
