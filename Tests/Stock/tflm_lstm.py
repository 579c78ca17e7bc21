"""TFLite Micro's INT8 LSTM on the weights of our integer network, for CompressionTests and the benchmark's figures.

tflm_lstm.py run              networks on standard input, one JSON object a line; prints for each the hidden states
                              (int8) and the cell states (int16) after every step, `[N, T, H]`
tflm_lstm.py activations      prints sigmoid, tanh and, for 8 to 14 fraction bits, tanh of a cell state: of every int16
                              from -32768 up, int16
tflm_lstm.py measure UNITS    a network of random weights on a window of 14 x 1 with its dense output: bytes of the
                              file, microseconds a forecast, and the arena as the package itself records it

A network: "inputWidth" (I), "units" (H), "steps" (T), "cellFractionBits", "hiddenFractionBits"; "inputMultipliers" and
"recurrentMultipliers", the code of each of the four gates (INTEGER.md has one for each row); "inputKernel" and
"recurrentKernel", int8, our rows: input, forget, candidate, output; "bias", int32, one unit being 2^-12; "inputs",
int8, N windows of `[T, I]`, each of which starts from nothing. Arrays are little-endian, in base64.

The file is written with the schema the package ships, so that TensorFlow is not needed. The scales are such that
TFLite Micro multiplies by what our multipliers are: a step of an input is 2^-7, one of a weight the rest.
"""
import base64
import json
import sys
import time

import flatbuffers
import numpy
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

INPUT_SCALE = 2.0**-7
SUM_SCALE = 2.0**-12  # TFLite Micro's own choice for what enters an activation
#: Little-endian, as numpy names them: the schema's.
TYPES = {"<i1": schema.TensorType.INT8, "<i2": schema.TensorType.INT16, "<i4": schema.TensorType.INT32}


def multiplier(code):
    return (256 + (code & 255)) / 2.0**(code >> 8)


class File:
    """A model of one graph, tensor by tensor and operator by operator."""

    def __init__(self):
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version = 3
        self.model.subgraphs, self.model.operatorCodes = [self.graph], []
        self.model.buffers = [schema.BufferT()]  # the first is what tensors without data point to
        self.graph.tensors, self.graph.operators = [], []

    def tensor(self, shape, kind, scale, values=None, variable=False):
        """-> its index"""
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.isVariable = list(shape), TYPES[kind], variable
        tensor.name = f"t{len(self.graph.tensors)}"
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = numpy.frombuffer(numpy.asarray(values, kind).tobytes(), numpy.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, name, inputs, outputs, version=1, **options):
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name.upper())
        code.deprecatedBuiltinCode, code.version = code.builtinCode, version
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs, operator.outputs = inputs, outputs
        kind = {"unidirectional_sequence_lstm": "UnidirectionalSequenceLSTMOptions",
                "strided_slice": "StridedSliceOptions", "fully_connected": "FullyConnectedOptions"}.get(name)
        if kind:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, kind + "T")()
            for option, value in options.items():
                setattr(operator.builtinOptions, option, value)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)

    def bytes(self, inputs, outputs):
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def encoded(values, kind):
    return base64.b64encode(numpy.asarray(values, kind).tobytes()).decode()


class LSTM:
    """A network of ours as TFLite Micro has it."""

    def __init__(self, network):
        self.width, self.units = network["inputWidth"], network["units"]
        self.cell_scale = 2.0**-network["cellFractionBits"]
        self.hidden_scale = 2.0**-network["hiddenFractionBits"]
        self.input_multipliers = [multiplier(code) for code in network["inputMultipliers"]]
        self.recurrent_multipliers = [multiplier(code) for code in network["recurrentMultipliers"]]

        def numbers(name, kind, *shape):
            return numpy.frombuffer(base64.b64decode(network[name]), kind).reshape(shape)

        self.input_kernel = numbers("inputKernel", "<i1", 4, self.units, self.width)
        self.recurrent_kernel = numbers("recurrentKernel", "<i1", 4, self.units, self.units)
        self.bias = numbers("bias", "<i4", 4, self.units)
        self.windows = numbers("inputs", "<i1", -1, network["steps"], self.width)

    def add(self, file, steps):
        """Adds the layer to a file. -> the indices of input, output, hidden and cell state"""
        window = file.tensor([1, steps, self.width], "<i1", INPUT_SCALE)
        inputs = [window]
        for gate, weights in enumerate(self.input_kernel):
            scale = self.input_multipliers[gate] * SUM_SCALE / INPUT_SCALE
            inputs.append(file.tensor(weights.shape, "<i1", scale, weights))
        for gate, weights in enumerate(self.recurrent_kernel):
            scale = self.recurrent_multipliers[gate] * SUM_SCALE / self.hidden_scale
            inputs.append(file.tensor(weights.shape, "<i1", scale, weights))
        inputs += [-1, -1, -1]  # no peepholes
        for gate, bias in enumerate(self.bias):
            # In the unit of the products of inputs and weights, where the nearest is up to half a unit off.
            steps_of_bias = numpy.rint(bias / self.input_multipliers[gate])
            assert abs(steps_of_bias).max() < 2**30, "a bias beyond what TFLite Micro's sum holds"
            inputs.append(file.tensor(bias.shape, "<i4", self.input_multipliers[gate] * SUM_SCALE, steps_of_bias))
        inputs += [-1, -1]  # no projection
        hidden = file.tensor([1, self.units], "<i1", self.hidden_scale, variable=True)
        cell = file.tensor([1, self.units], "<i2", self.cell_scale, variable=True)
        inputs += [hidden, cell, -1, -1, -1, -1]  # no layer normalisation
        output = file.tensor([1, steps, self.units], "<i1", self.hidden_scale)
        file.operator(
            "unidirectional_sequence_lstm", inputs, [output],
            fusedActivationFunction=schema.ActivationFunctionType.TANH)
        return window, output, hidden, cell


