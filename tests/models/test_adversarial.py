"""Games say what their formulas say: on paper, against an enumeration of all items, and where one side is broken."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

import recbook
from recbook import AMF, BPRMF, CFGAN, IRGAN
from recbook.data.batches import Batch, Pairs, Rows
from recbook.data.splits import Context
from recbook.errors import ModelError, RecbookError


def whole(*items):
    """A batch of rows: each the items of one user."""
    owner = torch.tensor([row for row, own in enumerate(items) for _ in own])
    flat = torch.tensor([item for own in items for item in own])
    return Batch(owner, flat, owners=torch.arange(len(items)), owner=owner)


def camps(draws=12_000):
    """Four camps of users and items: users meet their own camp's items, a few others."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 160, draws), rng.integers(0, 80, draws)
    kept = (user % 4 == item % 4) | (rng.random(draws) < 0.1)
    frame = pd.DataFrame({"user": user, "item": item})[kept]
    return recbook.leave_last_out(recbook.from_frame(frame.drop_duplicates()))


@pytest.fixture(scope="module")
def split():
    return camps()


def share_of_own_camp(model, split):
    camp, user = (torch.tensor(table["original"].astype(int).tolist()) % 4 for table in (split.dataset.items, split.dataset.users))
    user = user[torch.tensor(split.test.users)]
    return (camp[model.top(split.test.context(), 10)[0]] == user[:, None]).double().mean().item()


def train(cls, split, epochs, learning_rate=0.02, batch_size=40, prepare=None, **options):
    recbook.seed_everything(0)
    model = cls(split.n_users, split.n_items, **options)
    if prepare:
        prepare(model)
    history = recbook.fit(model, split, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, device="cpu",
                          progress=False)
    return model, history


# ------------------------------------------------------------------------------------------------ IRGAN


def small_irgan(draws=2, n_items=3):
    """One user; the generator likes item 0, the discriminator item 2."""
    model = IRGAN(1, n_items, dim=1, draws=draws, l2=0.0).double()
    with torch.no_grad():
        model.generator.user.weight.fill_(1.0)
        model.discriminator.user.weight.fill_(1.0)
        model.generator.item.weight.copy_(torch.tensor([[1.0], [0], [-1]])[:n_items])
        model.discriminator.item.weight.copy_(torch.tensor([[-1.0], [0], [2]])[:n_items])
    return model


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
            for name, weight in model.named_parameters()}


@pytest.mark.parametrize("draws", [2, 3])
def test_the_policy_gradient_is_on_average_that_of_all_items(draws):
    """Over every tuple of draws, weighted by its probability: the gradient of minus the expected reward, exactly."""
    model = small_irgan(draws)
    logits = model.generator(torch.tensor([0]))
    reward = torch.sigmoid(model.discriminator(torch.tensor([0]))).detach()
    exact = gradients(model, -(logits.softmax(1) * reward).sum())
    share = logits.softmax(1)[0].tolist()
    mean = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
    for drawn in itertools.product(range(3), repeat=draws):
        model.draw = lambda logits, drawn=drawn: torch.tensor([drawn])
        found = gradients(model, model.loss(whole([1]))["generator"])
        for name in mean:
            mean[name] += math.prod(share[item] for item in drawn) * found[name]
    for name in mean:
        assert_close(mean[name], exact[name])
    assert exact["generator.item.weight"].abs().max() > 0.05


def test_irgan_on_paper():
    """Items 0 and 2 are drawn, item 1 was met. Judged -1 and 2: rewards .2689 and .8808, advantages -.6119 and .6119.
    The softmax of (1, 0, -1) is .6652, .2447, .0900. The met item's logit is 0: its surprise is log 2."""
    model = small_irgan()
    model.draw = lambda logits: torch.tensor([[0, 2]])
    losses = model.loss(whole([1]))
    assert losses["discriminator"].item() == pytest.approx(math.log(2) + (math.log1p(math.exp(-1)) + math.log1p(math.exp(2))) / 2)
    assert losses["generator"].item() == pytest.approx(-(-0.6119 * math.log(0.6652) + 0.6119 * math.log(0.0900)) / 2, abs=1e-3)


def test_equal_rewards_move_nothing():
    model = small_irgan()
    model.draw = lambda logits: torch.tensor([[1, 1]])
    found = gradients(model, model.loss(whole([0]))["generator"])
    assert not any(slope.any() for slope in found.values())


