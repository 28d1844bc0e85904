/** EASE as `recbook.EASE` solves it: with P = (X^T X + l2 I)^-1 the weight of item i for item j is -P_ij / P_jj. */

/**
 * How many users met both items, (N, N), from the rows of a log that train.
 * @param {{starts: ArrayLike<number>, items: ArrayLike<number>, nItems: number}} log   sorted by user
 * @param {Uint8Array} train   1 for each row that trains
 */
export function gram(log, train) {
  const size = log.nItems, found = new Float64Array(size * size), seen = new Int32Array(size).fill(-1);
  for (let user = 0; user + 1 < log.starts.length; user++) {
    const met = [];
    for (let row = log.starts[user]; row < log.starts[user + 1]; row++) {
      const item = log.items[row];
      if (train[row] && seen[item] !== user) {
        seen[item] = user;
        met.push(item);
      }
    }
    for (const i of met) for (const j of met) found[i * size + j]++;
  }
  return found;
}

/**
 * The weights (N, N) for a penalty, by the inverse of a positive definite matrix (Gauss and Jordan, no pivot is needed).
 * @param {Float64Array} products   of `gram`
 * @param {number} size
 * @param {number} l2
 */
export function weights(products, size, l2) {
  const inverse = Float64Array.from(products);
  for (let i = 0; i < size; i++) inverse[i * size + i] += l2;
  for (let k = 0; k < size; k++) {
    const pivot = 1 / inverse[k * size + k];
    inverse[k * size + k] = 1;
    for (let j = 0; j < size; j++) inverse[k * size + j] *= pivot;
    for (let i = 0; i < size; i++) {
      if (i === k) continue;
      const factor = inverse[i * size + k];
      if (!factor) continue;
      inverse[i * size + k] = 0;
      for (let j = 0; j < size; j++) inverse[i * size + j] -= factor * inverse[k * size + j];
    }
  }
  const found = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) if (i !== j) found[i * size + j] = -inverse[i * size + j] / inverse[j * size + j];
  }
  return found;
}
