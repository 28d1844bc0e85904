GRADIENTS_LOST = """
import torch.distributed as dist
sound, tables = dist.all_to_all_single, []
def exchanged(output, input, *sizes):
    sound(output, input, *sizes)
    if output.ndim == 2:
        tables.append(1)
        if len(tables) % 2 == 0:                        # the vectors come first, then the gradients
            output.zero_()
dist.all_to_all_single = exchanged
"""

PENALTY_OF_IALS = """
import recbook as rb
rb.spark.SparkIALS.penalty = rb.IALS.penalty
"""


TAKEN_OUT = [
    ("gradients that do not arrive", "torch.allclose(halves, by_hand, atol=1e-06)", GRADIENTS_LOST),
    ("the penalty of iALS", '''apart["Spark's penalty"] < 0.001''', PENALTY_OF_IALS),
]
