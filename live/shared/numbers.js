/** The little arithmetic that the models of a figure need. Tables are {shape, values}, row after row. */

/** @typedef {import("./data.js").Table} Table */
/** @typedef {number[] | Float32Array | Float64Array} Vector */

/** Row `row` of a table. @param {Table} table @param {number} row @returns {Float32Array} */
export function row(table, row) {
  const width = table.shape[1];
  return /** @type {any} */ (table.values.subarray(row * width, (row + 1) * width));
}

/** @param {Vector} a @param {Vector} b */
export function dot(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/**
 * W x + b, as a layer of PyTorch keeps them: W (out, in), b (out,) or none.
 * @param {Table} matrix
 * @param {Vector} vector
 * @param {Table} [bias]
 */
export function linear(matrix, vector, bias) {
  const made = new Float64Array(matrix.shape[0]), width = matrix.shape[1], values = matrix.values;
  for (let i = 0, at = 0; i < made.length; i++, at += width) {
    let sum = bias ? bias.values[i] : 0;
    for (let k = 0; k < width; k++) sum += values[at + k] * vector[k];
    made[i] = sum;
  }
  return made;
}

/** @param {Vector} scores @returns {Float64Array} */
export function softmax(scores) {
  let most = -Infinity, sum = 0;
  for (const score of scores) most = Math.max(most, score);
  const made = Float64Array.from(scores, (score) => Math.exp(score - most));
  for (const one of made) sum += one;
  return made.map((one) => one / sum);
}

/**
 * Layer normalisation: mean 0 and variance 1, then scaled and shifted.
 * @param {Vector} vector
 * @param {Table} weight
 * @param {Table} bias
 */
export function normalised(vector, weight, bias) {
  const size = vector.length;
  let mean = 0, variance = 0;
  for (const one of vector) mean += one / size;
  for (const one of vector) variance += (one - mean) ** 2 / size;
  const root = Math.sqrt(variance + 1e-5);
  return Float64Array.from(vector, (one, k) => ((one - mean) / root) * weight.values[k] + bias.values[k]);
}

/** The places of the k highest, the highest first; of equal ones the first. @param {Vector} scores @param {number} k */
export function top(scores, k) {
  const order = Array.from(scores, (_, place) => place);
  return order.sort((a, b) => scores[b] - scores[a] || a - b).slice(0, k);
}

/**
 * Where an item stands in the order of scores, the best place being 0: [first, last], as far as equal scores leave it open.
 * @param {Vector} scores
 * @param {number} item
 */
export function place(scores, item) {
  let above = 0, equal = 0;
  for (const score of scores) {
    if (score > scores[item]) above++;
    else if (score === scores[item]) equal++;
  }
  return [above, above + equal - 1];
}

/** The mean NDCG@k of one right item over the places that equal scores leave open. @param {Vector} scores @param {number} item */
export function ndcg(scores, item, k = 10) {
  const [first, last] = place(scores, item);
  let sum = 0;
  for (let rank = first; rank <= Math.min(last, k - 1); rank++) sum += 1 / Math.log2(rank + 2);
  return sum / (last - first + 1);
}
