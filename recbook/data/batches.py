"""Training examples as tensors that already live on the device.

A model names the batches it wants; `prepare` moves the data to the device once, and each epoch is a shuffle of it.
"""

from dataclasses import dataclass

import numpy as np
import torch

from recbook.data.splits import BEHAVIOUR_CODES, Context
from recbook.errors import DataError

DRAWN_AT_ONCE = 2**16    # pairs that get their negatives together: what the search reads then stays in the cache


@dataclass
class Batch:
    """users (B,), items (B,), and what the model asked for: negatives (B, K), ratings (B,).

    Where an item is predicted from another, centres (B,), the other item, takes the place of users, which is None.

    For batches of whole users also owners (U,), the users in it, histories (U, L), their items padded with -1, and
    owner (B,), the row of `owners` that is `users`. For batches of whole rows the same without histories; of rows by item
    the owners are items.

    For batches of histories also context, the `Context` of B of them; items are then what follows: (B, L), at each
    event of the history the next one, or (B, T), the T that follow the whole of it, padded with -1; negatives are
    (B, L, K) or (B, T, K). If first (B,) is given, items (B, S) begin with what followed the event at that place.
    """

    users: torch.Tensor | None
    items: torch.Tensor
    negatives: torch.Tensor | None = None
    ratings: torch.Tensor | None = None
    owners: torch.Tensor | None = None
    histories: torch.Tensor | None = None
    owner: torch.Tensor | None = None
    centres: torch.Tensor | None = None
    context: Context | None = None
    first: torch.Tensor | None = None


class Negatives:
    """Items that a user has not met, each equally likely; never one that they have.

    Number the items that user u has *not* met 0, 1, 2, ...: item i is number i minus the met items below it. So one
    draws the number and looks up the item by one binary search, with no rejected draws.

    The items of one user may repeat (`draw`), as training wants them, or not (`draw_distinct`).
    """

    def __init__(self, matrix, device="cpu"):
        matrix = matrix.tocsr()
        matrix.sort_indices()
        self.n_items = matrix.shape[1]
        count = np.diff(matrix.indptr)
        if (count >= self.n_items).any():
            raise DataError(f"User {(count >= self.n_items).argmax()} has met every item: there are no negatives.")
        user = np.repeat(np.arange(matrix.shape[0]), count)
        below = np.arange(len(user)) - matrix.indptr[user]      # met items below each met item
        key = user * (self.n_items + 1) + (matrix.indices - below)
        self.keys = torch.as_tensor(key, dtype=torch.long, device=device)
        self.starts = torch.as_tensor(matrix.indptr[:-1], dtype=torch.long, device=device)
        self.unmet = torch.as_tensor(self.n_items - count, dtype=torch.long, device=device)

    def draw(self, users, k, generator=None):
        """k items for each of users (B,): (B, k)."""
        share = torch.rand(len(users), k, dtype=torch.float64, device=users.device, generator=generator)
        return self.items(users, (share * self.unmet[users][:, None]).long())

    def draw_distinct(self, users, k, generator=None):
        """k different items for each of users (B,): (B, k), each set of k equally likely. Floyd's way: Bentley and Floyd,
        *A Sample of Brilliance*, CACM 1987."""
        unmet = self.unmet[users]
        if (unmet < k).any():
            short = int(users[(unmet < k).int().argmax()])
            raise DataError(f"User {short} has not met {int(self.unmet[short]):,} items: {k:,} different ones cannot be drawn.")
        number = torch.empty(len(users), k, dtype=torch.long, device=users.device)
        for step in range(k):                                           # one of 0 .. last, or `last` if that is taken
            last = unmet - k + step
            share = torch.rand(len(users), dtype=torch.float64, device=users.device, generator=generator)
            drawn = (share * (last + 1)).long()
            taken = (number[:, :step] == drawn[:, None]).any(1)
            number[:, step] = torch.where(taken, last, drawn)
        return self.items(users, number)

    def items(self, users, number):
        """The items that are the `number`-th (B, k) unmet ones of users (B,)."""
        key = users[:, None] * (self.n_items + 1) + number
        return number + torch.searchsorted(self.keys, key, right=True) - self.starts[users][:, None]


