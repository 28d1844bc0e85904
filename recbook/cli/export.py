"""`recbook export`: a trained run in a form that runs without recbook."""

from pathlib import Path

import recbook as rb
from recbook.cli.shared import add_command, add_run, note, open_run, show
from recbook.errors import ModelError

FORMATS = ("onnx", "saved-model")


def add_to(commands):
    """The subcommand and its arguments."""
    command = add_command(commands, "export", export)
    add_run(command)
    command.add_argument("--out", metavar="PATH", help="default: model.onnx, or a folder saved_model, beside the run's own files")
    command.add_argument("--format", choices=FORMATS, default="onnx",
                         help="onnx for ONNX Runtime, saved-model for TensorFlow (default: onnx)")


def export(args):
    """Write a trained model in a form that runs without recbook.

    RUN is the latest one when it is left out. It is told `items`, the histories as numbers of items, padded with -1, and
    `users`, where the model knows them; it answers `scores` of the whole catalogue. Which item a number is stands in the
    ONNX file's metadata.

    Example: recbook export runs/shop-ease --out ease.onnx
    Example: recbook export runs/shop-sasrec --format saved-model --out sasrec
    """
    folder, model, _, _ = open_run(args)
    path = args.out or Path(folder) / {"onnx": "model.onnx", "saved-model": "saved_model"}[args.format]
    if args.format == "saved-model":
        model = twin_of(model)
    path = rb.export(model, path)
    size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
    note(f"{folder} is exported to {path}; its answers were compared with the model's.")
    show(args, [{"file": str(path), "bytes": size}])


def twin_of(model):
    """The Keras model of the same name and the same weights."""
    import recbook.keras

    twin = getattr(recbook.keras, type(model).__name__, None)
    if twin is None:
        raise ModelError(f"{type(model).__name__} has no Keras twin: --format onnx exports it.")
    weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    return twin(**model.config).from_numpy(weights)
