"""The `recbook` command: look at data, train, evaluate and recommend without writing Python.

Tables for people; with `--json` one JSON document on stdout for programs. Notes and progress go to stderr. Exit
codes: 0 all well; 1 something to put right, said in one line; 2 wrong usage; 130 interrupted; 141 nobody reads on.
"""

import argparse
import ast
import hashlib
import importlib
import inspect
import json
import os
import sys
import warnings
from dataclasses import fields, replace
from pathlib import Path

import recbook as rb  # each part is loaded when it is first used: help does not wait for PyTorch
from recbook.errors import DataError, ModelError, RecbookError, UnknownName

RUNS = Path("runs")
SPLITS = {"last-item": "leave_last_out", "time": "by_time", "ratio": "by_ratio",
          "strong-generalisation": "strong_generalisation", "published": None}
RATING_MODELS = ("bias", "funk-svd", "svd++", "knn-baseline", "autorec")  # they learn ratings, and are judged by them
RATING_METRICS = ("RMSE", "MAE")
CSV_COLUMNS = ("user", "item", "timestamp", "rating", "behaviour", "session")
CSV_FILES = ("items", "users", "friends")
CSV_READ = ("separator", "encoding", "header", "decimal", "ids", "dates", "items_return", "behaviours", "rating_scale")


# ------------------------------------------------------------------------------------------------ data


def list_data(args):
    """List the data sets that `load` knows, and whether their files are here.

    present: in $RECBOOK_DATA; cached: downloaded before; downloadable: fetched when first used; by hand: its provider
    has to be visited, and `recbook data fetch NAME` says where.

    Example: recbook data list
    """
    from recbook.data.catalog import SOURCES

    rows = [("shop", "made on the spot", "A small simulated shop whose truth is known.")]
    rows += [(source.name, whereabouts(source), source.read.__doc__.split("\n")[0]) for source in SOURCES]
    show(args, [dict(zip(("name", "files", "what"), row)) for row in rows])


def whereabouts(source):
    """Where the files of a public data set are, in a word or two."""
    from recbook.data.files import Files, present

    *given, cached = Files(source).folders()
    served = source.archive or source.downloads
    if any(folder.is_dir() and any(folder.iterdir()) for folder in (given if served else [*given, cached])):
        return "present"
    if not served:
        return "by hand"
    wanted = source.downloads or [f"{source.name}.zip"]
    return "cached" if all(present(cached, file, source.name) for file in wanted) else "downloadable"


def fetch_data(args):
    """Download a data set from its provider, unless it is here, and read it once to check it.

    Example: recbook data fetch ml-1m
    """
    dataset = load_data({"dataset": args.name})
    if dataset.truth is not None:
        note("The shop is made on the spot: there is nothing to fetch.")
    else:
        from recbook.data.catalog import find_source

        source = find_source(args.name)
        note(f"{dataset!r}. Terms: {source.terms} Cite: {source.citation}")
    show(args, [{"file": file, "sha256": sha256} for file, sha256 in dataset.files.items()])


def describe_data(args):
    """Say how large a data set is and what shape it has.

    Example: recbook data describe shop:n_users=300,n_events=20000
    Example: recbook data describe --csv orders.csv --user customer --item product
    """
    if not (args.name or args.csv) or args.name and args.csv:
        raise DataError("Name a data set (`recbook data list`), or a file of your own with --csv.")
    facts = load_data(source_of(args, args.name)).describe()
    whole = {name: int(value) if value == int(value) else float(value) for name, value in facts.items()}
    show(args, [{"fact": name, "value": value} for name, value in whole.items()], document=whole)


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


# ------------------------------------------------------------------------------------------------ train


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
    metrics = list(RATING_METRICS if args.model in RATING_MODELS else rb.evaluation.METRICS)
    if args.model in RATING_MODELS:
        validation = None if split.validation is None else rated(split.validation, dataset.name)
        split = replace(split, test=rated(split.test, dataset.name), validation=validation)
    watched = None if split.validation is None else "RMSE" if args.model in RATING_MODELS else "NDCG@10"
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
    validation = {} if watched is None else measure(model, split.validation, metrics)
    rb.save_model(
        model, folder, name=args.model, source=source, files=dataset.files, split=split_name, metrics=metrics,
        seed=args.seed, history=json.loads(history.to_json(orient="records")), validation=validation)
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


def find_device(name):
    """The device of that name, if this machine has it."""
    import torch

    if name == "cuda" and not torch.cuda.is_available() or name == "mps" and not torch.backends.mps.is_available():
        raise ModelError(f"This machine has no {name} device for PyTorch: use --device auto.")
    return rb.training.best_device(name)


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


# ------------------------------------------------------------------------------------------------ evaluate


