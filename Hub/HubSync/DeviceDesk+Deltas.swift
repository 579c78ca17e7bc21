import Forecasting
import HubCore
import HubStore
import SyncProtocol

extension DeviceDesk {
    /// Of a device that runs another package: whether the wanted one may come as what differs.
    func deltaOffer(to package: PackageRecord, for device: DeviceRecord) async -> DeltaOffer? {
        guard let base = device.running?.digest,
            let delta = await deltas.delta(from: base, to: package.digest)
        else { return nil }
        return DeltaOffer(
            digest: delta.digest, bytes: UInt32(delta.content.count),
            base: DeltaOffer.base(of: base))
    }

    /// - Returns: nil where that is not what the device was offered.
    func deltaChunk(
        _ fetch: Fetch, to target: [UInt8], for device: DeviceID
    ) async throws -> DeviceSession.Answer? {
        guard let base = try await store.device(device)?.running?.digest,
            let delta = await deltas.delta(from: base, to: target), delta.digest == fetch.digest
        else { return nil }
        guard fetch.offset <= UInt64(delta.content.count) else {
            return .refused(
                Refusal(
                    .outOfOrder,
                    "offset \(fetch.offset) is beyond the \(delta.content.count) bytes of the delta"
                ))
        }
        let bytesMax = min(Int(fetch.bytesMax), Limit.chunkContentBytes)
        return .chunk(
            Chunk(
                digest: fetch.digest, offset: fetch.offset,
                content: Array(delta.content.dropFirst(Int(fetch.offset)).prefix(bytesMax)),
                packageBytes: UInt64(delta.content.count)))
    }
}
