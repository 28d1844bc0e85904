"""What the subcommands share: how they print, arguments in common, and how data, splits and runs are found."""

import argparse
import ast
import hashlib
import inspect
import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import recbook as rb  # each part is loaded when it is first used: help does not wait for PyTorch
from recbook.errors import DataError, ModelError, UnknownName

RUNS = Path("runs")
SPLITS = {"last-item": "leave_last_out", "time": "by_time", "ratio": "by_ratio",
          "strong-generalisation": "strong_generalisation", "published": None}
RATING_METRICS = ("RMSE", "MAE")
CSV_COLUMNS = ("user", "item", "timestamp", "rating", "behaviour", "session")
CSV_FILES = ("items", "users", "friends")
CSV_READ = ("separator", "encoding", "header", "decimal", "ids", "dates", "items_return", "behaviours", "rating_scale")


# ------------------------------------------------------------------------------------------------ printing


def note(text):
    """Something for people that is not the result."""
    print(text, file=sys.stderr)


def show(args, rows, document=None):
    """Print rows, dicts of the same keys, as an aligned table; or with --json the document, or else the rows."""
    if args.json:
        print(json.dumps(rows if document is None else document, indent=1))
    elif rows:
        cells = [[*rows[0]], *([written(value) for value in row.values()] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        for line in cells:
            aligned = (cell.ljust(width) if isinstance(value, str) else cell.rjust(width)
                       for cell, width, value in zip(line, widths, rows[0].values()))
            print("  ".join(aligned).rstrip())


def written(value):
    """A value of a table, as text."""
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def measure(model, cases, metrics):
    """{metric: {"value", "low", "high"}}: the mean over the cases and its 95 % interval."""
    return rb.evaluate(model, cases, metrics).to_frame().to_dict("index")


def as_rows(values):
    """What `measure` gives as the rows of a table."""
    return [{"metric": metric, "value": value["value"], "95 % low": value["low"], "95 % high": value["high"]}
            for metric, value in values.items()]


# ------------------------------------------------------------------------------------------------ arguments


def add_command(where, name, function):
    """A subcommand; the docstring of its function is its help."""
    text = inspect.getdoc(function)
    command = where.add_parser(name, help=text.split("\n")[0].replace("%", "%%"), description=text,
                               formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--json", action="store_true", help="print one JSON document, for programs")
    command.set_defaults(function=function)
    return command


def positive(kind):
    """An argument that is a number of that kind above 0."""
    def read(text):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise ValueError
        return value

    read.__name__ = f"positive {kind.__name__}"  # argparse says: invalid positive int value: '0'
    return read


def seed(text):
    """An argument that NumPy and PyTorch take as a seed."""
    if not 0 <= int(text) < 2**32:
        raise ValueError
    return int(text)


def add_data(command):
    """Let a command be told which data to train on, and how to split them."""
    data = command.add_mutually_exclusive_group()
    data.add_argument("--dataset", metavar="NAME", help="default: shop; a small one: shop:n_users=300,n_events=20000")
    add_csv(command, data)
    command.add_argument("--split", metavar="NAME", help=", ".join(SPLITS))


def add_csv(command, one_of):
    """Let a command be told of a file of one's own, and how to read it."""
    one_of.add_argument("--csv", metavar="FILE", help="your own data, one interaction a line, below a header")
    for column in CSV_COLUMNS:
        command.add_argument(f"--{column}", metavar="COLUMN", help=f"with --csv: the column that holds the {column}")
    for part, what in zip(CSV_FILES, ("one item a line: its id, title, ...", "one user a line", "two users a line")):
        command.add_argument(f"--{part}", metavar="FILE", help=f"with --csv: a file with {what}")
    command.add_argument("--read", action="append", default=[], metavar="NAME=VALUE",
                         help=f"with --csv: how the files are written, as in ids=text ({', '.join(CSV_READ)})")


def add_run(command):
    """Let a command be told which run it is about."""
    command.add_argument("run", nargs="?", metavar="RUN", help="a folder of `recbook train` (default: the latest)")


def add_device(command):
    """Let a command be told where to compute."""
    command.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto",
                         help="default: auto, the GPU where there is one")


# ------------------------------------------------------------------------------------------------ data


def source_of(args, name):
    """What is kept of where the data are from: {"dataset": name} or {"csv": path, "user": column, ..., "read": {...}}."""
    columns = {column: value for column in CSV_COLUMNS if (value := getattr(args, column)) is not None}
    files = {part: whole_file(value, f"--{part}") for part in CSV_FILES if (value := getattr(args, part)) is not None}
    if args.csv:
        read = read_settings(args.read, dict.fromkeys(CSV_READ), "way to read a file")
        return {"csv": whole_file(args.csv, "--csv"), **columns, **files, "read": read}
    if columns or files or args.read:
        raise DataError("--user, --item and the like name columns of a file of your own: they go with --csv.")
    return {"dataset": name}


def whole_file(path, flag):
    """The full path of a file that can be read again and again."""
    if Path(path).exists() and not Path(path).is_file():
        raise DataError(f"{flag} {path}: a file is needed, which `recbook evaluate` can read again; this is "
                        f"{'a folder' if Path(path).is_dir() else 'a stream: save it first'}.")
    return str(Path(path).resolve())


def load_data(source):
    """The data set that `source_of` has noted."""
    if "csv" in source:
        path, options = source["csv"], {name: value for name, value in source.items() if name not in ("csv", "read")}
        dataset = rb.from_csv(path, name=Path(path).stem, **options, **source.get("read", {}))
        files = [path, *(source[part] for part in CSV_FILES if part in source)]
        return replace(dataset, files={Path(file).name: hashlib.sha256(Path(file).read_bytes()).hexdigest()
                                       for file in files})
    name, colon, parameters = source["dataset"].partition(":")
    if not colon:
        return rb.load(name)
    if name != "shop":
        raise DataError(f"{name} has no parameters; only the shop has, as in shop:n_users=300,n_events=20000.")
    from recbook.data.shop import Parameters

    known = {field.name: field.default for field in fields(Parameters)}
    try:
        dataset = rb.load("shop", **read_settings(parameters.split(","), known, "parameter of the shop"))
    except DataError as problem:
        raise DataError(f"{source['dataset']}: {problem}") from None
    return replace(dataset, name=source["dataset"])  # a checkpoint of one shop is not resumed on another


def read_settings(pairs, defaults, what):
    """`["dim=64", "l2=.01"]` as {"dim": 64, "l2": 0.01}; each value must be of its default's kind."""
    settings = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals and text):
            raise ModelError(f"{pair!r} sets nothing: write name=value, as in dim=64.")
        if name not in defaults:
            raise UnknownName(what, name, defaults)
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text
        default = defaults[name]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if default is not None and type(value) is not type(default):
            kind = {int: "a whole number", float: "a number"}.get(type(default), type(default).__name__)
            raise ModelError(f"{name}={text}: {name} is {kind}, as in {name}={default}.")
        settings[name] = value
    return settings


# ------------------------------------------------------------------------------------------------ splits, models and runs


def default_split(dataset):
    """The name of the split that a data set is usually given."""
    if isinstance(dataset.published, rb.Split):
        return "published"
    return "last-item" if dataset.truth is None else "time"


def cut(dataset, name):
    """The split of that name."""
    if name not in SPLITS:
        raise UnknownName("split", name, SPLITS)
    if name != "published":
        return getattr(rb, SPLITS[name])(dataset)
    if not isinstance(dataset.published, rb.Split):
        others = ", ".join(other for other in SPLITS if other != "published")
        count = f"{len(dataset.published)} published folds" if dataset.published else "no published split"
        raise DataError(f"{dataset.name} has {count}; choose one of {others}.")
    return dataset.published


def rated_split(split):
    """The same split, of whose cases only those with a rating are asked."""
    validation = None if split.validation is None else rated(split.validation, split.dataset.name)
    return replace(split, test=rated(split.test, split.dataset.name), validation=validation)


def rated(cases, name):
    """The cases whose answer was given a rating."""
    if cases.rating is None:
        raise ModelError(f"{name} has no ratings; a model of clicks (bpr-mf, ials, ease) learns from it.")
    if len(cases.rating) != len(cases):
        raise ModelError("Ratings are compared one a case: choose --split last-item or --split time.")
    return cases.subset(cases.rating == cases.rating)  # a rating that was not given is NaN, which equals nothing


def build(model_class, dataset, args):
    """The model, from the sizes of the data set and what `--set` says."""
    sizes = {"n_users": dataset.n_users, "n_items": dataset.n_items}
    parameters = inspect.signature(model_class).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items() if name not in sizes}
    settings = read_settings(args.set, defaults, f"setting of {args.model}")
    return model_class(**{name: size for name, size in sizes.items() if name in parameters}, **settings)


