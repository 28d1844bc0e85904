"""What was measured, beside what was published: JSON in `results/` that pages render and nobody types by hand.

One file an experiment, one row a model. A row holds its own provenance, so that one model can be measured anew and
the others stay what they were.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from recbook.errors import RecbookError, UnknownName
from recbook.evaluation import PARTS, Report, average
from recbook.metrics import LOWER_IS_BETTER

CHECKOUT = Path(__file__).resolve().parent.parent


def folder():
    """Where results lie: $RECBOOK_RESULTS, or else `results/` beside the package."""
    return Path(os.environ.get("RECBOOK_RESULTS") or CHECKOUT / "results")


def summary(reports, metrics=None):
    """One model's numbers from its reports on the same cases, one `Report` a seed.

    Returns {metric: dict} with `value` (the mean over seeds), `low` and `high` (95 % interval: users are drawn anew,
    the seeds' case-by-case values averaged) and, of several seeds, `values` and `spread` (their standard deviation).
    """
    metrics = metrics or list(reports[0].values)
    averaged = average(reports)
    numbers = {}
    for metric in metrics:
        values = [float(report[metric]) for report in reports]
        low, high = averaged.interval(metric)
        numbers[metric] = {"value": float(np.mean(values)), "low": float(low), "high": float(high)}
        if len(values) > 1:
            numbers[metric] |= {"values": values, "spread": float(np.std(values, ddof=1))}
    return numbers


def save(name, title, protocol, rows, dataset, seconds, seeds=(0,), device="cpu"):
    """Write rows of an experiment; rows of other models that the file already has are kept.

    Parameters
    ----------
    name, title, protocol : str
        Of the file, of the table, and how its numbers are measured.
    rows : dict
        For each model's name a dict: `title`, `measured` (as `summary` makes it), `published` ({metric: value}),
        `source` (where the published values stand), `settings`, and, if something is to be explained, `note`.
    dataset : Dataset
        Its name and the sha256 of its files are noted.
    seconds : float
        How long the rows took, all seeds together.
    seeds : sequence of int
    device : str or torch.device
        Where the model was trained.

    Returns the path.
    """
    path = folder() / f"{name}.json"
    known = load(name)["rows"] if path.exists() else {}
    origin = {"dataset": dataset.name, "files": dict(sorted(dataset.files.items())), "seeds": list(seeds),
              "seconds": round(float(seconds), 1), "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
              "code": code(), "hardware": hardware(device), "versions": versions()}
    rows = known | {model: {**row, "provenance": origin} for model, row in rows.items()}
    text = json.dumps({"name": name, "title": title, "protocol": protocol, "rows": rows}, indent=1, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text + "\n")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def save_comparison(name, title, protocol, comparison, dataset, seconds, seeds=(0,), settings=None, pairs=(),
                    metrics=("NDCG@10",), device="cpu"):
    """Write a `Comparison` on questions with one right answer each: a row a model, and paired differences.

    Every metric is kept on all questions and on those whose answer was met again or is new, as "NDCG@10", "NDCG@10
    again" and "NDCG@10 new". `settings` are {model: dict}. For each pair (a, b) of `pairs`, the row of a holds under
    `less` by how much it is better than b, with the paired interval, each metric and part: `difference` reads it.

    The other arguments are those of `save`. Returns the path.
    """
    parts = {part: comparison.part(part) for part in PARTS}
    rows = {}
    for model, report in comparison.reports.items():
        measured, less = {}, {}
        for (part, cut), metric in product(parts.items(), metrics):
            runs = cut.reports[model].runs or (cut.reports[model],)
            measured[named(metric, part)] = summary(runs, [metric])[metric]
        for other in (b for a, b in pairs if a == model):
            less[other] = {named(metric, part): cut.difference(model, other, metric)
                           for (part, cut), metric in product(parts.items(), metrics)}
        rows[model] = {"title": model, "measured": measured, "published": {}, "source": "",
                       "settings": (settings or {}).get(model, {}), "less": less}
    return save(name, title, protocol, rows, dataset, seconds, seeds, device)


def named(metric, part):
    """What a metric on a part of the questions is called in a table."""
    return metric if part == "all" else f"{metric} {part}"


def difference(name, model, than, metric="NDCG@10", part="all"):
    """A stored paired difference of two rows: a dict with `difference`, `low`, `high` and `p`."""
    less = row_of(name, model).get("less", {})
    if than not in less:
        raise UnknownName(f"row that {model!r} of {name} was compared with", than, less)
    return less[than][named(metric, part)]


def by_answer(name, models=None, metric="NDCG@10"):
    """Rows of a stored comparison as a frame: a metric on `all` questions, answers met `again`, and `new` ones."""
    rows = {model: row_of(name, model) for model in models or load(name)["rows"]}
    return pd.DataFrame.from_dict({row["title"]: {part: row["measured"][named(metric, part)]["value"] for part in PARTS}
                                   for row in rows.values()}, orient="index")


def kept(path, make):
    """What `make()` gives, read from the file if it was made before: an interrupted experiment goes on.

    path : path or None, which keeps nothing. What is kept may be made of reports, numbers, text, lists and dicts; a tuple
    comes back as a list.
    """
    if path is None:
        return make()
    path = Path(f"{path}.npz")
    if not path.exists():
        arrays = {}
        what = json.dumps(packed(make(), arrays))
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{os.getpid()}-{path.name}")
        np.savez(beside, what=what, **arrays)
        os.replace(beside, path)
    with np.load(path, allow_pickle=False) as arrays:
        return unpacked(json.loads(str(arrays["what"])), arrays)


def packed(value, arrays):
    """As JSON can hold it; the arrays of reports go into `arrays`, and their numbers into the JSON."""
    if isinstance(value, Report):
        metrics = {}
        for metric in value.values:
            metrics[metric] = len(arrays)
            arrays |= {f"{len(arrays)}": value.values[metric], f"{len(arrays) + 1}": value.users[metric]}
        return {"report": metrics, "runs": [packed(run, arrays) for run in value.runs]}
    if isinstance(value, dict):
        return {"dict": [[key, packed(each, arrays)] for key, each in value.items()]}
    if isinstance(value, (list, tuple)):
        return [packed(each, arrays) for each in value]
    return value.item() if hasattr(value, "item") else value


def unpacked(value, arrays):
    """What was packed."""
    if isinstance(value, list):
        return [unpacked(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {key: unpacked(each, arrays) for key, each in value["dict"]}
    values = {metric: arrays[f"{number}"] for metric, number in value["report"].items()}
    users = {metric: arrays[f"{number + 1}"] for metric, number in value["report"].items()}
    return Report(values, users, tuple(unpacked(run, arrays) for run in value["runs"]))


def row_of(name, model):
    """One row of a table."""
    rows = load(name)["rows"]
    if model not in rows:
        raise UnknownName(f"row of {name}", model, rows)
    return rows[model]


def load(name):
    """The content of results/<name>.json: a dict with `name`, `title`, `protocol` and `rows` ({model: dict})."""
    path = folder() / f"{name}.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UnknownName("result", name, [found.stem for found in folder().glob("*.json")]) from None
    except ValueError as problem:
        raise RecbookError(f"{path} is no table of results: {problem}") from None


def table(name, models=None):
    """A frame to show in a page: one row a model, or only some; each metric as measured, then as published.

    After a measured value stands half the width of its 95 % interval.
    """
    rows, known = {}, load(name)["rows"]
    for model in models or known:
        row = known[model]
        cells = rows[row["title"]] = {}
        for metric, numbers in row["measured"].items():
            cells[metric] = f"{numbers['value']:.4f} ± {(numbers['high'] - numbers['low']) / 2:.4f}"
            if metric in row["published"]:
                cells[f"{metric} published"] = f"{row['published'][metric]}"
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def notes(*names, models=None):
    """What is to be said about some tables, folded, for a page: the protocol; of each row settings, sources, spread.

    In the order of `models`, or else of the tables. Of several tables, each model's settings once, then what each says.
    """
    from IPython.display import Markdown

    said, cards = {}, []
    for name in names:
        of_table = load(name)
        cards.append(f"**{of_table['title']}**: {of_table['protocol'].removesuffix('.')}.")
        rows = of_table["rows"]
        for row in (rows[model] for model in models or rows if model in rows):
            settings = ", ".join(f"{key} {value}" for key, value in row["settings"].items())
            spread = ", ".join(f"{metric} {numbers['spread']:.4f}"
                               for metric, numbers in row["measured"].items() if "spread" in numbers)
            parts = (row["source"] and f"Published: {row['source']}",
                     spread and f"Standard deviation over {len(row['provenance']['seeds'])} seeds: {spread}",
                     row.get("note"))
            remarks = " ".join(part.removesuffix(".") + "." for part in parts if part)
            head = f"- **{row['title']}** ({row['provenance']['dataset']})" + (settings and f": {settings}") + "."
            line = f"  - {of_table['title']}: {remarks}" if names[1:] else remarks
            said.setdefault(head, []).extend([line] if remarks else [])
    between = "\n" if names[1:] else " "
    return Markdown("\n".join(["<details>", "<summary>How this is measured, how each row was run, and why values differ"
                               "</summary>", "", "\n\n".join(cards), "",
                               *(between.join([head, *remarks]) for head, remarks in said.items()), "", "</details>"]))


def gain(row, metric):
    """By what share a row's measured value is better than the published one; negative where it falls short.

    The measured value is rounded to the digits of the published one.
    """
    published = row["published"][metric]
    digits = len(f"{published}".partition(".")[2])
    change = round(row["measured"][metric]["value"], digits) / published - 1
    return -change if metric in LOWER_IS_BETTER else change


def code():
    """The commit that ran, and whether the package or the experiments differed from it."""
    def git(*arguments):
        command = ["git", "--no-optional-locks", *arguments]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": commit is None or bool(git("status", "--porcelain", "recbook", "experiments"))}


def hardware(device="cpu"):
    """Processor, cores, memory in GiB and, where it was used, the GPU."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else None
    return {"cpu": cpu, "cores": os.cpu_count(), "memory": round(memory), "gpu": gpu}


def versions():
    """Of Python and of what computes."""
    return {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__}
