"""Who was forgotten is in no number: the counts are those of a log that they were never in."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import recbook as rb
from recbook.errors import DataError
from recbook.privacy import Counts, forgetting


@pytest.fixture(scope="module")
def split():
    return rb.by_time(rb.load("shop", n_users=300, n_items=60, n_events=6000))


def never(split, users):
    """The same split without what these customers did."""
    return replace(split, train=split.train[~split.train["user"].isin(users)])


GONE = [3, 17, 250, 0, 299]


@pytest.mark.parametrize("gone", [[3], GONE, list(range(100))])         # one by one, some, and so many that it is inverted anew
def test_nothing_is_left_in_any_model(split, gone):
    counts, clean = Counts(split, l2=20.0).forget(gone), never(split, gone)
    ease, theirs = counts.ease(), rb.EASE(split.n_users, split.n_items, l2=20.0).fit(clean)
    torch.testing.assert_close(ease.weight, theirs.weight, atol=1e-6, rtol=0)
    for settings in ({"k": 10}, {"k": 5, "shrink": 3.0, "similarity": "jaccard"}):
        mine, theirs = counts.neighbours(**settings), rb.ItemKNN(split.n_users, split.n_items, **settings).fit(clean)
        assert torch.equal(mine.neighbours, theirs.neighbours) and torch.equal(mine.weight, theirs.weight)
    assert torch.equal(counts.popularity().count, rb.Popularity(split.n_users, split.n_items).fit(clean).count)


def test_nothing_is_left_in_the_counts(split):
    counts, clean = Counts(split, l2=20.0).forget(GONE), Counts(never(split, GONE), l2=20.0)
    assert np.array_equal(counts.together, clean.together) and np.array_equal(counts.count, clean.count)
    assert np.abs(counts.inverse - clean.inverse).max() < 1e-12
    assert counts.events[GONE].nnz == 0 and counts.events.nnz == clean.events.nnz       # not even which items they were
    assert np.array_equal(counts.events.indices, clean.events.indices)


def test_not_even_the_id_is_left_in_a_checkpoint(tmp_path):
    log = rb.from_frame({"user": ["ana", "ana", "ben", "ben"], "item": ["tea", "cup", "tea", "pot"]})
    counts = Counts(rb.everything(log))
    for users, there in (([], True), ([log.users["original"].tolist().index("ana")], False)):
        counts.forget(users)
        for model in (counts.ease(), counts.neighbours(k=2), counts.popularity()):
            rb.save_model(model, tmp_path / "model")
            written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
            assert (b'"ana"' in written) == there and b'"ben"' in written
            kept, *_ = rb.load_model(tmp_path / "model")
            assert kept.top(log.history("ben"), k=2)[0].tolist() == model.top(log.history("ben"), k=2)[0].tolist()


def test_before_anybody_is_forgotten_they_are_the_books_models(split):
    counts = Counts(split, l2=20.0)
    torch.testing.assert_close(counts.ease().weight, rb.EASE(split.n_users, split.n_items, l2=20.0).fit(split).weight)
    assert torch.equal(counts.neighbours(k=7).weight, rb.ItemKNN(split.n_users, split.n_items, k=7).fit(split).weight)


def test_a_row_that_is_dropped_from_the_log_alone_is_still_there(split):
    """The control: a model that was not asked to forget differs from one that never saw them."""
    model = rb.EASE(split.n_users, split.n_items, l2=20.0).fit(split)
    theirs = rb.EASE(split.n_users, split.n_items, l2=20.0).fit(never(split, GONE))
    assert (model.weight - theirs.weight).abs().max() > 1e-3


def test_only_ana_took_both():
    """An attack: ask with one item, and see the other."""
    log = rb.from_frame({"user": ["ana", "ana", "ben", "ben", "cem", "cem"],
                         "item": ["test strip", "cup", "test strip", "tea", "cup", "tea"]})
    counts = Counts(rb.everything(log))
    strip, cup = (log.items["original"].tolist().index(name) for name in ("test strip", "cup"))
    assert cup in counts.neighbours(k=3).neighbours[strip]
    ana = log.users["original"].tolist().index("ana")
    assert cup not in counts.forget([ana]).neighbours(k=3).neighbours[strip]
    assert counts.ease().weight[strip, cup] < 1e-3


def test_one_by_one_is_all_at_once(split):
    one = Counts(split)
    for user in GONE:
        one.forget([user])
    assert np.abs(one.inverse - Counts(split).forget(GONE).inverse).max() < 1e-12


def test_everybody_can_be_forgotten(split):
    counts = Counts(split, l2=20.0)
    for user in range(split.n_users):
        counts.forget([user])
    assert not counts.together.any() and not counts.count.any() and counts.events.nnz == 0
    assert counts.inverse == pytest.approx(np.eye(split.n_items) / 20, abs=1e-9)


def test_an_inverse_that_drifted_is_made_anew(split, monkeypatch):
    counts = Counts(split)
    counts.inverse = counts.inverse + 1e-6
    assert counts.drift() > 1e-7
    counts.forget([])
    assert counts.drift() > 1e-7                                        # nobody asked
    counts.forget([5])
    assert counts.drift() < 1e-10
    monkeypatch.setattr(forgetting, "DRIFT", np.inf)
    counts.inverse = counts.inverse + 1e-6
    assert counts.forget([6]).drift() > 1e-7                            # the guard is what does it


def test_a_customer_without_events(split):
    silent = replace(split, train=split.train[split.train["user"] != 9])
    counts = Counts(silent)
    before = counts.inverse.copy()
    assert counts.forget([9]).inverse == pytest.approx(before, abs=1e-12)


@pytest.mark.parametrize("users, said", [
    ([300], "300 cannot be forgotten"), ([-1], "-1 cannot be forgotten"), ([True], "True cannot"), (["ana"], "'ana' cannot"),
    ([2.0], "2.0 cannot"), ([4, 4], "4 is forgotten already")])
def test_who_cannot_be_forgotten(split, users, said):
    counts = Counts(split)
    together = counts.together.copy()
    with pytest.raises(DataError, match=said):
        counts.forget([1, *users])
    assert np.array_equal(counts.together, together) and counts.inside.all()            # nobody is half forgotten


def test_nobody_is_forgotten_twice(split):
    counts = Counts(split).forget([4])
    with pytest.raises(DataError, match="4 is forgotten already"):
        counts.forget([4])


def test_counts_of_a_large_catalogue_are_refused_before_memory_is_asked_for(monkeypatch):
    events = pd.DataFrame({"user": [0, 1, 2], "item": [0, 1, 2], "timestamp": [1, 2, 3]})
    items = pd.DataFrame({"item": range(50_000)})
    split = rb.everything(rb.from_frame(events, "wide", timestamp="timestamp", items=items))
    monkeypatch.setattr("recbook.models.memory.memory", lambda: 24 * 2**30)
    with pytest.raises(rb.ModelError, match="Counts keeps a number for each pair of its 50,000 items: 74.5 GB"):
        rb.privacy.Counts(split)
