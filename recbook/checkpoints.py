"""Models and half-finished runs on disk: weights as safetensors, everything else as JSON.

A checkpoint is a folder. The JSON file is written last and names its weights file, so a kill or a full disk at any
moment leaves the previous checkpoint or none, never half of one.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from recbook.data.ids import Ids
from recbook.errors import ModelError, UnknownName


def save_model(model, folder, **about):
    """Keep a trained model: its weights, how to build it, and the ids of the users and items that it learned.

    Parameters
    ----------
    model : Recommender
    folder : str or Path
        Made if it is not there. What it held stays until the new model is written whole.
    **about
        What else to note beside it, as JSON: the data set, metrics, ...

    Raises
    ------
    ModelError
        A model that is not of this package or is made of others, a note that is no JSON, or a folder that cannot be
        written.

    Example
    -------
    >>> model = rb.EASE(*sizes).fit(split)
    >>> rb.save_model(model, "ease", trained="today")
    >>> rb.load_model("ease")[1]["trained"]
    'today'
    """
    import recbook.models

    if getattr(recbook.models, type(model).__name__, None) is not type(model):
        raise ModelError(f"{type(model).__name__} is not a model of recbook's; keep its state_dict() yourself.")
    ids = {} if model.trained_on is None else {f"ids.{what}": as_bytes(getattr(model.trained_on, what)) for what in ("users", "items")}
    write(folder, "model", {"model": type(model).__name__, "config": model.config, **about}, model.state_dict() | ids)


def load_model(folder, device="cpu"):
    """The model kept in a folder, and what was noted about it.

    Parameters
    ----------
    folder : str or Path
        One that `save_model` or `recbook train` wrote.
    device : str or torch.device
        Where its weights go.

    Returns
    -------
    model, about : Recommender, dict

    Raises
    ------
    ModelError
        There is no checkpoint, or it does not fit the model that it names.
    UnknownName
        It names no model.

    Example
    -------
    >>> rb.save_model(rb.EASE(*sizes).fit(split), "ease")
    >>> model, about = rb.load_model("ease")
    >>> about["model"], about["config"]["l2"]
    ('EASE', 100.0)
    """
    import recbook.models

    about, weights = read(folder, "model")
    cls = getattr(recbook.models, about.get("model", ""), None)
    if cls is None:
        raise UnknownName("model", about.get("model"), recbook.models.MODELS)
    try:
        model = cls(**about["config"])
    except (TypeError, KeyError) as problem:
        raise ModelError(f"{folder}: cannot build {about['model']} from this checkpoint: {problem}.") from None
    ids = {what: weights.pop(f"ids.{what}") for what in ("users", "items") if f"ids.{what}" in weights}
    fit_weights(model, weights, folder)
    if ids:
        try:
            model.trained_on = Ids(**{what: json.loads(value.numpy().tobytes()) for what, value in ids.items()})
        except ValueError:
            raise ModelError(f"{folder}: the ids beside its weights are damaged.") from None
    return model.to(device).eval(), about


def as_bytes(ids):
    """Ids as a tensor of bytes, JSON in UTF-8: they stand beside the weights, which are written in one piece."""
    return torch.frombuffer(bytearray(json.dumps(ids, default=plain).encode()), dtype=torch.uint8)


def save_run(folder, run, model, optimiser, generator, history, best_weights):
    """Keep everything that `fit` needs to go on after this epoch."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in (best_weights or {}).items()}
    tensors |= {"generator": generator.get_state(), "dropout": torch.get_rng_state()}
    for number, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in values.items()}
    write(folder, "run", {"run": run, "history": history}, tensors)


def resume_run(folder, run, model, optimiser, generator):
    """Put a run back to where it was: (history, best_weights). A new run where there is no checkpoint."""
    if not (Path(folder) / "run.json").exists():
        return [], None
    about, tensors = read(folder, "run")
    for name, value in run.items():
        if name == "training data" and about["run"].get(name) != value:
            raise ModelError(f"{folder} was trained on other data: the training part of {run['data']} has changed since. "
                             "Choose another folder, or delete that one to start afresh.")
        if about["run"].get(name) != value:
            raise ModelError(f"{folder} holds another run: its {name} is {about['run'].get(name)!r}, this one's is "
                             f"{value!r}. Choose another folder, or delete that one to start afresh.")

    def part(prefix):
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    fit_weights(model, part("model."), folder)
    state = {}
    for name, value in part("optimiser.").items():
        number, name = name.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    generator.set_state(tensors["generator"])
    torch.set_rng_state(tensors["dropout"])
    return about["history"], part("best.") or None


def fit_weights(model, weights, folder):
    """Load weights, or say in one line which do not fit."""
    for name in model.sized_by_fit:
        buffer = model.get_buffer(name)
        if name in weights and weights[name].shape[1:] == buffer.shape[1:]:
            buffer.resize_(weights[name].shape)
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in wanted.keys() | found.keys():
        if wanted.get(name) != found.get(name):
            raise ModelError(f"{folder} does not fit this {type(model).__name__}: {name} is {found.get(name)} there "
                             f"and {wanted.get(name)} here.")
    model.load_state_dict(weights)


def write(folder, kind, about, tensors):
    """Write `kind`.json and the weights that it names."""
    folder = Path(folder)
    weights = folder / f"{kind}-{os.urandom(4).hex()}.safetensors"
    beside = folder / f".{kind}.json.{os.getpid()}"
    try:
        text = json.dumps({**about, "weights": weights.name}, indent=1, default=plain)
    except TypeError as problem:
        raise ModelError(f"{about.get('model', 'The run')} cannot be kept: {problem}.") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, weights)
        beside.write_text(text)
        os.replace(beside, folder / f"{kind}.json")
    except (OSError, SafetensorError) as problem:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
            weights.unlink(missing_ok=True)
        why = f"Could not write the checkpoint in {folder}: {problem}. Nothing there was changed."
        raise ModelError(why) from None
    for old in folder.glob(f"{kind}-*.safetensors"):
        if old != weights:
            old.unlink()


def plain(value):
    """A number of NumPy or PyTorch as JSON knows it."""
    if getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"a {type(value).__name__} among its settings is no number, text or list of these")


def read(folder, kind):
    """What `write` wrote: (about, tensors)."""
    path = Path(folder) / f"{kind}.json"
    try:
        about = json.loads(path.read_text())
        if not isinstance(about, dict):
            raise ValueError("a JSON object belongs there")
        return about, load_file(path.with_name(about["weights"]))
    except FileNotFoundError as problem:
        raise ModelError(f"No checkpoint: {problem.filename or path} does not exist.") from None
    except (OSError, TypeError, ValueError, KeyError, SafetensorError) as problem:
        raise ModelError(f"{path} is no checkpoint of recbook: {problem}") from None
