from tests.claims import world

NO_BEND = """
import torch
torch.nn.ReLU = torch.nn.Identity
"""

PERSONAL_POPULARITY = """
import recbook, recbook.training
train = recbook.training.fit
def fit(model, split, **options):
    if not isinstance(model, recbook.Caser):
        return train(model, split, **options)
    model.scores = recbook.PersonalPopularity(split.n_users, split.n_items).fit(split).scores
recbook.training.fit = fit
"""

TAKEN_OUT = [
    ("no bend after the sums", "min(right['sums, a dense layer']['the pair alone']) > 0.98", NO_BEND),
    ("no taste to remember", "taken.difference('with p_u', than='p_u set to zero')['low'] > 0.005", world(taste=0.0)),
]

RIVALS = [
    ("personal popularity in its place", "again.better('Caser', than=rival)", PERSONAL_POPULARITY),
]