def evaluate(args):
    """Measure a trained model on the cases that were held out, with 95 % intervals.

    All items are ranked, unless --candidates asks for the sampled protocol of older papers.

    Example: recbook evaluate runs/shop-bpr-mf --metrics NDCG@10 HR@10 MRR
    """
    folder, model, about, dataset = open_run(args, find_device(args.device))
    cases = getattr(cut(dataset, about["split"]), args.part)
    if cases is None:
        raise DataError(f"The split {about['split']!r} of {dataset.name} has no {args.part} part.")
    metrics = args.metrics or about["metrics"]
    protocol = "all items are ranked"
    if args.candidates:
        cases = rb.sample_candidates(cases, args.candidates)
        protocol = (f"the sampled protocol: each right item among {args.candidates} random ones. It favours "
                    "popularity; use it only to reproduce a published number")
    elif cases.candidates is not None:
        protocol = f"only the {cases.candidates.shape[1]} published candidates of each case are ranked"
    if set(metrics) & set(RATING_METRICS):
        if about["name"] not in RATING_MODELS:
            raise ModelError(f"{about['name']} ranks and predicts no ratings, which RMSE and MAE compare: "
                             f"{', '.join(RATING_MODELS)} do.")
        asked = rated(cases, dataset.name)
        if set(metrics) <= set(RATING_METRICS):
            cases, protocol = asked, "ratings are compared with those that were given"
    values = measure(model, cases, metrics)
    note(f"{folder}: {len(cases):,} {args.part} cases of {dataset.name}, split {about['split']}; {protocol}.")
    show(args, as_rows(values), document={
        "run": str(folder), "model": about["name"], "dataset": dataset.name, "split": about["split"],
        "part": args.part, "cases": len(cases), "protocol": protocol, "metrics": values})


def measure(model, cases, metrics):
    """{metric: {"value", "low", "high"}}: the mean over the cases and its 95 % interval."""
    return rb.evaluate(model, cases, metrics).to_frame().to_dict("index")


def as_rows(values):
    """What `measure` gives as the rows of a table."""
    return [{"metric": metric, "value": value["value"], "95 % low": value["low"], "95 % high": value["high"]}
            for metric, value in values.items()]


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


# ------------------------------------------------------------------------------------------------ recommend


def recommend(args):
    """Recommend items to a user, or to somebody whose history is given by titles or ids.

    RUN is the latest one when it is left out. Items that the user has are not recommended, unless the data set is one
    where items return.

    Example: recbook recommend runs/ml-1m-ease --user 42 -k 5
    Example: recbook recommend runs/ml-1m-ease --history "Toy Story (1995)" "Heat (1995)"
    Example: recbook recommend runs/ml-1m-ease --where genres=Drama --all --out lists.parquet
    """
    folder, model, about, dataset = open_run(args, grown=args.grown)
    allowed = None if args.where is None else items_where(dataset, args.where)
    if args.all:
        if not args.out:
            raise ModelError("--all writes lists for every user: say where to with --out lists.parquet.")
        ids = None if allowed is None else dataset.items["original"].iloc[allowed].tolist()
        k = min(args.k, dataset.n_items if allowed is None else len(allowed))
        note(f"Lists for {dataset.n_users:,} users go into {args.out}; the same command goes on where it is interrupted.")
        rb.lists(model, dataset, args.out, k=k, items=ids)
        show(args, [{"users": dataset.n_users, "k": k, "lists": str(args.out)}])
        return
    if args.out:
        raise ModelError("--out is where --all writes to.")
    known = [str(original) for original in dataset.users["original"]]
    if args.history:
        who = None
        items = [find_item(dataset, text) for text in args.history]
        context = typed_context(model, dataset, items, about["name"])
    else:
        who = args.user
        if who is None:
            who = known[0]
            note(f"Neither --user nor --history is given: this is for the first user, {who}.")
        if who not in known:
            raise UnknownName(f"user of {dataset.name}", who, known)
        context = dataset.history(dataset.users["original"].iloc[known.index(who)], model.reads)
        items = dataset.interactions["item"][dataset.interactions["user"] == known.index(who)].tolist()
    hidden = None
    if not dataset.items_return:
        import torch

        hidden = torch.tensor([items], dtype=torch.long)
    best, scores = (values[0].tolist() for values in model.top(context, min(args.k, dataset.n_items), hidden, allowed))
    found = [(item, score) for item, score in zip(best, scores) if item >= 0]   # -1: there are no more

    def called(item):
        return {"item": str(dataset.items["original"].iloc[item]), "title": dataset.title(item)}

    history = [called(item) for item in items[-5:]]
    if not args.json:
        print(f"Last items of {'this history' if who is None else f'user {who}'}, oldest first:")
        print("".join(f"  {item['title']}\n" for item in history) or "  none\n")
        print(f"Recommended by {about['name']}:")
    document = {"run": str(folder), "user": who, "history": history, "recommendations": [
        {**called(item), "score": score} for item, score in found]}
    show(args, [{"": place, "score": row["score"], "title": row["title"]}
                for place, row in enumerate(document["recommendations"], start=1)], document)


