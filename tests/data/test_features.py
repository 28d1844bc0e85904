"""Words, categories and pictures as numbers, whatever they hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recbook
from recbook.data import features
from recbook.errors import DataError


def test_words_in_their_order_and_the_most_frequent_first():
    texts = ["The red phone", "red, RED case!", "a case"]
    assert features.vocabulary(texts, 3) == ["case", "red", "a"]        # two texts each, then by the alphabet
    assert features.tokens(texts, ["case", "red"], 3).tolist() == [[1, -1, -1], [1, 1, 0], [0, -1, -1]]


def test_text_of_any_alphabet_and_none_at_all():
    texts = ["Красный телефон", "", "红色 手机", "!!! ...", "naïve café"]
    words = features.vocabulary(texts, 10)
    assert set(words) == {"красный", "телефон", "红色", "手机", "naïve", "café"}
    assert (features.tokens(texts, words, 4) >= 0).sum(1).tolist() == [2, 0, 2, 0, 2]


def test_ten_thousand_words_are_read_up_to_the_length():
    found = features.tokens([" ".join(f"w{number}" for number in range(10_000))], [f"w{n}" for n in range(10_000)], 40)
    assert found.tolist() == [list(range(40))]


@given(st.lists(st.text(), max_size=5), st.integers(1, 6), st.integers(1, 5))
def test_tokens_are_numbers_of_the_vocabulary_then_padding(texts, size, length):
    words = features.vocabulary(texts, size)
    assert len(words) <= size == len(set(words)) + size - len(words)
    found = features.tokens(texts, words, length)
    assert found.shape == (len(texts), length) and found.max(initial=-1) < len(words)
    for row, text in zip(found, texts):
        assert [words[number] for number in row if number >= 0] == [
            word for word in features.split_words(text) if word in words][:length]
        assert (row[(row >= 0).sum():] == -1).all()


def test_columns_are_joined_and_gaps_are_empty():
    frame = pd.DataFrame({"title": ["red", None], "text": [np.nan, "blue"], "price": [1, 2]})
    assert features.texts(frame, features.TEXT, "things") == ["red ", " blue"]


def test_categories_of_a_column_a_tuple_or_a_list_in_a_text():
    frame = pd.DataFrame({"category": ["Comedy|Drama", "Drama", "", None], "tags": [("x",), (), ("x", "y"), None]})
    matrix, names = features.categories(frame, ("category", "tags"), 6, "films")
    assert names == ["category: Drama", "tags: x", "category: Comedy", "tags: y"]
    assert matrix.tolist() == [[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0], [0] * 6]


def test_a_value_beyond_the_most_frequent_is_none():
    matrix, names = features.categories(pd.DataFrame({"c": ["a", "b", "a"]}), ("c",), 1, "things")
    assert names == ["c: a"] and matrix.tolist() == [[1], [0], [1]]


@pytest.mark.parametrize("values", [[9.5, 12.0], pd.to_datetime(["2024-01-31", None]), pd.Series([1, 2.5], dtype=object)])
def test_measurements_are_no_categories(values):
    frame = pd.DataFrame({"price": values})
    with pytest.raises(DataError, match="things: price holds measurements, such as .*cut them into ranges"):
        features.categories(frame, ("price",), 5, "things")
    data = recbook.from_frame(pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 0, 1]}), "things", items=frame.assign(item=[0, 1]))
    with pytest.raises(DataError, match="price holds measurements"):
        recbook.ContentProfile(2, 2, columns=("price",)).fit(recbook.everything(data))


def test_whole_numbers_are_categories_even_with_gaps():
    matrix, names = features.categories(pd.DataFrame({"year": [1999, None, 2001]}), ("year",), 2, "films")
    assert names == ["year: 1999.0", "year: 2001.0"] and matrix.tolist() == [[1, 0], [0, 0], [0, 1]]


def test_a_column_of_nothing_is_no_category():
    with pytest.raises(DataError, match="things: nothing stands in the column brand"):
        features.categories(pd.DataFrame({"brand": [None, None]}), ("brand",), 2, "things")


def test_what_is_missing_is_named():
    with pytest.raises(DataError, match="things has none of the columns title, text, description; it has price"):
        features.texts(pd.DataFrame({"price": [1]}), features.TEXT, "things")


@pytest.mark.parametrize("images, message", [
    (None, "things has no pictures of its items"),
    (np.zeros((2, 16, 16, 3), np.uint8), r"pictures are an array \(2, 32, 32, 3\) of uint8, not \(2, 16, 16, 3\)"),
    (np.zeros((2, 32, 32, 3)), "of uint8, not .* of float64")])
def test_pictures_that_are_none(images, message):
    data = recbook.from_frame(pd.DataFrame({"user": [0, 0], "item": [0, 1]}), "things")
    with pytest.raises(DataError, match=message):
        features.pictures(replace(data, make_images=lambda: images))


def picture_file(path, colour, size=(64, 48), mode="RGB"):
    from PIL import Image
    Image.new(mode, size, colour).save(path)
    return path


def test_picture_files_are_read_in_any_size_and_mode(tmp_path):
    red = picture_file(tmp_path / "red.png", (255, 0, 0))
    grey = picture_file(tmp_path / "grey.jpg", 128, (32, 32), "L")
    found = features.read_pictures([red, None, grey])
    assert found.shape == (3, 32, 32, 3) and found.dtype == np.uint8
    assert (found[0] == [255, 0, 0]).all() and not found[1].any() and (abs(found[2].astype(int) - 128) < 3).all()
    data = recbook.from_frame(pd.DataFrame({"user": [0, 0, 0], "item": [0, 1, 2]}), "things")
    assert features.pictures(replace(data, make_images=lambda: found)) is found


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    whole = picture_file(tmp_path / "whole.png", (1, 2, 3))
    broken, text, empty = (tmp_path / name for name in ("broken.png", "text.png", "empty.png"))
    broken.write_bytes(whole.read_bytes()[:60])
    text.write_text("no picture at all")
    empty.touch()
    for path in (broken, text, empty):
        with pytest.raises(DataError, match=f"{path.name}, the picture of item 1, cannot be read"):
            features.read_pictures([whole, path])
    with pytest.raises(DataError, match="gone.png, the picture of item 0, does not exist"):
        features.read_pictures([tmp_path / "gone.png"])
