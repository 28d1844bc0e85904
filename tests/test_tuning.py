"""The search for settings: what it finds, what it keeps, what it survives, and what it refuses."""

import json
import multiprocessing
import os
import sqlite3

import numpy as np
import pandas as pd
import pytest
import torch

import recbook as rb
from recbook.cli import main
from recbook.errors import DataError, ModelError, UnknownName
from recbook.models import MODELS, RATING_MODELS
from recbook.settings import check

pytest.importorskip("optuna")
from recbook.tuning import spaces  # noqa: E402

SHOP = "shop:n_users=60,n_events=3000"
LOG = (1, 1000, "log")


@pytest.fixture(scope="module")
def split():
    return rb.by_time(rb.load("shop", n_users=60, n_items=48, n_events=2000))


class Toy(rb.Recommender):
    """The nearer `alpha` is to .3, the higher the right items of the split come; no time is spent on training."""

    def __init__(self, n_users, n_items, alpha=1.0, k=1):
        super().__init__()
        self.n_users, self.n_items, self.alpha, self.k = n_users, n_items, alpha, k
        self.register_buffer("count", torch.zeros(n_items))

    def fit(self, split):
        counts = np.bincount(split.train["item"], minlength=self.n_items)
        noise = np.random.default_rng(0).permutation(self.n_items) * abs(self.alpha - 0.3) * 100
        self.count = torch.tensor(counts + noise, dtype=torch.float32)
        return self

    def scores(self, context, items=None):
        return self.count.expand(len(context), -1)


def toy(split, **options):
    return rb.tune(Toy, split, {"alpha": (0.0, 1.0), "k": [1, 2, 3]}, **{"trials": 8, "progress": False} | options)


def without_time(found):
    """The table of trials less what no two runs share: (rows, without numbers and seconds)."""
    return found.trials.drop(columns=["trial", "seconds"]).values.tolist()


# ------------------------------------------------------------------------------------------------ spaces


@pytest.mark.parametrize("name", MODELS)
def test_a_space_of_every_model_gives_models_that_can_be_built(name, split):
    """With everything at its lowest, and with everything at its highest; sizes fit small data."""
    model, space = MODELS[name], spaces.space_of(name, split)
    if name == "popularity":
        with pytest.raises(ModelError, match="nothing to choose: Popularity"):
            rb.tune(name, split)
        return
    read = spaces.read(model, space, {})
    for end in (0, -1):
        settings = {setting: wanted[end] if isinstance(wanted, list) else wanted[-1 - (len(wanted) == 3) if end else 0]
                    for setting, wanted in read.items()}
        own, training = spaces.parts(model, settings)
        built = model(**spaces.sizes_of(model, split), **own)
        assert set(own) <= set(built.config) and set(training) <= set(spaces.TRAINING)
        assert all(check(setting, value) is None for setting, value in training.items())
        if hasattr(model, "fit") and name not in RATING_MODELS:
            built.fit(split)
    assert set(spaces.SPACES) == set(MODELS)


def test_a_space_is_read_by_the_kind_of_its_setting(split):
    read = spaces.read(rb.BPRMF, {"dim": (8, 16), "l2": (0, 1), "learning_rate": (1, 10, "log")}, {})
    assert read == {"dim": (8, 16), "l2": (0.0, 1.0), "learning_rate": (1.0, 10.0, "log")}
    assert [type(low) for low, *_ in read.values()] == [int, float, float]


@pytest.mark.parametrize("space, fixed, because", [
    ({"dims": [8]}, {}, "Unknown setting of BPRMF 'dims'. Did you mean 'dim'?"),
    ({"n_users": [8]}, {}, "Unknown setting of BPRMF 'n_users'"),
    ({"dim": [8]}, {"dims": 3}, "Did you mean 'dim'?"),
    ({"dim": [8]}, {"dim": 3}, "dim is to vary and is fixed"),
    ({"dim": [8, 0]}, {}, "dim=0: a whole number of at least 1"),
    ({"dim": (0, 8)}, {}, "dim=0: a whole number of at least 1"),
    ({"dim": (8, 16.5)}, {}, "dim=8.0: a whole number"),
    ({"dim": 8}, {}, "dim=8 is no space: say [8, 16, 32] for these values"),
    ({"dim": "8"}, {}, "dim='8' is no space"), ({"dim": []}, {}, "dim=[] is no space"),
    ({"dim": (8, 16, "ratio")}, {}, "is no space"), ({"dim": (16, 8)}, {}, "below the second"),
    ({"dim": [8, 8]}, {}, "stands there twice"), ({"l2": (0, 1, "log")}, {}, "begins above 0"),
    ({}, {}, "nothing to choose"), ({"dim": [8]}, {"l2": -1}, "l2=-1: a number of at least 0")])
