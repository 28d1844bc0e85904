"""What every figure about the shop needs: its law, its items, histories, and the weights of networks."""

import numpy as np

from recbook.data.shop.events import SESSION_GAP
from recbook.data.splits import BEHAVIOUR_CODES


def law(world):
    """(arrays, values): all that `live/shared/shop.js` needs to work out the true probability of every next item."""
    p = world.parameters
    taste = 1.8 * p.taste * world.taste_vectors @ world.item_vectors.T                  # as in `World._tables`
    style = 1.0 * p.intent * world.style_vectors @ world.item_vectors.T
    return {
        "category": world.item_category.astype(np.uint8), "style": world.item_style.astype(np.uint8),
        "launch": np.searchsorted(world.seasons, world.launch).astype(np.uint8),        # on sale from this season on
        "taste": taste.astype(np.float32), "pull": style.astype(np.float32),
        "appeal": (world.popularity + world.quality).astype(np.float32),
        "sequence": world.sequence.astype(np.int16), "purchase": world.purchase.astype(np.int16),
        "cart": np.round(world.cart * 2**16).astype(np.uint16), "average": world.prior.mean(0).astype(np.float32),
    }, {"noise": p.noise, "drift": p.drift, "gap": SESSION_GAP}


def goods(shop):
    """(arrays, values): the items' titles, and what their pictures are painted with (`recbook.data.shop.pictures`)."""
    world = shop.truth.world
    rng = np.random.default_rng([world.parameters.seed, 6])
    vectors = world.item_vectors * world.parameters.image_signal + rng.normal(size=world.item_vectors.shape) * 0.3
    level = 1 / (1 + np.exp(-1.5 * vectors[:, :6]))
    return {"look": np.round(255 * level).astype(np.uint8)}, {
        "titles": [shop.title(item) for item in range(shop.n_items)],
        "categories": list(shop.items["category"].cat.categories)}


def events(shop, user):
    """(n, 3) int32: item, behaviour (a code of `recbook`), time; all that a customer did."""
    log = shop.interactions[shop.interactions["user"] == user]
    return np.column_stack([log["item"], log["behaviour"].map(BEHAVIOUR_CODES), log["timestamp"]]).astype(np.int32)


def weights(model, prefix):
    """A network's weights as float16, under names of JavaScript: {prefix.name: array}."""
    return {f"{prefix}.{name}": value.detach().numpy().astype(np.float16) for name, value in model.state_dict().items()}
