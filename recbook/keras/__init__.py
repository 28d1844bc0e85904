"""The models of the book once more, in Keras on TensorFlow: the same names, the same numbers.

A twin is a `keras.Model`, trained by `compile` and `fit`:

    model = recbook.keras.BPRMF(split.n_users, split.n_items, dim=32).start(split)
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    model.fit(TrainingBatches(model, split), epochs=20)
    recbook.evaluate(model, split.test)
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")      # or each import prints on stderr
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")     # its sums differ from one processor to the next

try:
    import tensorflow
except ModuleNotFoundError as problem:
    if problem.name != "tensorflow":
        raise
    raise ImportError('The Keras models need TensorFlow: pip install "recbook[keras]".') from None

import keras

if keras.config.backend() != "tensorflow":
    raise ImportError(f"The Keras models run on TensorFlow; Keras is set to {keras.config.backend()}: "
                      "start Python with KERAS_BACKEND=tensorflow.")

from recbook.keras.adversarial import AMF, CFGAN, IRGAN
from recbook.keras.attention import NARM, AttentiveGRU
from recbook.keras.autoencoders import AutoRec, MultDAE, MultVAE
from recbook.keras.base import Recommender
from recbook.keras.caser import Caser
from recbook.keras.content import ContentGRU
from recbook.keras.data import TrainingBatches
from recbook.keras.dqn import DQN
from recbook.keras.factorization import BPRMF, FunkSVD, LogisticMF, SVDPlusPlus
from recbook.keras.item2vec import Item2Vec
from recbook.keras.neumf import GMF, MLP, NeuMF
from recbook.keras.recurrent import GRU4Rec, MaxPooledRNN
from recbook.keras.self_attention import SASRec
from recbook.keras.writer import Writer
