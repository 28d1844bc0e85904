"""A closed form solves its own equations: checked against dense linear algebra."""

import importlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

import recbook
from recbook import EASE, IALS, Bias, PureSVD
from recbook.data.splits import Context
from recbook.errors import ModelError
from recbook.models.closed_form import distinct_items, padded_rows

N_USERS, N_ITEMS = 12, 9


@pytest.fixture(scope="module")
def split():
    """Random meetings, of very different lengths, with ratings."""
    rng = np.random.default_rng(0)
    met = rng.random((N_USERS, N_ITEMS)) < np.linspace(0.3, 0.9, N_USERS)[:, None]
    met[:, :3] = True
    user, item = rng.permutation(np.argwhere(met)).T
    frame = pd.DataFrame({"user": user, "item": item, "rating": rng.integers(1, 6, len(user)).astype(float)})
    return recbook.leave_last_out(recbook.from_frame(frame, rating="rating"))


def dense(split):
    return split.matrix().toarray().astype(float)


def train_histories(split):
    """Each user's training items as a context."""
    rows = [split.train["item"][split.train["user"] == user].tolist() for user in range(N_USERS)]
    length = max(map(len, rows))
    items = torch.tensor([row + [-1] * (length - len(row)) for row in rows])
    return Context(users=torch.arange(N_USERS), items=items)


def test_bias_satisfies_its_normal_equations(split):
    """The gradient of sum (r - b - b_u - b_i)^2 + l2_user |b_u|^2 + l2_item |b_i|^2 is zero."""
    model = Bias(N_USERS, N_ITEMS, l2_user=3.0, l2_item=2.0, sweeps=200).double().fit(split)
    user, item, rating = (split.train[name].to_numpy() for name in ("user", "item", "rating"))
    of_user, of_item = model.user_bias.numpy(), model.item_bias.numpy()
    assert float(model.bias) == pytest.approx(rating.mean())
    left = rating - rating.mean() - of_user[user] - of_item[item]
    assert np.bincount(user, left, N_USERS) == pytest.approx(3.0 * of_user, abs=1e-10)
    assert np.bincount(item, left, N_ITEMS) == pytest.approx(2.0 * of_item, abs=1e-10)
    assert np.abs(of_item).max() > 0.05


def test_bias_scores_are_the_sum_of_the_three(split):
    model = Bias(N_USERS, N_ITEMS).fit(split)
    scores = model.scores(Context(users=torch.tensor([3])), torch.tensor([[7]]))
    assert_close(scores, (model.bias + model.user_bias[3] + model.item_bias[7]).reshape(1, 1))


def test_ease_is_one_ridge_regression_a_column(split):
    """Each item from all others: least squares with sqrt(l2) times the identity as more rows."""
    l2 = 1.7
    model, matrix = EASE(N_USERS, N_ITEMS, l2=l2).double().fit(split), dense(split)
    for item in range(N_ITEMS):
        others = np.delete(np.arange(N_ITEMS), item)
        rows = np.vstack([matrix[:, others], np.sqrt(l2) * np.eye(N_ITEMS - 1)])
        expected = np.linalg.lstsq(rows, np.append(matrix[:, item], np.zeros(N_ITEMS - 1)), rcond=None)[0]
        assert model.weight[others, item].numpy() == pytest.approx(expected, abs=1e-10)
        assert model.weight[item, item] == 0


def test_ease_leaves_no_gradient_off_the_diagonal(split):
    model, matrix = EASE(N_USERS, N_ITEMS, l2=1.7).double().fit(split), torch.from_numpy(dense(split))
    weight = model.weight.clone().requires_grad_()
    ((matrix - matrix @ weight).square().sum() + 1.7 * weight.square().sum()).backward()
    off_diagonal = ~torch.eye(N_ITEMS, dtype=torch.bool)
    assert weight.grad[off_diagonal].abs().max() < 1e-10
    assert weight.grad.diagonal().abs().max() > 0.1                     # what the constraint holds back