def test_a_user_counts_once_however_much_they_met():
    model = IRGAN(2, 6, dim=2, draws=2, l2=0.0).double()
    model.draw = lambda logits: torch.zeros(len(logits), 2, dtype=torch.long)
    both = model.loss(whole([1], [2, 3, 4, 5]))["discriminator"]
    first = model.loss(Batch(torch.tensor([0]), torch.tensor([1]), owners=torch.tensor([0]), owner=torch.tensor([0])))
    items = torch.tensor([2, 3, 4, 5])
    second = model.loss(Batch(torch.ones(4).long(), items, owners=torch.tensor([1]), owner=torch.zeros(4).long()))
    assert_close(both, (first["discriminator"] + second["discriminator"]) / 2)


def test_the_generator_draws_by_its_softmax_and_begins_at_popularity(split):
    torch.manual_seed(0)
    model = IRGAN(split.n_users, split.n_items, draws=5000)
    model.start(split)
    with torch.no_grad():
        model.generator.item.weight.zero_()
        logits = model.generator(torch.tensor([3]))
        seen = torch.bincount(model.draw(logits)[0], minlength=80) / 5000
    count = torch.as_tensor(split.matrix().sum(0)).flatten() + 1
    assert_close(logits.softmax(1)[0], (count / count.sum()).float())
    assert (seen - logits.softmax(1)[0]).abs().max() < 0.01


# ------------------------------------------------------------------------------------------------ CFGAN


def small_cfgan(**options):
    torch.manual_seed(0)
    return CFGAN(2, 3, hidden=2, **options).double()


def test_without_zr_and_pm_a_generator_of_ones_cannot_be_told_from_the_row():
    """The mask lets only what was met through, and there it wrote 1: what the discriminator sees is the row."""
    model = small_cfgan(zero_weight=0.0, mask_share=0.0)
    with torch.no_grad():
        model.generator.output_bias.fill_(50.0)
        model.generator.decoder.weight.zero_()
    losses, batch = model.loss(whole([0, 2], [1])), whole([0, 2], [1])
    met = model.filled(batch.owner, batch.items, 2)
    real = model.discriminator(met, met)
    assert losses["generator"].item() == pytest.approx(-F.logsigmoid(real).mean().item())
    for options in ({"mask_share": 1.0, "zero_weight": 0.0}, {"mask_share": 0.0, "zero_weight": 1.0, "zero_share": 1.0}):
        told = small_cfgan(**options)
        told.load_state_dict(model.state_dict())
        assert told.loss(batch)["generator"].item() != pytest.approx(losses["generator"].item(), abs=1e-6)


def test_cfgan_on_paper():
    """One user met item 0 of three; the generator writes .5 everywhere. PM draws item 1, ZR item 2. The discriminator
    adds up what it sees, and tanh'es: it sees 1 in the real row and .5 + .5 in the written one."""
    model = CFGAN(1, 3, hidden=1, zero_weight=2.0, zero_share=0.5, mask_share=0.5).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.discriminator.row.weight.fill_(1.0)
        model.discriminator.output.fill_(1.0)
    chances = iter([torch.tensor([[0.1, 0.9, 0.1]]), torch.tensor([[0.9, 0.1, 0.9]])])     # of ZR, then of PM
    model.chance = lambda like: next(chances).double()
    losses = model.loss(whole([0]))
    logit = math.tanh(1)
    told = math.log1p(math.exp(-logit)) + math.log1p(math.exp(logit))
    assert losses["discriminator"].item() == pytest.approx(told)
    assert losses["generator"].item() == pytest.approx(math.log1p(math.exp(-logit)) + 2 * 0.25)


def test_what_was_met_is_never_asked_to_be_zero():
    model = small_cfgan(zero_weight=1.0, zero_share=1.0, mask_share=1.0)
    met = torch.ones(1, 3, dtype=torch.double)
    losses = model.loss(whole([0, 1, 2]))
    written = torch.sigmoid(model.generator(met))
    assert losses["generator"].item() == pytest.approx(-F.logsigmoid(model.discriminator(written, met)).mean().item())


