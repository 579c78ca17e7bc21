extension NodeCall {
    /// Runs the body while its condition holds, at most as often as input 0 says.
    ///
    /// Body inputs: iteration, condition, carried values; outputs: condition, carried values, and values
    /// of which those of all iterations are stacked.
    func loop(budget: inout ONNXEvaluator.Budget) throws(ExchangeError) -> [Tensor] {
        guard case .graph(let body) = attribute("body") else { throw failure("it has no body") }
        let carriedCount = max(inputCount - 2, 0)
        let inputs = body.openInputs.map(\.name)
        guard inputs.count == carriedCount + 2, body.outputs.count > carriedCount else {
            throw failure(
                "its body has \(inputs.count) inputs and \(body.outputs.count) outputs for "
                    + "\(carriedCount) carried values")
        }
        let trips = optional(0) == nil ? nil : try integers(0).first
        var goesOn = optional(1) == nil ? true : try integers(1).first != 0
        var carried: [Tensor] = []
        for index in 0..<carriedCount { carried.append(try input(index + 2)) }
        var stacks = [[Tensor]](repeating: [], count: body.outputs.count - 1 - carriedCount)
        var iteration: Int64 = 0
        while goesOn, iteration < trips ?? .max {
            // An empty body costs something too: this bounds the loop.
            try budget.spend(nodes: 1 + body.initializers.count, at: node)
            let scope = ONNXEvaluator.Scope([:], outer: self.scope)
            scope.values[inputs[0]] = Tensor([], integers: [iteration])
            scope.values[inputs[1]] = Tensor([], integers: [1])
            for (name, value) in zip(inputs[2...], carried) { scope.values[name] = value }
            let outputs = try ONNXEvaluator.run(body, scope: scope, budget: &budget)
            guard let condition = outputs[0].integers?.first else {
                throw failure("its condition is no truth value")
            }
            goesOn = condition != 0
            carried = Array(outputs[1...carriedCount])
            for index in stacks.indices {
                let value = outputs[1 + carriedCount + index]
                try budget.spend(elements: value.count, at: node)
                stacks[index].append(value)
            }
            iteration += 1
        }
        var stacked: [Tensor] = []
        for stack in stacks {
            guard let first = stack.first, stack.allSatisfy({ $0.shape == first.shape }) else {
                throw failure("its iterations give values of different shapes, or there are none")
            }
            let (shape, _) = try shape(([stack.count] + first.shape).map { Int64($0) })
            let floats = stack.compactMap(\.floats)
            let integers = stack.compactMap(\.integers)
            if floats.count == stack.count {
                stacked.append(Tensor(shape, floats.flatMap { $0 }))
            } else if integers.count == stack.count {
                stacked.append(Tensor(shape, integers: integers.flatMap { $0 }))
            } else {
                throw failure("its iterations give floats and integers")
            }
        }
        return carried + stacked
    }
}
