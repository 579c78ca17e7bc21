import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync

/// How the commands about tokens, devices and rollouts say things.
enum FleetText {
    /// `2026-11-21T03:20:11Z`.
    static func moment(_ timestamp: Timestamp) -> String { timestamp.date.formatted(.iso8601) }

    static func moment(_ timestamp: Timestamp?) -> String { timestamp.map(moment) ?? "" }

    static func age(_ timestamp: Timestamp?, now: Timestamp) -> String {
        Figure.age(timestamp, now: now)
    }

    static func labels(_ labels: [DeviceLabel]) -> String {
        labels.map(\.text).joined(separator: " ")
    }

    static func digest(_ digest: [UInt8]) -> String { hexadecimal(digest.prefix(6)) }

    static func count(_ count: Int, _ noun: String) -> String {
        Figure.count(count, noun)
    }

    /// The device meant by an id or by the unmistakable start of one.
    static func device(
        _ text: String, in store: some HubStore
    ) async throws -> DeviceRecord {
        // What is no identifier is no device either.
        if let id = try? DeviceID(text), let exact = try await store.device(id) { return exact }
        let matches = try await store.devices(store: nil).filter { $0.id.text.hasPrefix(text) }
        guard let only = matches.first, !text.isEmpty else {
            throw CommandFailure(
                .refused, "there is no device '\(text)'; see shelfcast-hub device list")
        }
        guard matches.count == 1 else {
            throw CommandFailure(
                .refused,
                "'\(text)' is the start of \(matches.count) device ids; write more of it")
        }
        return only
    }
}
