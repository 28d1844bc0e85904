"""The evaluator finds the rank that sorting finds, is fair to ties, and says truly how sure it is."""

import math
import os
import subprocess
import sys
import time
from dataclasses import replace

import ir_measures
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx

import recbook
from recbook import evaluation
from recbook.data.splits import Cases, Log, binary_matrix
from recbook.errors import ModelError, UnknownName
from recbook.evaluation import Comparison, Report, bootstrap, places, predict_ratings, rank
from recbook.models.base import Recommender, products, select

METRICS = [f"{family}@{k}" for family in ("HR", "Recall", "Precision", "NDCG", "MRR", "MAP") for k in (1, 3, 20)]


class Table(Recommender):
    """Scores from a table, one row a user."""

    def __init__(self, table):
        super().__init__()
        self.table = torch.as_tensor(table)

    def scores(self, context, items=None):
        return select(self.table[context.users], items)


def cases_of(answers, n_items, masked=None, candidates=None, ratings=None):
    """One case a user, nobody with a history: `answers[u]` are the right items of user u."""
    n_users = len(answers)
    log = Log(pd.DataFrame({"user": [], "item": [], "timestamp": []}, dtype=np.int64), n_users)
    case = np.repeat(np.arange(n_users), [len(items) for items in answers])
    if masked is not None:
        user, item = np.repeat(np.arange(n_users), [len(items) for items in masked]), np.concatenate(masked)
        masked = sp.csr_matrix((np.ones(len(user)), (user, item.astype(int))), shape=(n_users, n_items))
    return Cases(log, users=np.arange(n_users), ends=np.zeros(n_users, dtype=int), now=np.zeros(n_users, dtype=int),
                 case=case, target=np.concatenate(answers).astype(int), n_items=n_items, masked=masked,
                 candidates=None if candidates is None else np.array(candidates),
                 rating=None if ratings is None else np.concatenate(ratings))


@st.composite
def worlds(draw, tie_free=False):
    """Scores, right items, masked items and candidates of one to four users."""
    n_users, n_items = draw(st.integers(1, 4)), draw(st.integers(2, 12))
    if tie_free:
        scores = [draw(st.permutations(range(n_items))) for _ in range(n_users)]
    else:
        scores = [draw(st.lists(st.integers(0, 3), min_size=n_items, max_size=n_items)) for _ in range(n_users)]
    some = st.permutations(range(n_items)).flatmap(lambda items: st.integers(0, 4).map(lambda size: items[:size]))
    answers = [draw(some.filter(len)) for _ in range(n_users)]
    masked = draw(st.none() | st.tuples(*[some] * n_users).map(list))
    return torch.tensor(scores, dtype=torch.float32), answers, masked


def sorted_list(scores, masked):
    """A user's list, best first."""
    shown = [item for item in range(len(scores)) if item not in masked]
    return sorted(shown, key=lambda item: -scores[item])


def plain_rank(order, item):
    return order.index(item) if item in order else math.inf


@given(worlds(tie_free=True))
def test_ranks_are_places_in_the_sorted_list_without_what_is_masked(world):
    scores, answers, masked = world
    ranks = rank(Table(scores), cases_of(answers, scores.shape[1], masked))
    hidden = masked or [[] for _ in answers]
    expected = [plain_rank(sorted_list(scores[user], hidden[user]), item)
                for user, items in enumerate(answers) for item in items]
    assert ranks.rank.tolist() == expected
    assert ranks.case.tolist() == [user for user, items in enumerate(answers) for _ in items]


@given(worlds(), st.integers(0, 9))
def test_with_ties_there_is_still_one_order_that_respects_the_scores(world, seed):
    """No two right items share a place, and each stands below all better and above all worse ones."""
    scores, answers, masked = world
    cases = cases_of(answers, scores.shape[1], masked)
    ranks = rank(Table(scores), cases, seed)
    hidden = masked or [[] for _ in answers]
    for user, items in enumerate(answers):
        mine = ranks.rank[ranks.case == user]
        found = mine[np.isfinite(mine)]
        assert len(set(found)) == len(found) == len(set(items) - set(hidden[user]))
        for item, place in zip(items, mine):
            shown = [other for other in range(len(scores[user])) if other not in hidden[user]]
            above = sum(scores[user][other] > scores[user][item] for other in shown)
            equal = sum(scores[user][other] == scores[user][item] for other in shown)
            assert place == math.inf if item in hidden[user] else above <= place < above + equal


@given(worlds(tie_free=True), st.data())
def test_candidates_are_ranked_once_each_and_padding_never(world, data):
    scores, answers, _ = world
    n_items = scores.shape[1]
    answers = [items[:1] for items in answers]
    others = st.lists(st.integers(-1, n_items - 1), min_size=5, max_size=5)     # repeats and padding
    candidates = [data.draw(others.flatmap(lambda drawn: st.permutations(items + drawn))) for items in answers]
    ranks = rank(Table(scores), cases_of(answers, n_items, candidates=candidates))
    expected = [sorted(set(row) - {-1}, key=lambda item: -scores[user][item]).index(answers[user][0])
                for user, row in enumerate(candidates)]
    assert ranks.rank.tolist() == expected


