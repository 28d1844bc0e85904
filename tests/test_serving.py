"""The shop front: what it shows, against ranking everything, and what it never shows."""

import time

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

import recbook
from recbook.errors import DataError, ModelError
from recbook.models import MODELS
from recbook.serving import ShopFront

USERS, ITEMS = 30, 200


class Near(recbook.Recommender):
    """Items stand on a circle; the question is the last item met."""

    reads = 1

    def __init__(self, n_items=ITEMS):
        super().__init__()
        angle = 2 * torch.pi * torch.arange(n_items) / n_items
        self.places = torch.stack([angle.cos(), angle.sin()], dim=1)

    def question(self, context):
        return self.places[context.items[:, -1]]

    def answers(self):
        return self.places


class Backwards(recbook.Recommender):
    """The higher an item's number, the better."""

    reads = 5

    def scores(self, context, items=None):
        return (torch.arange(ITEMS) if items is None else items)[None].float()


def goods(**options):
    """User u met items u, u + 1 and u + 2."""
    log = pd.DataFrame([(f"user {user}", user + step) for user in range(USERS) for step in range(3)],
                       columns=["user", "item"])
    items = pd.DataFrame({"item": range(ITEMS), "title": [f"thing {item}" for item in range(ITEMS)]})
    return recbook.from_frame(log, "goods", items=items, **options)


def test_the_nearest_come_first():
    """User 5 met 7 last; they own 5, 6 and 7."""
    assert set(ShopFront(goods(), Near()).recommend("user 5", k=4)) == {8, 9, 4, 10}


def test_the_ranker_orders_what_the_search_found():
    front = ShopFront(goods(), Near(), Backwards(), candidates=9)
    assert front.recommend("user 50", [100], k=3).tolist() == [104, 103, 102]


def test_this_visit_counts_as_history():
    front = ShopFront(goods(items_return=True), Near())
    assert front.recommend("user 5", k=1) == [7] and front.recommend("user 5", [100], k=1) == [100]


def test_who_has_no_history_gets_what_is_popular():
    popular = ShopFront(goods(), Near()).recommend(None, k=5)
    count = np.bincount(goods().interactions["item"], minlength=ITEMS)
    assert (count[popular] == count.max()).all()
    assert ShopFront(goods(), Near()).recommend("somebody else", k=5).tolist() == popular.tolist()


def test_what_is_out_of_stock_is_not_shown_however_much_of_it_there_is():
    front = ShopFront(goods(), Near(), candidates=4)
    front.in_stock[50:150] = False
    assert set(front.recommend(None, [100], k=9)) == {46, 47, 48, 49, 150, 151, 152, 153, 154}
    front.in_stock[:] = False
    assert len(front.recommend(None, [100], k=10)) == len(front.recommend(None, k=10)) == 0


def test_an_item_that_nobody_met_is_found_by_what_it_is():
    """In the shop, among the items nearest to a history, there are some of those that go on sale later."""
    shop = recbook.load("shop", n_users=300, n_items=120, n_events=15_000, cold_items=0.3)
    split = recbook.by_time(shop)
    recbook.seed_everything(0)
    model = recbook.ContentGRU(shop.n_users, shop.n_items, text="bag", dim=16, hidden=16, length=5)
    recbook.fit(model, split, epochs=2, learning_rate=0.01, device="cpu", progress=False)
    front = ShopFront(shop, model)
    new = set(range(shop.n_items)) - set(split.train["item"])
    assert new and new & {item for user in range(50) for item in front.recommend(user, k=20)}


@pytest.mark.parametrize("name", ["bpr-mf", "logistic-mf", "funk-svd", "svd++", "caser", "item2vec", "gru4rec", "max-pooled-rnn", "sasrec", "narm", "content-gru"])
def test_with_all_items_as_candidates_it_ranks_as_the_model_does(name):
    recbook.seed_everything(0)
    data = goods(items_return=True)
    options = {"text": "bag", "categories": ()} if name == "content-gru" else {}
    model = MODELS[name](USERS, ITEMS, dim=8, **options)
    if "svd" not in name:                                               # these start from the mean rating
        model.start(recbook.everything(data))
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    model.eval()
    context = data.history("user 3", model.reads)
    with torch.no_grad():
        assert_close(model.question(context) @ model.answers().T, model.scores(context), rtol=1e-4, atol=1e-4)
    best, _ = model.top(context, 10)
    assert ShopFront(data, model).recommend("user 3").tolist() == best[0].tolist()
    assert ShopFront(data, model, model, candidates=40).recommend("user 3").tolist() == best[0].tolist()


