/**
 * A lens on attention: the weights of one history for one candidate, the summary, the score as a sum of products, and
 * beside it what each event caused: how much the model's answer, and the true one, change without it.
 */

import { html, say, set, short } from "../shared/dom.js";
import { mount } from "../shared/figure.js";
import { roving } from "../shared/keys.js";
import { attentive, of, products, sasrec } from "../shared/networks.js";
import { dot, place, row, softmax, top } from "../shared/numbers.js";
import { painter } from "../shared/pictures.js";
import { BOUGHT, chances, makeLaw } from "../shared/shop.js";

/** @typedef {import("../shared/shop.js").Event} Event */
/**
 * @typedef {object} State
 * @property {number} person       whose history: a place in `values.people`
 * @property {number[]} order      which of the events stands where
 * @property {number[]} out        those that are taken out
 * @property {number} candidate    an item, or -1 for the model's first
 * @property {boolean} last        whether the last event asks (SASRec), or the candidate (attentive GRU)
 */

const SHOWN = 5, EVENTS = 8, FIRST = "Click an event to take it out: this line says what changes.";
const START = () => /** @type {State} */ ({ person: 0, order: [0, 1, 2, 3, 4, 5, 6, 7], out: [], candidate: -1, last: false });
const number = (/** @type {number} */ value, digits = 3) => short(value, digits).replace("-", "−");
const percent = (/** @type {number} */ chance) => `${(100 * chance).toFixed(chance < 0.0995 ? 1 : 0)}\u00a0%`;

/** "1-01324567-35-214-c": customer, order, taken out, candidate, who asks. @param {State} state */
export function encode({ person, order, out, candidate, last }) {
  const text = [person, order.join(""), [...out].sort().join("") || "x", candidate < 0 ? "x" : candidate, last ? "l" : "c"].join("-");
  return text === "0-01234567-x-x-c" ? "" : text;
}

/** @param {string} text @param {number} people @param {number} items @returns {State | null} */
export function decode(text, people, items) {
  const found = /^(\d)-([0-7]{8})-(x|[0-7]{1,8})-(x|\d{1,4})-([lc])$/.exec(text);
  if (!found) return null;
  const order = [...found[2]].map(Number), out = found[3] === "x" ? [] : [...found[3]].map(Number);
  const candidate = found[4] === "x" ? -1 : Number(found[4]);
  const sound = Number(found[1]) < people && new Set(order).size === EVENTS && new Set(out).size === out.length && candidate < items;
  return sound ? { person: Number(found[1]), order, out, candidate, last: found[5] === "l" } : null;
}

/** How much one set of chances changes to another: the mean of the logarithm of their ratio. */
function change(/** @type {ArrayLike<number>} */ before, /** @type {ArrayLike<number>} */ after) {
  let sum = 0;
  for (let i = 0; i < before.length; i++) if (before[i] > 0) sum += before[i] * Math.log(before[i] / Math.max(after[i], 1e-12));
  return Math.max(0, sum);
}

/** @param {{tables: Record<string, any>, values: Record<string, any>}} data */
function lenses({ tables, values }) {
  const law = makeLaw(tables, values), asking = of(tables, "attentive"), looking = of(tables, "sasrec");
  const truth = (/** @type {Event[]} */ events, now, prior) => chances(law, events, now, prior);

  /** Scores of all items, and for one candidate the weights, the summary and the vector that it is multiplied with. */
  function look(/** @type {boolean} */ last, /** @type {Event[]} */ events, /** @type {number} */ now) {
    const weights = last ? looking : asking;
    const vector = (/** @type {number} */ item) => row(weights("item.weight"), item);
    const bias = (/** @type {number} */ item) => weights("item_bias").values[item];
    if (last) {
      const { state, looks } = sasrec(weights, events, now, values.length);
      return { scores: products(weights, state), of: () => ({ weights: looks, summary: state, relevance: null }), vector, bias };
    }
    const { states, relevance, scores } = attentive(weights, events, now, values.length);
    return {
      scores, vector, bias,
      of: (/** @type {number} */ item) => {
        const column = relevance.map((all) => all[item]), share = softmax(column);
        const summary = new Float64Array(weights("item.weight").shape[1]);
        states.forEach((state, t) => state.forEach((one, k) => { summary[k] += share[t] * one; }));
        return { weights: share, summary, relevance: column };
      },
    };
  }
  return { law, look, truth };
}

