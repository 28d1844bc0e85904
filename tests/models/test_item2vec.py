"""Item2Vec: by hand, against the gradient on paper, and against counts that tell what it must learn."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cosine_similarity
from torch.testing import assert_close

import recbook
from recbook import Item2Vec
from recbook.data.batches import Batch
from recbook.data.splits import Context


def randomized(n_items=8, dim=4):
    recbook.seed_everything(0)
    model = Item2Vec(n_users=5, n_items=n_items, dim=dim).double()
    for weight in model.state_dict().values():
        weight.add_(torch.randn_like(weight))
    return model


def ids(*numbers):
    return torch.tensor(numbers)


def test_the_loss_by_hand():
    model = Item2Vec(n_users=1, n_items=4, dim=2)
    with torch.no_grad():
        model.item.weight[0] = torch.tensor([1.0, 2.0])
        model.context.weight[1:] = torch.tensor([[0.5, 0.25], [-1.0, 0.0], [1.0, 0.5]])
    loss = model.loss(Batch(None, ids(1), negatives=ids(2, 3)[None], centres=ids(0)))
    # products 1, -1 and 2: ln(1 + 1/e) + ln(1 + 1/e) + ln(1 + e^2) = 0.31326 + 0.31326 + 2.12693
    assert loss.item() == pytest.approx(2.75345, abs=1e-5)


def test_the_loss_is_the_mean_over_examples_and_the_sum_over_negatives():
    model = randomized()
    both = model.loss(Batch(None, ids(1, 6), negatives=torch.tensor([[2, 3], [0, 0]]), centres=ids(0, 5)))
    parts = [model.loss(Batch(None, ids(item), negatives=ids(*negatives)[None], centres=ids(centre)))
             for centre, item, negatives in [(0, 1, (2, 3)), (5, 6, (0, 0))]]
    assert_close(both, sum(parts) / 2)
    agreement = model.item.weight[5] @ model.context.weight[[6, 0]].T
    assert_close(parts[1], -agreement[0].sigmoid().log() - 2 * (1 - agreement[1].sigmoid()).log())


def test_it_descends_the_gradient_on_paper():
    """With s = sigmoid(c . o), d/do of -ln s is -(1 - s) c for the neighbour, and s c for a negative."""
    model = randomized()
    model.loss(Batch(None, ids(5), negatives=ids(1, 7)[None], centres=ids(2))).backward()
    centre, (near, *far) = model.item.weight[2].detach(), model.context.weight[[5, 1, 7]].detach()
    missed = 1 - (centre @ near).sigmoid()
    wrong = [(centre @ other).sigmoid() for other in far]
    assert_close(model.context.weight.grad[5], -missed * centre)
    assert_close(model.context.weight.grad[1], wrong[0] * centre)
    assert_close(model.item.weight.grad[2], -missed * near + wrong[0] * far[0] + wrong[1] * far[1])
    assert model.item.weight.grad[[0, 1, 3, 4, 5, 6, 7]].abs().sum() == 0


def test_the_gradient_is_the_slope_of_the_loss():
    model = randomized()
    batch = Batch(None, ids(5, 2, 5), negatives=torch.tensor([[1, 7], [2, 2], [5, 0]]), centres=ids(2, 2, 5))

    def loss(item, context):
        return torch.func.functional_call(model, {"item.weight": item, "context.weight": context}, (batch,))

    model.forward = model.loss
    assert torch.autograd.gradcheck(loss, (model.item.weight, model.context.weight))


def test_scores_add_popularity_to_the_mean_of_the_last_items():
    model = randomized()
    model.reads = 3
    long, short = model.scores(Context(items=torch.tensor([[7, 6, 1, 2, 1, -1], [0, 4, -1, -1, -1, -1]])))
    vectors = model.item.weight
    assert_close(long, model.context.weight @ (2 * vectors[1] + vectors[2]) / 3 + model.log_noise)
    assert_close(short, model.context.weight @ (vectors[0] + vectors[4]) / 2 + model.log_noise)


def test_without_a_history_popularity_ranks():
    model = randomized()
    for items in (torch.full((2, 3), -1), torch.zeros(2, 0, dtype=torch.long)):
        assert_close(model.scores(Context(items=items)), model.log_noise.expand(2, 8))


def test_scores_of_candidates_are_columns_of_the_full_scores():
    model = randomized()
    context = Context(items=torch.tensor([[1, 5, 3], [6, -1, -1]]))
    full = model.scores(context)
    assert full.shape == (2, 8)
    assert_close(model.scores(context, ids(5, 0, 5)), full[:, [5, 0, 5]])
    assert_close(model.scores(context, torch.tensor([[1, 2, 7], [7, 7, 0]])),
                 torch.stack([full[0, [1, 2, 7]], full[1, [7, 7, 0]]]))


def two_groups(n_sessions=3000):
    """Sessions of six items, all of them even or all of them odd; item i is met in proportion to 1 / (1 + i // 2)."""
    rng = np.random.default_rng(0)
    share = 1 / (1 + np.arange(10))
    item = 2 * rng.choice(10, size=(n_sessions, 6), p=share / share.sum()) + rng.integers(0, 2, size=(n_sessions, 1))
    frame = pd.DataFrame({"item": item.flatten(), "session": np.repeat(np.arange(n_sessions), 6)})
    frame["user"], frame["timestamp"] = frame["session"] % 50, np.arange(len(frame))
    return recbook.everything(recbook.from_frame(frame, session="session"))


@pytest.fixture(scope="module")
def trained():
    split = two_groups()
    recbook.seed_everything(0)
    model = Item2Vec(split.n_users, split.n_items, dim=8)
    recbook.fit(model, split, epochs=4, batch_size=512, device="cpu", progress=False)
    return split, model


def test_the_nearest_neighbours_of_an_item_are_of_its_own_group(trained):
    split, model = trained
    vectors, original = model.item.weight.detach(), split.dataset.items["original"].to_numpy()
    similarity = cosine_similarity(vectors[:, None], vectors, dim=2).fill_diagonal_(-2)
    nearest = original[similarity.topk(9, dim=1).indices]               # all of its group but itself
    assert (nearest % 2 == original[:, None] % 2).all()


def test_scores_after_one_item_are_the_chances_of_its_neighbours(trained):
    """Items of a session are drawn independently from their group, so that counts tell the chance of a neighbour.

    The distance (total variation) is 0.03 to 0.04 over five seeds; 0.25 without `log_noise`, 0.08 with counts to the
    power 1 in it.
    """
    split, model = trained
    group = split.dataset.items["original"].to_numpy() % 2
    chance = np.bincount(split.train["item"]) * (group[:, None] == group)
    learned = model.scores(Context(items=torch.arange(20)[:, None])).softmax(1).detach().numpy()
    assert abs(learned - chance / chance.sum(1, keepdims=True)).sum(1).mean() / 2 < 0.05
