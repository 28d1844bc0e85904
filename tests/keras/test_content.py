"""Content in Keras: the loss, gradients, scores and training of the PyTorch twin, for every part that can be asked for."""

import keras
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import recbook
import recbook.keras
from recbook.data.splits import Context
from recbook.errors import ModelError
from tests.keras.parity import EXACT, assert_same_gradients, assert_same_steps, turned_gradients
from tests.models.test_content import ITEMS, USERS, dated_goods, goods

VARIANTS = {
    "categories": {},
    "bag": {"text": "bag"},
    "cnn": {"text": "cnn", "categories": ()},
    "lstm": {"text": "lstm", "cell": "lstm"},
    "bilstm": {"text": "bilstm", "cell": "rnn"},
    "picture": {"picture": True},
    "ids": {"ids": True},
    "profile": {"profile": ("age",)},
    "all": {"text": "cnn", "picture": True, "ids": True, "profile": ("age",)},
}
of_all = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture(scope="module")
def split():
    return recbook.leave_last_out(goods())


def twins(variant, split):
    """The model in both frameworks with the same random weights."""
    recbook.seed_everything(0)
    options = {"dim": 4, "length": 4, "hidden": 5, "dropout": 0, "n_words": 30, "n_values": 8, "words": 6}
    options |= VARIANTS[variant]
    model = recbook.ContentGRU(USERS, ITEMS, **options).double()
    model.start(split)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
        for name, weight in model.named_parameters():
            if "bias_hh" in name and options.get("cell") != "gru" and (options.get("cell") or "reader" in name):
                weight.zero_().requires_grad_(False)                    # Keras has one bias where PyTorch has two
    twin = recbook.keras.ContentGRU(USERS, ITEMS, **options, dtype="float64")
    return model, twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})


@pytest.mark.parametrize("variant, dated", [*((variant, False) for variant in VARIANTS), ("ids", True)])
def test_loss_and_gradients_are_those_of_the_twin(variant, dated, split):
    """With dates, the items for sale are others at each moment."""
    split = recbook.leave_last_out(dated_goods()) if dated else split
    model, twin = twins(variant, split)
    assert len(model.since.unique()) > 2 or not dated
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=80)
    assert any((batch.items < 0).any() for batch in batches.epoch)
    for number, batch in enumerate(batches.epoch):
        slopes = assert_same_gradients(model, batch, *turned_gradients(twin, batches[number]))
        for name, weight in model.named_parameters():
            assert np.abs(slopes[name]).max() > 1e-7 or not weight.requires_grad, name


@of_all
@pytest.mark.parametrize("items", [None, [3, 0, 3], [[1, 2], [11, 0], [5, 5], [7, 8]]], ids=["all", "(C,)", "(B, C)"])
def test_scores_are_those_of_the_twin(variant, items, split):
    model, twin = twins(variant, split)
    history = torch.tensor([[9, 9, 1, 2, 1, 8, 7], [4, 3, -1, -1, -1, -1, -1], [-1] * 7, [1, 2, 3, 4, -1, -1, -1]])
    context = Context(users=torch.tensor([7, 0, 19, 7]), items=history)
    items = None if items is None else torch.tensor(items)
    scores = twin.scores(context, items)
    assert isinstance(scores, np.ndarray)
    assert_allclose(scores, model.scores(context, items).detach().numpy(), **EXACT)


@of_all
def test_the_twin_reads_the_same_facts(variant, split):
    model, twin = twins(variant, split)
    before = twin.to_numpy()
    read = recbook.keras.ContentGRU(USERS, ITEMS, **{name: getattr(model, name) for name in model.config
                                                     if name not in ("n_users", "n_items")}, dtype="float64")
    read.start(split)
    facts = {name for name, _ in model.named_buffers()}
    assert facts <= before.keys()
    for name in facts:
        assert_allclose(read.to_numpy()[name], before[name], rtol=1e-12, err_msg=name)


@of_all
def test_fit_takes_the_same_steps_as_the_twin(variant, split):
    assert_same_steps(*twins(variant, split), split, epochs=2)


def test_dropout_is_on_while_training_and_off_for_scores(split):
    keras.utils.set_random_seed(0)
    model = recbook.keras.ContentGRU(USERS, ITEMS, dim=4, dropout=0.5, text="cnn").start(split)
    batch = recbook.keras.TrainingBatches(model, split)[0]
    scores = [np.asarray(model(batch, training=training)) for training in (True, True, False, False)]
    assert np.abs(scores[0] - scores[1]).max() > 1e-6
    assert_array_equal(scores[2], scores[3])


def test_items_lose_their_own_vectors_while_training(split):
    keras.utils.set_random_seed(0)
    model = recbook.keras.ContentGRU(USERS, ITEMS, dim=4, ids=True, id_dropout=0.5)
    model.item.assign(np.ones((ITEMS, 4)))
    kept = np.asarray(model.id_dropout(model.item, training=True))
    assert set(kept[:, 0].tolist()) == {0, 2} and (kept == kept[:, :1]).all()


@pytest.mark.parametrize("options, message", [
    ({"id_dropout": 1}, "id_dropout=1"),
    ({"length": 0}, "length=0"), ({"cell": "cell"}, "cell='cell'"), ({"text": "poem"}, "text='poem'"),
    ({"categories": ()}, "is nothing")])
def test_a_model_that_cannot_be_is_refused(options, message):
    with pytest.raises(ModelError, match=message):
        recbook.keras.ContentGRU(USERS, ITEMS, **options)


def test_a_profile_needs_a_user(split):
    model = recbook.keras.ContentGRU(USERS, ITEMS, profile=("age",)).start(split)
    with pytest.raises(ModelError, match="context.users is missing"):
        model.scores(Context(items=torch.tensor([[1]])))
