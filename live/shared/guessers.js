/** The ladder of the first page: seven that guess what comes next, from one history. */

import { gru4rec, of, products, sasrec } from "./networks.js";
import { linear, row } from "./numbers.js";
import { chances, makeLaw } from "./shop.js";

/** @typedef {import("./shop.js").Event} Event */

/**
 * @param {{tables: Record<string, any>, values: Record<string, any>}} data
 * @returns {{law: import("./shop.js").Law, scores: (events: Event[], now: number, prior: ArrayLike<number>) => Float64Array[]}}
 *   scores : of every item, by each guesser in the order of `values.names`; the last are true probabilities
 */
export function guessers({ tables, values }) {
  const law = makeLaw(tables, values), count = Float64Array.from(tables.count.values), most = Math.max(...count);
  const networks = values.reads.networks;
  const latest = (/** @type {Event[]} */ events, /** @type {number} */ reads) => [...new Set(events.slice(-reads).map((one) => one.item))];

  function met(/** @type {Event[]} */ events) {
    const made = count.map((one) => one / (most + 1));                  // ties by popularity: less than one event
    for (const event of events) made[event.item]++;
    return made;
  }

  /** Of the items met, the weights at those candidates whose neighbours they are. */
  function neighbours(/** @type {Event[]} */ events) {
    const here = new Set(latest(events, values.reads["item neighbours"])), k = tables.neighbours.shape[1];
    return count.map((_, item) => {
      let sum = 0;
      for (let at = item * k; at < (item + 1) * k; at++) if (here.has(tables.neighbours.values[at])) sum += tables.nearness.values[at];
      return sum;
    });
  }

  /** x V V^T, where x holds a 1 for each item met. */
  function factors(/** @type {Event[]} */ events) {
    const question = new Float64Array(tables.factors.shape[1]);
    for (const item of latest(events, values.reads["matrix factorization"])) row(tables.factors, item).forEach((one, k) => { question[k] += one; });
    return linear(tables.factors, question);
  }

  return {
    law,
    scores: (events, now, prior) => [
      count, met(events), neighbours(events), factors(events), gru4rec(of(tables, "gru"), events, now, networks),
      products(of(tables, "sasrec"), sasrec(of(tables, "sasrec"), events, now, networks).state), chances(law, events, now, prior),
    ],
  };
}
