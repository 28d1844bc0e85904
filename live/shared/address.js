/**
 * The state of the figures on a page, kept in the part of the address behind the #: `#lens=12-4.7&customer=play`.
 *
 * Each figure has a key of its own. Anything else behind the # is a place on the page, and left alone until a figure
 * has something to say. Nothing is stored anywhere else.
 */

const FORM = /^[a-z][a-z0-9-]*=/;
const WAIT = 250; // milliseconds: a browser lets a page write its address some hundred times in half a minute

/** @type {Map<string, string>} */
const waiting = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let written = "";

/** What the address says, by key. @returns {Map<string, string>} */
export function states() {
  const text = location.hash.slice(1);
  /** @type {Map<string, string>} */
  const found = new Map();
  if (!FORM.test(text)) return found;
  for (const part of text.split("&")) {
    const cut = part.indexOf("=");
    if (cut < 1) continue;
    try {
      found.set(part.slice(0, cut), decodeURIComponent(part.slice(cut + 1)));
    } catch {
      found.set(part.slice(0, cut), "\ufffd"); // a broken % sign: the figure will say that it cannot read it
    }
  }
  return found;
}

/**
 * Write a figure's state soon; of many in a row only the last.
 * @param {string} key
 * @param {string} text   an empty one takes the key out
 */
export function write(key, text) {
  waiting.set(key, text);
  clearTimeout(timer);
  timer = setTimeout(flush, WAIT);
}

function flush() {
  const all = states();
  for (const [key, text] of waiting) {
    if (text) all.set(key, text);
    else all.delete(key);
  }
  waiting.clear();
  const parts = [...all].map(([key, text]) => `${key}=${encodeURIComponent(text).replace(/%2C/g, ",")}`);
  written = parts.length ? `#${parts.join("&")}` : "";
  if (written === location.hash || (!written && !FORM.test(location.hash.slice(1)))) return;
  try {
    history.replaceState(history.state, "", written || location.pathname + location.search);
  } catch {
    // An address that may not be written (a frame, a strict browser) is no reason to stop: the figure goes on.
  }
}

/**
 * Calls back when somebody changes the address, not when a figure does.
 * @param {() => void} changed
 */
export function watch(changed) {
  addEventListener("hashchange", () => {
    if (location.hash !== written && FORM.test(location.hash.slice(1))) changed();
  });
}
