/**
 * The shop's law, and the observer who knows it: `recbook/data/shop/world.py` and `recbook/models/observer.py`.
 *
 * Given a taste and what can be seen, an item's chance is its weight over the sum of all weights, and the weight is a
 * part of the category times a part of the item. The taste is hidden: the belief about it follows by the forward
 * algorithm. The observer is told what was done with each item and when, and no ratings.
 */

/**
 * @typedef {object} Event
 * @property {number} item
 * @property {number} behaviour   0 a look, 2 put into the cart, 3 bought
 * @property {number} time        seconds
 */
/** @typedef {ReturnType<typeof makeLaw>} Law */

export const LOOK = 0, CART = 2, BOUGHT = 3;
const DAY = 86400, YEAR_START = 1735689600, SEASONS = [0, 304, 334];

/** Which season a time is in. @param {number} time */
export function season(time) {
  const day = Math.floor((time - YEAR_START) / DAY);
  return SEASONS.filter((first) => first <= day).length - 1;
}

/**
 * The law with its sums, from what `tools/live_figures/_shop.py` stores.
 * @param {Record<string, import("./data.js").Table>} tables
 * @param {Record<string, any>} values
 */
export function makeLaw(tables, values) {
  const category = tables.category.values, style = tables.style.values, launch = tables.launch.values;
  const [tastes, items] = tables.taste.shape, styles = tables.pull.shape[0], categories = tables.purchase.shape[1];

  // weights[z][m]: of each item for taste z after an item of style m, `styles` standing for none; whole numbers
  const weights = Array.from({ length: tastes }, (_, z) => Array.from({ length: styles + 1 }, (_, m) => {
    const utility = Float64Array.from({ length: items }, (_, i) => tables.taste.values[z * items + i]
      + (m < styles ? tables.pull.values[m * items + i] : 0) + tables.appeal.values[i]);
    const most = utility.reduce((a, b) => Math.max(a, b));
    return utility.map((one) => Math.max(1, Math.round(Math.exp(Math.round((one - most) * 1000) / 1000) * 2 ** 18)));
  }));
  const onSale = SEASONS.map((_, s) => Array.from(launch).filter((first) => first <= s).length);
  // sums[s][z][m]: of the weights on sale, category by category
  const sums = SEASONS.map((_, s) => weights.map((of) => of.map((all) => {
    const made = new Float64Array(categories);
    all.forEach((weight, i) => { if (launch[i] <= s) made[category[i]] += weight; });
    return made;
  })));

  /** The categories' part, after the categories of the last two items and of the last purchase. */
  function odds(/** @type {State} */ { before, last, bought }) {
    const at = (before * (categories + 1) + last) * categories;
    const made = new Float64Array(categories);
    for (let c = 0; c < categories; c++) made[c] = tables.sequence.values[at + c] * tables.purchase.values[bought * categories + c];
    return made;
  }

  /** The sum of all items' weights. */
  function total(/** @type {Float64Array} */ odds, s, z, m) {
    const of = sums[s][z][m];
    let sum = 0;
    for (let c = 0; c < categories; c++) sum += odds[c] * of[c];
    return sum;
  }

  return {
    tastes, items, styles, categories, category, style, launch, weights, onSale, odds, total,
    cart: (/** @type {number} */ z, /** @type {number} */ i) => tables.cart.values[z * items + i] / 65536,
    average: Float64Array.from(tables.average.values), noise: values.noise, drift: values.drift, gap: values.gap,
  };
}

/** @typedef {{season: number, style: number, last: number, before: number, bought: number}} State */

/**
 * What the observer makes of a history: the belief about the taste, and what can be seen, at time `now`.
 * @param {Law} law
 * @param {Event[]} events      oldest first
 * @param {number} now          when the question is asked
 * @param {ArrayLike<number>} prior   of the tastes, as the customer's profile has it
 */
export function follow(law, events, now, prior) {
  let belief = Float64Array.from(prior);
  /** @type {State} */
  const state = { season: 0, style: law.styles, last: law.categories, before: law.categories, bought: law.categories };
  const owned = new Set();
  let time = -Infinity;

  function pause(/** @type {number} */ until) {
    if (until - time <= law.gap) return;
    belief = belief.map((one, z) => (1 - law.drift) * one + law.drift * prior[z]);      // a visit begins
    state.style = law.styles;
    state.last = state.before = law.categories;
  }

  for (const event of events) {
    pause(event.time);
    state.season = season(event.time);
    const { item, behaviour } = event, odds = law.odds(state), category = law.category[item];
    const noise = law.launch[item] <= state.season ? law.noise / law.onSale[state.season] : 0;
    let sum = 0;
    const seen = belief.map((one, z) => {
      const weight = law.launch[item] <= state.season ? law.weights[z][state.style][item] : 0;
      const likely = (1 - law.noise) * odds[category] * weight / law.total(odds, state.season, z, state.style) + noise;
      const told = owned.has(item) ? 1 : behaviour === LOOK ? 1 - law.cart(z, item) : law.cart(z, item);
      sum += one * likely * told;
      return one * likely * told;
    });
    if (sum > 0) belief = seen.map((one) => one / sum);     // a look at what was not yet on sale tells nothing
    if (behaviour === BOUGHT) {
      owned.add(item);
      state.bought = category;
    }
    state.before = state.last;
    state.last = category;
    state.style = law.style[item];
    time = event.time;
  }
  pause(now);
  state.season = season(now);
  return { belief, state };
}

/**
 * The true probability of each item to be the next.
 * @param {Law} law
 * @param {Event[]} events
 * @param {number} now
 * @param {ArrayLike<number>} prior
 */
export function chances(law, events, now, prior) {
  const { belief, state } = follow(law, events, now, prior), odds = law.odds(state);
  const shares = belief.map((one, z) => one / law.total(odds, state.season, z, state.style));
  const made = new Float64Array(law.items), weights = law.weights.map((of) => of[state.style]);
  for (let i = 0; i < law.items; i++) {
    if (law.launch[i] > state.season) continue;
    let sum = 0;
    for (let z = 0; z < law.tastes; z++) sum += shares[z] * weights[z][i];
    made[i] = (1 - law.noise) * sum * odds[law.category[i]] + law.noise / law.onSale[state.season];
  }
  return made;
}
