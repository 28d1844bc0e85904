"""What every model can do."""

import inspect

import numpy as np
import pandas as pd
import pytest
import torch

import recbook
from recbook import MODELS, Recommender
from recbook.data.splits import Context
from recbook.errors import DataError, ModelError, UnknownName
from recbook.models import find_model
from recbook.settings import SETTINGS
from recbook.models.base import highest, interaction_matrix, products, select


class Fixed(Recommender):
    """Gives everyone the same scores."""

    def __init__(self, given):
        super().__init__()
        self.given = given

    def scores(self, context, items=None):
        return select(torch.tensor(self.given).expand(len(context), -1), items)


TWO = Context(users=torch.tensor([0, 1]))


def test_top_is_the_best_items_with_their_scores_best_first():
    items, scores = Fixed([0.1, 0.9, -1.0, 0.5]).top(TWO, k=2)
    assert items.tolist() == [[1, 3], [1, 3]]
    torch.testing.assert_close(scores, torch.tensor([[0.9, 0.5]] * 2))


@pytest.mark.parametrize("width", [2559, 2560, 3001])
@pytest.mark.parametrize("left", [0.0, 0.5, 0.999])
def test_the_highest_of_many_columns_are_those_of_topk(width, left):
    torch.manual_seed(0)
    scores = torch.randn(40, width).masked_fill(torch.rand(40, width) < left, -torch.inf)
    scores[0, -1] = 9.0                                                 # behind the last whole piece
    scores[1] = scores[1].round()                                       # many ties
    values, columns = highest(scores, 10)
    assert torch.equal(values, scores.topk(10, dim=1).values) and torch.equal(scores.gather(1, columns), values)
    assert all(len(set(row)) == 10 for row in columns.tolist())


def test_top_leaves_out_what_each_case_excludes():
    exclude = torch.tensor([[1, -1], [3, 0]])
    assert Fixed([0.1, 0.9, -1.0, 0.5]).top(TWO, k=2, exclude=exclude)[0].tolist() == [[3, 0], [1, 2]]


def test_a_question_goes_to_where_the_model_is():
    class Elsewhere(Recommender):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.zeros(4, device="meta"))

        def scores(self, context, items=None):
            self.asked_on = {value.device.type for value in vars(context).values() if value is not None}
            return self.weight.expand(len(context), -1)

    model = Elsewhere()
    model.top(Context(users=torch.tensor([0]), items=torch.tensor([[1]]), now=torch.tensor([5])), k=2)
    assert model.asked_on == {"meta"}


def test_excluding_does_not_change_the_models_own_scores():
    model = Fixed([0.1, 0.9])
    model.top(TWO, k=1, exclude=torch.tensor([[1], [1]]))
    assert model.scores(TWO)[0, 1] == torch.tensor(0.9)


def test_more_items_than_there_are_cannot_be_asked_for():
    with pytest.raises(ModelError, match="best 5 of 4 items"):
        Fixed([0.1, 0.9, -1.0, 0.5]).top(TWO, k=5)


@pytest.mark.parametrize("asked, says", [
    ({"k": 0}, "k=0: a whole number"), ({"k": 1.5}, "k=1.5"), ({"k": "3"}, "k='3'"), ({"k": True}, "k=True"),
    ({"items": [4]}, "items holds item 4; items are 0 to 3"), ({"items": [-1]}, "items holds item -1"),
    ({"items": ["a"]}, "items holds what is no number"), ({"items": [0.5]}, "items holds 0.5"),
    ({"exclude": [[4], [0]]}, "exclude holds item 4"), ({"exclude": [[0]]}, "exclude has the shape .1, 1.; for 2 cases"),
    ({"exclude": [0, 1]}, "exclude has the shape"),
])
def test_what_cannot_be_asked_for_is_named(asked, says):
    with pytest.raises(ModelError, match=says):
        Fixed([0.1, 0.9, -1.0, 0.5]).top(TWO, **{"k": 2} | asked)


def test_lists_serve_as_well_as_tensors():
    model = Fixed([0.1, 0.9, -1.0, 0.5])
    assert model.top(TWO, k=2, exclude=[[1, -1], [3, 0]])[0].tolist() == [[3, 0], [1, 2]]
    assert model.top(TWO, k=2, items=[])[0].tolist() == [[-1, -1]] * 2


