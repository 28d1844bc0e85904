"""Adversaries: the claims of the chapter without their causes, and with plain rivals in a side's place."""

NO_ADVERSARY = """
from recbook.models.adversarial import IRGAN
def loss(self, batch):
    log_share = self.generator(batch.owners).log_softmax(1)
    return -log_share[batch.owner, batch.items].mean() + self.l2 * self.generator.size(batch.owners)
IRGAN.loss = loss
"""

RANDOM_CHANGES = """
from recbook.models.adversarial import AMF
def slopes(self, batch, user, item):
    return self.noise(user), self.noise(item)
AMF.slopes = slopes
"""

GENERATOR_FROZEN = """
from recbook.models.adversarial import IRGAN
make = IRGAN.__init__
def frozen(self, *arguments, **named):
    make(self, *arguments, **named)
    self.generator.requires_grad_(False)
IRGAN.__init__ = frozen
"""

TAKEN_OUT = [
    ("the generator stays as it began", "curve[-1] > curve.min() + 0.005", GENERATOR_FROZEN),
    ("changes in random directions", "lengths['worst'] < 0.1", RANDOM_CHANGES),
]

RIVALS = [
    ("a generator without an adversary", "lost['IRGAN']['low'] > 0", NO_ADVERSARY),
]
