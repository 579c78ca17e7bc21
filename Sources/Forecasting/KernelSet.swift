import CKernels
import Kernels

/// A set of instructions that the integer network runs with. All give the same bits; `plain` defines them.
package enum KernelSet: Int32, CaseIterable, Sendable {
    case plain = 0
    case avx2 = 1
    /// AVX2 and the dot product of bytes.
    case avxVNNI = 2
    /// AVX-512's dot product of bytes and table look-up, on 256 bits for few units and on 512 for many.
    case avx512VNNI = 3
    case neon = 4
    /// NEON and the dot product of bytes.
    case neonDot = 5

    package var name: String {
        switch self {
        case .plain: "plain"
        case .avx2: "avx2"
        case .avxVNNI: "avx-vnni"
        case .avx512VNNI: "avx512-vnni"
        case .neon: "neon"
        case .neonDot: "neon-dot"
        }
    }

    package init?(name: String) {
        for set in Self.allCases where set.name.utf8.elementsEqual(name.utf8) {
            self = set
            return
        }
        return nil
    }

    /// Whether this CPU, and the system on it, runs the set.
    package var isAvailable: Bool {
        self == .plain || shelfcast_kernel_set_available(rawValue) != 0
    }

    /// The sets that run here, the plain one first and the best last.
    package static var available: [KernelSet] { allCases.filter { $0.isAvailable } }

    /// The last of those. Asked of the CPU once: on a virtual machine every question takes microseconds.
    package static let best: KernelSet = {
        // Without a list, which would take memory.
        var number = neonDot.rawValue
        while number > 0 {
            if let set = KernelSet(rawValue: number), set.isAvailable { return set }
            number -= 1
        }
        return .plain
    }()

    /// `Activations.tanh(position:)` of many positions.
    /// - Parameters:
    ///   - positions: as many as `values`, a multiple of 16.
    ///   - values: overwritten.
    /// - Precondition: `isAvailable`.
    package func tanh(
        _ positions: UnsafeBufferPointer<UInt16>, into values: UnsafeMutableBufferPointer<Int16>
    ) {
        precondition(positions.count == values.count && positions.count.isMultiple(of: 16))
        guard self != .plain, let from = positions.baseAddress, let to = values.baseAddress else {
            for k in positions.indices { values[k] = Activations.tanh(position: positions[k]) }
            return
        }
        shelfcast_tanh(rawValue, from, to, Int32(positions.count))
    }
}
