/** The items' pictures, painted as `recbook/data/shop/pictures.py` paints them, without its speckle. */

/** The silhouette of a category's things. @type {((x: number, y: number) => boolean)[]} */
const SHAPES = [
  (x, y) => Math.abs(x) < 0.45 && Math.abs(y) < 0.85,
  (x, y) => Math.abs(x) < 0.8 && Math.abs(y) < 0.5,
  (x, y) => Math.hypot(x, y) < 0.85 && Math.hypot(x, y) > 0.45,
  (x, y) => (Math.abs(x) < 0.85 && Math.abs(y) < 0.55) || (Math.hypot(x, y) < 0.35 && y < 0.9),
  (x, y) => y > -0.8 && Math.abs(x) < 0.2 + (0.5 * (y + 0.8)) / 1.6,
  (x, y) => Math.abs(x) < 0.25 || Math.abs(y) < 0.25,
  (x, y) => Math.hypot(x, y) < 0.8,
  (x, y) => Math.abs(x) + Math.abs(y) < 0.85,
  (x, y) => Math.hypot(x, y) < 0.55 + 0.25 * Math.cos(3 * Math.atan2(y, x)),
  (x, y) => (x < -0.1 && Math.abs(y) < 0.8 && x > -0.7) || (y > 0.2 && Math.abs(y) < 0.8 && Math.abs(x) < 0.7),
  (x, y) => y > Math.abs(x) * 1.6 - 0.8 && y < 0.8,
  (x, y) => Math.hypot(x - 0.45, y) < 0.45 || Math.hypot(x + 0.45, y) < 0.45,
];

/**
 * Red, green, blue and opacity of every point of a picture, row after row, 0 to 255. Nothing but the thing is opaque.
 * @param {number} category
 * @param {ArrayLike<number>} level   the item's six numbers, 0 to 255
 * @param {number} size
 */
export function paint(category, level, size) {
  const made = new Uint8ClampedArray(size * size * 4), part = Array.from(level, (one) => one / 255);
  const pace = 2 + 10 * part[3], across = Math.cos(3 * part[4]), down = Math.sin(3 * part[4]);
  for (let v = 0, at = 0; v < size; v++) {
    for (let u = 0; u < size; u++, at += 4) {
      const x = (u / (size - 1)) * 2 - 1, y = (v / (size - 1)) * 2 - 1;
      if (!SHAPES[category](x, y)) continue;
      const stripe = Math.sin(pace * (x * across + y * down)) > 0;
      for (let c = 0; c < 3; c++) made[at + c] = 255 * (0.15 + 0.75 * part[c]) * (stripe ? 1 - 0.5 * part[5] : 1);
      made[at + 3] = 255;
    }
  }
  return made;
}

/**
 * Pictures on demand: `painter(tables)(item)` is a new canvas, decoration only; whoever uses it names the item.
 * @param {Record<string, import("./data.js").Table>} tables   category and look
 */
export function painter(tables, size = 48) {
  /** @type {Map<number, ImageData>} */
  const kept = new Map();
  return (/** @type {number} */ item) => {
    let image = kept.get(item);
    if (!image) {
      const level = /** @type {any} */ (tables.look.values.subarray(item * 6, item * 6 + 6));
      image = new ImageData(paint(tables.category.values[item], level, size), size, size);
      kept.set(item, image);
    }
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    canvas.className = "live-picture";
    canvas.setAttribute("aria-hidden", "true");
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };
}
