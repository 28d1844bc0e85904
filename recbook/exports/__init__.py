"""Taking a trained model out of Python: `export`."""

from pathlib import Path

from recbook.errors import ModelError
from recbook.models.base import Recommender


def export(model, path):
    """Write a trained model in a form that runs without recbook: ONNX for PyTorch, a SavedModel for Keras.

    What is written is told what a `Context` holds, by the names of its fields, each a tensor: `users` (B,), `items`
    (B, L) and what else the model reads, histories oldest first, then -1. It answers `scores` (B, n_items). B and L are
    free. A user or an item is a number: which one stands beside, in the ONNX file's metadata under `recbook`, as JSON
    with `items` and `users`, the source's ids in the order of the numbers. Before a file gets its name it is asked a few
    random questions, and its answers are compared with the model's.

    Parameters
    ----------
    model : Recommender or Keras twin
    path : str or Path
        A file for ONNX, which replaces one of that name; a folder for a SavedModel, which must not be there yet.

    Returns
    -------
    path : Path

    Raises
    ------
    ModelError
        A model whose scores need more than the context, one that is no model of recbook's, a path that cannot be
        written, a graph that answers otherwise than the model, or no onnx, onnxscript and onnxruntime.

    Example
    -------
    >>> model = rb.EASE(*sizes).fit(split)
    >>> path = rb.export(model, "ease.onnx")
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(path)
    >>> (scores,) = session.run(["scores"], {"items": [[3, 7, -1], [5, 1, 2]]})
    >>> scores.shape
    (2, 48)
    """
    path = Path(path)
    is_torch = isinstance(model, Recommender)
    if not is_torch and not is_twin(model):
        raise ModelError(f"A {type(model).__name__} is exported by its own library, not by recbook.")
    if path.is_dir() if is_torch else path.exists():
        raise ModelError(f"{path} is there already: choose another name.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_torch:
            from recbook.exports.onnx_file import save_onnx as save
        else:
            from recbook.exports.saved_model import save_keras as save
        save(model, path)
    except OSError as problem:
        raise ModelError(f"{path} cannot be written ({problem.strerror}).") from None
    return path


def is_twin(model):
    """Whether it is a Keras model of this package; Keras is not loaded to find out."""
    return any(kind.__module__ == "recbook.keras.base" for kind in type(model).__mro__)
