"""Amazon: products that were reviewed.

J. McAuley, C. Targett, Q. Shi, A. van den Hengel. Image-based recommendations on styles and substitutes. SIGIR 2015.
J. Ni, J. Li, J. McAuley. Justifying recommendations using distantly-labeled reviews. EMNLP 2019.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from recbook.data.frames import from_frame
from recbook.data.files import parse_json, parse_json_lines
from recbook.data.splits import leave_last_out
from recbook.errors import DataError


def beauty_2014(files):
    """Beauty 2014, the 5-core, without ratings; the time is a whole day. `published` leaves each user's last out.

    `attributes` of an item is the tuple of its attribute ids in S3-Rec's files, where these are present.
    """
    log = files.table("interactions.tsv", types={"unixReviewTime": int}, separator="\t", quotes=False)
    items = files.table("items.tsv", types={"s3rec_item_id": int}, separator="\t", quotes=False)
    attributes = "s3rec/Beauty_item2attributes.json"
    if files.has(attributes):
        known = parse_json(files.read(attributes), files.where(attributes))
        items["attributes"] = [tuple(known.get(str(item), ())) for item in items["s3rec_item_id"]]
    dataset = from_frame(log, files.source.name, user="reviewerID", item="asin", timestamp="unixReviewTime",
                         items=items, items_return="once")
    return replace(dataset, make_published=leave_last_out)


def gift_cards_2018(files):
    """Gift Cards 2018, the 5-core, from the collection's raw records; a few users review a product twice.

    Only reviewed products are items. `image` is the address of the first picture, empty where there is none.
    """
    reviews = records(files, "Gift_Cards_5.json", ["reviewerID", "asin", "overall", "unixReviewTime"])
    products = records(files, "meta_Gift_Cards.json", ["asin", "title", "description", "category", "brand", "image"])
    products = products[products["asin"].isin(reviews["asin"])].drop_duplicates("asin").reset_index(drop=True)
    items = pd.DataFrame({
        "asin": products["asin"],
        "title": products["title"],
        "text": products["description"].map(" ".join),
        "category": products["category"].map(lambda path: "|".join(dict.fromkeys(path))),
        "brand": products["brand"],
        "image": products["image"].map(lambda addresses: addresses[0] if addresses else ""),
    })
    return from_frame(reviews, files.source.name, user="reviewerID", item="asin", rating="overall",
                      timestamp="unixReviewTime", items=items, items_return="once")


def records(files, file, fields):
    """The named fields of a file with one JSON object a line: a frame."""
    objects = parse_json_lines(files.read(file), files.where(file))
    for line, fields_here in enumerate(objects, start=1):
        for field in fields:
            if field not in fields_here:
                raise DataError(f"{files.where(file)}, line {line}: no field {field!r}.")
    return pd.DataFrame({field: [fields_here[field] for fields_here in objects] for field in fields})


def scientific_2018(files):
    """Industrial and Scientific 2018: sequences without times or ratings, and the items' texts.

    Q. Zhang, L. Szymanski, J. D. Deng, H. Zhang. Faithful Evaluation of Semantic-ID Tokenizers for Generative
    Recommendation. 2026.
    """
    histories = parse_json(files.read("Scientific.inter.json"), files.where("Scientific.inter.json"))
    products = parse_json(files.read("Scientific.item.json"), files.where("Scientific.item.json"))
    items = pd.DataFrame({
        "item": [int(item) for item in products],
        "title": [product["title"] for product in products.values()],
        "text": [product["description"] for product in products.values()],
        "category": [product["categories"] for product in products.values()],
        "brand": [product["brand"] for product in products.values()],
    })
    log = pd.DataFrame({
        "user": np.repeat([int(user) for user in histories], [len(history) for history in histories.values()]),
        "item": [item for history in histories.values() for item in history],
    })
    dataset = from_frame(log, files.source.name, items=items, items_return="once")
    return replace(dataset, make_published=leave_last_out)
