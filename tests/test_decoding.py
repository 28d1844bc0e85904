"""Lists by greedy choice, beam search and sampling: against all lists of a tiny catalogue, and by hand."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import recbook as rb
from recbook.decoding import asked_again, beam_search, chance_within, sample

N = 5
BLIND = {"behaviours": False, "ratings": False, "pauses": False}
NOBODY = torch.full((1, 1), -1)


def chain(seed, n_items=N, cases=1):
    """`following` of a world in which the next item depends on the case and on the whole list so far."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(cases, n_items, generator=generator, dtype=torch.double)
    pull = 2 * torch.randn(n_items, n_items, generator=generator, dtype=torch.double)

    def following(rows, written):
        odds = first[rows]
        for step, item in enumerate(written.T):
            odds = odds + pull[item] / (written.shape[1] - step)        # the last item pulls most
        return odds.log_softmax(1)

    return following


def log_of(following, items, row=0):
    """The log probability of a list, one question after the other."""
    return sum(float(following(torch.tensor([row]), torch.tensor([items[:step]], dtype=torch.long))[0, item])
               for step, item in enumerate(items))


@given(st.integers(0, 1000), st.integers(1, 4), st.sets(st.integers(0, N - 1), max_size=1))
@settings(deadline=None, max_examples=20)
def test_a_beam_as_wide_as_all_lists_finds_them_all_in_their_order(seed, k, excluded):
    following = chain(seed)
    all_lists = sorted(permutations(set(range(N)) - excluded, k), key=lambda items: -log_of(following, items))
    exclude = torch.tensor([sorted(excluded) or [-1]])
    items, logs = beam_search(following, torch.tensor([0]), k, 200, exclude)
    there = logs[0].isfinite()
    assert items[0][there].tolist() == [list(items) for items in all_lists]
    assert_close(logs[0][there], torch.tensor([log_of(following, items) for items in all_lists]).double())


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_a_beam_of_one_is_greedy(seed):
    following = chain(seed)
    written = []
    for _ in range(4):
        after = following(torch.tensor([0]), torch.tensor([written], dtype=torch.long))[0]
        after[written] = -torch.inf
        written.append(int(after.argmax()))
    items, logs = beam_search(following, torch.tensor([0]), 4, 1, NOBODY)
    assert items[0, 0].tolist() == written
    assert float(logs[0, 0]) == pytest.approx(log_of(following, written))


def test_greedy_takes_the_better_half_and_misses_the_better_whole():
    """On paper: A .5, B .4, C .1; after A all others are alike, .3; after B comes C, .9. So AB is .15, and BC .36."""
    after = {(): [0.5, 0.4, 0.1], (0,): [0.4, 0.3, 0.3], (1,): [0.05, 0.05, 0.9], (2,): [0.4, 0.3, 0.3]}

    def following(rows, written):
        return torch.tensor([after[tuple(items)] for items in written.tolist()]).log()

    for beam, expected, chance in ((1, [[0, 1], [0, 2]], 0.15), (2, [[1, 2]], 0.36)):
        items, logs = beam_search(following, torch.tensor([0]), 2, beam, NOBODY)
        assert items[0, 0].tolist() in expected and float(logs[0, 0].exp()) == pytest.approx(chance)


def test_cases_do_not_mix():
    together = beam_search(chain(3, cases=4), torch.arange(4), 3, 3, NOBODY.expand(4, 1))
    for case in range(4):
        alone = beam_search(chain(3, cases=4), torch.tensor([case]), 3, 3, NOBODY)
        for several, one in zip(together, alone):
            assert_close(several[case], one[0])


