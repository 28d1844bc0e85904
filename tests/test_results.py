"""Results are written whole, row by row, and say where they come from; what they say can be measured again."""

import importlib
import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recbook
from recbook import results
from recbook.data.catalog import CATALOG, DECISIONS
from recbook.data.files import Files
from recbook.errors import UnknownName
from recbook.evaluation import Report, average

MADE = ("shop", "users x1")                 # from a seed, not read; the second is the log of benchmarks/growth.py
FILES = sorted((results.CHECKOUT / "results").glob("*.json"))
ROWS = [pytest.param(path, model, id=f"{path.stem}-{model}")
        for path in FILES for model in json.loads(path.read_text())["rows"]]


# ------------------------------------------------------------------------------------------------ reading, writing


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """A data set of one file, and an empty results folder."""
    monkeypatch.setenv("RECBOOK_RESULTS", str(tmp_path))
    data = recbook.from_frame(pd.DataFrame({"user": [1, 1], "item": [1, 2]}), "two clicks")
    data.files["clicks.csv"] = "ab" * 32
    return data


def row(value=0.5, published=0.4, title="A", **more):
    measured = {"HR@10": {"value": value, "low": value - 0.1, "high": value + 0.1}}
    return {"title": title, "measured": measured, "published": {"HR@10": published}, "source": "A paper",
            "settings": {"dim": 4}, **more}


def write(dataset, seconds=1.0, **rows):
    return results.save("small", "A small table", "all items are ranked", rows, dataset, seconds)


def test_what_is_saved_is_loaded(dataset):
    write(dataset, 12.34, a=row(note="why"))
    saved = results.load("small")
    assert (saved["name"], saved["title"], saved["protocol"]) == ("small", "A small table", "all items are ranked")
    provenance = saved["rows"]["a"].pop("provenance")
    assert saved["rows"] == {"a": row(note="why")}
    assert provenance["files"] == {"clicks.csv": "ab" * 32}
    assert provenance["seconds"] == 12.3
    assert provenance["seeds"] == [0]


def test_a_comparison_is_kept_in_three_columns_with_its_paired_differences(dataset):
    shop = recbook.load("shop", n_users=60, n_events=3000)
    split = recbook.by_time(shop)
    floor, own = (cls(shop.n_users, shop.n_items).fit(split) for cls in (recbook.Popularity, recbook.PersonalPopularity))
    found = recbook.compare({"floor": floor, "own": [own, own]}, on=split.test)
    results.save_comparison("kept", "Two", "all items", found, shop, 1.0, seeds=(0, 1), settings={"own": {"reads": None}},
                            pairs=[("own", "floor")])
    frame, live = results.by_answer("kept"), found.by_answer("NDCG@10")
    pd.testing.assert_frame_equal(frame, live.loc[["floor", "own"]])
    for part in ("all", "again", "new"):
        stored = results.difference("kept", "own", than="floor", part=part)
        assert stored == pytest.approx(found.part(part).difference("own", than="floor"))
    assert results.load("kept")["rows"]["own"]["measured"]["NDCG@10 new"]["spread"] == 0
    with pytest.raises(UnknownName, match="compared with"):
        results.difference("kept", "floor", than="own")
    with pytest.raises(UnknownName, match="row of kept 'owl'"):
        results.by_answer("kept", ["owl"])


def test_what_was_made_before_is_read_and_not_made_again(tmp_path):
    users = {"HR@10": np.array([0, 0, 1]), "RMSE": np.array([1])}
    one = Report({"HR@10": np.array([1.0, 0, 1]), "RMSE": np.array([4.0])}, users)
    made = {"a": (average([one, one]), np.float64(0.25)), "b": [None, "text", {1: one}]}
    for make in (lambda: made, pytest.fail):
        back = results.kept(tmp_path / "folder" / "run of model 1, seed 0", make)
        report, number = back["a"]
        assert number == 0.25 and back["b"][:2] == [None, "text"]
        for found in (report, *report.runs, back["b"][2][1]):
            assert found["HR@10"] == one["HR@10"] and found["RMSE"] == 2 and found.users["HR@10"].tolist() == [0, 0, 1]
        assert len(report.runs) == 2
    assert results.kept(None, lambda: 5) == 5