def test_a_wrong_space_is_refused(split, space, fixed, because):
    with pytest.raises((ModelError, UnknownName)) as problem:
        rb.tune(rb.BPRMF, split, space, fixed=fixed, progress=False)
    assert because in str(problem.value)


@pytest.mark.parametrize("model, options, because", [
    ("ease", {"trials": 0}, "trials=0: a whole number of at least 1"), ("eas", {}, "Did you mean 'ease'?"),
    ("ease", {"sampler": "best"}, "Unknown sampler 'best'"), ("ease", {"metric": "NDGC@10"}, "Did you mean 'NDCG@10'?"),
    ("ease", {"space": {"learning_rate": LOG}}, "EASE has a closed form: there is no learning_rate to choose"),
    ("ease", {"space": {"l2": [1.0, 2.0, 3.0]}, "sampler": "grid", "trials": 2}, "has 3 points, and 2 are to be tried"),
    (rb.EASE(3, 4), {}, "A class of models is tuned"), (Toy, {}, "No space is known for Toy")])
def test_a_wrong_search_is_refused(split, model, options, because):
    with pytest.raises((ModelError, UnknownName)) as problem:
        rb.tune(model, split, **{"progress": False} | options)
    assert because in str(problem.value)


# ------------------------------------------------------------------------------------------------ what is found


def test_only_validation_is_seen(split):
    class Peeking(Toy):
        def fit(self, split):
            return super().fit(split) if len(split.test.target) else self

    with pytest.raises(DataError, match="The test is sealed"):
        rb.tune(Peeking, split, {"k": [1]}, trials=1, progress=False)
    with pytest.raises(ModelError, match="has no validation part"):
        toy(split.refit())


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid"])
def test_the_same_seed_searches_the_same_and_finds_the_best(split, sampler):
    first, again, other = (toy(split, sampler=sampler, seed=seed, trials=20) for seed in (0, 0, 1))
    assert without_time(first) == without_time(again)
    assert without_time(first) != without_time(other)                   # of a grid the order alone
    assert first.value == first.trials["NDCG@10"].max() and abs(first.best["alpha"] - 0.3) < 0.1
    assert first.value == pytest.approx(rb.evaluate(first.fit(split), split.validation)["NDCG@10"])
    assert len(first.table(3)) == 3 and first.table(3)["NDCG@10"].is_monotonic_decreasing


def test_a_grid_has_each_combination_once_in_as_fine_steps_as_the_trials_allow(split):
    found = toy(split, sampler="grid", trials=14).trials                # 3 values of k, and 4 of alpha
    assert sorted(zip(found["alpha"].round(3), found["k"])) == [(a, k) for a in (0, 0.333, 0.667, 1) for k in (1, 2, 3)]
    (layers,) = spaces.grid({"layers": [(8, 4)]}, 1)
    assert layers == {"layers": "(8, 4)"}


def test_the_value_of_a_network_is_that_of_its_best_epoch_and_comes_back(split):
    found = rb.tune("mlp", split, {"layers": [(8, 4), (16, 8)], "learning_rate": (0.01, 0.1, "log")}, trials=2,
                    fixed={"epochs": 4, "batch_size": 256}, progress=False)
    assert found.best["layers"] in ((8, 4), (16, 8)) and 1 <= found.best["epochs"] <= 4
    again = found.fit(split)
    assert rb.evaluate(again, split.validation)["NDCG@10"] == pytest.approx(found.value)
    assert again.layers == list(found.best["layers"])


def test_ratings_are_judged_by_a_lower_error(split):
    films = rb.from_frame(pd.DataFrame([(user, item, 10 * user + item, 1 + (user + item) % 5) for user in range(12)
                                        for item in range(user % 3, 12)], columns=["user", "item", "when", "stars"]),
                          rating="stars", timestamp="when")
    found = rb.tune("bias", rb.leave_last_out(films), trials=4, progress=False)
    assert found.metric == "RMSE" and found.value == found.trials["RMSE"].min()


# ------------------------------------------------------------------------------------------------ trials that fail


