/// Checks one signature. The device's comes from mbedTLS, the hub's and the tests' from elsewhere.
package protocol SignatureVerifier {
    /// - Parameters:
    ///   - signature: ECDSA over SHA-256 of `message`, as r ‖ s, 64 bytes.
    ///   - key: a P-256 point in SEC 1 uncompressed form, 65 bytes.
    /// - Returns: whether the key's owner signed exactly this message. False also for a point off the curve.
    func verify(signature: [UInt8], of message: [UInt8], key: [UInt8]) -> Bool
}

/// The key that speaks for packages: the one the hub gave when the device joined, and no other.
package struct TrustedPackageKey: Equatable, Sendable {
    package let point: [UInt8]

    /// - Parameter point: a P-256 point in SEC 1 uncompressed form.
    /// - Throws: `keyMalformed`. Whether the point is on the curve is the verifier's to say.
    package init(point: [UInt8]) throws(TrustError) {
        guard point.count == 65, point[0] == 0x04 else { throw .keyMalformed(bytes: point.count) }
        self.point = point
    }
}

/// A statement whose signature has been checked. There is no other way to make one, so nothing reads
/// a field of a statement that nobody signed.
package struct SignedStatement: Equatable, Sendable {
    /// The PackageStatement in wire format, byte for byte as signed.
    package let bytes: [UInt8]

    /// - Throws: `signatureMalformed` or `signatureWrong`.
    package init(
        statement: [UInt8], signature: [UInt8], key: TrustedPackageKey,
        verifier: some SignatureVerifier
    ) throws(TrustError) {
        guard signature.count == 64 else { throw .signatureMalformed(bytes: signature.count) }
        guard verifier.verify(signature: signature, of: statement, key: key.point) else {
            throw .signatureWrong
        }
        self.bytes = statement
    }
}
