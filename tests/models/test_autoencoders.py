"""Autoencoders say what their formulas say: on paper, in plain Python, and where one of their parts is broken."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import recbook
from recbook import AutoRec, MultDAE, MultVAE
from recbook.data.batches import Batch, Rows
from recbook.data.splits import Context
from recbook.errors import ModelError, RecbookError
from recbook.models.autoencoders import divergence, entries, surprise, weighted_sums


def whole(*items):
    """A batch of rows: each the items of one user."""
    owner = [row for row, own in enumerate(items) for _ in own]
    flat = torch.tensor([item for own in items for item in own])
    return Batch(torch.tensor(owner), flat, owners=torch.arange(len(items)), owner=torch.tensor(owner))


def history(*items):
    width = max(map(len, items))
    return Context(items=torch.tensor([list(own) + [-1] * (width - len(own)) for own in items]).reshape(len(items), width))


# ------------------------------------------------------------------------------------------------ rows


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=4))
def test_entries_are_the_distinct_items_with_their_latest_value(histories):
    items = history(*histories).items
    values = torch.arange(items.numel(), dtype=torch.float).reshape(items.shape)
    row, item, value = entries(items, values)
    found = {(r, i): v for r, i, v in zip(row.tolist(), item.tolist(), value.tolist())}
    assert found == {(r, i): float(r * items.shape[1] + t) for r, own in enumerate(histories) for t, i in enumerate(own)}
    assert len(found) == len(row) and row.tolist() == sorted(row.tolist())


def test_an_event_without_a_value_does_not_count_though_it_is_the_latest():
    row, item, value = entries(torch.tensor([[3, 3, 1]]), torch.tensor([[4.0, torch.nan, torch.nan]]))
    assert (row.tolist(), item.tolist(), value.tolist()) == ([0], [3], [4.0])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=5))
def test_weighted_sums_are_a_product_of_matrices(sets):
    batch = whole(*map(sorted, sets)) if any(sets) else Batch(*[torch.zeros(0, dtype=torch.long)] * 2,
                                                             owner=torch.zeros(0, dtype=torch.long))
    table, value = torch.randn(6, 3, dtype=torch.float64), torch.randn(len(batch.items), dtype=torch.float64)
    dense = torch.zeros(len(sets), 6, dtype=torch.float64)
    dense[batch.owner, batch.items] = value
    assert_close(weighted_sums(table, batch.owner, batch.items, value, len(sets)), dense @ table)


# ------------------------------------------------------------------------------------------------ clicks, on paper


def small_dae():
    """Two hidden numbers, three items: the first number sees item 0, the second items 1 and 2."""
    model = MultDAE(1, 3, dim=2, dropout=0.0).double()
    with torch.no_grad():
        model.encoder.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [0, 1]]))
        model.decoder.weight.copy_(torch.tensor([[2.0, 0], [0, 2], [0, 1]]))
    return model


def test_mult_dae_on_paper():
    """Items 0 and 1 have 1/sqrt 2 each: both numbers are tanh(.7071) = .6089; logits 1.2177, 1.2177, .6089."""
    model = small_dae()
    logits = model.scores(history([0, 1]))[0]
    assert logits.tolist() == pytest.approx([1.2177, 1.2177, 0.6089], abs=1e-4)
    share = math.exp(1.2177) / (2 * math.exp(1.2177) + math.exp(0.6089))
    assert model.loss(whole([0, 1])).item() == pytest.approx(-2 * math.log(share), abs=1e-3)


def test_the_order_and_repeats_of_a_history_make_no_difference():
    model = small_dae()
    assert_close(model.scores(history([0, 1])), model.scores(history([1, 0, 1, 0])))


def test_surprise_is_that_of_plain_python():
    logits = torch.randn(2, 4, dtype=torch.float64)
    batch = whole([0, 3], [2])
    by_hand = 0.0
    for row, own in enumerate(([0, 3], [2])):
        total = sum(math.exp(value) for value in logits[row].tolist())
        by_hand -= sum(math.log(math.exp(logits[row, item]) / total) for item in own)
    assert surprise(logits, batch.owner, batch.items).item() == pytest.approx(by_hand / 2)


def test_a_row_has_length_one_before_something_is_hidden_and_keeps_its_mean():
    """Half of the entries go, and the others are doubled: the mean over many draws is the row that nothing hid."""
    torch.manual_seed(0)
    model = MultDAE(1, 8, dim=8, dropout=0.5).double()
    with torch.no_grad():
        model.encoder.weight.copy_(0.1 * torch.eye(8))                  # nearly linear
    batch = whole([0, 1, 2, 3])
    calm = model.eval().inside(batch.owner, batch.items, 1)
    assert_close(calm[0, :4], torch.full((4,), math.tanh(0.05), dtype=torch.float64))
    model.train()
    drawn = torch.stack([model.inside(batch.owner, batch.items, 1)[0] for _ in range(2000)])
    assert set(drawn[:, :4].flatten().mul(1e6).round().long().tolist()) == {0, round(1e6 * math.tanh(0.1))}
    assert (drawn.mean(0) - calm[0]).abs().max() < 0.005


# ------------------------------------------------------------------------------------------------ the bound


def small_vae(**options):
    """One hidden number, three items, weights that are not small."""
    torch.manual_seed(3)
    model = MultVAE(1, 3, dim=1, hidden=2, dropout=0.0, **({"beta": 1.0, "annealing": 1} | options)).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight))
        model.steps.fill_(1)
    return model


def log_probability(model, items, z):
    """log p(row | z) in plain Python."""
    tensors = {name: value.tolist() for name, value in model.state_dict().items()}
    inputs = [math.tanh(w[0] * z + b) for w, b in zip(tensors["widen.weight"], tensors["widen.bias"])]
    logits = [sum(x * w for x, w in zip(inputs, row)) + b
              for row, b in zip(tensors["decoder.weight"], tensors["item_bias"])]
    total = math.log(sum(map(math.exp, logits)))
    return sum(logits[item] - total for item in items)


def density(z, mean=0.0, variance=1.0):
    return math.exp(-(z - mean) ** 2 / 2 / variance) / math.sqrt(2 * math.pi * variance)


GRID = np.linspace(-12, 12, 4001).tolist()
STEP = GRID[1] - GRID[0]


def test_the_divergence_is_its_integral():
    mean, log_variance = torch.tensor([[0.7]]), torch.tensor([[-0.9]])
    variance = math.exp(-0.9)
    by_hand = sum(density(z, 0.7, variance) * math.log(density(z, 0.7, variance) / density(z)) * STEP for z in GRID
                  if density(z, 0.7, variance) > 1e-300)
    assert divergence(mean, log_variance).item() == pytest.approx(by_hand, abs=1e-5)
    assert divergence(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0


@pytest.mark.parametrize("items", [[0], [1, 2], [0, 1, 2]])
def test_the_loss_with_beta_one_bounds_the_surprise_of_the_row(items):
    """-log p(row), integrated over z in plain Python, is no more than the expected loss; the gap is the divergence of z's
    distribution from the true one given the row."""
    model, batch = small_vae(), whole(items)
    mean, log_variance = (part.item() for part in model.distribution(batch.owner, batch.items, 1))
    variance = math.exp(log_variance)
    evidence = math.log(sum(density(z) * math.exp(log_probability(model, items, z)) * STEP for z in GRID))
    expected = sum(density(z, mean, variance) * -log_probability(model, items, z) * STEP for z in GRID)
    apart = divergence(*model.distribution(batch.owner, batch.items, 1)).item()
    gap = sum(density(z, mean, variance) * STEP
              * math.log(density(z, mean, variance) / (density(z) * math.exp(log_probability(model, items, z) - evidence)))
              for z in GRID if density(z, mean, variance) > 1e-300)
    assert expected + apart >= -evidence and expected + apart + evidence == pytest.approx(gap, abs=1e-6)
    torch.manual_seed(0)
    with torch.no_grad():
        sampled = np.mean([model.loss(batch).item() for _ in range(1500)])
    assert sampled == pytest.approx(expected + apart, abs=0.1)


def test_the_gradient_goes_through_the_sample():
    """z = mean + deviation * noise: at a fixed noise the slopes are those of finite differences, the encoder's too."""
    model, batch = small_vae(), whole([0, 2], [1])
    model.noise = lambda like: torch.full_like(like, 0.8)
    model.loss(batch).backward()
    for name, weight in model.named_parameters():
        slope, place = weight.grad.flatten()[0].item(), weight.data.view(-1)
        place[0] += 1e-6
        above = model.loss(batch).item()
        place[0] -= 2e-6
        below = model.loss(batch).item()
        place[0] += 1e-6
        assert slope == pytest.approx((above - below) / 2e-6, abs=1e-6), name
    assert model.code.weight.grad[1].abs().max() > 1e-3                 # the variance learns


