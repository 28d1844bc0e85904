"""The scores of each PyTorch model as one graph of fixed shape: what can leave Python.

A model's own code may ask what it is given, pass over what is empty, and cut a batch in pieces. A graph can do none of
this: it says the same with sums over everything. Where a model's own `scores` is such a graph already, it is used.

Sizes that stay free: B, the number of cases, and L, the length of their histories.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from recbook import models
from recbook.data.histories import latest
from recbook.data.splits import Context
from recbook.errors import ModelError
from recbook.models.base import interaction_matrix
from recbook.models.closed_form import distinct_items

INPUTS = {"users": torch.long, "items": torch.long, "behaviours": torch.long, "ratings": torch.float,
          "times": torch.long, "now": torch.long}
HISTORIES = ("items", "behaviours", "ratings", "times")                 # (B, L) each; the others are (B,)


class Graph(nn.Module):
    """`forward(*inputs)`: the scores of the whole catalogue, (B, n_items), from the tensors that `inputs` names.

    model : Recommender   a copy of it is kept
    """

    def __init__(self, model):
        super().__init__()
        self.inputs = inputs_of(model)
        self.model = copy.deepcopy(model).cpu().float().eval()
        if isinstance(model, models.ContentGRU):
            self.settle("answers")
        if isinstance(model, (models.AutoRec, models.CFGAN)) and model.by == "item":
            self.settle("codes_of_items")

    @torch.no_grad()
    def settle(self, name):
        """Put what a method of the model works out, the same for every question, in its place: (n_items, D)."""
        self.register_buffer("of_items", getattr(self.model, name)().detach().clone())
        setattr(self.model, name, lambda: self.of_items)

    def forward(self, *inputs):
        context = Context(**dict(zip(self.inputs, inputs)))
        reads = getattr(self.model, "length", self.model.reads)
        if reads and context.items is not None:                         # always `reads` wide: no question of its length
            context = latest(context.widen(reads), reads)
        return self.scores(context)

    def scores(self, context):
        """Of the whole catalogue: (B, n_items)."""
        return self.model.scores(context)


class Counted(Graph):
    """Popularity: the same for everybody, as often as there are cases."""

    def scores(self, context):
        return self.model.count.expand(context.items.shape[0], -1)


class Pooled(Graph):
    """MaxPooledRNN. The running maximum at the last event is the maximum over all events."""

    def scores(self, context):
        encode = super(models.MaxPooledRNN, self.model).encode
        self.model.encode = encode                                      # states before they are pooled
        real = (context.items >= 0)[..., None]
        pooled = self.model.states(context).masked_fill(~real, torch.finfo(torch.float).min).amax(1)    # (B, D)
        state = torch.where(real.any(1), pooled, 0)
        return state @ self.model.item.weight.T + self.model.item_bias


class FirstWritten(Graph):
    """Writer: the first item of a list, nothing written before it."""

    def scores(self, context):
        nothing = torch.full_like(context.items[:, :1], -1)
        questions, _ = self.model.decode(self.model.read(context), nothing)                     # (B, 1, D)
        return questions[:, 0] @ self.model.item.weight.T + self.model.item_bias


class Attentive(Graph):
    """AttentiveGRU, all cases at once."""

    def scores(self, context):
        relevance = self.model.relevance(context)                       # (B, L, N)
        weighted = relevance.softmax(1) * relevance.clamp(min=torch.finfo(relevance.dtype).min)
        return weighted.sum(1) + self.model.item_bias


class Neural(Graph):
    """GMF, MLP and NeuMF, all cases at once."""

    def scores(self, context):
        return self.model.bias + sum(self.part(part, context.users) for part in self.model.children())

    def part(self, part, users):
        if isinstance(part, models.neumf.WeightedProduct):
            return part(users)
        of_user, of_item = part.layers[0].weight.chunk(2, dim=1)        # (H, D) each
        user = F.linear(part.user(users), of_user, part.layers[0].bias)                         # (B, H)
        hidden = (user[:, None] + F.linear(part.item.weight, of_item)).relu()                   # (B, N, H)
        for layer in part.layers[1:]:
            hidden = layer(hidden).relu()
        return hidden @ part.output


class Implicit(Graph):
    """SVD++: the sum of y over the history, all at once."""

    def scores(self, context):
        model, real = self.model, context.items >= 0
        added = (model.implicit.weight[context.items.clamp(min=0)] * real[..., None]).sum(1)    # (B, D)
        vectors = model.user.weight[context.users] + added / real.sum(1, keepdim=True).clamp(min=1).float().sqrt()
        bias = model.bias + model.user_bias[context.users][:, None] + model.item_bias
        return vectors @ model.item.weight.T + bias


class Neighbours(Graph):
    """ItemKNN and RP3Beta: each candidate looks its k neighbours up in the row of the history."""

    def scores(self, context):
        row = interaction_matrix(context.items, self.model.n_items)                             # (B, N)
        row = F.pad(row, (0, 1))                                        # a neighbour that is not there was not met
        place = torch.where(self.model.neighbours < 0, self.model.n_items, self.model.neighbours)       # (N, k)
        found = row[:, place.flatten()].unflatten(1, place.shape)                               # (B, N, k)
        return (found * self.model.weight).sum(2)


class SolvedUser(Graph):
    """IALS: the user's equations, D of them, solved by elimination."""

    def __init__(self, model):
        super().__init__(model)
        self.register_buffer("gram", (model.unmet_weight * model.item.T @ model.item).detach().clone().float())

    def scores(self, context):
        items = distinct_items(context.items)
        met = items >= 0
        vectors = self.model.item[items.clamp(min=0)] * met[..., None]                          # (B, L, D)
        penalty = self.model.penalty(met.sum(1).float(), self.model.n_items)                    # (B,)
        normal = self.gram + vectors.mT @ vectors + penalty[:, None, None] * torch.eye(self.model.dim)
        return eliminate(normal, vectors.sum(1)) @ self.model.item.T


