from tests.claims import in_place_of, world

SPEAKS_FOR_ITSELF = """
import numpy as np, torch
from recbook.models.neighbours import ItemNeighbours
def fit(self, split):
    kept = min(self.k, self.n_items)
    for rows, weights in self.weights(split):
        top = torch.from_numpy(weights.toarray()).to(self.weight).topk(kept, dim=1)
        self.weight[rows, :kept] = top.values
        self.neighbours[rows, :kept] = torch.where(top.values > 0, top.indices, -1)
    return self
ItemNeighbours.fit = fit
"""

TAKEN_OUT = [
    ("friends at random", "welcome.difference('friends', than='popularity')['low'] > 0.04", world(homophily=0.0)),
    ("no drift, no theme of a visit", "users.max() - users[1000] > 0.02",
     world(drift=0.0, intent=0.0, complements=0.0)),
]

RIVALS = [
    ("own counts for user-kNN", "part.better('user-kNN', than=other)",
     in_place_of("UserKNN", "recbook.PersonalPopularity(users, items)")),
    ("an item that speaks for itself", "> 0.5 * (parts.loc['user-kNN', 'again']", SPEAKS_FOR_ITSELF),
]
