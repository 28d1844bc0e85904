"""Sequential models in Keras: the loss, gradients, scores and training of their PyTorch twins."""

import inspect
from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import recbook
import recbook.keras
from recbook.data.splits import Context
from recbook.errors import ModelError
from recbook.keras import layouts
from recbook.keras.sequence import pauses
from recbook.models.sequence import pauses as pauses_of_the_twin
from tests.keras.parity import EXACT, assert_same_gradients, assert_same_steps, turned_gradients

USERS, ITEMS, LENGTH = 30, 12, 4
GRU = {"hidden": 5, "cell": "gru"}
VARIANTS = {
    "GRU4Rec, gru": ("GRU4Rec", GRU),
    "GRU4Rec, lstm": ("GRU4Rec", {"hidden": 5, "cell": "lstm"}),
    "GRU4Rec, rnn": ("GRU4Rec", {"hidden": 5, "cell": "rnn"}),
    "GRU4Rec, a negative": ("GRU4Rec", GRU | {"negatives": 1}),
    "GRU4Rec, behaviours and pauses": ("GRU4Rec", GRU | {"behaviours": True, "pauses": True}),
    "MaxPooledRNN": ("MaxPooledRNN", GRU),
    "SASRec, one head": ("SASRec", {"heads": 1}),
    "SASRec, two heads": ("SASRec", {"heads": 2, "blocks": 1, "negatives": 2}),
    "SASRec, overlapping pieces": ("SASRec", {"stride": 2}),
    "SASRec, mixed lengths": ("SASRec", {"mixed": True}),
    "SASRec, blocks as coded": ("SASRec", {"heads": 2, "as_coded": True}),
    "AttentiveGRU": ("AttentiveGRU", {}),
    "NARM": ("NARM", {"hidden": 5, "output_dropout": 0}),
    "Caser": ("Caser", {"horizontal": 3, "vertical": 2, "targets": 2}),
    "Caser, no negatives": ("Caser", {"horizontal": 3, "vertical": 2, "targets": 2, "negatives": 0}),
}
of_all = pytest.mark.parametrize("variant", VARIANTS)
of_each_model = pytest.mark.parametrize("name", sorted({name for name, _ in VARIANTS.values()}))


@pytest.fixture(scope="module")
def split():
    """Users who walk round the items in their order, from different starts, with pauses of seconds to a day."""
    rng = np.random.default_rng(0)
    counts = rng.integers(3, 11, USERS)
    user = np.repeat(np.arange(USERS), counts)
    step = np.arange(len(user)) - np.repeat(counts.cumsum() - counts, counts)
    frame = pd.DataFrame({"user": user, "item": (5 * user + step) % ITEMS,
                          "behaviour": rng.choice(["view", "favourite", "cart", "purchase"], len(user)),
                          "timestamp": (10 ** rng.uniform(0, 5, len(user))).astype(int).cumsum()})
    return recbook.leave_last_out(recbook.from_frame(frame, timestamp="timestamp", behaviour="behaviour"))


def twins(variant):
    """The model in both frameworks with the same random weights."""
    recbook.seed_everything(0)
    name, options = VARIANTS[variant]
    options = {"dim": 4, "length": LENGTH, "dropout": 0} | options
    model = getattr(recbook, name)(USERS, ITEMS, **options).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
        if options.get("cell") in ("lstm", "rnn"):                      # Keras has one bias where PyTorch has two
            model.recurrence.bias_hh_l0.zero_().requires_grad_(False)
    twin = getattr(recbook.keras, name)(USERS, ITEMS, **options, dtype="float64")
    return model, twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})


@of_all
def test_loss_and_gradients_are_those_of_the_twin(variant, split):
    model, twin = twins(variant)
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=80)
    assert any((batch.items < 0).any() for batch in batches.epoch)
    for number, batch in enumerate(batches.epoch):
        slopes = assert_same_gradients(model, batch, *turned_gradients(twin, batches[number]))
        for name, weight in model.named_parameters():
            assert np.abs(slopes[name]).max() > 1e-6 or not weight.requires_grad, name


@of_all
@pytest.mark.parametrize("items", [None, [3, 0, 3], [[1, 2], [11, 0], [5, 5], [7, 8]]], ids=["all", "(C,)", "(B, C)"])
def test_scores_are_those_of_the_twin(variant, items):
    model, twin = twins(variant)
    history = torch.tensor([[9, 9, 1, 2, 1, 8, 7], [4, 3, -1, -1, -1, -1, -1], [-1] * 7, [1, 2, 3, 4, -1, -1, -1]])
    step = torch.arange(7) + torch.arange(4)[:, None]
    context = Context(users=torch.tensor([7, 0, 29, 7]), items=history, behaviours=(step % 4).where(history >= 0, -1),
                      times=(10**step).where(history >= 0, -1), now=torch.full((4,), 10**8))
    items = None if items is None else torch.tensor(items)
    scores = twin.scores(context, items)
    assert isinstance(scores, np.ndarray)
    assert_allclose(scores, model.scores(context, items).detach().numpy(), **EXACT)


