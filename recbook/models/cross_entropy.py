"""Cross-entropy over a whole catalogue, without keeping the scores of all items for all cases.

A batch of B cases and N items has B x N scores, and the gradient in them is as large again. But what a case adds to
the gradients depends on no other case. So the scores of a few cases are made, turned into their gradient where they
lie, and multiplied away, while they are still in the processor's cache: the whole table never exists.

PyTorch has the same idea from 2.13 on, `linear_cross_entropy` with its options; on a processor it took more than
twice as long with tens of thousands of items, and it knows one right item a case.
"""

import torch

SCORES_AT_ONCE = 2**21


class InPieces(torch.autograd.Function):
    """The loss of `cross_entropy`, whose gradients are made on the way forward."""

    @staticmethod
    def forward(saved, vectors, table, bias, items):
        real = items >= 0                                               # (B, T)
        right, count = items.clamp(min=0), real.sum(1, keepdim=True)
        of_vectors, of_table, of_bias = (torch.zeros_like(tensor) for tensor in (vectors, table, bias))
        loss = bias.new_zeros(())
        size = max(1, SCORES_AT_ONCE // len(table))
        for some in (slice(start, start + size) for start in range(0, len(vectors), size)):
            scores = torch.addmm(bias, vectors[some], table.T).to(bias.dtype)                   # (S, N)
            top, picked = scores.amax(1, keepdim=True), scores.gather(1, right[some])
            total = scores.sub_(top).exp_().sum(1, keepdim=True)
            loss += ((total.log() + top - picked) * real[some]).sum()
            scores.mul_(count[some] / total)                            # the chance of each item, times the right ones
            scores.scatter_add_(1, right[some], -real[some].to(scores.dtype))
            of_vectors[some] = scores @ table
            of_table += scores.T @ vectors[some]
            of_bias += scores.sum(0)
        n = real.sum()
        saved.save_for_backward(of_vectors / n, of_table / n, of_bias / n)
        return loss / n

    @staticmethod
    def backward(saved, factor):
        return *(factor * gradient for gradient in saved.saved_tensors), None


def cross_entropy(vectors, table, bias, items):
    """The mean of -log softmax(W v + b)_i over the right items i of all cases.

    Parameters
    ----------
    vectors : (B, D)
    table, bias : (N, D) and (N,)
        W and b.
    items : (B,) or (B, T)
        The right item of each case, or several, padded with -1.

    The gradient is made on the way forward: it cannot be differentiated once more.
    """
    return InPieces.apply(vectors, table, bias, items.view(len(vectors), -1))
