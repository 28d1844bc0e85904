/** How we measure: two models, and a winner that changes with the way of measuring. */

import { choice, slider, soon } from "../shared/controls.js";
import { html, scale, short, svg } from "../shared/dom.js";
import { gram, weights } from "../shared/ease.js";
import { mount } from "../shared/figure.js";
import { METRICS, drawAgain, paired } from "../shared/metrics.js";
import { cut, later, ranks } from "../shared/questions.js";

const DRAWS = 500, BINS = 48, MOST = 50, WIDEST = 0.16;      // of all settings; fixed, so that two can be compared
const START = { cut: "time", percent: 10, kind: "all", negatives: 119, metric: "ndcg", k: 10, seed: 0 };
const NAMES = { ndcg: "NDCG", hit: "hit rate", mrr: "reciprocal rank" };
const COLOURS = ["blue", "orange"];

/** The log as the page keeps it. @returns {import("../shared/questions.js").Log} */
function logOf(/** @type {any} */ { tables, values }) {
  const { starts, items, moments } = tables;
  return { starts: starts.values, items: items.values, moments: moments.values, nItems: values.items, nUsers: starts.shape[0] - 1 };
}

/** Measures once; what did not change is kept. */
function judge(/** @type {any} */ data) {
  const log = logOf(data), times = drawAgain(log.nUsers, DRAWS, 5), kept = { cut: "", parts: null, models: null, future: 0, ask: "", asked: null };
  return (/** @type {typeof START} */ state) => {
    const key = [state.cut, state.cut === "time" ? state.percent : 0, state.cut === "random" ? state.seed : 0].join();
    if (kept.cut !== key) {
      const parts = cut(log, state.cut, state.percent, state.seed), products = gram(log, parts.train);
      Object.assign(kept, { cut: key, parts, future: later(log, parts),
        models: [data.values.strong, data.values.weak].map((l2) => weights(products, log.nItems, l2)) });
    }
    const ask = [key, state.kind, state.negatives, state.seed].join();
    if (kept.ask !== ask) Object.assign(kept, { ask, asked: ranks(log, kept.parts.asked, kept.models, state) });
    const metric = METRICS[state.metric], { asked } = kept, n = asked.users.length;
    const values = asked.ranks.map((own) => Float64Array.from(own, (rank) => metric(rank, state.k)));
    const difference = (/** @type {(place: number) => boolean} */ keep) => {
      const rows = asked.users.map((_, place) => place).filter(keep);
      return rows.length ? paired(rows.map((row) => values[0][row] - values[1][row]), rows.map((row) => asked.users[row]), log.nUsers, times) : null;
    };
    const curves = asked.ranks.map((own) => {
      const count = new Float64Array(MOST);
      for (const rank of own) if (rank < MOST) count[rank]++;
      let sum = 0;
      return Array.from(count, (many, rank) => (sum += (many * metric(rank, MOST)) / n));
    });
    const mean = (/** @type {ArrayLike<number>} */ list) => Array.from(list).reduce((a, b) => a + b, 0) / n;
    return { parts: kept.parts, future: kept.future, asked, curves, n, values: values.map(mean), again: mean(asked.again), given: mean(asked.given),
      gaps: { all: difference(() => true), again: difference((row) => !!asked.again[row]), new: difference((row) => !asked.again[row]) } };
  };
}

/** The address: time.10.all.119.ndcg.10.0 */
function decode(/** @type {string} */ text) {
  const [kindOfCut, percent, kind, negatives, metric, k, seed, rest] = text.split(".");
  const numbers = [percent, negatives, k, seed].map(Number);
  const inside = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => Number.isInteger(value) && value >= low && value <= high;
  if (rest !== undefined || !["time", "last", "random"].includes(kindOfCut) || !["all", "unmet", "never"].includes(kind) || !Object.keys(METRICS).includes(metric)
    || !inside(numbers[0], 5, 30) || !inside(numbers[1], 4, 119) || !inside(numbers[2], 1, MOST) || !inside(numbers[3], 0, 999)) return null;
  return { cut: kindOfCut, percent: numbers[0], kind, negatives: numbers[1], metric, k: numbers[2], seed: numbers[3] };
}
const encode = (/** @type {typeof START} */ s) => [s.cut, s.percent, s.kind, s.negatives, s.metric, s.k, s.seed].join(".");
const signed = (/** @type {number} */ x) => (x < 0 ? "−" : "+") + short(Math.abs(x));

