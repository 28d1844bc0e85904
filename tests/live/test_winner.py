"""The figure of how we measure splits, fits, ranks and tests as the package does."""

from dataclasses import replace

import live
import numpy as np
import pytest

import recbook as rb
from recbook import evaluation
from recbook.data.splits import split_by_rows
from recbook.metrics import Ranks, parse
from recbook.models.base import interaction_matrix

NAMES = {"ndcg": "NDCG", "hit": "HR", "mrr": "MRR"}


@pytest.fixture(scope="module")
def shop():
    from live_figures.winner import SIZES
    return rb.load("shop", **SIZES)


def split_of(shop, page, kind, percent=10, seed=0):
    """The package's split by the same words; of "random", by the page's own lot."""
    if kind == "time":
        return rb.by_time(shop, test=percent / 100, validation=0)
    if kind == "last":
        return rb.leave_last_out(shop).refit()
    asked = np.zeros(len(shop.interactions), dtype=bool)
    asked[np.flatnonzero(page.evaluate("x => recbookLive.compute.winner.rows('random', 10, x)", seed))] = True
    return split_by_rows("random", shop, ~asked, asked & False, asked, "default")


def judged(page, **state):
    return page.evaluate("state => recbookLive.compute.winner.judge(state)", state)


def test_metrics_are_those_of_the_package(computing):
    rng = np.random.default_rng(0)
    given = [(rng.integers(0, 120, 30).tolist(), int(rng.integers(1, 51))) for _ in range(100)]
    said = computing("winner").evaluate("""given => given.map(([rank, k]) => ['ndcg', 'hit', 'mrr'].map(
        name => recbookLive.compute.winner.metric(name, rank, k)))""", given)
    for (rank, k), found in zip(given, said):
        for name, values in zip(("NDCG", "HR", "MRR"), found):
            metric, options = parse(f"{name}@{k}")
            assert np.allclose(metric(Ranks(np.arange(30), rank, 30), **options), values, atol=1e-9)


def test_intervals_are_those_of_the_package(computing):
    """The same draws of users given, a hundred comparisons have the package's difference and interval."""
    rng, asked = np.random.default_rng(1), []
    times = evaluation.draw_again(40, 200, 0)
    for _ in range(100):
        size = int(rng.integers(50, 200))
        users = np.concatenate([np.arange(40), rng.integers(0, 40, size)])
        asked.append((rng.normal(0.02, 0.3, len(users)), users))
    said = computing("winner").evaluate("([asked, times]) => asked.map(([gaps, users]) => recbookLive.compute.winner.paired(gaps, users, 40, times))",
                                        [[[gaps.tolist(), users.tolist()] for gaps, users in asked], times.ravel().tolist()])
    for (gaps, users), found in zip(asked, said):
        reports = {"a": evaluation.Report({"m": gaps}, {"m": users}), "b": evaluation.Report({"m": 0 * gaps}, {"m": users})}
        expected = evaluation.Comparison(reports).difference("a", "b", "m", draws=200)
        assert [found[key] for key in ("difference", "low", "high")] == pytest.approx(
            [expected[key] for key in ("difference", "low", "high")], abs=1e-6)


@pytest.mark.parametrize("kind, percent", [("time", 10), ("time", 30), ("last", 10), ("random", 10)])
def test_the_page_asks_and_answers_as_the_package_does(computing, shop, kind, percent):
    """All other items, with and without what was met: every question's rank, the metrics, and who leads by how much."""
    page = computing("winner")
    split = split_of(shop, page, kind, percent)
    models = [rb.EASE(shop.n_users, shop.n_items, l2=l2).fit(split) for l2 in (200.0, 10.0)]
    if kind == "time":
        weight = np.reshape(page.evaluate("x => recbookLive.compute.winner.weights('time', x, 10)", percent), (120, 120))
        assert np.abs(weight - models[1].weight.numpy()).max() < 1e-3
    cases, everything = split.test, np.arange(shop.n_items)
    met = interaction_matrix(cases.context().items, shop.n_items).numpy() > 0
    trained = np.bincount(split.train["item"], minlength=shop.n_items) > 0
    known = (met & trained).any(1) & trained[cases.target]      # of others the scores are 0, and lots decide
    assert known.mean() > 0.8
    for against in ("all", "unmet"):
        others = np.where(met & (against == "unmet"), -1, everything)
        others[np.arange(len(cases)), cases.target] = -1
        asked = replace(cases, candidates=np.column_stack([cases.target, others]))
        found = judged(page, cut=kind, percent=percent, kind=against)
        assert found["n"] == len(cases) and (np.array(found["again"]) == cases.again()).all()
        ranks = [evaluation.rank(model, asked).rank for model in models]
        for own, said in zip(ranks, found["ranks"]):
            assert (own == said)[known].mean() > 0.995          # float32 there, float64 here: a near tie may turn
        for name, metric in NAMES.items():
            said = judged(page, cut=kind, percent=percent, kind=against, metric=name, k=7)
            result = rb.compare(dict(zip("ab", models)), on=asked.subset(known), metrics=[f"{metric}@7"])
            measure, options = parse(f"{metric}@7")
            mine = [measure(Ranks(np.arange(known.sum()), np.array(one)[known], known.sum()), **options).mean() for one in said["ranks"]]
            assert mine == pytest.approx([result.reports[one][f"{metric}@7"] for one in "ab"], abs=1e-3)
            assert said["curves"][0][6] == pytest.approx(said["values"][0], abs=1e-9)
    if kind != "time":
        times = np.sort(split.train["timestamp"])
        assert found["future"] == pytest.approx(1 - np.mean(np.searchsorted(times, cases.now, side="right")) / len(times), abs=1e-3)
    else:
        assert found["future"] == 0


