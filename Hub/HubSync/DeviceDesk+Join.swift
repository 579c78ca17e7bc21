import Crypto
import Forecasting
import FoundationEssentials
import HubCore
import HubStore
import Logging
import SyncProtocol
import X509

extension DeviceDesk {
    /// Trades a token's secret and a signing request for a certificate.
    ///
    /// The device's id follows from its public key, so that a join whose reply was lost can be repeated
    /// with the same key and the same token: it gets a certificate again and uses the token up no
    /// further.
    func join(_ request: JoinRequest) async throws -> DeviceSession.Answer {
        let now = clock.now()
        if let seconds = joins.admit(at: now) {
            return .refused(
                Refusal(
                    code: .busy, message: "many devices are joining at once; come back shortly",
                    retry: true, retryAfterSeconds: seconds))
        }
        let secretSHA256 = JoinSecret(bytes: request.secret).sha256
        let key: Certificate.PublicKey
        do throws(SigningRequestError) {
            key = try CertificateAuthority.checkedKey(ofRequest: request.csrDer)
        } catch {
            // SPEC 6.3: a stranger without a token learns that first.
            let token = try await store.tokens().first { $0.secretSHA256 == secretSHA256 }
            let check = TokenCheck.decide(token, now: now)
            return .refused(
                check == .accepted ? Refusal(.csrInvalid, "\(error)") : .join(check))
        }
        let device = Self.deviceID(of: key)

        if let known = try await store.device(device),
            let token = try await store.tokens().first(where: { $0.id == known.token }),
            token.secretSHA256 == secretSHA256
        {
            guard known.status != .revoked else { return .refused(.revoked(device)) }
            let home = try await store.store(known.store)
            return try await reply(
                to: known, timeZone: home?.timeZone ?? "UTC", csr: request.csrDer, now: now)
        }

        switch try await store.joinDevice(device, tokenSecretSHA256: secretSHA256, at: now) {
        case .refused(let check):
            logger.warning("join refused", metadata: ["why": "\(check)"])
            return .refused(.join(check))
        case .joined(let record, let home):
            logger.info(
                "joined",
                metadata: ["device": "\(record.id.text)", "store": "\(record.store.text)"])
            return try await reply(
                to: record, timeZone: home.timeZone, csr: request.csrDer, now: now)
        }
    }

    /// A new certificate for a device that has one, with the same or another key.
    func renew(
        _ request: RenewRequest, of device: DeviceID
    ) async throws -> DeviceSession.Answer {
        guard let record = try await store.device(device) else { return .refused(.unknown(device)) }
        guard record.status != .revoked else { return .refused(.revoked(device)) }
        switch try await issue(to: device, csr: request.csrDer, now: clock.now()) {
        case .success(let der): return .renewed(certificateDER: der)
        case .failure(let error): return .refused(Refusal(.csrInvalid, "\(error)"))
        }
    }

    /// 16 hexadecimal digits of the SHA-256 of the key: nobody can aim at the id of another device.
    static func deviceID(of key: Certificate.PublicKey) -> DeviceID {
        let digest = SHA256.hash(data: Array(key.subjectPublicKeyInfoBytes))
        do {
            return try DeviceID(hexadecimal(digest.prefix(8)))
        } catch {
            preconditionFailure("16 hexadecimal digits are an identifier")
        }
    }

    private func reply(
        to device: DeviceRecord, timeZone: String, csr: [UInt8], now: Timestamp
    ) async throws -> DeviceSession.Answer {
        switch try await issue(to: device.id, csr: csr, now: now) {
        case .success(let der):
            return .joined(
                JoinReply(
                    deviceId: device.id.text, certificateDer: der,
                    caDer: try identity.authority.rootDER,
                    store: device.store.text, approved: device.status == .approved,
                    timeZone: timeZone, root: try await repository.newestRoot(at: now).bytes))
        case .failure(let error):
            return .refused(Refusal(.csrInvalid, "\(error)"))
        }
    }

    /// What the request did wrong comes back, for the device; what we did wrong is thrown, for the log.
    private func issue(
        to device: DeviceID, csr: [UInt8], now: Timestamp
    ) async throws -> Result<[UInt8], SigningRequestError> {
        let der: [UInt8]
        do throws(DeviceCertificateError) {
            der = try identity.authority.issueDevice(
                deviceID: device.text, signingRequestDER: csr, now: now.date)
        } catch {
            switch error {
            case .request(let error): return .failure(error)
            case .identity(let error): throw error
            }
        }
        try await store.setCertificate(
            sha256: Array(SHA256.hash(data: der)),
            expiresAt: now.advanced(bySeconds: Int64(CertificateAuthority.deviceSeconds)),
            of: device)
        return .success(der)
    }
}

extension Refusal {
    static func join(_ check: TokenCheck) -> Refusal {
        switch check {
        case .accepted, .unknown:
            Refusal(
                .tokenUnknown,
                "the hub does not know this join token: make one with shelfcast-hub token create")
        case .expired:
            Refusal(
                .tokenExpired,
                "the join token has expired: make a new one with shelfcast-hub token create")
        case .usedUp(let uses):
            Refusal(
                .tokenUsedUp,
                "the join token was good for \(uses) device(s) and is used up: make a new one with"
                    + " shelfcast-hub token create")
        }
    }
}