def test_beta_grows_in_a_line_while_training_and_stays():
    model, seen = small_vae(beta=0.4, annealing=4), []
    model.steps.zero_()
    for _ in range(6):
        seen.append(float(model.weight_of_divergence()))
        model.loss(whole([0]))
    assert seen == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4])
    model.eval().loss(whole([0]))
    assert float(model.steps) == 6


def test_a_ranking_has_no_noise_in_it():
    model = small_vae()
    context = history([0], [1, 2])
    assert torch.equal(model.scores(context), model.scores(context))


@pytest.mark.parametrize("cls", [MultDAE, MultVAE])
def test_scores_are_products_of_a_question_and_answers(cls):
    model = cls(3, 9, dim=4).eval()
    context = history([1, 5, 3], [6])
    full = model.scores(context)
    assert_close(model.question(context) @ model.answers().T, full)
    assert_close(model.scores(context, torch.tensor([5, 0])), full[:, [5, 0]])
    assert_close(model.scores(context, torch.tensor([[1], [7]])), full.gather(1, torch.tensor([[1], [7]])))


# ------------------------------------------------------------------------------------------------ ratings


def rated():
    """Two users and three items; nobody rated item 2 but user 1."""
    frame = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 0, 2], "rating": [5.0, 1, 4, 2]})
    return recbook.everything(recbook.from_frame(frame, rating="rating"))