@pytest.mark.parametrize("parts", [{"text": "bag"}, {"text": "cnn", "ids": True}, {"text": "bag", "profile": ("age",)}])
def test_a_keras_model_of_content_is_searched(parts):
    """It finds what it ranks first itself, and what its twin in PyTorch finds."""
    pytest.importorskip("keras")
    import recbook.keras

    recbook.seed_everything(0)
    ages = pd.DataFrame({"user": [f"user {user}" for user in range(USERS)], "age": ["old", "young", "old"] * 10})
    data = goods(users=ages)
    options = {"categories": (), "dim": 8, "hidden": 8, "length": 3, "n_words": 300, "n_values": 5} | parts
    model = recbook.ContentGRU(USERS, ITEMS, **options).eval()
    model.start(recbook.everything(data))
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    twin = recbook.keras.ContentGRU(USERS, ITEMS, **options)
    twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})
    context = data.history("user 3", 3)
    np.testing.assert_allclose(twin.question(context) @ twin.answers().T, twin.scores(context), rtol=1e-4, atol=1e-4)
    fronts = [ShopFront(data, one) for one in (twin, model)]
    found = fronts[0].recommend("user 3").tolist()
    ranked = np.argsort(-twin.scores(context)[0], kind="stable")
    assert found == ranked[~np.isin(ranked, context.items)][:10].tolist()
    for asked in (("user 3",), ("user 3", [100, 4]), ("somebody else", [100]), (None,)):
        assert fronts[0].recommend(*asked).tolist() == fronts[1].recommend(*asked).tolist()
    assert len(ShopFront(data, Near(), twin).recommend(None, [100], k=5)) == 5
    assert ShopFront(data, twin, twin).recommend("user 3").tolist() == found


class Watched:
    """A model of which it is remembered which candidates it was asked for."""

    def __init__(self, model, monkeypatch):
        self.asked, scores = [], model.scores
        monkeypatch.setattr(model, "scores", lambda context, items=None: self.asked.append(items) or scores(context, items))


@pytest.mark.parametrize("kind", ["weighted", "weighted, solved at once", "half", "switching", "cascade", "newcomers"])
def test_a_hybrid_orders_the_candidates_as_it_would_order_them_among_all(kind, monkeypatch):
    """And products and switching are never asked for more than these."""
    recbook.seed_everything(0)
    data = goods()
    split = recbook.everything(data)
    neural, content = recbook.GRU4Rec(USERS, ITEMS, dim=8, hidden=8), recbook.SASRec(USERS, ITEMS, dim=8, length=5)
    ease = recbook.EASE(USERS, ITEMS, l2=1.0).fit(split)
    hybrid = {"weighted": lambda: recbook.Weighted(neural, content, 0.4),
              "weighted, solved at once": lambda: recbook.Weighted(ease, content, 0.4),
              "half": lambda: recbook.Weighted(neural, content, 0.9, half=2, met=[3] * USERS),
              "switching": lambda: recbook.Switching(ease, content, enough=4),
              "cascade": lambda: recbook.Cascade(neural, content, kept=30),
              "newcomers": lambda: recbook.Newcomers(neural, content, np.arange(ITEMS), enough=20)}[kind]()
    front = ShopFront(data, Near(), hybrid, candidates=40)
    watched = Watched(neural, monkeypatch), Watched(content, monkeypatch), Watched(ease, monkeypatch)
    for user, recent in (("user 3", []), ("user 3", [90, 91]), ("somebody else", [50, 60])):
        shown = front.recommend(user, recent, k=12)
        if kind in ("weighted", "half", "switching"):
            assert all(items is not None for one in watched for items in one.asked)
        row = data.find_user(user)
        history = [3, 4, 5, *recent] if row is not None else recent
        context = recbook.Context(users=None if row is None else torch.tensor([row]), items=torch.tensor([history]))
        found = front.search(recbook.Context(items=torch.tensor([history])), ~np.isin(np.arange(ITEMS), history), 12)
        with torch.no_grad():
            whole = hybrid.scores(context)[0].numpy()
        for one in watched:
            one.asked.clear()
        assert shown.tolist() == found[np.argsort(-whole[found], kind="stable")][:12].tolist()


