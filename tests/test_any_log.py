"""Random small logs, with all that real ones hold: every split, model and metric takes them, or says why not in a line."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recbook as rb
from recbook.errors import RecbookError
from recbook.evaluation import rank, top_lists
from recbook.models import MODELS

USERS = ["007", "7", "NA", "ü ", "null", "0012", "12E3", "True"]
ITEMS = [1, 2, 3, 5, 8, 13, 21, 34, 55]
METRICS = ("NDCG@1", "NDCG@10", "HR@3", "Recall@5", "Precision@5", "MAP", "MRR")
SPLITS = {"last": rb.leave_last_out, "ratio": rb.by_ratio, "time": rb.by_time, "folds": lambda data: rb.random_folds(data, 3)[0]}
RATINGS = {"bias", "funk-svd", "svd++", "knn-baseline", "autorec"}

events = st.tuples(st.sampled_from(USERS), st.sampled_from(ITEMS), st.integers(0, 20), st.integers(1, 5))
logs = st.lists(events, min_size=1, max_size=40)


def dataset_of(rows, **options):
    frame = pd.DataFrame(rows, columns=["user", "item", "when", "stars"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                                 # few repeats: said, and not what is asked here
        return rb.from_frame(frame, timestamp="when", rating="stars", **options), frame


def plain(metric, ranks):
    """A metric of one case from the ranks of its right items, 0 the best, inf never found: by definition."""
    name, _, k = metric.partition("@")
    k = int(k) if k else None
    found = sorted(place for place in ranks if k is None or place < k)
    if name == "NDCG":
        return sum(1 / np.log2(place + 2) for place in found) / sum(1 / np.log2(place + 2) for place in range(min(k, len(ranks))))
    if name == "HR":
        return float(bool(found))
    if name == "Recall":
        return len(found) / len(ranks)
    if name == "Precision":
        return len(found) / k
    places = sorted(place for place in ranks if np.isfinite(place))
    if name == "MRR":
        return 1 / (places[0] + 1) if places else 0.0
    return sum((number + 1) / (place + 1) for number, place in enumerate(places)) / len(ranks)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(logs)
def test_nothing_is_merged_lost_or_reordered(rows):
    data, frame = dataset_of(rows)
    assert set(data.users["original"]) == set(frame["user"]) and set(data.items["original"]) == set(frame["item"])
    assert len(data.interactions) == len(frame)
    for user in frame["user"].unique():
        own = frame[frame["user"] == user].sort_values("when", kind="stable")
        history = data.history(user)
        assert [data.items["original"].iloc[item] for item in history.items[0].tolist()] == own["item"].tolist()
        assert history.times[0].tolist() == own["when"].tolist()


@pytest.mark.parametrize("cut", SPLITS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(logs, st.randoms(use_true_random=False))
def test_metrics_are_in_their_range_and_those_of_plain_python(cut, rows, random):
    data, _ = dataset_of(rows)
    scores = torch.tensor([random.randint(0, 3) for _ in range(data.n_items)], dtype=torch.float)       # many ties

    class Fixed(rb.Recommender):
        reads = None

        def scores(self, context, items=None):
            return scores.expand(len(context), -1)

    try:
        cases = SPLITS[cut](data).test
        report = rb.evaluate(Fixed(), cases, METRICS)
    except RecbookError:                                                # too little to cut, or nothing to ask
        return
    found = rank(Fixed(), cases)
    for case in range(len(cases)):
        ranks = found.rank[found.case == case].tolist()
        assert len(ranks) == len(set(cases.target[cases.case == case])) and len(set(ranks)) == len(ranks) or np.inf in ranks
        for metric in METRICS:
            assert 0 <= report.values[metric][case] <= 1
            assert report.values[metric][case] == pytest.approx(plain(metric, ranks))
    for metric in METRICS:
        low, high = report.interval(metric, draws=50)
        assert 0 <= low <= high <= 1 + 1e-12
    if not data.items_return:                                           # no masked item in a list
        histories = cases.context().items.tolist()
        for history, row in zip(histories, top_lists(Fixed(), cases, k=data.n_items).tolist()):
            assert not (set(history) & set(row) - {-1})
            assert [item for item in row if item >= 0] == row[:sum(item >= 0 for item in row)]


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(events, min_size=12, max_size=40))
def test_every_model_takes_a_small_log_or_says_why_not(name, rows):
    data, _ = dataset_of(rows, items=pd.DataFrame({"item": ITEMS, "category": list("abcabcabc"), "text": ["red cup"] * 8 + [None]}))
    rb.seed_everything(0)
    try:
        split = rb.leave_last_out(data)
        model = MODELS[name](data.n_users, data.n_items)
        rb.fit(model, split, epochs=1, batch_size=8, progress=False, device="cpu")
        metrics = ["RMSE", "MAE"] if name in RATINGS else ["NDCG@10", "MRR"]
        report = rb.evaluate(model, split.test, metrics)
    except RecbookError as problem:
        assert str(problem) and "\n" not in str(problem)
        return
    assert all(np.isfinite(report[metric]) for metric in metrics)
    if name not in RATINGS:
        assert all(0 <= report[metric] <= 1 for metric in metrics)
        history = data.history(data.users["original"].iloc[0])
        items, values = model.top(history, k=data.n_items, exclude=history.items)
        assert not set(items[0].tolist()) & set(history.items[0].tolist()) - {-1}
