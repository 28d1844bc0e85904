/** Choices and sliders that work with the keyboard, and one drawing a frame however fast they are moved. */

import { html, set } from "./dom.js";
import { roving } from "./keys.js";

/**
 * One of several, as buttons of a radio group.
 * @param {string} label
 * @param {[string, string][]} options   [value, what is written on it]
 * @param {(value: string) => void} chosen
 * @returns {{element: HTMLElement, set: (value: string) => void}}
 */
export function choice(label, options, chosen) {
  const buttons = options.map(([value, text]) => html("button", { type: "button", role: "radio", onclick: () => chosen(value) }, text));
  const group = html("span", { class: "live-choice", role: "radiogroup", "aria-label": label }, ...buttons);
  const keys = roving(group, { choose: (place) => chosen(options[place][0]) });
  return {
    element: html("span", { class: "live-control" }, html("span", { class: "live-label", "aria-hidden": "true" }, label), group),
    set(value) {
      options.forEach(([one], place) => set(buttons[place], { "aria-checked": one === value }));
      keys.go(options.findIndex(([one]) => one === value));
    },
  };
}

/**
 * A number on a slider, written beside it.
 * @param {string} label
 * @param {{min: number, max: number, step: number}} range
 * @param {(value: number) => string} told      the number as it is read
 * @param {(value: number) => void} moved
 * @returns {{element: HTMLElement, set: (value: number, enabled?: boolean) => void}}
 */
export function slider(label, range, told, moved) {
  const input = html("input", { type: "range", ...range, "aria-label": label, oninput: () => moved(Number(input.value)) });
  const text = html("span", { class: "live-told" });
  return {
    element: html("label", { class: "live-control" }, html("span", { class: "live-label" }, label), input, text),
    set(value, enabled = true) {
      input.value = String(value);
      input.disabled = !enabled;
      set(input, { "aria-valuetext": told(value) });
      text.textContent = told(value);
    },
  };
}

/** Calls `draw` at the next frame, once, however often it was asked for. @param {() => void} draw @returns {() => void} */
export function soon(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}
