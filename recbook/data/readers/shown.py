"""Data that were made to ask what a log leaves out: ratings of what was chosen and of what was drawn; logged decisions."""

from dataclasses import replace

import numpy as np
import pandas as pd

from recbook.data.frames import from_frame
from recbook.data.splits import Split, cases_from_rows
from recbook.errors import DataError


def coat(files):
    """Coat: each of 290 people rated 24 coats of their own choice, which train, and 16 drawn for them, which are tested.

    Users and items have the study's features, 0 or 1. The authors' propensities: `coat_propensities`.

    T. Schnabel, A. Swaminathan, A. Singh, N. Chandak, T. Joachims. Recommendations as Treatments. ICML 2016.
    """
    parts = {part: numbers(files, f"{part}.ascii") for part in ("train", "test")}
    rows = [np.column_stack([*given.nonzero(), given[given > 0]]) for given in parts.values()]
    log = pd.DataFrame(np.concatenate(rows), columns=["user", "item", "rating"]).astype(int)
    n_users, n_items = parts["train"].shape
    dataset = from_frame(log, files.source.name, rating="rating", items_return="once",
                         users=features(files, "user", n_users), items=features(files, "item", n_items))
    n_train = len(rows[0])

    def published(dataset):
        log = dataset.interactions
        is_test = log["row"].to_numpy() >= n_train
        return Split("Coat", dataset, log[~is_test].reset_index(drop=True),
                     test=cases_from_rows(dataset, np.flatnonzero(is_test)))

    return replace(dataset, make_published=published)


def coat_propensities(files):
    """The authors' chance that a coat is rated by a person, from a regression on the features: (290, 300)."""
    return numbers(files, "propensities.ascii")


def features(files, of, n):
    """The features of users or items, one row each, named as the study names them."""
    names = [line.strip() for line in files.read(f"{of}_features_map.txt").decode().splitlines() if line.strip()]
    values = numbers(files, f"{of}_features.ascii").astype(int)
    if values.shape != (n, len(names)):
        raise DataError(f"{files.where(of + '_features.ascii')}: {values.shape[0]} rows of {values.shape[1]} features, and "
                        f"not {n} rows of the {len(names)} that the map names.")
    return pd.DataFrame(values, columns=names).rename_axis(of).reset_index()


def numbers(files, file):
    """A file of rows of numbers as an array."""
    lines = [line.split() for line in files.read(file).decode().splitlines() if line.strip()]
    for number, line in enumerate(lines, start=1):
        if len(line) != len(lines[0]):
            raise DataError(f"{files.where(file)}, line {number}: {len(line)} numbers, and {len(lines[0])} in the first.")
    try:
        return np.array(lines, dtype=float)
    except ValueError as problem:
        raise DataError(f"{files.where(file)}: {problem}.") from None


def open_bandit(files, behaviour="random", campaign="all"):
    """Open Bandit: what a fashion shop showed at three places of a page, with which chance, and what was clicked.

    behaviour : "random" or "bts" (Thompson sampling), who chose; campaign : "all", "men" or "women".
    Returns the log, sorted by time (columns `action`, `position` from 1, `reward`, `propensity`, `timestamp`,
    `user_feature_0` ... and `user-item_affinity_0` ...), and the items' features, two frames.

    Y. Saito, S. Aihara, M. Matsutani, Y. Narita. Open Bandit Dataset and Pipeline. NeurIPS 2021.
    """
    where = f"{behaviour}/{campaign}"
    log = files.table(f"{where}/{campaign}.csv")
    log = log.rename(columns={"item_id": "action", "click": "reward", "propensity_score": "propensity"})
    items = files.table(f"{where}/item_context.csv")
    return log.drop(columns="").sort_values("timestamp", ignore_index=True), items.drop(columns="")
