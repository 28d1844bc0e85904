"""NeuMF and its parts: by hand, against the network as the paper writes it, and on a world whose structure is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

import recbook
from recbook import GMF, MLP, BPRMF, NeuMF
from recbook.data.batches import Batch
from recbook.data.splits import Context
from recbook.errors import ModelError
from recbook.models import neumf
from tests.models.test_factorization import camps, ids, share_of_own_camp

MODELS = {"GMF": lambda users, items: GMF(users, items, dim=4),
          "MLP": lambda users, items: MLP(users, items, layers=(6, 5, 3)),
          "NeuMF": lambda users, items: NeuMF(users, items, dim=4, layers=(6, 5, 3))}


def randomized(name, n_users=5, n_items=8):
    recbook.seed_everything(0)
    model = MODELS[name](n_users, n_items).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight))
    return model


def as_in_the_paper(model, user, item):
    """h . [p * q; a_3] + b with a_1 = max(0, W_1 [p; q] + b_1) and so on: one pair, the vectors side by side."""
    last = []
    if hasattr(model, "product"):
        last.append(model.product.output * model.product.user.weight[user] * model.product.item.weight[item])
    if hasattr(model, "tower"):
        a = torch.cat([model.tower.user.weight[user], model.tower.item.weight[item]])
        for layer in model.tower.layers:
            a = (layer.weight @ a + layer.bias).clamp(min=0)
        last.append(model.tower.output * a)
    return torch.cat(last).sum() + model.bias


def test_a_tower_by_hand():
    """p = 1 and q = 2 meet two hidden units, 1p + 2q - 1 = 4 and 3p - 2q + 0 = -1, which is cut: 0.5 * 4 + 7 * 0."""
    model = MLP(1, 1, layers=(1,)).double()
    model.tower.layers[0] = torch.nn.Linear(2, 2).double()
    with torch.no_grad():
        model.tower.user.weight.fill_(1.0), model.tower.item.weight.fill_(2.0), model.bias.fill_(0.25)
        model.tower.layers[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -2.0]]))
        model.tower.layers[0].bias.copy_(torch.tensor([-1.0, 0.0]))
        model.tower.output.data = torch.tensor([0.5, 7.0], dtype=torch.float64)
    assert model.scores(Context(users=ids(0))).item() == pytest.approx(0.5 * 4 + 0.25, abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_every_score_is_that_of_the_network_on_paper(name, monkeypatch):
    monkeypatch.setattr(neumf, "ROWS_AT_ONCE", 16)                      # two of the three users at a time
    model = randomized(name)
    expected = torch.stack([torch.stack([as_in_the_paper(model, user, item) for item in range(8)])
                            for user in (2, 0, 4)])
    context = Context(users=ids(2, 0, 4))
    assert_close(model.scores(context), expected)
    assert_close(model.scores(context, ids(5, 0, 5)), expected[:, [5, 0, 5]])
    few = torch.tensor([[1, 2], [7, 7], [0, 3]])
    many = torch.tensor([[1, 2, 3, 4], [7, 7, 0, 1], [0, 3, 3, 6]])     # more than the catalogue: shared item halves
    assert_close(model.scores(context, few), expected.gather(1, few))
    assert_close(model.scores(context, many), expected.gather(1, many))


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_is_cross_entropy_over_met_and_unmet(name):
    model = randomized(name)
    loss = model.loss(Batch(ids(2, 3), ids(5, 1), negatives=torch.tensor([[1, 7], [0, 0]])))
    yes = torch.stack([as_in_the_paper(model, 2, 5), as_in_the_paper(model, 3, 1)]).sigmoid()
    no = torch.stack([as_in_the_paper(model, *pair) for pair in ((2, 1), (2, 7), (3, 0), (3, 0))]).sigmoid()
    assert_close(loss, -(yes.log().sum() + (1 - no).log().sum()) / 6)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_finite_differences(name):
    model = randomized(name)
    batch = Batch(ids(2), ids(5), negatives=ids(1, 7)[None])
    model.loss(batch).backward()
    for weight in model.parameters():
        slope, where = weight.grad.flatten(), int(weight.grad.abs().argmax())
        values = []
        with torch.no_grad():
            for step in (1e-6, -1e-6):
                weight.view(-1)[where] += step
                values.append(model.loss(batch).item())
                weight.view(-1)[where] -= step
        assert slope[where].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-9)


def test_with_weights_of_one_gmf_is_matrix_factorization():
    model, plain = GMF(5, 8, dim=4), BPRMF(5, 8, dim=4)
    torch.nn.init.normal_(model.product.user.weight)
    plain.user, plain.item = model.product.user, model.product.item
    assert_close(model.scores(Context(users=ids(0, 3))), plain.scores(Context(users=ids(0, 3))))


def test_a_joined_model_scores_the_weighted_mean_of_its_parts_and_shares_no_weights():
    gmf, mlp = randomized("GMF"), randomized("MLP")
    context = Context(users=ids(2, 0))
    model = NeuMF.joined(gmf, mlp, share=0.3)
    assert_close(model.scores(context), 0.3 * gmf.scores(context) + 0.7 * mlp.scores(context))
    before = gmf.scores(context)
    with torch.no_grad():
        model.product.item.weight.zero_()
    assert_close(gmf.scores(context), before)


def test_models_of_other_sizes_are_not_joined():
    with pytest.raises(ModelError, match="The GMF has n_items = 8, the MLP has 9"):
        NeuMF.joined(randomized("GMF"), randomized("MLP", n_items=9))


@pytest.mark.parametrize("layers", [(), (4, 0), (-1,)])
def test_a_tower_without_layers_or_width_is_refused(layers):
    with pytest.raises(ModelError, match="at least one layer, each 1 or more"):
        MLP(3, 4, layers=layers)


def test_a_checkpoint_keeps_the_layers(tmp_path):
    model = randomized("NeuMF").float()
    recbook.save_model(model, tmp_path / "model")
    again, _ = recbook.load_model(tmp_path / "model")
    assert again.layers == [6, 5, 3]
    assert_close(again.scores(Context(users=ids(1))), model.scores(Context(users=ids(1))))


@pytest.mark.parametrize("cls", [GMF, MLP, NeuMF])
def test_a_trained_model_ranks_the_users_own_camp_and_not_on_shuffled_data(cls):
    shares = []
    for shuffled in (False, True):
        split = camps(shuffled)
        recbook.seed_everything(0)
        model = cls(split.n_users, split.n_items)
        recbook.fit(model, split, epochs=20, batch_size=256, learning_rate=0.01, device="cpu", progress=False)
        shares.append(share_of_own_camp(model, split))
    assert shares[0] > 0.7 and 0.15 < shares[1] < 0.4, shares


def test_both_parts_of_a_trained_neumf_have_a_say():
    """Over five seeds the smaller part's scores spread .43 to .57 times as far as the whole; a part cut, 0."""
    split = camps()
    recbook.seed_everything(0)
    model = NeuMF(split.n_users, split.n_items)
    recbook.fit(model, split, epochs=20, batch_size=256, learning_rate=0.01, device="cpu", progress=False)
    users = torch.arange(split.n_users)
    spread = model.scores(Context(users=users)).std()
    for part in model.children():
        assert part(users).std() > 0.3 * spread