def test_pure_svd_projects_histories_on_the_first_singular_vectors(split):
    model = PureSVD(N_USERS, N_ITEMS, dim=4).fit(split)
    _, _, factors = np.linalg.svd(dense(split))
    expected = dense(split) @ factors[:4].T @ factors[:4]
    assert model.scores(train_histories(split)).numpy() == pytest.approx(expected, abs=1e-5)


def ials(**options):
    return IALS(N_USERS, N_ITEMS, dim=4, **({"unmet_weight": 0.3, "l2": 0.05, "exponent": 0.7} | options)).double()


def objective(met, users, items, unmet_weight=0.3, l2=0.05, exponent=0.7):
    """What iALS minimizes, term by term as in the paper."""
    scores = users @ items.T
    penalty = ((met.sum(1) + unmet_weight * N_ITEMS) ** exponent * (users**2).sum(1)).sum()
    penalty += ((met.sum(0) + unmet_weight * N_USERS) ** exponent * (items**2).sum(1)).sum()
    return (met * (1 - scores) ** 2).sum() + unmet_weight * (scores**2).sum() + l2 * penalty


def test_each_half_step_of_ials_is_a_weighted_least_squares_solution(split):
    """min over p of sum_met (1 - p.q)^2 + w sum_all (p.q)^2 + penalty |p|^2, as rows of one least-squares problem."""
    met, model = dense(split), ials()
    items = np.random.default_rng(1).normal(size=(N_ITEMS, 4))
    users = torch.zeros(N_USERS, 4, dtype=torch.float64)
    model.solve_all(users, torch.from_numpy(items), padded_rows(split.matrix()))
    for user in range(N_USERS):
        penalty = 0.05 * (met[user].sum() + 0.3 * N_ITEMS) ** 0.7
        rows = np.vstack([items[met[user] > 0], np.sqrt(0.3) * items, np.sqrt(penalty) * np.eye(4)])
        answers = np.concatenate([np.ones(int(met[user].sum())), np.zeros(N_ITEMS + 4)])
        assert users[user].numpy() == pytest.approx(np.linalg.lstsq(rows, answers, rcond=None)[0], abs=1e-10)


def test_the_objective_of_ials_never_rises(split):
    met, model = dense(split), ials()
    histories, takers = padded_rows(split.matrix()), padded_rows(split.matrix().T)
    users = torch.zeros(N_USERS, 4, dtype=torch.float64)
    torch.manual_seed(0)
    model.item.normal_(std=0.5)
    values = []
    for _ in range(10):
        model.solve_all(users, model.item, histories)
        values.append(objective(met, users.numpy(), model.item.numpy()))
        model.solve_all(model.item, users, takers)
        values.append(objective(met, users.numpy(), model.item.numpy()))
    assert (np.diff(values) <= 1e-9).all()
    assert values[-1] < 0.9 * values[0]


def test_folding_in_a_training_history_gives_the_trained_solution(split):
    """After convergence the scores of the training histories are a minimum of the objective in the users."""
    model = ials(sweeps=150).fit(split)
    folded = model.scores(train_histories(split)).numpy()
    items = model.item.numpy()
    users = torch.from_numpy(folded @ np.linalg.pinv(items.T)).requires_grad_()
    items = model.item.clone().requires_grad_()
    objective(torch.from_numpy(dense(split)), users, items).backward()
    assert users.grad.abs().max() < 1e-8 and items.grad.abs().max() < 1e-4


@pytest.mark.parametrize("build", [ials, lambda: EASE(N_USERS, N_ITEMS, l2=1.7),
                                   lambda: PureSVD(N_USERS, N_ITEMS, dim=4)], ids=["IALS", "EASE", "PureSVD"])
def test_order_repeats_and_padding_of_a_history_do_not_matter(build, split):
    model = build().fit(split)
    plain, mixed = torch.tensor([[1, 4, 7]]), torch.tensor([[7, -1, 1, 7, 4, 1, -1]])
    users = torch.tensor([0])
    expected = model.scores(Context(users=users, items=plain))
    assert_close(model.scores(Context(users=users, items=mixed)), expected)
    assert (model.scores(Context(users=users, items=torch.tensor([[1, 4]]))) - expected).abs().max() > 1e-3