@pytest.mark.parametrize("name", ["ials", "pure-svd"])
def test_closed_forms_are_searched_too(name):
    data = goods()
    model = MODELS[name](USERS, ITEMS, dim=8).fit(recbook.everything(data))
    context = data.history("user 3")
    assert_close(model.question(context) @ model.answers().T, model.scores(context))
    assert ShopFront(data, model).recommend("user 3").tolist() == model.top(context, 10, context.items)[0][0].tolist()


def test_somebody_new_is_not_asked_of_a_model_that_has_a_vector_of_each_user():
    data, model = goods(), recbook.BPRMF(USERS, ITEMS, dim=8)
    popular = ShopFront(data, model).recommend(None, k=5).tolist()
    assert ShopFront(data, model).recommend("somebody else", [100], k=5).tolist() == popular
    found = ShopFront(data, Near()).recommend(None, [100], k=5).tolist()
    assert ShopFront(data, Near(), model).recommend(None, [100], k=5).tolist() == found


def test_models_of_other_items_are_refused():
    """Of another number of items, and of as many that are called otherwise."""
    for front in (lambda model: ShopFront(goods(), model), lambda model: ShopFront(goods(), Near(), model)):
        with pytest.raises(ModelError, match="SASRec ranks 201 items, and goods has 200"):
            front(recbook.SASRec(USERS, ITEMS + 1))
        other = goods()
        other.items["original"] = [f"other {number}" for number in range(ITEMS)]
        with pytest.raises(ModelError, match="was trained on other items than these"):
            front(recbook.IALS(USERS, ITEMS).fit(recbook.everything(other)))


@pytest.mark.parametrize("name", ["popularity", "ease", "attentive-gru", "neumf"])
def test_what_cannot_be_searched_is_refused(name):
    with pytest.raises(ModelError, match="no products"):
        ShopFront(goods(), MODELS[name](USERS, ITEMS))


@pytest.mark.parametrize("ask, error, message", [
    (lambda front: front.recommend("user 1", k=0), ModelError, "k=0"),
    (lambda front: front.recommend("user 1", [200]), DataError, "item 200; items are 0 to 199"),
    (lambda front: front.recommend("user 1", [-1]), DataError, "item -1"),
    (lambda front: front.recommend("user 1", ["whole milk"]), DataError, "recent holds item 'whole milk'; items are 0"),
    (lambda front: front.recommend("user 1", "whole milk"), DataError, "recent holds item 'whole milk'"),
    (lambda front: front.recommend("user 1", [1.5]), DataError, "item 1.5"),
    (lambda front: front.recommend("user 1", 5), DataError, "item 5"),
    (lambda front: front.recommend("user 1", k=2.5), ModelError, "k=2.5"),
    (lambda front: ShopFront(goods(), Near(), candidates="x"), ModelError, "candidates='x'"),
    (lambda front: ShopFront(goods(), Near(), candidates=0), ModelError, "candidates=0")])
def test_what_cannot_be_asked(ask, error, message):
    with pytest.raises(error, match=message):
        ask(ShopFront(goods(), Near()))


def test_an_answer_takes_no_time_to_speak_of():
    """A loose bound; `benchmarks/shop_front.py` measures."""
    recbook.seed_everything(0)
    model = recbook.GRU4Rec(USERS, ITEMS, dim=16, hidden=16)
    front = ShopFront(goods(), model, model)
    front.recommend("user 1")
    start = time.perf_counter()
    for _ in range(20):
        front.recommend("user 1")
    assert (time.perf_counter() - start) / 20 < 0.25