class Fragile(rb.BPRMF):
    """Its loss is no number where l2 is large."""

    def loss(self, batch):
        return super().loss(batch) * (1 if self.l2 < 1 else float("inf"))


def test_a_trial_that_diverges_is_noted_and_the_search_goes_on(split):
    found = rb.tune(Fragile, split, {"l2": [0.01, 5.0]}, trials=2, sampler="grid", fixed={"epochs": 1, "dim": 2}, progress=False)
    by = found.trials.set_index("l2")
    assert by["state"].to_dict() == {0.01: "done", 5.0: "failed"} and found.best["l2"] == 0.01
    assert by.loc[5.0, "problem"] == "The loss of epoch 1 is inf: try a smaller learning rate."
    assert by.loc[0.01, "problem"] == "" and len(found.table()) == 1
    nothing = rb.tune(Fragile, split, {"l2": [5.0, 6.0]}, trials=2, fixed={"epochs": 1, "dim": 2}, progress=False)
    with pytest.raises(ModelError, match="No trial of 2 was done; 2 failed, the last because: The loss of epoch 1 is inf"):
        nothing.best


def test_hopeless_trials_are_pruned_and_are_no_answer(split):
    options = dict(trials=8, sampler="grid", progress=False, fixed={"epochs": 6, "dim": 4, "batch_size": 512, "patience": 6})
    rates = {"learning_rate": [0.05, 0.04, 0.03, 0.02, 0.06, 1e-6, 2e-6, 3e-6]}
    found, whole = (rb.tune("bpr-mf", split, rates, prune=prune, **options) for prune in (True, False))
    states = found.trials["state"]
    assert set(states) == {"done", "pruned"} and (found.trials["epoch"][states == "pruned"] == 3).all()
    assert (found.trials["learning_rate"][states == "pruned"].astype(float) < 1e-5).all()
    assert (whole.trials["state"] == "done").all() and found.best == whole.best
    plots = pytest.importorskip("recbook.plots")
    axes = plots.search(found)
    assert [one.get_xlabel() for one in axes] == ["trial", "learning_rate"] and axes[1].get_xscale() == "log"
    plots.plt.close("all")


