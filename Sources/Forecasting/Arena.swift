/// One block of memory, all that a forecast touches. Allocated once, never grown, freed with its owner.
///
/// Not to be shared between threads: its owner is the device's one thread, or one worker of the hub.
package final class Arena {
    package let layout: ArenaLayout
    private let base: UnsafeMutableRawPointer

    /// Zeroed memory of exactly `layout.bytes`.
    package init(_ layout: ArenaLayout) {
        self.layout = layout
        base = .allocate(byteCount: layout.bytes, alignment: ArenaLayout.alignment)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: layout.bytes)
    }

    deinit { base.deallocate() }

    /// The elements of one region. The caller names the region's own element type.
    @inline(__always)
    package func elements<Element: BitwiseCopyable>(
        _ region: ArenaLayout.Region, as type: Element.Type
    ) -> UnsafeMutableBufferPointer<Element> {
        // Layout and type come from the same line of `ArenaLayout`; this catches a caller that mixes them up.
        let stride = MemoryLayout<Element>.stride
        precondition(
            region.offset % stride == 0 && region.offset + region.count * stride <= layout.bytes)
        return UnsafeMutableBufferPointer(
            start: (base + region.offset).assumingMemoryBound(to: Element.self),
            count: region.count)
    }

    /// Copies `values` to where `region` lies.
    package func fill<Element: BitwiseCopyable>(
        _ region: ArenaLayout.Region, with values: [Element]
    ) {
        precondition(values.count == region.count)
        let target = elements(region, as: Element.self)
        for i in values.indices { target[i] = values[i] }
    }
}