mount({
  name: "lens",
  compute: (data) => {
    const { look, truth } = lenses(data);
    return {
      look: (last, events, now, item) => {
        const { scores, of } = look(last, events, now), { weights, summary } = of(item);
        return { scores: [...scores], weights: [...weights], summary: [...summary] };
      },
      truth: (events, now, prior) => [...truth(events, now, prior)],
      change, encode, decode,
    };
  },
  start(figure) {
    const { tables, values } = figure, { titles, categories, people } = values, { law, look, truth } = lenses(figure);
    const picture = painter(tables);
    /** @type {State} */
    let state;

    const button = (text, onclick, more = {}) => html("button", { type: "button", onclick, ...more }, text);
    const asks = html("div", { class: "live-row", role: "group", "aria-label": "Who asks" });
    const byCandidate = button("Attentive GRU (the candidate asks)", () => act({ last: false }, "The candidate asks: attentive GRU."));
    const byLast = button("SASRec (the last event asks)", () => act({ last: true }, "The last event asks: SASRec."));
    const other = button("Another history", () => act({ ...START(), last: state.last, person: (state.person + 1) % people.length }, "Another customer's history."));
    const back = button("Put all back", () => act({ order: START().order, out: [] }, "All events are back in their order."));
    asks.append(byCandidate, byLast, other, back);

    const table = html("table", { class: "lens-table" });
    const events = html("tr", {}, html("th", { scope: "row" }, "event"));
    const titlesOf = ["weight", "moves the model", "moves the truth"];
    const bars = titlesOf.map((title) => html("tr", {}, html("th", { scope: "row" }, title)));
    const swaps = html("tr", {}, html("th", { scope: "row" }, "swap"));
    table.append(html("tbody", {}, events, ...bars, swaps));
    const cells = Array.from({ length: EVENTS }, (_, at) => {
      const tell = () => explain(at);
      const one = button("", () => take(at), { onfocus: tell, onmouseenter: tell });
      const cell = html("td", {}, one, html("span", { class: "lens-did" }));
      events.append(cell);
      const bar = bars.map((row, kind) => {
        const fill = html("i", { class: `glide lens-${kind}` }), text = html("span");
        row.append(html("td", {}, html("div", { class: "lens-bar" }, fill, text)));
        return { fill, text };
      });
      const swap = at < EVENTS - 1 ? button("⇄", () => exchange(at), {}) : null;
      swaps.append(html("td", { class: "lens-swap" }, swap));
      return { one, cell, bar, swap, shown: -1 };
    });
    const eventKeys = roving(events), swapKeys = roving(swaps);
    const status = html("p", { class: "lens-status" }), shares = html("p", { class: "lens-label" }, "Each row: shares among the events left. “Moves”: how much the answer changes without the event.");
    const formula = html("p", { class: "lens-formula" });

    const choose = html("select", { onchange: () => act({ candidate: Number(choose.value) }, null) });
    categories.forEach((category, c) => choose.append(html("optgroup", { label: category },
      ...Array.from(titles.keys()).filter((item) => law.category[item] === c).map((item) => html("option", { value: item }, titles[item])))));
    const chosen = html("span", { class: "lens-chosen" });
    const choice = html("div", { class: "live-row" }, chosen, html("label", {}, "candidate", choose));
    let at = 0;                  // the entry of the product that is told
    const strips = html("div", { class: "lens-strips", role: "slider", tabindex: 0, "aria-label": "Entry of the product", "aria-valuemin": 1 });
    const entries = Array.from({ length: tables["sasrec.item.weight"].shape[1] }, (_, k) => {
      const one = html("span", { onmouseenter: () => entry(k), onclick: () => entry(k) }, html("i"), html("i"), html("i"));
      strips.append(one);
      return one;
    });
    set(strips, { "aria-valuemax": entries.length, onfocus: () => entry(at), onblur: () => sum() });
    strips.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -at, End: entries.length - 1 - at };
      if (!(event.key in steps)) return;
      event.preventDefault();
      entry(Math.max(0, Math.min(entries.length - 1, at + steps[event.key])));
    });
    const product = html("p", { class: "lens-formula" }), label = html("p", { class: "lens-label" });
    const signs = html("p", { class: "winner-key" }, ...[["blue", "above 0"], ["red", "below 0"]].map(([colour, text]) =>
      html("span", { class: "winner-tag" }, html("i", { style: `background:var(--live-fill-${colour})` }), text)), html("span", {}, "the fuller the colour, the farther from 0, row by row"));
    const lists = html("div", { class: "lens-lists" });
    const listOf = (/** @type {string} */ name) => {
      const list = html("ol", { class: "lens-list" }), head = html("p", {}, name);
      /** @type {number[]} */
      const items = [];
      const rows = Array.from({ length: SHOWN }, (_, n) => {
        const one = button("", () => act({ candidate: items[n] }, null)), text = html("span"), chance = html("b");
        list.append(html("li", {}, one));
        return { one, text, chance };
      });
      lists.append(html("div", {}, head, list));
      roving(list);
      return { head, rows, items };
    };
    const ofModel = listOf("the model puts first"), ofTruth = listOf("the truth, by the observer");
    figure.stage.append(asks, table, shares, status, formula, lists, choice, label, strips, signs, product);

    // ------------------------------------------------------------------------------------------- what follows from the state

    let seen = { now: 0, all: [], kept: [], read: null, asked: null, candidate: 0, chances: null, moved: [[], []], probabilities: null, came: 0 };

    /** The history as it stands: items are moved, the moments at which something happened stay. */
    function follow() {
      const { shape, values: told } = tables[`events.${people[state.person]}`];
      const row = (/** @type {number} */ t) => ({ item: told[3 * t], behaviour: told[3 * t + 1], time: told[3 * t + 2] });
      const all = state.order.map((event, t) => ({ ...row(event), time: row(t).time })), now = told[3 * (shape[0] - 1) + 2];
      const prior = tables.prior.values.subarray(state.person * law.tastes, (state.person + 1) * law.tastes);
      const kept = state.order.map((_, at) => at).filter((at) => !state.out.includes(state.order[at]));
      const history = kept.map((at) => all[at]), read = look(state.last, history, now);
      const probabilities = softmax(read.scores), right = truth(history, now, prior);
      const without = kept.map((_, t) => history.filter((_, other) => other !== t));
      seen = {
        now, all, kept, read, probabilities, chances: right, came: told[3 * (shape[0] - 1)],
        candidate: state.candidate < 0 ? top(read.scores, 1)[0] : state.candidate, asked: null,
        moved: [without.map((some) => change(probabilities, softmax(look(state.last, some, now).scores))),
          without.map((some) => change(right, truth(some, now, prior)))],
      };
      seen.asked = read.of(seen.candidate);
    }

    function act(/** @type {Partial<State>} */ change, /** @type {string | null} */ said) {
      state = { ...state, ...change };
      figure.notice("");
      figure.remember(encode(state));
      draw();
      say(status, FIRST);
      figure.say(`${said ?? `Candidate ${titles[seen.candidate]}.`} First in the model's list: ${titles[top(seen.read.scores, 1)[0]]}.`);
    }

    function take(/** @type {number} */ at) {
      const event = state.order[at], title = titles[seen.all[at].item], gone = state.out.includes(event);
      const { chances: truth, probabilities: model } = seen, isLast = !gone && at === seen.kept.filter((one) => seen.all[one].behaviour === BOUGHT).pop();
      act({ out: gone ? state.out.filter((one) => one !== event) : [...state.out, event] }, `${title} ${gone ? "put back" : "taken out"}.`);
      const told = `${title} is ${gone ? "back" : "out"}. Most changed in the truth: ${moved(truth, seen.chances)}; in the model: ${moved(model, seen.probabilities)}.`;
      say(status, isLast ? `${told} It was the last purchase: by this shop's law, what was just bought makes its own kind less likely.` : told);
      if (seen.kept.length) explain(at);
    }

    /** The item whose chance changed most, before and after. */
    function moved(/** @type {Float64Array} */ before, /** @type {Float64Array} */ after) {
      const by = before.map((one, item) => Math.abs(after[item] - one)), item = top(by, 1)[0];
      return by[item] < 0.0005 ? "nothing" : `${titles[item]} ${percent(before[item])} → ${percent(after[item])}`;
    }

    function exchange(/** @type {number} */ at) {
      const order = [...state.order];
      [order[at], order[at + 1]] = [order[at + 1], order[at]];
      act({ order }, `${titles[seen.all[at].item]} and ${titles[seen.all[at + 1].item]} swapped.`);
    }

    /** One event's share, as an exact product where the score is a sum over events. */
    function explain(/** @type {number} */ at) {
      const t = seen.kept.indexOf(at), title = titles[seen.all[at].item];
      if (t < 0) return say(formula, `${title} is taken out: click it to put it back.`);
      const { weights, relevance } = seen.asked;
      say(formula, relevance
        ? `${title}: weight ${number(weights[t])} × relevance ${number(relevance[t])} = ${number(weights[t] * relevance[t])} of the score.`
        : `${title}: weight ${number(weights[t])}. How much of the score that is cannot be said: the last event itself goes past the attention.`);
    }

    function total() {
      const { weights, relevance } = seen.asked, bias = seen.read.bias(seen.candidate), score = seen.read.scores[seen.candidate];
      say(formula, !seen.kept.length ? `No event is left: the score is the candidate's bias, ${number(bias)}.` : relevance
        ? `Score ${number(score)} = ${relevance.map((one, t) => `${number(weights[t])} × ${number(one)}`).join(" + ").replace(/\+ −/g, "− ")} + bias ${number(bias)}`.replace(/\+ bias −/, "− bias ")
        : `Score ${number(score)}: the last event's state, after attention and network, times the candidate, and the bias ${number(bias)}.`);
    }

    function entry(/** @type {number} */ k) {
      const { summary } = seen.asked, vector = seen.read.vector(seen.candidate);
      at = k;
      const text = `Entry ${k + 1}: ${number(summary[k])} × ${number(vector[k])} = ${number(summary[k] * vector[k])}.`;
      say(product, text);
      set(strips, { "aria-valuenow": k + 1, "aria-valuetext": text });
      entries.forEach((one, other) => set(one, { class: other === k ? "told" : null }));
    }

    function sum() {
      entries[at].removeAttribute("class");
      set(strips, { "aria-valuenow": at + 1 });
      const { summary } = seen.asked, bias = seen.read.bias(seen.candidate), whole = dot(summary, seen.read.vector(seen.candidate));
      say(product, `${entries.length} products add up to ${number(whole)}; with the bias ${number(bias)} the score is ${number(whole + bias)}, in place ${place(seen.read.scores, seen.candidate)[0] + 1} of ${titles.length}.`);
    }

    const colour = (/** @type {number} */ value, /** @type {number} */ most) =>
      `background:color-mix(in srgb, var(--live-fill-${value < 0 ? "red" : "blue"}) ${Math.round(100 * Math.min(1, Math.abs(value) / most))}%, var(--live-surface))`;

    function draw() {
      follow();
      const { candidate, asked, kept, all } = seen;
      set(byCandidate, { "aria-pressed": !state.last });
      set(byLast, { "aria-pressed": state.last });
      back.disabled = encode({ ...state, candidate: -1, last: false, person: 0 }) === "";
      const measured = [asked.weights, ...seen.moved.map((some) => { const whole = some.reduce((a, b) => a + b, 0) || 1; return some.map((one) => one / whole); })];
      cells.forEach(({ one, cell, bar, swap }, at) => {
        const { item, behaviour, time } = all[at], did = ["", "", "cart", "bought"][behaviour], visit = at && time - all[at - 1].time > law.gap;
        const t = kept.indexOf(at), title = titles[item];
        if (cells[at].shown !== item) {
          cells[at].shown = item;
          one.replaceChildren(picture(item));
        }
        set(one, { "aria-pressed": t >= 0, "aria-label": `${visit ? "a new visit: " : ""}${title}, ${did && did + ", "}${t < 0 ? "taken out" : `weight ${number(measured[0][t], 2)}, moves the model ${number(measured[1][t], 2)}, the truth ${number(measured[2][t], 2)}`}`, title });
        bar.forEach(({ fill, text }, kind) => {
          const value = t < 0 ? 0 : measured[kind][t];
          fill.style.height = `${70 * value}%`;
          say(text, t < 0 ? "–" : number(value, 2));
        });
        set(cell, { class: visit ? "new-visit" : null });
        say(cell.lastChild, did);
        if (swap) set(swap, { "aria-label": `Swap ${title} and ${titles[all[at + 1].item]}` });
      });
      eventKeys.refresh();
      swapKeys.refresh();
      choose.value = String(candidate);
      chosen.replaceChildren(picture(candidate));
      const vector = seen.read.vector(candidate), parts = vector.map((one, k) => one * asked.summary[k]);
      const most = [asked.summary, vector, parts].map((some) => Math.max(1e-9, ...Array.from(some, Math.abs)));
      entries.forEach((one, k) => {
        [asked.summary[k], vector[k], parts[k]].forEach((value, n) => one.children[n].setAttribute("style", colour(value, most[n])));
      });
      total();
      sum();
      say(label, `Row by row: ${state.last ? "the last event's state" : "the summary"}, the candidate, and their product, entry by entry`);
      say(ofModel.head, state.last ? "SASRec puts first" : "the attentive GRU puts first");
      fill(ofModel, seen.probabilities);
      fill(ofTruth, seen.chances);
    }

    function fill({ rows, items }, /** @type {Float64Array} */ chance) {
      const best = top(chance, SHOWN);
      rows.forEach(({ one, text, chance: share }, n) => {
        const item = best[n];
        if (items[n] !== item) one.replaceChildren(picture(items[n] = item), text, share);
        set(one, { "aria-pressed": item === seen.candidate });
        say(text, `${titles[item]}${item === seen.came ? " (it came)" : ""}`);
        say(share, percent(chance[item]));
      });
    }

    table.addEventListener("mouseleave", total);
    strips.addEventListener("mouseleave", sum);
    const load = () => {
      state = figure.recall((text) => decode(text, people.length, titles.length), START);
      draw();
      say(status, FIRST);
    };
    figure.onAddress(load);
    load();
  },
});