def test_autorec_on_paper():
    """By users, one number: V = (.1, .2, .3), W = (1, 2, 3). User 0's row (5, 1, 0) has the code .7 and comes back as
    3 + (.7, 1.4): errors -1.3 and 3.4. User 1's, (4, 0, 2), has the code 1 and comes back as 4 and 6: errors 0 and 4."""
    model = AutoRec(2, 3, by="user", dim=1, l2=0.0, activation="identity").double()
    model.start(rated())
    with torch.no_grad():
        model.encoder.weight.copy_(torch.tensor([[0.1], [0.2], [0.3]]))
        model.decoder.weight.copy_(torch.tensor([[1.0], [2.0], [3.0]]))
    assert model.output_bias.tolist() == [3.0] * 3                      # the mean rating
    (batch,) = Rows("user", ratings=True).prepare(rated()).epoch(2, torch.Generator().manual_seed(0))
    assert model.loss(batch).item() == pytest.approx((1.3**2 + 3.4**2 + 0 + 4**2) / 4)
    model.l2 = 2.0                                                      # 2 / 2 * (.14 + 14), beside a sum of four errors
    assert model.loss(batch).item() == pytest.approx((1.3**2 + 3.4**2 + 4**2 + 14.14) / 4)
    context = Context(items=torch.tensor([[0, 1]]), ratings=torch.tensor([[5.0, 1.0]]))
    assert model.scores(context)[0].tolist() == pytest.approx([3.7, 4.4, 5.1])


@pytest.mark.parametrize("by", ["item", "user"])
def test_what_nobody_rated_has_no_part_in_the_loss(by):
    """The output for an unrated cell may be anything: only its own bias, and it has no gradient there."""
    model = AutoRec(2, 3, by=by, dim=2, l2=0.0)
    model.start(rated())
    batches = Rows(by, ratings=True).prepare(rated())
    model.loss(next(batches.epoch(1, torch.Generator().manual_seed(0)))).backward()
    touched = set(model.output_bias.grad.nonzero().flatten().tolist())
    batch = next(batches.epoch(1, torch.Generator().manual_seed(0)))
    assert touched == set((batch.users if by == "item" else batch.items).tolist())


def test_by_items_and_by_users_are_each_other_with_the_matrix_turned():
    split = rated()
    frame = split.train.rename(columns={"user": "item", "item": "user"})
    turned = recbook.everything(recbook.from_frame(frame[["user", "item", "rating"]], rating="rating"))
    by_item, by_user = AutoRec(2, 3, dim=2), AutoRec(3, 2, by="user", dim=2)
    for model, data in ((by_item, split), (by_user, turned)):
        model.start(data)
    by_user.load_state_dict({name: value for name, value in by_item.state_dict().items()
                             if name not in ("starts", "columns", "ratings")}, strict=False)
    scores = by_item.scores(Context(users=torch.tensor([0, 1])))        # (users, items)
    columns = [split.train[split.train["item"] == item] for item in range(3)]
    context = Context(items=torch.tensor([[0, 1], [0, -1], [1, -1]]),
                      ratings=torch.tensor([[*columns[0]["rating"]], [*columns[1]["rating"], torch.nan],
                                            [*columns[2]["rating"], torch.nan]]))
    assert_close(by_user.scores(context), scores.T)


