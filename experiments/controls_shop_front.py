"""Controls of the chapter on the shop front: what pictures add, and what a search costs a ranker that it did not teach.

controls_shop_front: the page's own network `Fused`, read from the text of the chapter, on the default shop; a quarter
of the test's questions.

- `blank`: the same network and training, every picture black;
- `no layer`: the score of Word2Vec, s . q' + b, from the same start trained as the network is: the same loss, examples,
  negatives and passes;
- `Word2Vec, longer`: the vectors alone, six passes; vectors and network together have four;
- `GRU4Rec`: a ranker that starts from nothing, not from the search's vectors; `GRU4Rec, five events`: the same
  networks, which read the last five events as the search does, and not the last twenty.

controls_shop_front_candidates: each ranker behind the search of Word2Vec, by how many candidates it is given. `all`:
the ranker without a search. *found*: the right item is among the candidates.
"""

import argparse
import copy
import time
from pathlib import Path

import jupytext
import numpy as np
import torch
from torch import nn

import recbook
from recbook import results
from recbook.data.features import pictures
from recbook.evaluation import Comparison, Report, average

CHAPTER = Path(__file__).resolve().parent.parent / "chapters" / "text" / "shop-front.md"
SEEDS = (0, 1)
COUNTS = (10, 20, 50, 100, 200)
PAIRS = [("fused", "blank"), ("fused", "no layer"), ("no layer", "Word2Vec"), ("no layer", "Word2Vec, longer"),
         ("GRU4Rec, five events", "fused"), ("fused", "Word2Vec"), ("fused", "Word2Vec, longer"), ("blank", "Word2Vec, longer"),
         ("Word2Vec", "personal popularity"), ("Word2Vec", "popularity"), ("fused", "personal popularity"),
         ("fused", "popularity"), ("GRU4Rec", "fused"), ("Word2Vec, longer", "Word2Vec")]


def page_class():
    """The network that the page builds."""
    cells = [cell.source for cell in jupytext.read(CHAPTER).cells if "class Fused(" in cell.source]
    space = {"rb": recbook, "np": np}
    exec(cells[0], space)
    return space["Fused"]


def without_layer(kind):
    """The page's network with its layer and its eye cut out: products and a bias, trained by the same loss."""

    class NoLayer(kind):
        def __init__(self, behaviour, images, dim=32, hidden=64):
            super().__init__(behaviour, images, dim, hidden)
            self.near = nn.Embedding.from_pretrained(behaviour.context.weight.detach().clone(), freeze=False)
            self.bias = nn.Parameter(behaviour.log_noise.detach().clone())

        def scores(self, context, items=None):
            real = context.items >= 0
            recent = real & (real.flip(1).cumsum(1).flip(1) <= self.reads)
            met = self.behaviour(context.items.clamp(min=0)) * recent[:, :, None]
            question = met.sum(1) / recent.sum(1, keepdim=True).clamp(min=1)
            if items is None:
                return question @ self.near.weight.T + self.bias
            return (question[:, None] * self.near(items)).sum(2) + self.bias[items]

    return NoLayer


def vectors(split, seed, epochs=2):
    recbook.seed_everything(seed)
    model = recbook.Item2Vec(split.n_users, split.n_items, dim=32)
    recbook.fit(model, split, epochs=epochs, batch_size=8192, learning_rate=0.01, seed=seed, progress=False)
    return model


def network(kind, start, images, split, seed):
    recbook.seed_everything(100 + seed)
    model = kind(start, images)
    recbook.fit(model, split, epochs=2, batch_size=2048, learning_rate=0.004, seed=seed, progress=False)
    return model


def gru(split, seed):
    recbook.seed_everything(seed)
    model = recbook.GRU4Rec(split.n_users, split.n_items, dim=32, hidden=64, length=20)
    recbook.fit(model, split, epochs=3, batch_size=2048, learning_rate=0.01, seed=seed, progress=False)
    return model


@torch.no_grad()
def all_scores(model, context):
    """Scores of the whole catalogue: (B, n_items)."""
    model.eval()
    return torch.cat([model.scores(context.rows(slice(start, start + 500)))
                      for start in range(0, len(context), 500)])


