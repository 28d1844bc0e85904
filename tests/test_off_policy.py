"""Off-policy estimators: by hand, unbiased over 200 logs of a world whose truth is known, and honest about bad logs."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import recbook as rb
from recbook.cli import main
from recbook.errors import DataError
from recbook.off_policy import (WeightedFactorization, clipped, cross_fitted, direct, doubly_robust, estimate, evaluate,
                                examination, inverse_propensity, self_normalised, shrunken_means, switch)
from recbook.off_policy.estimators import NORMAL, effective_size

# Four impressions of two items, tea (0) and pot (1); the old policy showed tea with 3/4, the new one shows it with 1/4.
FOUR = pd.DataFrame({"action": ["tea", "tea", "pot", "tea"], "propensity": [0.75, 0.75, 0.25, 0.75], "reward": [1, 0, 1, 1]})
NEW = pd.DataFrame({"action": ["tea", "pot"], "probability": [0.25, 0.75]})
WEIGHT = np.array([1, 1, 9, 1]) / 3
REWARD = FOUR["reward"].to_numpy(float)


def value(parts):
    return parts[0].sum() / parts[1].sum()


# ------------------------------------------------------------------------------------------------ by hand


def test_the_estimators_by_hand_on_four_impressions():
    """The model expects .5 of tea and 1 of pot: .875 of the new policy; its errors are .5, -.5, 0 and .5."""
    predicted, expected = np.array([0.5, 0.5, 1, 0.5]), np.full(4, 0.25 * 0.5 + 0.75 * 1)
    assert value(inverse_propensity(REWARD, WEIGHT)) == pytest.approx((1 + 9 + 1) / 3 / 4)
    assert value(clipped(REWARD, WEIGHT, 1)) == pytest.approx((1 / 3 + 1 + 1 / 3) / 4)
    assert value(self_normalised(REWARD, WEIGHT)) == pytest.approx(11 / 12)
    assert value(direct(expected)) == 0.875
    assert value(doubly_robust(REWARD, WEIGHT, predicted, expected)) == pytest.approx(0.875 + (0.5 - 0.5 + 0.5) / 3 / 4)
    assert value(switch(REWARD, WEIGHT, predicted + 0.1, expected, 1)) == pytest.approx(0.875 + (0.4 - 0.6 + 0.4) / 3 / 4)
    assert effective_size(WEIGHT) == pytest.approx(4**2 / (84 / 9))


def test_evaluate_gives_the_same_numbers_however_the_policy_is_said():
    rewards = np.tile([1, 0.5], (4, 1))                                 # actions in the order of their names: pot, tea
    table = evaluate(FOUR, NEW, rewards=rewards, most=1)
    assert table["IPS"] == pytest.approx(11 / 12) and table["SNIPS"] == pytest.approx(11 / 12)
    assert table["IPS clipped at 1"] == pytest.approx(5 / 12) and table["DR"] == pytest.approx(0.875 + 0.125 / 3)
    assert table.logged["value"] == 0.75 and table.n == 4 and table.unsupported == 0
    chances = [0.25, 0.25, 0.75, 0.25]
    every = np.column_stack([1 - np.array([0.25] * 4), [0.25] * 4])
    for same in (chances, every, lambda log: every, lambda log: log["action"].map({"tea": 0.25, "pot": 0.75})):
        assert evaluate(FOUR, same)["IPS"] == pytest.approx(11 / 12)
    column = evaluate(FOUR.assign(new=chances), "new")
    assert list(column.table.index) == ["IPS", "IPS clipped at 10", "SNIPS"] and column.unsupported is None


def test_a_policy_may_depend_on_columns_of_the_log():
    log = pd.DataFrame({"who": ["ann", "ann", "ben", "ben"], "action": [1, 2, 1, 2], "propensity": 0.5, "reward": [1, 0, 0, 1]})
    policy = pd.DataFrame({"who": ["ann", "ann", "ben", "ben"], "action": [1, 2, 1, 2], "probability": [1, 0, 0.5, 0.5]})
    assert evaluate(log, policy)["IPS"] == pytest.approx((2 * 1 + 1 * 1) / 4)


def test_the_value_of_a_visit_is_the_sum_over_its_rows():
    log = pd.DataFrame({"visit": [0, 0, 1, 1], "position": [0, 1, 0, 1], "action": [1, 2, 2, 1], "propensity": 0.5,
                        "reward": [1.0, 1, 0, 1]})
    same = evaluate(log, np.full(4, 0.5), visit="visit")
    assert same["IPS"] == same["SNIPS"] == 1.5 and same.logged["value"] == 1.5
    alone, together = (evaluate(log, np.full(4, 0.5), together=column).table["error"]["IPS"] for column in (None, "visit"))
    assert together == pytest.approx(np.std([2, 1], ddof=1) / 2 / 2**0.5) and alone == pytest.approx(0.25)


def test_the_normal_interval_is_that_of_a_mean_and_the_bootstrap_agrees():
    rewards = np.random.default_rng(0).normal(size=400)
    found = estimate(rewards, np.ones(400))
    error = rewards.std(ddof=1) / 20
    assert found["error"] == pytest.approx(error) and found["high"] - found["value"] == pytest.approx(NORMAL * error)
    drawn = estimate(rewards, np.ones(400), interval="bootstrap")
    assert drawn["low"] == pytest.approx(found["low"], abs=error / 4) and drawn["high"] == pytest.approx(found["high"], abs=error / 4)


# ------------------------------------------------------------------------------------------------ a known world

CONTEXTS, ACTIONS, ROWS, LOGS = 3, 4, 300, 200


@pytest.fixture(scope="module")
def replications():
    """200 logs of a world of three contexts and four actions, the estimates from each, and the truth."""
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.1, 0.9, size=(CONTEXTS, ACTIONS))            # of a reward of 1
    old, new = (rng.dirichlet(np.full(ACTIONS, 2.0), size=CONTEXTS) for _ in range(2))
    truth = (new * chance).sum(1).mean()
    wrong, lies = np.tile([0.9, 0.1, 0.1, 0.9], (CONTEXTS, 1)), old[:, ::-1]
    found = {}
    for _ in range(LOGS):
        x = rng.integers(0, CONTEXTS, ROWS)
        a = (rng.random((ROWS, 1)) > old[x].cumsum(1)).sum(1).clip(max=ACTIONS - 1)
        r = (rng.random(ROWS) < chance[x, a]).astype(float)
        weight, false = new[x, a] / old[x, a], new[x, a] / lies[x, a]
        parts = {"IPS": inverse_propensity(r, weight), "SNIPS": self_normalised(r, weight), "clipped": clipped(r, weight, 1),
                 "IPS, false propensities": inverse_propensity(r, false)}
        for model, q in (("true", chance), ("wrong", wrong)):
            expected, own = (new * q).sum(1)[x], q[x, a]
            parts |= {f"DM, {model} model": direct(expected), f"DR, {model} model": doubly_robust(r, weight, own, expected),
                      f"DR, {model} model, false propensities": doubly_robust(r, false, own, expected)}
        for name, part in parts.items():
            found.setdefault(name, []).append(estimate(*part))
    return {name: pd.DataFrame(rows) for name, rows in found.items()}, truth


def off(rows, truth):
    """By how many of its standard errors the mean over the logs misses the truth."""
    return abs(rows["value"].mean() - truth) / (rows["value"].std(ddof=1) / LOGS**0.5)


@pytest.mark.parametrize("name", ["IPS", "DR, true model", "DR, wrong model", "DR, true model, false propensities",
                                  "DM, true model"])
def test_unbiased_where_the_model_or_the_propensities_are_right(replications, name):
    found, truth = replications
    assert off(found[name], truth) < 3


@pytest.mark.parametrize("name", ["DM, wrong model", "clipped", "IPS, false propensities", "DR, wrong model, false propensities"])
def test_biased_where_neither_is(replications, name):
    found, truth = replications
    assert off(found[name], truth) > 10


@pytest.mark.parametrize("name", ["IPS", "SNIPS", "DR, true model", "DR, wrong model"])
def test_an_interval_of_95_percent_holds_the_truth_in_about_as_many_logs(replications, name):
    found, truth = replications
    held = ((found[name]["low"] <= truth) & (truth <= found[name]["high"])).mean()
    assert 0.91 <= held <= 0.985
    assert found[name]["error"].mean() == pytest.approx(found[name]["value"].std(), rel=0.15)


def test_a_right_model_makes_doubly_robust_less_variable(replications):
    found, _ = replications
    assert found["DR, true model"]["value"].std() < 0.8 * found["IPS"]["value"].std()


# ------------------------------------------------------------------------------------------------ reward models, places


def test_a_row_is_predicted_from_other_rows():
    """One reward among many rows: the row that has it is expected to have none."""
    action, reward = np.zeros(30, dtype=int), np.zeros(30)
    action[::2], reward[7] = 1, 1
    found = shrunken_means(action, reward, 2, strength=0)
    assert found[7, 0] == 0 and found[:, 0].max() > 0 and not found[:, 1].any()


def test_folds_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import KFold

    rng = np.random.default_rng(0)
    x, action, reward, items = rng.normal(size=(50, 2)), rng.integers(0, 3, 50), rng.normal(size=50), rng.normal(size=(3, 1))
    found = cross_fitted(LinearRegression(), x, action, reward, items, seed=5)
    for train, test in KFold(3, shuffle=True, random_state=5).split(x):
        model = LinearRegression().fit(np.hstack([x[train], items[action[train]]]), reward[train])
        assert found[test, 2] == pytest.approx(model.predict(np.hstack([x[test], np.tile(items[2], (len(test), 1))])), abs=1e-5)
    assert sklearn


def test_examination_is_found_from_expected_clicks():
    """Counts that are the model's own expectations, from a log in which better items stand higher: exact."""
    seen, attraction = np.array([1, 0.5, 0.2]), np.array([0.8, 0.4, 0.1])
    shown = np.array([[90, 10, 5], [10, 90, 5], [1, 1, 90]])             # (K, N)
    position, item = (np.repeat(cells.ravel(), shown.ravel()) for cells in np.indices(shown.shape))
    found = examination(item, position, (seen[:, None] * attraction)[position, item])
    assert found[0] == pytest.approx(seen) and found[1] == pytest.approx(attraction)
    with pytest.raises(DataError, match="Nothing was clicked"):
        examination(item, position, np.zeros(len(item)))