def test_a_new_row_replaces_only_its_own(dataset):
    write(dataset, 1.0, a=row(0.1), b=row(0.2))
    before = results.load("small")["rows"]
    write(dataset, 2.0, b=row(0.3), c=row(0.4))
    after = results.load("small")["rows"]
    assert list(after) == ["a", "b", "c"]
    assert after["a"] == before["a"]
    assert [after[name]["measured"]["HR@10"]["value"] for name in after] == [0.1, 0.3, 0.4]
    assert [after[name]["provenance"]["seconds"] for name in after] == [1.0, 2.0, 2.0]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(dataset, monkeypatch):
    path = write(dataset, a=row())
    before = path.read_bytes()

    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        write(dataset, b=row())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_value_that_is_no_number_is_not_written(dataset):
    with pytest.raises(ValueError):
        write(dataset, a=row(math.nan))
    assert not list(results.folder().iterdir())


def test_an_unknown_name_is_answered_by_the_nearest(dataset):
    write(dataset, a=row())
    with pytest.raises(UnknownName, match="Did you mean 'small'"):
        results.load("smal")


def test_several_seeds_have_a_mean_and_a_spread():
    users = {"HR@10": np.arange(4)}
    reports = [Report({"HR@10": np.array(hits, dtype=float)}, users) for hits in ([1, 1, 0, 0], [1, 1, 1, 0])]
    numbers = results.summary(reports)["HR@10"]
    assert numbers["values"] == [0.5, 0.75]
    assert numbers["value"] == 0.625
    assert numbers["spread"] == pytest.approx(0.25 / 2**0.5)
    assert numbers["low"] <= 0.625 <= numbers["high"]


def test_one_seed_has_the_interval_of_its_report():
    report = Report({"RMSE": np.array([1.0, 4.0, 9.0])}, {"RMSE": np.array([0, 0, 1])})
    numbers = results.summary([report])["RMSE"]
    assert numbers == {"value": report["RMSE"], "low": report.interval("RMSE")[0], "high": report.interval("RMSE")[1]}


def test_the_table_has_measured_beside_published(dataset):
    several = row(title="B", published=0.3)
    several["measured"] = {"HR@10": {"value": 0.5, "low": 0.4, "high": 0.6, "values": [0.4, 0.6], "spread": 0.1414},
                           "HR@10 repaired": {"value": 0.45, "low": 0.4, "high": 0.5}}
    write(dataset, a=row(), b=several)
    frame = results.table("small")
    assert list(frame.columns) == ["HR@10", "HR@10 published", "HR@10 repaired"]
    assert list(frame.loc["A"]) == ["0.5000 ± 0.1000", "0.4", ""]
    assert list(frame.loc["B"]) == ["0.5000 ± 0.1000", "0.3", "0.4500 ± 0.0500"]
    first, second = [line for line in results.notes("small").data.splitlines() if line.startswith("- ")]
    assert "A paper" in first and "over" not in first
    assert "Standard deviation over 1 seeds: HR@10 0.1414" in second


def test_notes_on_two_tables_say_the_settings_once_and_of_which_table_the_rest_is(dataset):
    for table, other in (("small", {}), ("other", {"note": "Other."})):
        rows = {"a": row(note="Same.") | {"settings": {}}, "b": row(title="B", **other)}
        results.save(table, f"The {table} table", "all items are ranked", rows, dataset, 1.0)
    lines = results.notes("small", "other", models=["b", "a"]).data.splitlines()
    assert lines[0] == "<details>" and lines[-1] == "</details>"
    name = dataset.name
    assert lines[3:6] == ["**The small table**: all items are ranked.", "", "**The other table**: all items are ranked."]
    assert lines[7:-2] == [f"- **B** ({name}): dim 4.", "  - The small table: Published: A paper.",
                           "  - The other table: Published: A paper. Other.", f"- **A** ({name}).",
                           "  - The small table: Published: A paper. Same.",
                           "  - The other table: Published: A paper. Same."]