def behind(first, second, cases, count):
    """The report of a ranker that sees the `count` items which the search puts first; None: all of them."""
    kept = torch.ones_like(first, dtype=torch.bool)
    if count:
        kept = torch.zeros_like(kept).scatter_(1, first.topk(count, dim=1).indices, True)
    target = torch.tensor(cases.target)[:, None]
    found = kept.gather(1, target)[:, 0]
    rank = ((second > second.gather(1, target)) & kept).sum(1)
    gain = torch.where(found & (rank < 10), 1 / torch.log2(rank + 2.0), 0.0)
    values = {"NDCG@10": gain.double().numpy(), "found": found.double().numpy()}
    return Report(values, dict.fromkeys(values, cases.users))


def main(argv=None):
    argparse.ArgumentParser(prog="controls_shop_front", description=__doc__.partition("\n")[0]).parse_args(argv)
    start = time.perf_counter()
    shop = recbook.load("shop")
    split = recbook.by_time(shop)
    sizes = split.n_users, split.n_items
    cases = split.test.subset(np.arange(len(split.test)) % 4 == 0)
    kind, images = page_class(), pictures(shop)
    models = {"popularity": [recbook.Popularity(*sizes).fit(split)],
              "personal popularity": [recbook.PersonalPopularity(*sizes).fit(split)],
              "Word2Vec": [vectors(split, seed) for seed in SEEDS]}
    took = time.perf_counter()
    models["fused"] = [network(kind, base, images, split, seed) for seed, base in zip(SEEDS, models["Word2Vec"])]
    print(f"fused trained in {time.perf_counter() - took:.0f} s", flush=True)
    models["blank"] = [network(kind, base, np.zeros_like(images), split, seed)
                       for seed, base in zip(SEEDS, models["Word2Vec"])]
    models["no layer"] = [network(without_layer(kind), base, images, split, seed)
                          for seed, base in zip(SEEDS, models["Word2Vec"])]
    took = time.perf_counter()
    models["Word2Vec, longer"] = [vectors(split, seed, epochs=6) for seed in SEEDS]
    print(f"six epochs of Word2Vec in {time.perf_counter() - took:.0f} s", flush=True)
    models["GRU4Rec"] = [gru(split, seed) for seed in SEEDS]
    models["GRU4Rec, five events"] = copy.deepcopy(models["GRU4Rec"])
    for model in models["GRU4Rec, five events"]:
        model.reads = 5
    compared = recbook.compare(models, on=cases, metrics=["NDCG@10"])
    observer = recbook.compare({"observer": recbook.Observer(shop)}, on=cases, metrics=["NDCG@10"])
    compared = Comparison(compared.reports | observer.reports, cases)
    print(compared.by_answer().round(4).to_string(), flush=True)
    for one, other in PAIRS:
        gaps = {part: compared.part(part).difference(one, other) for part in ("all", "again", "new")}
        print(one, "less", other, {part: [round(float(gap[end]), 4) for end in ("difference", "low", "high")]
                                   for part, gap in gaps.items()}, flush=True)
    results.save_comparison("controls_shop_front", "The shop front's models", cases.protocol(), compared, shop,
                            time.perf_counter() - start, SEEDS, pairs=PAIRS)
    context = cases.context(length=20)
    first = [all_scores(model, context) for model in models["Word2Vec"]]
    scores = {name: [all_scores(model, context) for model in models[name]] for name in ("fused", "GRU4Rec")}
    scores["GRU4Rec, five events"] = [all_scores(model, cases.context(length=5)) for model in models["GRU4Rec"]]
    scores["fused, other vectors"] = scores["fused"][::-1]              # from the vectors of the other seed
    reports, pairs = {}, []
    for name, second in scores.items():
        for count in (None, *COUNTS):
            reports[f"{name}, {count or 'all'}"] = average([behind(*both, cases, count) for both in zip(first, second)])
        pairs += [(f"{name}, {count}", f"{name}, all") for count in COUNTS]
    compared = Comparison(reports, cases)
    print(compared.by_answer().round(4).to_string(), compared.by_answer("found").round(4).to_string(), sep="\n")
    for one, other in pairs:
        print(one, {part: [round(float(gap[end]), 4) for end in ("difference", "low", "high")]
                    for part in ("all", "again", "new") for gap in [compared.part(part).difference(one, other)]})
    results.save_comparison("controls_shop_front_candidates", "Rankers behind a search", cases.protocol(), compared,
                            shop, time.perf_counter() - start, SEEDS, pairs=pairs, metrics=("NDCG@10", "found"))


if __name__ == "__main__":
    main()
