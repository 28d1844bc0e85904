"""`recbook tune`: search the settings of a model, and say how to train with the best."""

import ast
import shlex
import sys
from pathlib import Path

import recbook as rb
from recbook.cli.shared import (
    RUNS, add_command, add_data, add_device, cut, default_split, find_device, load_data, note, positive, rated_split,
    read_settings, seed, show, source_of)
from recbook.errors import ModelError

OF_TRAIN = {"epochs": "--epochs", "batch_size": "--batch-size", "learning_rate": "--learning-rate",
            "patience": "--patience"}


def add_to(commands):
    """The subcommand and its arguments."""
    command = add_command(commands, "tune", tune)
    command.add_argument("--model", required=True, metavar="NAME", help="such as bpr-mf or ease; '?' lists all")
    add_data(command)
    command.add_argument("--trials", type=positive(int), default=40, metavar="N",
                         help="how many the study shall have, earlier ones included (default: 40)")
    command.add_argument("--sampler", choices=("tpe", "random", "grid"), default="tpe", help="default: tpe")
    command.add_argument("--space", action="append", default=[], metavar="NAME=VALUES",
                         help="a setting that varies: dim=[8,16,32], dim=(8,128), \"dim=(8,128,'log')\"")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that is fixed")
    command.add_argument("--metric", metavar="METRIC", help="default: NDCG@10, or RMSE for a model of ratings")
    command.add_argument("--no-pruning", action="store_true", help="train every trial to its end")
    command.add_argument("--study", metavar="FILE", help="a file, or an address as postgresql://... "
                                                        "(default: runs/DATASET-MODEL.db)")
    command.add_argument("--name", metavar="NAME", help="of the study, where a file holds several")
    command.add_argument("--seed", type=seed, default=0, help="0 to 4294967295 (default: 0)")
    command.add_argument("--best", type=positive(int), default=10, metavar="N", help="rows of the table (default: 10)")
    add_device(command)
    command.set_defaults(to_go_on="; the same command goes on")


def tune(args):
    """Search the settings of a model by trials on the validation part: the best of them, and how to train with it.

    The study is kept in a file. The same command goes on with what is there; given in several consoles, it shares the
    trials among them. Without --space a sensible space of the model is searched. The test part is not looked at.

    Example: recbook tune --model bpr-mf --dataset ml-1m --trials 40
    Example: recbook tune --model ease --space "l2=(1,10000,'log')" --sampler grid --trials 9
    """
    model, device = rb.models.find_model(args.model), find_device(args.device)
    source = source_of(args, args.dataset or "shop")
    dataset = load_data(source)
    split_name = args.split or default_split(dataset)
    split = cut(dataset, split_name)
    if args.model in rb.models.RATING_MODELS:
        split = rated_split(split)
    space = {name: values for name, values in map(read_space, args.space)} or None
    kinds = rb.tuning.spaces.own_defaults(model) | rb.tuning.spaces.DEFAULTS
    fixed = read_settings(args.set, kinds, f"setting of {args.model}")
    name = Path(source["csv"]).stem if args.csv else dataset.name.partition(":")[0]
    study = args.study or RUNS / f"{name}-{args.model}.db"
    note(f"{split!r}; the study is kept in {study}.")
    found = rb.tune(args.model, split, space, args.trials, args.sampler, fixed, args.metric, not args.no_pruning, study,
                    args.name, args.seed, device.type, progress=sys.stderr.isatty())
    states = found.trials["state"].value_counts()
    counted = ", ".join(f"{count} {state}" for state, count in states.items())
    note(f"{len(found.trials)} trials: {counted}.")
    for problem in found.trials["problem"][found.trials["state"] == "failed"].unique()[:3]:
        note(f"One that failed: {problem}")
    best, table = found.best, found.table(args.best).astype({"epoch": int})
    rows = [{key: kept(value) for key, value in row.items()} for row in table.to_dict("records")]
    document = {"study": str(study), "model": args.model, "dataset": dataset.name, "split": split_name,
                "metric": found.metric, "value": found.value, "best": best, "trials": {state: int(count) for state, count in states.items()},
                "table": rows}
    show(args, rows, document)
    note(f"Next: {command_of(args, best, split_name)}")


def read_space(text):
    """`"dim=[8, 16]"` as ("dim", [8, 16])."""
    name, equals, values = text.partition("=")
    try:
        return name, ast.literal_eval(values)
    except (ValueError, SyntaxError):
        raise ModelError(f"--space {text}: say {rb.tuning.spaces.HOW.partition(';')[0]}.") from None


def kept(value):
    """A cell of the table as JSON and people have it."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, int | float | str | None) else str(value)


def command_of(args, best, split):
    """The command that trains with these settings, as a shell takes it."""
    words = ["recbook", "train", "--model", args.model]
    for option in ("dataset", "csv", "user", "item", "timestamp", "rating", "behaviour", "session", "items", "users",
                   "friends"):
        if getattr(args, option) is not None:
            words += [f"--{option}", getattr(args, option)]
    for value in args.read:
        words += ["--read", value]
    words += ["--split", split, *(["--seed", str(args.seed)] if args.seed else [])]
    for name, value in best.items():
        words += [OF_TRAIN[name], str(value)] if name in OF_TRAIN else ["--set", f"{name}={value}"]
    return shlex.join(words)
