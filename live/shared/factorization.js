/**
 * Matrix factorization as `recbook/models/factorization.py` has it: losses, their gradients, and Adam as PyTorch has it.
 *
 * All parameters stand in one array: user vectors, item vectors, user biases, item biases, and b.
 */

/** @typedef {{users: number, items: number, dim: number}} Sizes */
/** @typedef {{users: ArrayLike<number>, items: ArrayLike<number>, others?: ArrayLike<number>, ratings?: ArrayLike<number>}} Batch */

/** Where each part begins. @param {Sizes} sizes */
export function layout({ users, items, dim }) {
  const item = users * dim, userBias = item + items * dim, itemBias = userBias + users, bias = itemBias + items;
  return { user: 0, item, userBias, itemBias, bias, length: bias + 1 };
}

const sigmoid = (/** @type {number} */ x) => 1 / (1 + Math.exp(-x));
/** -log sigmoid(x). */
export const softplus = (/** @type {number} */ x) => Math.max(-x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * BPR: the loss of a batch of (user, item, other item), and its gradient, added to `gradient`.
 * @param {Float64Array} w
 * @param {Sizes} sizes
 * @param {Batch} batch
 * @param {number} l2
 * @param {Float64Array} gradient
 */
export function bpr(w, sizes, batch, l2, gradient) {
  const at = layout(sizes), { dim } = sizes, n = batch.users.length;
  let loss = 0;
  for (let row = 0; row < n; row++) {
    const p = at.user + batch.users[row] * dim, i = batch.items[row], j = batch.others[row];
    const q = at.item + i * dim, o = at.item + j * dim;
    let gap = w[at.itemBias + i] - w[at.itemBias + j], size = w[at.itemBias + i] ** 2 + w[at.itemBias + j] ** 2;
    for (let k = 0; k < dim; k++) {
      gap += w[p + k] * (w[q + k] - w[o + k]);
      size += 2 * w[p + k] ** 2 + w[q + k] ** 2 + w[o + k] ** 2;
    }
    loss += softplus(gap) + l2 * size;
    const pull = -sigmoid(-gap) / n, decay = (2 * l2) / n;
    for (let k = 0; k < dim; k++) {
      gradient[p + k] += pull * (w[q + k] - w[o + k]) + 2 * decay * w[p + k];
      gradient[q + k] += pull * w[p + k] + decay * w[q + k];
      gradient[o + k] += -pull * w[p + k] + decay * w[o + k];
    }
    gradient[at.itemBias + i] += pull + decay * w[at.itemBias + i];
    gradient[at.itemBias + j] += -pull + decay * w[at.itemBias + j];
  }
  return loss / n;
}

/** score(u, i) = b + b_u + b_i + p_u . q_i. @param {Float64Array} w @param {Sizes} sizes @param {number} user @param {number} item */
export function score(w, sizes, user, item) {
  const at = layout(sizes), { dim } = sizes;
  let sum = w[at.bias] + w[at.userBias + user] + w[at.itemBias + item];
  for (let k = 0; k < dim; k++) sum += w[at.user + user * dim + k] * w[at.item + item * dim + k];
  return sum;
}

/** FunkSVD: the squared error of a batch of (user, item, rating), and its gradient. See `bpr`. */
export function squared(/** @type {Float64Array} */ w, /** @type {Sizes} */ sizes, /** @type {Batch} */ batch,
  /** @type {number} */ l2, /** @type {Float64Array} */ gradient) {
  const at = layout(sizes), { dim } = sizes, n = batch.users.length;
  let loss = 0;
  for (let row = 0; row < n; row++) {
    const user = batch.users[row], item = batch.items[row], p = at.user + user * dim, q = at.item + item * dim;
    const b = at.userBias + user, c = at.itemBias + item;
    const error = score(w, sizes, user, item) - batch.ratings[row], pull = (2 * error) / n, decay = (2 * l2) / n;
    let size = w[b] ** 2 + w[c] ** 2;
    for (let k = 0; k < dim; k++) {
      size += w[p + k] ** 2 + w[q + k] ** 2;
      gradient[p + k] += pull * w[q + k] + decay * w[p + k];
      gradient[q + k] += pull * w[p + k] + decay * w[q + k];
    }
    loss += error ** 2 + l2 * size;
    gradient[b] += pull + decay * w[b];
    gradient[c] += pull + decay * w[c];
    gradient[at.bias] += pull;
  }
  return loss / n;
}

/** Adam (Kingma and Ba, 2015), one step of all parameters. @param {number} length */
export function adam(length) {
  const mean = new Float64Array(length), square = new Float64Array(length);
  let steps = 0;
  return (/** @type {Float64Array} */ w, /** @type {Float64Array} */ gradient, /** @type {number} */ rate) => {
    steps++;
    const a = 1 - 0.9 ** steps, b = 1 - 0.999 ** steps;
    for (let k = 0; k < length; k++) {
      mean[k] = 0.9 * mean[k] + 0.1 * gradient[k];
      square[k] = 0.999 * square[k] + 0.001 * gradient[k] ** 2;
      w[k] -= (rate * mean[k] / a) / (Math.sqrt(square[k] / b) + 1e-8);
    }
  };
}
