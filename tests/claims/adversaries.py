"""Adversaries: the claims of the chapter without their causes, and with plain rivals in a side's place."""

NO_ADVERSARY = """
from recbook.models.adversarial import IRGAN
def loss(self, batch):
    log_share = self.generator(batch.owners).log_softmax(1)
    return -log_share[batch.owner, batch.items].mean() + self.l2 * self.generator.size(batch.owners)
IRGAN.loss = loss
"""


def alone(name, loss, **settings):
    """The game trained as its own generator alone, at the settings of that, wherever the chapter lets it play."""
    return f"""
import torch
import recbook.training
from recbook.models.adversarial import CFGAN, IRGAN
def likelihood(self, batch):
    log_share = self.generator(batch.owners).log_softmax(1)
    return -log_share[batch.owner, batch.items].mean() + self.l2 * self.generator.size(batch.owners)
def squared_error(self, batch):
    met = self.filled(batch.owner, batch.items, len(batch.owners))
    error = (met - self.generator(met).sigmoid()).square()
    return ((met + self.zero_weight * (1 - met)) * error).sum(1).mean()
sound = recbook.training.fit
def rival(model, split, **options):
    if isinstance(model, {name}):
        for key, value in {settings}.items():
            if key in options:
                options[key] = value
            else:
                setattr(model, key, value)
    return sound(model, split, **options)
recbook.training.fit, {name}.loss = rival, {loss}
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
    ("the generator stays as it began", ("curve[-1] > curve.min() + 0.005", "mean() > 4 * rival['high']"),
     GENERATOR_FROZEN),
    ("the discriminator's labels are shuffled", "curve.min() < 1.34", LABELS_SHUFFLED),
    ("the game without an adversary", "fall > 0.015", NO_ADVERSARY),
    ("changes in random directions", "lengths['worst'] < 0.1", RANDOM_CHANGES),
]

RIVALS = [
    ("IRGAN's generator without an adversary", "lost['IRGAN']['low'] > 0", alone("IRGAN", "likelihood", epochs=16, l2=0.1)),
    ("CFGAN's generator without an adversary", "lost['CFGAN']['low'] > 0",
     alone("CFGAN", "squared_error", epochs=20, learning_rate=0.002, zero_weight=1.0)),
]
