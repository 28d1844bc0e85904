/**
 * Be the customer, or guess one: seven guessers, the true probability beside each guess, and who was right so far.
 *
 * Two games. *Guess*: a customer of the shop stands before the next look; the reader picks, then all answers show.
 * *Be the customer*: the reader clicks, the seven guess the next click before it is made.
 */

import { html, say, set, short } from "../shared/dom.js";
import { mount } from "../shared/figure.js";
import { guessers } from "../shared/guessers.js";
import { roving } from "../shared/keys.js";
import { ndcg, place, top } from "../shared/numbers.js";
import { paint, painter } from "../shared/pictures.js";

/** @typedef {import("../shared/shop.js").Event} Event */
/**
 * @typedef {object} State
 * @property {"guess" | "play"} game
 * @property {number} person        whose history: a place in `values.people`
 * @property {number[]} guesses     the reader's, one a question that was answered; -1 where none was made
 * @property {number[]} clicks      the reader's, as the customer: items; -1 - item where a new visit began with it
 */

const SHOWN = 4, STEP = 60, DAY = 86400, NEW_YEAR = 1735689600 + 364 * DAY, MOST = 300;
const person = (/** @type {number} */ chance) => `${(100 * chance).toFixed(chance < 0.0995 ? 1 : 0)}\u00a0%`;

/** @param {number[]} clicks @returns {Event[]} */
function played(clicks) {
  let time = NEW_YEAR - clicks.length * DAY;
  return clicks.map((click) => {
    time += click < 0 ? DAY : STEP;
    return { item: click < 0 ? -1 - click : click, behaviour: 0, time };
  });
}

/** @param {any} table @returns {Event[]} */
function told({ shape, values }) {
  return Array.from({ length: shape[0] }, (_, t) => ({ item: values[3 * t], behaviour: values[3 * t + 1], time: values[3 * t + 2] }));
}

/** "g3.12.x.44": the fourth customer, three questions answered; "p7.9_30": three clicks, the last began a visit. @param {State} state */
export function encode({ game, person, guesses, clicks }) {
  if (game === "guess") return person || guesses.length ? ["g" + person, ...guesses.map((one) => (one < 0 ? "x" : one))].join(".") : "";
  return "p" + clicks.map((one, at) => (one < 0 ? "_" + (-1 - one) : (at ? "." : "") + one)).join("");
}

/** @param {string} text @param {number} people @param {number} items @param {number} asked @returns {State | null} */
export function decode(text, people, items, asked) {
  const game = text[0] === "g" ? "guess" : "play";
  if (game === "guess") {
    if (!/^g\d{1,2}(\.(\d{1,4}|x))*$/.test(text)) return null;
    const [whose, ...answers] = text.slice(1).split("."), guesses = answers.map((one) => (one === "x" ? -1 : Number(one)));
    const sound = Number(whose) < people && guesses.length <= asked && guesses.every((one) => one < items);
    return sound ? { game, person: Number(whose), guesses, clicks: [] } : null;
  }
  if (!/^p((^|[._])?\d{1,4}([._]\d{1,4})*)?$/.test(text)) return null;
  const clicks = [...text.slice(1).matchAll(/([._]?)(\d+)/g)].map(([, mark, item]) => (mark === "_" ? -1 - Number(item) : Number(item)));
  const sound = clicks.length <= MOST && clicks.every((one) => (one < 0 ? -1 - one : one) < items);
  return sound ? { game, person: 0, guesses: [], clicks } : null;
}

