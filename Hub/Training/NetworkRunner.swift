import Forecasting

/// Runs networks of one shape over any number of samples, in the same two halves whatever the number of cores.
///
/// Not for two threads at once.
final class NetworkRunner {
    let sampler: WindowSampler
    let shape: NetworkShape
    /// One for each of `Shards`.
    let shards: [BatchedNetwork]

    /// - Parameter batch: samples that go through at once.
    init(sampler: WindowSampler, shape: NetworkShape, batch: Int) {
        self.sampler = sampler
        self.shape = shape
        let columns = ((batch + Shards.count - 1) / Shards.count + 7) / 8 * 8
        shards = (0..<Shards.count).map { _ in
            BatchedNetwork(shape: shape, window: sampler.spec.window, columns: columns)
        }
    }

    /// The network's output for every sample.
    func outputs(_ weights: PackedWeights, _ samples: [Sample]) -> [Float] {
        collect(1, weights, samples) { network, column, output in
            output[0] = network.output[column]
        }
    }

    /// The last hidden state for every sample: `[samples, H]`.
    func hiddenStates(_ weights: PackedWeights, _ samples: [Sample]) -> [Float] {
        collect(shape.units, weights, samples) { [shape] network, column, output in
            for j in 0..<shape.units {
                output[j] = network.lastHidden[j * network.inputStride + column]
            }
        }
    }

    /// `width` values for every sample, read from the network's columns after its forward pass.
    private func collect(
        _ width: Int, _ weights: PackedWeights, _ samples: [Sample],
        read: @escaping @Sendable (BatchedNetwork, Int, UnsafeMutablePointer<Float>) -> Void
    ) -> [Float] {
        var values = [Float](repeating: 0, count: width * samples.count)
        guard !samples.isEmpty else { return values }
        let part = (samples.count + Shards.count - 1) / Shards.count
        weights.values.withUnsafeBufferPointer { weights in
            values.withUnsafeMutableBufferPointer { values in
                let shared = Unchecked(
                    (weights.baseAddress!, values.baseAddress!, shards, sampler))
                Shards.perform { shard in
                    let (weights, values, shards, sampler) = shared.value
                    let network = shards[shard]
                    network.hiddenScale.update(repeating: 1)
                    let end = min((shard + 1) * part, samples.count)
                    var low = min(shard * part, samples.count)
                    while low < end {
                        let high = min(low + network.columns, end)
                        for k in low..<high {
                            sampler.gather(samples[k], column: k - low, into: network)
                        }
                        network.forward(weights)
                        for k in low..<high { read(network, k - low, values + width * k) }
                        low = high
                    }
                }
            }
        }
        return values
    }
}

/// Carries what two threads share by agreement (each writes only its own part) past the checker.
struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