class Pairs:
    """A user and an item they met, beside `negatives` items that they did not: for learning from clicks.

    Every interaction counts: where items return, a pair stands as often as it happened.
    """

    def __init__(self, negatives=1):
        self.negatives = negatives

    def prepare(self, split, device="cpu"):
        train = split.train
        self.users, self.items = (torch.tensor(train[name].to_numpy(), device=device) for name in ("user", "item"))
        self.unmet = Negatives(split.matrix(), device)
        return self

    def epoch(self, batch_size, generator=None):
        """Every interaction once, in a new order, with new negatives."""
        together = batch_size * max(1, DRAWN_AT_ONCE // batch_size)
        for rows in shuffled(len(self.users), together, self.users.device, generator):
            users, items = self.users[rows], self.items[rows]
            negatives = self.unmet.draw(users, self.negatives, generator)
            for user, item, others in zip(*(column.split(batch_size) for column in (users, items, negatives))):
                yield Batch(user, item, negatives=others)


class Ratings:
    """A user, an item and the rating they gave it."""

    def prepare(self, split, device="cpu"):
        rated = split.rated()
        self.users, self.items = (torch.tensor(rated[name].to_numpy(), device=device) for name in ("user", "item"))
        self.ratings = torch.tensor(rated["rating"].to_numpy(np.float32), device=device)
        return self

    def epoch(self, batch_size, generator=None):
        for rows in shuffled(len(self.users), batch_size, self.users.device, generator):
            yield Batch(self.users[rows], self.items[rows], ratings=self.ratings[rows])


class RatingsByUser(Ratings):
    """Ratings in batches of whole users, so that what is shared by a user's ratings is computed once."""

    def prepare(self, split, device="cpu"):
        super().prepare(split, device)                                  # sorted by user, as all interactions are
        self.count = torch.bincount(self.users, minlength=split.n_users)
        self.start = self.count.cumsum(0) - self.count
        return self

    def epoch(self, batch_size, generator=None):
        """All users in a new order, as many at a time as have about `batch_size` ratings together."""
        order = torch.randperm(len(self.count), device=self.users.device, generator=generator)
        order = order[self.count[order] > 0]
        block = self.count[order].cumsum(0).sub(1).div(batch_size, rounding_mode="floor")
        for owners in order.split(torch.unique_consecutive(block, return_counts=True)[1].tolist()):
            count = self.count[owners]
            step = torch.arange(int(count.max()), device=owners.device)
            real = step < count[:, None]                                # (U, L)
            rows = self.start[owners][:, None] + step
            owner, _ = real.nonzero(as_tuple=True)
            histories = self.items[rows.clamp(max=len(self.items) - 1)].masked_fill(~real, -1)
            rows = rows[real]
            yield Batch(self.users[rows], self.items[rows], ratings=self.ratings[rows], owners=owners,
                        histories=histories, owner=owner)


class Rows:
    """Whole rows of the matrix of who met what, as its non-zeros: each pair once. `batch_size` counts rows.

    A row is a user and their items, or by items an item and its users. With ratings only what was rated counts, at the
    latest rating of each pair.
    """

    def __init__(self, by="user", ratings=False):
        self.by, self.with_ratings = by, ratings

    def prepare(self, split, device="cpu"):
        met = split.train
        if self.with_ratings:
            met = split.rated()
        met = met.drop_duplicates(["user", "item"], keep="last").sort_values(self.by, kind="stable")
        self.users, self.items = (torch.tensor(met[name].to_numpy(), device=device) for name in ("user", "item"))
        self.ratings = torch.tensor(met["rating"].to_numpy(np.float32), device=device) if self.with_ratings else None
        n_rows = split.n_users if self.by == "user" else split.n_items
        self.count = torch.bincount(self.users if self.by == "user" else self.items, minlength=n_rows)
        self.start = self.count.cumsum(0) - self.count
        return self

    def epoch(self, batch_size, generator=None):
        """All rows in which something stands, in a new order."""
        order = torch.randperm(len(self.count), device=self.count.device, generator=generator)
        for owners in order[self.count[order] > 0].split(batch_size):
            count = self.count[owners]
            owner = torch.repeat_interleave(torch.arange(len(owners), device=owners.device), count)
            rows = torch.arange(len(owner), device=owners.device) + (self.start[owners] - count.cumsum(0) + count)[owner]
            yield Batch(self.users[rows], self.items[rows], ratings=self.ratings[rows] if self.with_ratings else None,
                        owners=owners, owner=owner)


class SkipGrams:
    """An item, one met at most `window` steps from it in the same session, and `negatives` items drawn at random.

    Skip-gram with negative sampling: Mikolov, Sutskever, Chen, Corrado and Dean, *Distributed Representations of Words
    and Phrases and their Compositionality*, NIPS 2013. Negatives come with probability proportional to count ** 0.75,
    the item itself among them. As in word2vec an event is never paired with itself, but two events of one item are.

    Without sessions in the data, each user's interactions are one session.
    """

    def __init__(self, window=5, negatives=5):
        self.window, self.negatives = window, negatives

    def prepare(self, split, device="cpu"):
        train = split.train
        keys = ["user", "session"] if "session" in train else ["user"]
        session = train.groupby(keys, sort=False).ngroup().to_numpy()
        order = np.argsort(session, kind="stable")                      # two sessions of a user may overlap in time
        session, item = session[order], train["item"].to_numpy()[order]
        centres, items = [], []
        for step in range(1, self.window + 1):
            near = session[step:] == session[:-step]
            earlier, later = item[:-step][near], item[step:][near]
            centres += [earlier, later]
            items += [later, earlier]
        self.centres, self.items = (torch.from_numpy(np.concatenate(side)).to(device) for side in (centres, items))
        if len(self.items) == 0:
            raise DataError(f"No session in the training part of {split.dataset.name} has two interactions.")
        running = self.noise(split).cumsum()
        self.running = torch.tensor(running / running[-1], device=device)
        return self

    @staticmethod
    def noise(split):
        """How often each item is drawn as a negative, up to a factor: its training count ** 0.75, (n_items,)."""
        return np.bincount(split.train["item"], minlength=split.n_items) ** 0.75

    def draw(self, size, generator=None):
        """Items by their chance of being a negative: (size, negatives)."""
        share = torch.rand(size, self.negatives, dtype=torch.float64, device=self.running.device, generator=generator)
        return torch.searchsorted(self.running, share, right=True)

    def epoch(self, batch_size, generator=None):
        """Every pair once in each direction, in a new order, with new negatives."""
        for rows in shuffled(len(self.items), batch_size, self.items.device, generator):
            yield Batch(None, self.items[rows], negatives=self.draw(len(rows), generator), centres=self.centres[rows])


class Histories:
    """The training part as one long table of events on the device, from which batches of histories are cut."""

    def __init__(self, length, negatives):
        if negatives < 0:
            raise DataError(f"negatives={negatives}: 0 asks for none, K for K items beside each right one.")
        self.length, self.negatives = length, negatives

    def prepare(self, split, device="cpu"):
        train = split.train                                             # sorted by user and time
        self.n_users, self.n_items = split.n_users, split.n_items
        self.counts = np.bincount(train["user"], minlength=split.n_users)
        self.starts = self.counts.cumsum() - self.counts                # first row of each user
        columns = {"users": train["user"], "items": train["item"], "times": train["timestamp"]}
        if "behaviour" in train:
            columns["behaviours"] = train["behaviour"].map(BEHAVIOUR_CODES)
        self.columns = {name: torch.tensor(column.to_numpy(np.int64), device=device)
                        for name, column in columns.items()}
        self.unmet = Negatives(split.matrix(), device) if self.negatives else None
        return self

    def cut(self, start, size, width):
        """`size` (B,) events from row `start` (B,) on, padded with -1 to `width`: each column (B, width)."""
        step = torch.arange(width, device=start.device)
        beyond = step >= size[:, None]
        rows = (start[:, None] + step).masked_fill(beyond, 0)
        return {name: column[rows].masked_fill(beyond, -1) for name, column in self.columns.items()}

    def batch(self, before, after, row, generator, first=None):
        """Histories `before`, what followed them `after`, both as `cut` gives them; row (B,) of what came next."""
        users, now = self.columns["users"][row], self.columns["times"][row]
        context = Context(users, before["items"], before.get("behaviours"), times=before["times"], now=now)
        items, negatives = after["items"], None
        if self.negatives:
            drawn = self.unmet.draw(users, items.shape[1] * self.negatives, generator)
            negatives = drawn.view(*items.shape, self.negatives)
        return Batch(users, items, negatives, context=context, first=first)


class Sequences(Histories):
    """Histories of at most `length` events, and at each event the item that came next: every position trains at once.

    A longer history is cut into as few pieces as hold it, at other places each epoch. A user's first event is nobody's
    next. With `negatives`, that many items that the user has not met for each next one. `batch_size` counts next items:
    batch_size // stride histories go together, those of nearly the same length, so that little is padding.

    With a `stride` the pieces overlap: each asks for at most that many next items, its last, and reads the `length`
    events up to there, or as many as there are. Then no question late in a history is asked after a few events; an
    epoch reads up to length / stride times as much.

    With `mixed` histories of any lengths go together, padded to the longest of them. That is slower, but a batch then
    stands for all users: otherwise one of short histories has few next items and moves the weights as far as any.
    """

    def __init__(self, length=50, negatives=0, stride=None, mixed=False):
        super().__init__(length, negatives)
        self.mixed = mixed
        self.stride, self.overlap = length if stride is None else stride, stride is not None
        if not 1 <= self.stride <= length:
            raise DataError(f"stride={stride}: pieces of length={length} end 1 to {length} events apart.")

    def prepare(self, split, device="cpu"):
        super().prepare(split, device)
        targets = self.counts - 1
        self.users = np.flatnonzero(targets > 0)
        if not len(self.users):
            raise DataError(f"No user in the training part of {split.dataset.name} has two interactions.")
        pieces = -(-targets[self.users] // self.stride)
        self.owner = np.repeat(self.users, pieces)                      # whose each piece is
        self.number = np.arange(len(self.owner)) - np.repeat(pieces.cumsum() - pieces, pieces)
        self.slack = pieces * self.stride - targets[self.users]         # how far the first cut may be moved
        self.pieces = pieces
        return self

    def epoch(self, batch_size, generator=None):
        """Every event but the first of each user once as the next one, in a new order."""
        device = self.columns["items"].device
        share = torch.rand(len(self.users), generator=generator, device=device).cpu().numpy()
        shift = np.repeat((share * (self.slack + 1)).astype(np.int64), self.pieces)
        asked = np.maximum(self.number * self.stride - shift, 0)        # the first event whose next one is asked for
        end = np.minimum((self.number + 1) * self.stride - shift, self.counts[self.owner] - 1)
        begin = np.maximum(end - self.length, 0) if self.overlap else asked
        order = torch.randperm(len(begin), generator=generator, device=device).cpu().numpy()
        if not self.mixed:
            order = order[np.argsort((end - begin)[order], kind="stable")]      # nearly equal lengths together
        begin, asked, end, start = begin[order], asked[order], end[order], self.starts[self.owner[order]]
        together = max(1, batch_size // self.stride)
        block = np.arange(0, len(order), together)
        # The widths of the batches are known here, so that the device is never asked for them.
        widths = [np.maximum.reduceat(end - since, block).tolist() for since in (begin, asked)]
        places = torch.as_tensor(np.stack([start + begin, start + asked, start + end]), device=device)
        places = places.split(together, dim=1)
        for number in torch.randperm(len(block), generator=generator, device=device).tolist():
            begin, asked, end = places[number]
            before = self.cut(begin, end - begin, widths[0][number])
            after = self.cut(asked + 1, end - asked, widths[1][number])
            yield self.batch(before, after, end, generator, asked - begin if self.overlap else None)


class Windows(Histories):
    """The last `length` events before a moment and the `targets` that follow it, at every moment of every history.

    Tang and Wang, *Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding*, WSDM 2018. As in
    their code, moments with fewer than `length` events before them are taken only of users who have no other.
    With `negatives`, that many items that the user has not met for each target.
    """

    def __init__(self, length=5, targets=3, negatives=1):
        super().__init__(length, negatives)
        self.targets = targets

    def prepare(self, split, device="cpu"):
        super().prepare(split, device)
        last = np.maximum(self.counts - self.targets, 1)                # the last moment with enough targets, if any is
        first = np.minimum(self.length, last)
        moments = np.where(self.counts < 2, 0, last - first + 1)
        owner = np.repeat(np.arange(self.n_users), moments)
        if not len(owner):
            raise DataError(f"No user in the training part of {split.dataset.name} has two interactions.")
        moment = first[owner] + np.arange(len(owner)) - np.repeat(moments.cumsum() - moments, moments)
        known = np.minimum(moment, self.length)
        following = np.minimum(self.counts[owner] - moment, self.targets)
        self.rows = [torch.as_tensor(column, device=device)
                     for column in (self.starts[owner] + moment, known, following)]
        return self

    def epoch(self, batch_size, generator=None):
        """Every moment once, in a new order, with new negatives."""
        moments, known, following = self.rows
        for rows in shuffled(len(moments), batch_size, moments.device, generator):
            before = self.cut(moments[rows] - known[rows], known[rows], self.length)
            after = self.cut(moments[rows], following[rows], self.targets)
            yield self.batch(before, after, moments[rows], generator)


def shuffled(size, batch_size, device, generator):
    """The numbers 0 .. size-1 in random order, `batch_size` at a time."""
    return torch.randperm(size, device=device, generator=generator).split(batch_size)
