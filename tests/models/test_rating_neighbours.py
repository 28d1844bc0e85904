"""Neighbours of ratings: by hand, and as scikit-surprise computes them, one rating at a time."""

import heapq

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import recbook
from recbook import Bias, KNNBaseline, RatingKNN
from recbook.data.splits import Context, everything
from recbook.errors import UnknownName

# Users a, b, c, d rate items 0 .. 4; a has not rated item 4. Means of users: 4, 2.4, 3.8, 3.2; of items: 3.75, 2.5,
# 2.75, 3.75, 4.
RATINGS = np.array([[5, 3, 4, 4, 0],
                    [3, 1, 2, 3, 3],
                    [4, 3, 4, 3, 5],
                    [3, 3, 1, 5, 4]], dtype=float)


def split_of(ratings):
    """A matrix of ratings, 0 where there is none, as training."""
    user, item = np.nonzero(ratings)
    frame = pd.DataFrame({"user": user, "item": item, "rating": ratings[user, item]})
    users, items = (pd.DataFrame({name: np.arange(size)}) for name, size in zip(("user", "item"), ratings.shape))
    return everything(recbook.from_frame(frame, rating="rating", users=users, items=items))


def built(model=RatingKNN, ratings=RATINGS, **options):
    return model(*ratings.shape, **options).double().fit(split_of(ratings))


def predict(model, user, item):
    return float(model.scores(Context(users=torch.tensor([user])), torch.tensor([[item]])))


# ------------------------------------------------------------------------------------------------ by hand


def test_pearson_by_hand():
    """Over items 0 .. 3 and about the means of these, a is (1, -1, 0, 0), b (.75, -1.25, -.25, .75), c (.5, -.5, .5,
    -.5), d (0, 0, -2, 2): r(a, b) = 2 / sqrt(2 * 2.75) = .8528, r(a, c) = 1 / sqrt(2) = .7071, r(a, d) = 0.
    """
    model = built(k=2)
    assert model.alike[0].tolist() == pytest.approx([0, .8528, .7071, 0], abs=1e-4)
    assert_close(model.alike, model.alike.T)
    # 4 + (.8528 (3 - 2.4) + .7071 (5 - 3.8)) / (.8528 + .7071) = 4 + 1.3602 / 1.5599
    assert predict(model, 0, 4) == pytest.approx(4.8720, abs=1e-4)
    assert predict(built(k=1), 0, 4) == pytest.approx(4.6)              # b alone: 4 + (3 - 2.4)


def test_cosine_by_hand():
    """a and b on items 0 .. 3: (15 + 3 + 8 + 12) / sqrt(66 * 23) = .9753; items 0 and 4: 41 / sqrt(34 * 50) = .9944."""
    assert float(built(similarity="cosine").alike[0, 1]) == pytest.approx(.9753, abs=1e-4)
    assert float(built(similarity="cosine", by="item").alike[0, 4]) == pytest.approx(.9944, abs=1e-4)


def test_adjusted_cosine_by_hand():
    """About the means of b, c, d item 4 is (.6, 1.2, .8), item 0 (.6, .2, -.2), item 3 (.6, -.8, 1.8): cosines
    .44 / sqrt(2.44 * .44) = .4247 and .84 / sqrt(2.44 * 4.24) = .2612; those with items 1 and 2 are negative.
    """
    model = built(similarity="adjusted cosine", by="item")
    assert model.alike[4, [0, 3]].tolist() == pytest.approx([.4247, .2612], abs=1e-4)
    assert (model.alike[4, 1:3] < -0.1).all()
    # 4 + (.4247 (5 - 3.75) + .2612 (4 - 3.75)) / (.4247 + .2612): who is not alike is no neighbour
    assert predict(model, 0, 4) == pytest.approx(4.8691, abs=1e-4)


def test_shrinkage_by_hand():
    """Four common ratings: 3 / (3 + 2) of the similarity."""
    assert_close(built(shrink=2.0).alike[0], built().alike[0] * torch.tensor([0, .6, .6, .6], dtype=torch.float64))


# ------------------------------------------------------------------------------------------------ as surprise has it