def test_gain_counts_in_the_digits_that_were_published():
    assert results.gain(row(0.45334, 0.4533), "HR@10") == 0
    assert results.gain(row(0.4532, 0.4533), "HR@10") < 0
    assert results.gain(row(0.6, 0.5), "HR@10") == pytest.approx(0.2)


def test_a_smaller_error_is_a_gain():
    rating = {"measured": {"RMSE": {"value": 0.93}}, "published": {"RMSE": 0.934}}
    assert results.gain(rating, "RMSE") == pytest.approx(0.004 / 0.934)


# ------------------------------------------------------------------------------------------------ what is in results/


@pytest.mark.parametrize("path, model", ROWS)
def test_a_row_says_where_it_comes_from(path, model):
    provenance = json.loads(path.read_text())["rows"][model]["provenance"]
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in provenance["files"].values())
    assert provenance["seeds"] and provenance["seconds"] > 0
    assert provenance["files"] or provenance["dataset"] in MADE
    assert provenance["dataset"] in {*CATALOG, DECISIONS.name, *MADE}
    assert len(provenance["code"]["commit"]) == 40 and provenance["code"]["dirty"] in (True, False)
    assert provenance["hardware"]["cpu"] and provenance["hardware"]["cores"] and provenance["hardware"]["memory"]
    assert set(provenance["versions"]) == {"python", "torch", "numpy"}
    assert pd.Timestamp(provenance["date"]).tz is not None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_file_names_a_place_on_this_machine(path):
    text = path.read_text()
    assert not [place for place in (str(Path.home()) + "/", "/tmp", "/work", "/home") if place in text]


@pytest.mark.parametrize("path, model", ROWS)
def test_a_row_reaches_what_was_published_or_says_why_not(path, model):
    """Within what was printed, or better by less than a twentieth; anything else needs a note that explains it."""
    measured = json.loads(path.read_text())["rows"][model]
    assert measured["source"] or not measured["published"]
    gains = {metric: results.gain(measured, metric) for metric in measured["published"]}
    odd = {metric: gain for metric, gain in gains.items() if not 0 <= gain < 0.05}
    assert not odd or len(measured.get("note", "")) > 40, odd


# ------------------------------------------------------------------------------------------------ measured again


def load(name):
    folder = Path(os.environ.get("RECBOOK_DATA", "absent"), name)
    if not folder.is_dir():
        pytest.skip(f"{name} is not in RECBOOK_DATA")
    return recbook.load(name)


def assert_still_true(name, model, measured):
    stored = results.load(name)["rows"][model]
    for metric, numbers in stored["measured"].items():
        assert measured["measured"][metric]["value"] == pytest.approx(numbers["value"], abs=1e-4), metric
    assert measured["settings"] == stored["settings"]


@pytest.mark.parametrize("model", ["popularity", "pure-svd"])
def test_ml_1m_ncf_is_measured_again(model):
    experiment = importlib.import_module("experiments.ml_1m_ncf")
    assert_still_true("ml_1m_ncf", model, experiment.measure(model, load("ml-1m-ncf").published))


@pytest.mark.parametrize("protocol", ["ml_100k", "ml_100k_official"])
def test_ratings_rmse_is_measured_again(protocol):
    experiment = importlib.import_module("experiments.ratings_rmse")
    load("ml-100k")
    measured = experiment.measure("bias", protocol, experiment.folds(protocol))
    assert_still_true(f"ratings_rmse_{protocol}", "bias", measured)


