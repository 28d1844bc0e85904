"""`recbook train`: train a model and keep it in a folder."""

import json
import os
import sys
from pathlib import Path

import recbook as rb
from recbook.cli.shared import (
    RATING_METRICS, RUNS, add_command, add_data, add_device, as_rows, build, cut, default_split, find_device, load_data,
    measure, note, positive, rated_split, seed, show, source_of)
from recbook.errors import ModelError


def add_to(commands):
    """The subcommand and its arguments."""
    command = add_command(commands, "train", train)
    command.add_argument("--model", required=True, metavar="NAME", help="such as bpr-mf or ease; '?' lists all")
    add_data(command)
    command.add_argument("--epochs", type=positive(int), default=50, help="at most (default: 50)")
    command.add_argument("--batch-size", type=positive(int), default=2048, metavar="N", help="default: 2048")
    command.add_argument("--learning-rate", type=positive(float), default=0.01, metavar="RATE", help="default: 0.01")
    command.add_argument("--patience", type=positive(int), default=5, metavar="N",
                         help="stop after N validations without a better one (default: 5)")
    command.add_argument("--seed", type=seed, default=0, help="0 to 4294967295 (default: 0)")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the model")
    command.add_argument("--out", metavar="FOLDER", help="default: runs/DATASET-MODEL")
    command.add_argument("--resume", action="store_true", help="go on where this run was interrupted")
    add_device(command)
    command.set_defaults(to_go_on="; the same command with --resume goes on")


def train(args):
    """Train a model, stopping when validation gets no better, and keep it in a folder.

    The split is the published one where the data set has exactly one, by time for the shop, else each user's last
    item. `recbook evaluate` and `recbook recommend` then use the run.

    Example: recbook train --model bpr-mf --dataset shop --set dim=64 --set l2=.01
    Example: recbook train --model ease --csv ratings.csv --user customer --item product --timestamp when
    """
    model_class, device = rb.models.find_model(args.model), find_device(args.device)
    source = source_of(args, args.dataset or "shop")
    dataset = load_data(source)
    split_name = args.split or default_split(dataset)
    split = cut(dataset, split_name)
    of_ratings = args.model in rb.models.RATING_MODELS
    metrics = list(RATING_METRICS if of_ratings else rb.evaluation.METRICS)
    if of_ratings:
        split = rated_split(split)
    watched = None if split.validation is None else "RMSE" if of_ratings else "NDCG@10"
    if watched is None:
        note(f"The split {split.name!r} has no validation part: nothing can stop training before its last epoch.")
    name = Path(source["csv"]).stem if args.csv else dataset.name.partition(":")[0]
    folder = Path(args.out or RUNS / f"{name}-{args.model}")
    refuse_another_file(folder, source)
    if not args.resume:
        (folder / "run.json").unlink(missing_ok=True)
    note(f"{split!r}; the run goes into {folder}.")

    rb.seed_everything(args.seed)
    try:
        model = build(model_class, dataset, args)
        history = rb.fit(
            model, split, epochs=args.epochs, batch_size=args.batch_size, learning_rate=args.learning_rate,
            patience=args.patience if watched else None, metric=watched, device=device, seed=args.seed,
            progress=sys.stderr.isatty(), checkpoint=folder)
    except (ValueError, RuntimeError) as problem:  # PyTorch's and SciPy's words for a setting that cannot be
        raise ModelError(f"{args.model} cannot be trained like this: {problem}") from problem
    from recbook.probes import probe                                    # it needs PyTorch, for which help does not wait

    validation = {} if watched is None else measure(model, split.validation, metrics)
    rb.save_model(
        model, folder, name=args.model, source=source, files=dataset.files, split=split_name, metrics=metrics,
        seed=args.seed, history=json.loads(history.to_json(orient="records")), validation=validation,
        probe=probe(model, dataset))
    note(f"Saved in {folder}{f' after {len(history)} epochs' if 'loss' in history else ''}. "
         f"Next: recbook evaluate {folder}")
    show(args, as_rows(validation), document={
        "run": str(folder), "model": args.model, "config": model.config, "dataset": dataset.name, "split": split_name,
        "epochs": len(history), "validation": validation})


def refuse_another_file(folder, source):
    """A run is made anew in its folder, but not over the run of another file, and only where something can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "it cannot be written to")
    except OSError as problem:
        raise ModelError(f"{folder} can hold no run ({problem.strerror}): choose another with --out.") from None
    if (folder / "model.json").exists():
        kept = json.loads((folder / "model.json").read_text()).get("source", {})
        if "csv" in kept and kept["csv"] != source.get("csv"):
            raise ModelError(f"{folder} holds a run on {kept['csv']}: choose another folder with --out, or delete that one.")
