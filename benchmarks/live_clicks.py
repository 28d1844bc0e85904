"""How long a click in a live figure takes, in a headless Chromium, from disk: python benchmarks/live_clicks.py

Writes `results/live_clicks.json`. A click is timed from its dispatch until the next frame is ready, the wait for that frame
included (up to a sixtieth of a second). Every button is clicked in turn.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME, TITLE = "live_clicks", "A click in a live figure, in milliseconds"
PROTOCOL = ("Headless Chromium, from disk, 150 clicks on the buttons of a figure in turn, after 20 to warm up; from the click "
            "until the next frame is laid out, the wait for it included.")
CLICKS, WARM = 150, 20
STARTS = {"customer": {"customer": "", "customer, after 200 clicks": "p" + ".".join(str(number * 7 % 360) for number in range(200))}}

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Clicks</title>
<link rel="stylesheet" href="_static/live.css"><script defer src="_static/live.js"></script>
<article style="max-width:730px"><figure class="live" data-live="{name}"><div class="live-frame"></div>
<div class="live-stage" hidden></div></figure></article></html>"""
CLICK = """async ([clicks, warm]) => {
    const taken = [];
    for (let n = 0; n < clicks + warm; n++) {
        const all = [...document.querySelectorAll('[data-live] button')].filter(one => !one.disabled && one.checkVisibility()
            && !/again|Guess a customer|Another|back/i.test(one.textContent));
        const start = performance.now();
        all[(n * 7919) % all.length].click();
        await new Promise(done => requestAnimationFrame(() => { document.body.offsetHeight; done(); }));
        document.body.offsetHeight;
        if (n >= warm) taken.push(performance.now() - start);
    }
    return taken;
}"""


def measure(browser, folder, name, state):
    """Milliseconds of each click: a list."""
    file = folder / f"{name}.html"
    file.write_text(PAGE.format(name=name))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(file.as_uri() + (f"#{name}={state}" if state else ""))
    page.locator("[data-live][data-state=live]").wait_for()
    taken = page.evaluate(CLICK, [CLICKS, WARM])
    page.close()
    return taken


def row(title, name, taken):
    ordered = sorted(taken)
    measured = {"median": statistics.median(ordered), "95th of 100": ordered[int(0.95 * len(ordered))], "slowest": ordered[-1]}
    size = sum((ROOT / "_static" / "live" / file).stat().st_size for file in (f"{name}.js", f"{name}.data.js"))
    return {"title": title, "measured": {key: {"value": round(value, 1)} for key, value in measured.items()} | {"kB": {"value": round(size / 1000)}},
            "published": {}, "source": "", "settings": {"clicks": CLICKS}}


def main():
    from playwright.sync_api import sync_playwright

    import recbook
    from recbook import results

    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser_path is None:
        sys.exit("live_clicks: no chromium or google-chrome here.")
    start, before, rows = time.perf_counter(), os.getloadavg()[0], {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        folder = Path(folder)
        shutil.copytree(ROOT / "_static", folder / "_static")
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        for name in sorted(path.name.removesuffix(".data.js") for path in (ROOT / "_static" / "live").glob("*.data.js")):
            for title, state in STARTS.get(name, {name: ""}).items():
                rows[title] = row(title, name, measure(browser, folder, name, state))
                rows[title]["settings"]["load average at start"] = round(before, 2)
                print(title, {key: one["value"] for key, one in rows[title]["measured"].items()})
        browser.close()
    results.save(NAME, TITLE, PROTOCOL, rows, recbook.load("shop"), time.perf_counter() - start)


if __name__ == "__main__":
    main()
