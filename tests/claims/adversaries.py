"""Adversaries: the claims of the chapter without their causes, and with plain rivals in a side's place."""

NO_ADVERSARY = """
from recbook.models.adversarial import IRGAN
def loss(self, batch):
    log_share = self.generator(batch.owners).log_softmax(1)
    return -log_share[batch.owner, batch.items].mean() + self.l2 * self.generator.size(batch.owners)
IRGAN.loss = loss
"""

SQUARED_ERROR = """
from recbook.models.adversarial import CFGAN
def loss(self, batch):
    met = self.filled(batch.owner, batch.items, len(batch.owners))
    error = (met - self.generator(met).sigmoid()).square()
    return ((met + (1 - met)) * error).sum(1).mean()
CFGAN.loss = loss
"""

RANDOM_CHANGES = """
from recbook.models.adversarial import AMF
def slopes(self, batch, user, item):
    return self.noise(user), self.noise(item)
AMF.slopes = slopes
"""

GENERATOR_FROZEN = """
from recbook.models.adversarial import IRGAN
sound = IRGAN.loss
def frozen(self, batch):
    losses = sound(self, batch)
    return losses | {"generator": losses["generator"].detach()}
IRGAN.loss = frozen
"""

LABELS_SHUFFLED = """
import torch
import torch.nn.functional as F
from recbook.models.adversarial import IRGAN
sound, told = IRGAN.loss, F.logsigmoid
def shuffled(self, batch):
    F.logsigmoid = lambda judged: told(judged * (2 * torch.randint_like(judged, 2) - 1))
    try:
        return sound(self, batch)
    finally:
        F.logsigmoid = told
IRGAN.loss = shuffled
"""

TAKEN_OUT = [
    ("the generator stays as it began", ("curve[-1] > curve.min() + 0.005", "jumps['IRGAN, from popularity'] > 3"),
     GENERATOR_FROZEN),
    ("the discriminator's labels are shuffled", "curve.min() < 1.34", LABELS_SHUFFLED),
    ("the game without an adversary", "fall > 0.015", NO_ADVERSARY),
    ("changes in random directions", "lengths['worst'] < 0.1", RANDOM_CHANGES),
]

RIVALS = [
    ("IRGAN's generator without an adversary", "lost['IRGAN']['low'] > 0", NO_ADVERSARY),
    ("CFGAN's generator without an adversary", "lost['CFGAN']['low'] > 0", SQUARED_ERROR),
]