class Rows(Graph):
    """MultDAE and MultVAE: the history as a row of the matrix, of length 1."""

    def scores(self, context):
        model = self.model
        row = F.normalize(interaction_matrix(context.items, model.n_items))                     # (B, N)
        hidden = torch.tanh(row @ model.encoder.weight + model.encoder_bias)
        if isinstance(model, models.MultVAE):
            hidden = torch.tanh(model.widen(model.code(hidden)[:, :model.dim]))                 # z is its mean
        return hidden @ model.decoder.weight.T + model.item_bias


class RatedRows(Graph):
    """AutoRec by users: the latest rating of each item of the history."""

    def scores(self, context):
        model = self.model
        rated = torch.where(context.ratings.isnan(), -1, context.items)                         # (B, L)
        again = (rated[:, :, None] == rated[:, None]).triu(1).any(2)    # the same item is rated later
        value = torch.where((rated >= 0) & ~again, context.ratings, 0)
        added = (value[..., None] * model.encoder.weight[rated.clamp(min=0)]).sum(1)            # (B, D)
        code = models.autoencoders.ACTIVATIONS[model.activation](added + model.code_bias)
        return model.stretched(code @ model.decoder.weight.T + model.output_bias)


def eliminate(normal, right):
    """x of normal x = right, by Gauss and Jordan: (B, D, D) positive definite, so that no pivot is 0, and (B, D)."""
    both = torch.cat([normal, right[..., None]], dim=2)                                         # (B, D, D + 1)
    for row in range(normal.shape[1]):
        pivot = both[:, row:row + 1] / both[:, row:row + 1, row:row + 1]                        # (B, 1, D + 1)
        others = both - both[:, :, row:row + 1] * pivot
        both = torch.cat([others[:, :row], pivot, others[:, row + 1:]], dim=1)
    return both[..., -1]


FORMS = {                                                               # a model of no class here scores as it is
    models.PersonalPopularity: Graph,
    models.Popularity: Counted,
    models.MaxPooledRNN: Pooled,
    models.Writer: FirstWritten,
    models.AttentiveGRU: Attentive,
    models.neumf.NeuralModel: Neural,
    models.SVDPlusPlus: Implicit,
    models.neighbours.ItemNeighbours: Neighbours,
    models.IALS: SolvedUser,
    models.autoencoders.Clicks: Rows,
}
AS_IT_IS = (models.Bias, models.EASE, models.PureSVD, models.Item2Vec, models.ContentProfile, models.IRGAN, models.CFGAN,
            models.factorization.MatrixFactorization, models.SequenceModel, models.Caser, models.ContentGRU)
WHY_NOT = {
    models.UserKNN: "its scores look up what every training user met, which is data and no weights: ItemKNN can be exported",
    models.Friends: "its scores look up friends and what they met, which are data and no weights",
    models.RatingKNN: "its scores look up the training ratings, which are data and no weights: Bias and FunkSVD can be exported",
    models.Observer: "it reads the simulated shop's own law",
    models.hybrid.Hybrid: "it is made of several models: export each, and add their scores where they are used",
    models.carried.Carried: "it was carried over to other numbers: export the model that it was made of",
}


def graph_of(model):
    """The model's scores as a `Graph`, or a ModelError that says why there is none."""
    for kind, why in WHY_NOT.items():
        if isinstance(model, kind):
            raise ModelError(f"{type(model).__name__} cannot be exported: {why}.")
    if isinstance(model, models.AutoRec):
        return (Graph if model.by == "item" else RatedRows)(model)
    for kind, form in FORMS.items():
        if isinstance(model, kind):
            return form(model)
    if isinstance(model, AS_IT_IS):
        return Graph(model)
    raise ModelError(f"{type(model).__name__} cannot be exported: nobody has written its scores as a graph.")


def inputs_of(model):
    """What the graph is told, by the names of a `Context`'s fields."""
    reads_items = model.reads != 0 or not model.knows_users             # Popularity: only how many cases there are
    wanted = {
        "users": model.knows_users or bool(getattr(model, "profile", ())),
        "items": reads_items,
        "behaviours": getattr(model, "behaviours", False),
        "ratings": isinstance(model, models.AutoRec) and model.by == "user",
        "times": getattr(model, "pauses", False),
        "now": getattr(model, "pauses", False),
    }
    return [name for name in INPUTS if wanted[name]]


def random_context(inputs, n_users, n_items, cases, length, seed=0):
    """A context of random cases that says what `inputs` names: histories of 0 to `length` events, (cases, length)."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(high, *shape):
        return torch.randint(high, shape, generator=generator)

    size = torch.arange(cases, 0, -1) * length // cases if cases > 1 else torch.tensor([length])
    size[1:2] = 0                                                       # one without any history
    times = numbers(2**20, cases, length).cumsum(1)
    found = {"users": numbers(n_users, cases), "items": numbers(n_items, cases, length),
             "behaviours": numbers(4, cases, length), "ratings": 1.0 + numbers(5, cases, length), "times": times,
             "now": times[:, -1] + 3600}
    for name in HISTORIES:
        empty = torch.arange(length) >= size[:, None]                   # (B, L)
        found[name] = found[name].masked_fill(empty, torch.nan if name == "ratings" else -1)
    return Context(**{name: found[name].to(INPUTS[name]) for name in inputs})