def test_by_items_and_by_users_are_each_other_with_the_matrix_turned():
    frame = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 2]})
    turned = frame.rename(columns={"user": "item", "item": "user"})
    by_item, by_user = CFGAN(2, 3, by="item", hidden=4).double(), CFGAN(3, 2, hidden=4).double()
    by_item.start(recbook.everything(recbook.from_frame(frame)))
    weights = {name: value for name, value in by_item.state_dict().items() if name not in ("starts", "columns")}
    by_user.load_state_dict(weights, strict=False)
    scores = by_item.scores(Context(users=torch.tensor([0, 1])))
    histories = Context(items=torch.tensor([[0], [0], [1]]))            # who met each of the three items
    assert turned["user"].nunique() == 3
    assert_close(by_user.scores(histories), scores.T)


# ------------------------------------------------------------------------------------------------ both games


@pytest.mark.parametrize("cls", [IRGAN, CFGAN])
def test_no_side_moves_the_other(cls):
    torch.manual_seed(0)
    model = cls(4, 6)
    losses = model.loss(whole([0, 1], [2], [3, 4], [5]))
    for side, other in (("generator", "discriminator"), ("discriminator", "generator")):
        found = gradients(model, model.loss(whole([0, 1], [2], [3, 4], [5]))[side])
        assert not any(slope.any() for name, slope in found.items() if name.startswith(other))
        assert any(slope.any() for name, slope in found.items() if name.startswith(side))
    assert list(losses) == ["discriminator", "generator"]


@pytest.mark.parametrize("side", ["generator", "discriminator"])
@pytest.mark.parametrize("cls", [IRGAN, CFGAN])
def test_a_side_that_breaks_is_named(cls, side, split):
    """Its weights are no numbers, both losses are none, and it is the one that is named."""
    model = cls(split.n_users, split.n_items)
    with torch.no_grad():
        [*getattr(model, side).parameters()][-1].view(-1)[0] = torch.nan
    if cls is IRGAN:
        model.draw = lambda logits: torch.zeros(len(logits), model.draws, dtype=torch.long)
    with pytest.raises(ModelError, match=rf"^The {side} broke in epoch 1 \(losses: discriminator .*smaller learning rate"):
        recbook.fit(model, split, epochs=2, batch_size=1000, device="cpu", progress=False)


def test_a_loss_that_is_no_number_with_sound_weights_is_named_too(split):
    model = IRGAN(split.n_users, split.n_items)
    model.advantage = lambda judged: judged * torch.inf
    with pytest.raises(ModelError, match="^The generator broke in epoch 1"):
        recbook.fit(model, split, epochs=1, batch_size=40, device="cpu", progress=False)


def test_the_history_of_a_game_has_a_column_for_each_side(split):
    _, history = train(IRGAN, split, 3, dim=4)
    assert history.columns.tolist() == ["epoch", "loss", "seconds", "discriminator", "generator"]
    assert history["loss"].tolist() == pytest.approx((history["discriminator"] + history["generator"]).tolist(), abs=1e-5)


def test_a_game_that_was_interrupted_goes_on_as_if_it_had_not_been(split, tmp_path):
    def run(epochs, folder):
        recbook.seed_everything(0)
        model = CFGAN(split.n_users, split.n_items, hidden=4)
        history = recbook.fit(model, split, epochs=epochs, batch_size=40, device="cpu", progress=False, checkpoint=folder)
        return model, history

    run(2, tmp_path / "half")
    torch.manual_seed(99)
    (half, _), (straight, history) = run(4, tmp_path / "half"), run(4, tmp_path / "straight")
    assert_close(dict(half.state_dict()), dict(straight.state_dict()))
    assert {"discriminator", "generator"} <= set(history.columns)


TRAINED = {IRGAN: {"epochs": 100, "dim": 8, "draws": 20, "l2": 0.01},
           CFGAN: {"epochs": 100, "hidden": 16, "zero_weight": 0.1, "learning_rate": 0.005}}


def freeze(model):
    model.generator.requires_grad_(False)


@pytest.mark.parametrize("cls", TRAINED)
def test_a_game_learns_the_camps_and_with_the_generator_frozen_it_does_not(cls, split):
    found = {name: share_of_own_camp(train(cls, split, prepare=prepare, **TRAINED[cls])[0], split)
             for name, prepare in (("sound", None), ("frozen", freeze))}
    assert found["sound"] > 0.55 and found["frozen"] < 0.4, found


def test_what_is_kept_of_the_items_is_made_anew_when_the_weights_have_moved(split):
    model = CFGAN(split.n_users, split.n_items, by="item", hidden=4)
    context = split.validation.context(slice(0, 5))
    for _ in range(2):
        recbook.fit(model, split, epochs=2, batch_size=40, device="cpu", progress=False, metric="NDCG@10")
        with torch.no_grad():
            scores, model.kept = model.scores(context), None
            assert_close(model.scores(context), scores)


