"""A PyTorch model as an ONNX file, which runs wherever ONNX Runtime does, without Python and without recbook."""

import json
import logging
import os
import warnings
from contextlib import contextmanager

import numpy as np
import torch

from recbook.errors import ModelError
from recbook.exports.graphs import HISTORIES, INPUTS, graph_of, random_context

AGREES = 1e-4           # how far a score may be from the model's own, in units of the largest where that is above 1
LARGEST = 2**31 - 2**24     # bytes of one ONNX file


def save_onnx(model, path):
    """Write the model, and what its numbers stand for, and compare it with the model before it has its name."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401   PyTorch's exporter is written in it
    except ImportError:
        raise ModelError("Exporting to ONNX needs onnx, onnxscript and onnxruntime: pip install 'recbook[serving]'.") from None
    graph = graph_of(model)
    program = translated(graph, random_context(graph.inputs, model.n_users, model.n_items, cases=3, length=7))
    proto = program.model_proto
    if proto.ByteSize() > LARGEST:
        raise ModelError(f"{type(model).__name__} has {proto.ByteSize() / 2**30:.1f} GB of weights, and an ONNX file holds 2 GB.")
    onnx.helper.set_model_props(proto, {"recbook": json.dumps(about(model, graph), default=str)})
    content = proto.SerializeToString()
    refuse_differences(model, graph, onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]))
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def translated(graph, context):
    """The graph as PyTorch's exporter writes it, for any number of cases and any length of history."""
    cases, steps = torch.export.Dim("cases", min=1, max=2**20), torch.export.Dim("steps", min=1, max=2**20)
    shapes = tuple({0: cases, 1: steps} if name in HISTORIES else {0: cases} for name in graph.inputs)
    told = tuple(getattr(context, name) for name in graph.inputs)
    with torch.no_grad(), quiet("torch.onnx", "onnxscript", "onnx_ir"):
        return torch.onnx.export(graph, told, dynamo=True, dynamic_shapes=(shapes,), verbose=False,
                                 input_names=graph.inputs, output_names=["scores"])


@contextmanager
def quiet(*loggers):
    """Without what the exporter tells those who write exporters."""
    kept = {logger: logger.level for logger in map(logging.getLogger, loggers)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in kept:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in kept.items():
                logger.setLevel(level)


def about(model, graph):
    """What is needed to ask it: its inputs, and which user and item each number is."""
    ids = model.trained_on
    return {"model": type(model).__name__, "config": model.config, "inputs": graph.inputs, "padding": -1,
            "reads": getattr(model, "length", model.reads), "items": ids and ids.items,
            "users": ids and model.knows_users and ids.users or None}


def refuse_differences(model, graph, session):
    """Ask both the same; a graph that says another thing is not handed out."""
    for cases, length in ((1, 1), (5, 9), (64, 70)):
        context = random_context(graph.inputs, model.n_users, model.n_items, cases, length, seed=length)
        with torch.no_grad():
            expected = torch.as_tensor(model.scores(context.to(model.device))).float().cpu().numpy()
        found = scores_of(session, context)
        apart = np.abs(found - expected).max(initial=0) / max(1, np.abs(expected).max(initial=0))
        if not apart <= AGREES:
            raise ModelError(f"The graph of {type(model).__name__} differs from the model by {apart:.1e}: it is not written.")


def scores_of(session, context):
    """What an ONNX Runtime session says of a context: an array (B, n_items)."""
    told = {name.name: getattr(context, name.name).to(INPUTS[name.name]).numpy() for name in session.get_inputs()}
    return session.run(["scores"], told)[0]
