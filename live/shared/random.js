/** Random numbers from a seed: the same on every machine, so that a link is an experiment. */

/**
 * Numbers of [0, 1), one a call: Marsaglia's xorshift with a mixed seed (SplitMix).
 * @param {number} seed   a whole number
 * @returns {() => number}
 */
export function uniform(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 0;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = (Math.imul(state ^ (state >>> 13), 0xc2b2ae35) ^ 0x5bd1e995) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

/** A normal number, by Box and Muller. @param {() => number} random */
export function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** How many events of rate 1: Knuth's product of uniform numbers. @param {() => number} random */
export function poisson(random) {
  let count = 0;
  for (let left = random(); left > Math.exp(-1); left *= random()) count++;
  return count;
}

/** The numbers 0 .. size - 1 in random order (Fisher and Yates). @param {number} size @param {() => number} random */
export function shuffled(size, random) {
  const order = Int32Array.from({ length: size }, (_, place) => place);
  for (let last = size - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