def typed_context(model, dataset, items, name):
    """What the model is told about somebody whom it has never met: items that were viewed in this order."""
    import pandas as pd

    if model.knows_users:
        raise ModelError(f"{name} knows users by their id and cannot read a history; ease, pure-svd and ials can. "
                         "Train one of them, or ask for a user that it knows with --user.")
    now = dataset.interactions["timestamp"].max()
    log = pd.DataFrame({"user": 0, "item": items, "timestamp": now})
    unsaid = {"rating": float("nan"), "session": 0, "behaviour": "view"}
    log = log.assign(**{column: value for column, value in unsaid.items() if column in dataset.interactions})
    return replace(rb.data.splits.history(rb.data.splits.Log(log, 1), [0], [now], model.reads), users=None)


def items_where(dataset, text):
    """Numbers of the items of `column=value`; where a column holds several values, as "Comedy|Drama", one of them."""
    from recbook.data.features import parts_of

    column, equals, value = text.partition("=")
    if not (column and equals and value):
        raise ModelError(f"--where {text}: write column=value, as in genres=Drama.")
    if column not in dataset.items or column == "original":
        raise UnknownName(f"column of the items of {dataset.name}", column, set(dataset.items) - {"original"})
    parts = [{str(part) for part in parts_of(cell)} | {str(cell)} for cell in dataset.items[column]]
    found = [number for number, own in enumerate(parts) if value in own]
    if not found:
        raise UnknownName(f"{column} of {dataset.name}", value, set().union(*parts))
    return found


def find_item(dataset, text):
    """The item of that id, or else of that title, however its letters are written."""
    originals = dataset.items["original"].astype(str)
    ids = originals.tolist()
    if text in ids:
        return ids.index(text)
    titles = dataset.items.get("title", originals).fillna(originals).tolist()
    found = [item for item, title in enumerate(titles) if title.casefold() == text.casefold()]
    if len(found) > 1:
        same = ", ".join(ids[item] for item in found)
        raise DataError(f"{len(found)} items are called {text!r}: say which one by its id, {same}.")
    if not found:
        near = [title for title in titles if text.casefold() in title.casefold()]
        raise UnknownName(f"item of {dataset.name}", text, near or titles)
    return found[0]


# ------------------------------------------------------------------------------------------------ off-policy


def off_policy(args):
    """Say what another policy would have earned, from a log of decisions.

    The log is a CSV file, one decision a line below a header: what was shown, the chance with which it was shown (its
    propensity), and the reward. --policy is a column of the log, with the chance of the new policy to show the same, or
    a CSV file with the columns action, probability and those of the log that its choice depends on, such as position.

    Example: recbook off-policy decisions.csv --policy new.csv --action item --reward click
    """
    found = rb.off_policy.evaluate(
        whole_file(args.log, "the log"), args.policy, action=args.action, propensity=args.propensity, reward=args.reward,
        position=args.position, visit=args.visit, together=args.together, most=args.most, interval=args.interval, seed=args.seed)
    rows = [{"estimator": name, **row} for name, row in found.table.to_dict("index").items()]
    mean = found.mean_weight
    if not args.json:
        logged = {"estimator": "(the log itself)", **found.logged}
        show(args, [*rows, logged])
        note(f"{found.n:,} decisions, worth {found.effective:,.0f} of the new policy's own; heaviest weight {found.heaviest:.1f}; mean "
             f"weight {mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f}).")
        return
    show(args, rows, {"estimates": rows, "logged": found.logged, "n": found.n, "effective": found.effective,
                      "heaviest": found.heaviest, "mean_weight": mean, "unsupported": found.unsupported,
                      "warnings": found.warnings})


# ------------------------------------------------------------------------------------------------ experiment


