/* What was searched for may stand in a fold: if it is not seen in the section that the search led to, open the first. */
addEventListener("load", () => setTimeout(() => {
  const home = (node) => {
    const section = node?.parentElement?.closest("section");
    return !section || section.querySelector(":scope > :is(h1, h2, h3, h4, h5, h6)") ? section : home(section);
  };
  const place = document.querySelector(":target");
  const marks = place ? [...place.querySelectorAll(".highlighted")].filter((mark) => home(mark) === place) : [];
  const seen = (mark) => mark.checkVisibility({ visibilityProperty: true, checkVisibilityCSS: true });
  if (!marks.length || marks.some(seen)) return;
  for (let box = marks[0].parentElement; box; box = box.parentElement) {
    if (box.matches("details")) box.open = true;
    if (box.matches(".toggle-hidden")) box.querySelector(".toggle-button")?.click();
    if (box.matches(".sd-tab-content")) box.previousElementSibling.click();
  }
  marks[0].scrollIntoView({ block: "center" });
}, 50));