mount({
  name: "winner",
  compute: (data) => {
    const log = logOf(data), answer = judge(data);
    return {
      weights: (/** @type {string} */ kind, /** @type {number} */ percent, /** @type {number} */ l2) =>
        Array.from(weights(gram(log, cut(log, kind, percent, 0).train), log.nItems, l2)),
      rows: (/** @type {string} */ kind, /** @type {number} */ percent, /** @type {number} */ seed) => Array.from(cut(log, kind, percent, seed).asked),
      judge: (/** @type {any} */ state) => {
        const { curves, gaps, values, future, asked, n, given } = answer({ ...START, ...state });
        return { curves, gaps, values, future, n, given, again: asked.again, rows: asked.rows, ranks: asked.ranks };
      },
      metric: (/** @type {string} */ name, /** @type {number[]} */ given, /** @type {number} */ k) => given.map((rank) => METRICS[name](rank, k)),
      paired: (/** @type {number[]} */ gaps, /** @type {number[]} */ users, /** @type {number} */ nUsers, /** @type {number[]} */ times) =>
        paired(gaps, users, nUsers, Uint8Array.from(times)),
    };
  },
  start(figure) {
    const data = { tables: figure.tables, values: figure.values }, log = logOf(data), answer = judge(data), plain = judge(data);
    const { strong, weak } = figure.values, names = [`penalty ${strong}`, `penalty ${weak}`];
    const first = answer(START).gaps;
    let state = { ...START };
    const change = (/** @type {Partial<typeof START>} */ given) => {
      state = { ...state, ...given };
      figure.remember(encode(state) === encode(START) ? "" : encode(state));
      redraw();
    };
    const cuts = choice("Test", [["time", "the last events"], ["last", "each one's last item"], ["random", "a tenth by lot"]], (one) => change({ cut: one }));
    const percent = slider("how many asked", { min: 5, max: 30, step: 5 }, (x) => (state.cut === "time" ? `${x} %` : state.cut === "last" ? "one each" : "10 %"), (x) => change({ percent: x }));
    const kinds = choice("Ranked against", [["all", "any items"], ["unmet", "not met before"], ["never", "never met, before or after"]], (one) => change({ kind: one }));
    const negatives = slider("how many rivals", { min: 4, max: 119, step: 5 }, (x) => (x === 119 ? "all" : `${x} by lot`), (x) => change({ negatives: x }));
    const metrics = choice("Metric", Object.entries(NAMES), (one) => change({ metric: one }));
    const k = slider("k", { min: 1, max: MOST, step: 1 }, String, (x) => change({ k: x }));
    const again = html("button", { type: "button", onclick: () => change({ seed: (state.seed + 1) % 1000 }) }, "Draw lots anew");
    const reset = html("button", { type: "button", onclick: () => change(START) }, "As at the start");
    const verdict = html("p", { class: "winner-verdict" }), leaks = html("ul", { class: "winner-leaks" });
    const time = html("div", {}), left = html("div", {}), right = html("div", {});
    figure.stage.append(
      html("div", { class: "live-row" }, cuts.element, percent.element), time,
      html("div", { class: "live-row" }, kinds.element, negatives.element),
      html("div", { class: "live-row" }, metrics.element, k.element),
      verdict, html("div", { class: "winner-panels" }, left, right), leaks, html("div", { class: "live-row" }, again, reset));

    const redraw = soon(() => draw());
    let drawn = 0;
    function draw() {
      const found = answer(state), gap = found.gaps.all, sure = gap.low > 0 ? 0 : gap.high < 0 ? 1 : -1;
      cuts.set(state.cut);
      percent.set(state.percent, state.cut === "time");
      kinds.set(state.kind);
      negatives.set(state.negatives);
      metrics.set(state.metric);
      k.set(state.k);
      again.disabled = state.negatives === 119 && state.cut !== "random";
      const sentence = sure < 0 ? `No winner: the interval holds 0` : `The ${sure ? "weak" : "strong"} penalty (${sure ? weak : strong}) wins`;
      const both = (/** @type {number[]} */ values) => `strong ${short(values[0])}, weak ${short(values[1])}`;
      const numbers = `${NAMES[state.metric]}@${state.k}: ${both(found.values)}; ${found.n.toLocaleString("en")} questions`;
      verdict.replaceChildren(html("strong", { class: sure < 0 ? "" : `winner-${COLOURS[sure]}` }, `${sentence}.`), ` ${numbers}.`);
      time.replaceChildren(timeline(found));
      left.replaceChildren(curves(found));
      right.replaceChildren(differences(found), html("p", { class: "winner-key" }, html("span", { class: "winner-year" }, "ring: before you changed anything")));
      const lines = [];
      if (found.future > 0.001) lines.push(`Training reads the future: ${Math.round(100 * found.future)} % of the training events happened after the question, on average over the questions (red in the strip).`);
      if (state.kind === "never") lines.push("The list looks into the future: who leaves out what will be met later has to know it.");
      if (found.given > 0.01) lines.push(`The list gives the answer away: in ${Math.round(100 * found.given)} % of the questions the answer is the only thing on it that the customer met before.`);
      const other = state.cut !== "time", open = state.kind !== "all";
      leaks.replaceChildren(...lines.map((line) => html("li", {}, line)));
      const say = (/** @type {string} */ more) => figure.say(`${sentence}. ${numbers}. ${lines.join(" ")} ${more}`);
      const turn = ++drawn;
      if (!other && !open) return say("");
      setTimeout(() => {                                      // a second measurement: after the answer stands there
        if (turn !== drawn) return;
        const before = plain({ ...state, cut: "time", kind: "all" }).values;
        const beside = `With ${other ? "the last events asked" : ""}${other && open ? " and " : ""}${open ? "any items as rivals" : ""}: ${both(before)}.${other ? " Those are other questions: the leak is not the only difference." : ""}`;
        leaks.append(html("li", { class: "winner-beside" }, beside));
        say(beside);
      });
    }

    function timeline(/** @type {any} */ found) {
      const bins = Array.from({ length: BINS }, () => [0, 0, 0]), last = log.moments.length ? Array.from(log.moments).reduce((a, b) => Math.max(a, b)) : 0, width = 700, high = 46;
      const earlier = new Float64Array(last + 2);            // of each moment, the share of questions that were asked before it
      for (let row = 0; row < log.items.length; row++) if (found.parts.asked[row]) earlier[log.moments[row] + 1] += 1 / found.n;
      for (let moment = 1; moment < earlier.length; moment++) earlier[moment] += earlier[moment - 1];
      for (let row = 0; row < log.items.length; row++) {
        const bin = bins[Math.min(BINS - 1, Math.floor((log.moments[row] / (last + 1)) * BINS))];
        if (found.parts.asked[row]) bin[1]++;
        else if (found.parts.train[row]) [bin[0], bin[2]] = [bin[0] + 1 - earlier[log.moments[row]], bin[2] + earlier[log.moments[row]]];
      }
      const y = scale([0, Math.max(...bins.map(([a, b, c]) => a + b + c))], [0, high]), step = width / BINS;
      const drawing = svg("svg", { viewBox: `0 0 ${width} ${high + 2}`, role: "img", preserveAspectRatio: "none", class: "winner-time",
        "aria-label": `The year's events from left to right. ${found.future > 0.001 ? "Training events lie after the first question." : "All training events lie before the first question."}` });
      bins.forEach((bin, number) => {
        let top = high;
        bin.forEach((many, kind) => {
          if (!many) return;
          const tall = y(many);
          top -= tall;
          drawing.append(svg("rect", { x: number * step, y: top, width: step - 1, height: tall,
            fill: `var(--live-fill-${["grey", "sky", "red"][kind]})` }));
        });
      });
      const red = bins.some((bin) => bin[2] > 0.001);
      return html("div", { class: "winner-cut" }, drawing, html("p", { class: "winner-key" }, key("grey", "trains"), key("sky", "is asked"),
        red ? key("red", "trains, and came after the question") : null, html("span", { class: "winner-year" }, "the year, first event to last →")));
    }
    const key = (/** @type {string} */ colour, /** @type {string} */ text) => html("span", { class: "winner-tag" }, html("i", { style: `background:var(--live-fill-${colour})` }), text);

    function curves(/** @type {any} */ found) {
      const width = 340, high = 210, x = scale([1, MOST], [34, width - 8]);
      const most = 1, y = scale([0, most * 1.03], [high - 30, 10]);
      const drawing = svg("svg", { viewBox: `0 0 ${width} ${high}`, role: "img",
        "aria-label": `${NAMES[state.metric]} at k from 1 to ${MOST}. At ${state.k}: ${short(found.values[0])} for ${names[0]}, ${short(found.values[1])} for ${names[1]}.` });
      for (const tick of [0, most / 2, most]) {
        drawing.append(svg("line", { class: "axis", x1: 34, x2: width - 8, y1: y(tick), y2: y(tick) }),
          svg("text", { class: "quiet", x: 30, y: y(tick) + 4, "text-anchor": "end" }, short(tick, 1)));
      }
      for (const tick of [1, 10, 20, 30, 40, 50]) drawing.append(svg("text", { class: "quiet", x: x(tick), y: high - 14, "text-anchor": "middle" }, String(tick)));
      drawing.append(svg("text", { class: "quiet", x: width / 2, y: high - 1, "text-anchor": "middle" }, `${NAMES[state.metric]}@k by k`),
        svg("line", { x1: x(state.k), x2: x(state.k), y1: 10, y2: high - 30, stroke: "var(--live-quiet)", "stroke-dasharray": "3 3" }));
      found.curves.forEach((/** @type {number[]} */ curve, /** @type {number} */ m) => {
        drawing.append(svg("path", { d: curve.map((value, place) => `${place ? "L" : "M"}${x(place + 1).toFixed(1)} ${y(value).toFixed(1)}`).join(""),
          fill: "none", stroke: `var(--live-fill-${COLOURS[m]})`, "stroke-width": 2.5 }),
        svg("circle", { cx: x(state.k), cy: y(curve[state.k - 1]), r: 4.5, fill: `var(--live-fill-${COLOURS[m]})` }));
      });
      const order = found.curves[0][MOST - 1] >= found.curves[1][MOST - 1] ? [0, 1] : [1, 0];
      order.forEach((m, place) => drawing.append(svg("text", { x: width - 10, y: high - 62 + 18 * place, "text-anchor": "end",
        style: `fill:var(--live-${COLOURS[m]});font-weight:600` }, names[m])));
      return drawing;
    }

    function differences(/** @type {any} */ found) {
      const width = 340, high = 210, rows = [["all", "all questions"], ["again", "met again"], ["new", "new to them"]];
      const most = WIDEST, inside = (/** @type {number} */ value) => Math.max(-most, Math.min(most, value));
      const x = scale([-most, most], [12, width - 12]);
      const told = rows.map(([part, name]) => found.gaps[part] ? `${name} ${signed(found.gaps[part].difference)}` : `${name}: none`).join(", ");
      const drawing = svg("svg", { viewBox: `0 0 ${width} ${high}`, role: "img", "aria-label": `Strong minus weak: ${told}.` },
        svg("line", { class: "axis", x1: x(0), x2: x(0), y1: 22, y2: high - 30, style: "stroke:var(--live-quiet)" }),
        svg("text", { x: 12, y: 12, style: "fill:var(--live-orange);font-weight:600" }, "← weak better"),
        svg("text", { x: width - 12, y: 12, "text-anchor": "end", style: "fill:var(--live-blue);font-weight:600" }, "strong better →"),
        svg("text", { class: "quiet", x: width / 2, y: high - 1, "text-anchor": "middle" }, "strong minus weak, 95 % interval"));
      rows.forEach(([part, name], place) => {
        const gap = found.gaps[part], y = 52 + 54 * place;
        if (!gap) return;
        const colour = gap.low > 0 ? "blue" : gap.high < 0 ? "orange" : "grey", share = part === "all" ? "" : ` (${Math.round((100 * gap.n) / found.n)} %)`;
        const ring = inside(first[part].difference);
        drawing.append(
          svg("text", { x: 12, y: y - 12 }, name + share),
          svg("text", { x: width - 12, y: y - 12, "text-anchor": "end", style: colour === "grey" ? "" : `fill:var(--live-${colour})` },
            `${signed(gap.difference)} (${signed(gap.low)} to ${signed(gap.high)})`),
          svg("circle", { cx: x(ring), cy: y, r: 6, fill: "none", stroke: "var(--live-quiet)" }),
          svg("line", { x1: x(inside(gap.low)), x2: x(inside(gap.high)), y1: y, y2: y, stroke: `var(--live-fill-${colour})`, "stroke-width": 3 }),
          svg("circle", { cx: x(inside(gap.difference)), cy: y, r: 4.5, fill: `var(--live-fill-${colour})` }));
      });
      for (const tick of [-1, 1]) drawing.append(svg("text", { class: "quiet", x: x(tick * 0.1), y: high - 16, "text-anchor": "middle" }, tick < 0 ? "−.1" : "+.1"));
      drawing.append(svg("text", { class: "quiet", x: x(0), y: high - 16, "text-anchor": "middle" }, "0"));
      return drawing;
    }

    state = figure.recall(decode, () => ({ ...START }));
    figure.onAddress(() => {
      state = figure.recall(decode, () => ({ ...START }));
      draw();
    });
    draw();
  },
});