def test_a_factorization_reaches_the_least_of_its_weighted_sum():
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(6), 5), np.tile(np.arange(5), 6)
    ratings, chance = rng.integers(1, 6, 30).astype(float), rng.uniform(0.05, 1, 30)
    weight = (1 / chance) / (1 / chance).mean()

    def total(model):
        off = model.ratings()[users, items] - ratings
        return (weight * off**2).sum() + model.l2 * ((model.user**2).sum() + (model.item**2).sum())

    model = WeightedFactorization(dim=2, l2=2.0, sweeps=300).fit(users, items, ratings, (6, 5), chance)
    least = total(model)
    for table in (model.user, model.item):
        for _ in range(20):
            change = rng.normal(scale=0.01, size=table.shape)
            table += change
            assert total(model) > least
            table -= change
    even = WeightedFactorization(dim=2, l2=2.0, sweeps=300).fit(users, items, ratings, (6, 5), np.full(30, 0.2))
    alike = WeightedFactorization(dim=2, l2=2.0, sweeps=300).fit(users, items, ratings, (6, 5))
    assert even.ratings() == pytest.approx(alike.ratings())


# ------------------------------------------------------------------------------------------------ bad logs


@pytest.mark.parametrize("change, says", [
    ({"propensity": [0.75, 0, 0.25, 0.75]}, "row 2: 0 is no propensity.*above 0"),
    ({"propensity": [0.75, 0.75, 25, 0.75]}, "row 3: 25 is no propensity.*percentage"),
    ({"propensity": [0.75, None, 0.25, 0.75]}, "row 2 has no propensity"),
    ({"propensity": ["a", 0.75, 0.25, 0.75]}, "row 1: 'a' is no propensity"),
    ({"reward": [1, 0, None, 1]}, "row 3 has no reward.*no reward of 0"),
    ({"action": ["tea", None, "pot", "tea"]}, "row 2 has no action"),
    ({"action": ["tea"] * 4}, "every row shows the same action, 'tea'"),
    ({"action": ["cup", "jug", "cup", "jug"]}, "no overlap"),
])
def test_a_bad_log_is_refused_in_one_line(change, says):
    with pytest.raises(DataError, match=says) as refusal:
        evaluate(FOUR.assign(**change), NEW)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("policy, options, says", [
    (NEW, {"actions": ["pot", "jug"]}, "row 1: 'tea' is none of the actions that may be shown"),
    (NEW, {"reward": "click"}, "no column 'click' for reward"),
    (NEW, {"interval": "wide"}, "say 'normal' or 'bootstrap'"),
    (NEW, {"rewards": np.zeros((4, 3))}, "finite numbers are needed"),
    (NEW.assign(probability=[0.25, 0.5]), {}, "add up to 1"),
    (NEW.assign(probability=[-0.25, 1.25]), {}, "from 0 to 1"),
    (NEW.rename(columns={"probability": "p"}), {}, "no column 'probability'"),
    (NEW.assign(place=1), {}, "depends on 'place'"),
    ([0.5, 0.5], {}, "a chance for each of the 4 rows"),
    ([0, 0, 0, 0], {}, "no overlap"),
    ("new", {}, "neither a column of the log .* nor a file"),
])
def test_a_policy_that_says_nothing_is_refused(policy, options, says):
    with pytest.raises(DataError, match=says):
        evaluate(FOUR, policy, **options)


