"""Neighbours of clicks, friends and content: by hand, and against dense arithmetic that takes one pair at a time."""

import builtins
import importlib
import json
import time

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import recbook
from recbook import ContentProfile, Friends, ItemKNN, RP3Beta, UserKNN
from recbook.data.splits import Context, everything
from recbook.errors import ModelError, UnknownName
from recbook.models.sparse import Lists, like_sizes

# Who met what: users a, b, c, d in rows, items 0 .. 4 in columns; nobody met item 4.
MET = np.array([[1, 1, 0, 0, 0],
                [1, 1, 1, 0, 0],
                [0, 1, 1, 0, 0],
                [0, 0, 1, 1, 0]])


def split_of(met, friends=None, **features):
    """All of a 0/1 matrix as training."""
    user, item = np.nonzero(met)
    items = pd.DataFrame({"item": np.arange(met.shape[1]), **features})
    users = pd.DataFrame({"user": np.arange(met.shape[0])})
    if friends is not None:
        friends = pd.DataFrame(friends, columns=["user", "friend"])
    met = pd.DataFrame({"user": user, "item": item})
    return everything(recbook.from_frame(met, "small", items=items, users=users, friends=friends))


def ask(*histories, users=None):
    """A context of histories of any lengths."""
    length = max(map(len, histories))
    items = torch.tensor([[*history] + [-1] * (length - len(history)) for history in histories], dtype=torch.long)
    return Context(users=None if users is None else torch.tensor(users), items=items.reshape(len(histories), length))


def built(model, met=MET, **options):
    return model(*met.shape, **options).fit(split_of(met))


CLICKS = (ItemKNN, UserKNN, RP3Beta)


def test_neighbours_weighed_as_bars_does_are_means():
    """Against the dense arithmetic of its code, where all items but the candidate are neighbours."""
    met = MET[:, :3].astype(float)
    model = built(importlib.import_module("experiments.gowalla").ItemKNNOfMeans, MET[:, :3], k=2)
    length = np.linalg.norm(met, axis=0)
    near = ((met.T @ met) / np.outer(length, length) + 1) / 2 * (1 - np.eye(3))
    near /= near.sum(1, keepdims=True)
    mean = met.mean(0)
    expected = (near @ (met - mean).T).T + mean
    assert_close(model.scores(ask([0, 1], [0, 1, 2])), torch.from_numpy(expected[:2]).float())


# ------------------------------------------------------------------------------------------------ by hand


def test_item_similarities_by_hand():
    """Items were met by 2, 3, 3, 1, 0 users. Together: 0 and 1 twice, 0 and 2 once, 1 and 2 twice, 2 and 3 once.

    Cosines: 0, 1: 2 / sqrt(6) = .8165; 0, 2: 1 / sqrt(6) = .4082; 1, 2: 2 / 3; 2, 3: 1 / sqrt(3) = .5774.
    """
    model = built(ItemKNN, k=2)
    assert model.neighbours.tolist() == [[1, 2], [0, 2], [1, 3], [2, -1], [-1, -1]]
    expected = [[.8165, .4082], [.8165, .6667], [.6667, .5774], [.5774, 0], [0, 0]]
    assert model.weight.numpy() == pytest.approx(np.array(expected), abs=1e-4)


def test_a_candidate_asks_its_own_neighbours():
    """Item 1 has neighbour 0 (.8165) of the history; item 2 has not, though it is one of the two nearest of item 0."""
    assert built(ItemKNN, k=2).scores(ask([0]))[0].tolist() == pytest.approx([0, .8165, 0, 0, 0], abs=1e-4)
    assert built(ItemKNN, k=3).scores(ask([0]))[0].tolist() == pytest.approx([0, .8165, .4082, 0, 0], abs=1e-4)
    assert built(ItemKNN, k=2).scores(ask([0, 2]))[0].tolist() == pytest.approx([.4082, 1.4832, 0, .5774, 0], abs=1e-4)


