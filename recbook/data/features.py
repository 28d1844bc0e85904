"""What items and users are, as numbers: their words, their categories, their pictures."""

import re
from collections import Counter
from datetime import date

import numpy as np

from recbook.errors import DataError

TEXT = ("title", "text", "description")     # columns that are read word by word
PICTURE = 32                                # pixels on a side
NEVER = 2**62                               # seconds


def tokens(texts, vocabulary, length):
    """The words of N texts as numbers in the vocabulary, in their order, then -1: array (N, length).

    A word that the vocabulary lacks is passed over; words after the first `length` known ones are not read.
    """
    number = {word: place for place, word in enumerate(vocabulary)}
    found = np.full((len(texts), length), -1)
    for row, text in enumerate(texts):
        known = [number[word] for word in split_words(text) if word in number][:length]
        found[row, :len(known)] = known
    return found


def vocabulary(texts, size):
    """The `size` words that stand in most texts: a list, the most frequent first."""
    count = Counter(word for text in texts for word in dict.fromkeys(split_words(text)))
    return sorted(count, key=lambda word: (-count[word], word))[:size]


def split_words(text):
    """Runs of letters and digits of any alphabet, in lower case."""
    return re.findall(r"\w+", text.lower())


def texts(frame, columns, name):
    """The text of each row: the columns that the frame has, one after the other, "" where there is nothing."""
    known = [column for column in columns if column in frame]
    if not known:
        raise missing(name, columns, frame)
    filled = frame[known].astype(object).where(frame[known].notna(), "").astype(str)
    return filled.agg(" ".join, axis=1).tolist()


def categories(frame, columns, size, name, names=None):
    """Which of the `size` most frequent values each row has, or of those named: (array (N, size) of 0 and 1, their names).

    A value is the elements of a tuple, or a text whose parts stand between "|" or commas without a space:
    "Comedy|Drama". Where a row has none, or none of the most frequent, all is 0.
    """
    known = [column for column in columns if column in frame]
    if not known:
        raise missing(name, columns, frame)
    for column in known:
        refuse_measurements(frame[column], column, name)
    values = [[f"{column}: {part}" for column in known for part in parts_of(row[column])]
              for row in frame[known].to_dict("records")]
    if names is None:
        count = Counter(value for row in values for value in row)
        if not count:
            raise DataError(f"{name}: nothing stands in the column{'s' * (len(known) > 1)} {', '.join(known)}.")
        names = sorted(count, key=lambda value: (-count[value], value))[:size]
    place = {value: number for number, value in enumerate(names)}
    matrix = np.zeros((len(frame), size), dtype=np.float32)
    for row, own in enumerate(values):
        matrix[row, [place[value] for value in own if value in place]] = 1
    return matrix, names


def refuse_measurements(values, column, name):
    """Refuse prices, weights, moments: each would be a category of its own."""
    measured = next((value for value in values.dropna() if isinstance(value, date) or isinstance(value, float) and value % 1),
                    None)
    if measured is not None:
        raise DataError(f"{name}: {column} holds measurements, such as {measured}, and each would be a category of its own: "
                        "cut them into ranges first, as pandas.cut does.")


def parts_of(value):
    """The categories that a value names: several in a tuple or in a text, none in an empty text."""
    if isinstance(value, (tuple, list)):
        return value
    if value is None or value != value:                                 # not a number: nothing is known
        return ()
    return [part for part in re.split(r"[|]|,(?=\S)", str(value)) if part]


def for_sale_since(split):
    """When each item was first met in training: array (n_items,) of seconds, `NEVER` where it was not.

    Where the data tell only the order of each user's events, 0 for all that were met.
    """
    first = split.train.groupby("item")["timestamp"].min().reindex(range(split.n_items), fill_value=NEVER).to_numpy()
    return first if split.dataset.clock else np.where(first < NEVER, 0, NEVER)


def pictures(dataset):
    """The items' pictures: array (N, 32, 32, 3) of uint8. All black is no picture."""
    found = dataset.images
    if found is None:
        raise DataError(f"{dataset.name} has no pictures of its items.")
    if found.shape != (dataset.n_items, PICTURE, PICTURE, 3) or found.dtype != np.uint8:
        raise DataError(f"{dataset.name}: pictures are an array ({dataset.n_items}, {PICTURE}, {PICTURE}, 3) of uint8, "
                        f"not {found.shape} of {found.dtype}.")
    return found


def read_pictures(paths):
    """Picture files of items as `dataset.images` holds them: array (N, 32, 32, 3) of uint8.

    paths : sequence of path or None
        None is no picture: black. A picture that is not square is squeezed. A file that is no picture is an error.
    """
    try:
        from PIL import Image
    except ImportError:
        raise DataError("To read pictures takes pillow: pip install 'recbook[book]'.") from None
    found = np.zeros((len(paths), PICTURE, PICTURE, 3), dtype=np.uint8)
    for row, path in enumerate(paths):
        if path is None:
            continue
        try:
            with Image.open(path) as picture:
                found[row] = picture.convert("RGB").resize((PICTURE, PICTURE), Image.Resampling.BOX)
        except FileNotFoundError:
            raise DataError(f"{path}, the picture of item {row}, does not exist.") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as problem:
            raise DataError(f"{path}, the picture of item {row}, cannot be read: {problem}.") from None
    return found


def missing(name, columns, frame):
    """The error that names the columns that were looked for, and those that are there."""
    return DataError(f"{name} has none of the columns {', '.join(columns)}; it has {', '.join(frame.columns)}.")
