"""The same training examples as in PyTorch, handed to `model.fit`."""

import copy

import keras
import numpy as np
import torch

from recbook.data.batches import RatingsByUser, Sequences
from recbook.data.splits import Context


class TrainingBatches(keras.utils.PyDataset):
    """What a model trains on: `model.fit(TrainingBatches(model, split), epochs=20)`.

    Each epoch is drawn anew by `recbook.data.batches`, negatives included. They are the batches of `recbook.fit` on
    the CPU with the same seed (save where a history is longer than `batch_size`); `fit(..., shuffle=False)` keeps
    their order too.
    """

    def __init__(self, model, split, batch_size=2048, seed=0):
        super().__init__()
        self.source = copy.copy(model.batches).prepare(split)
        self.batch_size = batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.width = None                           # Keras wants equal numbers of batches, and histories equally wide
        if isinstance(self.source, RatingsByUser):
            self.width = int(self.source.count.max())
            self.batch_size = max(batch_size, self.width)
        elif isinstance(self.source, Sequences):
            self.width = self.source.length
        self.epoch, self.begun = self.draw(), False

    def draw(self):
        return list(self.source.epoch(self.batch_size, self.generator))

    def on_epoch_begin(self):
        if self.begun:
            self.epoch = self.draw()
        self.begun = True

    def __len__(self):
        return len(self.epoch)

    def __getitem__(self, number):
        return fields(self.epoch[number], self.width)


def fields(value, width=None):
    """The fields of a `Batch` or a `Context` that are there, as a dict of arrays; histories padded to `width`."""
    return {name: fields(field, width) if isinstance(field, Context) else padded(name, field.numpy(), width)
            for name, field in vars(value).items() if field is not None}


def padded(name, array, width):
    """An array (B, L, ...) with `width` for L: padded with -1, but negatives with some item, which no loss counts."""
    if width is None or array.ndim == 1:
        return array
    missing = [(0, width - array.shape[1] if axis == 1 else 0) for axis in range(array.ndim)]
    return np.pad(array, missing, constant_values=0 if name == "negatives" else -1)
