"""Tomorrow's data: whose numbers a model has learned, and lists for everybody."""

import numpy as np
import pandas as pd
import pytest
import torch

import recbook as rb
from recbook.errors import DataError, ModelError

F = pd.DataFrame


@pytest.fixture(scope="module")
def days():
    """Two days of a shop: ale is new and comes first in the order of ids; tea is gone; zoe is new."""
    today = rb.from_frame(F({"user": ["bea"] * 3 + ["cat"] * 3, "item": ["cup", "pan", "tea", "jam", "pan", "tea"]}))
    tomorrow = rb.from_frame(F({"user": ["bea"] * 3 + ["cat"] * 3 + ["abe"],
                                "item": ["ale", "cup", "pan", "jam", "pan", "ale", "pan"]}))
    return today, tomorrow


def trained(name, dataset, **settings):
    rb.seed_everything(0)
    model = rb.models.find_model(name)(dataset.n_users, dataset.n_items, **settings)
    rb.fit(model, rb.everything(dataset), epochs=1, progress=False)
    return model


@pytest.mark.parametrize("name", ["ease", "item-knn", "popularity", "bpr-mf", "sasrec"])
def test_a_model_refuses_the_numbers_of_another_day(name, days, tmp_path):
    today, tomorrow = days
    model = trained(name, today)
    rb.save_model(model, tmp_path)
    for known in (model, rb.load_model(tmp_path)[0]):
        assert known.top(today.history("bea"), k=2)[0].shape == (1, 2)
        with pytest.raises(ModelError, match="was trained on other items.*carry_over"):
            known.top(tomorrow.history("bea"), k=2)
        with pytest.raises(ModelError, match="was trained on other items"):
            rb.evaluate(known, rb.leave_last_out(tomorrow).test)


def test_users_in_another_order_are_refused_by_a_model_of_users_alone(days):
    today, _ = days
    more = rb.from_frame(F({"user": ["abe", "bea", "bea", "bea", "cat", "cat", "cat"],
                            "item": ["cup", "cup", "pan", "tea", "jam", "pan", "tea"]}))
    assert trained("ease", today).top(more.history("abe"), k=1)[0].shape == (1, 1)
    with pytest.raises(ModelError, match="BPRMF was trained on other users"):
        trained("bpr-mf", today).top(more.history("bea"), k=1)


def test_a_model_is_carried_over_by_ids(days, tmp_path):
    """What it scores is what it scored, under the new numbers; what it does not know it leaves out and says so."""
    today, tomorrow = days
    rb.save_model(trained("ease", today, l2=1.0), tmp_path)
    ease, _ = rb.load_model(tmp_path)
    with pytest.warns(UserWarning, match="1 of the 4 items of my data were there .such as 'ale'."):
        carried = rb.carry_over(ease, tomorrow)
    title = {item: number for number, item in enumerate(tomorrow.ids.items)}
    scores = carried.scores(tomorrow.history("bea"))[0]                 # ale, cup, pan: cup and pan are known
    old = ease.scores(rb.Context(items=torch.tensor([[today.ids.items.index("cup"), today.ids.items.index("pan")]])))[0]
    assert scores[title["ale"]] == -torch.inf
    for item in ("cup", "pan", "jam"):
        assert scores[title[item]] == old[today.ids.items.index(item)]
    items, values = carried.top(tomorrow.history(["bea", "abe"]), k=4)
    assert items[:, 3].tolist() == [-1, -1] and title["ale"] not in items
    assert rb.evaluate(carried, rb.leave_last_out(tomorrow).test, ["HR@3"])["HR@3"] >= 0


def test_a_history_keeps_its_order_when_it_is_carried_over(days):
    today, tomorrow = days
    with pytest.warns(UserWarning):
        carried = rb.carry_over(trained("sasrec", today), tomorrow)
    context = carried.translated(tomorrow.history(["bea", "cat"]))
    names = [[today.ids.items[item] for item in row if item >= 0] for row in context.items.tolist()]
    assert names == [["cup", "pan"], ["jam", "pan"]] and context.times[:, 2].tolist() == [-1, -1]


def test_who_is_new_is_known_by_a_history_and_not_by_a_vector(days):
    today, tomorrow = days
    with pytest.warns(UserWarning):
        of_users, of_histories = (rb.carry_over(trained(name, today), tomorrow) for name in ("bpr-mf", "user-knn"))
    assert of_histories.top(tomorrow.history("abe"), k=1)[0].shape == (1, 1)
    assert of_users.top(tomorrow.history("bea"), k=1)[0].shape == (1, 1)
    with pytest.raises(ModelError, match="has a vector of each user, and none of 'abe'"):
        of_users.top(tomorrow.history("abe"), k=1)


