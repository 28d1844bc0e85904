"""The real data sets, counted: against the table in their own README, and against what their papers say."""

import os
import re
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from recbook.data import load
from recbook.data.catalog import CATALOG
from recbook.data.files import read_bytes, read_table

FOLDER = Path(os.environ["RECBOOK_DATA"]) if os.environ.get("RECBOOK_DATA") else None

pytestmark = pytest.mark.skipif(FOLDER is None, reason="RECBOOK_DATA is not set: no real data to count")


@cache
def real(name):
    if not (FOLDER / name).is_dir():
        pytest.skip(f"{name} is not in RECBOOK_DATA")
    return load(name)


def first_number(cell):
    found = re.search(r"\d[\d,]*", cell)
    return int(found[0].replace(",", "")) if found else None


def counted():
    """The README's table: name to (users, items, interactions)."""
    readme = FOLDER / "README.md"
    if not readme.exists():
        return {}
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in readme.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    rows = [row for row in rows if row[0] in CATALOG]
    return {row[0]: tuple(map(first_number, row[2:5])) for row in rows}


@pytest.mark.parametrize("name", CATALOG)
def test_counts_agree_with_the_readme(name):
    dataset = real(name)
    if name not in counted():
        pytest.skip(f"no README.md in RECBOOK_DATA counts {name}")
    log = dataset.interactions
    if name == "diginetica-sessions":      # the README counts its training sessions; the test sessions are users too
        log = dataset.published.train_and_validation
    elif name == "coat":                   # and of Coat what people chose
        log = dataset.published.train
    assert (log["user"].nunique(), dataset.n_items, len(log)) == counted()[name]
    assert set(log["item"]) == set(range(dataset.n_items))
    assert dataset.files and all(len(sha256) == 64 for sha256 in dataset.files.values())


@pytest.mark.parametrize("name", ["hetrec2011-lastfm-2k", "ciao"])
def test_no_tie_between_users_is_lost(name):
    expected = {"hetrec2011-lastfm-2k": 25_434, "ciao": 111_781}
    assert len(real(name).friends) == expected[name]


def test_friendship_on_lastfm_is_mutual():
    friends = real("hetrec2011-lastfm-2k").friends
    ties = set(zip(friends["user"], friends["friend"]))
    assert ties == {(friend, user) for user, friend in ties}


def test_the_official_folds_of_ml_100k_test_each_rating_once():
    folds = real("ml-100k").published
    assert [(len(fold.train), len(fold.test)) for fold in folds] == [(80_000, 20_000)] * 5
    tested = Counter(pair for fold in folds for pair in zip(fold.test.users, fold.test.target))
    assert len(tested) == 100_000 and set(tested.values()) == {1}


def test_an_official_fold_trains_on_its_base_file():
    dataset = real("ml-100k")
    base = next(path for path in (FOLDER / "ml-100k").glob("u3.base*"))
    base = read_table(base, names=["user", "item", "rating", "time"], types=dict.fromkeys(
        ["user", "item", "rating", "time"], int), separator="\t")
    train = dataset.published[2].train
    assert (set(zip(dataset.users["original"].to_numpy()[train["user"]],
                    dataset.items["original"].to_numpy()[train["item"]])) == set(zip(base["user"], base["item"])))


def test_ml_1m_is_the_published_distribution_of_stars():
    stars = real("ml-1m").interactions["rating"].value_counts()
    assert stars.to_dict() == {5: 226_310, 4: 348_971, 3: 261_197, 2: 107_557, 1: 56_174}


def test_sasrec_tests_every_user_and_agrees_with_ml_1m():
    dataset, movielens = real("ml-1m-sasrec"), real("ml-1m")
    split = dataset.published
    assert (len(split.train), len(split.validation), len(split.test)) == (999_611 - 2 * 6_040, 6_040, 6_040)
    ours, theirs = dataset.interactions, movielens.interactions
    user = dataset.users["movielens_user"].to_numpy()[ours["user"]]
    movie = dataset.items["movie"].to_numpy()[ours["item"]]
    rated = movielens.users["original"].to_numpy()[theirs["user"]] * 10_000
    rated += movielens.items["original"].to_numpy()[theirs["item"]]
    assert np.isin(user * 10_000 + movie, rated).all()