def test_shrinkage_and_jaccard_by_hand():
    """0 and 1: 2 / (sqrt(6) + 1) = .5798; Jaccard: two users of the three who met either."""
    assert float(built(ItemKNN, shrink=1.0).scores(ask([0]))[0, 1]) == pytest.approx(0.5798, abs=1e-4)
    assert float(built(ItemKNN, similarity="jaccard").scores(ask([0]))[0, 1]) == pytest.approx(2 / 3)
    assert float(built(ItemKNN, similarity="jaccard", shrink=1.0).scores(ask([0]))[0, 1]) == pytest.approx(2 / 4)


def test_user_neighbours_by_hand():
    """History {0, 1} beside b = {0, 1, 2}: 2 / sqrt(2 * 3) = .8165; beside c = {1, 2}: 1 / 2; d shares nothing."""
    model = built(UserKNN, k=4)
    scores = model.scores(ask([0, 1], users=[0]))                       # a's own history: a does not count
    assert scores[0].tolist() == pytest.approx([.8165, 1.3165, 1.3165, 0, 0], abs=1e-4)
    stranger = model.scores(ask([0, 1]))                                # a is similar by 1
    assert stranger[0].tolist() == pytest.approx([1.8165, 2.3165, 1.3165, 0, 0], abs=1e-4)
    nearest = built(UserKNN, k=1).scores(ask([0, 1], users=[0]))
    assert nearest[0].tolist() == pytest.approx([.8165, .8165, .8165, 0, 0], abs=1e-4)


def test_the_walk_by_hand():
    """From 0 to 2 by b alone: 1/2 to b, 1/3 to 2 is 1/6. From 0 to 1 by a and b: 1/2 1/2 + 1/2 1/3 = 5/12.

    Both 1 and 2 were met by three: divided by 3^beta.
    """
    scores = built(RP3Beta, beta=0.0).scores(ask([0]))[0]
    assert scores.tolist() == pytest.approx([0, 5 / 12, 1 / 6, 0, 0])
    assert built(RP3Beta, beta=1.0).scores(ask([0]))[0].tolist() == pytest.approx([0, 5 / 36, 1 / 18, 0, 0])
    squared = built(RP3Beta, alpha=2.0, beta=0.0).scores(ask([0]))[0]
    assert squared.tolist() == pytest.approx([0, 1 / 16 + 1 / 36, 1 / 36, 0, 0])


# ------------------------------------------------------------------------------------------------ one pair at a time


matrices = st.tuples(st.integers(2, 7), st.integers(2, 7), st.integers(0, 2**32 - 1)).map(
    lambda drawn: np.random.default_rng(drawn[2]).random(drawn[:2]) < 0.5).filter(lambda met: met.any())


def alike(first, second, name, shrink):
    both, either = (first & second).sum(), (first | second).sum()
    below = (np.sqrt(first.sum() * second.sum()) if name == "cosine" else either) + shrink
    return both / below if both else 0.0


@settings(max_examples=60, deadline=None)
@given(met=matrices, name=st.sampled_from(["cosine", "jaccard"]), shrink=st.sampled_from([0.0, 2.5]))
def test_all_neighbours_are_plain_sums(met, name, shrink):
    """With k as large as it gets, a score is a sum over pairs; every user asks with the own history."""
    users, items = met.shape
    context = ask(*[np.flatnonzero(row).tolist() for row in met], users=list(range(users)))
    by_items = built(ItemKNN, met, k=20, similarity=name, shrink=shrink).scores(context)
    by_users = built(UserKNN, met, k=20, similarity=name, shrink=shrink).scores(context)
    for user in range(users):
        for item in range(items):
            expected = sum(alike(met[:, item], met[:, other], name, shrink)
                           for other in np.flatnonzero(met[user]) if other != item)
            assert float(by_items[user, item]) == pytest.approx(expected, abs=1e-5)
            expected = sum(alike(met[user], met[other], name, shrink)
                           for other in np.flatnonzero(met[:, item]) if other != user)
            assert float(by_users[user, item]) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(met=matrices, alpha=st.sampled_from([0.5, 1.0, 1.3]), beta=st.sampled_from([0.0, 0.6]), k=st.integers(1, 9))