def hits_and_camps():
    """150 users of two camps: items 0 to 9 are everybody's, 10 to 19 nobody's, even ones from 20 on camp 0's."""
    rng, rows = np.random.default_rng(0), []
    for user in range(150):
        items = np.concatenate([rng.choice(10, 5, replace=False), 20 + 2 * rng.choice(10, 5, replace=False) + user % 2])
        rows += [(user, item) for item in rng.permutation(items)]
    return recbook.leave_last_out(recbook.from_frame(pd.DataFrame(rows, columns=["user", "item"]),
                                                     items=pd.DataFrame({"item": range(40)})))


def told_apart(cut=None):
    """How often everybody's items stand above nobody's, and a camp's own above the other's: by chance .5 each."""
    split = hits_and_camps()
    recbook.seed_everything(0)
    model = NeuMF(split.n_users, split.n_items, dim=1, layers=(1,))
    with torch.no_grad():                                               # one unit only: it starts where it is not cut
        model.tower.layers[0].weight.fill_(1), model.tower.layers[0].bias.fill_(1), model.tower.output.fill_(1)
        model.bias.fill_(-2)
        if cut:
            getattr(model, cut).output.zero_().requires_grad_(False)
    recbook.fit(model, split, epochs=30, batch_size=128, learning_rate=0.03, device="cpu", progress=False)
    scores = model.scores(Context(users=torch.arange(150))).detach()
    own, other = (torch.cat([scores[::2, 20 + camp::2], scores[1::2, 21 - camp::2]]) for camp in (0, 1))
    return [(better[:, :, None] > worse[:, None]).double().mean().item()
            for better, worse in ((scores[:, :10], scores[:, 10:20]), (own, other))]


def test_with_one_dimension_and_one_unit_both_parts_are_needed():
    """A product s_u t_i has one order of the items, turned round for some users: for the camps or for what all like.

    One unit max(0, a_u + b_i) has the same order for all users, so it never tells camps apart. Of either alone the two
    shares have a sum of at most 1.5. Over five seeds both are 1 with both parts, and one of them is .5 with one.
    """
    assert min(told_apart()) > 0.95
    for part in ("product", "tower"):
        assert min(told_apart(cut=part)) < 0.76
