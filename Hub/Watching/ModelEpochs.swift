package import HubCore

/// The days of a store by the model that forecast them.
package enum ModelEpochs {
    /// A store is back at an older release when so many days in a row are of it. Before, a device that has not followed
    /// yet may be the only one that closed the day.
    static let daysBack = 3

    /// Splits a store's days where its model changed: at once for a newer release, after `daysBack` days for an older one.
    /// Days without a figure, and days of a release that is not the store's, are left out.
    /// - Parameter days: ascending.
    /// - Returns: in the order of the days, none of them empty.
    package static func split(_ days: [WatchedDay]) -> [[WatchedDay]] {
        var epochs: [[WatchedDay]] = []
        var older: [WatchedDay] = []
        for day in days where day.z != nil {
            guard let current = epochs.last?.last?.release else {
                epochs.append([day])
                continue
            }
            if day.release == current {
                epochs[epochs.count - 1].append(day)
                older = []
            } else if day.release > current {
                epochs.append([day])
                older = []
            } else {
                if let first = older.first, first.release != day.release { older = [] }
                older.append(day)
                if older.count == daysBack {
                    epochs.append(older)
                    older = []
                }
            }
        }
        return epochs
    }
}
