"""The writer of lists: attention by hand, nothing of the answer before it is due, and what breaks it is noticed."""

import math

import pytest
import torch
from torch.testing import assert_close

import recbook as rb
from recbook.data.batches import Batch
from recbook.data.splits import Context

ITEMS = 12
SIZES = {"dim": 4, "length": 5, "hidden": 6, "targets": 3, "dropout": 0}


def randomized(**options):
    rb.seed_everything(0)
    model = rb.Writer(3, ITEMS, **SIZES | options).double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.5 * torch.randn_like(weight))
    return model


def history(*items):
    width = max(map(len, items))
    return Context(items=torch.tensor([list(own) + [-1] * (width - len(own)) for own in items]).view(len(items), width))


# ------------------------------------------------------------------------------------------------ on paper


def test_attention_is_what_it_is_on_paper():
    """e_j = tanh(1 + h_j): states 0, -1 and a padding. tanh 1 = .7616 and tanh 0 = 0; the weights are .6817 and .3183."""
    model = rb.Writer(1, 3, dim=1, hidden=1).double()
    with torch.no_grad():
        model.query.weight.fill_(0.5)
        model.relevance.weight.fill_(1.0)
        weights = model.attend(torch.tensor([[2.0]]).double(), torch.tensor([[[0.0], [-1.0], [5.0]]]).double(),
                               torch.tensor([[True, True, False]]))
    first = math.exp(math.tanh(1)) / (math.exp(math.tanh(1)) + 1)
    assert first == pytest.approx(0.6817, abs=1e-4)
    assert_close(weights, torch.tensor([[first, 1 - first, 0]]).double())


def test_a_list_step_by_step_in_plain_numbers():
    """One history, each line of the formulas in turn, by matrices and PyTorch's cell of a GRU."""
    model = randomized()
    items, written = [3, 1, 4], [5, 9, 2]
    q, W = model.item.weight, model.output
    states, state = [], torch.zeros(1, 6).double()

    def cell(gru, inputs, state):
        return torch.nn.GRUCell.forward(cell_of(gru), inputs, state)

    def cell_of(gru):
        copy = torch.nn.GRUCell(gru.input_size, gru.hidden_size).double()
        copy.load_state_dict({name.removesuffix("_l0"): value for name, value in gru.state_dict().items()})
        return copy

    for item in items:
        state = cell(model.encoder, q[[item]], state)
        states.append(state)
    states = torch.cat(states)                                          # (3, H)
    state, before, total = torch.tanh(model.begin(states[-1:])), torch.zeros(1, 4).double(), 0.0
    for item in written:
        relevance = torch.stack([model.relevance.weight[0] @ torch.tanh(
            model.query.weight @ state[0] + model.key.weight @ h + model.key.bias) for h in states])
        weights = relevance.exp() / relevance.exp().sum()
        summary = weights @ states
        state = cell(model.decoder, torch.cat([before, summary[None]], 1), state)
        scores = q @ W(torch.cat([state[0], summary])) + model.item_bias
        total, before = total - scores.log_softmax(0)[item], q[[item]]
    loss = model.loss(Batch(None, torch.tensor([written]), context=history(items)))
    assert_close(loss, total / 3)


# ------------------------------------------------------------------------------------------------ what it may know


def test_no_question_knows_its_own_answer_or_a_later_one():
    model = randomized()
    reading = model.read(history([1, 2, 3], [4]))
    before = torch.tensor([[-1, 5, 6, 7], [-1, 8, 9, 10]])
    questions, _ = model.decode(reading, before)
    for step in range(1, 4):
        changed = before.clone()
        changed[:, step] = 0
        others, _ = model.decode(reading, changed)
        assert torch.equal(others[:, :step], questions[:, :step])
        assert (others[:, step:] - questions[:, step:]).abs().amax((0, 2)).min() > 1e-6