def test_the_walk_is_a_product_of_transition_matrices(met, alpha, beta, k):
    to_item = (met / np.maximum(met.sum(1, keepdims=True), 1)) ** alpha
    to_user = (met.T / np.maximum(met.sum(0)[:, None], 1)) ** alpha
    walk = to_user @ to_item / np.maximum(met.sum(0), 1) ** beta        # (from i, to j)
    np.fill_diagonal(walk, 0)
    least = np.sort(walk, axis=0)[-min(k, len(walk)):][0]               # each column keeps its k largest
    history = list(range(0, met.shape[1], 2))
    scores = built(RP3Beta, met, k=k, alpha=alpha, beta=beta).scores(ask(history))[0].numpy()
    above = np.where(walk > least * (1 + 1e-6), walk, 0)[history].sum(0)
    upper = np.where(walk >= least * (1 - 1e-6), walk, 0)[history].sum(0)
    assert (scores >= above - 1e-5).all() and (scores <= upper + 1e-5).all()        # ties may fall either way


@pytest.mark.parametrize("model", CLICKS)
def test_fewer_neighbours_are_the_best_of_all(model):
    """k = 1: the score of a candidate (or of what one user met) is one weight, the largest of all."""
    met = np.random.default_rng(3).random((30, 12)) < 0.4
    one, every = built(model, met, k=1), built(model, met, k=40)
    if model is UserKNN:
        weights = one.scores(ask([1, 4, 7]))[0]
        assert len(set(weights.round(decimals=5).tolist())) == 2        # 0, or the similarity of the nearest
        return
    assert_close(one.weight[:, 0], every.weight.max(1).values)
    assert_close(one.neighbours[:, 0], every.neighbours[:, 0])


# ------------------------------------------------------------------------------------------------ what may go wrong


@pytest.mark.parametrize("model", CLICKS)
def test_k_beyond_the_catalogue_an_empty_history_and_an_unmet_item(model):
    model = built(model, k=100)
    assert model.scores(ask([], [])).tolist() == model.scores(ask([-1], [-1])).tolist() == [[0.0] * 5] * 2
    assert model.scores(ask([4])).tolist() == [[0.0] * 5]               # nobody met item 4
    assert model.scores(ask([0, 1, 2, 3, 4]))[0, 4] == 0
    assert model.scores(ask([0]))[0, 1] > 0


@pytest.mark.parametrize("build", [*CLICKS, Friends, ContentProfile])
def test_candidates_are_columns_of_the_whole(build):
    split = split_of(MET, friends=[[0, 1], [0, 3], [1, 2], [2, 3]], category=["x", "y", "x", "y", "y"])
    model = build(*MET.shape).fit(split)
    context = ask([0, 1], [2], [3, 0, 1], users=[0, 1, 2])
    whole = model.scores(context)
    assert whole.shape == (3, 5) and len(whole.unique()) > 3
    assert_close(model.scores(context, torch.tensor([3, 1])), whole[:, [3, 1]])
    each = torch.tensor([[0, 4], [1, 1], [3, 2]])
    assert_close(model.scores(context, each), whole.gather(1, each))


@pytest.mark.parametrize("build", [*CLICKS, ContentProfile])
def test_order_repeats_and_padding_of_a_history_do_not_matter(build):
    split = split_of(MET, text=["red shoe", "red hat", "blue hat", "green shoe", "blue coat"])
    model = build(*MET.shape).fit(split)
    expected = model.scores(ask([0, 2]))
    assert_close(model.scores(ask([2, -1, 0, 2, 0, -1])), expected)
    assert (model.scores(ask([0])) - expected).abs().max() > 1e-3


def test_many_cases_are_taken_in_parts(monkeypatch):
    model, context = built(UserKNN), ask([0], [1, 2], [3], [0, 1, 2], [2], users=[0, 1, 2, 3, 0])
    whole, sizes, all_scores = model.scores(context), [], model.all_scores
    monkeypatch.setattr("recbook.models.neighbours.BLOCK", 8)           # of four users: two cases at a time
    monkeypatch.setattr(model, "all_scores", lambda part: (sizes.append(len(part)), all_scores(part))[1])
    assert_close(model.scores(context), whole)
    assert sizes == [2, 2, 1]


