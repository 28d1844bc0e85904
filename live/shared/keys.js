/** One stop of the Tab key for a whole group of buttons; the arrows go from one to the next ("roving tabindex"). */

/**
 * @param {HTMLElement} group
 * @param {{columns?: () => number, choose?: (place: number) => void}} [how]
 *   columns : how many stand in a row, for the arrows up and down; by default these go as left and right.
 *   choose : called with the new place, where moving is choosing, as with radio buttons.
 * @returns {{refresh: () => void, go: (place: number) => void}}
 *   refresh : to be called when the buttons were changed; go : makes one of them the stop, without moving the focus.
 */
export function roving(group, how = {}) {
  const all = () => /** @type {HTMLElement[]} */ ([...group.querySelectorAll("button, [data-rove]")])
    .filter((one) => !(/** @type {any} */ (one).disabled));
  let stop = 0;

  function go(/** @type {number} */ place) {
    const buttons = all();
    stop = Math.max(0, Math.min(place, buttons.length - 1));
    buttons.forEach((button, number) => { button.tabIndex = number === stop ? 0 : -1; });
    return buttons[stop];
  }

  group.addEventListener("keydown", (event) => {
    const buttons = all(), at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const row = how.columns ? how.columns() : 1;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -at, End: buttons.length - 1 - at };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = at + steps[event.key];
    if (next < 0 || next >= buttons.length) return;
    go(next).focus();
    how.choose?.(next);
  });
  group.addEventListener("focusin", (event) => {
    const at = all().indexOf(/** @type {HTMLElement} */ (event.target));
    if (at >= 0) go(at);
  });
  go(0);
  return { refresh: () => { go(stop); }, go: (place) => { go(place); } };
}
