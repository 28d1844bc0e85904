"""MovieLens: film ratings with the time, titles, genres.

F. M. Harper and J. A. Konstan. The MovieLens Datasets: History and Context. ACM TiiS 5(4):19, 2015.

The items are the rated films, as the published protocols count them. `category` lists a film's genres, `|` between.
"""

from dataclasses import replace

import numpy as np

from recbook.data.frames import from_frame
from recbook.data.splits import rating_split
from recbook.errors import DataError

RATINGS = {"user": int, "item": int, "rating": float, "timestamp": int}


def ml_100k(files):
    """MovieLens 100K; `published` is the list of its five official folds u1 ... u5."""
    ratings = files.table("u.data", names=list(RATINGS), types=RATINGS, separator="\t")
    users = files.table("u.user", names=["user", "age", "gender", "occupation", "zip_code"],
                        types={"user": int, "age": int}, separator="|")
    genres = files.table("u.genre", names=["genre", "number"], types={"number": int}, separator="|")["genre"].tolist()
    films = files.table("u.item", names=["item", "title", "released", "video_released", "page", *genres],
                        types={"item": int} | dict.fromkeys(genres, int), separator="|", encoding="latin-1",
                        quotes=False)
    films["category"] = ["|".join(genre for genre, given in zip(genres, row) if given)
                         for row in films[genres].to_numpy()]
    dataset = from_frame(ratings, files.source.name, rating="rating", timestamp="timestamp", users=users,
                         items=films[["item", "title", "category", "released"]], items_return="once")
    return replace(dataset, make_published=lambda dataset: [fold(dataset, files, f"u{n}") for n in range(1, 6)])


def fold(dataset, files, name):
    """One official fold: `<name>.test` is tested, and all else trains (`<name>.base` holds just that)."""
    test = files.table(f"{name}.test", names=list(RATINGS), types=RATINGS, separator="\t")
    log = dataset.interactions
    pairs = log["user"].map(dataset.users["original"]) * 10**9 + log["item"].map(dataset.items["original"])
    tested = np.isin(pairs, test["user"] * 10**9 + test["item"])
    if tested.sum() != len(test):
        raise DataError(f"{files.where(name)}.test: {len(test) - tested.sum()} of its rows are not in u.data.")
    return rating_split(f"official fold {name}", dataset, np.flatnonzero(tested))


def ml_1m(files):
    """MovieLens 1M."""
    ratings = files.table("ratings.dat", names=list(RATINGS), types=RATINGS, separator="::", quotes=False)
    users = files.table("users.dat", names=["user", "gender", "age", "occupation", "zip_code"],
                        types={"user": int, "age": int, "occupation": int}, separator="::")
    return from_frame(ratings, files.source.name, rating="rating", timestamp="timestamp", users=users,
                      items=rated(ml_1m_films(files), ratings), items_return="once")


def ml_1m_films(files):
    """The whole catalogue of MovieLens 1M: item, title, category."""
    return files.table("movies.dat", names=["item", "title", "category"], types={"item": int}, separator="::",
                       encoding="latin-1", quotes=False)


def ml_20m(files):
    """MovieLens 20M: twenty million ratings; the tags of films are not read."""
    ratings, films = comma_separated(files)
    return from_frame(ratings, files.source.name, user="userId", item="movieId", rating="rating",
                      timestamp="timestamp", items=rated(films, ratings, "movieId"), items_return="once")


def comma_separated(files):
    """The ratings and the films of a newer set."""
    ratings = files.table("ratings.csv", types={"userId": int, "movieId": int, "rating": float, "timestamp": int})
    return ratings, files.table("movies.csv", types={"movieId": int}).rename(columns={"genres": "category"})


def ml_latest_small(files):
    """MovieLens latest-small; `text` holds the words that users tagged a film with."""
    ratings, films = comma_separated(files)
    tags = files.table("tags.csv", types={"userId": int, "movieId": int, "timestamp": int})
    words = tags.drop_duplicates(["movieId", "tag"]).groupby("movieId")["tag"].agg(", ".join)
    films["text"] = films["movieId"].map(words).fillna("")
    return from_frame(ratings, files.source.name, user="userId", item="movieId", rating="rating",
                      timestamp="timestamp", items=rated(films, ratings, "movieId"), items_return="once")


def rated(films, ratings, item="item"):
    """Only the films that somebody rated."""
    return films[films[item].isin(ratings[item])]
