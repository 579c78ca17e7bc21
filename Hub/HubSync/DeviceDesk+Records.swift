import Forecasting
import HubCore
import HubStore
import SyncProtocol

extension DeviceDesk {
    /// Stores a batch in one transaction; the answer is given after its commit.
    func storeUpload(_ upload: Upload, of device: DeviceID) async throws -> DeviceSession.Answer {
        var records: [UploadRecord] = []
        records.reserveCapacity(upload.records.count)
        for (index, record) in upload.records.enumerated() {
            do throws(RecordError) {
                records.append(try UploadRecord(record))
            } catch {
                return .refused(
                    .record(sequence: upload.firstSequence &+ UInt64(index), error.explanation))
            }
        }
        let outcome = try await store.storeUpload(
            UploadBatch(
                device: device, firstSequence: upload.firstSequence, records: records,
                foldedSales: upload.foldedSales),
            at: clock.now())
        switch outcome {
        case .stored(let through, let new):
            if new > 0, let home = try await store.home(of: device)?.store {
                changedStores.insert(home)
            }
            return .stored(throughSequence: through)
        case .gap(let expected):
            return .refused(
                Refusal(
                    .sequenceGap,
                    "record \(expected) is the next the hub expects, not \(upload.firstSequence)"))
        case .invalid(let index, let reason):
            return .refused(
                .record(sequence: upload.firstSequence &+ UInt64(index ?? 0), reason))
        case .notAllowed(let status):
            switch status {
            case nil, .approved?: return .refused(.unknown(device))
            case .revoked?: return .refused(.revoked(device))
            case .pending?: return .refused(.pending(device))
            }
        }
    }
}

/// Why a record of the wire is none that the hub stores.
struct RecordError: Error, Equatable {
    var explanation: String
}

extension UploadRecord {
    /// Translates; what the values may be is the store's to check, once for all of a batch.
    init(_ record: Record) throws(RecordError) {
        switch record {
        case .sale(let sale), .returned(let sale):
            guard let units = Int32(exactly: sale.units) else {
                throw RecordError(explanation: "a sale of \(sale.units) units is too many")
            }
            let day = BusinessDay(daysSince1970: sale.day)
            let item = try ItemID(wire: sale.item)
            if case .returned = record {
                self = .returned(day: day, item: item, units: units)
            } else {
                self = .sale(day: day, item: item, units: units)
            }
        case .close(let close):
            self = .close(
                day: BusinessDay(daysSince1970: close.day), closedAllDay: close.closedAllDay)
        case .forecast(let forecast):
            self = .forecast(
                DeviceForecast(
                    day: BusinessDay(daysSince1970: forecast.day),
                    item: try ItemID(wire: forecast.item), units: forecast.forecastUnits,
                    networkOutput: forecast.networkOutput, release: forecast.release,
                    actualUnits: Int64(forecast.actualUnits),
                    inputsComplete: forecast.inputsComplete, level: forecast.levelUnits,
                    inputsDigest: forecast.inputsDigest, candidate: forecast.candidate,
                    candidateUnits: forecast.candidateUnits))
        case .sales, .forecasts, .unknown:
            throw RecordError(
                explanation: "it is of a kind that this hub does not know: update the hub")
        }
    }
}

extension ItemID {
    fileprivate init(wire text: String) throws(RecordError) {
        do throws(IdentifierError) {
            self = try ItemID(text)
        } catch {
            throw RecordError(explanation: "'\(text)' is not an item")
        }
    }
}

extension Refusal {
    fileprivate static func record(sequence: UInt64, _ reason: String) -> Refusal {
        Refusal(.recordInvalid, "record \(sequence) cannot be stored: \(reason)")
    }
}
