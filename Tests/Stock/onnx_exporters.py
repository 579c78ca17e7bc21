"""Writes the graphs of real exporters in Tests/ModelExchangeTests/Fixtures: random weights, inputs, and the
outputs the framework itself gives.

    python3 Tests/Stock/onnx_exporters.py torch    # needs torch, onnx, onnxscript
    python3 Tests/Stock/onnx_exporters.py keras    # needs tensorflow-cpu, tf2onnx

Both are large, so neither is in Tests/requirements.txt: the cases are committed and the tests need no Python.
Weights differ between versions of the frameworks; a case is always whole.
"""
import os
import sys

import numpy
import onnx
from onnx import numpy_helper

FIXTURES = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ModelExchangeTests", "Fixtures")
STEPS, WIDTH, UNITS, BATCH = 5, 3, 4, 3


def save(name, model, window, output):
    def strip(graph):
        # Stack traces of the machine that exported it.
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    strip(attribute.g)
        for value in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
            del value.metadata_props[:]
        del graph.metadata_props[:]

    strip(model.graph)
    del model.metadata_props[:]
    data = os.path.join(FIXTURES, name, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    onnx.save(model, os.path.join(FIXTURES, name, "model.onnx"))
    for file, value in (("input_0.pb", window), ("output_0.pb", output)):
        with open(os.path.join(data, file), "wb") as out:
            out.write(numpy_helper.from_array(numpy.asarray(value, numpy.float32)).SerializeToString())


def from_torch():
    import torch
    from torch import nn

    torch.manual_seed(7)

    class LastStep(nn.Module):
        def __init__(self, layer, width):
            super().__init__()
            self.layer, self.head = layer, nn.Linear(width, 1)

        def forward(self, x):
            return self.head(self.layer(x)[0][:, -1, :])

    class LastState(LastStep):
        def forward(self, x):
            state = self.layer(x)[1]
            state = state[0] if isinstance(state, tuple) else state
            return self.head(state[-1]).squeeze(-1)

    def layer(cell, **options):
        return getattr(nn, cell)(WIDTH, UNITS, batch_first=True, **options)

    cases = {
        "torch-lstm": (LastStep(layer("LSTM"), UNITS), False),
        "torch-lstm-state": (LastState(layer("LSTM"), UNITS), False),
        "torch-lstm-dynamo": (LastStep(layer("LSTM"), UNITS), True),
        "torch-gru": (LastStep(layer("GRU"), UNITS), False),
        "torch-gru-dynamo": (LastState(layer("GRU"), UNITS), True),
        "torch-lstm-stacked": (LastStep(layer("LSTM", num_layers=2), UNITS), False),
        "torch-gru-bidirectional": (LastStep(layer("GRU", bidirectional=True), 2 * UNITS), False),
        "torch-rnn": (LastStep(layer("RNN"), UNITS), False),
    }
    for name, (net, dynamo) in cases.items():
        net.eval()
        window = torch.randn(BATCH, STEPS, WIDTH)
        path = os.path.join(FIXTURES, "exported.onnx")
        if dynamo:
            torch.onnx.export(
                net, (window,), path, dynamo=True, external_data=False, verbose=False,
                dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
        else:
            torch.onnx.export(
                net, (window,), path, dynamo=False, input_names=["x"], output_names=["y"],
                dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})
        save(name, onnx.load(path), window.numpy(), net(window).detach().numpy())
        os.remove(path)


def from_keras():
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import keras
    import tensorflow
    import tf2onnx

    keras.utils.set_random_seed(7)
    layers = keras.layers

    def layer(cell, **options):
        # Keras starts with biases of 0, which a converter could mix up unseen.
        return getattr(layers, cell)(UNITS, bias_initializer="glorot_uniform", **options)

    cases = {
        "keras-lstm": [layer("LSTM")],
        "keras-lstm-unrolled": [layer("LSTM", unroll=True)],
        "keras-gru": [layer("GRU")],
        "keras-gru-unrolled": [layer("GRU", unroll=True)],
        "keras-gru-reset-before": [layer("GRU", reset_after=False)],
        "keras-lstm-hidden-dense": [layer("LSTM"), layers.Dense(3, activation="relu")],
    }
    random = numpy.random.default_rng(7)
    for name, parts in cases.items():
        model = keras.Sequential(
            [layers.Input((STEPS, WIDTH)), *parts, layers.Dense(1, bias_initializer="ones")])
        function = tensorflow.function(
            lambda x: model(x),
            input_signature=[tensorflow.TensorSpec((None, STEPS, WIDTH), tensorflow.float32, name="x")])
        graph, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=17)
        window = random.normal(size=(BATCH, STEPS, WIDTH)).astype(numpy.float32)
        save(name, graph, window, model(window).numpy())


if __name__ == "__main__":
    if sys.argv[1:] == ["torch"]:
        from_torch()
    elif sys.argv[1:] == ["keras"]:
        from_keras()
    else:
        sys.exit(__doc__)
