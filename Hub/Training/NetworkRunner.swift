import Forecasting

/// A network as it is run: in floats, or in a device's integers.
struct RunnableNetwork: Sendable {
    /// Beside integers what those stand for: where the straight-through gradient is taken.
    var weights: PackedWeights
    var integers: PackedIntegers?

    init(_ weights: PackedWeights) {
        self.weights = weights
    }

    /// - Returns: nil when the weights have left what integers can say.
    init?(_ weights: PackedWeights, _ quantization: any WeightQuantization) {
        guard let network = quantization.quantized(weights.unpacked) else { return nil }
        do { try network.validate() } catch { return nil }
        self.weights = PackedWeights(quantization.dequantized(network))
        integers = PackedIntegers(network)
    }

    init(_ network: IntegerNetwork, weights: PackedWeights) {
        self.weights = weights
        integers = PackedIntegers(network)
    }
}

extension BatchedNetwork {
    /// - Parameter weights: the values of the runnable network's own.
    func forward(_ network: RunnableNetwork, weights: UnsafePointer<Float>) {
        if let integers = network.integers {
            forward(integer: integers)
        } else {
            forward(weights)
        }
    }
}

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
    func outputs(_ network: RunnableNetwork, _ samples: [Sample]) -> [Float] {
        collect(1, network, samples) { network, column, output in
            output[0] = network.output[column]
        }
    }

    /// Output and last hidden state for every sample, in one pass: `[samples, 1 + H]`.
    func outputsAndHiddenStates(_ network: RunnableNetwork, _ samples: [Sample]) -> [Float] {
        collect(1 + shape.units, network, samples) { [shape] network, column, output in
            output[0] = network.output[column]
            for j in 0..<shape.units {
                output[1 + j] = network.lastHidden[j * network.inputStride + column]
            }
        }
    }

    /// `width` values for every sample, read from the network's columns after its forward pass.
    private func collect(
        _ width: Int, _ runnable: RunnableNetwork, _ samples: [Sample],
        read: @escaping @Sendable (BatchedNetwork, Int, UnsafeMutablePointer<Float>) -> Void
    ) -> [Float] {
        var values = [Float](repeating: 0, count: width * samples.count)
        guard !samples.isEmpty else { return values }
        let part = (samples.count + Shards.count - 1) / Shards.count
        runnable.weights.values.withUnsafeBufferPointer { weights in
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
                        network.forward(runnable, weights: weights)
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