def test_a_model_without_scores_says_so():
    with pytest.raises(ModelError, match="Recommender cannot rank items"):
        Recommender().scores(TWO)


def test_select_and_products_agree_on_all_three_kinds_of_candidates():
    vectors, table = torch.randn(2, 3), torch.randn(5, 3)
    full = products(vectors, table, None)
    for items in (torch.tensor([4, 0]), torch.tensor([[1, 1, 2], [3, 0, 4]])):
        torch.testing.assert_close(products(vectors, table, items), select(full, items))


def test_a_history_is_a_row_of_zeros_and_ones():
    history = torch.tensor([[2, 0, 2], [-1, -1, -1], [3, -1, -1]])
    assert interaction_matrix(history, 4).tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert interaction_matrix(torch.zeros(2, 0, dtype=torch.long), 3).tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_rebuilt_from_its_config(name):
    model = MODELS[name](4, 6)
    again = type(model)(**model.config)
    assert again.config == model.config
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in again.state_dict().items()} == shapes


READING = [name for name in MODELS if "reads" in inspect.signature(MODELS[name]).parameters]


@pytest.mark.parametrize("name", READING)
def test_a_model_reads_as_many_of_the_latest_events_as_it_is_told(name):
    """Also of a context that holds more; what it does not read changes nothing."""
    rng = np.random.default_rng(0)
    events = [(user, item) for user in range(30) for item in rng.permutation(12)[:8]]
    frame = pd.DataFrame(events, columns=["user", "item"])
    items = pd.DataFrame({"item": range(12), "category": [f"kind {item % 4}" for item in range(12)]})
    split = recbook.everything(recbook.from_frame(frame, items=items))
    options = {"dim": 4} if "dim" in inspect.signature(MODELS[name]).parameters else {}
    model = MODELS[name](30, 12, reads=2, **options).fit(split)
    longer = Context(users=torch.tensor([0, 1]), items=torch.tensor([[3, 7, 1, 5], [9, 4, -1, -1]]))
    shorter = Context(users=torch.tensor([0, 1]), items=torch.tensor([[1, 5], [9, 4]]))
    other = Context(users=torch.tensor([0, 1]), items=torch.tensor([[3, 7, 5, 1], [9, 6, 0, -1]]))
    torch.testing.assert_close(model.scores(longer), model.scores(shorter))
    assert not torch.allclose(model.scores(longer), model.scores(other))
    assert model.reads == 2 and model.config["reads"] == 2


def test_there_are_models_that_read_what_they_are_told():
    assert {"personal-popularity", "pure-svd", "ease", "ials", "item-knn", "user-knn", "rp3beta"} <= set(READING)


@pytest.mark.parametrize("reads", [0, -1, 2.5, "five", True])
@pytest.mark.parametrize("name", READING)
def test_a_number_of_events_that_nobody_can_read_is_refused(name, reads):
    with pytest.raises(ModelError, match="reads="):
        MODELS[name](4, 6, reads=reads)


def test_a_wrong_name_names_the_nearest_model():
    assert find_model("bpr-mf") is MODELS["bpr-mf"]
    with pytest.raises(UnknownName, match="Did you mean 'bpr-mf'"):
        find_model("bprmf")


# ------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize("name", MODELS)
def test_no_setting_that_cannot_be_gets_into_a_model(name):
    """Of every kind of setting: one line with its name, before anything is built."""
    wrong = {int: (0, -2, 2.5, "abc", True, None), float: (-5.0, "x", float("nan")), bool: (1, "yes"),
             tuple: ("a", 7, (8.5, 4), (True,))}
    for setting, parameter in inspect.signature(MODELS[name]).parameters.items():
        for value in wrong.get(type(parameter.default), ()):
            if setting in ("negatives", "seed") and value == 0 and value is not True:
                continue
            if parameter.default == () and value == ():
                continue
            sizes = {size: 5 for size in ("n_users", "n_items") if size != setting}
            with pytest.raises(ModelError, match=f"^{setting}="):
                MODELS[name](**sizes | {setting: value})


