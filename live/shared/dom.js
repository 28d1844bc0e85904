/** Elements of the page and of drawings, in one line each. */

/**
 * @param {string | null} space
 * @param {string} tag
 * @param {Record<string, any>} given
 * @param {any[]} children
 */
function make(space, tag, given, children) {
  const element = space ? document.createElementNS(space, tag) : document.createElement(tag);
  set(/** @type {any} */ (element), given);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * html("button", {class: "on", onclick: pick, "aria-pressed": true}, "Pick"). Attributes that are null, undefined or
 * false are left out, but for those of ARIA, whose false is a word.
 * @param {string} tag
 * @param {Record<string, any>} [given]
 * @param {...any} children
 * @returns {any}
 */
export const html = (tag, given = {}, ...children) => make(null, tag, given, children);

/**
 * The same for a drawing: svg("circle", {cx: 3, cy: 4, r: 2}).
 * @param {string} tag
 * @param {Record<string, any>} [given]
 * @param {...any} children
 * @returns {any}
 */
export const svg = (tag, given = {}, ...children) => make("http://www.w3.org/2000/svg", tag, given, children);

/**
 * Sets attributes and listeners ("onclick": function), as `html` does. Unchanged ones cost nothing.
 * @param {any} element
 * @param {Record<string, any>} given
 */
export function set(element, given) {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "function") element[name] = value;
    else if (value === null || value === undefined || (value === false && !name.startsWith("aria-"))) {
      element.removeAttribute(name);
    } else {
      const text = value === true && !name.startsWith("aria-") ? "" : String(value);
      if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    }
  }
  return element;
}

/**
 * Sets a text only if it is another: a screen reader reads what is set.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A straight scale: from [a, b] of the numbers to [c, d] of the drawing.
 * @param {[number, number]} from
 * @param {[number, number]} to
 * @returns {(value: number) => number}
 */
export function scale([a, b], [c, d]) {
  return (value) => c + ((value - a) / (b - a || 1)) * (d - c);
}

/**
 * A number as the book prints it: .254 and 1.5.
 * @param {number} value
 * @param {number} [digits]
 */
export function short(value, digits = 3) {
  return value.toFixed(digits).replace(/^(-?)0\./, "$1.");
}