def test_a_sigmoid_at_the_output_stays_within_the_scale_and_begins_at_the_mean():
    model = AutoRec(2, 3, dim=2, output="sigmoid", scale=(0.0, 10.0))
    model.start(rated())
    with torch.no_grad():
        model.decoder.weight.zero_()
    assert_close(model.scores(Context(users=torch.tensor([0]))), torch.full((1, 3), 3.0))
    with torch.no_grad():
        model.decoder.weight.fill_(100.0)
    assert model.scores(Context(users=torch.tensor([0]))).max() <= 10


def test_the_codes_of_items_follow_the_weights():
    model = AutoRec(2, 3, dim=2)
    model.start(rated())
    with torch.no_grad():
        before = model.scores(Context(users=torch.tensor([0]))).clone()
        model.encoder.weight.add_(0.5)
        model.decoder.weight.add_(0.5)
        after = model.scores(Context(users=torch.tensor([0])))
        fresh = AutoRec(2, 3, dim=2)
        fresh.start(rated())
        fresh.load_state_dict(model.state_dict())
        assert_close(fresh.scores(Context(users=torch.tensor([0]))), after)
    assert not torch.allclose(before, after)


# ------------------------------------------------------------------------------------------------ trained, and broken


def camps(shuffled=False, draws=4000):
    """Four camps of users and items: users meet their own camp's items, a few others."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 160, draws), rng.integers(0, 80, draws)
    within = user % 4 == item % 4
    kept = within | (rng.random(draws) < 0.1)
    frame = pd.DataFrame({"user": user, "item": item, "rating": np.where(within, 4.0, 2.0)})[kept]
    if shuffled:
        frame["item"], frame["rating"] = rng.permutation(frame["item"]), rng.permutation(frame["rating"])
    return recbook.from_frame(frame.drop_duplicates(["user", "item"]), rating="rating")


def train(cls, split, epochs=40, learning_rate=0.01, **options):
    recbook.seed_everything(0)
    model = cls(split.n_users, split.n_items, **options)
    recbook.fit(model, split, epochs=epochs, batch_size=20, learning_rate=learning_rate, device="cpu", progress=False)
    return model


def share_of_own_camp(model, cases):
    return (model.top(cases.context(), 10)[0] % 4 == torch.tensor(cases.users)[:, None] % 4).double().mean().item()


@pytest.mark.parametrize("cls", [MultDAE, MultVAE])
def test_a_trained_model_ranks_a_strangers_own_camp_and_not_on_shuffled_data(cls):
    found = []
    for shuffled in (False, True):
        data = camps(shuffled)
        split = recbook.strong_generalisation(data, held_out=20, least=4)
        original = data.users["original"].astype(int).to_numpy()
        model = train(cls, split, dim=8)
        top = model.top(split.test.context(), 10)[0]
        camp = torch.tensor(data.items["original"].astype(int).to_numpy())[top] % 4
        found.append((camp == torch.tensor(original[split.test.users])[:, None] % 4).double().mean().item())
    assert found[0] > 0.7 and 0.15 < found[1] < 0.4, found


@pytest.mark.parametrize("by", ["item", "user"])
def test_a_trained_autorec_explains_what_the_mean_cannot(by):
    split = recbook.leave_last_out(camps(draws=12_000))
    mean_only, rmse = (recbook.evaluate(train(AutoRec, split, epochs, by=by, dim=8, l2=l2, learning_rate=0.005), split.test,
                                        ["RMSE"])["RMSE"] for epochs, l2 in ((1, 1e6), (60, 5.0)))
    assert rmse < 0.75 * mean_only


def test_a_wide_layer_that_sees_the_whole_row_learns_to_copy():
    """Allowed to, it tells each item from itself; with a half hidden it must tell it from the others."""
    split = recbook.strong_generalisation(camps(), held_out=20, least=4)
    copies, tells = (train(MultDAE, split, 150, dim=80, dropout=dropout) for dropout in (0.0, 0.7))

    def own(model):
        """By how much an item's own click raises it above the other items of its camp, in units of what these vary."""
        weight = torch.stack([model.scores(history([item]))[0] for item in range(80)]).detach()
        camp = torch.arange(80) % 4
        same = (camp[:, None] == camp).fill_diagonal_(False)
        return float((weight.diagonal() - (weight * same).sum(1) / same.sum(1)).mean() / weight.std())

    assert own(copies) > 2 * own(tells)
    report = {name: recbook.evaluate(model, split.test, ["NDCG@10"])["NDCG@10"]
              for name, model in (("copies", copies), ("tells", tells))}
    assert report["tells"] > report["copies"] + 0.02, report


