"""The figure of logged data weighs, estimates and knows the truth as the package does."""

from unittest.mock import patch

import numpy as np
import pytest

import recbook as rb
from recbook.off_policy import estimators, rewards
from recbook.policies import Softmax

ORDER = ("ips", "clipped", "snips", "direct", "robust")


def expected(rows, most):
    """The package's numbers from the same rows."""
    weight, reward, predicted, mean = (np.array(rows[name], dtype=float) for name in ("weight", "reward", "predicted", "expected"))
    parts = (estimators.inverse_propensity(reward, weight), estimators.clipped(reward, weight, most),
             estimators.self_normalised(reward, weight), estimators.direct(mean),
             estimators.doubly_robust(reward, weight, predicted, mean))
    return {name: estimators.estimate(*part) for name, part in zip(ORDER, parts)}, estimators.effective_size(weight)


def test_estimates_are_those_of_the_package(computing):
    rng, given = np.random.default_rng(0), []
    for _ in range(100):
        n = int(rng.integers(2, 300))
        given.append([{"weight": rng.exponential(size=n).tolist(), "reward": rng.integers(0, 2, n).tolist(),
                       "predicted": rng.random(n).tolist(), "expected": rng.random(n).tolist()}, int(rng.integers(1, 20))])
    said = computing("weights").evaluate("given => given.map(([rows, most]) => recbookLive.compute.weights.estimates(rows, most))", given)
    for (rows, most), found in zip(given, said):
        right, effective = expected(rows, most)
        for name in ORDER:
            assert [found[name][key] for key in ("value", "error", "low", "high")] == pytest.approx(
                [right[name][key] for key in ("value", "error", "low", "high")], abs=1e-6)
        assert found["effective"] == pytest.approx(effective, abs=1e-6)


@pytest.fixture(scope="module")
def world():
    from live_figures.weights import world as made
    shop, showing, scores, sales = made()
    return shop, showing, scores, sales, np.argsort(-sales, kind="stable")


@pytest.mark.parametrize("sharp, shown", [(0, 60), (5, 60), (15, 20), (30, 5)])
def test_policies_and_their_true_values_are_the_packages(computing, world, sharp, shown):
    from live_figures.weights import TEMPERATURE
    shop, showing, scores, sales, order = world
    found = computing("weights").evaluate("state => recbookLive.compute.weights.truth(state)", {"sharp": sharp, "shown": shown})
    new = Softmax(lambda context: scores[context.users.numpy()], TEMPERATURE, places=1)
    chances = showing.propensities(new)[:, 0][:, order]
    old = Softmax(lambda context: np.tile(sharp / 10 * np.log(sales + 1.0), (len(context), 1)), places=1, items=order[:shown])
    shares = showing.propensities(old)[0, 0, order]
    assert np.abs(np.array(found["chances"]) - chances).max() < 1e-3 and np.abs(np.array(found["shares"]) - shares).max() < 1e-3
    truth = showing.attraction[:, order]
    assert found["value"] == pytest.approx(showing.value(new), abs=1e-3)
    assert found["earned"] == pytest.approx(showing.value(old), abs=1e-3)
    assert found["supported"] == pytest.approx((chances * truth * (shares > 0)).sum() / shop.n_users, abs=1e-3)
    assert found["lost"] == pytest.approx((chances * (shares == 0)).sum() / shop.n_users, abs=1e-3)