def test_open_bandit_is_measured_again():
    if not Path(os.environ.get("RECBOOK_DATA", "absent"), "open-bandit-small").is_dir():
        pytest.skip("open-bandit-small is not in RECBOOK_DATA")
    experiment = importlib.import_module("experiments.open_bandit")
    files = Files(DECISIONS)
    log = experiment.load("random", "men", files)
    for name, (above, below) in experiment.rows_of(log, experiment.thompson("men")).items():
        stored = results.row_of("open_bandit", f"men {name}")["measured"][experiment.METRIC]["value"]
        assert 1000 * above.sum() / below.sum() == pytest.approx(stored, abs=1e-4)


def test_replay_on_open_bandit_is_measured_again():
    if not Path(os.environ.get("RECBOOK_DATA", "absent"), "open-bandit-small").is_dir():
        pytest.skip("open-bandit-small is not in RECBOOK_DATA")
    experiment = importlib.import_module("experiments.replay_open_bandit")
    log, _ = DECISIONS.read(Files(DECISIONS), "random", "men")
    again = experiment.measure(log["action"].to_numpy(), log["reward"].to_numpy(), walks=4)
    stored = results.row_of(experiment.NAME, "men, replay")["measured"]["impressions"]
    assert stored["low"] < again["impressions"]["value"] < stored["high"]


def test_coat_is_measured_again():
    experiment = importlib.import_module("experiments.coat")
    reports, settings, _ = experiment.measure("biases", load("coat"))
    assert_still_true("coat", "biases", {"measured": results.summary(reports), "settings": settings})


def test_what_policies_earn_in_the_long_run_is_measured_again():
    experiment = importlib.import_module("experiments.shop_policies")
    shop = recbook.load("shop")
    for table, (_, settings, rows) in experiment.TABLES.items():
        regulars = recbook.Regulars(shop, **settings)
        for row, measure in rows(regulars, experiment.TabularWorld.of(regulars)):
            if row in ("best", "myopic", "uniform"):
                _, measured, chosen = measure()
                assert_still_true(table, row, {"measured": measured, "settings": chosen})


def test_ml_1m_sasrec_is_measured_again():
    experiment = importlib.import_module("experiments.sequential")
    rows = experiment.measure("ml-1m-sasrec", "popularity", load("ml-1m-sasrec").published)
    assert_still_true("ml_1m_sasrec", "popularity", rows["ml_1m_sasrec"])


def test_with_recent_only_the_last_next_items_of_each_user_train(monkeypatch):
    experiment, trained = importlib.import_module("experiments.sequential"), []
    monkeypatch.setattr(recbook, "fit", lambda model, split, **options: trained.append(split.train))
    log = pd.DataFrame({"user": [0] * 7 + [1] * 2, "item": range(9), "timestamp": range(9)})
    split = recbook.leave_last_out(recbook.from_frame(log, timestamp="timestamp"))
    for more in ({}, {"recent": 2}):
        experiment.train(split, {"model": "sasrec", "dim": 4, "length": 3, **more})
    every, recent = (part.groupby("user")["item"].apply(list).to_dict() for part in trained)
    assert len(every[0]) == 5 and recent == {0: every[0][-3:], 1: every[1]}     # three events: two next items


def test_156_negatives_are_repaired_and_no_other():
    """The 156 are the flaw that the data's own notes state."""
    split = load("ml-1m-ncf").published
    repaired = importlib.import_module("experiments.ml_1m_ncf").repaired(split)
    changed = repaired.candidates != split.test.candidates
    assert changed.sum() == 156 and changed.any(axis=1).sum() == 156
    assert (split.test.candidates[changed] == split.test.target[changed.any(axis=1)]).all()
    assert (repaired.candidates[:, 0] == split.test.target).all()
    assert not (repaired.candidates[:, 1:] == repaired.candidates[:, :1]).any()
    met = split.refit().matrix()
    users = repaired.users[changed.any(axis=1)]
    assert not any(met[user, item] for user, item in zip(users, repaired.candidates[changed]))
