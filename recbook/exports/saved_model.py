"""A Keras model as a SavedModel with a serving signature: TensorFlow alone loads it, and TensorFlow Serving serves it.

Each model's scores are written once more as one graph, as in `graphs.py`: its own `scores` takes arrays, not tensors.
"""

import json
import os
import shutil

import numpy as np
import tensorflow as tf
from keras import ops

from recbook import keras as twins
from recbook.data.splits import Context
from recbook.errors import ModelError
from recbook.exports.onnx_file import quiet
from recbook.keras.autoencoders import ACTIVATIONS, Clicks
from recbook.keras.base import products, rows
from recbook.keras.factorization import MatrixFactorization, SVDPlusPlus
from recbook.keras.neumf import NeuralModel
from recbook.keras.sequence import SequenceModel, last

AGREES = 1e-4           # how far a score may be from the model's own, in units of the largest where that is above 1
TYPES = {"users": tf.int64, "items": tf.int64, "behaviours": tf.int64, "ratings": tf.float32, "times": tf.int64,
         "now": tf.int64}
FLAT = ("users", "now")                                                 # (B,); the others are (B, L)
NOTHING = {"items": -1, "behaviours": -1, "ratings": float("nan"), "times": -1}                 # behind the last event


def save_keras(model, path):
    """Write the model into the folder, and compare it with itself as it is loaded from there."""
    told = {name: tf.TensorSpec([None] if name in FLAT else [None, None], TYPES[name], name=name)
            for name in inputs_of(model)}
    score = form_of(model)
    ask = tf.function(lambda **told: {"scores": score(model, latest(model, told))}).get_concrete_function(**told)
    module = tf.Module()
    module.kept = [weight.value for weight in model.weights]            # what is kept is saved
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with quiet("tensorflow"):
            tf.saved_model.save(module, str(beside), signatures={"serving_default": ask})
            refuse_differences(model, tf.saved_model.load(str(beside)).signatures["serving_default"])
        (beside / "recbook.json").write_text(json.dumps(
            {"model": type(model).__name__, "inputs": list(told), "padding": -1, "reads": model.reads}, indent=1))
        os.replace(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def inputs_of(model):
    """What the graph is told, by the names of a `Context`'s fields."""
    ratings = isinstance(model, twins.AutoRec) and model.by == "user"
    users = any(weight.name.startswith(("user", "known_of_user")) for weight in model.weights) or isinstance(
        model, (NeuralModel, twins.IRGAN)) or isinstance(model, (twins.AutoRec, twins.CFGAN)) and model.by == "item"
    wanted = {"users": users, "items": model.reads != 0, "behaviours": getattr(model, "behaviours", False), "ratings": ratings,
              "times": getattr(model, "pauses", False), "now": getattr(model, "pauses", False)}
    return [name for name in TYPES if wanted[name]]


def latest(model, told):
    """The last `reads` events of each history: it is then always so many wide."""
    if not model.reads or "items" not in told:
        return told
    reads = model.reads
    count = tf.reduce_sum(tf.cast(told["items"] >= 0, tf.int64), axis=1, keepdims=True)
    place = tf.maximum(count - reads, 0) + tf.range(reads, dtype=tf.int64)                      # (B, reads)
    wider = {name: tf.pad(told[name], [[0, 0], [0, reads]], constant_values=tf.cast(value, told[name].dtype))
             for name, value in NOTHING.items() if name in told}
    return told | {name: tf.ensure_shape(tf.gather(value, place, batch_dims=1), [None, reads])
                   for name, value in wider.items()}


# ------------------------------------------------------------------------------------------------ the models


def of_sequence(model, told):
    """The state after the last event, times the items' vectors."""
    return products(last(model.states(told), told["items"]), model.item, None) + model.item_bias


def of_attention(model, told):
    """AttentiveGRU: each item has its own sum of the states."""
    relevance = model.states(told) @ ops.transpose(model.item)                                  # (B, L, N)
    real = (told["items"] >= 0)[..., None]
    relevance = ops.where(real, relevance, 0)
    weights = tf.nn.softmax(ops.where(real, relevance, -1e30), axis=1)
    return ops.sum(weights * relevance, axis=1) + model.item_bias


def of_picture(model, told):
    """Caser."""
    return products(model.vectors(told), model.output_weight, None) + model.output_bias


def of_content(model, told):
    """ContentGRU: before the first event the question is the output's bias, and the user."""
    vectors = model.vectors()
    state = last(model.states(told, vectors), told["items"])
    begun = ops.any(told["items"] >= 0, axis=1, keepdims=True)
    question = ops.where(begun, state, model.output_layer.bias + model.of_user(told))
    return products(question, vectors, None)


def of_product(model, told):
    """Matrix factorization; in SVD++ the history stands beside the user's vector."""
    vectors = rows(model.user, told["users"])
    if isinstance(model, SVDPlusPlus):
        real = ops.cast(told["items"] >= 0, vectors.dtype)                                      # (B, L)
        added = ops.einsum("bl,bld->bd", real, rows(model.implicit, ops.maximum(told["items"], 0)))
        vectors = vectors + added / ops.sqrt(ops.maximum(ops.sum(real, axis=1, keepdims=True), 1))
    return products(vectors, model.item, None) + rows(model.user_bias, told["users"])[:, None] + model.item_bias + model.bias


def of_network(model, told):
    """GMF, MLP and NeuMF."""
    return model.pair_scores(told["users"], None)


def of_neighbourhood(model, told):
    """Item2Vec: the mean of the last items' vectors."""
    met = ops.cast(told["items"] >= 0, model.item.dtype)                                        # (B, reads)
    share = met / ops.maximum(ops.sum(met, axis=1, keepdims=True), 1)
    mean = ops.einsum("bl,bld->bd", share, rows(model.item, ops.maximum(told["items"], 0)))
    return products(mean, model.context, None) + model.log_noise


def of_clicks(model, told):
    """MultDAE and MultVAE: the history as a row of the matrix, of length 1."""
    met = tf.reduce_max(tf.one_hot(told["items"], model.n_items, dtype=model.encoder.dtype), axis=1)        # (B, N)
    size = ops.maximum(ops.sum(met, axis=1, keepdims=True), 1)
    hidden = ops.tanh((met / ops.sqrt(size)) @ ops.convert_to_tensor(model.encoder) + model.encoder_bias)
    if isinstance(model, twins.MultVAE):
        hidden = ops.tanh(model.widen(ops.split(model.code(hidden), 2, axis=1)[0]))             # z is its mean
    return model.last_layer(hidden)


def of_ratings(model, told):
    """AutoRec; by users the latest rating of each item of the history."""
    if model.by == "item":
        row = np.repeat(np.arange(model.n_items), np.diff(model.facts["starts"]))
        vectors = model.code(row, model.facts["columns"], model.facts["ratings"], model.n_items)
        scores = products(rows(model.decoder, told["users"]), vectors, None)
        return model.stretched(scores + rows(model.output_bias, told["users"])[:, None])
    rated = ops.where(tf.math.is_nan(told["ratings"]), -1, told["items"])                       # (B, L)
    same = tf.cast(rated[:, :, None] == rated[:, None], tf.int8)
    again = tf.reduce_any(tf.linalg.band_part(same, 0, -1) - tf.linalg.band_part(same, 0, 0) > 0, axis=2)
    value = ops.where((rated >= 0) & ~again, told["ratings"], 0)
    added = ops.einsum("bl,bld->bd", value, rows(model.encoder, ops.maximum(rated, 0)))
    code = ACTIVATIONS[model.activation](added + model.code_bias)
    return model.stretched(products(code, model.decoder, None) + model.output_bias)


def of_generator(model, told):
    """IRGAN: the generator ranks."""
    return model.liking(model.generator, told["users"])


def of_written_row(model, told):
    """CFGAN: the logits of the row that the generator writes."""
    if model.by == "item":
        row = np.repeat(np.arange(model.n_items), np.diff(model.facts["starts"]))
        vectors = model.code(model.filled(row, model.facts["columns"], model.n_items))
        return products(rows(model.decoder, told["users"]), vectors, None) + rows(model.output_bias, told["users"])[:, None]
    met = tf.reduce_max(tf.one_hot(told["items"], model.n_items, dtype=model.encoder.dtype), axis=1)        # (B, N)
    return products(model.code(met), model.decoder, None) + model.output_bias


def of_writer(model, told):
    """Writer: the first item of a list, nothing written before it."""
    questions, _ = model.decode(model.read(told), ops.full_like(told["items"][:, :1], -1))
    return products(questions[:, 0], model.item, None) + model.item_bias


FORMS = {                                                               # the first that fits
    twins.Writer: of_writer,
    twins.AttentiveGRU: of_attention,
    SequenceModel: of_sequence,
    twins.Caser: of_picture,
    twins.ContentGRU: of_content,
    MatrixFactorization: of_product,
    NeuralModel: of_network,
    twins.Item2Vec: of_neighbourhood,
    Clicks: of_clicks,
    twins.AutoRec: of_ratings,
    twins.IRGAN: of_generator,
    twins.CFGAN: of_written_row,
}


def form_of(model):
    """The function that scores such a model, or a ModelError."""
    for kind, form in FORMS.items():
        if isinstance(model, kind):
            return form
    raise ModelError(f"{type(model).__name__} of Keras cannot be exported: nobody has written its scores as a graph.")


# ------------------------------------------------------------------------------------------------ the comparison


def refuse_differences(model, ask):
    """Ask the model and what was loaded the same; one that says another thing is not handed out."""
    from recbook.exports.graphs import random_context

    for cases, length in ((2, 1), (5, 9), (33, 70)):
        context = random_context(inputs_of(model), model.n_users, model.n_items, cases, length, seed=length)
        told = {name: getattr(context, name).numpy() for name in inputs_of(model)}
        found = ask(**{name: tf.constant(value) for name, value in told.items()})["scores"].numpy()
        expected = np.asarray(model.scores(Context(**vars(context))))
        apart = np.abs(found - expected).max(initial=0) / max(1, np.abs(expected).max(initial=0))
        if not apart <= AGREES:
            raise ModelError(f"The graph of {type(model).__name__} differs from the model by {apart:.1e}: it is not written.")
