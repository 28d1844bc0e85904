"""The one evaluator: ranks every item by default, breaks ties fairly, and knows how sure it is."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
import torch

from recbook.data.batches import Negatives
from recbook.data.splits import Cases, Sealed, binary_matrix
from recbook.errors import ModelError, UnknownName
from recbook.metrics import LOWER_IS_BETTER, RATING, WRITTEN, Ranks, overlap, parse
from recbook.models.base import Recommender, best
from recbook.settings import check

METRICS = ("HR@10", "NDCG@10", "MRR")
PARTS = ("all", "again", "new")  # of the questions, by their answer
EVENTS = 5_000_000  # events of histories, with their padding: 40 MB for each of their fields
BLOCK = 1_000_000  # scores held at a time: 4 MB stay in the processor's cache
MANY = 6  # right items a case, from which on `places_of_many` is quicker


@dataclass(frozen=True)
class Report:
    """How one model did on each case. `report["NDCG@10"]` is the mean over the cases.

    Attributes
    ----------
    values : dict of arrays
        Each metric, case by case (N,); for RMSE and MAE the squared or absolute error of each rating that was given.
    users : dict of arrays
        For each metric, whom each of its values is about: values of one user are not independent.
    runs : tuple of Report
        Of an average over seeds, the report of each.
    """

    values: dict
    users: dict
    runs: tuple = ()

    def __getitem__(self, metric):
        """The mean over cases."""
        return finish(metric, float(np.mean(self.of(metric))))

    def of(self, metric):
        """The values of a metric, if it was measured."""
        if metric not in self.values:
            raise UnknownName("metric of this report", metric, self.values)
        return self.values[metric]

    def interval(self, metric, level=0.95, draws=1000, seed=0):
        """Bootstrap confidence interval of the mean: (low, high). Users are drawn, each with all their cases."""
        means = finish(metric, bootstrap(self.of(metric), self.users[metric], draws, seed))
        return tuple(np.quantile(means, [(1 - level) / 2, (1 + level) / 2]))

    def subset(self, keep):
        """The report on the cases where the boolean array `keep` (N,) is true."""
        if any(len(values) != len(keep) for values in self.values.values()):
            raise ModelError("RMSE and MAE are not measured case by case and cannot be cut by cases.")
        return Report({metric: values[keep] for metric, values in self.values.items()},
                      {metric: users[keep] for metric, users in self.users.items()},
                      tuple(run.subset(keep) for run in self.runs))

    def to_frame(self):
        """One row a metric: `value`, `low`, `high`."""
        rows = {metric: (self[metric], *self.interval(metric)) for metric in self.values}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])

    def _repr_html_(self):
        return self.to_frame().round(4).to_html()


def average(reports):
    """One report of several on the same cases, such as one a seed: each case's values averaged."""
    values = {metric: np.mean([report.values[metric] for report in reports], axis=0) for metric in reports[0].values}
    return Report(values, reports[0].users, tuple(reports))


def finish(metric, mean):
    """RMSE is the root of its mean."""
    return np.sqrt(mean) if metric == "RMSE" else mean


