"""Product pictures, 32 x 32: the shape tells the category, colour and pattern tell where the item lies."""

import numpy as np

SIZE = 32


def draw_pictures(world):
    """Pictures of all items: (n_items, 32, 32, 3) uint8. `image_signal` 0 leaves the shape and takes the rest away."""
    p = world.parameters
    rng = np.random.default_rng([p.seed, 6])
    vectors = world.item_vectors * p.image_signal + rng.normal(size=world.item_vectors.shape) * 0.3
    vectors = np.pad(vectors, ((0, 0), (0, max(0, 6 - p.dim))))
    level = 1 / (1 + np.exp(-1.5 * vectors))                            # (n_items, dim) between 0 and 1
    y, x = np.mgrid[:SIZE, :SIZE] / (SIZE - 1) * 2 - 1                  # -1 .. 1
    pictures = np.empty((p.n_items, SIZE, SIZE, 3), dtype=np.uint8)
    for item in range(p.n_items):
        inside = shape(world.item_category[item], x, y)
        colour = 0.15 + 0.75 * level[item, :3]
        turn = 3 * level[item, 4]
        stripes = np.sin((2 + 10 * level[item, 3]) * (x * np.cos(turn) + y * np.sin(turn)))
        paint = colour * (1 - 0.5 * level[item, 5] * (stripes > 0))[..., None]
        picture = np.where(inside[..., None], paint + rng.normal(size=(SIZE, SIZE, 1)) * 0.02, 1.0)
        pictures[item] = (255 * picture.clip(0, 1)).astype(np.uint8)
    return pictures


def shape(category, x, y):
    """The silhouette of a category's things: one of twelve."""
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    return (
        (abs(x) < 0.45) & (abs(y) < 0.85),                              # upright slab
        (abs(x) < 0.8) & (abs(y) < 0.5),                                # flat slab
        (radius < 0.85) & (radius > 0.45),                              # ring
        (abs(x) < 0.85) & (abs(y) < 0.55) | (radius < 0.35) & (y < 0.9),
        (y > -0.8) & (abs(x) < 0.2 + 0.5 * (y + 0.8) / 1.6),            # cone
        (abs(x) < 0.25) | (abs(y) < 0.25),                              # cross
        radius < 0.8,                                                   # disc
        abs(x) + abs(y) < 0.85,                                         # diamond
        radius < 0.55 + 0.25 * np.cos(3 * angle),                       # three leaves
        (x < -0.1) & (abs(y) < 0.8) & (x > -0.7) | (y > 0.2) & (abs(y) < 0.8) & (abs(x) < 0.7),  # an L
        (y > abs(x) * 1.6 - 0.8) & (y < 0.8),                           # triangle
        (np.hypot(x - 0.45, y) < 0.45) | (np.hypot(x + 0.45, y) < 0.45),  # two wheels
    )[category]