def test_a_second_fit_forgets_the_first():
    model = built(ItemKNN)
    model.fit(split_of(MET[:, [1, 0, 2, 3, 4]]))
    assert_close(model.weight, built(ItemKNN, MET[:, [1, 0, 2, 3, 4]]).weight)
    fewer = np.array([[1, 1, 0, 0, 0]] + [[0, 0, 0, 0, 1]] * 3)
    assert model.fit(split_of(fewer)).neighbours[2].tolist() == [-1] * 50


@pytest.mark.parametrize("model", [*CLICKS, recbook.RatingKNN, recbook.KNNBaseline])
@pytest.mark.parametrize("k", [0, -1])
def test_no_neighbours_are_refused(model, k):
    with pytest.raises(ModelError, match=f"k={k}: a whole number of at least 1"):
        model(2, 2, k=k)


def test_an_unknown_similarity_is_refused():
    with pytest.raises(UnknownName, match="Did you mean 'cosine'"):
        ItemKNN(2, 2, similarity="cosin")
    with pytest.raises(UnknownName, match="similarity"):
        UserKNN(2, 2, similarity="")


# ------------------------------------------------------------------------------------------------ friends


def test_friends_by_hand():
    """a names b and c, b names c: the tie to c weighs 2 as b, a friend of a, names c too; the tie to b weighs 1.

    Items were met by 2, 3, 3, 1, 0 of them: popularity 2/3, 1, 1, 1/3, 0. b met 0, 1, 2; c met 1, 2.
    """
    model = Friends(4, 5, prior=0.3).fit(split_of(MET, friends=[[0, 1], [0, 2], [1, 2]]))
    scores = model.scores(ask([], [], users=[0, 3]))
    assert scores[0].tolist() == pytest.approx([1 / 3 + 0.2, 1 + 0.3, 1 + 0.3, 0.1, 0])
    assert scores[1].tolist() == pytest.approx([0.2, 0.3, 0.3, 0.1, 0])             # no friends: popularity


def test_a_tie_has_a_direction():
    model = Friends(4, 5, prior=0.0).fit(split_of(MET, friends=[[0, 3]]))
    assert model.scores(ask([], [], users=[0, 3])).tolist() == [[0, 0, 1, 1, 0], [0, 0, 0, 0, 0]]


def test_a_user_without_history_has_friends():
    met = np.vstack([MET, np.zeros(5, dtype=int)])
    model = Friends(5, 5).fit(split_of(met, friends=[[4, 3]]))
    assert model.scores(ask([], users=[4]))[0].topk(2).indices.tolist() == [2, 3]   # what d met, the popular first


def test_without_friends_there_is_nothing_to_learn():
    with pytest.raises(ModelError, match="small has no friends"):
        Friends(4, 5).fit(split_of(MET))
    model = Friends(4, 5).fit(split_of(MET, friends=[[0, 1]]))
    with pytest.raises(ModelError, match="by their id"):
        model.scores(ask([0]))


# ------------------------------------------------------------------------------------------------ content


WORDS = ["red shoe", "red hat", "blue hat", "green shoe", ""]


def test_content_by_hand():
    """Categories alone: the profile of {0, 1, 2} is (2, 1) / 3, of length sqrt(5) / 3: cosines 2, 1 over sqrt(5)."""
    split = split_of(MET, category=["x", "x", "y", "y", None])
    scores = ContentProfile(4, 5, columns=("category",)).fit(split).scores(ask([0, 1, 2], []))
    assert scores[0].tolist() == pytest.approx([.8944, .8944, .4472, .4472, 0], abs=1e-4)
    assert scores[1].tolist() == [0.0] * 5


