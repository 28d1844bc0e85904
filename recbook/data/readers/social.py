"""Data sets in which users name each other: friends on Last.fm, trust on Ciao."""

import io
import zlib
from dataclasses import replace

import pandas as pd
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from recbook.data.frames import from_frame
from recbook.errors import DataError


def lastfm_2k(files):
    """Last.fm: who listened to which artist, how many times (column `count` of the interactions), and friends.

    There is no time: each user's artists lie in the order of the file, and a split by time means nothing here.

    I. Cantador, P. Brusilovsky, T. Kuflik. HetRec 2011 workshop, RecSys 2011.
    """
    log = files.table("user_artists.dat", types={"userID": int, "artistID": int, "weight": int}, separator="\t")
    artists = files.table("artists.dat", types={"id": int}, separator="\t", quotes=False)
    artists = artists[["id", "name"]].rename(columns={"id": "artistID", "name": "title"})
    friends = files.table("user_friends.dat", types={"userID": int, "friendID": int}, separator="\t")
    dataset = from_frame(log, files.source.name, user="userID", item="artistID", items=artists, friends=friends,
                         items_return="once")
    count = log["weight"].to_numpy()[dataset.interactions["row"]]
    return replace(dataset, interactions=dataset.interactions.assign(count=count))


def ciao(files):
    """Ciao: ratings 1 to 5 of products by day, and whom users trust (`friends`: truster, trusted).

    As in the file, 34 ratings are 0, and a product that stands in several categories is rated in each; `category`
    is the one of its first rating.

    J. Tang, H. Gao, H. Liu. mTrust: Discerning multi-faceted trust in a connected world. WSDM 2012.
    """
    ratings = matrix(files, "rating_with_timestamp.mat", "rating",
                     ["user", "item", "category", "rating", "helpfulness", "timestamp"])
    trust = matrix(files, "trustnetwork.mat", "trustnetwork", ["user", "friend"])
    items = ratings[["item", "category"]].drop_duplicates("item").sort_values("item")
    return from_frame(ratings, files.source.name, rating="rating", timestamp="timestamp", items=items, friends=trust,
                      items_return="once")


def matrix(files, file, variable, columns):
    """A matrix of a MATLAB file as a frame of whole numbers."""
    content = files.read(file)
    try:
        values = loadmat(io.BytesIO(content), variable_names=[variable])[variable]
        return pd.DataFrame(values, columns=columns).astype("int64")
    except (ValueError, KeyError, TypeError, NotImplementedError, OSError, MatReadError, zlib.error) as error:
        raise DataError(f"{files.where(file)}: no MATLAB file with a matrix {variable!r} of {len(columns)} columns "
                        f"({error}).") from error
