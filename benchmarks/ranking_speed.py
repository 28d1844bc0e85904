"""Full ranking: seconds in which `recbook.evaluate` scores and ranks all of MovieLens 1M.

The product of vectors of dimension 64 of each of the 6,040 users with each of the 3,706 items; training items are
masked; HR@10, NDCG@10 and MRR of the last item. The vectors are random, since the time does not depend on them.
Time: one call in a fresh process, every core that torch takes. There is no peer: the target is a second on two cores.
"""

import sys

import common


def dot_product(users, items):
    """A model that ranks by the products of given vectors: users (n_users, D), items (n_items, D)."""
    import torch
    from recbook.models.base import Recommender, products

    class DotProduct(Recommender):
        def __init__(self, users, items):
            super().__init__()
            self.register_buffer("users", torch.as_tensor(users))
            self.register_buffer("items", torch.as_tensor(items))

        def scores(self, context, items=None):
            return products(self.users[context.users], self.items, items)

    return DotProduct(users, items)


def ours(folder):
    import recbook
    import torch

    split = recbook.leave_last_out(recbook.load("ml-1m"))
    model = dot_product(torch.randn(split.n_users, 64), torch.randn(split.n_items, 64))
    with common.Clock() as clock:
        recbook.evaluate(model, split.test)
    return clock.times


def rows():
    import recbook

    with common.workplace() as folder:
        runs = common.by_turns(__file__, folder, {"ours": sys.executable})
    made = common.row("All items ranked for all users of MovieLens 1M", {"seconds": 1.0}, {"dim": 64}, runs["ours"])
    return recbook.load("ml-1m"), {"ranking-speed": made}


if __name__ == "__main__":
    common.run_side(ours)