def test_words_are_weighted_by_how_rare_they_are():
    """idf = ln((1 + 5) / (1 + n)) + 1: red, hat, shoe in two texts 1.6931, blue and green in one 2.0986.

    red shoe is (.7071, .7071); green shoe (2.0986, 1.6931) / 2.6964 = (.7783, .6279): cosine .4440. red hat: .5.
    """
    split = split_of(MET, text=WORDS)
    scores = ContentProfile(4, 5).fit(split).scores(ask([0]))
    assert scores[0].tolist() == pytest.approx([1, .5, 0, .4440, 0], abs=1e-4)


def test_columns_count_alike():
    """The cosine over two columns is the mean of the cosines of each, where an item has both."""
    split = split_of(MET, text=WORDS, category=["x", "x", "y", "y", "y"])
    both = ContentProfile(4, 5).fit(split).scores(ask([0]))[0]
    text, category = (ContentProfile(4, 5, (name,)).fit(split).scores(ask([0]))[0] for name in ("text", "category"))
    assert_close(both[:4], (text + category)[:4] / 2)


def test_several_categories_in_one_value():
    """"Comedy|Drama", "Comedy,Drama" and ("Comedy", "Drama") are the same; a comma before a space parts nothing."""
    split = split_of(MET, category=["Comedy|Drama", "Comedy,Drama", ("Comedy", "Drama"), "Comedy", "Comedy, Inc."])
    scores = ContentProfile(4, 5).fit(split).scores(ask([0]))[0]
    assert scores[:3].tolist() == pytest.approx([1, 1, 1]) and 0.3 < scores[3] < 0.9 and scores[4] == 0


def test_only_the_most_frequent_words_are_kept():
    split = split_of(MET, text=["hat a1", "hat shoe", "hat shoe", "b2", "c3"])
    model = ContentProfile(4, 5, ("text",), n_features=2).fit(split)
    assert (model.item != 0).sum(0).tolist() == [3, 2]
    assert model.item.shape == (5, 2)


def test_numbers_are_categories_and_absent_columns_are_passed_over():
    split = split_of(MET, category=[1, 2, 1, 2, 3])
    assert ContentProfile(4, 5).fit(split).scores(ask([0]))[0].tolist() == [1, 0, 1, 0, 0]
    with pytest.raises(ModelError, match="none of the item columns text; it has original, category"):
        ContentProfile(4, 5, ("text",)).fit(split)


@pytest.mark.parametrize("texts", [[""] * 4, list("abcd"), ["☕", "🍵", "🫖", "🥤"], [1, 2, 3, 4], ["the", "of", 3, None]])
def test_texts_without_a_word_are_told(texts):
    rows = [(user, item) for user in range(8) for item in "pqrs"]
    items = pd.DataFrame({"item": list("pqrs"), "text": texts})
    data = recbook.from_frame(pd.DataFrame(rows, columns=["user", "item"]), items=items)
    model = recbook.ContentProfile(data.n_users, data.n_items, columns=("text",))
    if "the" in texts:
        assert model.fit(recbook.everything(data)).item.norm(dim=1).tolist() == pytest.approx([1, 1, 0, 0])     # a gap is none
        return
    with pytest.raises(ModelError, match="the items' 'text' holds no word of two letters or more"):
        model.fit(recbook.everything(data))


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def absent(name, *arguments, **options):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ModelError, match=r"recbook\[book\]"):
        ContentProfile(4, 5).fit(split_of(MET, text=WORDS))


# ------------------------------------------------------------------------------------------------ lists, checkpoints


