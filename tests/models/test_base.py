"""What every model can do."""

import pytest
import torch

from recbook import MODELS, Recommender
from recbook.data.splits import Context
from recbook.errors import ModelError, UnknownName
from recbook.models import find_model
from recbook.models.base import interaction_matrix, products, select


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


def test_top_leaves_out_what_each_case_excludes():
    exclude = torch.tensor([[1, -1], [3, 0]])
    assert Fixed([0.1, 0.9, -1.0, 0.5]).top(TWO, k=2, exclude=exclude)[0].tolist() == [[3, 0], [1, 2]]


def test_excluding_does_not_change_the_models_own_scores():
    model = Fixed([0.1, 0.9])
    model.top(TWO, k=1, exclude=torch.tensor([[1], [1]]))
    assert model.scores(TWO)[0, 1] == torch.tensor(0.9)


def test_more_items_than_there_are_cannot_be_asked_for():
    with pytest.raises(ModelError, match="best 5 of 4 items"):
        Fixed([0.1, 0.9, -1.0, 0.5]).top(TWO, k=5)


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


def test_a_wrong_name_names_the_nearest_model():
    assert find_model("bpr-mf") is MODELS["bpr-mf"]
    with pytest.raises(UnknownName, match="Did you mean 'bpr-mf'"):
        find_model("bprmf")
