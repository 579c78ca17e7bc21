package import Forecasting

/// Where a device belongs, and whether it may take part.
package struct DeviceHome: Hashable, Sendable {
    package var store: StoreID
    package var status: DeviceStatus

    package init(store: StoreID, status: DeviceStatus) {
        self.store = store
        self.status = status
    }
}

/// What is known of a device beyond its record when the hub decides what it should run.
package struct DeviceStanding: Hashable, Sendable {
    package var facts = Admission.Facts()
    /// What it was given, and what became of it.
    package var assignment: AssignmentRecord?
    /// Of its store's day totals.
    package var contextRevision: UInt64 = 0

    package init() {}
}
