"""A large matrix of few ones, as lists: what the models need that keep their training data."""

import torch
import torch.nn.functional as F
from torch import nn

CACHED = 2**18  # ones that `Lists.spread` takes at a time


class Lists(nn.Module):
    """A 0/1 matrix (n_rows, n_columns): the ones of row r stand in `columns[starts[r]:starts[r + 1]]`.

    How many there are is known only after fit: a model names `columns` in its `sized_by_fit`.
    """

    def __init__(self, n_rows):
        super().__init__()
        self.register_buffer("starts", torch.zeros(n_rows + 1, dtype=torch.long))
        self.register_buffer("columns", torch.zeros(0, dtype=torch.long))

    def fill(self, matrix):
        """Take the entries of a sparse matrix of SciPy, whatever their values; a CSR matrix keeps their order."""
        matrix = matrix.tocsr()
        self.starts.copy_(torch.from_numpy(matrix.indptr))
        self.columns = torch.from_numpy(matrix.indices).long().to(self.starts.device)

    def sizes(self):
        """How many ones each row has: (n_rows,)."""
        return self.starts.diff()

    def sums(self, table, weights=None):
        """The matrix times a table (n_columns, B): for each row the sum over its list, (n_rows, B).

        weights (E,) stand in place of the E ones. A bag of embeddings is this product, three times as fast as
        PyTorch's sparse matrices.
        """
        return F.embedding_bag(self.columns, table.contiguous(), self.starts, mode="sum", include_last_offset=True,
                               per_sample_weights=weights)

    def spread(self, rows, n_columns, entries=None, scale=None):
        """For each case the sum of some rows of the matrix: rows (B, L), padded with -1, to (B, n_columns).

        `entries` (E,) stand in place of the E ones; `scale` (B, L) multiplies whole rows. Only ones that are in these rows
        are touched: the time follows the lists' lengths, not the sizes of the matrix. A few cases at a time, so that
        what is touched stays in the processor's cache: three times as fast as all at once. If the matrix is small and not
        very sparse, whole rows of it are added, zeros too, which is faster still and gives the same numbers.
        """
        touched = (self.sizes()[rows] * (rows >= 0)).sum(1)
        full = len(self.starts) * n_columns                             # as many cells has the matrix, written out
        if full <= 16 * CACHED and touched.sum() > full and 16 * len(self.columns) > full:
            return self.spread_table(rows, n_columns, entries, scale)
        most = CACHED if rows.device.type == "cpu" else 64 * CACHED
        counts = (touched.cumsum(0) // most).unique_consecutive(return_counts=True)[1].tolist() or [0]
        if len(counts) == 1 or touched.sum() < len(rows) * n_columns:       # mostly zeros: no gain
            return self.spread_at_once(rows, n_columns, entries, scale)
        scales = [None] * len(counts) if scale is None else scale.split(counts)
        return torch.cat([self.spread_at_once(some, n_columns, entries, by)
                          for some, by in zip(rows.split(counts), scales)])

    def spread_table(self, rows, n_columns, entries, scale):
        """`spread` of a matrix that is small and not very sparse: sums of its rows, written out with their zeros."""
        if entries is None:
            entries = torch.ones(len(self.columns), device=rows.device)
        table = entries.new_zeros(len(self.starts) - 1, n_columns)
        row = torch.arange(len(table), device=rows.device).repeat_interleave(self.sizes())
        table.view(-1).index_add_(0, row * n_columns + self.columns, entries)
        real = rows >= 0
        size = real.sum(1)
        return F.embedding_bag(rows[real], table, size.cumsum(0) - size, mode="sum",
                               per_sample_weights=None if scale is None else scale[real])

    def spread_at_once(self, rows, n_columns, entries, scale):
        real = rows >= 0
        case, row = real.nonzero()[:, 0], rows[real]
        size = self.starts[row + 1] - self.starts[row]
        first = self.starts[row] - (size.cumsum(0) - size)              # of each list, less where it comes to stand
        place = first.repeat_interleave(size) + torch.arange(int(size.sum()), device=rows.device)
        value = torch.ones(len(place), device=rows.device) if entries is None else entries[place]
        if scale is not None:
            value = value * scale[real].repeat_interleave(size)
        cell = (case * n_columns).repeat_interleave(size) + self.columns[place]
        total = value.new_zeros(len(rows) * n_columns)
        return total.index_add_(0, cell, value).view(len(rows), n_columns)

    def places(self, rows):
        """Where the lists of some rows (P,) stand in `columns`: (P, L), padded with -1."""
        size = self.starts[rows + 1] - self.starts[rows]
        step = torch.arange(int(size.max()) if len(rows) else 0, device=rows.device)
        return torch.where(step < size[:, None], self.starts[rows, None] + step, -1)


def like_sizes(sizes, total=2_000_000):
    """Row numbers in blocks of like size, each of about `total` entries when it is padded: a tuple of tensors."""
    order = sizes.argsort()
    sizes = sizes[order]
    power = sizes.clamp(min=1).double().log2().ceil().long()            # padding at most doubles a block
    number = power * len(sizes) + sizes.clamp(min=1).cumsum(0) // total
    return order.split(number.unique_consecutive(return_counts=True)[1].tolist())
