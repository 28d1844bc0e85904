"""Data as papers cut them: MovieLens 1M by three, Gowalla by one; their own files, so that numbers can be compared.

The files number users and items anew; these numbers are kept as `original`. Where MovieLens 1M itself is on this
machine, its titles are added.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from recbook.data.frames import from_frame
from recbook.data.files import parse_number_lists
from recbook.data.readers.movielens import ml_1m_films
from recbook.data.splits import Split, cases_from_rows, leave_last_out, split_from_parts
from recbook.errors import DataError


def ml_1m_sasrec(files):
    """SASRec's sequences; `published` tests each user's last item, validates on the one before.

    W.-C. Kang and J. McAuley. Self-Attentive Sequential Recommendation. ICDM 2018.
    """
    log = files.table("ml-1m.txt", names=["user", "item"], types={"user": int, "item": int}, separator=" ")
    items = files.table("sas_to_original_items.txt", names=["item", "movie"], types={"item": int, "movie": int},
                        separator=" ")
    users = files.table("sas_to_original_users.txt", names=["user", "movielens_user"],
                        types={"user": int, "movielens_user": int}, separator=" ")
    dataset = from_frame(log, files.source.name, users=users, items=with_titles(items, files), items_return="once")
    return replace(dataset, make_published=lambda dataset: leave_last_out(dataset, mask="train"))


def ml_1m_caser(files):
    """Caser's split, in `published`: each user's first 70 % trains, the next 10 % validates, the last 20 % is tested.

    `test/train.txt` is not read: user by user it is `validation/train.txt` and then `validation/test.txt`.

    J. Tang and K. Wang. Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding. WSDM 2018.
    """
    parts = [files.table(file, names=["user", "item", "rating"], types={"user": int, "item": int, "rating": int},
                         separator=" ")
             for file in ("validation/train.txt", "validation/test.txt", "test/test.txt")]
    return in_parts("Caser", files.source.name, parts)


def in_parts(split, name, parts):
    """A data set of frames that train, validate and test, cut so in `published`."""
    dataset = from_frame(pd.concat(parts, ignore_index=True), name, items_return="once")
    part_of_row = np.repeat([0, 1, 2], [len(part) for part in parts])

    def published(dataset):
        log = dataset.interactions
        part = part_of_row[log["row"]]
        train, validation, test = (log[part == number].reset_index(drop=True) for number in range(3))
        return split_from_parts(split, dataset, train, validation, test)

    return replace(dataset, make_published=published)


def gowalla_lightgcn(files):
    """Places where people checked in, as LightGCN's authors cut them, in `published`: a line a user, then the places.

    No times and no order. A part of LightGCN's training is set aside for validation; `refit()` gives it back.

    X. He, K. Deng, X. Wang, Y. Li, Y. Zhang, M. Wang. LightGCN. SIGIR 2020.
    """
    return in_parts("LightGCN", files.source.name, [pairs(files, f"{part}.txt") for part in ("train", "valid", "test")])


def pairs(files, name):
    """The pairs of a file whose lines are a user and that user's items."""
    numbers, lengths = parse_number_lists(files.read(name), files.where(name))
    first = np.zeros(len(numbers), dtype=bool)
    first[np.cumsum(lengths) - lengths] = True
    return pd.DataFrame({"user": np.repeat(numbers[first], lengths - 1), "item": numbers[~first]})


def ml_1m_ncf(files):
    """NeuMF's split, in `published`: each user's last item is ranked among 99 published negatives.

    A case's candidates (100) are the target, then the negatives as they lie in the file, flaw included: for 156 users
    the target is among them. The files have no validation; here it is each user's last training item, ranked among
    all. The authors' `ml-1m.train.rating` is read where it is present, or else the same rows without the timestamp,
    each user's in time order (`ml-1m.train.rating.3col`).

    X. He, L. Liao, H. Zhang, L. Nie, X. Hu, T.-S. Chua. Neural Collaborative Filtering. WWW 2017.
    """
    columns = {"user": int, "item": int, "rating": float, "timestamp": int}
    timed = files.has("ml-1m.train.rating") or not files.has("ml-1m.train.rating.3col")
    kept = columns if timed else dict(list(columns.items())[:3])
    train = files.table("ml-1m.train.rating" if timed else "ml-1m.train.rating.3col", names=list(kept), types=kept,
                        separator="\t")
    test = files.table("ml-1m.test.rating", names=list(columns), types=columns, separator="\t")
    items = None
    if files.has("item_index_to_movie_id.tsv"):
        items = files.table("item_index_to_movie_id.tsv", types={"item_index": int, "movie_id": int}, separator="\t")
        items = with_titles(items.rename(columns={"item_index": "item", "movie_id": "movie"}), files)
    log = pd.concat([train, test[list(kept)]], ignore_index=True)
    dataset = from_frame(log, files.source.name, rating="rating", timestamp="timestamp" if timed else None,
                         items=items, items_return="once")

    def published(dataset):
        log = dataset.interactions
        is_test = log["row"].to_numpy() >= len(train)
        last = ~is_test & np.append(is_test[1:], True)                 # just before each user's test
        cases = cases_from_rows(dataset, np.flatnonzero(is_test))
        return Split("NeuMF", dataset, log[~is_test & ~last].reset_index(drop=True),
                     test=replace(cases, candidates=candidates(files, dataset, cases)),
                     validation=cases_from_rows(dataset, np.flatnonzero(last), known=log[~is_test & ~last]),
                     train_and_validation=log[~is_test].reset_index(drop=True))

    return replace(dataset, make_published=published)


def candidates(files, dataset, cases):
    """The candidates (N, 100) of each test case: line n, `(user,item)` and 99 negatives, belongs to case n."""
    file = "ml-1m.test.negative"
    content = files.read(file).translate(bytes.maketrans(b",", b"\t"), delete=b"()")
    values, lengths = parse_number_lists(content, files.where(file))
    width = lengths[0]
    if (lengths != width).any():
        line = (lengths != width).argmax()
        raise DataError(f"{files.where(file)}, line {line + 1}: {lengths[line] - 2} negatives, not {width - 2}.")
    lines = values.reshape(-1, width)
    user = pd.Index(dataset.users["original"]).get_indexer(lines[:, 0])
    items = pd.Index(dataset.items["original"]).get_indexer(lines[:, 1:].ravel()).reshape(-1, width - 1)
    if len(lines) != len(cases):
        raise DataError(f"{files.where(file)}: {len(lines)} lines for {len(cases)} test cases.")
    wrong = (user != cases.users) | (items[:, 0] != cases.target) | (items < 0).any(axis=1)
    if wrong.any():
        raise DataError(f"{files.where(file)}, line {wrong.argmax() + 1}: not the user, the test item and known "
                        "items that belong here.")
    return items


def with_titles(items, files):
    """The items with `title` and `category` of the column `movie`, if MovieLens 1M is on this machine."""
    movielens = files.beside("ml-1m")
    if not movielens.has("movies.dat"):
        return items
    films = ml_1m_films(movielens).rename(columns={"item": "movie"})
    files.sha256[movielens.where("movies.dat")] = movielens.sha256["movies.dat"]
    return items.merge(films, on="movie", how="left")
