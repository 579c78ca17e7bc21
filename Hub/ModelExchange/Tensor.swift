/// A value of a graph: row-major. Every float type is held as Float, every integer type and truth
/// values (0 and 1) as Int64.
package struct Tensor: Equatable, Sendable {
    package static let rankMax = 8
    package static let elementsMax = 1 << 22

    package enum Elements: Equatable, Sendable {
        case floats([Float])
        case integers([Int64])

        package var count: Int {
            switch self {
            case .floats(let values): values.count
            case .integers(let values): values.count
            }
        }
    }

    package let shape: [Int]
    package let elements: Elements

    package var count: Int { elements.count }

    /// - Precondition: there are as many values as the shape has elements.
    package init(_ shape: [Int], _ floats: [Float]) {
        precondition(shape.reduce(1, *) == floats.count)
        self.shape = shape
        elements = .floats(floats)
    }

    package init(_ shape: [Int], integers: [Int64]) {
        precondition(shape.reduce(1, *) == integers.count)
        self.shape = shape
        elements = .integers(integers)
    }

    init(_ shape: [Int], _ elements: Elements) {
        precondition(shape.reduce(1, *) == elements.count)
        self.shape = shape
        self.elements = elements
    }

    package var floats: [Float]? {
        if case .floats(let values) = elements { values } else { nil }
    }

    package var integers: [Int64]? {
        if case .integers(let values) = elements { values } else { nil }
    }

    /// A shape and its elements; nil for a negative dimension, too high a rank or too many elements.
    static func shape(_ dimensions: [Int64]) -> (shape: [Int], count: Int)? {
        guard dimensions.count <= rankMax,
            dimensions.allSatisfy({ (0...Int64(elementsMax)).contains($0) })
        else { return nil }
        // Without the zeros, so that the product of any of the dimensions stays as small.
        var extent = 1
        for dimension in dimensions where dimension != 0 {
            // Both are at most 2²²: the product cannot wrap.
            extent *= Int(dimension)
            guard extent <= elementsMax else { return nil }
        }
        let count = dimensions.contains(0) ? 0 : extent
        return (dimensions.map { Int($0) }, count)
    }

    /// The same elements in another shape.
    /// - Precondition: of as many elements.
    func reshaped(_ shape: [Int]) -> Tensor {
        precondition(shape.reduce(1, *) == count)
        return Tensor(shape, elements)
    }

    /// The elements at `indices`, in that order.
    /// - Precondition: every index is one of an element, and there are as many as `shape` has elements.
    func picking(_ indices: [Int], shape: [Int]) -> Tensor {
        switch elements {
        case .floats(let values): Tensor(shape, indices.map { values[$0] })
        case .integers(let values): Tensor(shape, integers: indices.map { values[$0] })
        }
    }

    /// Elements that one step along each dimension of `shape` passes.
    static func strides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() {
            strides[axis] = strides[axis + 1] * shape[axis + 1]
        }
        return strides
    }

    /// The shape two shapes are stretched to, as NumPy does it; nil when they cannot be.
    static func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
        let rank = max(a.count, b.count)
        var shape = [Int](repeating: 1, count: rank)
        for axis in 0..<rank {
            let inA = axis - (rank - a.count)
            let inB = axis - (rank - b.count)
            let (x, y) = (inA < 0 ? 1 : a[inA], inB < 0 ? 1 : b[inB])
            guard x == y || x == 1 || y == 1 else { return nil }
            shape[axis] = x == 1 ? y : x
        }
        return shape
    }

    /// Where in this tensor each element of `target` comes from, when stretched to it.
    /// - Precondition: it can be stretched to `target`.
    func indices(stretchedTo target: [Int]) -> [Int] {
        Self.indices(of: shape, stretchedTo: target)
    }

    static func indices(of shape: [Int], stretchedTo target: [Int]) -> [Int] {
        let own = strides(shape)
        let lead = target.count - shape.count
        let steps = target.indices.map { axis in
            axis < lead || shape[axis - lead] == 1 ? 0 : own[axis - lead]
        }
        return walk(shape: target, steps: steps)
    }

    /// The offsets met when walking `shape` in row-major order, one step along a dimension adding its `steps`.
    static func walk(shape: [Int], steps: [Int], start: Int = 0) -> [Int] {
        let count = shape.reduce(1, *)
        var offsets: [Int] = []
        offsets.reserveCapacity(count)
        var position = [Int](repeating: 0, count: shape.count)
        var offset = start
        for _ in 0..<count {
            offsets.append(offset)
            for axis in shape.indices.reversed() {
                position[axis] += 1
                offset += steps[axis]
                guard position[axis] == shape[axis] else { break }
                offset -= steps[axis] * shape[axis]
                position[axis] = 0
            }
        }
        return offsets
    }
}
