"""What leaves Python says what the model says: in ONNX Runtime, and in a process that knows nothing of recbook."""

import json
import subprocess
import sys
from functools import cache, partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import recbook as rb
from recbook.errors import ModelError
from recbook.models import MODELS

pytest.importorskip("onnxscript")
import onnxruntime

from torch.onnx._internal.exporter import _registration

from recbook.exports.graphs import graph_of, inputs_of, random_context
from recbook.exports.onnx_file import scores_of

USERS, ITEMS = 60, 48
SMALL = {"ials": {"dim": 6}, "pure-svd": {"dim": 6}, "gru4rec": {"dim": 6, "hidden": 10, "length": 8},
         "max-pooled-rnn": {"dim": 6, "hidden": 10, "length": 8}, "attentive-gru": {"dim": 6, "length": 8},
         "narm": {"dim": 6, "hidden": 10, "length": 8}, "sasrec": {"dim": 6, "length": 8, "blocks": 1}, "mult-vae": {"dim": 4, "hidden": 8},
         "autorec": {"dim": 6}, "writer": {"dim": 6, "hidden": 8, "length": 8, "targets": 3}, "cfgan": {"hidden": 8},
         "content-gru": {"dim": 6, "hidden": 10, "length": 8}}
REFUSE = {"user-knn": "every training user", "knn-baseline": "training ratings", "friends": "friends"}
OTHERS = {                                                              # settings that change what the graph does
    "an LSTM that reads behaviours and pauses": partial(rb.GRU4Rec, dim=6, hidden=8, length=8, cell="lstm", behaviours=True, pauses=True),
    "a plain RNN": partial(rb.GRU4Rec, dim=6, hidden=8, length=8, cell="rnn"),
    "blocks as coded, two heads": partial(rb.SASRec, dim=6, length=8, blocks=1, heads=2, as_coded=True),
    "ratings of users": partial(rb.AutoRec, by="user", dim=6),
    "rows of items": partial(rb.CFGAN, by="item", hidden=8),
    "the last five": partial(rb.EASE, reads=5),
    "words and the user's profile": partial(rb.ContentGRU, dim=6, hidden=8, length=8, text="bag", profile=("city",)),
}