def correlation(first, second, deviation, shrink):
    """`pearson_baseline` of scikit-surprise: rows of deviations, NaN where there is no rating."""
    common = ~np.isnan(deviation[first]) & ~np.isnan(deviation[second])
    if common.sum() < 2:
        return 0.0
    x, y = deviation[first][common], deviation[second][common]
    return (x @ y) / np.sqrt((x @ x) * (y @ y)) * (common.sum() - 1) / (common.sum() - 1 + shrink)


def surprise(deviation, mine, other, k, shrink):
    """The second term of `KNNBaseline.estimate`."""
    raters = [row for row in range(len(deviation)) if row != mine and not np.isnan(deviation[row, other])]
    neighbours = [(correlation(mine, row, deviation, shrink), deviation[row, other]) for row in raters]
    nearest = [pair for pair in heapq.nlargest(k, neighbours, key=lambda pair: pair[0]) if pair[0] > 0]
    return sum(s * strayed for s, strayed in nearest) / sum(s for s, _ in nearest) if nearest else 0.0


ratings = st.tuples(st.integers(2, 7), st.integers(2, 7), st.integers(0, 2**32 - 1)).map(
    lambda drawn: np.random.default_rng(drawn[2]).integers(0, 6, drawn[:2]) * 1.0).filter(lambda given: given.any())


@settings(max_examples=60, deadline=None)
@given(ratings=ratings, by=st.sampled_from(["user", "item"]), k=st.integers(1, 8),
       shrink=st.sampled_from([0.0, 100.0]))
def test_knn_baseline_is_that_of_surprise(ratings, by, k, shrink):
    model = built(KNNBaseline, ratings, k=k, by=by, shrink=shrink)
    scores = model.scores(Context(users=torch.arange(len(ratings)))).numpy()
    baseline = Bias(*ratings.shape).double().fit(split_of(ratings)).scores(Context(users=torch.arange(len(ratings))))
    deviation = np.where(ratings > 0, ratings - baseline.numpy(), np.nan)
    for user, item in np.ndindex(ratings.shape):
        rows, mine, other = (deviation, user, item) if by == "user" else (deviation.T, item, user)
        expected = float(baseline[user, item]) + surprise(rows, mine, other, k, shrink)
        assert scores[user, item] == pytest.approx(expected, abs=1e-6)


@example(ratings=np.array([[0.0, 4.0], [0.0, 1.0], [4.0, 4.0], [5.0, 5.0]]), by="item", similarity="adjusted cosine")
@settings(max_examples=60, deadline=None)
@given(ratings=ratings, by=st.sampled_from(["user", "item"]),
       similarity=st.sampled_from(["pearson", "cosine", "adjusted cosine"]))
def test_similarities_are_their_definitions(ratings, by, similarity):
    alike = built(ratings=ratings, by=by, similarity=similarity).alike.numpy()
    rows = np.where(ratings > 0, ratings, np.nan)
    if similarity == "adjusted cosine":
        rows = rows - np.array([np.mean(line[line > 0]) if line.any() else 0
                                for line in (ratings.T if by == "user" else ratings)]).reshape(
                                    (1, -1) if by == "user" else (-1, 1))
    rows = rows if by == "user" else rows.T
    for first, second in np.ndindex(alike.shape):
        common = ~np.isnan(rows[first] + rows[second])
        x, y = rows[first][common], rows[second][common]
        if similarity == "pearson" and len(x):
            x, y = x - x.mean(), y - y.mean()
        scale = np.sqrt((x @ x) * (y @ y))
        expected = x @ y / scale if first != second and common.sum() > 1 and scale > 1e-9 else 0
        assert alike[first, second] == pytest.approx(expected, abs=1e-6)


# ------------------------------------------------------------------------------------------------ what may go wrong


def test_events_without_a_rating_are_passed_over():
    """In a log of behaviour few rows have one."""
    split = split_of(RATINGS)
    unrated = pd.DataFrame({"user": [0, 3], "item": [4, 0], "rating": [np.nan, np.nan]})
    more = recbook.data.splits.replace(split, train=pd.concat([split.train, unrated], ignore_index=True))
    for model in (RatingKNN, KNNBaseline):
        context = Context(users=torch.arange(4))
        assert_close(model(4, 5).fit(more).scores(context), model(4, 5).fit(split).scores(context))