# ------------------------------------------------------------------------------------------------ the study


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid"])
def test_a_search_that_was_interrupted_goes_on_as_if_it_had_not_been(split, sampler, tmp_path, monkeypatch):
    whole = toy(split, sampler=sampler, trials=12)
    sound, calls = Toy.fit, []

    def fit(self, split):
        calls.append(self.alpha)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return sound(self, split)

    monkeypatch.setattr(Toy, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        toy(split, sampler=sampler, trials=12, storage=tmp_path / "new" / "study.db")
    resumed = toy(split, sampler=sampler, trials=12, storage=tmp_path / "new" / "study.db")
    assert without_time(resumed) == without_time(whole)
    assert calls[4] == calls[3] and len(calls) == 13                    # the trial is run again, no other
    assert without_time(toy(split, sampler=sampler, trials=12, storage=tmp_path / "new" / "study.db")) == without_time(whole)
    assert len(calls) == 13                                             # there is nothing left to do


def in_a_process(function):
    """Run it in a child of this process: the process, begun."""
    child = multiprocessing.get_context("fork").Process(target=function)
    child.start()
    return child


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
def test_a_killed_trial_is_run_again_and_the_budget_counts_right(split, tmp_path, monkeypatch):
    """Killed without a word in the middle of its third trial; the study says that it runs."""
    monkeypatch.setattr(Toy, "dies", True, raising=False)
    sound, calls = Toy.fit, []

    def fit(self, split):
        calls.append(self.alpha)
        if len(calls) == 3 and Toy.dies:
            os._exit(9)
        return sound(self, split)

    monkeypatch.setattr(Toy, "fit", fit)
    options = dict(storage=tmp_path / "study.db", trials=6)
    child = in_a_process(lambda: toy(split, **options))
    child.join()
    assert child.exitcode == 9
    monkeypatch.setattr(Toy, "dies", False)
    assert without_time(toy(split, **options)) == without_time(toy(split, trials=6))
    more = toy(split, **options | {"trials": 9})                        # a larger budget goes on from there
    assert without_time(more) == without_time(toy(split, trials=9))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
def test_several_processes_share_a_study(split, tmp_path):
    options = dict(storage=f"sqlite:///{tmp_path}/study.db", trials=10, sampler="random")
    children = [in_a_process(lambda: toy(split, **options)) for _ in range(3)]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    shared, alone = (without_time(found) for found in (toy(split, **options), toy(split, trials=10, sampler="random")))
    assert sorted(map(str, shared)) == sorted(map(str, alone))          # ten, each drawn once


def test_a_trial_that_others_have_given_up_is_no_error(split, tmp_path, monkeypatch):
    """This machine slept for longer than anybody waits; its trial was begun again by another process, here itself."""
    import optuna

    sound, calls = Toy.fit, []

    def fit(self, split):
        calls.append(self.alpha)
        if len(calls) == 2:
            study = optuna.load_study(study_name="x", storage=f"sqlite:///{tmp_path}/study.db")
            study.tell(1, state=optuna.trial.TrialState.FAIL)
        return sound(self, split)

    monkeypatch.setattr(Toy, "fit", fit)
    found = toy(split, trials=4, storage=tmp_path / "study.db", name="x")
    assert without_time(found) == without_time(toy(split, trials=4)) and calls[1] == calls[2]


def test_a_study_of_something_else_is_refused(split, tmp_path):
    file = tmp_path / "study.db"
    toy(split, trials=1, storage=file, name="mine")
    other = rb.by_time(rb.load("shop", n_users=60, n_items=48, n_events=2000, seed=5))
    for because, run in (
            ("another data: ", lambda: toy(other, storage=file, name="mine")),
            ("another seed: 0, and not 1", lambda: toy(split, storage=file, name="mine", seed=1)),
            ("another sampler: tpe, and not random", lambda: toy(split, storage=file, name="mine", sampler="random")),
            ("another metric: NDCG@10, and not MRR", lambda: toy(split, storage=file, name="mine", metric="MRR")),
            ("another space: {'alpha': (0.0, 1.0), 'k': [1, 2, 3]}, and not {'k': [1]}",
             lambda: rb.tune(Toy, split, {"k": [1]}, storage=file, name="mine", progress=False)),
            ("another model: Toy, and not EASE", lambda: rb.tune("ease", split, {"l2": LOG}, storage=file, name="mine", progress=False))):
        with pytest.raises(ModelError) as problem:
            run()
        assert because in str(problem.value) and "Choose another name or file" in str(problem.value)
    assert len(toy(other, trials=1, storage=file, name="another").trials) == 1          # two studies in a file


def test_what_is_no_study_is_refused(split, tmp_path):
    import optuna

    (tmp_path / "text.db").write_text("not a data base, but a text that is longer than a page's head" * 20)
    (tmp_path / "file").write_text("")
    sqlite3.connect(tmp_path / "theirs.db").close()
    theirs = optuna.create_study(storage=f"sqlite:///{tmp_path}/theirs.db", study_name="x", direction="maximize")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    for storage, because in ((tmp_path / "text.db", "can hold no study"), (tmp_path, "it is a folder"),
                             (tmp_path / "file" / "study.db", "can hold no study"), ("nosuch://x", "can hold no study"),
                             (f"sqlite:///{tmp_path}/theirs.db", "was not made by recbook")):
        with pytest.raises(ModelError, match=because) as problem:
            toy(split, storage=storage, name="x", trials=1)
        assert "\n" not in str(problem.value)


# ------------------------------------------------------------------------------------------------ the command


def test_the_command_searches_shows_the_best_and_says_how_to_train(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["tune", "--model", "ease", "--dataset", SHOP, "--space", "l2=(1,1000,'log')", "--trials", "3"]
    assert main([*command, "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["study"] == "runs/shop-ease.db" and told["trials"] == {"done": 3} and len(told["table"]) == 3
    assert told["value"] == told["table"][0]["NDCG@10"] and told["best"]["l2"] == told["table"][0]["l2"]
    assert f"Next: recbook train --model ease --dataset {SHOP} --split time --set l2={told['best']['l2']}" in err
    assert main([*command, "--trials", "4"]) == 0                       # one more
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["trial", "NDCG@10", "epoch", "seconds", "l2"] and "4 trials: 4 done." in err
    for wrong, because in ((["--space", "l2=(5"], "--space l2=(5: say [8, 16, 32]"), (["--set", "l3=5"], "Did you mean 'l2'?"),
                           (["--space", "l2=[1.0,2.0]"], "has another space")):
        assert main([*(command[:-4] if "--space" not in wrong else command[:-4]), *wrong]) == 1
        assert because in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--trials", "0"])