@pytest.mark.parametrize("length", [0, 2])
def test_ials_scores_an_empty_history_zero(length, split):
    model = ials().fit(split)
    context = Context(users=torch.tensor([0]), items=torch.full((1, length), -1))
    assert model.scores(context).tolist() == [[0.0] * N_ITEMS]


def test_ials_of_the_same_seed_is_the_same(split):
    assert_close(ials().fit(split).item, ials().fit(split).item, rtol=0, atol=0)
    assert (ials().fit(split).item - ials(seed=1).fit(split).item).abs().max() > 1e-6


def test_padded_rows_hold_every_row_once_whatever_the_size_of_the_blocks(split):
    matrix = split.matrix()
    for size in (1, 20, 10**6):
        found = {(row, column) for rows, columns in padded_rows(matrix, size)
                 for row, line in zip(rows.tolist(), columns.tolist()) for column in line if column >= 0}
        assert found == set(zip(*map(np.ndarray.tolist, matrix.nonzero())))


def test_distinct_items_keeps_one_of_each():
    rows = distinct_items(torch.tensor([[3, 1, 3, -1], [2, 2, 2, 2]]))
    assert [sorted(item for item in row if item >= 0) for row in rows.tolist()] == [[1, 3], [2]]


def test_short_histories_are_solved_as_long_ones_are():
    """L equations or D: the same vectors."""
    draw = torch.Generator().manual_seed(0)
    model = recbook.IALS(3, 50, dim=16, unmet_weight=0.3, l2=0.05, exponent=0.7).double()
    model.item.copy_(torch.randn(50, 16, generator=draw, dtype=torch.double))
    items = torch.tensor([[4, 7, 49, -1], [1, -1, -1, -1], [0, 3, 5, 9]])
    gram, values, turn, turned = model.of_items()
    assert torch.allclose(model.solve_short(turned, values, items) @ turn.T, model.solve(model.item, gram, items), atol=1e-12)
    before = model.scores(recbook.Context(items=items))
    model.item.mul_(2)                                                  # what was kept of the old vectors is not used
    assert not torch.allclose(model.scores(recbook.Context(items=items)), before)


def test_ease_solved_from_the_users_side_is_ease():
    """Also where some users trained on nothing: they have no row, and nobody asks about them."""
    frame = pd.DataFrame({"user": [0, 0, 1, 1, 1, 3, 3, 2], "item": [0, 1, 1, 2, 3, 0, 3, 4]})
    split = recbook.everything(recbook.from_frame(frame))
    split = replace(split, train=split.train[split.train["user"] != 2])
    ours = importlib.import_module("experiments.gowalla").EASEByUsers(4, 5, l2=0.7).fit(split)
    users = torch.tensor([3, 0, 1])
    met = torch.from_numpy(split.matrix()[users.numpy()].toarray())
    assert_close(ours.scores(Context(users=users)), met @ EASE(4, 5, l2=0.7).fit(split).weight)


def test_ease_says_how_much_memory_it_needs(monkeypatch):
    monkeypatch.setattr("recbook.models.memory.memory", lambda: 24 * 2**30)
    with pytest.raises(ModelError, match="EASE keeps a weight for each pair of its 100,000 items: 260.8 GB while it is "
                                         "fitted, and this machine has 24.0. ItemKNN and IALS"):
        recbook.EASE(10, 100_000)
    with pytest.raises(ModelError, match="RatingKNN keeps a similarity for each pair of its 200,000 users"):
        recbook.RatingKNN(200_000, 100)
    monkeypatch.setattr("recbook.models.memory.QUIETLY", 10**6)
    with pytest.warns(UserWarning, match="300 items: 0.0 GB"):
        recbook.EASE(10, 300)
