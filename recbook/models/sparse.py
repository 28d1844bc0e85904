"""A large matrix of few ones, as lists: what the models need that keep their training data."""

import torch
import torch.nn.functional as F
from torch import nn


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