@pytest.mark.parametrize("variant", ["SASRec, one head", "Caser"])
def test_histories_shorter_than_what_is_read_have_scores_too(variant):
    model, twin = twins(variant)
    context = Context(users=torch.tensor([7, 0]), items=torch.tensor([[9, 8], [4, -1]]))
    assert_allclose(twin.scores(context), model.scores(context).detach().numpy(), **EXACT)


def test_attention_is_exact_where_one_event_outweighs_all_others():
    model, twin = twins("AttentiveGRU")
    with torch.no_grad():
        model.item.weight *= 1000
    twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})
    context = Context(items=torch.tensor([[1, 2, 3, 4], [5, -1, -1, -1], [-1, -1, -1, -1], [6, 7, -1, -1]]))
    assert_allclose(twin.scores(context), model.scores(context).detach().numpy(), **EXACT)


@of_all
def test_without_any_event_there_are_scores_still(variant):
    model, twin = twins(variant)
    nothing = torch.zeros(2, 0, dtype=torch.long)
    context = Context(users=torch.tensor([0, 1]), items=nothing, behaviours=nothing, times=nothing,
                      now=torch.tensor([5, 6]))
    scores = twin.scores(context)
    assert_allclose(scores, model.scores(context).detach().numpy(), **EXACT)
    if "Caser" not in variant:
        assert_allclose(scores, np.tile(twin.to_numpy()["item_bias"], (2, 1)), **EXACT)


@of_all
def test_fit_takes_the_same_steps_as_the_twin(variant, split):
    assert_same_steps(*twins(variant), split, epochs=2)


@of_each_model
def test_a_model_built_in_keras_learns_the_next_item_that_popularity_cannot_tell(name, split):
    keras.utils.set_random_seed(0)
    model = getattr(recbook.keras, name)(USERS, ITEMS, dim=8, length=LENGTH, dropout=0.1).start(split)
    model.compile(optimizer=keras.optimizers.Adam(0.03))
    model.fit(recbook.keras.TrainingBatches(model, split, batch_size=16), epochs=20, verbose=0)
    popularity = recbook.Popularity(USERS, ITEMS).fit(split)
    comparison = recbook.compare({"trained": model, "popularity": popularity}, on=split.test)
    assert comparison.better("trained", than="popularity", metric="NDCG@10")


@of_each_model
def test_dropout_is_on_while_training_and_off_for_scores(name, split):
    keras.utils.set_random_seed(0)
    model = getattr(recbook.keras, name)(USERS, ITEMS, dim=4, length=LENGTH, dropout=0.5)
    batch = recbook.keras.TrainingBatches(model, split)[0]
    scores = [np.asarray(model(batch, training=training)) for training in (True, True, False, False)]
    assert np.abs(scores[0] - scores[1]).max() > 1e-6
    assert_array_equal(scores[2], scores[3])


CELLS = {"gru": (layouts.gru_to_torch, layouts.gru_from_torch, 3, (2, 15)),
         "lstm": (layouts.rnn_to_torch, layouts.rnn_from_torch, 4, (20,)),
         "rnn": (layouts.rnn_to_torch, layouts.rnn_from_torch, 1, (5,))}


@pytest.mark.parametrize("cell", CELLS)
def test_the_layouts_of_a_recurrence_there_and_back(cell):
    there, back, gates, bias = CELLS[cell]
    rng = np.random.default_rng(0)
    kept = [rng.normal(size=shape) for shape in [(4, gates * 5), (5, gates * 5), bias]]
    turned = there(*kept)
    twin = getattr(torch.nn, cell.upper())(4, 5)
    assert {name: array.shape for name, array in turned.items()} == {
        name: tuple(weight.shape) for name, weight in twin.state_dict().items()}
    for before, after in zip(kept, back(**turned), strict=True):
        assert_array_equal(after, before)


@pytest.mark.parametrize("name", ["GRU4Rec", "AttentiveGRU", "Caser"])
@pytest.mark.parametrize("history, message", [([[1, ITEMS]], "History 0 holds item 12 at step 1"),
                                              ([[-1, 1]], "History 0 goes on after a padding"),
                                              (None, "context.items is missing")])