def test_a_user_of_constant_ratings_has_no_pearson_and_is_no_neighbour():
    constant = np.vstack([RATINGS, [3, 3, 3, 3, 3]])
    model = built(ratings=constant)
    assert model.alike[4].tolist() == [0] * 5
    assert predict(model, 4, 0) == pytest.approx(3)                     # the mean of that user is left
    assert predict(model, 0, 4) == pytest.approx(predict(built(), 0, 4))
    odd = np.where(constant > 0, constant / 10 + 0.1, 0)                # .4 is no sum of powers of two: rounding
    assert built(ratings=odd).alike[4].tolist() == [0] * 5


@pytest.mark.parametrize("by", ["user", "item"])
@pytest.mark.parametrize("model", [RatingKNN, KNNBaseline])
def test_without_ratings_the_expectation_is_left(model, by):
    """User 4 and item 5 have no ratings: their own part is zero and they have no neighbours."""
    padded = np.pad(RATINGS, ((0, 1), (0, 1)))
    scores = (built := model(5, 6, by=by).fit(split_of(padded))).scores(Context(users=torch.arange(5)))
    mean = RATINGS[RATINGS > 0].mean()
    assert float(scores[4, 5]) == pytest.approx(mean, abs=1e-5)
    assert_close(scores[4, :5], built.bias + built.item_bias[:5])
    assert_close(scores[:4, 5], built.bias + built.user_bias[:4])


def test_the_own_rating_is_not_looked_at():
    """With neighbours by item, a rating of the pair that is asked for changes the means and nothing else."""
    model = built(KNNBaseline, k=40)
    place = model.ratings.places(torch.tensor([0]))[0]
    own = place[model.ratings.columns[place] == 2]
    before = predict(model, 0, 2)
    model.deviation[own] += 100
    assert predict(model, 0, 2) == pytest.approx(before)
    assert abs(predict(model, 0, 0) - before) > 1


def test_only_the_k_nearest_of_those_who_rated_are_asked():
    """d is left out of k = 2 for item 4, and of k = 1 there is the nearest."""
    model = built(KNNBaseline, by="user", k=40, shrink=0.0)
    weights = model.alike[0, 1:].clamp(min=0)
    deviations = model.deviation[model.ratings.places(torch.tensor([4]))[0]]        # of b, c, d
    expected = predict(model, 0, 4)
    base = float(Bias.scores(model, Context(users=torch.tensor([0])))[0, 4])
    assert expected == pytest.approx(base + float((weights * deviations).sum() / weights.sum()))
    nearest = int(weights.argmax())
    assert predict(built(KNNBaseline, by="user", k=1, shrink=0.0), 0, 4) == pytest.approx(
        base + float(deviations[nearest]))


@pytest.mark.parametrize("by", ["user", "item"])
def test_candidates_are_columns_of_the_whole(by):
    model, context = built(KNNBaseline, by=by), Context(users=torch.tensor([2, 0]))
    whole = model.scores(context)
    assert whole.shape == (2, 5) and len(whole.unique()) > 5
    assert_close(model.scores(context, torch.tensor([4, 1])), whole[:, [4, 1]])
    each = torch.tensor([[0, 4, 4], [1, 3, 0]])
    assert_close(model.scores(context, each), whole.gather(1, each))


def test_a_rating_that_was_changed_counts_once():
    frame = pd.DataFrame({"user": [0, 0, 1, 1, 0], "item": [0, 1, 0, 1, 0], "rating": [1.0, 2, 5, 3, 5]})
    model = RatingKNN(2, 2).fit(everything(recbook.from_frame(frame, rating="rating")))
    assert float(model.alike[0, 1]) == pytest.approx(1)                 # (5, 2) and (5, 3), not (1, 2) and (5, 3)


def test_unknown_options_are_refused():
    with pytest.raises(UnknownName, match="Unknown side 'users'. Did you mean 'user'"):
        RatingKNN(2, 2, by="users")
    with pytest.raises(UnknownName, match="Did you mean 'pearson'"):
        RatingKNN(2, 2, similarity="person")
    with pytest.raises(UnknownName, match="similarity 'baseline'"):     # that one is KNNBaseline's
        RatingKNN(2, 2, similarity="baseline")
