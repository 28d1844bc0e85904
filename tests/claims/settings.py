LISTS_OF_NOTHING = """
import torch
import recbook
def scores(self, context, items=None):
    return torch.rand(len(context), self.n_items)
recbook.EASE.scores = scores
"""

FOUND_AND_NOT_USED = """
import recbook.tuning
recbook.tuning.Tuning.best = property(lambda self: dict(self.fixed))
"""

OPTUNAS_OWN_DRAWS = """
import optuna
import recbook.tuning.studies as studies
studies.sampler_of = lambda kind, seed, points=(): optuna.samplers.TPESampler(seed=seed)
"""

TAKEN_OUT = [
    ("lists that share nothing", "shared < 0.2 * formula", LISTS_OF_NOTHING),
    ("settings that are found and not used", "less('PureSVD, best of 12', 'EASE, default')['low'] > 0", FOUND_AND_NOT_USED),
    ("a draw that forgets its place", "resumed.trials[['l2', 'reads', 'NDCG@10']].equals(", OPTUNAS_OWN_DRAWS),
]