def test_lists_multiply_as_matrices_do():
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    dense = (rng.random((6, 8)) < 0.4).astype(np.float32)
    dense[2] = 0
    lists, table = Lists(6), torch.from_numpy(rng.normal(size=(8, 3))).float()
    lists.fill(sp.csr_matrix(dense))
    assert_close(lists.sums(table), torch.from_numpy(dense) @ table)
    assert lists.sizes().tolist() == dense.sum(1).tolist()
    weights = torch.arange(1, len(lists.columns) + 1).float()
    weighted = torch.zeros(6, 8)
    weighted[torch.from_numpy(dense) > 0] = weights
    assert_close(lists.sums(table, weights), weighted @ table)
    places = lists.places(torch.tensor([2, 5, 0]))
    for place, row in zip(places, (2, 5, 0)):
        assert lists.columns[place[place >= 0]].tolist() == np.flatnonzero(dense[row]).tolist()
    assert Lists(6).sums(table).tolist() == [[0.0] * 3] * 6


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.integers(1, 500))
def test_blocks_of_like_sizes_hold_every_row_once_and_little_padding(sizes, total):
    blocks = like_sizes(torch.tensor(sizes), total)
    assert sorted(torch.cat(blocks).tolist()) == list(range(len(sizes)))
    for block in blocks:
        chosen = torch.tensor(sizes)[block].clamp(min=1)
        assert chosen.max() * len(block) <= 2 * chosen.sum() and chosen[:-1].sum() <= total + chosen.max()


def models_of_every_kind(split):
    names = ("item-knn", "user-knn", "rp3beta", "knn-baseline", "friends", "content-profile")
    return [recbook.MODELS[name](split.n_users, split.n_items).fit(split) for name in names]


@pytest.fixture(scope="module")
def shop_split():
    return recbook.by_time(recbook.load("shop", n_users=60, n_events=4000))


def test_a_checkpoint_holds_the_training_data_that_a_model_needs(shop_split, tmp_path):
    context = shop_split.test.context(slice(20))
    for model in models_of_every_kind(shop_split):
        recbook.save_model(model, tmp_path / type(model).__name__)
        loaded, _ = recbook.load_model(tmp_path / type(model).__name__)
        assert type(loaded) is type(model) and loaded.config == model.config
        assert_close(loaded.scores(context), model.scores(context), rtol=0, atol=0)
        assert loaded.scores(context).unique().numel() > 20


def test_only_the_number_of_events_may_differ_in_a_checkpoint(tmp_path):
    recbook.save_model(built(UserKNN), tmp_path)
    path = tmp_path / "model.json"
    about = json.loads(path.read_text())
    for change, name in (({"n_users": 5}, "(items_of.starts|least)"), ({"n_items": 6}, "users_of.starts")):
        path.write_text(json.dumps(about | {"config": about["config"] | change}))
        with pytest.raises(ModelError, match=f"does not fit this UserKNN: {name} is"):
            recbook.load_model(tmp_path)
    path.write_text(json.dumps(about | {"model": "Friends", "config": {"n_users": 4, "n_items": 5}}))
    with pytest.raises(ModelError, match="does not fit this Friends"):
        recbook.load_model(tmp_path)


def test_neighbours_beat_popularity_where_the_truth_is_known():
    split = recbook.by_time(recbook.load("shop", n_users=300, n_events=20000))
    models = {"popularity": recbook.Popularity, "item": ItemKNN, "user": UserKNN}
    models = {name: model(300, split.n_items).fit(split) for name, model in models.items()}
    report = recbook.compare(models, split.test)
    assert report.better("item", than="popularity") and report.better("user", than="popularity")


def test_user_knn_lets_users_choose_whom_they_vote_for():
    """Ben's only neighbour is Cem, so that he has no vote for Ana, though he is the one most like her."""
    baskets = {"Ana": "ab", "Ben": "abcd", "Cem": "abcde"}
    pairs = [(who, item) for who, items in baskets.items() for item in items]
    data = recbook.from_frame(pd.DataFrame(pairs, columns=["user", "item"]))
    split = everything(data)
    ana = data.history("Ana")
    voted = {keeps: UserKNN(3, 5, k=1, keeps=keeps).fit(split).scores(ana)[0] for keeps in ("history", "user")}
    ben, cem = 2 / (2 * 4) ** 0.5, 2 / (2 * 5) ** 0.5                   # cosine with Ana
    assert ben > cem
    assert torch.allclose(voted["history"], torch.tensor([ben, ben, ben, ben, 0]))
    assert (voted["user"] == 0).all()


def test_user_knn_refuses_another_side():
    with pytest.raises(UnknownName, match="history, user"):
        UserKNN(3, 5, keeps="friend")


# ------------------------------------------------------------------------------------------------ other shapes