def test_content_places_new_items():
    def shop(items):
        words = {"cup": "red cup", "mug": "red mug", "pan": "iron pan", "pot": "iron pot"}
        log = F({"user": ["a", "a", "b"], "item": ["cup", "pan", "pan"]})
        return rb.from_frame(log, items=F({"item": items, "text": [words[item] for item in items]}))

    model = trained("content-profile", shop(["cup", "pan"]), columns=("text",))
    grown = shop(["cup", "mug", "pan", "pot"])
    carried = rb.carry_over(model, grown)
    scores = carried.scores(grown.history("b"))[0]                      # b has the iron pan
    assert scores[3] > scores[1] and torch.isfinite(scores).all()


def test_nothing_is_carried_where_nothing_is_known(days):
    today, _ = days
    numbers = rb.from_frame(F({"user": [1, 2], "item": [1, 2]}))
    with pytest.raises(ModelError, match="knows none of the items"):
        rb.carry_over(trained("ease", today), numbers)
    with pytest.raises(ModelError, match="does not say which ids"):
        rb.carry_over(rb.EASE(2, 4), today)
    assert rb.carry_over(model := trained("ease", today), today) is model


# ------------------------------------------------------------------------------------------------ lists


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop", n_users=60, n_events=3000)


def read(folder):
    return pd.read_parquet(folder).sort_values(["user", "rank"], ignore_index=True)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("recbook.offline.SCORES", 16 * 360)               # sixteen users a part


pytest.importorskip("pyarrow", reason="lists need the extra `tables`")


def test_lists_are_what_top_gives(shop, tmp_path, small_parts):
    model = trained("ease", shop)
    table = read(rb.lists(model, shop, tmp_path / "lists.parquet", k=5))
    assert len(list((tmp_path / "lists.parquet").glob("part-*"))) == 4
    assert table.groupby("user").size().eq(5).all() and table["user"].nunique() == 60
    items, scores = model.top(shop.history(7), k=5)
    of_seven = table[table["user"] == 7]
    assert of_seven["item"].tolist() == items[0].tolist() and np.allclose(of_seven["score"], scores[0])
    assert of_seven["title"].tolist() == [shop.title(item) for item in items[0]]


def test_lists_of_some_users_some_items_and_nothing_met(shop, tmp_path, small_parts):
    model, mugs = trained("ease", shop), list(range(0, 360, 30))
    table = read(rb.lists(model, shop, tmp_path / "some", k=12, users=[5, 3], items=mugs, again=False))
    assert set(table["user"]) == {3, 5} and set(table["item"]) <= set(mugs)
    for user, of in table.groupby("user"):
        met = set(shop.interactions.query("user == @user")["item"])
        assert set(of["item"]) == set(mugs) - met


def test_lists_go_on_where_they_stopped(shop, tmp_path, small_parts, monkeypatch):
    model, out = trained("ease", shop), tmp_path / "lists"
    calls = []
    top = rb.EASE.top

    def tires(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return top(self, *arguments)

    monkeypatch.setattr(rb.EASE, "top", tires)
    with pytest.raises(KeyboardInterrupt):
        rb.lists(model, shop, out, k=5)
    kept = {part.name: part.stat().st_mtime_ns for part in out.glob("part-*")}
    assert len(kept) == 2
    rb.lists(model, shop, out, k=5)
    assert len(calls) == 3 + 2 and all((out / name).stat().st_mtime_ns == time for name, time in kept.items())
    monkeypatch.undo()
    assert read(out).equals(read(rb.lists(model, shop, tmp_path / "at once", k=5)))


def test_lists_of_another_kind_are_not_mixed(shop, tmp_path):
    model = trained("ease", shop)
    rb.lists(model, shop, tmp_path / "lists", k=5)
    with pytest.raises(ModelError, match="holds lists of another k"):
        rb.lists(model, shop, tmp_path / "lists", k=6)
    with pytest.raises(ModelError, match="holds lists of another weights"):
        rb.lists(trained("ease", shop, l2=1.0), shop, tmp_path / "lists", k=5)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(ModelError, match="holds no lists of recbook's"):
        rb.lists(model, shop, tmp_path / "mine")
    with pytest.raises(DataError, match="has none of users 99"):
        rb.lists(model, shop, tmp_path / "new", users=[99])
    with pytest.raises(ModelError, match="k=13: of 12 items, 1 to 12"):
        rb.lists(model, shop, tmp_path / "new", k=13, items=range(12))


def test_memory_follows_the_part_and_not_the_users(shop, tmp_path, monkeypatch):
    seen = []
    scores = rb.EASE.scores
    monkeypatch.setattr("recbook.offline.SCORES", 7 * 360)
    monkeypatch.setattr(rb.EASE, "scores", lambda self, context, items=None: (seen.append(len(context)),
                                                                              scores(self, context, items))[1])
    rb.lists(trained("ease", shop), shop, tmp_path / "lists", k=5)
    assert max(seen) == 7 and sum(seen) == 60
