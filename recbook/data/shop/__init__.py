"""`load("shop")`: a small world with a known truth, made in a second from a seed, the same on every machine."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recbook.data.dataset import BEHAVIOURS, Dataset
from recbook.data.shop.events import Events, simulate
from recbook.data.shop.friends import make_friends
from recbook.data.shop.pictures import draw_pictures
from recbook.data.shop.words import describe_items
from recbook.data.shop.world import AGES, CATEGORIES, CITIES, GENDERS, Parameters, World


@dataclass
class Truth:
    """What is hidden from models: the world, and each user's taste at each event.

    world : World
    tastes : array (n_interactions,)   the user's taste when the event happened
    """

    world: World
    tastes: np.ndarray
    users: np.ndarray
    times: np.ndarray

    def taste_at(self, users, times):
        """The taste of users (B,) at the times (B,) of their events."""
        width = self.times.max() + 1 - self.times.min()
        key = self.users * width + self.times - self.times.min()        # sorted, and no user does two things at once
        asked = users * width + times - self.times.min()
        place = np.searchsorted(key, asked).clip(max=len(key) - 1)
        if (key[place] != asked).any():
            wrong = (key[place] != asked).argmax()
            raise ValueError(f"the oracle knows of no event of user {users[wrong]} at time {times[wrong]}")
        return self.tastes[place]


def load_shop(**parameters):
    """The shop as a `Dataset`. Parameters: see `recbook.data.shop.Parameters`."""
    parameters = Parameters(**parameters)
    world = World(parameters)
    events, first_taste = simulate(world)
    interactions = pd.DataFrame({
        "user": events.user,
        "item": events.item,
        "timestamp": events.time,
        "behaviour": pd.Categorical.from_codes(events.behaviour, BEHAVIOURS),
        "rating": events.rating,
        "session": events.session,
    }, copy=False)
    users = pd.DataFrame({
        "original": np.arange(parameters.n_users),
        "age": pd.Categorical.from_codes(world.age, AGES),
        "gender": pd.Categorical.from_codes(world.gender, GENDERS),
        "city": pd.Categorical.from_codes(world.city, CITIES),
    })
    titles, texts, brands = describe_items(world)
    items = pd.DataFrame({
        "original": np.arange(parameters.n_items),
        "title": titles,
        "text": texts,
        "category": pd.Categorical.from_codes(world.item_category, CATEGORIES),
        "brand": brands,
        "price": world.price,
    })
    return Dataset(
        "shop", interactions, users, items, make_friends(world, first_taste), items_return=True,
        truth=Truth(world, events.taste, events.user, events.time), make_images=lambda: draw_pictures(world),
    )
