"""Every metric does what its definition says, written down once more in plain Python."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from recbook.errors import UnknownName
from recbook.metrics import RANKING, RATING, Ranks, parse

HIDDEN = math.inf

# one list for each case: the ranks of its right items, all different; a hidden one has no rank
right_items = st.sets(st.integers(0, 30), max_size=6)
lists_of_ranks = st.lists(st.tuples(right_items, st.integers(0, 2)).filter(lambda case: case[0] or case[1])
                          .map(lambda case: [*case[0], *[HIDDEN] * case[1]]), min_size=1, max_size=5)


def as_ranks(cases):
    case = [number for number, ranks in enumerate(cases) for _ in ranks]
    return Ranks(case, [rank for ranks in cases for rank in ranks], len(cases))


def measure(name, cases):
    function, options = parse(name)
    return function(as_ranks(cases), **options).tolist()


def plain(family, ranks, k):
    """The metric of one list, place by place, from the top."""
    places = [place in ranks for place in range(k)]                     # is a right item there?
    if family == "HR":
        return float(any(places))
    if family == "Recall":
        return sum(places) / len(ranks)
    if family == "Precision":
        return sum(places) / k
    if family == "MRR":
        return next((1 / (place + 1) for place, right in enumerate(places) if right), 0.0)
    if family == "MAP":
        return sum(sum(places[:place + 1]) / (place + 1) for place in range(k) if places[place]) / len(ranks)
    gain = sum(1 / math.log2(place + 2) for place in range(k) if places[place])
    return gain / sum(1 / math.log2(place + 2) for place in range(min(k, len(ranks))))


@pytest.mark.parametrize("family", RANKING)
@given(cases=lists_of_ranks, k=st.integers(1, 50))                      # at times far beyond the list
def test_a_metric_agrees_with_its_definition(family, cases, k):
    assert measure(f"{family}@{k}", cases) == approx([plain(family, ranks, k) for ranks in cases])


@pytest.mark.parametrize("family", ["MRR", "MAP"])
@given(cases=lists_of_ranks)
def test_without_k_the_whole_list_counts(family, cases):
    assert measure(family, cases) == approx([plain(family, ranks, 31) for ranks in cases])


@given(cases=lists_of_ranks, k=st.integers(1, 50), data=st.data())
def test_the_order_of_the_right_items_does_not_matter(cases, k, data):
    again = [data.draw(st.permutations(ranks)) for ranks in cases]
    for family in RANKING:
        assert measure(f"{family}@{k}", cases) == approx(measure(f"{family}@{k}", again))


@pytest.mark.parametrize("name, value", [
    ("HR@1", 0), ("HR@2", 1),
    ("Recall@3", 1 / 3), ("Recall@5", 2 / 3),
    ("Precision@2", 1 / 2), ("Precision@5", 2 / 5), ("Precision@10", 2 / 10),
    ("MRR", 1 / 2), ("MRR@1", 0),
    ("MAP", (1 / 2 + 2 / 5) / 3), ("MAP@4", 1 / 2 / 3),
    ("NDCG@2", 0.38685280723454163), ("NDCG@5", 0.4776237035032179),
])
def test_by_hand_right_items_in_second_and_fifth_place_and_one_hidden(name, value):
    """At 5: gain 1/log2(3) + 1/log2(6) = 1.0178; best 1 + 1/log2(3) + 1/2 = 2.1309."""
    assert measure(name, [[1, 4, HIDDEN]]) == approx([value])


def test_the_best_list_scores_one_and_the_list_without_an_answer_zero():
    for family in RANKING:
        assert measure(f"{family}@3", [[0, 1, 2], [HIDDEN, HIDDEN, HIDDEN]]) == [1.0, 0.0]


def test_errors_of_ratings():
    errors = np.array([-2.0, 1.0])
    assert RATING["RMSE"](errors).tolist() == [4.0, 1.0]                # the root is taken of their mean
    assert RATING["MAE"](errors).tolist() == [2.0, 1.0]


@pytest.mark.parametrize("name, near", [
    ("NCDG@10", "NDCG@10"), ("ndcg@10", "NDCG@10"), ("NDCG", "NDCG@10"), ("recall@20", "Recall@10"),
    ("MRR10", "MRR@10"), ("RSME", "RMSE"), ("HR@0", "HR@10"), ("HR@-1", "HR@10"), ("HR@ten", "HR@10"), ("HR@²", "HR@10"), ("MAP@", "MAP"),
])
def test_a_wrong_name_is_refused_and_the_nearest_named(name, near):
    with pytest.raises(UnknownName) as error:
        parse(name)
    assert f"Unknown metric {name!r}. Did you mean '{near}'?" == str(error.value)


def test_a_name_unlike_any_other_gets_the_list():
    with pytest.raises(UnknownName, match="Known: HR@10, MAE, MAP, MAP@10, MRR"):
        parse("xyz")
