/* Live figures: the program and the data of a figure are loaded when it comes near the screen, and not before. */
(() => {
  const here = document.currentScript.src.replace(/live\.js.*$/, "live/");
  window.recbookLive = { data: {}, compute: {} };
  const asked = new Set();

  function script(file, then, failed) {
    const element = document.createElement("script");
    element.src = here + file;
    element.onload = then;
    element.onerror = failed;
    document.head.append(element);
  }

  function load(name) {
    if (asked.has(name)) return;
    asked.add(name);
    const failed = () => document.querySelectorAll(`[data-live="${name}"]`).forEach((figure) => {
      figure.dataset.state = "refused";
    });
    script(`${name}.data.js`, () => script(`${name}.js`, null, failed), failed);
  }

  function start() {
    const figures = document.querySelectorAll("[data-live]");
    if (!figures.length) return;
    const near = new IntersectionObserver((seen) => {
      for (const one of seen) if (one.isIntersecting) load(one.target.dataset.live);
    }, { rootMargin: "500px" });
    figures.forEach((figure) => near.observe(figure));
    const name = /^#([a-z]+)(?:-(\d+))?=/.exec(location.hash);      // a link to an experiment leads to its figure
    const meant = name && document.querySelectorAll(`[data-live="${name[1]}"]`)[(name[2] || 1) - 1];
    if (meant) meant.scrollIntoView({ block: "start" });
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
