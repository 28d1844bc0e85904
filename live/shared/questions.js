/** Cuts of a log, and the ranks that two EASE models give to what came next, against others that the reader chooses. */

import { uniform } from "./random.js";

/** @typedef {{starts: ArrayLike<number>, items: ArrayLike<number>, moments: ArrayLike<number>, nItems: number, nUsers: number}} Log */

/**
 * Which rows train and which are asked about, one byte a row.
 * @param {Log} log
 * @param {string} kind     "time": the last `percent` of the events; "last": each user's last; "random": a tenth by lot
 * @param {number} percent
 * @param {number} seed
 */
export function cut(log, kind, percent, seed) {
  const n = log.items.length, train = new Uint8Array(n), asked = new Uint8Array(n);
  if (kind === "time") {
    const ordered = Uint16Array.from(log.moments).sort(), first = ordered[Math.floor(n * (1 - percent / 100) + 1e-9)];
    for (let row = 0; row < n; row++) (log.moments[row] < first ? train : asked)[row] = 1;
  } else if (kind === "last") {
    train.fill(1);
    for (let user = 0; user < log.nUsers; user++) {
      const end = log.starts[user + 1];
      if (end - log.starts[user] >= 3) [train[end - 1], asked[end - 1]] = [0, 1];
    }
  } else {
    const random = uniform(seed + 77);
    for (let row = 0; row < n; row++) (random() < 0.1 ? asked : train)[row] = 1;
  }
  return { train, asked };
}

/** The mean share of the training events that happened after a question. @param {Log} log @param {{train: Uint8Array, asked: Uint8Array}} parts */
export function later({ moments }, { train, asked }) {
  const most = 1 + moments.length, count = new Uint32Array(most + 1);
  let trained = 0, sum = 0, questions = 0;
  for (let row = 0; row < moments.length; row++) if (train[row]) [count[moments[row]], trained] = [count[moments[row]] + 1, trained + 1];
  const after = new Uint32Array(most + 2);
  for (let moment = most; moment >= 0; moment--) after[moment] = after[moment + 1] + count[moment];
  for (let row = 0; row < moments.length; row++) if (asked[row]) [sum, questions] = [sum + after[moments[row] + 1], questions + 1];
  return sum / questions / trained;
}

/**
 * Ranks of the right item by two models, a question each.
 * @param {Log} log
 * @param {Uint8Array} asked
 * @param {Float64Array[]} models    weights (N, N) of two EASE
 * @param {{kind: string, negatives: number, seed: number}} against
 *   kind : "all": any other item; "unmet": not met before the question; "never": not met before nor after it.
 *   negatives : how many of them, drawn by lot; N - 1: all.
 */
export function ranks(log, asked, models, { kind, negatives, seed }) {
  const size = log.nItems, random = uniform(seed), scores = models.map(() => new Float64Array(size));
  const found = { users: [], rows: [], again: [], given: [], others: [], ranks: models.map(() => []) };
  const lot = Int32Array.from({ length: size }, (_, item) => item), sampled = negatives < size - 1;
  const before = new Uint8Array(size), ever = new Uint8Array(size);
  for (let user = 0; user < log.nUsers; user++) {
    const start = log.starts[user], end = log.starts[user + 1];
    before.fill(0);
    ever.fill(0);
    for (const one of scores) one.fill(0);
    for (let row = start; row < end; row++) ever[log.items[row]] = 1;
    for (let row = start; row < end; row++) {
      const target = log.items[row];
      if (asked[row]) {
        const hidden = kind === "all" ? null : kind === "unmet" ? before : ever, above = models.map(() => 0), equal = models.map(() => 0);
        let taken = 0, met = 0;
        for (let place = 0; place < size && taken < negatives; place++) {
          if (sampled) {                                        // the next of a random order (Fisher and Yates), as far as it is needed
            const other = place + Math.floor(random() * (size - place)), swapped = lot[place];
            lot[place] = lot[other];
            lot[other] = swapped;
          }
          const item = lot[place];
          if (item === target || hidden?.[item]) continue;
          taken++;
          met += before[item];
          for (let m = 0; m < models.length; m++) {
            if (scores[m][item] > scores[m][target]) above[m]++;
            else if (scores[m][item] === scores[m][target]) equal[m]++;
          }
        }
        found.users.push(user);
        found.rows.push(row);
        found.again.push(before[target]);
        found.given.push(before[target] && !met ? 1 : 0);       // the only thing on the list that was met before
        found.others.push(taken);
        for (let m = 0; m < models.length; m++) found.ranks[m].push(above[m] + Math.floor(random() * (equal[m] + 1)));  // ties by lot
      }
      if (!before[target]) {
        before[target] = 1;
        for (let m = 0; m < models.length; m++) {
          const own = scores[m], weight = models[m];
          for (let item = 0, at = target * size; item < size; item++, at++) own[item] += weight[at];
        }
      }
    }
  }
  return found;
}
