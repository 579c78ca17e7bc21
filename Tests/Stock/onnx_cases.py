"""ONNX models with inputs and the outputs the stock implementations give, for ModelExchangeTests.

onnx_cases.py nodes                    the node tests the onnx package ships: folder, tab, operators
onnx_cases.py random FOLDER SEED N     N recurrent layers of random weights and options, computed by ONNX Runtime
onnx_cases.py plain FOLDER SEED N      the same of layers that a cell of ours computes
onnx_cases.py check FILE               holds a model against onnx.checker, strictly
onnx_cases.py run FILE                 runs a model in ONNX Runtime: one window a line on standard input, its
                                       numbers in row-major order; prints the output of each

A case is a folder as the onnx package lays out its own: model.onnx and test_data_set_0/{input,output}_N.pb.
The node tests have equal weights in all gates, which hides a wrong gate order; the random ones do not.
"""
import os
import sys

import numpy
import onnx
from onnx import TensorProto, checker, helper, numpy_helper


def save_case(folder, model, inputs, outputs):
    """`inputs` and `outputs` are lists of (name, array), in the order of the graph."""
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for kind, values in (("input", inputs), ("output", outputs)):
        for index, (name, value) in enumerate(values):
            with open(os.path.join(data, f"{kind}_{index}.pb"), "wb") as file:
                file.write(numpy_helper.from_array(value, name).SerializeToString())


def nodes():
    root = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "node")
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name)
        if os.path.exists(os.path.join(path, "model.onnx")):
            graph = onnx.load(os.path.join(path, "model.onnx")).graph
            operators = sorted({f"{node.domain}.{node.op_type}".lstrip(".") for node in graph.node})
            print(path, " ".join(operators), sep="\t")


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
#: Activations, and what each takes: alpha, beta.
ACTIVATIONS = {
    "Relu": (), "Tanh": (), "Sigmoid": (), "Softsign": (), "Softplus": (),
    "Affine": (0.7, 0.2), "LeakyRelu": (0.3,), "ThresholdedRelu": (0.1,), "ScaledTanh": (0.8, 0.6),
    "HardSigmoid": (0.3, 0.4), "Elu": (0.9,),
}


def random_layer(random):
    """-> (operator, attributes, inputs as (name, array) with layout 0)"""
    kind = random.choice(["LSTM", "GRU", "RNN"])
    steps, batch, width, units = (int(random.integers(1, high)) for high in (7, 4, 6, 7))
    direction = str(random.choice(["forward", "reverse", "bidirectional"]))
    directions = 2 if direction == "bidirectional" else 1

    def sometimes(share=0.4):
        return random.random() < share

    def numbers(*shape):
        return random.normal(0, 0.7, shape).astype(numpy.float32)

    attributes = {"hidden_size": units, "direction": direction}
    if sometimes():
        names, alphas, betas = [], [], []
        for _ in range(len(DEFAULTS[kind]) * directions):
            name = str(random.choice(list(ACTIVATIONS)))
            names.append(name)
            alphas += ACTIVATIONS[name][:1]
            betas += ACTIVATIONS[name][1:]
        attributes["activations"] = names
        if alphas:
            attributes["activation_alpha"] = alphas
        if betas:
            attributes["activation_beta"] = betas
    if sometimes(0.2):
        attributes["clip"] = 0.5
    if kind == "LSTM" and sometimes(0.2):
        attributes["input_forget"] = 1
    if kind == "GRU" and sometimes(0.5):
        attributes["linear_before_reset"] = 1
    rows = GATES[kind] * units
    inputs = [
        ("X", numbers(steps, batch, width)), ("W", numbers(directions, rows, width)),
        ("R", numbers(directions, rows, units))]
    optional = [
        ("B", lambda: numbers(directions, 2 * rows)),
        ("sequence_lens", lambda: random.integers(1, steps + 1, batch).astype(numpy.int32)),
        ("initial_h", lambda: numbers(directions, batch, units))]
    if kind == "LSTM":
        optional += [
            ("initial_c", lambda: numbers(directions, batch, units)),
            ("P", lambda: numbers(directions, 3 * units))]
    for name, make in optional:
        inputs.append((name, make()) if sometimes(0.6) else ("", None))
    return kind, attributes, inputs


def plain_layer(random):
    """A layer as `random_layer` has them, without options."""
    kind = str(random.choice(["LSTM", "GRU"]))
    steps, batch, width, units = (int(random.integers(1, high)) for high in (15, 4, 21, 17))
    attributes = {"hidden_size": units}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    rows = GATES[kind] * units
    shapes = [("X", (steps, batch, width)), ("W", (1, rows, width)), ("R", (1, rows, units)), ("B", (1, 2 * rows))]
    return kind, attributes, [
        (name, random.normal(0, 0.5, shape).astype(numpy.float32)) for name, shape in shapes]


def layer_model(kind, attributes, inputs, outputs):
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in inputs if name]
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape if value is not None else None)
        for name, value in outputs]
    node = helper.make_node(
        kind, [name for name, _ in inputs], [name for name, _ in outputs], name="layer", **attributes)
    return helper.make_model(
        helper.make_graph([node], "layer", values, results), ir_version=8,
        opset_imports=[helper.make_opsetid("", 14)])


def session(model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    content = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def random_cases(folder, seed, count, layer=random_layer):
    random = numpy.random.default_rng(seed)
    number = 0
    while number < count:
        kind, attributes, inputs = layer(random)
        names = ["Y", "Y_h", "Y_c"][:3 if kind == "LSTM" else 2]
        model = layer_model(kind, attributes, inputs, [(name, None) for name in names])
        results = session(model).run(names, {name: value for name, value in inputs if name})
        # Gates without an upper bound can make a cell run away, which shows nothing but rounding.
        if any(not numpy.isfinite(value).all() or abs(value).max() > 100 for value in results):
            continue
        outputs = list(zip(names, results))
        if random.random() < 0.3:
            # ONNX Runtime has the first layout only; the second is the same numbers, batch first.
            attributes["layout"] = 1
            inputs = [
                (name, value.swapaxes(0, 1) if name in ("X", "initial_h", "initial_c") else value)
                for name, value in inputs]
            outputs = [
                (name, value.transpose(2, 0, 1, 3) if name == "Y" else value.swapaxes(0, 1))
                for name, value in outputs]
            inputs, outputs = (
                [(name, value if value is None else numpy.ascontiguousarray(value)) for name, value in list]
                for list in (inputs, outputs))
        model = layer_model(kind, attributes, inputs, outputs)
        checker.check_model(model, full_check=True)
        save_case(
            os.path.join(folder, f"case-{number:03}"), model,
            [(name, value) for name, value in inputs if name], outputs)
        number += 1


def check(path):
    model = onnx.load(path)
    checker.check_model(model, full_check=True)


def run(path):
    runner = session(path)
    (value,) = runner.get_inputs()
    for line in sys.stdin:
        numbers = numpy.array([float(word) for word in line.split()], numpy.float32)
        (output,) = runner.run(None, {value.name: numbers.reshape([1] + value.shape[1:])})
        assert output.size == 1, output.shape
        print(repr(float(output.reshape(()))))


if __name__ == "__main__":
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "nodes":
        nodes()
    elif verb == "random":
        random_cases(arguments[0], int(arguments[1]), int(arguments[2]))
    elif verb == "plain":
        random_cases(arguments[0], int(arguments[1]), int(arguments[2]), plain_layer)
    elif verb == "check":
        check(arguments[0])
    elif verb == "run":
        run(arguments[0])
    else:
        sys.exit(__doc__)
