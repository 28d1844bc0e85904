/** Metrics of one right item a question from its rank, the best being 0, as in `recbook/metrics.py`; and how sure they are. */

import { poisson, uniform } from "./random.js";

/** @type {Record<string, (rank: number, k: number) => number>} */
export const METRICS = {
  ndcg: (rank, k) => (rank < k ? 1 / Math.log2(rank + 2) : 0),
  hit: (rank, k) => (rank < k ? 1 : 0),
  mrr: (rank, k) => (rank < k ? 1 / (rank + 1) : 0),
};

/** How often each user is drawn in each draw of a bootstrap: (draws, users). @param {number} users @param {number} draws @param {number} seed */
export function drawAgain(users, draws, seed) {
  const random = uniform(seed);
  return Uint8Array.from({ length: users * draws }, () => poisson(random));
}

/**
 * The mean difference of two models on the same questions and its 95 % interval: users are drawn, each with all questions.
 * @param {ArrayLike<number>} gaps    one model's value less the other's, a question each
 * @param {ArrayLike<number>} users   whose question it is
 * @param {number} nUsers
 * @param {Uint8Array} times          of `drawAgain`
 * @returns {{difference: number, low: number, high: number, n: number}}
 */
export function paired(gaps, users, nUsers, times) {
  const total = new Float64Array(nUsers), count = new Float64Array(nUsers);
  let sum = 0;
  for (let place = 0; place < gaps.length; place++) {
    total[users[place]] += gaps[place];
    count[users[place]]++;
    sum += gaps[place];
  }
  const asked = [];
  for (let user = 0; user < nUsers; user++) if (count[user]) asked.push(user);
  const means = [];
  for (let start = 0; start < times.length; start += nUsers) {
    let above = 0, below = 0;
    for (const user of asked) {
      above += times[start + user] * total[user];
      below += times[start + user] * count[user];
    }
    if (below) means.push(above / below);
  }
  const ordered = Float64Array.from(means).sort();
  return { difference: sum / gaps.length, low: quantile(ordered, 0.025), high: quantile(ordered, 0.975), n: gaps.length };
}

/** Between the two nearest of ordered values, as NumPy does it. @param {ArrayLike<number>} ordered @param {number} share */
export function quantile(ordered, share) {
  const place = share * (ordered.length - 1), below = Math.floor(place);
  const above = Math.min(below + 1, ordered.length - 1);
  return ordered[below] + (place - below) * (ordered[above] - ordered[below]);
}