def interpreter(content, arena, keep):
    config = runtime.InterpreterConfig
    return runtime.Interpreter.from_bytes(
        content, arena_size=arena,
        intrepreter_config=config.kPreserveAllTensors if keep else config.kAllocationRecording)


def run(network):
    """-> hidden and cell states after each step, which outlive an invocation of one step."""
    layer, file = LSTM(network), File()
    window, output, hidden, cell = layer.add(file, 1)
    runner = interpreter(file.bytes([window], [output]), 64 * 1024, keep=True)
    states = ([], [])
    for window in layer.windows:
        runner.reset()
        for row in window:
            runner.set_input(row.reshape(1, 1, -1), 0)
            runner.invoke()
            for index, kept in zip((hidden, cell), states):
                kept.append(runner.GetTensor(index, 0)["tensor_data"][0].copy())
            assert (runner.get_output(0)[0, 0] == states[0][-1]).all()
    return [encoded(kept, kind) for kept, kind in zip(states, ("<i1", "<i2"))]


def activations():
    every = numpy.arange(-(2**15), 2**15, dtype="<i2").reshape(1, -1)
    for name, scale in [("logistic", 2.0**-12), ("tanh", 2.0**-12)] + [("tanh", 2.0**-bits) for bits in range(8, 15)]:
        file = File()
        value, result = file.tensor(every.shape, "<i2", scale), file.tensor(every.shape, "<i2", 2.0**-15)
        file.operator(name, [value], [result])
        runner = interpreter(file.bytes([value], [result]), 1 << 20, keep=False)
        runner.set_input(every, 0)
        runner.invoke()
        print(encoded(runner.get_output(0), "<i2"))


def measure(units, steps=14, width=1):
    random = numpy.random.default_rng(1)
    layer, file = LSTM({
        "inputWidth": width, "units": units, "steps": steps, "cellFractionBits": 12, "hiddenFractionBits": 7,
        "inputMultipliers": [9 << 8] * 4, "recurrentMultipliers": [12 << 8] * 4,
        "inputKernel": encoded(random.integers(-127, 128, (4, units, width)), "<i1"),
        "recurrentKernel": encoded(random.integers(-127, 128, (4, units, units)), "<i1"),
        "bias": encoded(random.integers(-4096, 4096, (4, units)), "<i4"),
        "inputs": encoded(random.integers(-127, 128, (steps, width)), "<i1")}), File()
    window, states, _, _ = layer.add(file, steps)
    last = file.tensor([1, units], "<i1", layer.hidden_scale)
    bounds = [file.tensor([3], "<i4", None, values) for values in ([0, -1, 0], [0, 0, 0], [1, 1, 1])]
    file.operator("strided_slice", [states, *bounds], [last], beginMask=5, endMask=5, shrinkAxisMask=2)
    dense = file.tensor([1, units], "<i1", 2.0**-7, random.integers(-127, 128, (1, units)))
    bias = file.tensor([1], "<i4", layer.hidden_scale * 2.0**-7, [0])
    output = file.tensor([1, 1], "<i1", 2.0**-5)
    file.operator("fully_connected", [last, dense, bias], [output], version=4)
    content = file.bytes([window], [output])

    runner = interpreter(content, 64 * 1024, keep=False)
    runner.set_input(layer.windows, 0)
    rounds = []
    for _ in range(40):
        start = time.perf_counter()
        for _ in range(100):
            runner.invoke()
        rounds.append((time.perf_counter() - start) / 100 * 1e6)
    print(f"LSTM-{units}, {steps} x {width}: file {len(content)} bytes, "
          f"{min(rounds):.1f} us a forecast (least of 40 rounds), {sorted(rounds)[20]:.1f} on the median", flush=True)
    runner.print_allocations()  # to standard error, by the package itself


if __name__ == "__main__":
    if sys.argv[1:] == ["run"]:
        for line in sys.stdin:
            print(*run(json.loads(line)))
    elif sys.argv[1:] == ["activations"]:
        activations()
    elif len(sys.argv) == 3 and sys.argv[1] == "measure":
        measure(int(sys.argv[2]))
    else:
        sys.exit(__doc__)
