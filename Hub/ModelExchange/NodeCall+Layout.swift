// Operators that move values and compute nothing, as the ONNX operator specification (1.22) defines
// them, in the older form (an attribute) and the newer (an input) where there are two.
extension NodeCall {
    func constant() throws(ExchangeError) -> Tensor {
        guard let attribute = node.attributes.first, node.attributes.count == 1 else {
            throw failure("it has \(node.attributes.count) values instead of one")
        }
        switch (attribute.name, attribute.value) {
        case ("value", .tensor(let tensor)): return tensor
        case ("value_float", .float(let value)): return Tensor([], [value])
        case ("value_floats", .floats(let values)): return Tensor([values.count], values)
        case ("value_int", .integer(let value)): return Tensor([], integers: [value])
        case ("value_ints", .integers(let values)):
            return Tensor([values.count], integers: values)
        default: throw failure("its \(attribute.name.printable) is neither float nor integer")
        }
    }

    /// Drops nothing: that is for training.
    func dropout() throws(ExchangeError) -> Tensor {
        if optional(2) != nil, try integers(2).contains(1) {
            throw failure("it is in training mode: export the model for inference")
        }
        return try input(0)
    }

    func constantOfShape() throws(ExchangeError) -> Tensor {
        let (shape, count) = try self.shape(try integers(0))
        switch attribute("value") {
        case nil: return Tensor(shape, [Float](repeating: 0, count: count))
        case .tensor(let value) where value.count == 1:
            return value.picking([Int](repeating: 0, count: count), shape: shape)
        default: throw failure("its value is not one number")
        }
    }

    func shapeOf() throws(ExchangeError) -> Tensor {
        let shape = try input(0).shape
        let rank = Int64(shape.count)
        func bound(_ value: Int64) -> Int {
            Int(min(max(value < 0 ? value &+ rank : value, 0), rank))
        }
        let start = bound(try integer("start", default: 0))
        let end = bound(try integer("end", default: rank))
        let part = start < end ? shape[start..<end] : []
        return Tensor([part.count], integers: part.map { Int64($0) })
    }