def test_samples_are_as_frequent_as_their_chances_among_lists_without_repeats():
    following, draws = chain(1, n_items=3), 20_000
    items, logs, summed = sample(following, torch.zeros(draws, dtype=torch.long), 2, NOBODY.expand(draws, 1),
                                 torch.Generator().manual_seed(0))
    among = (items[..., None] == torch.arange(3)).any(1).double()       # (draws, 3)
    assert_close(summed.mean(0), among.mean(0), rtol=0, atol=0.015)
    assert (summed.std(0) < among.std(0)).all()
    for first, second in permutations(range(3), 2):
        start = following(torch.tensor([0]), torch.zeros(1, 0, dtype=torch.long))[0].exp()
        then = following(torch.tensor([0]), torch.tensor([[first]]))[0].exp()
        expected = float(start[first] * then[second] / (1 - then[first]))
        drawn = (items == torch.tensor([first, second])).all(1)
        assert float(drawn.double().mean()) == pytest.approx(expected, abs=0.015)           # four standard errors
        assert_close(logs[drawn], torch.full_like(logs[drawn], log_of(following, (first, second))))


def test_the_chance_to_be_within_a_list_is_the_sum_over_all_lists():
    following = chain(5)

    class Model:
        def following(self, context):
            return following

    expected = torch.zeros(N).double()
    for items in permutations(range(N), 2):
        first, then = (following(torch.tensor([0]), torch.tensor([items[:step]], dtype=torch.long))[0].exp()
                       for step in range(2))
        expected[list(items)] += first[items[0]] * then[items[1]] / (1 - then[items[0]])
    found = chance_within(Model(), rb.Context(items=torch.tensor([[0]])), 2, draws=2000,
                          generator=torch.Generator().manual_seed(0))
    assert_close(found[0], expected, rtol=0, atol=0.02)
    assert_close(found.sum(), torch.tensor(2.0).double())


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop", n_users=40, n_items=24, n_events=1_000)


@pytest.fixture(scope="module")
def split(shop):
    return rb.by_time(shop)


@pytest.mark.parametrize("how", ["greedy", "beam", "sample"])
def test_no_list_repeats_an_item_or_holds_one_that_is_excluded(how, shop, split):
    model = rb.PersonalPopularity(shop.n_users, shop.n_items).fit(split)
    context = split.test.context(slice(0, 30))
    exclude = torch.arange(60).view(30, 2) % 20
    exclude[::2, 1] = -1
    items, logs = rb.write(model, context, k=9, how=how, beam=3, exclude=exclude, generator=torch.Generator().manual_seed(0))
    assert items.shape == (30, 9) and logs.isfinite().all()
    for written, left_out in zip(items.tolist(), exclude.tolist()):
        assert len(set(written)) == 9 and not set(written) & set(left_out)


def test_a_model_of_the_next_item_is_asked_with_its_own_answers_in_the_history(shop, split):
    model = rb.GRU4Rec(shop.n_users, shop.n_items, dim=4, length=6, hidden=5).eval()
    context = split.test.context(slice(0, 5), length=6)
    items, logs = rb.write(model, context, k=3, how="greedy")
    for case in range(5):
        history = [item for item in context.items[case].tolist() if item >= 0]
        total = 0.0
        for item in items[case].tolist():
            after = model.scores(rb.Context(items=torch.tensor([history]))).log_softmax(1)[0]
            total, history = total + after[item].item(), [*history, item]
        assert float(logs[case]) == pytest.approx(total, abs=1e-4)
    assert (model.scores(context).argmax(1) == items[:, 0]).all()


def test_of_no_case_there_are_no_lists(shop, split):
    nobody = split.test.context(slice(0, 0))
    for model in (rb.Observer(shop, **BLIND), rb.Writer(shop.n_users, shop.n_items, dim=4, hidden=4)):
        for how in ("beam", "sample"):
            items, logs = rb.write(model, nobody, k=3, how=how)
            assert items.shape == (0, 3) and logs.shape == (0,)


def test_many_cases_are_written_in_pieces(shop, split, monkeypatch):
    model = rb.GRU4Rec(shop.n_users, shop.n_items, dim=4, length=6, hidden=5)
    context = split.test.context(slice(0, 20))
    whole = rb.write(model, context, k=3, beam=3)
    monkeypatch.setattr("recbook.decoding.SCORES_AT_ONCE", 200)
    for before, after in zip(whole, rb.write(model, context, k=3, beam=3)):
        assert_close(before, after)


