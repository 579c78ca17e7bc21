/// One block of memory, all that a forecast touches. Allocated once, never grown, freed with its owner.
///
/// Not to be shared between threads: its owner is the device's one thread, or one worker of the hub.
package final class Arena {
    package let layout: ArenaLayout
    private let memory: ArenaMemory

    /// Zeroed memory of exactly `layout.bytes`.
    package init(_ layout: ArenaLayout) {
        self.layout = layout
        memory = ArenaMemory(bytes: layout.bytes)
    }

    package var view: ArenaView { ArenaView(layout: layout, base: memory.base) }
}

/// The block itself, zeroed, freed when its owner goes. Public for the one reason that Embedded Swift sees a deinit of no
/// other from the modules above.
public struct ArenaMemory: ~Copyable {
    package let base: UnsafeMutableRawPointer
    package let bytes: Int

    /// - Parameter bytes: 0 takes nothing, and is nothing to read or write.
    package init(bytes: Int) {
        self.bytes = bytes
        guard bytes > 0 else {
            base = UnsafeMutableRawPointer(bitPattern: ArenaLayout.alignment)!
            return
        }
        base = .allocate(byteCount: bytes, alignment: ArenaLayout.alignment)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    }

    /// The same bytes, at a base that tiles may be counted from.
    package init(copying content: [UInt8]) {
        self.init(bytes: content.count)
        base.copyMemory(from: content, byteCount: content.count)
    }

    package var contents: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base.assumingMemoryBound(to: UInt8.self), count: bytes)
    }

    deinit { if bytes > 0 { base.deallocate() } }
}

/// An arena's regions where they lie. Valid as long as the memory's owner lives.
package struct ArenaView {
    package let layout: ArenaLayout
    package let base: UnsafeMutableRawPointer

    /// - Parameter base: a multiple of `ArenaLayout.alignment`; of `layout.bytes` or more.
    package init(layout: ArenaLayout, base: UnsafeMutableRawPointer) {
        self.layout = layout
        self.base = base
    }

    /// The elements of one region. The caller names the region's own element type.
    @inline(__always)
    package func elements<Element: BitwiseCopyable>(
        _ region: ArenaLayout.Region, as type: Element.Type
    ) -> UnsafeMutableBufferPointer<Element> {
        // Layout and type come from the same line of `ArenaLayout`; this catches a caller that mixes them up.
        let stride = MemoryLayout<Element>.stride
        precondition(
            region.count == 0
                || region.offset % stride == 0
                    && region.offset + region.count * stride <= layout.bytes
        )
        return UnsafeMutableBufferPointer(
            start: (base + region.offset).assumingMemoryBound(to: Element.self),
            count: region.count)
    }
}