def test_the_pages_own_draws_give_the_packages_interval(computing, shop):
    page = computing("winner")
    found = judged(page)
    measure, options = parse("NDCG@10")
    n = found["n"]
    values = [measure(Ranks(np.arange(n), one, n), **options) for one in found["ranks"]]
    users = rb.by_time(shop, test=0.1, validation=0).test.users
    reports = {name: evaluation.Report({"m": one}, {"m": users}) for name, one in zip("ab", values)}
    expected = evaluation.Comparison(reports).difference("a", "b", "m")
    assert [found["gaps"]["all"][end] for end in ("low", "high")] == pytest.approx([expected["low"], expected["high"]], abs=3e-3)


def test_what_the_caption_says(computing):
    """Leaving out what was met turns the winner, with or without sampling; on new answers the strong penalty leads."""
    page = computing("winner")
    start, left_out = judged(page), judged(page, kind="unmet")
    assert start["gaps"]["all"]["low"] > 0 > left_out["gaps"]["all"]["high"] and start["given"] < 0.1 < 0.5 < left_out["given"]
    assert judged(page, negatives=99)["gaps"]["all"]["low"] > 0 and judged(page, negatives=19)["gaps"]["all"]["low"] > 0
    assert all(one["gaps"]["new"]["low"] > 0 for one in (start, left_out))
    assert judged(page, cut="random")["future"] > 0.4 and start["future"] == 0


def test_red_is_the_share_of_the_training_that_came_later(open_live, computing):
    """The area of the strip, against the number in the sentence; and what stands beside it is measured without the leak."""
    for kind in ("last", "random"):
        page = open_live("winner", hash=f"winner={kind}.10.all.119.ndcg.10.0").page
        red, grey = (sum(float(bar.get_attribute("height")) for bar in page.locator(f".winner-time rect[fill*={colour}]").all()) for colour in ("red", "grey"))
        assert red / (red + grey) == pytest.approx(judged(computing("winner"), cut=kind)["future"], abs=1e-3)
        assert "strong {:.3f}, weak {:.3f}".format(*judged(computing("winner"))["values"]).replace("0.", ".") in page.locator(".winner-beside").inner_text()


def test_every_difference_fits_the_scale(computing):
    for cut in ("time", "last", "random"):
        for state in ({"k": 1, "metric": "hit", "kind": "unmet"}, {"negatives": 4}, {"kind": "never"}):
            assert all(-0.16 < gap["low"] and gap["high"] < 0.16 for gap in judged(computing("winner"), cut=cut, **state)["gaps"].values() if gap)


def test_keys_move_the_choices_and_the_address_keeps_them(open_live):
    page = open_live("winner").page
    page.get_by_role("radio", name="any items").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".winner-verdict", has_text="The weak penalty").wait_for()
    assert "gives the answer away" in page.locator(".winner-leaks").inner_text()
    page.get_by_role("slider", name="k", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.hash === '#winner=time.10.unmet.119.ndcg.11.0'")
    again = open_live("winner", hash="winner=random.10.never.19.hit.5.3").page
    assert "happened after" in again.locator(".winner-leaks").inner_text() and "future" in again.locator(".winner-leaks").inner_text()


@pytest.mark.parametrize("text", ["time.100.all.119.ndcg.10.0", "time.10.all.1e9.ndcg.10.0", "time.10.all.119.constructor.10.0", "time.10.all.119.ndcg.10"])
def test_an_address_out_of_bounds_starts_anew(open_live, text):
    opened = open_live("winner", hash=f"winner={text}")
    assert "starts anew" in opened.page.locator(".live-notice").inner_text() and opened.errors == []


def test_the_data_are_the_shops(shop):
    arrays, _ = live.stored("winner")
    assert (arrays["items"] == shop.interactions["item"]).all() and len(arrays["starts"]) == shop.n_users + 1