def find_device(name):
    """The device of that name, if this machine has it."""
    import torch

    if name == "cuda" and not torch.cuda.is_available() or name == "mps" and not torch.backends.mps.is_available():
        raise ModelError(f"This machine has no {name} device for PyTorch: use --device auto.")
    return rb.training.best_device(name)


def open_run(args, device="cpu", grown=False):
    """The run of that folder, or the latest: (folder, model, what is noted about it, its data set).

    grown : bool   the data are taken as they are today, and the model is carried over to them
    """
    folder = args.run
    if folder is None:
        runs = sorted(RUNS.glob("*/model.json"), key=lambda path: path.stat().st_mtime)
        if not runs:
            raise ModelError(f"No run in {RUNS}/: train a model first, as in `recbook train --model bpr-mf`.")
        folder = runs[-1].parent
        note(f"The latest run is {folder}.")
    if not (Path(folder) / "model.json").exists() and (Path(folder) / "run.json").exists():
        raise ModelError(f"The training in {folder} was interrupted: the same `recbook train` with --resume goes on.")
    model, about = rb.load_model(folder, device)
    if "source" not in about:
        raise ModelError(f"{folder} was not made by `recbook train`: it does not say which data it is about.")
    dataset = load_data(about["source"])
    if grown:
        return folder, rb.carry_over(model, dataset), about, dataset
    for file, sha256 in about["files"].items():
        if dataset.files.get(file, sha256) != sha256:  # a file that is only read for the split is not there yet
            raise DataError(f"{file} is not what {folder} was trained on: its sha256 differs. Train again, or let "
                            "`recbook recommend --grown` use the model on the data as they are now.")
    return folder, model, about, dataset