def test_a_context_of_which_the_policy_says_nothing_is_named():
    log = FOUR.assign(who=["ann", "ann", "ben", "ann"])
    with pytest.raises(DataError, match="row 3: the policy does not say what it shows for who 'ben'"):
        evaluate(log, NEW.assign(who="ann"))
    with pytest.raises(DataError, match="no decision"):
        evaluate(FOUR[:0], NEW)


def test_what_the_log_never_shows_is_warned_of():
    policy = pd.DataFrame({"action": ["tea", "cup"], "probability": [0.4, 0.6]})
    with pytest.warns(UserWarning, match=r"In 60.0% of its decisions .*'cup'"):
        warnings.filterwarnings("ignore", message="The weights")
        found = evaluate(FOUR, policy)
    assert found.unsupported == pytest.approx(0.6) and found.warnings and "! In 60.0%" in repr(found)
    by_place = FOUR.assign(position=[1, 2, 1, 2])                       # pot never stood at the second place
    with pytest.warns(UserWarning, match=r"In 37.5% .*'pot'"):
        evaluate(by_place, NEW)


def test_propensities_that_lie_and_a_log_of_something_else_are_warned_of():
    rng = np.random.default_rng(0)
    action = rng.choice(3, size=3000, p=[0.7, 0.2, 0.1])
    log = pd.DataFrame({"action": action, "propensity": 1 / 3, "reward": rng.random(3000)})
    policy = pd.DataFrame({"action": [0, 1, 2], "probability": [0.1, 0.2, 0.7]})
    with pytest.warns(UserWarning, match="weights' mean is .* and should be 1"):
        evaluate(log, policy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        true = log.assign(propensity=np.array([0.7, 0.2, 0.1])[action])
        evaluate(true, policy)
    rare = log.assign(action=rng.permutation(np.r_[np.zeros(2990, int), np.ones(10, int)]))
    rare["propensity"] = np.where(rare["action"] == 1, 1 / 300, 299 / 300)
    with pytest.warns(UserWarning, match="3,000 rows are worth 10"):
        evaluate(rare, pd.DataFrame({"action": [0, 1], "probability": [0, 1]}))


# ------------------------------------------------------------------------------------------------ files, the shop


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FOUR.rename(columns={"action": "item", "reward": "click"}).to_csv("log.csv", index=False)
    NEW.to_csv("new.csv", index=False)
    return tmp_path


COLUMNS = ("--action", "item", "--reward", "click")


def test_the_command_reads_a_log_and_a_policy_from_files(files, capsys):
    assert main(["off-policy", "log.csv", "--policy", "new.csv", *COLUMNS, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["estimates"][0]["estimator"] == "IPS" and found["estimates"][0]["value"] == pytest.approx(11 / 12)
    assert found["n"] == 4 and found["warnings"] == []
    assert main(["off-policy", "log.csv", "--policy", "new.csv", *COLUMNS]) == 0
    shown = capsys.readouterr()
    assert "SNIPS" in shown.out and "worth 2 of the new policy's own" in shown.err


def test_the_command_says_in_one_line_what_is_wrong(files, capsys):
    pd.read_csv("log.csv").assign(propensity=[0.75, "", 0.25, 0.75]).to_csv("log.csv", index=False)
    assert main(["off-policy", "log.csv", "--policy", "new.csv", *COLUMNS]) == 1
    said = capsys.readouterr().err
    assert said.startswith("recbook: ") and said.count("\n") == 1 and "propensity" in said


def test_ids_of_a_file_stay_as_they_are_written(files):
    (files / "log.csv").write_text("action,propensity,reward\n007,.5,1\n7,.5,0\n007,.5,1\n7,.5,0\n")
    (files / "new.csv").write_text("action,probability\n007,1\n7,0\n")
    assert evaluate("log.csv", "new.csv")["IPS"] == 1


def test_logs_of_the_shop_answer_for_another_policy_on_average():
    """Random slates answer for a softmax over true attractions, whose value is known exactly."""
    shop = rb.load("shop", n_users=60, n_items=48, n_events=2_000)
    showing = rb.Showing(shop, places=2)
    old, new = rb.policies.Uniform(shop.n_items, places=2), rb.policies.Softmax(showing.truth, temperature=0.3, places=2)
    found = []
    for seed in range(30):
        log = showing.log(old, visits=500, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                             # of the weights' mean, in one log of twenty
            found.append(evaluate(log, showing.chances(new, log), action="item", visit="visit")["IPS"])
    assert abs(np.mean(found) - showing.value(new)) < 3 * np.std(found, ddof=1) / 30**0.5
    assert showing.value(new) > 2 * showing.value(old)
