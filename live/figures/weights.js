/** Logged data: the further the old policy is from the new one, the heavier a few rows weigh. */

import { choice, slider, soon } from "../shared/controls.js";
import { html, scale, short, svg } from "../shared/dom.js";
import { mount } from "../shared/figure.js";
import { effectiveSize, estimate, estimates, shrunkenMeans } from "../shared/off_policy.js";
import { uniform } from "../shared/random.js";

const LOGS = 60;
const START = { sharp: 5, shown: 60, visits: 300, most: 10, model: "means", seed: 0 };    // sharpness in tenths
const ESTIMATORS = /** @type {[string, string][]} */ ([["ips", "IPS"], ["clipped", "clipped"], ["snips", "SNIPS"], ["direct", "direct method"], ["robust", "doubly robust"]]);
/** What each adds up, in a few words. @type {Record<string, string>} */
const MEANING = { ips: "clicks × weights", clipped: "no weight above that", snips: "IPS ÷ the mean weight", direct: "the reward model alone",
  robust: "model + weighted errors" };
const MODELS = ["means", "zero", "truth"];

/** exp(score / temperature) of the items that may be shown, as shares. */
function softmax(/** @type {ArrayLike<number>} */ scores, /** @type {number} */ from, /** @type {number} */ size, /** @type {number} */ shown, /** @type {number} */ temperature) {
  let most = -Infinity, sum = 0;
  for (let i = 0; i < shown; i++) most = Math.max(most, scores[from + i]);
  const found = new Float64Array(size);
  for (let i = 0; i < shown; i++) sum += found[i] = Math.exp((scores[from + i] - most) / temperature);
  for (let i = 0; i < shown; i++) found[i] /= sum;
  return found;
}

/** The two policies and what is true of them. */
function world(/** @type {any} */ { tables, values }) {
  const [users, items] = tables.attraction.shape, attraction = tables.attraction.values;
  const popular = Float64Array.from(tables.sales.values, (/** @type {number} */ sold) => Math.log(sold + 1));
  const chances = Array.from({ length: users }, (_, user) => softmax(tables.scores.values, user * items, items, items, values.temperature));
  const mean = new Float64Array(items);
  let value = 0;
  chances.forEach((own, user) => own.forEach((share, item) => {
    mean[item] += share / users;
    value += (share * attraction[user * items + item]) / users;
  }));

  /** What the old policy shows, and what the new one earns with these items alone. */
  function old(/** @type {typeof START} */ state) {
    const shares = softmax(popular.map((one) => (one * state.sharp) / 10), 0, items, state.shown, 1);
    let supported = 0, lost = 0;
    chances.forEach((own, user) => own.forEach((share, item) => {
      if (shares[item]) supported += (share * attraction[user * items + item]) / users;
      else lost += share / users;
    }));
    return { shares, supported, lost, earned: chances.reduce((sum, _, user) => sum + shares.reduce((own, share, item) => own + share * attraction[user * items + item], 0), 0) / users };
  }

  /** One log, and what the estimators need of it. */
  function log(/** @type {Float64Array} */ shares, /** @type {typeof START} */ state, /** @type {() => number} */ random) {
    const n = state.visits, row = { user: new Int32Array(n), item: new Int32Array(n), reward: new Uint8Array(n), weight: new Float64Array(n),
      propensity: new Float64Array(n), predicted: new Float64Array(n), expected: new Float64Array(n) };
    const up = new Float64Array(items);
    shares.reduce((sum, share, item) => (up[item] = sum + share), 0);
    for (let visit = 0; visit < n; visit++) {
      const user = Math.floor(random() * users), die = random() * up[items - 1];
      let low = 0, high = state.shown - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (up[middle] > die) high = middle;
        else low = middle + 1;
      }
      row.user[visit] = user;
      row.item[visit] = low;
      row.reward[visit] = random() < attraction[user * items + low] ? 1 : 0;
      row.propensity[visit] = shares[low];
      row.weight[visit] = chances[user][low] / shares[low];
    }
    return model(row, state);
  }

  /** Fills in what the reward model expects. */
  function model(/** @type {any} */ row, /** @type {{model: string}} */ state) {
    const truth = state.model === "truth", means = truth ? null : shrunkenMeans(row.item, row.reward, items, state.model === "zero"), known = new Map();
    for (let visit = 0; visit < row.item.length; visit++) {
      const user = row.user[visit], from = truth ? user * items : (visit % 3) * items, table = truth ? attraction : means, key = user * 3 + (truth ? 0 : visit % 3);
      let expected = known.get(key);
      if (expected === undefined) {
        expected = 0;
        for (let item = 0; item < items; item++) expected += chances[user][item] * table[from + item];
        known.set(key, expected);
      }
      row.predicted[visit] = table[from + row.item[visit]];
      row.expected[visit] = expected;
    }
    return row;
  }
  return { users, items, chances, mean, value, old, log, model };
}

