"""The same training examples as in PyTorch, handed to `model.fit`."""

import copy

import keras
import numpy as np
import torch

from recbook.data.batches import RatingsByUser


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
        self.longest = None
        if isinstance(self.source, RatingsByUser):  # Keras wants equal numbers of batches, and histories equally wide
            self.longest = int(self.source.count.max())
            self.batch_size = max(batch_size, self.longest)
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
        """One batch: the fields of `Batch` that are there, as a dict of arrays."""
        batch = {name: value.numpy() for name, value in vars(self.epoch[number]).items() if value is not None}
        if self.longest is not None:
            missing = self.longest - batch["histories"].shape[1]
            batch["histories"] = np.pad(batch["histories"], [(0, 0), (0, missing)], constant_values=-1)
        return batch
