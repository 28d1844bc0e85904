/* Where every word of the book stands. The data follow below, in the file that is built: finding({...}).
 *
 * pages, titles   names and titles of the pages
 * places          [number of the page, "#id" or "", title]: one for each section
 * words           {stem of a word: its places}, as steps in base 36; a place comes once for each kind that holds the word
 */
"use strict";

function finding({ pages, titles, places, words }) {
  const KINDS = [["", 15], ["", 5], ["in code", 4], ["in what code printed", 3], ["in a figure", 4]];
  const PARTLY = 0.4;            // what a word is worth that only holds the one asked for
  const AT_MOST = 3;             // places of one page

  /** {place: {kind: worth}} of one word. */
  const found = (word) => {
    const exact = Object.hasOwn(words, word);
    const holding = exact ? [word] : word.length > 2 ? Object.keys(words).filter((other) => other.includes(word)) : [];
    const result = new Map();
    for (const key of holding) {
      let number = 0;
      for (const step of words[key].split(" ")) {
        number += parseInt(step, 36);
        const place = Math.floor(number / KINDS.length), kind = number % KINDS.length;
        if (!result.has(place)) result.set(place, new Map());
        result.get(place).set(kind, KINDS[kind][1] * (exact ? 1 : PARTLY));
      }
    }
    return result;
  };

  /** What Sphinx calls a result: [page, title, anchor, description, score, file]. */
  const line = (page, place, score, notes) => {
    const title = place && place[1] ? `${titles[page]} &gt; ${place[2]}` : titles[page];
    const note = notes.length ? ` <small>(${notes.join(", ")})</small>` : "";
    return [pages[page], title + note, place ? place[1] : "", null, score, pages[page]];
  };

  Search.performTermsSearch = (terms, excluded) => {
    const asked = [...terms].map(found).filter((places, at) => places.size || [...terms][at].length > 2);
    if (!asked.length || asked.some((places) => !places.size)) return [];
    const unwanted = new Set([...excluded].flatMap((word) => [...found(word).keys()].map((place) => places[place][0])));
    const byPage = new Map();
    for (const place of asked[0].keys()) {
      if (!asked.every((one) => one.has(place))) continue;
      const page = places[place][0];
      const best = asked.map((one) => [...one.get(place)].reduce((a, b) => (b[1] > a[1] ? b : a)));
      const score = best.reduce((sum, [, worth]) => sum + worth, 0) / best.length;
      const notes = [...new Set(best.map(([kind]) => KINDS[kind][0]).filter((note) => note))];
      if (!byPage.has(page)) byPage.set(page, []);
      byPage.get(page).push(line(page, places[place], score, notes));
    }
    const onAll = asked.map((one) => new Set([...one.keys()].map((place) => places[place][0])));
    for (const page of onAll[0]) {                                  // the words stand in different sections
      if (!byPage.has(page) && onAll.every((one) => one.has(page))) byPage.set(page, [line(page, null, 1, [])]);
    }
    return [...byPage].filter(([page]) => !unwanted.has(page))
      .flatMap(([, lines]) => lines.sort((a, b) => b[4] - a[4]).slice(0, AT_MOST));
  };

  const all = Search._performSearch;
  Search._performSearch = (...query) => {                           // a place comes once: its best line, which is the last
    const lines = new Map();
    for (const result of all(...query)) {
      lines.delete(result[0] + result[2]);
      lines.set(result[0] + result[2], result);
    }
    return [...lines.values()];
  };

  const split = splitQuery;
  splitQuery = (query) => split(query.normalize("NFD").replace(/\p{Mark}/gu, ""));
  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;     // no file may be fetched
  Documentation.TRANSLATIONS["Search finished, found ${resultCount} page(s) matching the search query."] =
    "Places found: ${resultCount}.";
}