def test_a_game_is_kept_and_comes_back(tmp_path, split):
    for number, (cls, options) in enumerate(((IRGAN, {}), (CFGAN, {}), (CFGAN, {"by": "item"}), (AMF, {}))):
        model, _ = train(cls, split, 1, **options)
        recbook.save_model(model, tmp_path / str(number))
        again, _ = recbook.load_model(tmp_path / str(number))
        context = split.test.context(slice(0, 5))
        assert_close(again.scores(context), model.scores(context))


def test_scores_of_irgan_are_products_of_a_question_and_answers():
    model, context = IRGAN(3, 9, dim=4), Context(users=torch.tensor([2, 0]))
    assert_close(model.question(context) @ model.answers().T, model.scores(context))
    assert_close(model.scores(context, torch.tensor([[1, 4], [7, 0]])),
                 model.scores(context).gather(1, torch.tensor([[1, 4], [7, 0]])))


# ------------------------------------------------------------------------------------------------ AMF


def pairs(seed=0, negatives=2):
    """A model with vectors that are not small, and a batch in which a user and an item come twice."""
    torch.manual_seed(seed)
    model = AMF(4, 6, dim=3, epsilon=0.2).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight))
    negatives = torch.tensor([[4, 5], [0, 4], [1, 0]])[:, :negatives]
    return model, Batch(torch.tensor([0, 0, 2]), torch.tensor([1, 2, 2]), negatives=negatives)


@pytest.mark.parametrize("negatives", [1, 2])
def test_the_slopes_are_those_of_the_summed_loss(negatives):
    model, batch = pairs(negatives=negatives)
    user, item = (table.weight.detach().clone().requires_grad_() for table in (model.user, model.item))
    loss = -F.logsigmoid(model.gaps(batch, user, item)).mean(1).sum()
    for found, expected in zip(model.slopes(batch, user.detach(), item.detach()), torch.autograd.grad(loss, (user, item))):
        assert_close(found, expected)


def test_amf_on_paper():
    """p = (1, 0), met (1, 0), unmet (0, 1): the gap is 1. The worst change of p points from the met to the unmet item,
    (-1, 1) / sqrt 2; of the met item to -p, of the unmet one to p. Each of length .1: p = (.9293, .0707), the items
    (.9, 0) and (.1, 1), and the gap is .9293 * .8 - .0707 = .6727."""
    model = AMF(1, 2, dim=2, l2=0.0, epsilon=0.1, adversarial_weight=2.0).double()
    with torch.no_grad():
        model.user.weight.copy_(torch.tensor([[1.0, 0]]))
        model.item.weight.copy_(torch.tensor([[1.0, 0], [0, 1]]))
    batch = Batch(torch.tensor([0]), torch.tensor([0]), negatives=torch.tensor([[1]]))
    of_user, of_item = model.changes(batch)
    assert_close(of_user, torch.tensor([[-1.0, 1]]).double() * 0.1 / 2**0.5)
    assert_close(of_item, torch.tensor([[-0.1, 0], [0.1, 0]]).double())
    expected = math.log1p(math.exp(-1)) + 2 * math.log1p(math.exp(-0.6727))
    assert model.loss(batch).item() == pytest.approx(expected, abs=1e-4)


def test_each_change_has_the_length_epsilon_and_who_is_not_in_the_batch_has_none():
    model, batch = pairs()
    of_user, of_item = model.changes(batch)
    assert_close(of_user.norm(dim=1), torch.tensor([0.2, 0, 0.2, 0]).double())
    assert_close(of_item.norm(dim=1), torch.tensor([0.2, 0.2, 0.2, 0, 0.2, 0.2]).double())
    model.change = "random"
    assert_close(model.changes(batch)[0].norm(dim=1), torch.full((4,), 0.2).double())


def test_no_random_change_of_that_size_is_as_bad():
    model, batch = pairs()
    model.epsilon = 0.01
    worst = model.loss(batch)
    model.change = "random"
    assert max(model.loss(batch) for _ in range(300)) < worst


def test_no_gradient_goes_through_the_change():
    model, batch = pairs()
    of_user, of_item = model.changes(batch)
    found = gradients(model, model.loss(batch))
    user, item = model.user.weight, model.item.weight
    fixed = BPRMF.loss(model, batch) - F.logsigmoid(model.gaps(batch, user + of_user, item + of_item)).mean()
    for name, slope in gradients(model, fixed).items():
        assert_close(found[name], slope)


