/// The published comparison of compressed LSTMs for shelf devices, so that ours can be put beside it: daily sales, one
/// step ahead, window 14.
///
/// Its size column counts parameters: 4 bytes each, pruned ones left out without an index, 1 byte for INT8. 16,961 × 4
/// bytes are its 66.25 KB (LSTM-64), 4,385 × 4 its 17.13 (LSTM-32), 1,169 × 4 its 4.57 (LSTM-16). Its pruned rows are
/// 17.13 KB × 0.7, 0.5 and 0.3, and its INT8 row is 4,385 × 1 byte: they are compressed LSTM-32s. Both readings, from
/// LSTM-64 and from LSTM-32, are computed.
package enum Article {
    package struct Row: Equatable, Sendable {
        /// As a key in files and benchmarks: letters and digits.
        package var name: String
        package var title: String
        package var recipe: String
        /// Nil in the reading that the published sizes do not fit.
        package var published: Published?
        package var counting: Counting
    }

    /// What the article's sizes count.
    package enum Counting: Equatable, Sendable {
        /// Four bytes a parameter.
        case floats
        /// Four bytes a weight that is not zero, without an index.
        case nonZeros
        /// One byte a parameter.
        case bytes
    }

    package struct Published: Equatable, Sendable {
        /// %
        package var mape: Double
        /// Of 1,024 bytes.
        package var kilobytes: Double
    }

    /// Of 70 %, taking all at once costs a point of MAPE that rounds with training between them save.
    package static let rows: [Row] = {
        func pruned(_ percent: Int, units: Int, _ published: Published?) -> Row {
            let rounds = percent >= 70 ? " rounds=5" : ""
            return Row(
                name: "prune\(percent)" + (published == nil ? "from\(units)" : ""),
                title: "LSTM-\(units), \(percent) % pruned",
                recipe: "lstm\(units) | prune \(percent)%\(rounds) | finetune | int8",
                published: published, counting: .nonZeros)
        }
        return [
            Row(
                name: "lstm64", title: "LSTM-64", recipe: "lstm64 | int8",
                published: Published(mape: 15.92, kilobytes: 66.25), counting: .floats),
            Row(
                name: "lstm32", title: "LSTM-32", recipe: "lstm32 | int8",
                published: Published(mape: 16.22, kilobytes: 17.13), counting: .floats),
            Row(
                name: "lstm16", title: "LSTM-16", recipe: "lstm16 | int8",
                published: Published(mape: 16.74, kilobytes: 4.57), counting: .floats),
            pruned(30, units: 32, Published(mape: 16.04, kilobytes: 11.99)),
            pruned(50, units: 32, Published(mape: 16.20, kilobytes: 8.57)),
            pruned(70, units: 32, Published(mape: 16.84, kilobytes: 5.14)),
            Row(
                name: "int8", title: "LSTM-32, INT8", recipe: "lstm32 | int8 scale=gate",
                published: Published(mape: 16.21, kilobytes: 4.28), counting: .bytes),
            pruned(30, units: 64, nil), pruned(50, units: 64, nil), pruned(70, units: 64, nil),
            Row(
                name: "int8from64", title: "LSTM-64, INT8", recipe: "lstm64 | int8 scale=gate",
                published: nil, counting: .bytes),
        ]
    }()
}