def test_caser_trains_and_tests_on_its_own_files():
    dataset = real("ml-1m-caser")
    split = dataset.published
    assert len(split.train) == 702_402 and len(split.validation.target) == 99_683
    assert len(split.train_and_validation) == 802_085 and len(split.test.target) == 197_526
    assert len(split.test) == len(split.validation) == 6_040
    path = next((FOLDER / "ml-1m-caser").glob("test/train.txt*"))
    train = read_table(path, names=["user", "item", "rating"], types={"user": int, "item": int}, separator=" ")
    both = split.train_and_validation
    assert (dataset.users["original"].to_numpy()[both["user"]] == train["user"]).all()
    assert (dataset.items["original"].to_numpy()[both["item"]] == train["item"]).all()


def test_ncf_has_its_candidates_and_their_flaw():
    dataset = real("ml-1m-ncf")
    split = dataset.published
    candidates = split.test.candidates
    assert candidates.shape == (6_040, 100)
    assert (candidates[:, 0] == split.test.target).all()
    assert (candidates[:, 1:] == candidates[:, :1]).any(axis=1).sum() == 156
    known = split.train_and_validation
    owned = set(zip(known["user"], known["item"]))
    assert not any((user, item) in owned for user, row in enumerate(candidates.tolist()) for item in row)
    assert len(split.train) == 994_169 - 6_040 and len(split.train_and_validation) == 994_169
    assert len(split.validation) == 6_040 and split.test.masked is None
    assert dataset.items["movie"].is_unique


def test_diginetica_asks_the_published_examples():
    split = real("diginetica-sessions").published
    assert len(split.test) == 60_858
    assert len(np.unique(split.test.users)) == 15_963
    assert split.test.masked is None and split.test.ends.max() <= len(split.test.log.items)


def test_coats_that_were_chosen_are_liked_better_than_those_that_were_drawn():
    split = real("coat").published
    assert len(split.train) == 290 * 24 and len(split.test.rating) == 290 * 16
    assert round(split.train["rating"].mean(), 2) == 2.61 and round(split.test.rating.mean(), 2) == 2.23


def test_taobao_counts_behaviours_and_keeps_strange_times():
    log = real("taobao-userbehavior-100k").interactions
    assert log["behaviour"].value_counts().to_dict() == {"view": 89_710, "cart": 5_446, "favourite": 2_744,
                                                         "purchase": 2_101}
    first, end = 1_511_539_200, 1_512_316_800      # 25 November 2017, and the end of 3 December, in China
    assert ((log["timestamp"] < first) | (log["timestamp"] >= end)).sum() == 44


def test_ciao_keeps_its_ratings_of_zero():
    dataset = real("ciao")
    assert (dataset.interactions["rating"] == 0).sum() == 34
    assert len(dataset.interactions.drop_duplicates(["user", "item"])) == 282_650


def test_retailrocket_counts_behaviours():
    assert real("retailrocket-processed").interactions["behaviour"].value_counts().to_dict() == {
        "view": 78_371, "cart": 9_028, "purchase": 5_088}


def test_beauty_has_seven_untitled_items():
    dataset = real("amazon-beauty-2014")
    assert (dataset.items["title"] == "").sum() == 7
    assert len(set().union(*dataset.items["attributes"])) == 637
    assert len(dataset.published.test) == 22_363


def test_an_archive_holds_what_its_unpacked_files_do(tmp_path, monkeypatch):
    """MovieLens as its provider ships it, zipped here from the same files, loads to the same data set."""
    unpacked = real("ml-latest-small")
    monkeypatch.setenv("RECBOOK_DATA", str(tmp_path))
    (tmp_path / "ml-latest-small").mkdir()
    with zipfile.ZipFile(tmp_path / "ml-latest-small" / "ml-latest-small.zip", "w") as archive:
        for file in ("ratings.csv", "movies.csv", "tags.csv"):
            path = next((FOLDER / "ml-latest-small").glob(f"{file}*"))
            archive.writestr(f"ml-latest-small/{file}", read_bytes(path))
    assert load("ml-latest-small").files == unpacked.files