def test_what_is_no_history_is_refused(name, history, message):
    model = getattr(recbook.keras, name)(USERS, ITEMS, dim=2)
    context = Context(users=torch.tensor([0]), items=None if history is None else torch.tensor(history))
    with pytest.raises(ModelError, match=message):
        model.scores(context)


@pytest.mark.parametrize("option, missing", [("behaviours", "behaviours"), ("pauses", "times")])
def test_what_the_context_does_not_have_cannot_be_read(option, missing):
    model = recbook.keras.GRU4Rec(USERS, ITEMS, **{option: True})
    with pytest.raises(ModelError, match=f"The model reads {missing}, and the data set has none"):
        model.scores(Context(items=torch.tensor([[1]])))


def test_what_the_data_do_not_have_cannot_be_trained_on():
    split = recbook.everything(recbook.from_frame(pd.DataFrame({"user": [0, 0, 0], "item": [0, 1, 2]})))
    model = recbook.keras.GRU4Rec(1, 3, behaviours=True)
    model.compile(optimizer="adam")
    with pytest.raises(ModelError, match="The model reads behaviours, and the data set has none"):
        model.fit(recbook.keras.TrainingBatches(model, split), verbose=0)


@pytest.mark.parametrize("build, message", [
    (partial(recbook.keras.GRU4Rec, length=0), "length=0"),
    (partial(recbook.keras.GRU4Rec, cell="cell"), "cell='cell'"),
    (partial(recbook.keras.SASRec, dim=4, heads=3), "dim=4 does not divide into heads=3"),
    (partial(recbook.keras.SASRec, dim=4, heads=0), "heads=0: a whole number of at least 1"),
    (partial(recbook.keras.Caser, targets=0), "targets=0")])
def test_a_model_that_cannot_be_is_refused(build, message):
    with pytest.raises(ModelError, match=message):
        build(USERS, ITEMS)


def test_weights_of_another_size_are_refused():
    twin = twins("SASRec, one head")[1]
    with pytest.raises(ModelError, match=r"stack.1.inner.weight is \(4, 5\) there and \(4, 4\) here"):
        twin.from_numpy(twin.to_numpy() | {"stack.1.inner.weight": np.zeros((4, 5))})


def test_pauses_are_those_of_the_twin_up_to_the_second():
    gaps = [0, 1, *(2**power + more for power in range(1, 32) for more in (-1, 0, 1))]
    times = torch.tensor([[0, gap] for gap in gaps] + [[5, -1]])
    now = torch.tensor([2 * gap + 1 for gap in gaps] + [7])
    expected = pauses_of_the_twin(times, now, times >= 0)
    real = times >= 0
    assert_array_equal(np.asarray(pauses(times.numpy(), now.numpy(), real.numpy()))[real], expected[real])


def test_batches_of_an_epoch_are_equally_wide_and_equal_in_number(split):
    batches = recbook.keras.TrainingBatches(recbook.keras.GRU4Rec(USERS, ITEMS, length=20, negatives=2), split, 40)
    assert len({batch.items.shape[1] for batch in batches.epoch}) > 1
    for _ in range(3):
        number = len(batches)
        for batch in batches:
            history, following = batch["context"]["items"], batch["items"]
            assert history.shape == following.shape == batch["context"]["times"].shape == (len(history), 20)
            assert batch["negatives"].shape == (*history.shape, 2) and batch["negatives"].min() >= 0
            assert_array_equal(history >= 0, following >= 0)
            assert_array_equal(history[:, 1:][following[:, 1:] >= 0], following[:, :-1][following[:, 1:] >= 0])
        batches.on_epoch_begin()
        assert len(batches) == number


@pytest.mark.parametrize("setting", [{"dim": 0}, {"dim": 2.5}, {"length": "x"}, {"dropout": 1.0}, {"negatives": -1},
                                     {"behaviours": 1}, {"n_items": 0}])
@of_each_model
def test_no_setting_that_cannot_be_gets_into_a_model(name, setting):
    cls = getattr(recbook.keras, name)
    if set(setting) <= set(inspect.signature(cls.__init__).parameters):
        with pytest.raises(ModelError, match=f"^{next(iter(setting))}="):
            cls(**{"n_users": USERS, "n_items": ITEMS} | setting)


def test_without_times_there_are_no_pauses():
    timeless = recbook.leave_last_out(recbook.from_frame({"user": [0] * 4, "item": range(4)}))
    for package in (recbook, recbook.keras):
        with pytest.raises(ModelError, match="no timestamps, and pauses=True reads how long"):
            package.GRU4Rec(1, 4, pauses=True).start(timeless)