def test_rows_are_spread_as_a_product_says():
    draw = np.random.default_rng(0)
    matrix = sp.random_array((20, 30), density=0.2, rng=draw, format="csr")
    lists = recbook.models.sparse.Lists(20)
    lists.fill(matrix)
    rows = torch.tensor([[3, 5, -1], [-1, -1, -1], [3, 3, 19]])
    entries, scale = torch.from_numpy(matrix.data), torch.from_numpy(draw.random((3, 3)))
    chosen = np.zeros((3, 20))
    for case, place in zip(*np.nonzero(rows.numpy() >= 0)):
        chosen[case, rows[case, place]] += scale[case, place]
    assert np.allclose(lists.spread(rows, 30, entries, scale), chosen @ matrix.toarray())
    assert lists.spread(rows[:, :0], 30).shape == (3, 30)


@pytest.mark.parametrize("model", [recbook.ItemKNN, recbook.RP3Beta])
def test_neighbours_are_the_largest_of_a_dense_row(model):
    draw = np.random.default_rng(1)
    frame = pd.DataFrame([(u, i) for u in range(60) for i in draw.permutation(40)[:draw.integers(1, 9)]], columns=["user", "item"])
    split = recbook.everything(recbook.from_frame(frame))
    small = model(split.n_users, split.n_items, k=5).fit(split)
    weights = np.zeros((split.n_items, split.n_items))
    for rows, found in small.weights(split):
        weights[rows] = found.toarray()
    np.fill_diagonal(weights, 0)
    for item in range(split.n_items):
        best = sorted(np.flatnonzero(weights[item]), key=lambda other: (-np.float32(weights[item, other]), other))[:5]
        assert small.neighbours[item].tolist() == best + [-1] * (5 - len(best))
    history = split.dataset.history(split.dataset.users["original"].tolist())
    met = split.matrix().toarray()
    kept = np.zeros_like(weights)
    for item in range(split.n_items):
        own = small.neighbours[item][small.neighbours[item] >= 0]
        kept[item, own] = weights[item, own]
    assert np.allclose(small.scores(history), met @ kept.T, atol=1e-6)


def test_the_cost_of_neighbours_follows_the_events():
    """Four times the items and as many more users with as many events each: not sixteen times the seconds."""
    def seconds(times):
        draw = np.random.default_rng(0)
        users = np.repeat(np.arange(4000 * times), 6)
        frame = pd.DataFrame({"user": users, "item": draw.integers(0, 3000 * times, len(users))}).drop_duplicates()
        split = recbook.everything(recbook.from_frame(frame))
        start = time.process_time()
        model = recbook.ItemKNN(split.n_users, split.n_items).fit(split)
        model.scores(recbook.Context(items=torch.arange(2000 * 6).view(2000, 6) % split.n_items), torch.tensor([0]))
        return time.process_time() - start

    seconds(1)
    assert seconds(4) < 10 * seconds(1) + 0.1


@pytest.mark.parametrize("entries, scale", [(False, False), (True, False), (False, True), (True, True)])
def test_rows_are_added_up_alike_from_lists_and_from_a_table(entries, scale, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    matrix = (torch.rand(30, 20, generator=generator) < 0.3) * torch.rand(30, 20, generator=generator)
    lists = Lists(30)
    lists.fill(sp.csr_matrix(matrix.numpy()))
    rows = torch.randint(-1, 30, (40, 12), generator=generator)
    rows[3] = -1
    by = torch.rand(40, 12, generator=generator) if scale else None
    values = matrix[matrix > 0] if entries else None
    table = matrix if entries else (matrix > 0).float()
    expected = ((rows >= 0) * (by if scale else 1.0))[:, None] @ table[rows]    # (40, 1, 20)
    monkeypatch.setattr("recbook.models.sparse.CACHED", 30)                     # few ones at a time
    for found in (lists.spread(rows, 20, values, by), lists.spread_at_once(rows, 20, values, by),
                  lists.spread_table(rows, 20, values, by)):
        assert_close(found, expected[:, 0])
