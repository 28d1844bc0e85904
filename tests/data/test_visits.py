"""A visit follows the shop's law, tilted toward what is shown, and nothing else changes."""

import numpy as np
import pandas as pd
import pytest
import torch

import recbook as rb
from recbook.data.shop.visits import visits
from recbook.errors import DataError


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop")


def show(*items):
    return lambda context: torch.tensor(items).expand(len(context), -1)


def test_what_is_shown_is_taken_as_often_as_the_law_says(shop):
    """The share of looks at one item, against the mean of p e / (1 + p (e - 1)) over the observer's p."""
    observer, item, expected = rb.Observer(shop), 89, []

    def policy(context):
        probability = observer.scores(context)[:, item].numpy()
        expected.extend(probability * np.e / (1 + probability * (np.e - 1)))
        return show(item)(context)

    looks = visits(shop, policy)
    hits = (looks["item"] == item).to_numpy()
    assert (looks["shown"] == hits).all()
    error = np.sqrt(np.mean(expected) / len(hits))
    assert abs(hits.mean() - np.mean(expected)) < 3 * error and hits.mean() > 10 * error


def test_an_empty_place_of_a_slate_shows_nothing(shop):
    """`top` gives -1 where fewer items are left: not the last one of the catalogue."""
    one, other = (visits(shop, show(*items)) for items in ([1, -1], [1]))
    pd.testing.assert_frame_equal(one, other)


def test_without_pull_a_slate_changes_nothing(shop):
    one, other = (visits(shop, show(*items), pull=0.0) for items in ([1, 2], [3, 4]))
    columns = ["user", "step", "item", "behaviour"]
    assert one[columns].equals(other[columns]) and one["shown"].sum() != other["shown"].sum()


def test_a_user_has_the_same_dice_whoever_else_comes(shop):
    everybody, some = visits(shop, show(7)), visits(shop, show(7), users=np.array([5, 400, 17]))
    expected = everybody[everybody["user"].isin([5, 17, 400])].reset_index(drop=True)
    assert some.equals(expected) and len(some) >= 3


def test_another_seed_is_another_day(shop):
    assert not visits(shop, show(7), seed=1).equals(visits(shop, show(7)))


def test_the_policy_is_told_what_happened_in_this_visit(shop):
    told = []

    def policy(context):
        told.append(context)
        return show(7)(context)

    looks = visits(shop, policy, users=np.arange(40))
    before = shop.interactions.groupby("user").size()
    for step, context in enumerate(told):
        size = (context.items >= 0).sum(1).numpy()
        users = context.users.numpy()
        assert (size == before.reindex(users, fill_value=0) + step).all()
        if step:
            latest = context.items[torch.arange(len(users)), size - 1].numpy()
            mine = looks[(looks["step"] == step - 1) & looks["user"].isin(users)]
            assert (latest == mine["item"]).all()
            assert (context.now > context.times[torch.arange(len(users)), size - 1]).all()


def test_nobody_buys_what_they_own(shop):
    looks = visits(shop, show(*range(40)), pull=3.0)
    bought = shop.interactions[shop.interactions["behaviour"] == "purchase"]
    owned = set(zip(bought["user"], bought["item"]))
    again = looks[looks["behaviour"] == "purchase"]
    assert len(again) > 100
    assert not any((user, item) in owned for user, item in zip(again["user"], again["item"]))


def test_real_data_give_no_answers():
    import pandas as pd

    data = rb.from_frame(pd.DataFrame({"user": [1, 1], "item": [1, 2]}), "two clicks")
    with pytest.raises(DataError, match="two clicks gives no answers"):
        visits(data, show(0))
