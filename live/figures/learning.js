/** Matrix factorization: users and items move on a plane while BPR, or the squared error of ratings, trains in the page. */

import { choice, slider, soon } from "../shared/controls.js";
import { html, scale, set, short, svg } from "../shared/dom.js";
import { adam, bpr, layout, score, squared } from "../shared/factorization.js";
import { mount } from "../shared/figure.js";
import { top } from "../shared/numbers.js";
import { normal, shuffled, uniform } from "../shared/random.js";

const BATCH = 64, MOST = 800, EVERY = 20, LIST = 10, SIDE = 380;
const RATES = [0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5], PENALTIES = [0, 0.003, 0.01, 0.03, 0.1, 0.3];
/** @typedef {{mode: string, rate: number, penalty: number, steps: number, seed: number, user: number, moved: number[] | null}} State */
/** @type {State} */
const START = { mode: "clicks", rate: 3, penalty: 2, steps: 0, seed: 0, user: 3, moved: null };
/** Each way to learn begins with settings of its own: ratings slowly and without a penalty, so that the turn is seen. @type {Record<string, Partial<State>>} */
const BEGIN = { clicks: { rate: 3, penalty: 2 }, stars: { rate: 1, penalty: 0 } };
const inside = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => Number.isInteger(value) && value >= low && value <= high;

/** The shop's clicks and ratings, and training on them: what the reader sees depends on the settings and the step alone. */
function shopOf(/** @type {any} */ { tables, values }) {
  const sizes = { users: values.users, items: values.items, dim: 2 }, at = layout(sizes);
  const rows = (/** @type {any} */ { shape, values: all }) => Array.from({ length: shape[0] }, (_, row) => Array.from(all.subarray(row * shape[1], (row + 1) * shape[1])));
  const clicks = rows(tables.clicks), later = rows(tables.later), stars = rows(tables.stars), held = rows(tables.held);
  const met = Array.from({ length: sizes.users }, () => new Uint8Array(sizes.items)), next = met.map((one) => one.slice());
  const given = met.map(() => new Map()), kept = met.map(() => new Map());
  for (const [user, item] of clicks) met[user][item] = 1;
  for (const [user, item] of later) next[user][item] = 1;
  for (const [user, item, rating] of stars) given[user].set(item, rating);
  for (const [user, item, rating] of held) kept[user].set(item, rating);
  const mean = stars.reduce((sum, [, , rating]) => sum + rating, 0) / stars.length;

  /** Of all pairs of an item that was clicked and one that was not met, the share in the right order. */
  function inOrder(/** @type {Float64Array} */ w, /** @type {Uint8Array[]} */ right) {
    let good = 0, all = 0;
    for (let user = 0; user < sizes.users; user++) {
      const scores = Float64Array.from({ length: sizes.items }, (_, item) => score(w, sizes, user, item));
      for (let i = 0; i < sizes.items; i++) {
        if (!right[user][i]) continue;
        for (let j = 0; j < sizes.items; j++) {
          if (met[user][j] || next[user][j]) continue;
          all++;
          good += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
        }
      }
    }
    return good / all;
  }
  const rmse = (/** @type {Float64Array} */ w, /** @type {number[][]} */ ratings) =>
    Math.sqrt(ratings.reduce((sum, [user, item, rating]) => sum + (score(w, sizes, user, item) - rating) ** 2, 0) / ratings.length);

  /** A model at its start; `go(steps)` trains on. */
  function training(/** @type {State} */ { mode, rate, penalty, seed }) {
    const random = uniform(seed), w = new Float64Array(at.length), gradient = new Float64Array(at.length), step = adam(at.length);
    for (let k = at.item; k < at.userBias; k++) w[k] = 0.1 * normal(random);
    if (mode === "stars") w[at.bias] = mean;
    const data = mode === "clicks" ? clicks : stars, seen = [];
    let steps = 0, order = shuffled(data.length, random), begin = 0;
    const record = () => seen.push(mode === "clicks" ? [steps, inOrder(w, met), inOrder(w, next)] : [steps, rmse(w, stars), rmse(w, held)]);
    record();
    function go(/** @type {number} */ until) {
      for (; steps < until; ) {
        if (begin >= data.length) [order, begin] = [shuffled(data.length, random), 0];
        const batch = Array.from(order.subarray(begin, begin + BATCH), (row) => data[row]);
        begin += BATCH;
        const users = batch.map((row) => row[0]), items = batch.map((row) => row[1]);
        gradient.fill(0);
        if (mode === "clicks") {
          const others = users.map((user) => {
            let item;
            do item = Math.floor(random() * sizes.items); while (met[user][item]);
            return item;
          });
          bpr(w, sizes, { users, items, others }, PENALTIES[penalty], gradient);
        } else squared(w, sizes, { users, items, ratings: batch.map((row) => row[2]) }, PENALTIES[penalty], gradient);
        step(w, gradient, RATES[rate]);
        if (++steps % EVERY === 0) record();
      }
    }
    return { w, seen, go, get steps() { return steps; } };
  }
  return { sizes, at, met, next, given, kept, training };
}

