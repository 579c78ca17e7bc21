package import Forecasting

/// What one device reported of one day.
package struct DeviceDay: Hashable, Sendable {
    package var device: DeviceID
    package var day: BusinessDay
    package var units: Int64
    /// nil: not closed yet. True: closed, the store did no business.
    package var closedAllDay: Bool?

    package init(device: DeviceID, day: BusinessDay, units: Int64, closedAllDay: Bool?) {
        self.device = device
        self.day = day
        self.units = units
        self.closedAllDay = closedAllDay
    }
}

/// One day of a store as the ledger has it.
package struct LedgerDay: Hashable, Sendable {
    package struct Sold: Hashable, Sendable {
        /// Into `StoreLedger.items`.
        package var itemIndex: Int
        /// Nil: no import for this item and day.
        package var importedUnits: Int64?
        /// The sum over devices; nil: no device sold any.
        package var uploadedUnits: Int64?

        package init(itemIndex: Int, importedUnits: Int64?, uploadedUnits: Int64?) {
            self.itemIndex = itemIndex
            self.importedUnits = importedUnits
            self.uploadedUnits = uploadedUnits
        }
    }

    package var day: BusinessDay
    /// The store's revision at which this day last changed.
    package var revision: UInt64
    /// An import has filled it: what devices reported of it does not count any more.
    package var isImported: Bool
    /// Items with a row; the others sold nothing that the hub knows of.
    package var sold: [Sold]

    package init(day: BusinessDay, revision: UInt64, isImported: Bool, sold: [Sold]) {
        self.day = day
        self.revision = revision
        self.isImported = isImported
        self.sold = sold
    }
}

/// What the day totals of one store are decided from: see `StoreContext`.
package struct StoreLedger: Hashable, Sendable {
    package var store: StoreRecord
    package var items: [ItemID]
    /// Ascending by day.
    package var days: [LedgerDay]
    /// Every device's days over the same days and the 35 before.
    package var deviceDays: [DeviceDay]
    /// Approved and not revoked.
    package var devices: [DeviceID]

    package init(
        store: StoreRecord, items: [ItemID], days: [LedgerDay], deviceDays: [DeviceDay],
        devices: [DeviceID]
    ) {
        self.store = store
        self.items = items
        self.days = days
        self.deviceDays = deviceDays
        self.devices = devices
    }
}
