"""Cross-entropy in pieces is cross-entropy: the same loss and gradients as with all scores at once."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from recbook.models import cross_entropy as module
from recbook.models.cross_entropy import cross_entropy

CASES, ITEMS, DIM = 7, 5, 3


def parts(cases=CASES, items=ITEMS, seed=0):
    torch.manual_seed(seed)
    shapes = (cases, DIM), (items, DIM), (items,)
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def all_at_once(vectors, table, bias, items):
    items = items.view(len(vectors), -1)
    chances = F.linear(vectors, table, bias).log_softmax(1).gather(1, items.clamp(min=0))
    return -chances[items >= 0].mean()


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 60), st.integers(0, 2**31))
def test_loss_and_gradients_are_those_of_all_scores_at_once(cases, targets, scores_at_once, seed):
    given_parts, items = parts(cases, seed=seed), torch.randint(-1, ITEMS, (cases, targets))
    items[0, 0] = 1                                                     # one at least is real
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SCORES_AT_ONCE", scores_at_once)
        ours = cross_entropy(*given_parts, items)
    theirs = all_at_once(*given_parts, items)
    assert_close(ours, theirs)
    assert_close(torch.autograd.grad(3 * ours, given_parts), torch.autograd.grad(3 * theirs, given_parts))


def test_the_gradient_is_the_slope_of_the_loss():
    items = torch.tensor([0, 4, -1, 2, 2, 1, 3])
    assert torch.autograd.gradcheck(lambda *given_parts: cross_entropy(*given_parts, items), parts())


def test_scores_of_any_size_give_a_finite_loss():
    vectors, table, bias = parts(cases=2)
    loss = cross_entropy(1e4 * vectors, table, bias, torch.tensor([0, 1]))
    assert_close(loss, all_at_once(1e4 * vectors, table, bias, torch.tensor([0, 1])))
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, (vectors, table, bias)))


def test_the_table_of_all_scores_never_exists(monkeypatch):
    monkeypatch.setattr(module, "SCORES_AT_ONCE", 10 * ITEMS)
    sizes, addmm = [], torch.addmm
    monkeypatch.setattr(torch, "addmm", lambda *args: sizes.append(len(args[1])) or addmm(*args))
    cross_entropy(*parts(cases=25), torch.arange(25) % ITEMS)
    assert sizes == [10, 10, 5]