@pytest.mark.parametrize("model", ["means", "zero", "truth"])
def test_a_log_of_the_page_is_read_by_the_package_alike(computing, world, model):
    """Its weights, its reward model in three folds, and all that follows."""
    _, showing, _, _, order = world
    page = computing("weights")
    for seed in range(5):
        rows = page.evaluate("state => recbookLive.compute.weights.log(state)", {"sharp": 10, "seed": seed, "model": model})
        truth = page.evaluate("recbookLive.compute.weights.truth({sharp: 10})")
        item, user, chances = np.array(rows["item"]), np.array(rows["user"]), np.array(truth["chances"])
        assert np.allclose(rows["propensity"], np.array(truth["shares"])[item], atol=1e-6)
        assert np.allclose(rows["weight"], chances[user, item] / rows["propensity"], rtol=1e-6)
        reward = np.array(rows["reward"], dtype=float)
        if model == "truth":
            table = showing.attraction[:, order][user]
        else:
            def every_third(n, folds, seed):
                for fold in range(folds):
                    yield np.flatnonzero(np.arange(n) % folds != fold), np.flatnonzero(np.arange(n) % folds == fold)
            with patch.object(rewards, "deal", every_third):
                table = rewards.shrunken_means(item, reward, len(order))
                if model == "zero":
                    for _, (rest, fold) in zip(range(3), every_third(len(item), 3, 0)):
                        table[np.ix_(fold, np.setdiff1d(np.arange(len(order)), item[rest]))] = 0
        assert np.abs(np.array(rows["predicted"]) - table[np.arange(len(item)), item]).max() < 1e-3
        assert np.abs(np.array(rows["expected"]) - (chances[user] * table).sum(1)).max() < 1e-3
        right, effective = expected(rows, 10)
        assert all(rows["found"][name]["value"] == pytest.approx(right[name]["value"], abs=1e-6) for name in ORDER)
        assert rows["effective"] == pytest.approx(effective, abs=1e-6)


def test_what_the_caption_says(computing):
    """The further the old policy goes by sales, the more IPS errs; a longer log helps it and not the clipped one."""
    def measured(**state):
        return computing("weights").evaluate("state => recbookLive.compute.weights.measure(state)", state)

    near, far = measured(), measured(sharp=30)
    assert far["rows"]["ips"]["off"] > 2 * near["rows"]["ips"]["off"]
    assert far["rows"]["clipped"]["mean"] < 0.85 * far["value"] and near["rows"]["direct"]["mean"] < 0.6 * near["value"]
    even = measured(sharp=0)["rows"]
    assert all(even[name]["off"] > near["rows"][name]["off"] for name in even), "the first steps help everybody"
    five = measured(shown=5)
    assert five["rows"]["ips"]["holds"] == 0 and five["rows"]["robust"]["holds"] > 40 and measured(shown=10)["rows"]["ips"]["holds"] < 35
    assert measured(shown=5, model="zero")["rows"]["robust"]["holds"] == measured(shown=5, model="zero")["rows"]["direct"]["holds"] == 0
    for state in ({"sharp": 0}, {"sharp": 10}, {"sharp": 30}, {"shown": 10}, {"shown": 5}):
        earned = computing("weights").evaluate("state => recbookLive.compute.weights.truth(state).earned", state)
        assert abs(measured(**state)["rows"]["direct"]["mean"] - earned) < 0.03, "the direct method says what the old policy earns"
    narrow = measured(shown=20, visits=1000)
    assert narrow["lost"] > 0.1 and abs(narrow["rows"]["ips"]["mean"] - narrow["supported"]) < 0.02 < narrow["rows"]["snips"]["mean"] - narrow["supported"]


def test_the_logs_of_the_page_are_worth_what_the_truth_says(computing, world):
    """Over sixty logs IPS and doubly robust are right on average, as where the package draws."""
    found = computing("weights").evaluate("recbookLive.compute.weights.measure({visits: 1000})")
    for name in ("ips", "snips", "robust"):
        assert abs(found["rows"][name]["mean"] - found["value"]) < 4 * found["rows"][name]["off"] / 60**0.5


def test_keys_move_the_sliders_and_the_address_keeps_them(open_live):
    page = open_live("weights").page
    page.get_by_role("slider", name="and ever shows").focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    page.locator(".weights-lost", has_text="Support lost").wait_for()
    page.get_by_role("button", name="New logs").press("Enter")
    page.wait_for_function("location.hash === '#weights=5.20.300.10.means.1'")


@pytest.mark.parametrize("text", ["5.60.999.10.means.0", "99.60.300.10.means.0", "5.60.300.10.means.0.0", "5.61.300.10.lies.0"])
def test_an_address_out_of_bounds_starts_anew(open_live, text):
    opened = open_live("weights", hash=f"weights={text}")
    assert "starts anew" in opened.page.locator(".live-notice").inner_text() and opened.errors == []


def test_the_data_hold_no_stranger(world):
    shop, *_ = world
    assert shop.n_items == 60 and isinstance(shop, rb.Dataset)
