"""Pages with live figures, opened from disk with no network: what the tests beside this file look at."""

import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))     # `import live`: what `tools/live.py` wrote, read back
WIDE, NARROW = {"width": 1000, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def live_folder(tmp_path_factory):
    """A folder with the scripts of the site, to which pages are written: `_static/` as in the built site."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "_static").mkdir()
    for file in ("recbook.css", "live.css", "live.js"):
        shutil.copy2(ROOT / "_static" / file, folder / "_static")
    shutil.copytree(ROOT / "_static" / "live", folder / "_static" / "live")
    for theme in ("pydata_sphinx_theme", "sphinx_book_theme"):
        source = Path(find_spec(theme).origin).parent / "theme" / theme / "static" / "styles"
        shutil.copy2(source / f"{theme.replace('_', '-')}.css", folder / "_static")
    return folder


PAGE = """<!doctype html><html lang="en" data-theme="{theme}" data-mode="{theme}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Live figures</title>
<link rel="stylesheet" href="_static/pydata-sphinx-theme.css"><link rel="stylesheet" href="_static/sphinx-book-theme.css">
<link rel="stylesheet" href="_static/recbook.css"><link rel="stylesheet" href="_static/live.css">
<script defer src="_static/live.js"></script></head>
<body><main class="bd-main" style="display:block"><div class="bd-content" style="display:block"><article class="bd-article"
style="max-width:730px; margin:auto; padding:0 1rem"><h1>Live figures</h1>{figures}</article></div></main></body></html>"""
FIGURE = """<div style="height:{gap}px"></div><figure class="live" data-live="{name}"><div class="live-frame">
<p>The static frame of {name}.</p></div><div class="live-stage" hidden></div><figcaption><p>A caption.</p></figcaption></figure>"""


@pytest.fixture
def open_live(browser, live_folder):
    """open_live("lens", "customer", hash="lens=...", narrow=..., theme="dark", ...) opens a page with these figures.

    Returns `page` (Playwright's), `errors` (what the console and the page said) and `asked` (addresses of all requests).
    `gap`: empty pixels above each figure. `wait=False`: do not wait until the figures are live. `scripts=False`: no
    JavaScript. `folder`: another copy of `live_folder`. `before`: a script that runs first.
    """
    contexts = []

    def opened(*names, hash="", narrow=False, theme="light", gap=0, wait=True, scripts=True, folder=live_folder,
               before=None, motion="reduce"):
        file = folder / f"{'-'.join(names)}-{theme}-{gap}.html"
        file.write_text(PAGE.format(theme=theme, figures="".join(FIGURE.format(name=name, gap=gap) for name in names)))
        context = browser.new_context(viewport=NARROW if narrow else WIDE, offline=True, reduced_motion=motion,
                                      java_script_enabled=scripts)
        contexts.append(context)
        context.route(re.compile("^(http|ws)s?:"), lambda route: route.abort())
        page = context.new_page()
        if before:
            page.add_init_script(before)
        errors, asked = [], []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda sent: asked.append(sent.url))
        page.goto(file.as_uri() + (f"#{hash}" if hash else ""), wait_until="load")
        if wait:
            for number in range(len(names)):
                figure = page.locator("[data-live]").nth(number)
                figure.scroll_into_view_if_needed()
                figure.and_(page.locator("[data-state]")).wait_for(timeout=10_000)
        return SimpleNamespace(page=page, errors=errors, asked=asked, file=file)

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def computing(browser, live_folder):
    """computing("lens") is a page with that figure, kept for all tests: `page.evaluate("recbookLive.compute.lens....")`."""
    pages, context = {}, browser.new_context(viewport=WIDE, offline=True)

    def page_of(name):
        if name not in pages:
            file = live_folder / f"{name}-computing.html"
            file.write_text(PAGE.format(theme="light", figures=FIGURE.format(name=name, gap=0)))
            pages[name] = context.new_page()
            pages[name].goto(file.as_uri(), wait_until="load")
            pages[name].locator("[data-live][data-state]").wait_for(timeout=10_000)
        return pages[name]

    yield page_of
    context.close()