@given(worlds(), st.integers(0, 3))
def test_all_items_as_candidates_is_full_ranking(world, seed):
    scores, answers, _ = world
    model, n_items = Table(scores), scores.shape[1]
    everything = np.tile(np.arange(n_items), (len(answers), 1))
    full = recbook.evaluate(model, cases_of(answers, n_items), METRICS, seed)
    listed = recbook.evaluate(model, cases_of(answers, n_items, candidates=everything), METRICS, seed)
    for metric in METRICS:
        assert listed.values[metric].tolist() == full.values[metric].tolist()


def test_a_candidate_list_without_its_answer_is_refused():
    with pytest.raises(ModelError, match="candidates of a case lack its right item"):
        rank(Table(torch.zeros(1, 4)), cases_of([[2]], 4, candidates=[[0, 1]]))


@settings(deadline=None)
@given(worlds(tie_free=True))
def test_the_metrics_agree_with_ir_measures(world):
    scores, answers, masked = world
    hidden = masked or [[] for _ in answers]
    run = [ir_measures.ScoredDoc(str(user), str(item), float(scores[user][item]))
           for user in range(len(answers)) for item in sorted_list(scores[user], hidden[user])]
    judged = [ir_measures.Qrel(str(user), str(item), 1) for user, items in enumerate(answers) for item in items]
    theirs = {"NDCG@3": "nDCG@3", "NDCG@20": "nDCG@20", "Recall@3": "R@3", "Precision@3": "P@3", "MRR": "RR",
              "MAP": "AP", "HR@3": "Success@3"}
    report = recbook.evaluate(Table(scores), cases_of(answers, scores.shape[1], masked), theirs)
    measures = {name: ir_measures.parse_measure(name) for name in theirs.values()}
    values = {(str(value.measure), value.query_id): value.value
              for value in ir_measures.iter_calc(list(measures.values()), judged, run)}
    for ours, name in theirs.items():
        expected = [values.get((str(measures[name]), str(user)), 0.0) for user in range(len(answers))]
        assert report.values[ours] == approx(expected)                  # a user whose list is empty is not in theirs


# ---------------------------------------------------------------------------------------------- ties and hidden items


def test_a_tied_item_stands_in_the_middle_on_average():
    """Scores 9, 5, 5, 5, 5, 0: the tied items share places 1 to 4, each equally often."""
    model, cases = Table([[9.0, 5.0, 5.0, 5.0, 5.0, 0.0]]), cases_of([[3]], 6)
    places = [rank(model, cases, seed).rank[0] for seed in range(2000)]
    assert set(places) == {1, 2, 3, 4}
    assert np.mean(places) == approx(2.5, abs=5 * np.std(places) / math.sqrt(2000))


def test_a_model_that_knows_nothing_hits_by_chance():
    n_cases, n_items, k = 4000, 50, 10
    cases = cases_of([[user % n_items] for user in range(n_cases)], n_items)
    hit = recbook.evaluate(Table(torch.zeros(n_cases, n_items)), cases, ["HR@10"])["HR@10"]
    chance = k / n_items
    assert hit == approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / n_cases))


def test_tied_right_items_share_one_order():
    """Two of three tied items are right: their places are different ones of 0, 1, 2, never both the first."""
    cases = cases_of([[0, 2]] * 300, 3)
    ranks = rank(Table(torch.zeros(300, 3)), cases).rank.reshape(300, 2)
    assert (ranks[:, 0] != ranks[:, 1]).all()
    assert {tuple(pair) for pair in ranks} == {(a, b) for a in range(3) for b in range(3) if a != b}


@pytest.mark.parametrize("kind", ["all different", "tied", "all alike", "hidden"])
def test_a_row_of_many_right_items_is_ranked_as_one_of_few(kind, monkeypatch):
    """Many are placed in another way: the same ranks, and ties in the same random order."""
    draw = torch.Generator().manual_seed(0)
    scores = torch.randn(6, 200, generator=draw)
    if kind != "all different":
        scores = (0 if kind == "all alike" else 2) * scores.round()
    if kind == "hidden":
        scores[scores < 0] = -math.inf
    count = torch.tensor([30, 0, 12, 1, 200, 7])
    right = torch.repeat_interleave(torch.arange(6), count), torch.cat([torch.randperm(200, generator=draw)[:each]
                                                                        for each in count])
    found = []
    for many in (1, 1000):
        monkeypatch.setattr(evaluation, "MANY", many)
        found.append(places(scores, *right, torch.Generator().manual_seed(1)))
    assert torch.equal(*found)