/** Sixty logs, and what each estimator says from each. */
function measure(/** @type {ReturnType<typeof world>} */ shop, /** @type {typeof START} */ state) {
  const { shares, supported, lost, earned } = shop.old(state), random = uniform(state.seed), found = [];
  let first;
  for (let number = 0; number < LOGS; number++) {
    const log = shop.log(shares, state, random);
    first ??= log;
    found.push(estimates(log, state.most));
  }
  const rows = Object.fromEntries(ESTIMATORS.map(([name]) => {
    const said = found.map((one) => one[name]), mean = said.reduce((sum, one) => sum + one.value, 0) / LOGS;
    return [name, { said, mean, off: Math.sqrt(said.reduce((sum, one) => sum + (one.value - shop.value) ** 2, 0) / LOGS),
      holds: said.filter((one) => one.low <= shop.value && shop.value <= one.high).length }];
  }));
  const weight = first.weight;
  return { shares, supported, lost, earned, rows, first, effective: effectiveSize(weight), heaviest: weight.reduce((a, b) => Math.max(a, b), 0), weights: estimate(weight, null) };
}

/** The address: 5.60.300.10.means.0 */
function decode(/** @type {string} */ text) {
  const [sharp, shown, visits, most, model, seed, rest] = text.split("."), n = [sharp, shown, visits, most, seed].map(Number);
  const inside = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => Number.isInteger(value) && value >= low && value <= high;
  if (rest !== undefined || !inside(n[0], 0, 30) || !inside(n[1], 5, 60) || ![100, 300, 1000].includes(n[2]) || !inside(n[3], 1, 50)
    || !MODELS.includes(model) || !inside(n[4], 0, 999)) return null;
  return { sharp: n[0], shown: n[1], visits: n[2], most: n[3], model, seed: n[4] };
}
const encode = (/** @type {typeof START} */ s) => [s.sharp, s.shown, s.visits, s.most, s.model, s.seed].join(".");