def test_the_loss_is_the_surprise_at_each_item_given_the_true_ones_before():
    model = randomized()
    context, items = history([1, 2, 3], [4]), torch.tensor([[5, 6, 7], [8, 9, -1]])
    following = model.following(context)
    told = [-following(torch.tensor([case]), items[[case], :step])[0, items[case, step]]
            for case in range(2) for step in range(3) if items[case, step] >= 0]
    assert_close(model.loss(Batch(None, items, context=context)), torch.stack(told).mean())


def test_the_log_probability_of_what_is_written_is_its_loss():
    model = randomized()
    context = history([1, 2, 3], [4], [])
    for how in ("greedy", "beam", "sample"):
        items, logs = model.write(context, how=how, beam=4, generator=torch.Generator().manual_seed(1))
        assert items.shape == (3, model.targets)
        assert_close(-model.loss(Batch(None, items, context=context)), logs.mean() / model.targets)


def test_scores_are_those_of_the_first_item_of_a_list():
    model = randomized()
    context = history([1, 2, 3, 4, 5, 6, 7], [4], [])
    after = model.following(context)(torch.arange(3), torch.zeros(3, 0, dtype=torch.long))
    assert_close(model.scores(context).log_softmax(1), after)
    assert_close(model.question(context) @ model.answers().T, model.scores(context))
    assert_close(model.scores(context, torch.tensor([7, 2])), model.scores(context)[:, [7, 2]])


def test_the_length_of_the_padding_is_not_read_and_an_empty_history_has_no_weights():
    model = randomized()
    for width in (3, 5, 9):
        padded = Context(items=torch.tensor([[1, 2, 3] + [-1] * (width - 3)]))
        assert_close(model.scores(padded), model.scores(history([1, 2, 3])))
    weights = model.weights(history([1, 2], []), torch.tensor([[3, 4], [3, 4]]))
    assert_close(weights.sum(2), torch.tensor([[1.0, 1], [0, 0]]).double())


# ------------------------------------------------------------------------------------------------ what it learns


def drawn(n, generator):
    """Lists of four of twelve items."""
    return torch.rand(n, ITEMS, generator=generator).argsort(1)[:, :4]


def trained(copied, kind=rb.Writer, steps=200, seed=0):
    """On four items, to write the same four once more, or four others that nothing tells: (model, context, answers)."""
    generator = torch.Generator().manual_seed(seed)
    rb.seed_everything(seed)
    model = kind(1, ITEMS, dim=16, length=4, hidden=16, targets=4, dropout=0)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        first = drawn(64, generator)
        then = first if copied else drawn(64, generator)
        loss = model.loss(Batch(None, then, context=Context(items=first)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    first = drawn(500, generator)
    return model.eval(), Context(items=first), first if copied else drawn(500, generator)


class Even(rb.Writer):
    """Attention made uniform."""

    def attend(self, state, keys, real):
        return real / real.sum(1, keepdim=True)


@pytest.fixture(scope="module")
def copying():
    return {"attention": trained(True), "even": trained(True, Even)}


def test_attention_finds_what_to_copy_and_an_even_one_is_noticed(copying):
    model, context, then = copying["attention"]
    items, _ = model.write(context, how="greedy")
    assert (items == then).double().mean() > 0.97
    losses = {name: other.loss(Batch(None, then, context=context)).item() for name, (other, *_) in copying.items()}
    assert losses["attention"] < 0.5 * losses["even"], losses


def test_attention_moves_on_from_item_to_item_as_it_writes(copying):
    model, context, then = copying["attention"]
    place = (model.weights(context, then) @ torch.arange(4.0)).mean(0)  # (4,) where it looks, in the mean
    assert (place.diff() > 0.3).all(), place


def test_where_nothing_can_be_foretold_its_loss_is_that_of_chance():
    """A leak of the answer would show here: the items that follow are drawn anew, and only do not repeat each other."""
    model, context, then = trained(False, steps=100)
    loss = model.loss(Batch(None, then, context=context)).item()
    least = sum(math.log(ITEMS - step) for step in range(4)) / 4        # who knows that no item repeats
    assert loss > least - 0.02
