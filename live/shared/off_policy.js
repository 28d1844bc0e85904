/** What a log says of another policy: the estimators of `recbook/off_policy/estimators.py`, and the reward model of item means. */

const NORMAL = 1.959963984540054;

/**
 * The value and its interval from what each row adds above and below a fraction bar.
 * @param {Float64Array} above
 * @param {Float64Array | null} below   null: 1 a row
 */
export function estimate(above, below) {
  const n = above.length;
  let over = 0, total = below ? 0 : n, squares = 0;
  for (let row = 0; row < n; row++) {
    over += above[row];
    if (below) total += below[row];
  }
  const value = over / total;
  for (let row = 0; row < n; row++) squares += (above[row] - value * (below ? below[row] : 1)) ** 2;
  const error = Math.sqrt((squares * n) / Math.max(n - 1, 1)) / total;
  return { value, error, low: value - NORMAL * error, high: value + NORMAL * error };
}

/**
 * All of them from one log.
 * @param {{weight: Float64Array, reward: ArrayLike<number>, predicted: Float64Array, expected: Float64Array}} log
 * @param {number} most   of the clipped one
 */
export function estimates({ weight, reward, predicted, expected }, most) {
  const n = weight.length, make = () => new Float64Array(n);
  const ips = make(), cut = make(), robust = make();
  for (let row = 0; row < n; row++) {
    ips[row] = weight[row] * reward[row];
    cut[row] = Math.min(weight[row], most) * reward[row];
    robust[row] = expected[row] + weight[row] * (reward[row] - predicted[row]);
  }
  return {
    ips: estimate(ips, null), clipped: estimate(cut, null), snips: estimate(ips, weight),
    direct: estimate(expected, null), robust: estimate(robust, null),
  };
}

/** How many rows of the new policy's own would be as certain. @param {Float64Array} weight */
export function effectiveSize(weight) {
  let sum = 0, squares = 0;
  for (const one of weight) {
    sum += one;
    squares += one * one;
  }
  return squares ? (sum * sum) / squares : 0;
}

/**
 * Each item's mean reward, drawn towards the mean of all, for the rows of each fold from the other folds: (folds, N).
 * Row r is in fold r % folds. `empty`: an item that the other folds never show has 0, and not the mean of all.
 * @param {ArrayLike<number>} items
 * @param {ArrayLike<number>} reward
 * @param {number} nItems
 * @param {boolean} [empty]
 */
export function shrunkenMeans(items, reward, nItems, empty = false, folds = 3, strength = 10) {
  const count = new Float64Array(folds * nItems), total = new Float64Array(folds * nItems);
  for (let row = 0; row < items.length; row++) {
    for (let fold = 0; fold < folds; fold++) {
      if (row % folds === fold) continue;
      count[fold * nItems + items[row]]++;
      total[fold * nItems + items[row]] += reward[row];
    }
  }
  const found = new Float64Array(folds * nItems);
  for (let fold = 0; fold < folds; fold++) {
    let rows = 0, sum = 0;
    for (let item = 0; item < nItems; item++) {
      rows += count[fold * nItems + item];
      sum += total[fold * nItems + item];
    }
    const mean = sum / Math.max(rows, 1);
    for (let at = fold * nItems; at < (fold + 1) * nItems; at++) found[at] = empty && !count[at] ? 0 : (total[at] + strength * mean) / (count[at] + strength);
  }
  return found;
}
