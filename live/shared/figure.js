/** What every live figure has: a stage in place of the static frame, its data, its state in the address, a voice. */

import { states, watch, write } from "./address.js";
import { open } from "./data.js";
import { html, say } from "./dom.js";

/**
 * @typedef {object} Figure
 * @property {HTMLElement} stage      where the figure draws
 * @property {string} key             its key in the address, also a prefix for ids: "lens", a second one "lens-2"
 * @property {Record<string, import("./data.js").Table>} tables   the arrays of its data
 * @property {Record<string, any>} values                        the rest of its data
 * @property {<T>(decode: (text: string) => T | null, otherwise: () => T) => T} recall
 *   the state that the address holds, decoded; `otherwise()` if there is none. If `decode` throws or gives null, the
 *   figure starts as `otherwise()` and says so in one line.
 * @property {(text: string) => void} remember   puts the state into the address, soon; "" for the state at the start
 * @property {(changed: () => void) => void} onAddress   calls back when a person changes the address
 * @property {(text: string) => void} say        one sentence for those who hear the page
 * @property {(text: string) => void} notice     one line above the figure, for everybody; "" takes it away
 * @property {() => boolean} calm                 whether the reader wants nothing to move
 */

/**
 * Starts the figure in every element of the page that has its name.
 * @param {object} what
 * @param {string} what.name
 * @param {(figure: Figure) => void} what.start       draws; called once for each element
 * @param {(data: {tables: Record<string, any>, values: Record<string, any>}) => object} [what.compute]
 *   what the tests compare with the package, as `recbookLive.compute.NAME`
 */
export function mount({ name, start, compute }) {
  const live = window.recbookLive, stored = live.data[name];
  const elements = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(`[data-live="${name}"]`)]);
  if (stored?.version !== DATA_VERSION) {
    for (const element of elements) refuse(element, "its program and its data are of different versions (`make live` builds both)");
    return;
  }
  const data = open(stored);
  if (compute) live.compute[name] = compute(data);
  elements.forEach((element, number) => {
    try {
      begin(element, number ? `${name}-${number + 1}` : name, data, start);
    } catch (error) {
      refuse(element, `its program stopped (${/** @type {Error} */ (error).message})`);
      setTimeout(() => { throw error; });
    }
  });
}

/**
 * The static frame stays, and one line says why.
 * @param {HTMLElement} element
 * @param {string} why
 */
function refuse(element, why) {
  element.dataset.state = "refused";
  const stage = element.querySelector(".live-stage");
  stage.replaceChildren(html("p", { class: "live-notice", role: "status" }, `This figure does not move: ${why}.`));
  /** @type {HTMLElement} */ (stage).hidden = false;
}

/**
 * @param {HTMLElement} element
 * @param {string} key
 * @param {{tables: Record<string, any>, values: Record<string, any>}} data
 * @param {(figure: Figure) => void} start
 */
function begin(element, key, data, start) {
  const above = html("p", { class: "live-notice", role: "status", hidden: true });
  const voice = html("p", { class: "live-voice", "aria-live": "polite" });
  const stage = html("div", { class: "live-drawing" });
  const whole = /** @type {HTMLElement} */ (element.querySelector(".live-stage"));
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const notice = (/** @type {string} */ text) => {
    say(above, text);
    above.hidden = !text;
  };
  start({
    stage, key, tables: data.tables, values: data.values, notice,
    recall(decode, otherwise) {
      const text = states().get(key);
      if (text === undefined) return otherwise();
      try {
        const state = decode(text);
        if (state !== null && state !== undefined) {
          notice("");
          return state;
        }
      } catch {
        // Said below.
      }
      notice("The address holds no state of this figure that can be read: it starts anew.");
      return otherwise();
    },
    remember: (text) => write(key, text),
    onAddress: watch,
    say: (text) => say(voice, text),
    calm: () => calm.matches,
  });
  whole.replaceChildren(above, stage, voice);
  whole.hidden = false;
  element.dataset.state = "live";
}