def test_without_a_weight_on_it_amf_is_bpr(split):
    amf, _ = train(AMF, split, 2, dim=4, adversarial_weight=0.0)
    bpr, _ = train(BPRMF, split, 2, dim=4)
    assert_close(dict(amf.state_dict()), dict(bpr.state_dict()))


@pytest.fixture(scope="module")
def bpr(split):
    return train(BPRMF, split, 20, batch_size=512, dim=8, l2=0.0)[0]


def longer(split, bpr=None, **options):
    """AMF for twenty epochs, from the vectors of a trained BPR if one is given."""
    prepare = bpr and (lambda model: model.load_state_dict(bpr.state_dict()))
    return train(AMF, split, 20, batch_size=512, dim=8, l2=0.0, prepare=prepare, **options)[0]


def test_the_worst_change_turns_more_training_pairs_than_a_random_one(split, bpr):
    (batch,), accuracy = Pairs().prepare(split).epoch(10**6, torch.Generator().manual_seed(0)), {}
    for change in ("worst", "random"):
        model = AMF(split.n_users, split.n_items, dim=8, change=change)
        model.load_state_dict(bpr.state_dict())
        of_user, of_item = model.changes(batch)
        with torch.no_grad():
            gap = model.gaps(batch, model.user.weight + of_user, model.item.weight + of_item)
        accuracy[change] = (gap > 0).double().mean().item()
    assert accuracy["worst"] < accuracy["random"] - 0.03, accuracy


def test_the_worst_change_keeps_bpr_from_learning_single_pairs_by_heart(split, bpr):
    """It ranks more of a user's own camp than BPR trained for as long does; random changes of that size do not do it."""
    found = {name: share_of_own_camp(longer(split, bpr, epsilon=1.0, **options), split)
             for name, options in (("bpr", {"adversarial_weight": 0.0}), ("worst", {}), ("random", {"change": "random"}))}
    assert found["worst"] > found["bpr"] + 0.03 and found["worst"] > found["random"] + 0.03, found


def test_a_worst_change_far_longer_than_the_first_vectors_lets_none_grow(split):
    assert longer(split, epsilon=1.0).user.weight.norm(dim=1).mean() < 0.1
    assert longer(split, epsilon=1.0, change="random").user.weight.norm(dim=1).mean() > 1


# ------------------------------------------------------------------------------------------------ bad input


def test_settings_that_cannot_be_are_refused_by_name():
    for cls, options, name in ((IRGAN, {"draws": 1}, "draws"), (IRGAN, {"l2": -1.0}, "l2"), (CFGAN, {"hidden": 0}, "hidden"),
                               (CFGAN, {"zero_share": 1.5}, "zero_share"), (CFGAN, {"mask_share": -0.1}, "mask_share"),
                               (CFGAN, {"zero_weight": -1.0}, "zero_weight"), (AMF, {"epsilon": -0.5}, "epsilon"),
                               (AMF, {"adversarial_weight": math.nan}, "adversarial_weight"), (AMF, {"change": "best"}, "change")):
        with pytest.raises(ModelError, match=f"^{name}="):
            cls(3, 5, **options)
    with pytest.raises(RecbookError, match="Unknown side 'film'"):
        CFGAN(3, 5, by="film")


def test_an_empty_history_is_ranked_by_the_biases_and_a_stranger_is_refused():
    model = CFGAN(3, 5, hidden=2)
    empty = model.scores(Context(items=torch.full((1, 2), -1)))
    assert_close(empty[0], model.generator(torch.zeros(1, 5))[0])
    for model in (IRGAN(3, 5), CFGAN(3, 5, by="item")):
        with pytest.raises(ModelError, match="user 3 is asked for"):
            model.top(Context(users=torch.tensor([3])), k=2)
    with pytest.raises(ModelError, match="item 7 is asked for"):
        CFGAN(3, 5).top(Context(items=torch.tensor([[7]])), k=2)


def test_rows_by_item_are_what_a_game_by_items_is_given(split):
    model = CFGAN(split.n_users, split.n_items, by="item")
    batch = next(Rows("item").prepare(split).epoch(7, torch.Generator().manual_seed(0)))
    assert isinstance(model.batches, Rows) and model.batches.by == "item"
    assert all(loss.isfinite() for loss in model.loss(batch).values())