def evaluate(model, cases, metrics=METRICS, seed=0):
    """Rank all items (or the cases' own candidates) for each case and measure where the right ones stand.

    Parameters
    ----------
    model : Recommender
    cases : Cases
        `split.test` or `split.validation`.
    metrics : sequence
        Names: HR, Recall, Precision, NDCG, MRR and MAP, with a cut as in `"NDCG@10"`; RMSE and MAE. Or functions of
        `Ranks` that return one number a case (N,).
    seed : int
        Items with equal scores are put in random order, a new one for each case.

    Returns
    -------
    report : Report

    Raises
    ------
    UnknownName
        No metric has that name.
    ModelError
        No cases, scores that are not numbers, or ratings that nobody gave.

    Example
    -------
    >>> model = rb.EASE(*sizes).fit(split)
    >>> report = rb.evaluate(model, split.test, metrics=["NDCG@10", "MRR"])
    >>> 0 < report["MRR"] < 1
    True
    >>> low, high = report.interval("MRR")
    """
    metrics = [metrics] if isinstance(metrics, str) else metrics
    wanted = [metric for metric in metrics if metric not in RATING]
    measures = {getattr(metric, "__name__", metric): (metric, {}) if callable(metric) else parse(metric)
                for metric in wanted}
    refuse_no_cases(cases)
    if isinstance(model, torch.nn.Module):
        model.eval()
    values, users = {}, dict.fromkeys(measures, cases.users)
    if measures:
        ranks = rank(model, cases, seed)
        values = {name: np.asarray(measure(ranks, **options)) for name, (measure, options) in measures.items()}
    if len(wanted) < len(metrics):
        errors, raters = rating_errors(model, cases)
        values |= {name: RATING[name](errors) for name in metrics if name in RATING}
        users |= {name: raters for name in metrics if name in RATING}
    return Report(values, users)


def refuse_no_cases(cases):
    """Refuse what asks nothing."""
    if not isinstance(cases, Cases | Sealed):
        raise ModelError(f"Models are measured on the cases of a split, split.test or split.validation; this is "
                         f"{'None, so the split has no such part' if cases is None else f'a {type(cases).__name__}'}.")
    if not len(cases):
        raise ModelError("There are no cases to evaluate.")


def device_of(model):
    """Where a PyTorch model's weights are; a Keras model is asked and answers on the CPU."""
    return model.device if isinstance(model, Recommender) else torch.device("cpu")


