"""Content models: by hand, against scikit-learn, on items that nobody has met, and on what cannot be read.

The bounds of the trained models are the mean of five seeds, and five standard deviations.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import recbook
from recbook import ContentGRU
from recbook.data import features
from recbook.data.splits import Context
from recbook.errors import DataError, ModelError
from recbook.models.content import BagOfWords, PictureCNN, TextCNN, TextLSTM, turned

USERS, ITEMS = 20, 12
TEXTS = ["a red phone", "a blue phone", "red red case", "", "one very long text of many words, all different from others",
         "телефон красный", "手机", "a case", "phone", "blue", "a red lamp", "lamp"]


def goods(n_items=ITEMS):
    """Users who walk round the items but the last two; items with words, categories, and pictures but the first."""
    rng = np.random.default_rng(0)
    counts = rng.integers(3, 11, USERS)
    user = np.repeat(np.arange(USERS), counts)
    step = np.arange(len(user)) - np.repeat(counts.cumsum() - counts, counts)
    items = pd.DataFrame({"item": range(n_items), "title": TEXTS[:n_items],
                          "category": [("phones", "cases", "lamps")[i % 3] for i in range(n_items)],
                          "brand": [None if i % 4 == 0 else "AB"[i % 2] for i in range(n_items)]})
    users = pd.DataFrame({"user": range(USERS), "age": ["young" if u % 2 else "old" for u in range(USERS)]})
    frame = pd.DataFrame({"user": user, "item": (5 * user + step) % (n_items - 2)})
    pictures = rng.integers(0, 256, (n_items, 32, 32, 3)).astype(np.uint8)
    pictures[0] = 0
    return replace(recbook.from_frame(frame, "goods", items=items, users=users), make_images=lambda: pictures)


def dated_goods():
    """The same, each item one day later than the one before: the shelf fills."""
    days = goods().interactions.assign(timestamp=lambda log: 86400 * (100 + log["item"]) + log["timestamp"])
    items = goods().items.rename(columns={"original": "item"})
    return recbook.from_frame(days, "goods with dates", timestamp="timestamp", items=items)


def started(**options):
    recbook.seed_everything(0)
    split = recbook.leave_last_out(goods())
    model = ContentGRU(USERS, ITEMS, **({"dim": 4, "n_words": 30, "n_values": 8, "words": 12} | options)).double()
    model.start(split)
    return model.eval(), split


def with_a_new_one(dataset):
    """And one item more, before the others, that nobody has met: words and values that there were, and a word that was not.

    It is chosen so that the most frequent words and values have the same order with it.
    """
    one = {"original": 99, "title": "a phone 龍", "category": "cases", "brand": "B"}
    items = pd.concat([pd.DataFrame([one]), dataset.items], ignore_index=True)
    images = np.concatenate([np.full((1, 32, 32, 3), 200, dtype=np.uint8), dataset.images])
    log = dataset.interactions.assign(item=dataset.interactions["item"] + 1)
    return replace(dataset, interactions=log, items=items, make_images=lambda: images)


@pytest.mark.parametrize("options", [
    {}, {"text": "bag"}, {"text": "cnn", "categories": ()}, {"text": "bilstm", "picture": True},
    {"text": "bag", "picture": True, "ids": True, "profile": ("age",)}])
def test_a_new_item_has_the_vector_that_it_would_have_in_a_model_of_a_catalogue_with_it(options):
    """The other model reads the whole catalogue itself; only the weights, and how rare each word was, are those of training."""
    recbook.seed_everything(0)
    today, tomorrow = goods(), with_a_new_one(goods())
    sizes = {"dim": 4, "n_words": 19, "n_values": 8, "words": 12} | options    # 19 words are all that there were
    model = ContentGRU(USERS, ITEMS, **sizes)
    recbook.fit(model, recbook.everything(today), epochs=1, progress=False, device="cpu")
    with_it = ContentGRU(USERS, ITEMS + 1, **sizes)
    with_it.start(recbook.everything(tomorrow))
    weights = {name: value for name, value in model.state_dict().items()
               if name not in ("since", "values", "tokens", "pictures", "known_of_user", "item.weight")}
    with_it.load_state_dict(with_it.state_dict() | weights)             # vectors of ids stay 0, also that of the new item
    placed = recbook.carry_over(model, tomorrow).eval()
    assert type(placed) is ContentGRU and placed.n_items == ITEMS + 1
    assert_close(placed.vectors()[0], with_it.eval().vectors()[0])
    assert_close(placed.vectors()[1:], model.eval().vectors())
    assert placed.vectors()[0].abs().sum() > 0
    asked = [dataset.history("3", 5) for dataset in (today, tomorrow)]
    assert_close(placed.scores(asked[1])[:, 1:], model.scores(asked[0]))
    both = recbook.carry_over(placed, replace(tomorrow, users=tomorrow.users.copy(), items=tomorrow.items.copy()))
    assert both is placed                                               # its numbers are these


def test_items_whose_words_have_changed_are_not_read_as_in_training():
    """Then the new one is in no list, as with any other model."""
    recbook.seed_everything(0)
    model = ContentGRU(USERS, ITEMS, dim=4, n_words=30, n_values=8, words=12, text="bag")
    recbook.fit(model, recbook.everything(goods()), epochs=1, progress=False, device="cpu")
    tomorrow = with_a_new_one(goods())
    tomorrow.items.loc[2, "title"] = "a green phone"
    with pytest.warns(UserWarning, match="it cannot rank them"):
        carried = recbook.carry_over(model, tomorrow)
    assert carried.scores(tomorrow.history("3", 5))[0, 0] == -torch.inf


# ------------------------------------------------------------------------------------------------------- by hand


def test_a_filter_slides_over_three_words_and_its_strongest_answer_counts():
    """Words are 1, 2, 3 and 10; the filter is word before - 2 * word + word after + 0.5."""
    reader = TextCNN(n_words=4, dim=1, width=1, filters=1)
    with torch.no_grad():
        reader.word.weight.copy_(torch.tensor([[1.], [2], [3], [10]]))
        reader.sliding.weight.copy_(torch.tensor([[[1., -2, 1]]]))
        reader.sliding.bias.fill_(0.5)
        reader.output.weight.fill_(3)
    # 1, 10, 2: 0 - 2 + 10 = 8;  1 - 20 + 2 = -17;  10 - 4 + 0 = 6
    assert_close(reader.answers(torch.tensor([[0, 3, 1, -1]]))[0, :, 0], torch.tensor([8.5, 0, 6.5, 0]))
    assert reader(torch.tensor([[0, 3, 1, -1]])).item() == 25.5


def test_bag_of_words_is_what_scikit_learn_computes():
    vectorizer = pytest.importorskip("sklearn.feature_extraction.text").TfidfVectorizer(
        token_pattern=r"\w+", vocabulary=features.vocabulary(TEXTS, 30))
    expected = vectorizer.fit_transform(TEXTS).toarray()
    tokens = torch.from_numpy(features.tokens(TEXTS, features.vocabulary(TEXTS, 30), 20))
    reader = BagOfWords(expected.shape[1], expected.shape[1]).double()
    reader.weigh(tokens)
    with torch.no_grad():
        reader.word.weight.copy_(torch.eye(expected.shape[1]))
    np.testing.assert_allclose(reader(tokens).detach().numpy(), expected, rtol=1e-6, atol=1e-12)


def test_a_bidirectional_lstm_reads_each_text_both_ways_as_pytorch_does():
    torch.manual_seed(0)
    reader = TextLSTM(9, 3, width=2, hidden=4, bidirectional=True)
    both = torch.nn.LSTM(2, 4, batch_first=True, bidirectional=True)
    both.load_state_dict({**reader.forth.state_dict(),
                          **{f"{name}_reverse": value for name, value in reader.back.state_dict().items()}})
    tokens = torch.tensor([[3, 1, 4, 1, 5], [2, 7, -1, -1, -1]])
    packed = torch.nn.utils.rnn.pack_padded_sequence(reader.word(tokens.clamp(min=0)), [5, 2], batch_first=True)
    _, (state, _) = both(packed)
    assert_close(reader(tokens), reader.output(torch.cat([state[0], state[1]], dim=1)))


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=5))
def test_a_turned_text_is_the_text_from_its_end(texts):
    tokens = torch.tensor([text + [-1] * (6 - len(text)) for text in texts])
    assert turned(tokens).tolist() == [text[::-1] + [-1] * (6 - len(text)) for text in texts]


@pytest.mark.parametrize("reader", [BagOfWords(9, 3), TextCNN(9, 3), TextLSTM(9, 3), TextLSTM(9, 3, bidirectional=True)])
@given(text=st.lists(st.integers(0, 8), max_size=6), more=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_padding_says_nothing_and_an_empty_text_neither(reader, text, more):
    with torch.no_grad():
        vector = reader(torch.tensor([text + [-1]]))
        assert_close(reader(torch.tensor([text + [-1] * (1 + more)])), vector)
        assert text or not vector.any()


def test_an_item_without_a_picture_has_no_picture_vector():
    eye = PictureCNN(5)
    pictures = torch.from_numpy(goods().images).permute(0, 3, 1, 2)
    vectors = eye(pictures)
    assert not vectors[0].any() and vectors[1:].any(1).all()


# -------------------------------------------------------------------------------------------------- the whole model


def test_the_score_is_a_product_of_a_question_and_what_the_item_is():
    model, split = started(text="cnn", picture=True, ids=True, profile=("age",))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    vectors = model.vectors()
    parts = [model.category(model.values), model.reader(model.tokens), model.eye(model.pictures), model.item.weight]
    assert_close(vectors, sum(parts))
    context = Context(users=torch.tensor([3]), items=torch.tensor([[5, 7]]))
    states, _ = model.recurrence(vectors[context.items])
    question = model.output(states[:, -1]) + model.user.weight @ model.known_of_user[3]
    assert_close(model.scores(context), question @ vectors.T)


def test_who_has_no_history_is_asked_by_the_profile_alone():
    model, _ = started(profile=("age",))
    with torch.no_grad():
        model.user.weight.normal_()
    empty = torch.full((3, 2), -1)
    old, young, old_too = model.scores(Context(users=torch.tensor([0, 1, 2]), items=empty))
    assert_close(old, old_too)
    assert not torch.allclose(old, young)
    assert_close(old, (model.output.bias + model.user(model.known_of_user[0])) @ model.vectors().T)


def test_two_items_that_are_alike_score_alike_unless_ids_tell_them_apart():
    data = goods()
    data.items.loc[9, ["title", "category", "brand"]] = data.items.loc[11, ["title", "category", "brand"]].to_numpy()
    split = recbook.leave_last_out(data)
    for ids in (False, True):
        recbook.seed_everything(0)
        model = ContentGRU(USERS, ITEMS, dim=4, text="bag", ids=ids)
        recbook.fit(model, split, epochs=3, device="cpu", progress=False)
        scores = model.scores(Context(items=torch.tensor([[1, 2]])))[0]
        assert (scores[9] == scores[11]) != ids
        assert not ids or not model.item.weight[11].any()               # nobody met item 11


def test_what_was_not_for_sale_is_no_negative():
    """The loss is the cross-entropy over the items for sale at that moment; an id that was never met stays as it is."""
    split = recbook.leave_last_out(dated_goods())
    first = split.train.groupby("item")["timestamp"].min()
    recbook.seed_everything(0)
    model = ContentGRU(USERS, ITEMS, dim=4, n_values=8, ids=True, dropout=0.0).double()
    model.start(split)
    assert model.since.tolist() == [first.get(item, features.NEVER) for item in range(ITEMS)]
    batch = next(model.batches.prepare(split).epoch(1000))
    loss = model.loss(batch)
    loss.backward()
    never = model.since == features.NEVER
    assert never.any() and not model.item.weight.grad[never].any() and model.item.weight.grad[~never].any(1).all()
    vectors, expected, sizes = model.vectors(), [], set()
    states = model.states(batch.context, vectors)
    for row, user in enumerate(batch.users.tolist()):
        times = split.train.loc[split.train["user"] == user, "timestamp"].tolist()
        for step, item in enumerate(batch.items[row].tolist()):
            if item >= 0:
                on_sale = [other for other in range(ITEMS) if model.since[other] <= times[step + 1]]
                logits = states[row, step] @ vectors[on_sale].T
                expected.append(-F.log_softmax(logits, 0)[on_sale.index(item)])
                sizes.add(len(on_sale))
    assert_close(loss, torch.stack(expected).mean())
    assert len(sizes) > 3                                               # the shelf fills


def test_where_only_the_order_is_known_all_that_was_met_was_always_for_sale():
    model, split = started()
    assert not split.dataset.clock
    for cut in (split, recbook.random_folds(split.dataset)[0]):         # of which the second leaves gaps in the numbers
        since = features.for_sale_since(cut)
        assert since.tolist() == [0 if item in set(cut.train["item"]) else features.NEVER for item in range(ITEMS)]
    assert model.since.tolist() == [0 if item in set(split.train["item"]) else features.NEVER for item in range(ITEMS)]


def test_while_training_items_lose_their_own_vectors_and_are_left_with_what_they_are():
    model, _ = started(ids=True, id_dropout=0.5)
    with torch.no_grad():
        model.item.weight.normal_()
        content = model.vectors() - model.item.weight
        own = model.train().vectors() - content
    gone = own.abs().amax(1) < 1e-9
    assert gone.any() and not gone.all()
    assert_close(own[~gone], 2 * model.item.weight.detach()[~gone])     # the others count double, as in any dropout


def test_vectors_are_remembered_until_a_weight_changes():
    model, split = started(text="cnn")
    context = Context(items=torch.tensor([[1, 2]]))
    with torch.no_grad():
        before = model.scores(context)
        kept = model.kept[1]
        assert model.scores(context) is not None and model.kept[1] is kept
        model.reader.word.weight.mul_(2)
        after = model.scores(context)
    assert model.kept[1] is not kept and not torch.allclose(before, after)
    assert_close(after, model.scores(context).detach())                 # with gradients nothing is remembered


def test_a_checkpoint_keeps_what_the_items_are(tmp_path):
    model, _ = started(text="bag", picture=True, profile=("age",))
    recbook.save_model(model.float(), tmp_path / "model")
    again, _ = recbook.load_model(tmp_path / "model")
    context = Context(users=torch.tensor([3]), items=torch.tensor([[5, 7]]))
    assert_close(again.scores(context), model.scores(context))


# --------------------------------------------------------------------------------------------------- what is learned


@pytest.fixture(scope="module")
def shop():
    """A shop of many goods and few tastes, so that what an item is tells much of who takes it."""
    return recbook.by_time(recbook.load("shop", n_users=600, n_items=360, n_events=40_000, cold_items=0.2))


def quality(split, model, epochs=6):
    """NDCG@10 on cases whose item never trained, and on all others."""
    recbook.fit(model, split, epochs=epochs, batch_size=1024, learning_rate=0.004, device="cpu", progress=False)
    values = recbook.evaluate(model, split.test, ["NDCG@10"]).values["NDCG@10"]
    cold = ~np.isin(split.test.target, split.train["item"])
    return values[cold].mean(), values[~cold].mean()


def test_content_finds_items_that_nobody_has_met_and_ids_do_not(shop):
    cold, warm = {}, {}
    for name, options in {"text": {"text": "bag"}, "ids": {"ids": True, "categories": ()}}.items():
        recbook.seed_everything(0)
        cold[name], warm[name] = quality(shop, ContentGRU(shop.n_users, shop.n_items, dim=32, hidden=64, **options))
    assert cold["ids"] < 0.005 and cold["text"] > 0.04 and warm["text"] > 0.22, (cold, warm)


def test_words_dealt_out_anew_say_nothing_of_a_cold_item(shop):
    """The skeptic's test: the same texts, at other items."""
    items = shop.dataset.items.copy()
    for column in ("title", "text"):
        items[column] = items[column].sample(frac=1, random_state=0).to_numpy()
    dealt = replace(shop, dataset=replace(shop.dataset, items=items))
    recbook.seed_everything(0)
    cold, _ = quality(dealt, ContentGRU(shop.n_users, shop.n_items, dim=32, hidden=64, text="bag", categories=()))
    assert cold < 0.037, cold