    func reshape() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        var dimensions = try integers(1)
        guard dimensions.count <= Tensor.rankMax else {
            throw failure("\(dimensions.count) dimensions")
        }
        let isZeroKept = try integer("allowzero", default: 0) != 0
        var inferred: Int?
        for axis in dimensions.indices {
            if dimensions[axis] == 0, !isZeroKept {
                guard axis < tensor.shape.count else {
                    throw failure("dimension \(axis) is to be kept, and there is none")
                }
                dimensions[axis] = Int64(tensor.shape[axis])
            } else if dimensions[axis] == -1 {
                guard inferred == nil else { throw failure("two dimensions are left open") }
                inferred = axis
                dimensions[axis] = 1
            }
        }
        var (shape, count) = try self.shape(dimensions)
        if let inferred {
            guard count > 0, tensor.count.isMultiple(of: count) else {
                throw failure("\(tensor.count) elements do not fill \(dimensions)")
            }
            shape[inferred] = tensor.count / count
            count = tensor.count
        }
        guard count == tensor.count else {
            throw failure("\(tensor.count) elements do not fill \(shape)")
        }
        return tensor.reshaped(shape)
    }

    func flatten() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        let rank = Int64(tensor.shape.count)
        let value = try integer("axis", default: 1)
        guard (-rank...rank).contains(value) else {
            throw failure("axis \(value) of \(rank) dimensions")
        }
        let axis = Int(value < 0 ? value + rank : value)
        return tensor.reshaped([
            tensor.shape[..<axis].reduce(1, *), tensor.shape[axis...].reduce(1, *),
        ])
    }

    func squeeze() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        let axes = try axes(input: 1, rank: tensor.shape.count)
        if let wide = axes?.first(where: { tensor.shape[$0] != 1 }) {
            throw failure("axis \(wide) of \(tensor.shape) is not 1")
        }
        let shape = tensor.shape.indices.filter { axis in
            axes.map { !$0.contains(axis) } ?? (tensor.shape[axis] != 1)
        }.map { tensor.shape[$0] }
        return tensor.reshaped(shape)
    }

    func unsqueeze() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        let given = try integers("axes")?.count ?? optional(1)?.count ?? 0
        let rank = tensor.shape.count + given
        guard rank <= Tensor.rankMax else { throw failure("\(rank) dimensions") }
        let axes = try axes(input: 1, rank: rank) ?? []
        var rest = tensor.shape.makeIterator()
        // There are as many other axes as the tensor has.
        return tensor.reshaped((0..<rank).map { axes.contains($0) ? 1 : rest.next() ?? 1 })
    }

    func transpose() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        let rank = tensor.shape.count
        var order: [Int] = []
        for value in try integers("perm") ?? (0..<Int64(rank)).reversed() {
            order.append(try axis(value, rank: rank))
        }
        guard order.sorted() == Array(0..<rank) else {
            throw failure("perm \(order) is no order of \(rank) dimensions")
        }
        let strides = Tensor.strides(tensor.shape)
        let shape = order.map { tensor.shape[$0] }
        return tensor.picking(
            Tensor.walk(shape: shape, steps: order.map { strides[$0] }), shape: shape)
    }

    func expand() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        let wanted = try shape(try integers(1)).shape
        guard let target = Tensor.broadcast(tensor.shape, wanted) else {
            throw failure("shape \(tensor.shape) does not stretch to \(wanted)")
        }
        let (shape, _) = try self.shape(target.map { Int64($0) })
        return tensor.picking(tensor.indices(stretchedTo: shape), shape: shape)
    }

    func slice() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        let rank = tensor.shape.count
        let isOld = attribute("starts") != nil
        let starts = try isOld ? integers("starts") ?? [] : integers(1)
        let ends = try isOld ? integers("ends") ?? [] : integers(2)
        guard starts.count == ends.count, starts.count <= rank else {
            throw failure("\(starts.count) starts and \(ends.count) ends of \(rank) dimensions")
        }
        let axes = try axes(input: 3, rank: rank) ?? Array(0..<starts.count)
        let steps =
            !isOld && optional(4) != nil
            ? try integers(4) : [Int64](repeating: 1, count: starts.count)
        guard axes.count == starts.count, steps.count == starts.count else {
            throw failure("starts, axes and steps differ in number")
        }
        let strides = Tensor.strides(tensor.shape)
        var (shape, walk, origin) = (tensor.shape, strides, 0)
        for (k, axis) in axes.enumerated() {
            let (size, step) = (Int64(tensor.shape[axis]), steps[k])
            guard step != 0 else { throw failure("a step of 0") }
            let stride = step.clamped
            // Counted from the end when negative, and held within the dimension.
            func bound(_ value: Int64, _ range: ClosedRange<Int64>) -> Int64 {
                let value = value < 0 ? value.clamped + size : value
                return min(max(value, range.lowerBound), range.upperBound)
            }
            let (first, last) =
                stride > 0
                ? (bound(starts[k], 0...size), bound(ends[k], 0...size))
                : (bound(starts[k], 0...max(size - 1, 0)), bound(ends[k], -1...max(size - 1, -1)))
            let distance = stride > 0 ? last - first : first - last
            let pace = abs(stride)
            let count = size == 0 || distance <= 0 ? 0 : (distance + pace - 1) / pace
            shape[axis] = Int(count)
            walk[axis] = strides[axis] * Int(stride)
            origin += strides[axis] * Int(first)
        }
        return tensor.picking(
            Tensor.walk(shape: shape, steps: walk, start: origin), shape: shape)
    }

    func gather() throws(ExchangeError) -> Tensor {
        let tensor = try input(0)
        let indices = try input(1)
        let picked = try integers(1)
        let axis = try axis(try integer("axis", default: 0), rank: tensor.shape.count)
        let size = Int64(tensor.shape[axis])
        guard picked.allSatisfy({ (-size..<size).contains($0) }) else {
            throw failure("an index outside \(-size)..<\(size)")
        }
        let (lead, tail) = (tensor.shape[..<axis], tensor.shape[(axis + 1)...])
        let (shape, count) = try self.shape(
            (lead + indices.shape + tail).map { Int64($0) })
        let inner = tail.reduce(1, *)
        var from: [Int] = []
        from.reserveCapacity(count)
        for block in 0..<lead.reduce(1, *) {
            for index in picked {
                let row = Int(index < 0 ? index + size : index)
                let start = (block * Int(size) + row) * inner
                from.append(contentsOf: start..<start + inner)
            }
        }
        return tensor.picking(from, shape: shape)
    }

    func concat() throws(ExchangeError) -> Tensor {
        var parts: [Tensor] = []
        for index in 0..<inputCount { parts.append(try input(index)) }
        guard let first = parts.first, let along = try integer("axis") else {
            throw failure("it has no axis, or nothing to join")
        }
        let axis = try axis(along, rank: first.shape.count)
        var shape = first.shape
        shape[axis] = 0
        for part in parts {
            var other = part.shape
            guard other.count == shape.count else {
                throw failure("shapes \(first.shape) and \(part.shape) do not fit")
            }
            shape[axis] += other[axis]
            other[axis] = shape[axis]
            guard other == shape else {
                throw failure("shapes \(first.shape) and \(part.shape) do not fit")
            }
        }
        let (full, _) = try self.shape(shape.map { Int64($0) })
        let blocks = full[..<axis].reduce(1, *)
        func joined<Value>(_ values: [[Value]]) -> [Value] {
            var result: [Value] = []
            for block in 0..<blocks {
                for part in values {
                    let length = part.count / blocks
                    result += part[block * length..<(block + 1) * length]
                }
            }
            return result
        }
        let floats = parts.compactMap(\.floats)
        if floats.count == parts.count { return Tensor(full, joined(floats)) }
        let integers = parts.compactMap(\.integers)
        guard integers.count == parts.count else {
            throw failure("some inputs are of floats, others of integers")
        }
        return Tensor(full, integers: joined(integers))
    }

    func split() throws(ExchangeError) -> [Tensor] {
        let tensor = try input(0)
        let axis = try axis(try integer("axis", default: 0), rank: tensor.shape.count)
        let size = tensor.shape[axis]
        var sizes = try integers("split")
        if sizes == nil, optional(1) != nil { sizes = try integers(1) }
        let lengths: [Int]
        if let sizes {
            lengths = try shape(of: sizes, summingTo: size)
        } else {
            let parts = try integer("num_outputs", default: Int64(node.outputs.count))
            guard parts == Int64(node.outputs.count), parts > 0 else {
                throw failure("\(parts) parts for \(node.outputs.count) outputs")
            }
            // The last is smaller where they cannot be equal.
            let length = (size + Int(parts) - 1) / Int(parts)
            lengths = (0..<Int(parts)).map { max(0, min(length, size - $0 * length)) }
        }
        guard lengths.count == node.outputs.count else {
            throw failure("\(lengths.count) parts for \(node.outputs.count) outputs")
        }
        let strides = Tensor.strides(tensor.shape)
        var start = 0
        return lengths.map { length in
            var shape = tensor.shape
            shape[axis] = length
            defer { start += length * strides[axis] }
            return tensor.picking(
                Tensor.walk(shape: shape, steps: strides, start: start), shape: shape)
        }
    }

    private func shape(of sizes: [Int64], summingTo size: Int) throws(ExchangeError) -> [Int] {
        var rest = Int64(size)
        for length in sizes {
            guard (0...rest).contains(length) else {
                throw failure("parts of \(sizes.prefix(8)) of \(size)")
            }
            rest -= length
        }
        guard rest == 0 else { throw failure("parts of \(sizes.prefix(8)) of \(size)") }
        return sizes.map { Int($0) }
    }
}

extension Int64 {
    /// Within bounds no dimension reaches, so that sums with a dimension cannot overflow: ONNX writes
    /// "to the end" as the greatest integer.
    fileprivate var clamped: Int64 { Swift.min(Swift.max(self, -1 << 32), 1 << 32) }
}