def experiment(args):
    """List the experiments of this checkout, or run one: it writes its tables to results/.

    What follows the name is for the experiment itself.

    Example: recbook experiment
    """
    root = next((folder for folder in (Path.cwd(), *Path.cwd().parents)
                 if (folder / "experiments").is_dir() and (folder / "recbook").is_dir()), None)
    if root is None:
        raise RecbookError("Experiments are part of the repository: run this in a checkout of recbook, "
                           "which has a folder experiments/.")
    paths = {path.stem: path for path in sorted((root / "experiments").glob("*.py")) if path.stem[0] != "_"}
    if args.name is None:
        lines = {name: (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
                 for name, path in paths.items()}
        show(args, [{"name": name, "what": line} for name, line in lines.items()])
    elif args.name not in paths:
        raise UnknownName("experiment", args.name, paths)
    else:
        sys.path.insert(0, str(root))
        importlib.import_module(f"experiments.{args.name}").main(args.arguments)


# ------------------------------------------------------------------------------------------------ the command line


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


def make_parser():
    """All subcommands and their arguments; the docstring of a subcommand's function is its help."""
    parser = argparse.ArgumentParser("recbook", description="Recommender systems to read, run and check.",
                                     epilog="Example: recbook train --model ease, then recbook recommend")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(where, name, function):
        text = inspect.getdoc(function)
        command = where.add_parser(name, help=text.split("\n")[0].replace("%", "%%"), description=text,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
        command.add_argument("--json", action="store_true", help="print one JSON document, for programs")
        command.set_defaults(function=function)
        return command

    data = commands.add_parser("data", help="List, fetch and describe data sets.",
                               epilog="Example: recbook data list").add_subparsers(required=True, metavar="COMMAND")
    add(data, "list", list_data)
    add(data, "fetch", fetch_data).add_argument("name", metavar="NAME")
    command = add(data, "describe", describe_data)
    command.add_argument("name", nargs="?", metavar="NAME")
    add_csv(command, command)

    command = add(commands, "train", train)
    command.add_argument("--model", required=True, metavar="NAME", help="such as bpr-mf or ease; '?' lists all")
    data = command.add_mutually_exclusive_group()
    data.add_argument("--dataset", metavar="NAME", help="default: shop; a small one: shop:n_users=300,n_events=20000")
    add_csv(command, data)
    command.add_argument("--split", metavar="NAME", help=", ".join(SPLITS))
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

    command = add(commands, "evaluate", evaluate)
    add_run(command)
    command.add_argument("--metrics", nargs="+", metavar="METRIC", help="such as NDCG@10 HR@5 MRR RMSE")
    command.add_argument("--part", choices=("test", "validation"), default="test", help="default: test")
    command.add_argument("--candidates", type=positive(int), metavar="N",
                         help="rank each right item among N random ones: the sampled protocol of older papers")
    add_device(command)

    command = add(commands, "recommend", recommend)
    add_run(command)
    whom = command.add_mutually_exclusive_group()
    whom.add_argument("--user", metavar="ID", help="as in the source of the data; the first one by default")
    whom.add_argument("--history", nargs="+", metavar="ITEM", help="titles or ids, oldest first")
    whom.add_argument("--all", action="store_true", help="every user: a table in Parquet, written to --out")
    command.add_argument("--out", metavar="FOLDER", help="with --all: where the lists go")
    command.add_argument("--where", metavar="COLUMN=VALUE", help="only items of which this is so")
    command.add_argument("--grown", action="store_true", help="use the model on the data as they are now")
    command.add_argument("-k", type=positive(int), default=10, help="how many items (default: 10)")

    command = add(commands, "off-policy", off_policy)
    command.add_argument("log", metavar="FILE", help="the decisions: a CSV file")
    command.add_argument("--policy", required=True, metavar="FILE|COLUMN", help="the policy to be judged")
    for column in ("action", "propensity", "reward", "position"):
        command.add_argument(f"--{column}", default=column, metavar="COLUMN",
                             help=f"the column that holds the {column} (default: {column})")
    command.add_argument("--visit", metavar="COLUMN", help="whose rows were shown together: the value is a visit's")
    command.add_argument("--together", metavar="COLUMN", help="who is drawn anew in an interval, such as the user")
    command.add_argument("--most", type=positive(float), default=10.0, metavar="WEIGHT", help="where weights are clipped (default: 10)")
    command.add_argument("--interval", choices=("normal", "bootstrap"), default="normal", help="default: normal")
    command.add_argument("--seed", type=seed, default=0, help="0 to 4294967295 (default: 0)")

    command = add(commands, "experiment", experiment)
    command.add_argument("name", nargs="?", metavar="NAME")
    command.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    return parser


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


def main(arguments=None):
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):                             # a console that cannot show a letter shows its number
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:                                              # closed by who called: there is nobody to print for
        sys.stdout = open(os.devnull, "w")
    args = make_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *where: note(f"recbook: {message}")     # without a place in the code
            args.function(args)
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it closes stdout
        return 141
    except (RecbookError, OSError) as problem:
        note("recbook: " + " ".join(str(problem).split()))
        return 1
    except MemoryError:
        note("recbook: this needs more memory than there is: ask for less, by smaller settings or data.")
        return 1
    except KeyboardInterrupt:
        note("recbook: interrupted" + ("; the same command with --resume goes on" if args.function is train else ""))
        return 130