def blocks(size, width, lengths=None, scores=BLOCK):
    """Slices of 0 .. size-1, so that each has about `scores` scores of the given width.

    Where the `lengths` (size,) of the histories are told, no slice is so large that these, padded to the longest, are
    more than `EVENTS`: one user's thousands of clicks must not be laid out for everybody.
    """
    step = max(1, min(size, scores // max(1, width)))
    found = [slice(start, min(start + step, size)) for start in range(0, size, step)]
    return found if lengths is None else [part for block in found for part in halved(block, lengths)]


def halved(block, lengths):
    """A slice, cut in two for as long as its padded histories are too many."""
    size = block.stop - block.start
    if size == 1 or size * lengths[block].max() <= EVENTS:
        return [block]
    middle = block.start + size // 2
    return [*halved(slice(block.start, middle), lengths), *halved(slice(middle, block.stop), lengths)]


def read_lengths(cases, reads):
    """How many events of each case's history a model is given that reads so many: (N,)."""
    lengths = cases.ends - cases.log.starts[cases.users]
    return lengths if reads is None else np.minimum(lengths, reads)


@torch.no_grad()
def rank(model, cases, seed=0):
    """`Ranks` of the right items of all cases."""
    device = device_of(model)
    generator = torch.Generator(device).manual_seed(seed)
    candidates = None if cases.candidates is None else distinct(cases.candidates)
    case, right = distinct_answers(cases)
    ranks = []
    width = cases.n_items if candidates is None else candidates.shape[1]
    for rows in blocks(len(cases), width, read_lengths(cases, model.reads)):
        context = asked(model, cases, rows, device)
        first, last = np.searchsorted(case, [rows.start, rows.stop])
        row = torch.tensor(case[first:last] - rows.start, device=device)
        target = torch.tensor(right[first:last], device=device)
        if candidates is None:
            scores = scores_of(model, context, cases.n_items)           # (B, n_items)
            hidden = [torch.as_tensor(part, device=device) for part in cases.hidden(rows)]
            if len(hidden[0]):
                scores = scores.clone()
                scores[tuple(hidden)] = -torch.inf
            place = target
        else:
            items = torch.as_tensor(candidates[rows], device=device)    # (B, C)
            scores = torch.as_tensor(model.scores(context, items.clamp(min=0))).masked_fill(items < 0, -torch.inf)
            found = items[row] == target[:, None]                       # (P, C)
            place = found.int().argmax(1)
            if not found.any(1).all():
                raise ModelError("The candidates of a case lack its right item.")
        if scores.amax().isnan():                                       # the largest is NaN if any is
            raise ModelError(f"{type(model).__name__} gives scores that are not numbers.")
        ranks.append(places(scores, row, place, generator).cpu().numpy())
    return Ranks(case, np.concatenate(ranks), len(cases))


def asked(model, cases, rows, device):
    """The context of some cases for a model, which must be of their users and items."""
    context = cases.context(rows, model.reads, device)
    if isinstance(model, Recommender):
        model.refuse_strangers(context)
    return context


def distinct_answers(cases):
    """The right items, each once a case: cases (P,), sorted, and items (P,). An item that came twice is one answer."""
    pairs = pd.DataFrame({"case": cases.case, "item": cases.target}).drop_duplicates()
    return pairs["case"].to_numpy(), pairs["item"].to_numpy()


def scores_of(model, context, n_items):
    """A model's scores of the whole catalogue: (B, n_items), or an error that says what came instead."""
    scores = torch.as_tensor(model.scores(context))
    if scores.shape != (len(context), n_items):
        raise ModelError(f"{type(model).__name__} gives scores of shape {tuple(scores.shape)}; for {len(context)} cases "
                         f"and {n_items} items it is {(len(context), n_items)}.")
    return scores


def places(scores, row, place, generator):
    """The rank of entry `place[p]` in row `row[p]` of the scores (B, C), ties in random order: (P,)."""
    own = scores[row, place]                                            # (P,)
    if len(row) > MANY * len(scores):
        rank = places_of_many(scores, row, place, generator)
    else:
        one_each = len(row) == len(scores) and (row[1:] > row[:-1]).all()
        mine = scores if one_each else scores[row]                      # (P, C)  one right item a case: no copy
        rank = (mine > own[:, None]).sum(1, dtype=torch.int32).double()         # int32: a third of the time of int64
        tied = (mine == own[:, None]).sum(1, dtype=torch.int32) > 1
        if tied.any():                                                  # one order a case, shared by its right items
            cases, number = row[tied].unique(return_inverse=True)
            key = in_random_order(scores, cases, generator)[number]
            before = key < key.gather(1, place[tied][:, None])
            rank[tied] += (before & (mine[tied] == own[tied][:, None])).sum(1)
    return rank.masked_fill(own == -torch.inf, torch.inf)               # a hidden item is never found


def in_random_order(scores, cases, generator):
    """A key for each score of some cases, by which those that are equal are put in order."""
    return torch.rand(len(cases), scores.shape[1], generator=generator, device=scores.device)


def places_of_many(scores, row, place, generator):
    """As `places`, where a row has many right items: each score is placed among these, not each of these among all."""
    size, device = len(scores), scores.device
    count = torch.bincount(row, minlength=size)
    column = torch.arange(len(row), device=device) - (count.cumsum(0) - count)[row]
    right = scores.new_full((size, int(count.max())), torch.inf)
    right[row, column] = scores[row, place]
    right, order = right.sort(1)                                        # (B, M)
    below = torch.searchsorted(right, scores.contiguous())              # (B, C)  how many right items are below each
    group = below + torch.arange(size, device=device)[:, None] * (right.shape[1] + 1)       # one number a row and place
    above = torch.bincount(group.flatten(), minlength=size * (right.shape[1] + 1)).view(size, -1)
    above = above.flip(1).cumsum(1).flip(1)[:, 1:]                      # (B, M)  how many scores are above each
    rank = torch.empty_like(above).scatter_(1, order, above)[row, column].double()
    equal = right.gather(1, below.clamp(max=right.shape[1] - 1)) == scores
    own = group[row, place]                                             # the same for all that are equal in a row
    tied = torch.bincount(group[equal], minlength=int(own.max()) + 1)[own] > 1
    if tied.any():
        cases = row[tied].unique()
        number = torch.zeros(size, dtype=torch.long, device=device)
        number[cases] = torch.arange(len(cases), device=device)
        key = in_random_order(scores, cases, generator)
        among, at = equal[cases].nonzero(as_tuple=True)
        keys = (group[cases[among], at] + key[among, at].double()).sort().values        # keys are below 1
        first = torch.searchsorted(keys, own[tied].double())
        rank[tied] += torch.searchsorted(keys, own[tied] + key[number[row[tied]], place[tied]].double()) - first
    return rank


def distinct(candidates):
    """Candidates (N, C) with repeats within a row replaced by -1: an item can be ranked only once."""
    order = np.argsort(candidates, axis=1, kind="stable")
    ordered = np.take_along_axis(candidates, order, axis=1)
    repeated = np.zeros(candidates.shape, dtype=bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return np.where(repeated, -1, candidates)


def rating_errors(model, cases):
    """The model's rating less the one that was given, of every right item that was rated: (R,), and by whom (R,)."""
    if cases.rating is None or np.isnan(cases.rating).all():
        raise ModelError("These cases have no ratings to compare with.")
    given = ~np.isnan(cases.rating)
    errors = predict_ratings(model, cases) - cases.rating
    return errors[given], cases.users[cases.case[given]]


@torch.no_grad()
def predict_ratings(model, cases):
    """The model's rating for each right item of the cases: (P,)."""
    device = device_of(model)
    predictions = []
    lengths = read_lengths(cases, model.reads)[cases.case]
    for targets in blocks(len(cases.target), 100 + 10 * (model.reads or 0), lengths):
        context = asked(model, cases, cases.case[targets], device)
        items = torch.tensor(cases.target[targets], device=device)[:, None]                 # (B, 1)
        predictions.append(torch.as_tensor(model.scores(context, items))[:, 0].cpu().numpy())
    return np.concatenate(predictions)


def sample_candidates(cases, negatives=99, seed=0):
    """The sampled protocol of older papers: rank each right item among a few different ones that the user never met.

    It favours popularity and can reverse the order of two models (Krichene and Rendle, KDD 2020). Use it to
    reproduce a published number and for nothing else.

    Parameters
    ----------
    cases : Cases
        Each with one right item.
    negatives : int
        How many others stand beside it.
    seed : int
        Of the draw.

    Returns
    -------
    cases : Cases
        With `candidates` (N, 1 + negatives), the right item first.

    Raises
    ------
    ModelError
        More candidates than somebody has unmet items, or several right items in a case.

    Example
    -------
    >>> rb.sample_candidates(split.test, negatives=5).candidates.shape
    (200, 6)
    """
    check("negatives", negatives)
    refuse_no_cases(cases)
    if (np.bincount(cases.case, minlength=len(cases)) != 1).any():
        raise ModelError("The sampled protocol needs one right item a case.")
    met = pd.DataFrame({"user": cases.log.users, "item": cases.log.items})
    met = pd.concat([met, pd.DataFrame({"user": cases.users, "item": cases.target})])
    matrix = binary_matrix(met, len(cases.log.starts) - 1, cases.n_items)
    generator = torch.Generator().manual_seed(seed)
    unmet = Negatives(matrix)
    fewest = int(unmet.unmet[torch.tensor(cases.users)].min())
    if fewest < negatives:
        raise ModelError(f"{negatives:,} candidates are asked for, and somebody has not met {fewest:,} items: ask for fewer.")
    drawn = unmet.draw_distinct(torch.tensor(cases.users), negatives, generator).numpy()
    return replace(cases, candidates=np.column_stack([cases.target, drawn]), masked=None, masks_history=False)


def compare_lists(lists, on):
    """How written lists agree with what truly followed: as sets, old and new items apart, in their order, in their places.

    Parameters
    ----------
    lists : dict
        {name: items (N, k)}, such as `recbook.write` and `top` give, one list a case, without repeats; -1 is no item.
    on : Cases
        Of a log that goes on for k events after each history: the error says how to choose these.

    Returns
    -------
    comparison : Comparison
        By "overlap" (share of the list that is among the k events that followed), "again" and "new" (what of this share
        the user had met before the question, and what not: their sum is the overlap), "in order" (the longest part of the
        list that followed in the same order) and "in place" (share that stands at the very step at which it followed).

    Raises
    ------
    ModelError
        Not one list a case, lists of different lengths, a list with repeats, or a log that ends too early.

    Example
    -------
    >>> cases = split.test.subset(split.test.followed(3).min(1) >= 0)
    >>> model = rb.GRU4Rec(*sizes, dim=8, hidden=16)
    >>> context = cases.context()
    >>> lists = {"ranked": model.top(context, k=3)[0], "asked again": rb.write(model, context, k=3)[0]}
    >>> rb.compare_lists(lists, on=cases).to_frame("overlap").shape
    (2, 3)
    """
    refuse_no_cases(on)
    if not isinstance(lists, dict) or not lists:
        raise ModelError("compare_lists is given lists by name, at least one: {'ranked': items}.")
    lists = {name: np.asarray(items) for name, items in lists.items()}
    k = max((items.shape[1] for items in lists.values() if items.ndim == 2), default=0)
    followed = on.followed(k)
    for name, items in lists.items():
        if items.shape != (len(on), k):
            raise ModelError(f"The lists of {name!r} have the shape {items.shape}; for {len(on)} cases and the longest "
                             f"lists here it is {(len(on), k)}.")
        ordered = np.sort(items, axis=1)
        repeated = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(1)
        if repeated.any():
            raise ModelError(f"List {int(repeated.argmax())} of {name!r} holds an item twice.")
    if (followed < 0).any():
        raise ModelError(f"After case {int((followed < 0).any(1).argmax())} fewer than {k} events follow: "
                         f"cases.subset(cases.followed({k}).min(1) >= 0) are those after which there are enough.")
    met, reports = on.met(followed), {}
    old, new = np.where(met, followed, -1), np.where(met, -1, followed)
    for name, items in lists.items():
        values = {metric: measure(items, followed) for metric, measure in WRITTEN.items()}
        values |= {"again": overlap(items, old), "new": overlap(items, new)}
        reports[name] = Report(values, dict.fromkeys(values, on.users))
    return Comparison(reports, on)


# ------------------------------------------------------------------------------------------------ how sure are we


def bootstrap(values, users, draws=1000, seed=0):
    """Means of a case-by-case metric when the users are drawn anew: (draws,), less those that drew nobody.

    Whole users are drawn because the cases of one user are alike: drawing cases would promise too much.
    """
    _, number = np.unique(users, return_inverse=True)
    total, count = np.bincount(number, weights=values), np.bincount(number).astype(float)
    times = draw_again(len(count), draws, seed)
    drawn = [(block @ total, block @ count) for block in np.array_split(times, -(-draws // 100))]
    total, count = (np.concatenate(sums) for sums in zip(*drawn))
    return total[count > 0] / count[count > 0]                          # of few users a draw may hold none


@lru_cache(maxsize=2)
def draw_again(size, draws, seed):
    """How often each of so many users is drawn, in each draw: (draws, size). Kept, since all models share the draws."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.poisson(1.0, size).astype(np.uint8) for _ in range(draws)])


@dataclass(frozen=True)
class Comparison:
    """Several models on the same cases.

    Attributes
    ----------
    reports : dict
        {name of a model: `Report`}
    cases : Cases or None
        The questions that were asked.
    """

    reports: dict
    cases: Cases | None = None

    def part(self, name):
        """The same comparison on a part of the questions: a `Comparison`. Every question must have one right answer.

        Parameters
        ----------
        name : "again", "new" or "all"
            "again": those whose answer stands in the history, an item that this user met before; "new": the others.

        Raises
        ------
        UnknownName
            No part has that name.
        ModelError
            Questions with several right answers, or none of this part.
        """
        if name not in PARTS:
            raise UnknownName("part of the questions", name, PARTS)
        if name == "all":
            return self
        if self.cases is None or len(self.cases.case) != len(self.cases):
            raise ModelError("Only questions with one right answer each are cut into answers met again and new ones.")
        again = self.cases.again()
        keep = again if name == "again" else ~again
        if not keep.any():
            raise ModelError(f"No question has an answer that is {name}.")
        return Comparison({model: report.subset(keep) for model, report in self.reports.items()},
                          self.cases.subset(keep))

    def by_answer(self, metric="NDCG@10"):
        """A metric on all questions, on those whose answer was met before (*again*), and on the others (*new*).

        One row a model; the columns are `PARTS`. The first row holds each part's share of the questions.
        """
        parts = {part: self.part(part) for part in PARTS}
        rows = {name: {part: cut.reports[name][metric] for part, cut in parts.items()} for name in self.reports}
        share = {part: len(cut.cases) / len(self.cases) for part, cut in parts.items()}
        return pd.DataFrame.from_dict({"share of the questions": share} | rows, orient="index")

    def protocol(self):
        """How the numbers were measured, in one sentence."""
        return self.cases.protocol()

    def to_frame(self, *metrics):
        """One row a model; for each metric its mean and the ends of its 95 % interval."""
        metrics = metrics or tuple(next(iter(self.reports.values())).values)
        rows = {}
        for name, report in self.reports.items():
            rows[name] = {}
            for metric in metrics:
                low, high = report.interval(metric)
                rows[name] |= {metric: report[metric], f"{metric} low": low, f"{metric} high": high}
        return pd.DataFrame.from_dict(rows, orient="index")

    def difference(self, name, than, metric="NDCG@10", draws=2000, seed=0):
        """Paired bootstrap test of two models: a dict with `difference`, `low`, `high` and two-sided `p`.

        Both are measured on the same cases, so the cases' own difficulty cancels.
        """
        a, b = self.report(name), self.report(than)
        means = [finish(metric, bootstrap(report.of(metric), report.users[metric], draws, seed)) for report in (a, b)]
        gaps = means[0] - means[1]                                      # the same draws of users for both
        share = min((gaps <= 0).mean(), (gaps >= 0).mean())
        low, high = map(float, np.quantile(gaps, [0.025, 0.975]))
        return {"difference": a[metric] - b[metric], "low": low, "high": high,
                "p": float(min(1.0, max(2 * share, 1 / draws)))}

    def better(self, name, than, metric="NDCG@10"):
        """Whether the first model is better and chance does not explain it: its 95 % interval excludes 0."""
        gap = self.difference(name, than, metric)
        return bool(gap["high"] < 0 if metric in LOWER_IS_BETTER else gap["low"] > 0)

    def gap_closed(self, name, floor, ceiling, metric="NDCG@10"):
        """Which share of the way from the floor to the ceiling a model has come."""
        low, high = self.report(floor)[metric], self.report(ceiling)[metric]
        if low == high:
            raise ModelError(f"{floor} and {ceiling} are level in {metric}: there is no way between them.")
        return (self.report(name)[metric] - low) / (high - low)

    def report(self, name):
        """The `Report` of a model by its name here."""
        if name not in self.reports:
            raise UnknownName("model of this comparison", name, self.reports)
        return self.reports[name]

    def _repr_html_(self):
        frame = pd.DataFrame({metric: {name: "{:.4f} ({:.4f}–{:.4f})".format(report[metric], *report.interval(metric))
                                       for name, report in self.reports.items()}
                              for metric in next(iter(self.reports.values())).values})
        return frame.to_html()


def compare(models, on, metrics=METRICS, seed=0):
    """Evaluate several models on the same cases.

    Parameters
    ----------
    models : dict
        {name: model}. In place of a model may stand a list of them, trained alike from several seeds: they are averaged
        case by case.
    on : Cases
        `split.validation` or `split.test`.
    metrics, seed
        As in `evaluate`.

    Returns
    -------
    result : Comparison

    Raises
    ------
    ModelError
        As in `evaluate`.
    UnknownName
        No metric has that name.

    Example
    -------
    >>> models = {"popularity": rb.Popularity(*sizes),
    ...           "counts": rb.PersonalPopularity(*sizes)}
    >>> models = {name: model.fit(split) for name, model in models.items()}
    >>> result = rb.compare(models, on=split.test)
    >>> result.better("counts", than="popularity")
    True
    >>> result.by_answer("NDCG@10").columns.tolist()
    ['all', 'again', 'new']
    """
    if not isinstance(models, dict) or not models or [] in models.values():
        raise ModelError("compare is given models by name, at least one: {'popularity': model}.")

    def report(model):
        if isinstance(model, (list, tuple)):
            return average([evaluate(one, on, metrics, seed) for one in model])
        return evaluate(model, on, metrics, seed)

    return Comparison({name: report(model) for name, model in models.items()}, on)


# ------------------------------------------------------------------------------------------------ beyond accuracy


def beyond_accuracy(model, split, k=10):
    """What the lists are like, whether or not they are right.

    Parameters
    ----------
    model : Recommender
    split : Split
        Lists are made for the cases of its test.
    k : int
        Length of the lists.

    Returns
    -------
    facts : Series
        coverage: share of the catalogue that is recommended to somebody. novelty: mean surprise of a recommended item,
        -log2 of its share of the training interactions (add one), in bits. popularity bias: mean training popularity of
        what is recommended over that of what is really taken. diversity: share of pairs within a list that differ in
        category (where items have one).

    Raises
    ------
    ModelError
        `k` is more than there are items.

    Example
    -------
    >>> facts = rb.beyond_accuracy(rb.Popularity(*sizes).fit(split), split, k=12)
    >>> float(facts["coverage@12"])         # 12 of 48 items, the same for all
    0.25
    """
    cases = split.test
    refuse_no_cases(cases)
    lists = top_lists(model, cases, k)                                  # (N, k)
    count = np.bincount(split.train["item"], minlength=split.n_items) + 1
    shown = lists >= 0                                                  # a list is shorter where little is left
    facts = {
        f"coverage@{k}": len(np.unique(lists[shown])) / split.n_items,
        f"novelty@{k}": float(-np.log2(count / count.sum())[lists[shown]].mean()),
        f"popularity bias@{k}": float(count[lists[shown]].mean() / count[cases.target].mean()),
    }
    if "category" in split.dataset.items and k > 1:
        category = pd.factorize(split.dataset.items["category"])[0][lists]
        first, second = np.triu_indices(lists.shape[1], 1)
        pairs = shown[:, first] & shown[:, second]
        facts[f"diversity@{k}"] = float((category[:, first] != category[:, second])[pairs].mean())
    return pd.Series(facts)


@torch.no_grad()
def top_lists(model, cases, k=10):
    """The k best unmasked items of each case: (N, k), -1 where there are fewer."""
    device = device_of(model)
    if isinstance(model, torch.nn.Module):
        model.eval()
    lists = []
    for rows in blocks(len(cases), cases.n_items, read_lengths(cases, model.reads)):
        scores = scores_of(model, asked(model, cases, rows, device), cases.n_items).clone()
        scores[tuple(torch.as_tensor(part, device=device) for part in cases.hidden(rows))] = -torch.inf
        lists.append(best(scores, k)[0].cpu().numpy())
    return np.concatenate(lists)