# ------------------------------------------------------------------------------------------------ the truth


def test_the_observer_goes_on_with_a_list_as_if_it_read_it_in_the_history(shop, split):
    """But for the seasons, which are told by the times of events: all items here are on sale from the beginning."""
    shop = rb.load("shop", n_users=40, n_items=24, n_events=600, cold_items=0.0)
    observer = rb.Observer(shop, **BLIND)
    context = rb.by_time(shop).test.context(slice(0, 8))
    once, again = observer.following(context), asked_again(observer, context)
    rows = torch.tensor([0, 3, 3, 7, 5])
    for written in ([[]] * 5, [[1], [2], [3], [2], [2]], [[1, 1, 4], [2, 5, 2], [9, 3, 0], [23, 1, 2], [7, 7, 7]]):
        written = torch.tensor(written, dtype=torch.long).view(5, -1)
        history = context.rows(rows).widen(written.shape[1])
        known = (context.items[rows] >= 0).sum(1)
        place = known[:, None] + torch.arange(written.shape[1])
        history.items.scatter_(1, place, written)
        history.times.scatter_(1, place, context.now[rows][:, None].expand_as(written))
        assert_close(once(rows, written), observer.scores(history).log(), rtol=1e-9, atol=1e-9)
    assert_close(once(rows, written[:, :0]).exp().sum(1), torch.ones(5).double())


def test_nobody_writes_a_likelier_list_than_the_observer(shop, split):
    observer = rb.Observer(shop, **BLIND)
    context = split.test.context(slice(0, 20))
    following, rows = observer.following(context), torch.arange(20)
    _, best = rb.write(observer, context, k=3, beam=200)
    for model in (rb.Popularity(shop.n_users, shop.n_items).fit(split), observer):
        items, _ = rb.write(model, context, k=3, how="greedy")
        truly = sum(following(rows, items[:, :step]).gather(1, items[:, [step]])[:, 0] for step in range(3))
        assert (truly <= best + 1e-9).all() and (truly < best - 1e-6).any()


def test_an_observer_who_is_told_what_was_done_does_not_write(shop, split):
    with pytest.raises(rb.ModelError, match="nobody knows whether it will be bought, or when"):
        rb.write(rb.Observer(shop), split.test.context(slice(0, 2)))


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("options, message", [
    ({"beam": 0}, "beam=0: a whole number of at least 1"),
    ({"k": 0}, "k=0: a whole number of at least 1"),
    ({"how": "bean"}, "how='bean': one of greedy, beam, sample"),
    ({"k": 25}, "k=25: a list repeats no item, and case 0 has 24 that may be written"),
    ({"k": 23, "exclude": torch.tensor([[-1, -1], [3, 5]])}, "k=23: .* case 1 has 22 that may be written"),
    ({"exclude": torch.tensor([[24], [-1]])}, "exclude holds item 24; items are 0 to 23"),
    ({"exclude": torch.tensor([1, 2])}, r"exclude has the shape \(2,\)"),
], ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("how", ["beam", "sample"])
def test_what_cannot_be_written_is_refused_in_a_line(how, options, message, shop, split):
    model = rb.Popularity(shop.n_users, shop.n_items).fit(split)
    with pytest.raises(rb.ModelError, match=message) as caught:
        rb.write(model, split.test.context(slice(0, 2)), **{"k": 3, "how": how} | options)
    assert "\n" not in str(caught.value)


def test_a_list_needs_a_history_and_items_that_are(shop, split):
    model = rb.Writer(shop.n_users, shop.n_items, dim=4, hidden=4)
    with pytest.raises(rb.ModelError, match="context.items is missing"):
        rb.write(model, rb.Context(users=torch.tensor([1])))
    with pytest.raises(rb.ModelError, match="History 0 holds item 24 at step 1"):
        model.write(rb.Context(items=torch.tensor([[1, 24]])))