mount({
  name: "weights",
  compute: (data) => {
    const shop = world(data);
    return {
      truth: (/** @type {any} */ state) => {
        const { shares, supported, lost, earned } = shop.old({ ...START, ...state });
        return { value: shop.value, supported, lost, earned, shares: Array.from(shares), chances: shop.chances.map((one) => Array.from(one)) };
      },
      log: (/** @type {any} */ given) => {
        const state = { ...START, ...given }, log = shop.log(shop.old(state).shares, state, uniform(state.seed));
        return { ...Object.fromEntries(Object.entries(log).map(([name, column]) => [name, Array.from(/** @type {any} */ (column))])),
          found: estimates(/** @type {any} */ (log), state.most), effective: effectiveSize(log.weight) };
      },
      estimates: (/** @type {any} */ rows, /** @type {number} */ most) => {
        const log = Object.fromEntries(Object.entries(rows).map(([name, column]) => [name, Float64Array.from(/** @type {any} */ (column))]));
        return { ...estimates(/** @type {any} */ (log), most), effective: effectiveSize(log.weight) };
      },
      measure: (/** @type {any} */ given) => {
        const { rows, lost, supported } = measure(shop, { ...START, ...given });
        return { lost, supported, value: shop.value, rows: Object.fromEntries(Object.entries(rows).map(([name, one]) => [name, { mean: one.mean, off: one.off, holds: one.holds }])) };
      },
    };
  },
  start(figure) {
    const shop = world({ tables: figure.tables, values: figure.values }), titles = figure.values.titles;
    let state = { ...START };
    const change = (/** @type {Partial<typeof START>} */ given) => {
      state = { ...state, ...given };
      figure.remember(encode(state) === encode(START) ? "" : encode(state));
      redraw();
    };
    const sharp = slider("Old policy prefers what sells", { min: 0, max: 30, step: 1 }, (x) => (x ? `sales to the power ${x / 10}` : "not at all: all items alike"), (x) => change({ sharp: x }));
    const shown = slider("and ever shows", { min: 5, max: 60, step: 5 }, (x) => (x === 60 ? "all 60 items" : `${x} items`), (x) => change({ shown: x }));
    const visits = choice("Visits in a log", [["100", "100"], ["300", "300"], ["1000", "1,000"]], (one) => change({ visits: Number(one) }));
    const most = slider("clip at", { min: 1, max: 50, step: 1 }, String, (x) => change({ most: x }));
    const model = choice("Reward model", [["means", "item means"], ["zero", "means, 0 if never shown"], ["truth", "the truth"]], (one) => change({ model: one }));
    const anew = html("button", { type: "button", onclick: () => change({ seed: (state.seed + 1) % 1000 }) }, "New logs");
    const reset = html("button", { type: "button", onclick: () => change(START) }, "As at the start");
    const chances = html("div", {}), strips = html("div", {}), told = html("p", { class: "weights-told" }), lost = html("p", { class: "weights-lost" });
    figure.stage.append(
      html("div", { class: "live-row" }, sharp.element, shown.element), chances,
      html("div", { class: "live-row" }, visits.element, most.element, model.element, anew, reset), strips, told, lost);

    const redraw = soon(() => draw());
    function draw() {
      const found = measure(shop, state);
      sharp.set(state.sharp);
      shown.set(state.shown);
      visits.set(String(state.visits));
      most.set(state.most);
      model.set(state.model);
      chances.replaceChildren(policies(found));
      strips.replaceChildren(...rows(found));
      const worth = Math.round(found.effective), n = state.visits.toLocaleString("en");
      told.textContent = `The old policy earns ${short(found.earned)} clicks a visit, the new one ${short(shop.value)}. ${state.model === "means" ? `Item means are drawn to the log's mean: the direct method says ${short(found.rows.direct.mean)}. ` : ""}The first log: ${n} rows are worth ${worth.toLocaleString("en")} of the new policy's own (effective sample size); the heaviest counts ${found.heaviest.toFixed(1)} times, the mean weight is ${found.weights.value.toFixed(2)}.`;
      const beyond = (shop.value - found.supported) / found.lost, log = found.first.reward.reduce((sum, one) => sum + one, 0) / state.visits,
        guess = state.model === "truth" ? "the truth" : state.model === "zero" ? "0" : `the log's mean (${short(log, 2)} in the first)`;
      const gap = `Support lost: ${Math.round(100 * found.lost)} % of what the new policy shows was never in the log.`;
      lost.replaceChildren(...(found.lost < 1e-9 ? [] : [html("strong", {}, gap), ` With the rest it earns ${short(found.supported)}: this is what IPS estimates, however narrow its intervals. Where nothing was shown, the direct method and doubly robust say what their model guesses, ${guess}; there the truth is ${short(beyond, 2)} a visit, and no log of this policy can tell.`]));
      figure.say(`IPS errs by ${short(found.rows.ips.off)}, SNIPS by ${short(found.rows.snips.off)}, doubly robust by ${short(found.rows.robust.off)} clicks a visit. ${n} rows are worth ${worth}. ${found.lost < 1e-9 ? "" : gap}`);
    }

    function policies(/** @type {any} */ found) {
      const width = 700, high = 92, step = width / shop.items, top = Math.max(...found.shares, ...shop.mean), y = scale([0, Math.max(top, 0.04)], [0, high - 6]);
      const drawing = svg("svg", { viewBox: `0 0 ${width} ${high + 1}`, preserveAspectRatio: "none", class: "weights-policies", role: "img",
        "aria-label": `Chance of each of ${shop.items} items, the best seller first. The old policy shows ${titles[0]} in ${Math.round(100 * found.shares[0])} % of the visits, the new one in ${Math.round(100 * shop.mean[0])} %.` });
      const bars = { grey: "", sky: "", red: "" };        // one path a colour: hundreds of elements would cost the most time
      const bar = (/** @type {string} */ colour, /** @type {number} */ left, /** @type {number} */ wide, /** @type {number} */ share) => {
        bars[colour] += `M${left.toFixed(1)} ${high}v${(-y(share)).toFixed(2)}h${wide.toFixed(1)}V${high}Z`;
      };
      for (let item = 0; item < shop.items; item++) {
        bar("grey", item * step + 1, step * 0.45, found.shares[item]);
        bar(found.shares[item] ? "sky" : "red", item * step + 1 + step * 0.45, step * 0.4, shop.mean[item]);
      }
      for (const [colour, d] of Object.entries(bars)) drawing.append(svg("path", { d, fill: `var(--live-fill-${colour})` }));
      drawing.append(svg("line", { class: "axis", x1: 0, x2: width, y1: high, y2: high }));
      const key = (/** @type {string} */ colour, /** @type {string} */ text) => html("span", { class: "winner-tag" }, html("i", { style: `background:var(--live-fill-${colour})` }), text);
      return html("div", {}, drawing, html("p", { class: "winner-key" }, key("grey", "old policy's chance"), key("sky", "new policy's (mean of all customers)"),
        found.lost > 1e-9 ? key("red", "new, never in the log") : null, html("span", { class: "winner-year" }, "60 items, best seller first →")));
    }

    function rows(/** @type {any} */ found) {
      const width = 420, high = 40, random = uniform(9), most = Math.max(0.3, 2.2 * shop.value), x = scale([0, most], [4, width - 4]);
      const made = ESTIMATORS.map(([name, title]) => {
        const { said, mean, off, holds } = found.rows[name], label = name === "clipped" ? `clipped at ${state.most}` : title;
        const drawing = svg("svg", { viewBox: `0 0 ${width} ${high}`, preserveAspectRatio: "none", class: "weights-strip", role: "img",
          "aria-label": `${label}: mean of ${LOGS} logs ${short(mean)}, true ${short(shop.value)}, root mean square error ${short(off)}.` });
        drawing.append(svg("line", { class: "axis", x1: 4, x2: width - 4, y1: high - 1, y2: high - 1 }),
          svg("line", { x1: x(shop.value), x2: x(shop.value), y1: 0, y2: high, stroke: "var(--live-fill-red)", "stroke-width": 2.5, "stroke-dasharray": "4 3", "vector-effect": "non-scaling-stroke" }));
        const dots = { blue: "", orange: "" };
        said.forEach((/** @type {any} */ one, /** @type {number} */ number) => {
          const inside = one.low <= shop.value && shop.value <= one.high, y = 7 + 26 * random();
          dots[inside ? "blue" : "orange"] += `M${x(Math.max(0, Math.min(most, one.value))).toFixed(1)} ${y.toFixed(1)}h0`;
          if (!number) drawing.append(svg("line", { x1: x(Math.max(0, one.low)), x2: x(Math.min(most, one.high)), y1: y, y2: y, stroke: "var(--live-ink)", "stroke-width": 1.5 }));
        });
        for (const [colour, d] of Object.entries(dots)) drawing.append(svg("path", { d, fill: "none", stroke: `var(--live-fill-${colour})`,
          "stroke-opacity": 0.75, "stroke-width": 6, "stroke-linecap": "round", "vector-effect": "non-scaling-stroke" }));
        drawing.append(svg("path", { d: `M${x(Math.min(most, mean))} 0V${high}`, stroke: "var(--live-ink)", "stroke-width": 2 }));
        return html("div", { class: "weights-row" }, html("span", { class: "weights-name" }, label, html("small", {}, MEANING[name])), drawing,
          html("span", { class: "weights-number" }, `error ${short(off)}`), html("span", { class: "weights-number quietly" }, `${holds} of ${LOGS} hold`));
      });
      const key = html("p", { class: "winner-key" }, html("span", {}, `A dot is the estimate of one log, from 0 to ${short(most, 2)} clicks a visit (beyond it: at the edge)`),
        html("span", { class: "winner-tag" }, html("i", { style: "background:var(--live-fill-blue)" }), "its 95 % interval holds the truth"),
        html("span", { class: "winner-tag" }, html("i", { style: "background:var(--live-fill-orange)" }), "misses it"),
        html("span", {}, `dashed: the truth, ${short(shop.value)}; upright bar: mean of all logs; lying bar: interval of the first`),
        html("span", {}, `error: root mean square error of ${LOGS} logs; hold: of ${LOGS} intervals, those that hold the truth`));
      return [key, ...made];
    }

    state = figure.recall(decode, () => ({ ...START }));
    figure.onAddress(() => {
      state = figure.recall(decode, () => ({ ...START }));
      draw();
    });
    draw();
  },
});
