import Forecasting
import HubCore
import HubStore
import Logging
import SyncProtocol

extension DeviceDesk {
    /// A piece of the package that is assigned to the device, or of a delta to it; of no other.
    func chunk(_ fetch: Fetch, for device: DeviceID) async throws -> DeviceSession.Answer {
        let assigned = try await store.assignment(of: device)?.digest
        if let assigned, assigned != fetch.digest,
            let chunk = try await deltaChunk(fetch, to: assigned, for: device)
        {
            return chunk
        }
        guard assigned == fetch.digest, let package = try await store.package(digest: fetch.digest)
        else {
            return .refused(
                Refusal(
                    .notFound,
                    "package \(hexadecimal(fetch.digest.prefix(6))) is not assigned to this device")
            )
        }
        guard fetch.offset <= UInt64(package.packageBytes) else {
            return .refused(
                Refusal(
                    .outOfOrder,
                    "offset \(fetch.offset) is beyond the \(package.packageBytes) bytes of the package"
                ))
        }
        let bytesMax = min(Int(fetch.bytesMax), Limit.chunkContentBytes)
        guard
            let content = packageFiles.read(
                digest: fetch.digest, offset: fetch.offset, bytesMax: bytesMax),
            !content.isEmpty || fetch.offset == UInt64(package.packageBytes)
        else {
            logger.error(
                "a package file is missing or cut short",
                metadata: ["file": "\(PackageFiles.name(of: fetch.digest))"])
            return .refused(
                Refusal(.internal, "the hub has lost the package's file; build the package again"))
        }
        return .chunk(
            Chunk(
                digest: fetch.digest, offset: fetch.offset, content: content,
                packageBytes: UInt64(package.packageBytes)))
    }

    /// What the device made of its desired package.
    func note(_ report: PackageReport, of device: DeviceID) async throws -> DeviceSession.Answer {
        let outcome: HubCore.PackageOutcome
        switch report.outcome {
        case .trial: outcome = .trial
        case .active: outcome = .active
        case .refused: outcome = .refused
        case .rolledBack: outcome = .rolledBack
        case .untrusted:
            // Of the metadata, and tried again: the package is none the worse for it.
            logger.warning(
                "update metadata is not believed",
                metadata: ["device": "\(device.text)", "why": "\(report.reason)"])
            try await store.addEvent(
                DeviceEvent(
                    at: clock.now(), kind: "untrusted",
                    text: cut(report.reason, bytesMax: DeviceEvent.textBytesMax)),
                of: device)
            return .noted
        case .fetching: outcome = .fetching
        case .unspecified, .unrecognized:
            return .refused(
                Refusal(.malformed, "a PackageReport needs one of the outcomes this hub knows"))
        }
        try await store.reportOutcome(
            outcome, digest: report.digest, reason: report.reason,
            running: report.running.map(HubCore.RunningPackage.init), device: device,
            at: clock.now())
        // Others of its store may be waiting for it.
        if let home = try await store.home(of: device)?.store { changedStores.insert(home) }
        logger.info(
            "package report",
            metadata: [
                "device": "\(device.text)", "outcome": "\(outcome.rawValue)",
                "why": "\(report.reason)",
            ])
        return .noted
    }
}