# ------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("options, message", [
    ({"text": [64]}, "text=.64.: None or one of"), ({"cell": {}}, "cell={}: one of"),
    ({"id_dropout": -0.1}, "id_dropout=-0.1"),
    ({"length": 0}, "length=0"), ({"cell": "cell"}, "cell='cell'"), ({"text": "poem"}, "text='poem'"),
    ({"categories": ()}, "is nothing")])
def test_a_model_that_cannot_be_is_refused(options, message):
    with pytest.raises(ModelError, match=message):
        ContentGRU(USERS, ITEMS, **options)


@pytest.mark.parametrize("options, message", [
    ({"text": "bag", "categories": ()}, "plain has none of the columns title, text, description; it has original"),
    ({"picture": True, "categories": ()}, "plain has no pictures"),
    ({}, "plain has none of the columns category, brand"),
    ({"ids": True, "categories": (), "profile": ("age",)}, "plain has none of the columns age")])
def test_what_the_data_do_not_have_cannot_be_read(options, message):
    split = recbook.everything(recbook.from_frame(pd.DataFrame({"user": [0, 0], "item": [0, 1]}), "plain"))
    with pytest.raises(DataError, match=message):
        ContentGRU(1, 2, **options).start(split)


def test_a_profile_needs_a_user():
    model, _ = started(profile=("age",))
    with pytest.raises(ModelError, match="context.users is missing"):
        model.scores(Context(items=torch.tensor([[1]])))