def test_every_setting_of_every_model_has_a_kind():
    """Those that name something (a cell, a similarity, a kind of change) are checked where the names are."""
    named = {"cell", "similarity", "keeps", "by", "text", "change"}
    settings = {setting for cls in MODELS.values() for setting in inspect.signature(cls).parameters}
    assert settings - set(SETTINGS) == named


@pytest.mark.parametrize("name", ["ease", "item-knn", "user-knn", "pure-svd", "ials", "rp3beta", "item2vec", "sasrec", "gru4rec",
                                  "svd++", "caser", "personal-popularity", "content-profile"])
def test_an_item_of_another_data_set_is_refused_in_words(name):
    dataset = recbook.load("shop", n_users=60, n_events=3000)
    model = recbook.models.find_model(name)(dataset.n_users, dataset.n_items)
    for item in (dataset.n_items, dataset.n_items + 40):
        context = recbook.Context(users=torch.tensor([0]), items=torch.tensor([[3, item]]), now=torch.tensor([0]))
        with pytest.raises(ModelError, match=f"item {item}"):
            model.top(context, k=3)


@pytest.mark.parametrize("name", ["bpr-mf", "logistic-mf", "funk-svd", "svd++", "gmf", "neumf", "caser", "bias"])
def test_a_user_of_another_data_set_is_refused_in_words(name):
    dataset = recbook.load("shop", n_users=60, n_events=3000)
    model = recbook.models.find_model(name)(dataset.n_users, dataset.n_items)
    with pytest.raises(ModelError, match="user 60 is asked for, and the model knows 0 to 59"):
        model.top(recbook.Context(users=torch.tensor([60]), items=torch.tensor([[3]])), k=3)


@pytest.mark.parametrize("name", ["bpr-mf", "svd++", "gmf", "neumf", "caser", "bias"])
def test_a_question_without_a_user_is_refused_in_words(name):
    model = recbook.models.find_model(name)(4, 6)
    with pytest.raises(ModelError, match="knows users by their number: context.users is missing"):
        model.top(recbook.Context(items=torch.tensor([[3]])), k=3)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_other_sizes_is_not_fitted(name):
    """Fewer items than there are, or more: nothing is learned from the rows that happen to fit."""
    dataset = recbook.load("shop", n_users=60, n_events=3000)
    split = recbook.by_time(dataset)
    for users, items, says in ((dataset.n_users, 300, "made for 300 items, and shop has 360"),
                               (dataset.n_users, 400, "made for 400 items"), (61, dataset.n_items, "made for 61 users")):
        with pytest.raises(ModelError, match=says):
            recbook.fit(MODELS[name](users, items), split, epochs=1, progress=False)
    with pytest.raises(ModelError, match="is fitted to a split, not to a Dataset: recbook.everything"):
        recbook.fit(MODELS[name](dataset.n_users, dataset.n_items), dataset, progress=False)


def test_a_model_beyond_all_memory_is_refused_in_words():
    with pytest.raises(ModelError, match="BPRMF of n_users=20, n_items=20, dim=999999999999999 needs more memory than there"):
        recbook.BPRMF(20, 20, dim=999999999999999)
    for name in ("bpr-mf", "sasrec", "ials"):
        with pytest.raises(ModelError, match="dim=99999999999999999999: too large a number for 64 bits"):
            recbook.models.find_model(name)(20, 20, dim=99999999999999999999)


@pytest.mark.parametrize("name", ["bias", "funk-svd", "svd++", "knn-baseline"])
def test_a_model_of_ratings_says_that_there_are_none(name):
    for ratings, says in ({}, "has no ratings; models of clicks"), ({"stars": [None] * 8, "what": "view"}, "has a rating"):
        frame = pd.DataFrame({"user": [0] * 4 + [1] * 4, "item": [0, 1, 2, 3] * 2} | ratings)
        data = recbook.from_frame(frame, rating="stars" if ratings else None, behaviour="what" if ratings else None)
        with pytest.raises(DataError, match=says):
            recbook.fit(recbook.models.find_model(name)(2, 4), recbook.leave_last_out(data), epochs=1, progress=False)