def test_a_huge_weight_of_the_divergence_leaves_no_customer_in_the_code():
    """The code is the same for everybody, and the list is popularity's; with none the code is sure, its deviation small."""
    split = recbook.strong_generalisation(camps(), held_out=20, least=4)
    context = split.test.context()

    def apart(beta):
        model = train(MultVAE, split, dim=4, hidden=16, beta=beta, annealing=1)
        row, item, _ = entries(context.items)
        mean, log_variance = model.distribution(row, item, len(context))
        return mean.std(0).mean().item(), (log_variance / 2).exp().mean().item(), model.scores(context).std(0).mean().item()

    (sound, deviation, differ), (huge, _, alike), (_, sure, _) = apart(0.2), apart(100.0), apart(0.0)
    assert huge < 0.1 * sound and alike < 0.1 * differ
    assert sure < 0.5 * deviation


def test_a_model_of_items_and_one_of_users_are_kept_and_come_back(tmp_path):
    split = recbook.leave_last_out(camps())
    for number, (cls, options) in enumerate(((AutoRec, {}), (AutoRec, {"by": "user"}), (MultVAE, {}))):
        model = train(cls, split, 2, dim=4, **options)
        recbook.save_model(model, tmp_path / str(number))
        again, _ = recbook.load_model(tmp_path / str(number))
        context = split.test.context(slice(0, 5))
        assert_close(again.scores(context), model.scores(context))


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("cls", [MultDAE, MultVAE])
def test_somebody_without_a_click_is_ranked_by_the_counts_alone(cls):
    split = recbook.leave_last_out(camps())
    model = cls(split.n_users, split.n_items, dim=4)
    model.start(split)
    context = history([], [2])
    scores = model.eval().scores(context)
    assert scores.isfinite().all() and scores.shape == (2, 80)
    assert_close(scores[0].argsort(), model.item_bias.argsort())
    assert recbook.evaluate(model, split.test)["NDCG@10"] >= 0
    assert model.scores(Context(items=torch.zeros(1, 0, dtype=torch.long))).isfinite().all()


@pytest.mark.parametrize("cls", [MultDAE, MultVAE, AutoRec])
def test_an_item_or_user_that_the_model_never_had_is_refused(cls):
    model = cls(3, 5, dim=2)
    context = Context(users=torch.tensor([3]), items=torch.tensor([[7]]))
    with pytest.raises(ModelError, match="is asked for, and the model knows 0 to"):
        model.top(context, k=2)


def test_settings_that_cannot_be_are_refused_by_name():
    for cls, options, name in ((MultVAE, {"beta": -0.1}, "beta"), (MultVAE, {"annealing": 0}, "annealing"),
                               (MultDAE, {"dropout": 1.0}, "dropout"), (AutoRec, {"activation": "relu"}, "activation"),
                               (AutoRec, {"scale": (5, 1)}, "scale"), (AutoRec, {"l2": -1.0}, "l2")):
        with pytest.raises(ModelError, match=f"^{name}="):
            cls(3, 5, **options)
    with pytest.raises(RecbookError, match="Unknown side 'film'"):
        AutoRec(3, 5, by="film")


def test_ratings_outside_the_scale_are_refused_in_training_and_in_a_history():
    with pytest.raises(ModelError, match="A rating is 5, and the scale is 1 to 4"):
        AutoRec(2, 3, dim=2, scale=(1, 4)).start(rated())
    with pytest.raises(ModelError, match="A rating is 9, and the scale is 1 to 5"):
        AutoRec(2, 3, by="user", dim=2).scores(Context(items=torch.tensor([[0, 1]]), ratings=torch.tensor([[9.0, torch.nan]])))


def test_autorec_by_users_says_that_it_needs_ratings():
    with pytest.raises(ModelError, match="context.ratings is missing"):
        AutoRec(2, 3, by="user", dim=2).scores(Context(items=torch.tensor([[0, 1]])))
