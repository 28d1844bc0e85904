"""Popularity counts."""

import pandas as pd
import torch

import recbook
from recbook.data.splits import Context


def test_items_are_ranked_by_their_training_interactions():
    # Item 2 is met four times, 0 twice, 1 once; the last interaction of each user (item 3) is the test.
    frame = pd.DataFrame([(0, 2), (0, 0), (0, 3), (1, 2), (1, 0), (1, 3), (2, 2), (2, 2), (2, 1), (2, 3)],
                         columns=["user", "item"])
    split = recbook.leave_last_out(recbook.from_frame(frame)).refit()
    model = recbook.Popularity(3, 4).fit(split)
    assert model.count.tolist() == [2, 1, 4, 0]
    scores = model.scores(Context(users=torch.tensor([0, 1])))
    assert scores.tolist() == [[2, 1, 4, 0]] * 2                        # everyone gets the same list
    assert model.top(Context(users=torch.tensor([1])), k=3)[0].tolist() == [[2, 0, 1]]
    candidates = torch.tensor([[3, 2], [0, 1]])
    assert model.scores(Context(users=torch.tensor([0, 1])), candidates).tolist() == [[0, 4], [2, 1]]


def test_an_item_that_was_never_met_has_count_zero_at_the_end_of_the_catalogue():
    frame = pd.DataFrame({"user": [0, 0, 0], "item": ["a", "a", "b"]})
    items = pd.DataFrame({"item": ["a", "b", "cold"]})
    split = recbook.leave_last_out(recbook.from_frame(frame, items=items))
    assert recbook.Popularity(1, 3).fit(split).count.tolist() == [1, 0, 0]