mount({
  name: "customer",
  compute: (data) => {
    const { scores, law } = guessers(data);
    return {
      scores: (events, now, prior) => scores(events, now, prior ?? law.average).map((one) => [...one]),
      ndcg, encode, decode,
      paint: (item, size) => [...paint(data.tables.category.values[item], data.tables.look.values.subarray(item * 6, item * 6 + 6), size)],
    };
  },
  start(figure) {
    const { tables, values } = figure, { names, titles, categories, people } = values;
    const { law, scores } = guessers(figure), picture = painter(tables);
    const asked = Math.min(...people.map((one) => tables[`events.${one.customer}`].shape[0] - one.begins));
    const fresh = () => /** @type {State} */ ({ game: "guess", person: 0, guesses: [], clicks: [] });
    /** @type {State} */
    let state;
    let shown = 0;               // the category on the shelf
    let open = true;             // guess: whether the question waits for an answer
    let newVisit = false;        // play: whether the next click begins a visit
    let ordered = false;         // whether the rows stand in the order of the ladder
    /** @type {{item: number, scores: Float64Array[], guess: number, gains: number[], firsts: boolean[]}[]} */
    let done = [];               // what was asked so far
    /** @type {Event[]} */
    let history = [];
    /** @type {Float64Array[]} */
    let answers = [];

    // ------------------------------------------------------------------------------------------- the rules

    const prior = () => (state.game === "play" ? law.average : tables.prior.values.subarray(state.person * law.tastes, (state.person + 1) * law.tastes));
    const whole = () => told(tables[`events.${people[state.person].customer}`]);
    const now = () => (state.game === "guess" ? whole()[people[state.person].begins + done.length].time
      : history.length ? history[history.length - 1].time + (newVisit ? DAY : STEP) : NEW_YEAR);

    /** All that follows from the state, anew: after it came from the address, or a game began. */
    function replay() {
      done = [];
      newVisit = false;
      if (state.game === "guess") {
        const all = whole(), { begins } = people[state.person];
        history = all.slice(0, begins);
        for (const guess of state.guesses) ask(all[begins + done.length], guess);
        open = !done.length;
      } else {
        history = [];
        for (const event of played(state.clicks)) ask(event, -1);
      }
      expect();
    }

    /** One question: what all said before it, and what came. */
    function ask(/** @type {Event} */ event, /** @type {number} */ guess) {
      note(event.item, scores(history, event.time, prior()), guess);
      history = [...history, event];
    }

    function note(/** @type {number} */ item, /** @type {Float64Array[]} */ said, /** @type {number} */ guess) {
      done.push({ item, scores: said, guess, gains: said.map((one) => ndcg(one, item)), firsts: said.map((one) => top(one, 1)[0] === item) });
    }

    /** What all say of the next. */
    function expect() {
      if (state.game === "play") answers = scores(history, now(), prior());
    }

    function pick(/** @type {number} */ item) {
      if (state.game === "play") {
        if (state.clicks.length >= MOST) return figure.notice(`That is enough: ${MOST} clicks. Start again.`);
        const event = { item, behaviour: 0, time: now() };
        note(item, answers, -1);
        history = [...history, event];
        state.clicks.push(newVisit ? -1 - item : item);
        newVisit = false;
        expect();
        const right = names.filter((_, n) => top(done[done.length - 1].scores[n], SHOWN).includes(item));
        figure.say(`${titles[item]}. ${right.length ? "Guessed by " + right.join(", ") : "Nobody had guessed it"}.`);
      } else {
        if (!open) return next();
        state.guesses.push(item);
        ask(whole()[people[state.person].begins + done.length], item);
        open = false;
        const { item: truth } = done[done.length - 1];
        figure.say(`${item < 0 ? "" : item === truth ? "You are right. " : "No. "}They looked at ${titles[truth]}.`);
      }
      figure.remember(encode(state));
      draw();
    }

    function next() {
      if (done.length < asked) open = true;
      figure.say("What next?");
      draw();
    }

    function begin(/** @type {Partial<State>} */ change) {
      state = { ...fresh(), ...change };
      figure.notice("");
      replay();
      open = true;
      figure.remember(encode(state));
      say(name, "\u00a0");
      draw();
      figure.say(question.textContent);
    }

    // ------------------------------------------------------------------------------------------- what is seen

    const button = (text, onclick, more = {}) => html("button", { type: "button", onclick, ...more }, text);
    const games = html("div", { class: "live-row", role: "group", "aria-label": "Game" });
    const guessing = button("Guess a customer", () => begin({ game: "guess" }));
    const playing = button("Be the customer", () => begin({ game: "play" }));
    const other = button("Another customer", () => begin({ game: "guess", person: (state.person + 1) % people.length }));
    const reveal = button("Show me", () => (open ? pick(-1) : next()));
    const visit = button("Come back tomorrow", () => { newVisit = !newVisit; expect(); draw(); });
    const again = button("Start again", () => begin({ game: state.game, person: state.person }));
    games.append(guessing, playing, other, visit, again);

    const past = html("ol", { class: "customer-past", "aria-label": "Looked at, the oldest first" });
    const question = html("p", { class: "customer-question" });
    const kinds = html("div", { class: "customer-kinds", role: "group", "aria-label": "Kind of thing" });
    const shelf = html("div", { class: "customer-shelf", role: "group" });
    const name = html("p", { class: "customer-name", "aria-hidden": "true" }, "\u00a0");
    const kindButtons = categories.map((category, c) => {
      const first = law.category.indexOf(c);
      const one = button("", () => { shown = c; draw(); }, { "aria-label": category, title: category });
      one.append(picture(first));
      kinds.append(one);
      return one;
    });
    const kindKeys = roving(kinds), shelfKeys = roving(shelf, { columns: () => getComputedStyle(shelf).gridTemplateColumns.split(" ").length });
    let stocked = -1;

    function stock() {
      if (stocked === shown) return;
      stocked = shown;
      const items = Array.from(titles.keys()).filter((item) => law.category[item] === shown);
      shelf.replaceChildren(...items.map((item) => {
        const tell = () => say(name, titles[item]);
        const one = button("", () => pick(item), { "aria-label": titles[item], title: titles[item], onfocus: tell, onmouseenter: tell });
        one.append(picture(item));
        return one;
      }));
      set(shelf, { "aria-label": `${categories[shown]} in the shop` });
      shelfKeys.go(0);
    }

    const body = html("tbody");
    const rows = names.map((_, n) => {
      const guesses = html("td", { class: "customer-guesses" }), last = html("td", { class: "customer-last" });
      const ladder = html("td", { class: "customer-ladder" });
      const row = html("tr", {}, html("th", { scope: "row" }, names[n], n === names.length - 1 && html("small", {}, "knows the shop's true chances")), guesses, last, ladder);
      body.append(row);
      return { row, guesses, last, ladder };
    });
    const guessHead = html("th", { scope: "col" }), lastHead = html("th", { scope: "col" }), ladderHead = html("th", { scope: "col" });
    const table = html("table", { class: "customer-table" },
      html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "who guesses"), guessHead, lastHead, ladderHead)), body);
    const order = button("Sort by NDCG@10 in the whole shop", () => { ordered = !ordered; draw(); });
    const tally = html("p", { class: "customer-tally" });
    figure.stage.append(games, past, html("div", { class: "live-row" }, question, reveal), kinds, shelf, name, table, html("div", { class: "live-row" }, tally, order));

    /** A small picture with its true probability below. */
    function tile(/** @type {number} */ item, /** @type {number} */ chance, /** @type {boolean} */ right) {
      return html("span", { class: right ? "customer-tile right" : "customer-tile", title: titles[item] }, picture(item),
        html("span", { class: "live-voice" }, `${titles[item]}, ${right ? "right, " : ""}true probability `),
        html("span", {}, `${right ? "✓ " : ""}${person(chance)}`));
    }

    function drawPast() {
      const from = Math.max(0, history.length - 8), shownEvents = history.slice(from);
      const marks = shownEvents.map((event, at) => {
        const before = history[from + at - 1], gap = before && event.time - before.time > law.gap;
        const what = ["", "", "in the cart", "bought"][event.behaviour];
        return html("li", { class: gap ? "new-visit" : null, title: titles[event.item] }, picture(event.item),
          html("span", { class: "live-voice" }, `${gap ? "a new visit: " : ""}${titles[event.item]} ${what}`),
          what && html("span", { class: "customer-did", "aria-hidden": "true" }, what));
      });
      past.replaceChildren(...marks);
      if (!history.length) past.append(html("li", { class: "customer-empty" }, `${state.game === "guess" ? `Customer ${people[state.person].customer} has` : "You have"} looked at nothing yet.`));
      if (state.game === "play" || open) past.append(html("li", { class: newVisit ? "customer-next new-visit" : "customer-next" }, "?"));
      requestAnimationFrame(() => { past.scrollLeft = past.scrollWidth; });      // on a phone the oldest are cut off, not what came
    }

    function draw() {
      const guess = state.game === "guess", hidden = guess && open, latest = done[done.length - 1], over = guess && !open && done.length >= asked;
      set(guessing, { "aria-pressed": guess });
      set(playing, { "aria-pressed": !guess });
      other.hidden = !guess;
      visit.hidden = guess;
      set(visit, { "aria-pressed": newVisit, disabled: !history.length && !guess });
      reveal.hidden = !guess || over;
      say(reveal, open ? "Show me" : "Next question");
      again.disabled = !done.length;
      drawPast();
      const who = `Customer ${people[state.person].customer}`;
      const before = history.length - 8, chance = latest && person(latest.scores[names.length - 1][latest.item]);
      const fresh = latest && !tables.count.values[latest.item] ? " (new in the shop: only the observer had heard of it)" : "";
      const answer = !latest ? "" : latest.guess === latest.item ? `You are right: ${titles[latest.item]}${fresh}, true probability ${chance}.`
        : `${latest.guess < 0 ? "It was" : "No, it was"} ${titles[latest.item]}${fresh}, true probability ${chance}.`;
      say(question, guess
        ? over ? `${answer} Those were ${asked} questions about ${who.toLowerCase()}. Take another, or be one.` : !open ? answer
          : `${who} ${done.length ? "goes on" : !history.length ? "is here for the first time" : before > 0 ? `has looked at these, and at ${before} things before` : "has looked at these"}. What next? Pick it in the shop.`
        : done.length ? `You: ${titles[latest.item]}, probability ${chance} for a customer with your past. All have guessed again; click on.` : "Click what you like in the shop. All have guessed already.");
      kindButtons.forEach((one, c) => set(one, { "aria-pressed": c === shown }));
      kindKeys.go(shown);
      stock();

      const now = guess ? latest?.scores : answers, truth = now?.[names.length - 1];
      say(guessHead, hidden ? "their guesses come after yours" : guess ? "guessed; below, how likely it truly was" : "guess your next click; below, how likely for a customer with this past");
      say(lastHead, `${guess ? "had it at place" : "had your last at place"} (“3 to 5” is a tie)`);
      const here = guess ? (done.length === 1 ? "● of this question, " : `● of these ${done.length} questions, `) : `● of your ${done.length} click${done.length === 1 ? "" : "s"}, `;
      say(ladderHead, `NDCG@10: ${done.length ? here : ""}| of the shop's ${values.questions.toLocaleString("en")}`);
      const means = names.map((_, n) => done.reduce((sum, one) => sum + one.gains[n], 0) / (done.length || 1));
      rows.forEach(({ guesses, last, ladder }, n) => {
        guesses.replaceChildren(...(hidden || !now ? Array.from({ length: SHOWN }, () => html("span", { class: "customer-tile none", "aria-hidden": "true" }, "?"))
          : top(now[n], SHOWN).map((item) => tile(item, truth[item], guess && item === latest.item))));
        const [first, end] = latest && !hidden ? place(latest.scores[n], latest.item) : [0, 0];
        say(last, !latest || hidden ? "" : first === end ? String(first + 1) : `${first + 1} to ${end + 1}`);
        set(last, { class: latest && !hidden && end < SHOWN ? "customer-last right" : "customer-last" });
        ladder.replaceChildren(scaleOf(values.ladder[n], done.length ? means[n] : null));
      });
      const sorted = names.map((_, n) => n);
      if (ordered) sorted.sort((a, b) => values.ladder[b] - values.ladder[a]);
      if (sorted.some((n, at) => body.children[at] !== rows[n].row)) body.append(...sorted.map((n) => rows[n].row));
      set(order, { "aria-pressed": ordered });
      const firsts = names.map((_, n) => done.filter((one) => one.firsts[n]).length);
      const best = Math.max(...firsts), mine = done.filter((one) => one.guess === one.item).length;
      const leaders = names.map((one, n) => `${one} ${firsts[n]}`).filter((_, n) => best && (firsts[n] === best || n === names.length - 1));
      if (guess) leaders.unshift(`you ${mine}`);
      say(tally, !done.length ? "" : `First guess right, of ${done.length}: ${leaders.join(", ") || "nobody's"}${guess && !best ? ", nobody else" : ""}.`);
    }

    /** Where a guesser stands on the ladder: a line for the shop, a dot for this game. */
    function scaleOf(/** @type {number} */ shop, /** @type {number | null} */ here) {
      const at = (/** @type {number} */ value) => `left:${Math.min(100, 100 * value)}%`;
      return html("div", { class: "customer-scale" }, html("i", { class: "shop", style: at(shop) }),
        here === null ? null : html("i", { class: "here", style: at(here) }),
        html("span", {}, here === null ? short(shop) : `${short(here)} | ${short(shop)}`));
    }

    const load = () => {
      state = figure.recall((text) => decode(text, people.length, titles.length, asked), fresh);
      replay();
      shown = law.category[history.length ? history[history.length - 1].item : 0];
      draw();
    };
    figure.onAddress(load);
    load();
  },
});