/** The address: clicks.3.2.240.0.3 and, of a user who was moved, their place in hundredths: .m31.p120 */
function decode(/** @type {string} */ text) {
  const [mode, ...rest] = text.split("."), [rate, penalty, steps, seed, user] = rest.slice(0, 5).map(Number);
  if (!["clicks", "stars"].includes(mode) || ![5, 7].includes(rest.length) || !inside(rate, 0, RATES.length - 1) || !inside(penalty, 0, PENALTIES.length - 1)
    || !inside(steps, 0, MOST) || !inside(seed, 0, 999) || !inside(user, 0, 39)) return null;
  const moved = rest.length === 7 ? rest.slice(5).map((one) => (one[0] === "m" ? -1 : 1) * Number(one.slice(1)) / 100) : null;
  return moved && !moved.every((one) => Math.abs(one) <= 20) ? null : { mode, rate, penalty, steps, seed, user, moved };
}
const encode = (/** @type {State} */ s) => [s.mode, s.rate, s.penalty, s.steps, s.seed, s.user,
  ...(s.moved ?? []).map((one) => (one < 0 ? "m" : "p") + Math.round(Math.abs(one) * 100))].join(".");

mount({
  name: "learning",
  compute: (data) => {
    const shop = shopOf(data);
    const once = (/** @type {typeof bpr} */ loss) => (/** @type {number[]} */ w, /** @type {any} */ sizes, /** @type {any} */ batch, /** @type {number} */ l2) => {
      const gradient = new Float64Array(w.length);
      return { loss: loss(Float64Array.from(w), sizes, batch, l2, gradient), gradient: Array.from(gradient) };
    };
    return {
      bpr: once(bpr), squared: once(squared),
      adam: (/** @type {number[]} */ w, /** @type {number[][]} */ gradients, /** @type {number} */ rate) => {
        const weights = Float64Array.from(w), step = adam(w.length);
        for (const one of gradients) step(weights, Float64Array.from(one), rate);
        return Array.from(weights);
      },
      train: (/** @type {any} */ given) => {
        const state = { ...START, ...given }, run = shop.training(state);
        run.go(state.steps);
        return { w: Array.from(run.w), seen: run.seen, scores: Array.from({ length: shop.sizes.items }, (_, item) => score(run.w, shop.sizes, state.user, item)) };
      },
    };
  },
  start(figure) {
    const shop = shopOf({ tables: figure.tables, values: figure.values }), { sizes, at } = shop, { titles } = figure.values;
    let state = { ...START }, run = shop.training(state), trained = "", running = 0, extent = 0.25;
    const change = (/** @type {Partial<State>} */ given, /** @type {boolean} */ loud = true) => {
      state = { ...state, ...given };
      figure.remember(encode(state) === encode(START) ? "" : encode(state));
      if (loud) speak = true;
      redraw();
    };
    let speak = false;
    const mode = choice("Learn from", [["clicks", "clicks (BPR)"], ["stars", "ratings (squared error)"]], (one) => {
      halt();
      if (one !== state.mode) change({ mode: one, ...BEGIN[one], steps: 0, moved: null });
    });
    const step = html("button", { type: "button", onclick: () => { halt(); change({ steps: Math.min(MOST, state.steps + 1), moved: null }); } }, "Step");
    const play = html("button", { type: "button", class: "learning-run", onclick: () => (running ? halt() : go()) }, "Run");
    const back = html("button", { type: "button", onclick: () => { halt(); change({ steps: 0, moved: null }); } }, "Back to step 0");
    const other = html("button", { type: "button", onclick: () => change({ seed: (state.seed + 1) % 1000, moved: null }) }, "Another start");
    const rate = slider("Learning rate", { min: 0, max: RATES.length - 1, step: 1 }, (x) => String(RATES[x]), (x) => change({ rate: x, moved: null }));
    const penalty = slider("penalty", { min: 0, max: PENALTIES.length - 1, step: 1 }, (x) => (x ? String(PENALTIES[x]) : "none"), (x) => change({ penalty: x, moved: null }));
    const who = html("select", { "aria-label": "Customer", onchange: () => change({ user: Number(who.value), moved: null }) },
      ...Array.from({ length: sizes.users }, (_, user) => html("option", { value: user }, `Customer ${user + 1}`)));
    const home = html("button", { type: "button", onclick: () => change({ moved: null }) }, "Let go");
    const list = html("ol", { class: "learning-list", "aria-label": "The list of this customer" }), head = html("p", { class: "learning-head", "aria-hidden": "true" }), where = html("p", { class: "learning-where" });
    const legend = html("p", { class: "winner-key" }), curves = html("div", {}), told = html("p", { class: "learning-told" });

    // The plane, made once: what moves is moved.
    const drawing = svg("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "learning-plane", role: "group", "aria-label": "The plane of users and items" });
    const middle = SIDE / 2;
    const edge = svg("path", { class: "axis" }), beyond = svg("path", { fill: "var(--live-fill-sky)", "fill-opacity": 0.1 });
    const arrow = svg("path", { fill: "none", stroke: "var(--live-fill-blue)", "stroke-width": 2.5 });
    const size = svg("text", { class: "quiet", x: SIDE - 4, y: middle - 5, "text-anchor": "end" });
    const things = titles.map((/** @type {string} */ title) => svg("circle", { r: 4 }, svg("title", {}, title)));
    const places = Array.from({ length: LIST }, (_, place) => svg("text", { class: "learning-place", "aria-hidden": "true" }, String(place + 1)));
    const people = Array.from({ length: sizes.users }, (_, user) => svg("path", { d: "M0-5L5 0L0 5L-5 0Z", fill: "var(--live-fill-purple)", class: "learning-user",
      onclick: () => change({ user, moved: null }) }, svg("title", {}, `Customer ${user + 1}`)));
    const handle = svg("g", { tabindex: 0, role: "slider", class: "learning-handle", "aria-label": "The customer's vector; the arrow keys move it", "aria-valuemin": -180, "aria-valuemax": 180 },
      svg("circle", { r: 14, fill: "transparent" }), svg("circle", { r: 7, fill: "var(--live-fill-blue)", stroke: "var(--live-page)", "stroke-width": 2 }));
    drawing.append(beyond, svg("path", { class: "axis", d: `M0 ${middle}H${SIDE}M${middle} 0V${SIDE}` }), size, edge, ...people, ...things, arrow, ...places, handle);
    const x = (/** @type {number} */ value) => middle + (value / extent) * (middle - 14), y = (/** @type {number} */ value) => middle - (value / extent) * (middle - 14);

    const place = () => state.moved ?? [run.w[at.user + 2 * state.user], run.w[at.user + 2 * state.user + 1]];
    const move = (/** @type {number} */ a, /** @type {number} */ b, /** @type {boolean} */ loud) => {
      halt();
      const most = Math.min(20, extent * 1.05);
      change({ moved: [a, b].map((one) => Math.round(Math.max(-most, Math.min(most, one)) * 100) / 100) }, loud);
    };
    handle.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const by = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key], [a, b] = place();
      if (event.key === "Escape") change({ moved: null });
      if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const far = Math.max(0.01, extent / 20);
      move(a + by[0] * far, b + by[1] * far, true);
    });
    handle.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      const follow = (/** @type {PointerEvent} */ now) => {
        const box = drawing.getBoundingClientRect(), unit = SIDE / box.width;
        move((((now.clientX - box.left) * unit - middle) / (middle - 14)) * extent, ((middle - (now.clientY - box.top) * unit) / (middle - 14)) * extent, false);
      };
      handle.addEventListener("pointermove", follow);
      const end = () => {
        handle.removeEventListener("pointermove", follow);
        change({}, true);
      };
      handle.addEventListener("pointerup", end, { once: true });
      handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", follow), { once: true });
    });

    figure.stage.append(
      html("div", { class: "live-row" }, mode.element, play, step, back, other),
      html("div", { class: "live-row" }, rate.element, penalty.element),
      html("div", { class: "learning-panels" }, html("div", {}, drawing, legend),
        html("div", {}, html("div", { class: "live-row" }, who, home), where, head, list)), curves, told);
    function mark(/** @type {string} */ colour, /** @type {string} */ text) {
      return html("span", { class: "winner-tag" }, html("i", { style: `background:var(--live-fill-${colour})` }), text);
    }

    function halt() {
      cancelAnimationFrame(running);
      running = 0;
      play.textContent = state.steps >= MOST ? "Run again" : "Run";
    }
    function go() {
      if (state.steps >= MOST) state.steps = 0;
      play.textContent = "Stop";
      let last = 0;
      const tick = (/** @type {number} */ now) => {
        const calm = figure.calm();                       // then it goes in few large steps
        if (now - last > (calm ? 700 : 30)) {
          last = now;
          change({ steps: Math.min(MOST, state.steps + (calm ? 60 : 3)), moved: null }, false);
        }
        if (state.steps >= MOST || !figure.stage.isConnected) {
          halt();
          change({}, true);
        } else running = requestAnimationFrame(tick);
      };
      running = requestAnimationFrame(tick);
    }

    const redraw = soon(() => draw());
    function train() {
      const key = [state.mode, state.rate, state.penalty, state.seed].join();
      if (key !== trained || run.steps > state.steps) [run, trained] = [shop.training(state), key];
      run.go(state.steps);
    }
    function draw() {
      train();
      const { w } = run, { user } = state, clicks = state.mode === "clicks", [a, b] = place();
      let far = Math.hypot(a, b);
      for (let k = at.user; k < at.userBias; k++) far = Math.max(far, Math.abs(w[k]));
      extent = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 20].find((one) => one >= far * 0.98) ?? Math.min(100, far);
      mode.set(state.mode);
      rate.set(state.rate);
      penalty.set(state.penalty);
      who.value = String(user);
      home.disabled = !state.moved;
      if (!running) play.textContent = state.steps >= MOST ? "Run again" : "Run";
      step.disabled = state.steps >= MOST;
      back.disabled = !state.steps;
      size.textContent = String(extent);
      const scores = Float64Array.from({ length: sizes.items }, (_, item) =>
        w[at.bias] + w[at.userBias + user] + w[at.itemBias + item] + a * w[at.item + 2 * item] + b * w[at.item + 2 * item + 1]);
      const best = top(scores, LIST), long = Math.hypot(a, b);
      const knows = (/** @type {number} */ item) => (clicks ? shop.met[user][item] : shop.given[user].has(item));
      const takes = (/** @type {number} */ item) => (clicks ? shop.next[user][item] : shop.kept[user].has(item));
      things.forEach((/** @type {any} */ dot, /** @type {number} */ item) => set(dot, { cx: x(w[at.item + 2 * item]).toFixed(1), cy: y(w[at.item + 2 * item + 1]).toFixed(1),
        r: Math.max(3, Math.min(8, 4.5 + 2 * w[at.itemBias + item])).toFixed(1),
        fill: `var(--live-fill-${takes(item) ? "green" : knows(item) ? "orange" : "grey"})`, stroke: "var(--live-page)" }));
      places.forEach((one, number) => set(one, { x: (x(w[at.item + 2 * best[number]]) + 6).toFixed(1), y: (y(w[at.item + 2 * best[number] + 1]) - 5).toFixed(1) }));
      people.forEach((one, number) => set(one, { transform: `translate(${x(w[at.user + 2 * number]).toFixed(1)} ${y(w[at.user + 2 * number + 1]).toFixed(1)})`,
        opacity: number === user ? 0 : 0.75 }));
      const tip = [x(a), y(b)];
      set(handle, { transform: `translate(${tip[0].toFixed(1)} ${tip[1].toFixed(1)})`, "aria-valuenow": Math.round((Math.atan2(b, a) * 180) / Math.PI),
        "aria-valuetext": `${a.toFixed(2)}, ${b.toFixed(2)}; first on the list: ${titles[best[0]]}` });
      set(arrow, { d: `M${middle} ${middle}L${tip[0].toFixed(1)} ${tip[1].toFixed(1)}` });
      if (long > 1e-6) {                                   // the side of the plane whose items go up the list
        const [c, d] = [a / long, b / long].map((one) => one * SIDE * 1.5), corner = (/** @type {number} */ p, /** @type {number} */ q) => `${(middle + p).toFixed(1)} ${(middle + q).toFixed(1)}`;
        set(beyond, { d: `M${corner(-d, -c)}L${corner(d, c)}L${corner(d + c, c - d)}L${corner(c - d, -d - c)}Z` });
        set(edge, { d: `M${corner(-d, -c)}L${corner(d, c)}` });
      } else for (const one of [beyond, edge]) set(one, { d: null });
      where.textContent = state.moved ? `Moved by hand to (${a.toFixed(2)}, ${b.toFixed(2)}): only this list changes. “Let go” puts it back, and so does a step.` : `p = (${a.toFixed(2)}, ${b.toFixed(2)})`;
      head.textContent = clicks ? "score p·q + bᵢ" : "expected stars b + bᵤ + bᵢ + p·q";
      legend.replaceChildren(mark("blue", "this customer"), mark("purple", "the others"), mark("orange", clicks ? "item that this customer met" : "item that this customer rated"),
        mark("green", clicks ? "met later" : "rated, but held back"), mark("grey", "other item"), html("span", {}, "digits: places in the list, by p·q + bᵢ"));
      list.replaceChildren(...best.map((item) => {
        const product = a * w[at.item + 2 * item] + b * w[at.item + 2 * item + 1];
        const note = clicks ? (shop.met[user][item] ? "met" : shop.next[user][item] ? "met later" : "")
          : shop.given[user].has(item) ? `rated ${shop.given[user].get(item)}` : shop.kept[user].has(item) ? `held back: ${shop.kept[user].get(item)}` : "";
        return html("li", { class: takes(item) ? "later" : knows(item) ? "met" : null, title: `${titles[item]}: product ${product.toFixed(2)}, item's own number ${w[at.itemBias + item].toFixed(2)}` },
          html("div", { class: clicks ? null : "stars" }, html("span", {}, titles[item]), " ", html("span", { class: "learning-note" }, note), " ",
            html("span", { class: "learning-score" }, clicks ? `${product.toFixed(2)} ${w[at.itemBias + item] < 0 ? "−" : "+"} ${Math.abs(w[at.itemBias + item]).toFixed(2)}`.replace(/^-/, "−") : scores[item].toFixed(2))));
      }));
      curves.replaceChildren(chart());
      const [, known, unseen] = run.seen[run.seen.length - 1];
      told.textContent = clicks
        ? `Step ${state.steps}, each by a batch of ${BATCH} clicks. Of the pairs of an item met and one never met, ${Math.round(100 * known)} % are in the right order for items met in training, ${Math.round(100 * unseen)} % for items first met later.`
        : `Step ${state.steps}, each by a batch of ${BATCH} ratings. Root mean square error, in stars: ${short(known, 2)} on the ratings that train, ${short(unseen, 2)} on those held back; ${short(run.seen[0][2], 2)} before the first step.`;
      if (speak && !running) figure.say(`${told.textContent} First on the list: ${best.slice(0, 3).map((item) => titles[item]).join(", ")}.`);
      speak = false;
    }

    function chart() {
      const width = 700, high = 110, clicks = state.mode === "clicks", all = run.seen.flatMap(([, one, two]) => [one, two]);
      const tenth = (/** @type {number} */ value) => Math.round(value * 10) / 10;
      const low = clicks ? 0.4 : tenth(Math.min(0.7, ...all) - 0.04), most = clicks ? 1 : tenth(Math.max(1.4, Math.min(3, Math.max(...all))) + 0.04);
      const across = scale([0, MOST], [0, width]), up = scale([low, most], [high - 3, 3]);
      const made = svg("svg", { viewBox: `0 0 ${width} ${high}`, preserveAspectRatio: "none", class: "learning-chart", role: "img", "aria-label": "Both numbers of the line below by step." });
      for (const line of [low, (low + most) / 2, most]) made.append(svg("line", { class: "axis", x1: 0, x2: width, y1: up(line), y2: up(line) }));
      if (!clicks) made.append(svg("line", { x1: 0, x2: width, y1: up(run.seen[0][2]), y2: up(run.seen[0][2]), stroke: "var(--live-fill-green)", "stroke-dasharray": "2 5", "vector-effect": "non-scaling-stroke" }));
      [[1, "blue"], [2, "green"]].forEach(([column, colour]) => made.append(svg("path", { fill: "none", stroke: `var(--live-fill-${colour})`, "stroke-width": 2.5,
        "vector-effect": "non-scaling-stroke",
        d: run.seen.map((row, number) => `${number ? "L" : "M"}${across(row[0]).toFixed(1)} ${up(Math.min(most, row[column])).toFixed(1)}`).join("") })));
      made.append(svg("line", { x1: across(state.steps), x2: across(state.steps), y1: 0, y2: high, stroke: "var(--live-quiet)", "stroke-dasharray": "3 3" }));
      const number = (/** @type {number} */ value) => (clicks ? `${Math.round(100 * value)} %` : short(value, value === tenth(value) ? 1 : 2));
      return html("div", {}, html("p", { class: "winner-key" }, mark("blue", clicks ? "pairs in order, met in training" : "error in stars, ratings that train"),
        mark("green", clicks ? "pairs in order, first met later" : "error in stars, ratings held back (dotted: before the first step)")),
      html("div", { class: "learning-axes" }, html("div", { class: "learning-heights" }, ...[most, (low + most) / 2, low].map((value) => html("span", {}, number(value)))),
        made, html("div", { class: "learning-steps" }, ...[0, MOST / 4, MOST / 2, (3 * MOST) / 4, MOST].map((value) => html("span", { style: `left:${(100 * value) / MOST}%` }, value ? String(value) : "step 0")))));
    }

    state = figure.recall(decode, () => ({ ...START }));
    figure.onAddress(() => {
      halt();
      state = figure.recall(decode, () => ({ ...START }));
      draw();
    });
    draw();
  },
});
