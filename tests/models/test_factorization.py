"""Matrix factorization: by hand, against the formula on paper, and on a world whose structure is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

import recbook
from recbook import BPRMF, FunkSVD, LogisticMF, SVDPlusPlus
from recbook.data.batches import Batch
from recbook.data.splits import Context

MODELS = [FunkSVD, BPRMF, LogisticMF, SVDPlusPlus]
L2 = 0.1


def by_hand(cls=BPRMF):
    """Five users, eight items, d = 4: user 2 is (0.2, -0.5, 0.1, 0.7) and item 5 is (-0.3, 0.6, -0.2, 0.4)."""
    recbook.seed_everything(0)
    model = cls(n_users=5, n_items=8, dim=4, l2=L2).double()
    with torch.no_grad():
        model.user.weight[2] = torch.tensor([0.2, -0.5, 0.1, 0.7])
        model.item.weight[5] = torch.tensor([-0.3, 0.6, -0.2, 0.4])
    return model


def randomized(cls):
    """The same sizes, every weight random, biases too."""
    model = by_hand(cls)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight))
    return model


def ids(*numbers):
    return torch.tensor(numbers)


def test_a_score_is_the_product_of_two_vectors():
    # 0.2 * -0.3 + -0.5 * 0.6 + 0.1 * -0.2 + 0.7 * 0.4 = -0.06 - 0.30 - 0.02 + 0.28
    assert by_hand().scores(Context(users=ids(2)))[0, 5].item() == pytest.approx(-0.10, abs=1e-7)


def test_biases_are_added_to_the_product():
    model = by_hand()
    with torch.no_grad():
        model.bias.fill_(3.5)
        model.user_bias[2], model.item_bias[5] = 0.25, -0.5
    assert model.scores(Context(users=ids(2)))[0, 5].item() == pytest.approx(3.5 + 0.25 - 0.5 - 0.10, abs=1e-7)


def test_funk_svd_descends_the_gradient_on_paper():
    """d/dp_u of (b + b_u + b_i + p.q - r)^2 + l2 (|p|^2 + |q|^2 + b_u^2 + b_i^2) is 2 (error q + l2 p), and so on."""
    model = randomized(FunkSVD)
    model.loss(Batch(ids(2), ids(5), ratings=torch.tensor([4.0], dtype=torch.float64))).backward()
    p, q = model.user.weight[2].detach(), model.item.weight[5].detach()
    error = (model.bias + model.user_bias[2] + model.item_bias[5] + p @ q - 4).item()
    assert_close(model.user.weight.grad[2], 2 * (error * q + L2 * p))
    assert_close(model.item.weight.grad[5], 2 * (error * p + L2 * q))
    assert_close(model.user_bias.grad[2].item(), 2 * (error + L2 * model.user_bias[2].item()))
    assert_close(model.bias.grad.item(), 2 * error)
    assert model.user.weight.grad[[0, 1, 3, 4]].abs().sum() == 0


def test_bpr_descends_the_gradient_on_paper():
    """With x = s(u, i) - s(u, j), d/dp_u of -ln sigmoid(x) is -(1 - sigmoid(x)) (q_i - q_j)."""
    model = randomized(BPRMF)
    model.loss(Batch(ids(2), ids(5), negatives=ids(1)[None])).backward()
    p, met, unmet = model.user.weight[2].detach(), model.item.weight[5].detach(), model.item.weight[1].detach()
    x = p @ (met - unmet) + model.item_bias[5].detach() - model.item_bias[1].detach()
    missed = 1 - 1 / (1 + torch.exp(-x))
    assert_close(model.user.weight.grad[2], -missed * (met - unmet) + 4 * L2 * p)       # the user is in both pairs
    assert_close(model.item.weight.grad[5], -missed * p + 2 * L2 * met)
    assert_close(model.item.weight.grad[1], missed * p + 2 * L2 * unmet)
    assert model.bias.grad is None and model.user_bias.grad is None                     # they cancel in the difference


def test_logistic_mf_is_cross_entropy():
    model = randomized(LogisticMF)
    model.l2 = 0.0
    loss = model.loss(Batch(ids(2), ids(5), negatives=ids(1, 7)[None]))
    yes, *no = model.scores(Context(users=ids(2)), ids(5, 1, 7))[0].sigmoid()
    assert_close(loss, -yes.log() - (1 - no[0]).log() - (1 - no[1]).log())


def test_more_negatives_are_averaged_by_bpr():
    model = randomized(BPRMF)
    alone = [model.loss(Batch(ids(2), ids(5), negatives=ids(item)[None])) for item in (1, 7)]
    assert_close(model.loss(Batch(ids(2), ids(5), negatives=ids(1, 7)[None])), sum(alone) / 2)


@pytest.mark.parametrize("cls", MODELS)
def test_scores_of_candidates_are_columns_of_the_full_scores(cls):
    model = randomized(cls)
    context = Context(users=ids(2, 0), items=torch.tensor([[1, 5, 3], [6, -1, -1]]))
    full = model.scores(context)
    assert full.shape == (2, 8)
    assert_close(model.scores(context, ids(5, 0, 5)), full[:, [5, 0, 5]])
    assert_close(model.scores(context, torch.tensor([[1, 2, 7], [7, 7, 0]])),
                 torch.stack([full[0, [1, 2, 7]], full[1, [7, 7, 0]]]))


def test_svdplusplus_counts_the_length_of_the_implicit_part_as_its_model_does():
    model = randomized(SVDPlusPlus)
    batch = Batch(ids(2), ids(5), ratings=torch.ones(1), owners=ids(2), histories=torch.tensor([[1, 6, -1]]),
                  owner=ids(0))
    y = model.implicit.weight.detach().square().sum(1)
    used = model.user.weight[2], model.item.weight[5], model.user_bias[2], model.item_bias[5]
    expected = sum(value.square().sum() for value in used) + (y[1] + y[6]) / 2**0.5
    model.l2 = 1.0
    penalized = model.loss(batch)
    model.l2 = 0.0
    assert_close(penalized - model.loss(batch), expected)


def test_svdplusplus_without_history_is_matrix_factorization():
    model, plain = randomized(SVDPlusPlus), by_hand(FunkSVD)
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if "implicit" not in name})
    users = ids(0, 3)
    for items in (torch.full((2, 3), -1), torch.zeros(2, 0, dtype=torch.long)):
        assert_close(model.scores(Context(users=users, items=items)), plain.scores(Context(users=users)))


def test_svdplusplus_adds_the_history_over_the_root_of_its_length():
    model = randomized(SVDPlusPlus)
    history = torch.tensor([[1, 6, 4, -1]])
    vector = model.user.weight[2] + model.implicit.weight[[1, 6, 4]].sum(0) / 3**0.5
    expected = model.item.weight @ vector + model.bias + model.user_bias[2] + model.item_bias
    assert_close(model.scores(Context(users=ids(2), items=history))[0], expected, rtol=1e-12, atol=1e-12)


def test_svdplusplus_loss_scores_each_rating_with_its_own_users_history():
    model = randomized(SVDPlusPlus)
    model.l2 = 0.0
    ratings = torch.tensor([4.0, 2.0, 5.0], dtype=torch.float64)
    batch = Batch(ids(3, 3, 1), ids(0, 2, 2), ratings=ratings, owners=ids(3, 1),
                  histories=torch.tensor([[0, 2], [2, -1]]), owner=ids(0, 0, 1))
    predicted = model.scores(Context(users=ids(3, 1), items=batch.histories))[[0, 0, 1], [0, 2, 2]]
    assert_close(model.loss(batch), (predicted - ratings).square().mean())


def camps(shuffled=False):
    """Four camps of users and items: users meet their own camp's items and rate them 4, a few others 2."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 120, 6000), rng.integers(0, 80, 6000)
    within = user % 4 == item % 4
    kept = within | (rng.random(6000) < 0.1)
    frame = pd.DataFrame({"user": user, "item": item, "rating": np.where(within, 4.0, 2.0)})[kept]
    if shuffled:
        frame["item"] = rng.permutation(frame["item"])
        frame["rating"] = rng.permutation(frame["rating"])
    return recbook.leave_last_out(recbook.from_frame(frame.drop_duplicates(["user", "item"]), rating="rating"))


def share_of_own_camp(model, split):
    """How much of the top ten, over all items, is of the user's own camp: 0.25 by chance."""
    context = split.test.context(slice(None), model.reads)
    return (model.top(context, 10)[0] % 4 == context.users[:, None] % 4).double().mean().item()


@pytest.mark.parametrize("cls", MODELS)
def test_a_trained_model_ranks_the_users_own_camp_and_not_on_shuffled_data(cls):
    shares = []
    for shuffled in (False, True):
        split = camps(shuffled)
        recbook.seed_everything(0)
        model = cls(split.n_users, split.n_items, dim=8, l2=0.01)
        recbook.fit(model, split, epochs=12, batch_size=256, learning_rate=0.05, device="cpu", progress=False)
        shares.append(share_of_own_camp(model, split))
    assert shares[0] > 0.7 and 0.15 < shares[1] < 0.4, shares
