"""Titles and descriptions. Every direction of the items' space has words for its two ends."""

import numpy as np

from recbook.data.shop.world import CATEGORIES

NOUNS = {
    "phones": ("phone", "handset", "smartphone"), "cases": ("case", "sleeve", "cover"),
    "headphones": ("headphones", "earbuds", "headset"), "cameras": ("camera", "compact", "reflex"),
    "lamps": ("lamp", "lantern", "spotlight"), "chairs": ("chair", "stool", "armchair"),
    "kettles": ("kettle", "teapot", "carafe"), "teas": ("tea", "infusion", "blend"),
    "jackets": ("jacket", "parka", "anorak"), "boots": ("boots", "shoes", "sneakers"),
    "tents": ("tent", "shelter", "tarp"), "bikes": ("bike", "cruiser", "tourer"),
}
BRANDS = ("Aldera", "Bosko", "Civetta", "Dunmore", "Eskola", "Farrow", "Gadir", "Hanami")
# one row a direction: words for its positive end, words for its negative end
POLES = (
    (("rustic", "weathered", "oaken", "handmade"), ("sleek", "polished", "chrome", "precise")),
    (("bright", "vivid", "sunny", "coral"), ("muted", "slate", "dusky", "charcoal")),
    (("rugged", "waterproof", "tough", "alpine"), ("delicate", "fine", "slender", "silken")),
    (("playful", "quirky", "cheerful", "bouncy"), ("formal", "serious", "tailored", "stately")),
    (("compact", "foldable", "pocket", "light"), ("grand", "roomy", "heavy", "generous")),
    (("vintage", "retro", "classic", "heritage"), ("modern", "smart", "wireless", "novel")),
    (("organic", "natural", "woven", "earthy"), ("synthetic", "carbon", "alloy", "technical")),
    (("quiet", "calm", "soft", "gentle"), ("bold", "loud", "fierce", "electric")),
)
ADJECTIVES = np.array([word for poles in POLES for end in poles for word in end])
DESCRIPTION = "This {noun} from {brand} is {0}, {1} and {2}. People call it {3} or {4}; we find it {5} and {6}."


def describe_items(world):
    """Title, description and brand of every item: three lists of n_items strings.

    A word is drawn with odds that grow with the item's coordinate in the word's direction; `text_signal` 0 makes all
    words equally likely.
    """
    p = world.parameters
    rng = np.random.default_rng([p.seed, 5])
    directions = np.arange(p.dim) % len(POLES)
    sign = np.tile(np.repeat([1, -1], 4), p.dim)
    words = ADJECTIVES.reshape(len(POLES), 8)[directions].ravel()
    odds = np.round(2.5 * p.text_signal * world.item_vectors[:, axis_of(p.dim)] * sign, 3)     # (n_items, words)
    odds = odds + np.round(rng.gumbel(size=odds.shape), 6)      # the k largest are k draws without replacement
    chosen = np.argsort(-odds, axis=1, kind="stable")[:, :8]
    brand = rng.integers(len(BRANDS), size=p.n_items)
    noun = rng.integers(3, size=p.n_items)
    titles, texts, seen = [], [], {}
    for item in range(p.n_items):
        adjectives = [words[number] for number in chosen[item]]
        name = NOUNS[CATEGORIES[world.item_category[item]]][noun[item]]
        title = f"{BRANDS[brand[item]]} {adjectives[0]} {name}"
        seen[title] = seen.get(title, 0) + 1
        titles.append(title if seen[title] == 1 else f"{title} no. {seen[title]}")
        texts.append(DESCRIPTION.format(*adjectives[1:], noun=name, brand=BRANDS[brand[item]]))
    return titles, texts, [BRANDS[number] for number in brand]


def axis_of(dim):
    """The direction that each word belongs to."""
    return np.repeat(np.arange(dim), 8)