@pytest.fixture(scope="module", autouse=True)
def one_registry():
    """PyTorch's exporter parses the sources of its five hundred operators each time: here once, which halves these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_registration.ONNXRegistry, "from_torchlib", staticmethod(cache(_registration.ONNXRegistry.from_torchlib)))
        yield


@pytest.fixture(scope="module")
def split():
    return rb.by_time(rb.load("shop", n_users=USERS, n_items=ITEMS, n_events=2000))


def trained(make, split):
    """A model that has seen the data, its weights moved so that no part of it is silent."""
    rb.seed_everything(3)
    model = make(USERS, ITEMS)
    rb.fit(model, split, epochs=1, progress=False, device="cpu")
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model.eval()


def assert_same_scores(model, path, atol=1e-4):
    """For one case and for many, for histories of one event and of more than is read."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for cases, length in ((1, 1), (4, 3), (30, 100)):
        context = random_context(inputs_of(model), USERS, ITEMS, cases, length, seed=cases)
        with torch.no_grad():
            expected = model.scores(context).numpy()
        assert expected.std() > 0
        assert_allclose(scores_of(session, context), expected, rtol=1e-4, atol=atol * max(1, abs(expected).max()))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_exported_or_says_why_not(name, split, tmp_path):
    make = partial(MODELS[name], **SMALL.get(name, {}))
    if name in REFUSE:
        with pytest.raises(ModelError, match=f"cannot be exported: .*{REFUSE[name]}"):
            rb.export(make(USERS, ITEMS), tmp_path / "no.onnx")
        assert list(tmp_path.iterdir()) == []
        return
    model = trained(make, split)
    assert_same_scores(model, rb.export(model, tmp_path / "model.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("name", OTHERS)
def test_settings_that_change_what_is_read(name, split, tmp_path):
    model = trained(OTHERS[name], split)
    assert_same_scores(model, rb.export(model, tmp_path / "model.onnx"))


def test_pauses_of_whole_powers_of_two_are_told_apart(split, tmp_path):
    """A pause of 2^k seconds is the first of its kind: a logarithm that is rounded would take it for the kind before."""
    model = trained(OTHERS["an LSTM that reads behaviours and pauses"], split)
    session = onnxruntime.InferenceSession(rb.export(model, tmp_path / "model.onnx"))
    power = torch.arange(30)
    context = rb.Context(items=torch.zeros(30, 1, dtype=torch.long), behaviours=torch.zeros(30, 1, dtype=torch.long),
                         times=torch.zeros(30, 1, dtype=torch.long), now=2**power)
    with torch.no_grad():
        assert_allclose(scores_of(session, context), model.scores(context), rtol=1e-4, atol=1e-4)


def test_the_file_says_what_its_numbers_are(split, tmp_path):
    model = rb.ItemKNN(USERS, ITEMS, k=5).fit(split)
    session = onnxruntime.InferenceSession(rb.export(model, str(tmp_path / "deep" / "knn.onnx")))
    about = json.loads(session.get_modelmeta().custom_metadata_map["recbook"])
    assert about["model"] == "ItemKNN" and about["inputs"] == ["items"] and about["config"]["k"] == 5
    assert about["items"] == split.dataset.items["original"].tolist() and about["users"] is None
    bpr = rb.BPRMF(USERS, ITEMS, dim=2)
    rb.fit(bpr, split, epochs=1, progress=False, device="cpu")
    session = onnxruntime.InferenceSession(rb.export(bpr, tmp_path / "bpr.onnx"))
    about = json.loads(session.get_modelmeta().custom_metadata_map["recbook"])
    assert about["inputs"] == ["users"] and about["users"] == split.dataset.users["original"].tolist()


def test_a_number_that_the_model_does_not_have_is_an_error_there_too(split, tmp_path):
    session = onnxruntime.InferenceSession(rb.export(rb.EASE(USERS, ITEMS).fit(split), tmp_path / "ease.onnx"))
    with pytest.raises(Exception, match="(?i)index|bounds|indices"):
        session.run(["scores"], {"items": np.array([[ITEMS + 5]])})


def test_a_graph_that_answers_otherwise_is_not_written(split, tmp_path, monkeypatch):
    model = rb.EASE(USERS, ITEMS).fit(split)
    monkeypatch.setattr("recbook.exports.graphs.Graph.scores", lambda self, context: 1.1 * self.model.scores(context))
    with pytest.raises(ModelError, match="differs from the model"):
        rb.export(model, tmp_path / "ease.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported(split, tmp_path):
    shop = split.dataset
    ease = rb.EASE(USERS, ITEMS).fit(split)

    class Own(rb.Recommender):
        def scores(self, context, items=None):
            return torch.zeros(len(context), ITEMS)

    for model, why in ((rb.Observer(shop), "law"), (rb.Cascade(ease, ease), "several models"), (Own(), "nobody has written"),
                       (torch.nn.Linear(2, 2), "A Linear is exported by its own library"), (None, "NoneType")):
        with pytest.raises(ModelError, match=why):
            rb.export(model, tmp_path / "no.onnx")
    with pytest.raises(ModelError, match="is there already"):
        rb.export(ease, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        rb.export(ease, tmp_path / "file" / "ease.onnx")


def test_the_model_is_as_it_was(split, tmp_path):
    """Exporting makes a copy: training goes on with the model itself."""
    model = trained(partial(rb.MaxPooledRNN, dim=4, hidden=4, length=6), split)
    context = split.test.context(slice(0, 3))
    with torch.no_grad():
        before = model.scores(context)
    graph_of(model)(random_context(["items"], USERS, ITEMS, 2, 3).items)
    with torch.no_grad():
        assert torch.equal(before, model.scores(context))
    assert model.loss(next(iter(model.batches.prepare(split).epoch(8)))).requires_grad


# ------------------------------------------------------------------------------------------------ Keras

STRANGER = """
import sys, numpy as np, tensorflow as tf
told = dict(np.load(sys.argv[2]))
ask = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
np.save(sys.argv[3], ask(**{name: tf.constant(value) for name, value in told.items()})["scores"].numpy())
assert not [name for name in sys.modules if name.partition(".")[0] in ("recbook", "torch")]
"""


def twins(split):
    """A Keras model of each kind."""
    import recbook.keras as keras

    for make in (keras.BPRMF, keras.SVDPlusPlus, partial(keras.NeuMF, layers=(8, 4)), keras.Item2Vec, keras.MultVAE, keras.MultDAE,
                 partial(keras.Caser, dim=6), partial(keras.AttentiveGRU, dim=6, length=8), partial(keras.AutoRec, dim=6),
                 partial(keras.AutoRec, dim=6, by="user"), partial(keras.SASRec, dim=6, length=8, blocks=1),
                 keras.IRGAN, partial(keras.CFGAN, hidden=8), partial(keras.CFGAN, hidden=8, by="item"), keras.AMF,
                 partial(keras.Writer, dim=6, hidden=8, length=8, targets=3),
                 partial(keras.ContentGRU, dim=6, hidden=8, length=8, profile=("city",)),
                 partial(keras.GRU4Rec, dim=6, hidden=8, length=8, behaviours=True, pauses=True)):
        yield make(USERS, ITEMS).start(split)


def test_keras_models_are_saved_with_their_signature(split, tmp_path):
    """`export` itself loads what it wrote and compares; here one that goes wrong is seen, and nothing half is left."""
    for number, model in enumerate(twins(split)):
        rng = np.random.default_rng(number)
        for weight in model.weights:
            if weight.trainable:
                weight.assign(np.asarray(weight.value) + 0.1 * rng.normal(size=weight.shape))
        assert (rb.export(model, tmp_path / str(number)) / "saved_model.pb").exists()
    assert len(list(tmp_path.iterdir())) == number + 1
    with pytest.raises(ModelError, match="is there already"):
        rb.export(model, tmp_path / "0")


def test_a_process_that_knows_nothing_of_recbook_loads_it(split, tmp_path):
    import recbook.keras as keras

    model = keras.SASRec(USERS, ITEMS, dim=6, length=8, blocks=1).start(split)
    rb.export(model, tmp_path / "sasrec")
    context = random_context(["items"], USERS, ITEMS, 7, 12)
    np.savez(tmp_path / "told.npz", items=context.items.numpy())
    run = subprocess.run([sys.executable, "-c", STRANGER, tmp_path / "sasrec", tmp_path / "told.npz", tmp_path / "said.npy"],
                         cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert_allclose(np.load(tmp_path / "said.npy"), model.scores(context), rtol=1e-4, atol=1e-5)


def test_a_keras_graph_that_answers_otherwise_is_not_left(split, tmp_path, monkeypatch):
    import recbook.keras as keras
    from recbook.exports import saved_model

    monkeypatch.setitem(saved_model.FORMS, saved_model.MatrixFactorization, lambda model, told: model.item_bias + 1.0)
    with pytest.raises(ModelError, match="differs from the model"):
        rb.export(keras.BPRMF(USERS, ITEMS).start(split), tmp_path / "bpr")
    assert list(tmp_path.iterdir()) == []