def test_the_same_seed_gives_the_same_order_and_another_seed_another():
    model, cases = Table(torch.zeros(50, 9)), cases_of([[4]] * 50, 9)
    first, again, other = (rank(model, cases, seed).rank.tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("candidates", [None, [[0, 1, 2]] * 2])
def test_scores_that_are_not_numbers_stop_the_evaluation(candidates):
    model = Table([[0.0, 1.0, 2.0], [0.0, 1.0, math.nan]])
    with pytest.raises(ModelError, match="Table gives scores that are not numbers"):
        recbook.evaluate(model, cases_of([[0], [0]], 3, candidates=candidates))


def test_masked_items_take_no_place_and_a_masked_answer_is_never_found():
    model = Table([[3.0, 2.0, 1.0]] * 2)
    ranks = rank(model, cases_of([[2], [2]], 3, masked=[[0], [2]]))
    assert ranks.rank.tolist() == [1, math.inf]
    assert (model.table == torch.tensor([3.0, 2.0, 1.0])).all()          # the model's own scores stay what they were
    report = recbook.evaluate(model, cases_of([[2]], 3, masked=[[2]]), [*METRICS, "MRR", "MAP"])
    assert all(report[metric] == 0 for metric in report.values)


def test_a_list_longer_than_the_catalogue_holds_every_item():
    report = recbook.evaluate(Table([[1.0, 2.0, 3.0]]), cases_of([[0, 1]], 3), ["HR@10", "Recall@10", "Precision@10"])
    assert report.to_frame()["value"].to_dict() == {"HR@10": 1.0, "Recall@10": 1.0, "Precision@10": 0.2}


def test_no_cases_are_no_evaluation():
    cases = cases_of([[0], [1]], 3).subset([False, False])
    with pytest.raises(ModelError, match="no cases to evaluate"):
        recbook.evaluate(Table(torch.zeros(2, 3)), cases)


def test_a_readers_own_metric_is_a_function_of_the_ranks():
    def middle(ranks):
        return ranks.rank + 1.0

    report = recbook.evaluate(Table([[1.0, 2.0, 3.0]]), cases_of([[0]], 3), ["HR@1", middle])
    assert report["middle"] == 3.0


# ------------------------------------------------------------------------------------------------ real splits


def small_dataset(n_users=30, n_items=40, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(np.argwhere(rng.random((n_users, n_items)) < 0.4), columns=["user", "item"])
    frame = frame.sample(frac=1, random_state=seed)
    frame["rating"] = rng.integers(1, 6, len(frame)).astype(float)
    return recbook.from_frame(frame, rating="rating", timestamp=None)


SPLITS = {"last item": recbook.leave_last_out, "ratio": recbook.by_ratio,
          "fold": lambda dataset: recbook.random_folds(dataset)[0]}


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_ranks_all_items_unless_somebody_asks_for_the_sampled_protocol(split):
    assert SPLITS[split](small_dataset()).test.candidates is None


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", ["popularity", "ease", "svd++"])
def test_the_size_of_a_block_changes_nothing(split, name, monkeypatch):
    split = SPLITS[split](small_dataset())
    recbook.seed_everything(0)
    model = recbook.MODELS[name](split.n_users, split.n_items)
    if hasattr(model, "fit"):
        model.double().fit(split)
    model.double()
    whole = recbook.evaluate(model, split.test, [*METRICS, "RMSE"])
    monkeypatch.setattr(evaluation, "BLOCK", 3 * split.n_items)         # three cases at a time
    parts = recbook.evaluate(model, split.test, [*METRICS, "RMSE"])
    monkeypatch.setattr(evaluation, "BLOCK", 1)
    single = recbook.evaluate(model, split.test, [*METRICS, "RMSE"])
    tied = name == "popularity"                                         # ties are drawn block by block
    for metric in ["RMSE"] if tied else whole.values:
        assert parts.values[metric] == approx(whole.values[metric])
        assert single.values[metric] == approx(whole.values[metric])


@pytest.mark.parametrize("name", ["popularity", "ease", "ials", "pure-svd", "svd++", "bpr-mf"])
def test_users_without_any_history_are_ranked_for(name):
    model = recbook.MODELS[name](3, 40)
    report = recbook.evaluate(model, cases_of([[0], [1], [2]], 40), ["HR@40", "HR@10"])
    assert report["HR@40"] == 1.0


def test_sampled_candidates_hold_the_answer_once_and_no_other_known_item():
    split = recbook.leave_last_out(small_dataset())
    cases = recbook.sample_candidates(split.test, negatives=15, seed=3)
    met = binary_matrix(split.dataset.interactions, split.n_users, split.n_items).toarray()
    assert cases.candidates.shape == (len(split.test), 16)
    for user, target, row in zip(cases.users, cases.target, cases.candidates):
        assert np.flatnonzero(row == target).tolist() == [0]
        assert not met[user, row[1:]].any()
    again, other = (recbook.sample_candidates(split.test, 15, seed).candidates for seed in (3, 4))
    assert (cases.candidates == again).all() and (cases.candidates != other).any()


def test_few_candidates_flatter_a_model():
    split = recbook.leave_last_out(small_dataset())
    model = recbook.Popularity(split.n_users, split.n_items).fit(split)
    sampled = recbook.evaluate(model, recbook.sample_candidates(split.test, negatives=9), ["HR@5"])["HR@5"]
    assert sampled > recbook.evaluate(model, split.test, ["HR@5"])["HR@5"] + 0.2


def test_the_sampled_protocol_needs_one_answer_a_case():
    with pytest.raises(ModelError, match="one right item a case"):
        recbook.sample_candidates(recbook.by_ratio(small_dataset()).test)


# ------------------------------------------------------------------------------------------------ ratings


@pytest.mark.parametrize("split", SPLITS)
def test_rating_errors_are_those_of_numpy(split):
    split = SPLITS[split](small_dataset())
    recbook.seed_everything(0)
    model = recbook.FunkSVD(split.n_users, split.n_items)
    torch.nn.init.normal_(model.user.weight)
    cases = split.test
    everyone = (model.user.weight @ model.item.weight.T).detach().numpy()
    error = everyone[cases.users[cases.case], cases.target] - cases.rating
    report = recbook.evaluate(model, cases, ["RMSE", "MAE", "HR@10"])
    assert report["RMSE"] == approx(np.sqrt(np.mean(error ** 2)), rel=1e-5)
    assert report["MAE"] == approx(np.mean(np.abs(error)), rel=1e-5)
    assert len(report.values["HR@10"]) == len(cases) and len(report.values["RMSE"]) == len(cases.target)
    low, high = report.interval("RMSE")
    assert low < report["RMSE"] < high


def test_each_of_several_answers_has_its_own_predicted_rating():
    """User 0 gave items 2 and 0 the ratings 5 and 1; user 1 gave item 1 a 3. Predicted: 4, 1 and 5."""
    model = Table([[1.0, 0.0, 4.0], [0.0, 5.0, 0.0]])
    cases = cases_of([[2, 0], [1]], 3, ratings=[[5.0, 1.0], [3.0]])
    assert predict_ratings(model, cases).tolist() == [4, 1, 5]
    report = recbook.evaluate(model, cases, ["RMSE", "MAE"])
    assert report["RMSE"] == approx(math.sqrt((1 + 0 + 4) / 3))
    assert report["MAE"] == approx((1 + 0 + 2) / 3)
    assert report.users["RMSE"].tolist() == [0, 0, 1]


def test_answers_without_a_rating_have_no_error():
    model = Table([[1.0, 2.0]] * 2)
    cases = cases_of([[0], [1]], 2, ratings=[[math.nan], [5.0]])
    assert recbook.evaluate(model, cases, ["RMSE"])["RMSE"] == 3.0
    for without in (cases.subset([True, False]), replace(cases, rating=None)):
        with pytest.raises(ModelError, match="no ratings to compare with"):
            recbook.evaluate(model, without, ["RMSE"])


# ------------------------------------------------------------------------------------------------ how sure are we


def test_the_interval_holds_the_truth_about_95_times_in_100():
    """400 samples of 60 users with three alike cases each; the true mean is .3."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        chance = rng.beta(3, 7, size=60)                                # users differ; their mean is .3
        hits = rng.random((60, 3)) < chance[:, None]
        report = Report({"HR@10": hits.astype(float).ravel()}, {"HR@10": np.repeat(np.arange(60), 3)})
        low, high = report.interval("HR@10", draws=400)
        held += low <= 0.3 <= high
    assert 0.90 <= held / 400 <= 0.98


def test_cases_of_one_user_that_are_alike_count_as_one():
    """100 users, each with nine equal cases: the interval is that of 100 cases, thrice as wide as that of 900."""
    hits = np.random.default_rng(0).random(100) < 0.4
    values = {"HR@10": np.repeat(hits, 9).astype(float)}
    clustered = Report(values, {"HR@10": np.repeat(np.arange(100), 9)}).interval("HR@10")
    naive = Report(values, {"HR@10": np.arange(900)}).interval("HR@10")
    once = Report({"HR@10": hits.astype(float)}, {"HR@10": np.arange(100)}).interval("HR@10")
    assert np.ptp(clustered) == approx(3 * np.ptp(naive), rel=0.15)
    assert clustered == approx(once)


def test_all_models_are_drawn_with_the_same_users():
    rng = np.random.default_rng(0)
    a, b, users = rng.random(300), rng.random(300), rng.integers(0, 70, 300)
    gaps = bootstrap(a, users, draws=250) - bootstrap(b, users, draws=250)
    assert len(gaps) == 250 and gaps == approx(bootstrap(a - b, users, draws=250))


def test_the_spread_of_bootstrap_means_is_the_standard_error():
    values = np.random.default_rng(0).normal(size=500)
    means = bootstrap(values, np.arange(500), draws=4000)
    assert means.std() == approx(values.std() / math.sqrt(500), rel=0.1)
    assert means.mean() == approx(values.mean(), abs=0.01)


def comparison(metric="NDCG@10", users=200, **values):
    return Comparison({name: Report({metric: value}, {metric: np.arange(users)}) for name, value in values.items()})


def test_identical_models_are_never_better():
    values = np.random.default_rng(0).random(200)
    both = comparison(one=values, two=values.copy())
    assert both.difference("one", than="two") == {"difference": 0, "low": 0, "high": 0, "p": 1}
    assert not both.better("one", than="two") and not both.better("two", than="one")


def test_a_small_gain_everywhere_counts_although_the_cases_differ_widely():
    """The gain (.02) is far below the spread between cases (.29), but the cases are the same for both."""
    rng = np.random.default_rng(0)
    hard = rng.random(200)
    both = comparison(plain=hard, better=hard + 0.02 + 0.05 * rng.standard_normal(200))
    assert both.better("better", than="plain") and not both.better("plain", than="better")
    assert both.difference("better", than="plain")["p"] < 0.01
    first, second = (both.reports[name].interval("NDCG@10") for name in ("plain", "better"))
    assert second[0] < first[1]                                         # their own intervals overlap


def test_chance_is_called_better_in_one_of_forty_comparisons():
    rng = np.random.default_rng(0)
    calls = [comparison(a=rng.random(200), b=rng.random(200)).better("a", than="b") for _ in range(100)]
    assert np.mean(calls) <= 0.07                                       # more than 7 of 100: one seed in 300


@pytest.mark.parametrize("metric", ["RMSE", "MAE"])
def test_a_smaller_error_is_better(metric):
    errors = np.random.default_rng(0).random(200)
    both = comparison(metric, small=errors, large=errors + 0.5)
    assert both.better("small", than="large", metric=metric)
    assert not both.better("large", than="small", metric=metric)


def test_compare_measures_every_model_on_the_same_cases():
    cases = cases_of([[0], [1]], 3)
    models = {"right": Table([[9.0, 1, 0], [1, 9, 0]]), "wrong": Table([[0.0, 1, 9], [1, 0, 9]])}
    found = recbook.compare(models, cases, ["HR@1", "MRR"])
    assert found.to_frame("MRR")["MRR"].to_dict() == {"right": 1.0, "wrong": approx(1 / 3)}
    assert found.gap_closed("right", floor="wrong", ceiling="right", metric="HR@1") == 1.0


# ------------------------------------------------------------------------------------------------ beyond accuracy


def test_coverage_novelty_diversity_and_popularity_bias_by_hand():
    """Training counts of four items, plus one each: 4, 2, 1, 1 of 8, so 1, 2, 3 and 3 bits of surprise.

    User 0 is shown items 0 and 1 (one category), user 1 items 0 and 2 (two categories); item 3 is shown to nobody.
    """
    items = pd.DataFrame({"item": range(4), "category": ["a", "a", "b", "b"]})
    log = pd.DataFrame({"user": [2, 3, 4, 2, 0, 1], "item": [0, 0, 0, 1, 3, 2], "timestamp": range(6)})
    dataset = recbook.from_frame(log, timestamp="timestamp", items=items)
    train = dataset.interactions[dataset.interactions["user"] >= 2].reset_index(drop=True)
    test = replace(cases_of([[3], [2], [0], [0], [0]], 4).subset([True, True, False, False, False]))
    split = recbook.Split("by hand", dataset, train, test)
    model = Table([[9.0, 8, 1, 0], [9, 1, 8, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert recbook.beyond_accuracy(model, split, k=2).to_dict() == approx({
        "coverage@2": 3 / 4, "novelty@2": (1 + 2 + 1 + 3) / 4, "diversity@2": (0 + 1) / 2,
        "popularity bias@2": (4 + 2 + 4 + 1) / 4 / 1,
    })


def test_lists_hold_the_best_items_without_masked_ones():
    cases = cases_of([[3], [2]], 4, masked=[[0, 1], []])
    model = Table([[9.0, 8, 1, 2], [9, 1, 8, 0]])
    assert evaluation.top_lists(model, cases, k=2).tolist() == [[3, 2], [0, 2]]


def test_a_list_of_more_items_than_there_are_is_refused():
    split = recbook.leave_last_out(small_dataset())
    model = recbook.Popularity(split.n_users, split.n_items).fit(split)
    with pytest.raises(ModelError, match="best 41 of 40 items"):
        recbook.beyond_accuracy(model, split, k=41)


# ------------------------------------------------------------------------------------------------ speed


class DotProduct(Recommender):
    def __init__(self, n_users, n_items, dim):
        super().__init__()
        self.user = torch.nn.Parameter(torch.randn(n_users, dim))
        self.item = torch.nn.Parameter(torch.randn(n_items, dim))

    def scores(self, context, items=None):
        return products(self.user[context.users], self.item, items)


def test_full_ranking_of_a_catalogue_like_movielens_1m_takes_seconds_at_most():
    """6,040 users by 3,706 items, a million masked pairs. One thread takes a fifth of a second; shared machines more."""
    n_users, n_items = 6040, 3706
    rng = np.random.default_rng(0)
    met = pd.DataFrame({"user": rng.integers(0, n_users, 1_000_000), "item": rng.integers(0, n_items, 1_000_000)})
    cases = cases_of(rng.integers(0, n_items, (n_users, 1)), n_items)
    cases = replace(cases, masked=binary_matrix(met, n_users, n_items))
    model = DotProduct(n_users, n_items, dim=64)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        report = recbook.evaluate(model, cases)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 3
    assert 0 < report["HR@10"] < 0.01                                   # chance is .0027


def test_as_many_right_items_as_cases_need_not_be_one_each():
    scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    ranks = places(scores, torch.tensor([0, 0]), torch.tensor([0, 2]), torch.Generator())
    assert ranks.tolist() == [0, 2]


# ------------------------------------------------------------------------------------------------ again and new


def three_questions():
    """Users a and b are asked for an item that they met, c for one that is new; scores by a table."""
    frame = pd.DataFrame([("a", 0), ("a", 1), ("a", 0), ("b", 2), ("b", 2), ("b", 2), ("c", 0), ("c", 1), ("c", 2)],
                         columns=["user", "item"])
    return recbook.leave_last_out(recbook.from_frame(frame), mask=None).test


GOOD_ON_OLD = [[3.0, 2, 1], [1, 2, 3], [3, 2, 1]]
GOOD_ON_NEW = [[2.0, 3, 1], [1, 3, 2], [1, 2, 3]]


def test_a_comparison_is_cut_by_whether_the_answer_was_met_before():
    cases = three_questions()
    result = recbook.compare({"old": Table(GOOD_ON_OLD), "new": Table(GOOD_ON_NEW)}, on=cases, metrics=["MRR"])
    assert cases.again().tolist() == [True, True, False]
    frame = result.by_answer("MRR")
    assert frame.columns.tolist() == ["all", "again", "new"]
    assert frame.loc["share of the questions"].tolist() == approx([1, 2 / 3, 1 / 3])
    assert frame.loc["old"].tolist() == approx([(1 + 1 + 1 / 3) / 3, 1, 1 / 3])
    assert frame.loc["new"].tolist() == approx([(1 / 2 + 1 / 2 + 1) / 3, 1 / 2, 1])
    assert result.part("all") is result
    again, new = result.part("again"), result.part("new")
    assert (len(again.cases), len(new.cases)) == (2, 1)
    assert again.difference("old", than="new", metric="MRR")["difference"] == approx(1 / 2)
    assert new.difference("old", than="new", metric="MRR")["difference"] == approx(-2 / 3)
    assert "one right item each; all 3 items are ranked; nothing is masked" in result.protocol()


def test_what_cannot_be_cut_says_so():
    with pytest.raises(ModelError, match="one right answer each"):
        recbook.compare({"a": Table([[1.0, 2, 3]])}, on=cases_of([[0, 1]], 3)).part("new")
    with pytest.raises(ModelError, match="answer that is again"):
        recbook.compare({"a": Table([[1.0, 2, 3]])}, on=cases_of([[0]], 3)).part("again")
    with pytest.raises(recbook.UnknownName, match="Did you mean 'new'"):
        recbook.compare({"a": Table([[1.0, 2, 3]])}, on=cases_of([[0]], 3)).part("news")
    with pytest.raises(ModelError, match="RMSE"):
        Report({"RMSE": np.ones(2)}, {"RMSE": np.arange(2)}).subset(np.array([True, False, True]))


def test_models_of_several_seeds_are_averaged_case_by_case():
    cases = three_questions()
    one, two = Table(GOOD_ON_OLD), Table(GOOD_ON_NEW)
    both = recbook.compare({"both": [one, two], "one": one}, on=cases, metrics=["MRR"])
    expected = (recbook.evaluate(one, cases, ["MRR"]).values["MRR"] + recbook.evaluate(two, cases, ["MRR"]).values["MRR"]) / 2
    assert both.reports["both"].values["MRR"].tolist() == expected.tolist()
    assert [run["MRR"] for run in both.part("again").reports["both"].runs] == [1.0, 0.5]


# ------------------------------------------------------------------------------------------------ odd questions


def test_an_item_that_comes_twice_is_one_right_answer():
    frame = pd.DataFrame([("u", item) for item in "abcdefghxx"], columns=["user", "item"])
    test = recbook.by_ratio(recbook.from_frame(frame), validation=0, test=0.2).test      # x, x
    scores = torch.tensor([[-0.0, -1, -2, -3, -4, -5, -6, -7, 10]])
    report = recbook.evaluate(Table(scores), test, ["NDCG@10", "Precision@1", "Precision@10", "MAP", "Recall@10"])
    run = [ir_measures.ScoredDoc("u", item, score) for item, score in zip("abcdefghx", scores[0].tolist())]
    measures = [ir_measures.nDCG @ 10, ir_measures.P @ 1, ir_measures.P @ 10, ir_measures.AP, ir_measures.R @ 10]
    right = ir_measures.calc_aggregate(measures, [ir_measures.Qrel("u", "x", 1)], run)
    assert [report[name] for name in report.values] == approx([right[measure] for measure in measures])
    assert [report[name] for name in report.values] == approx([1, 1, 0.1, 1, 1])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=10, max_size=40), st.integers(0, 5))
@settings(deadline=None)
def test_no_metric_leaves_its_range_however_often_items_return(pairs, seed):
    dataset = recbook.from_frame(pd.DataFrame(pairs, columns=["user", "item"]), items_return=True)
    split = recbook.by_ratio(dataset, validation=0, test=0.5)
    scores = torch.rand(dataset.n_users, dataset.n_items, generator=torch.Generator().manual_seed(seed))
    names = [f"{family}@{k}" for family in ("HR", "Recall", "NDCG", "MRR", "MAP") for k in (1, 3)] + ["Precision@3"]
    for values in recbook.evaluate(Table(scores), split.test, names).values.values():
        assert (values >= 0).all() and (values <= 1 + 1e-12).all()


def test_a_difference_of_rmse_is_the_difference_of_the_two_in_stars():
    rng = np.random.default_rng(0)
    rows = [(user, item, int(rng.integers(1, 6))) for user in range(30) for item in rng.permutation(12)[:8]]
    dataset = recbook.from_frame(pd.DataFrame(rows, columns=["user", "item", "r"]), rating="r")
    cases = recbook.random_folds(dataset)[0].test
    three, five = (Table(torch.full((30, 12), stars)) for stars in (3.0, 5.0))
    gap = recbook.compare({"three": three, "five": five}, on=cases, metrics=["RMSE", "MAE"]).difference("three", "five", "RMSE")
    given = cases.rating
    expected = np.sqrt(np.mean((given - 3) ** 2)) - np.sqrt(np.mean((given - 5) ** 2))
    assert gap["difference"] == approx(expected) and gap["low"] < expected < gap["high"] < 0
    assert gap["high"] - gap["low"] < 1


def test_an_interval_of_few_users_stays_within_what_they_have():
    report = Report({"MRR": np.array([0.5, 0.5])}, {"MRR": np.array([0, 1])})
    assert report.interval("MRR") == (0.5, 0.5)


@pytest.mark.parametrize("columns", [2, 4])
def test_scores_of_another_shape_are_refused(columns):
    cases = cases_of([[0], [1]], 3)
    with pytest.raises(ModelError, match=rf"Table gives scores of shape \(2, {columns}\); .* it is \(2, 3\)"):
        recbook.evaluate(Table(torch.rand(2, columns)), cases)


def test_lists_are_shorter_where_less_is_left():
    frame = pd.DataFrame([("a", i) for i in range(9)] + [("b", i) for i in range(5, 12)], columns=["user", "item"])
    dataset = recbook.from_frame(frame)
    split = recbook.leave_last_out(dataset)
    model = recbook.Popularity(dataset.n_users, dataset.n_items).fit(split)
    assert recbook.beyond_accuracy(model, split, k=10)["coverage@10"] <= 9 / 12
    history = dataset.history("a")
    items, scores = model.top(history, k=5, exclude=history.items)
    assert sorted(items[0, :3].tolist()) == [9, 10, 11] and items[0, 3:].tolist() == [-1, -1]
    assert scores[0, 3:].tolist() == [-math.inf] * 2


def test_a_metric_of_a_longer_list_than_there_are_items():
    cases = cases_of([[0], [1, 2]], 3)
    report = recbook.evaluate(Table(torch.rand(2, 3)), cases, ["NDCG@9999999999", "Recall@9999999999"])
    assert report["Recall@9999999999"] == 1 and 0 < report["NDCG@9999999999"] <= 1


# ------------------------------------------------------------------------------------------------ what is ranked


def test_sampled_candidates_are_different_and_all_equally_likely():
    """A random model among 99 is right ten times in a hundred; each unmet item is drawn as often as any other."""
    dataset = recbook.from_frame(pd.DataFrame([(u, i) for u in range(3000) for i in np.random.default_rng(u).permutation(12)[:4]],
                                              columns=["user", "item"]))
    cases = recbook.sample_candidates(recbook.leave_last_out(dataset).test, 7)
    assert all(len(set(row)) == 8 for row in cases.candidates)
    met = dataset.interactions.groupby("user")["item"].agg(set)
    assert all(not set(row[1:]) & met[user] for user, row in zip(cases.users, cases.candidates))
    times = np.bincount(cases.candidates[:, 1:].ravel(), minlength=12)
    assert abs(times - 3000 * 7 / 12).max() < 5 * np.sqrt(3000 * 7 / 12)
    first_of_unmet = [sorted(set(range(12)) - met[user])[0] in row[1:] for user, row in zip(cases.users, cases.candidates)]
    assert abs(np.mean(first_of_unmet) - 7 / 8) < 0.03
    with pytest.raises(ModelError, match="9 candidates are asked for, and somebody has not met 8 items"):
        recbook.sample_candidates(recbook.leave_last_out(dataset).test, 9)
    shop = recbook.load("shop")
    sampled = recbook.sample_candidates(recbook.by_time(shop).test, 99)

    class Random(recbook.Recommender):
        def scores(self, context, items=None):
            return torch.rand((len(context), shop.n_items) if items is None else items.shape)

    torch.manual_seed(0)
    assert abs(recbook.evaluate(Random(), sampled, ["HR@10"])["HR@10"] - 0.1) < 0.01


@pytest.mark.parametrize("cut", [recbook.by_time, recbook.leave_last_out, lambda data: recbook.random_folds(data)[0]])
def test_nothing_of_the_history_is_ranked_where_nothing_returns(cut):
    """Rank by hand: of the items that are not in the history that the model is given, how many score above the right one?"""
    draw = np.random.default_rng(0)
    log = pd.DataFrame([(u, i, t) for u in range(40) for t, i in zip(draw.uniform(0, 100, 9), draw.permutation(30)[:9])],
                       columns=["user", "item", "t"]).assign(r=3)
    dataset = recbook.from_frame(log, timestamp="t", rating="r")
    cases, scores = cut(dataset).test, torch.from_numpy(draw.permutation(30).astype(float))

    class Fixed(recbook.Recommender):
        reads = None

        def scores(self, context, items=None):
            return scores.expand(len(context), -1)

    histories = cases.context().items.tolist()
    by_hand = [sum(bool(scores[item] > scores[right]) for item in set(range(30)) - set(history))
               for history, right in zip(histories, cases.target)]
    assert rank(Fixed(), cases).rank.tolist() == by_hand
    lists = recbook.evaluation.top_lists(Fixed(), cases)
    assert not any(set(row) & set(history) - {-1} for row, history in zip(lists.tolist(), histories))


ROBOT = """
import resource, sys
import numpy as np, pandas as pd, recbook as rb
draw = np.random.default_rng(0)
users = np.r_[np.repeat(np.arange(5000), 10), np.full(200_000, 5000)]
data = rb.from_frame(pd.DataFrame({"user": users, "item": draw.integers(0, 200, len(users))}), items_return=True)
split = rb.leave_last_out(data)
rb.seed_everything(0)
model = rb.models.find_model(sys.argv[1])(data.n_users, data.n_items).fit(split)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rb.evaluate(model, split.test, ["NDCG@10"])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows counts memory in another way")
@pytest.mark.parametrize("name", ["ease", "item-knn", "pure-svd", "personal-popularity"])
def test_one_robots_clicks_are_not_laid_out_for_everybody(name):
    """8 MB of data, of which one user has 200,000 events: megabytes to evaluate, where three arrays of 8 GB were made."""
    done = subprocess.run([sys.executable, "-c", ROBOT, name], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1000


# ------------------------------------------------------------------------------------------------ what cannot be asked


def test_what_is_no_part_of_a_split_is_named():
    split = recbook.by_ratio(recbook.load("shop", n_users=60, n_events=3000), validation=0)
    model = recbook.Popularity(split.n_users, split.n_items).fit(split)
    for measure in (lambda: recbook.evaluate(model, split.validation), lambda: recbook.sample_candidates(split.validation),
                    lambda: recbook.beyond_accuracy(model, recbook.everything(split.dataset))):
        with pytest.raises(ModelError, match="this is None, so the split has no such part"):
            measure()
    with pytest.raises(ModelError, match="split.test or split.validation; this is a Split"):
        recbook.evaluate(model, split)
    assert list(recbook.evaluate(model, split.test, "NDCG@10").values) == ["NDCG@10"]


def test_names_that_a_comparison_does_not_have():
    split = recbook.by_time(recbook.load("shop", n_users=60, n_events=3000))
    popular = recbook.Popularity(split.n_users, split.n_items).fit(split)
    result = recbook.compare({"a": popular, "b": popular}, on=split.test, metrics=["NDCG@10"])
    for ask, says in ((lambda: result.difference("a", "z"), "Unknown model of this comparison 'z'"),
                      (lambda: result.better("a", "b", "HR@10"), "Unknown metric of this report 'HR@10'"),
                      (lambda: result.to_frame("MRR"), "Unknown metric of this report 'MRR'"),
                      (lambda: result.gap_closed("a", "y", "b"), "Unknown model of this comparison 'y'")):
        with pytest.raises(UnknownName, match=says):
            ask()
    with pytest.raises(ModelError, match="a and b are level in NDCG@10"):
        result.gap_closed("a", "a", "b")
    for models in ({}, [popular], {"a": []}):
        with pytest.raises(ModelError, match="compare is given models by name"):
            recbook.compare(models, on=split.test)


def test_every_way_to_measure_refuses_the_numbers_of_another_data_set():
    """Ratings and lists too: as many users and items, called otherwise."""
    def data(prefix):
        rows = [(f"{prefix}{user}", f"{prefix}{(user + step) % 9}", 1 + (user * step) % 5) for user in range(9) for step in range(5)]
        return recbook.from_frame(pd.DataFrame(rows, columns=["user", "item", "stars"]), rating="stars")

    here, there = recbook.leave_last_out(data("a")), recbook.leave_last_out(data("b"))
    bias, ease = recbook.Bias(9, 9).fit(here), recbook.EASE(9, 9).fit(here)
    for measure in (lambda: recbook.evaluate(bias, there.test, ["RMSE"]), lambda: recbook.evaluate(ease, there.test),
                    lambda: recbook.beyond_accuracy(ease, there, k=3)):
        with pytest.raises(ModelError, match="was trained on other items"):
            measure()


def test_lists_are_made_without_dropout():
    split = recbook.by_time(recbook.load("shop", n_users=60, n_events=3000))
    recbook.seed_everything(0)
    model = recbook.SASRec(split.n_users, split.n_items, dim=8, length=10, dropout=0.9)
    asleep = recbook.beyond_accuracy(model.eval(), split)
    assert recbook.beyond_accuracy(model.train(), split).equals(asleep)
