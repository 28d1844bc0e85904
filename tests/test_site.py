"""The built site, looked at in a real browser from disk with no network: light and dark, wide and narrow."""

import io
import os
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
TABLE = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TABLE["root"], *(entry["file"] for part in TABLE["parts"] for entry in part["chapters"])]

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

# Text of the page, and formulas as they are before they are drawn; code may hold any of it.
PLAIN_TEXT = """() => {
    const copy = document.querySelector('article').cloneNode(true);
    copy.querySelectorAll('pre, code, mjx-container, script, style').forEach(node => node.remove());
    return copy.textContent;
}"""
PICTURES = """() => [...document.querySelectorAll('article img')].map(image => ({
    source: image.currentSrc || image.src, alt: image.alt, width: image.naturalWidth}))"""
HEADINGS = """() => [...document.querySelectorAll('article h1, article h2, article h3, article h4')]
    .map(heading => +heading.tagName[1])"""
# Contrast of each piece of text with what lies under it: WCAG 2.2, relative luminance.
CONTRASTS = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const paint = (colours) => {            // layers of colour, the lowest first, as the screen blends them
        canvas.clearRect(0, 0, 1, 1);
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (rgb) => {
        const [r, g, b] = rgb.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const found = [];
    for (const node of document.querySelectorAll('article *')) {
        const text = [...node.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent).join(' ').trim();
        if (!text || node.closest('svg, script, style, button, .headerlink') || !node.checkVisibility()) continue;
        const layers = [];
        for (let under = node; under; under = under.parentElement) {
            layers.unshift(getComputedStyle(under).backgroundColor);
        }
        layers.unshift('white');
        const [a, b] = [luminance(paint(layers)), luminance(paint([...layers, getComputedStyle(node).color]))];
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        found.push({text: text.slice(0, 40), tag: node.tagName, ratio});
    }
    return found;
}"""


# Listings that a reader sees before anything is unfolded.
ASSERTS = """() => [...document.querySelectorAll('article pre')].filter(code => /^\\s*assert\\b/m.test(code.textContent)
    && code.checkVisibility() && !code.closest('.toggle-hidden, details:not([open])')).map(code => code.textContent)"""
# Tables in which the observer stands are about the shop.
SHOP_TABLES = """() => [...document.querySelectorAll('article table')]
    .filter(table => [...table.querySelectorAll('tbody th')].some(cell => /^observer$/i.test(cell.textContent.trim())))
    .map(table => [...table.querySelectorAll('thead th')].map(cell => cell.textContent.trim()))"""


@pytest.fixture(scope="module", params=PAGES)
def opened(request, browser, site):
    """A page, open and drawn, with what went wrong on the way: `errors`, and `asked`, every address it asked for."""
    context = browser.new_context(viewport=WIDE, offline=True, reduced_motion="reduce")     # nothing glides to its place
    context.route(re.compile("^(http|ws)s?:"), lambda route: route.abort())
    page = context.new_page()
    errors, asked = [], []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda failed: errors.append(f"{failed.url}: {failed.failure}"))
    page.on("request", lambda sent: asked.append(sent.url))
    file = site / f"{request.param}.html"
    page.goto(file.as_uri(), wait_until="load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.wait_for_timeout(200)
    yield SimpleNamespace(page=page, file=file, site=site, name=Path(request.param).name, errors=errors, asked=asked)
    context.close()


@pytest.fixture
def picture(opened):
    """Saves what the page looks like now, top to bottom, for a person who asks for it: RECBOOK_SCREENSHOTS=1."""
    if os.environ.get("RECBOOK_SCREENSHOTS") != "1":
        return lambda look: None
    folder = ROOT / "_build" / "screenshots"
    folder.mkdir(exist_ok=True)
    return lambda look: opened.page.screenshot(path=folder / f"{opened.name}-{look}.png", full_page=True)


@cache
def soup(file):
    return BeautifulSoup(file.read_text(), "html.parser")


def test_every_page_of_the_table_of_contents_is_built(site):
    assert [page for page in PAGES if not (site / f"{page}.html").exists()] == []


def test_the_page_loads_without_an_error_and_without_the_network(opened, picture):
    picture("wide")
    assert opened.errors == []
    assert [address for address in opened.asked if urlsplit(address).scheme not in ("file", "data", "blob")] == []


def test_formulas_are_drawn(opened):
    marked = len(soup(opened.file).select("article .math"))
    assert opened.page.locator("article .math").count() == marked
    assert opened.page.locator("article .math:not(:has(mjx-container > mjx-math))").count() == 0
    assert opened.page.locator("article mjx-merror").count() == 0
    visible = opened.page.evaluate(PLAIN_TEXT)
    assert not re.search(r"\$\$|\\\(|\\\[|\\begin\{", visible)
    assert not re.search(r"\$[^$\n]*[\\_^{][^$\n]*\$", visible)           # such as $x_1$; prices are no formulas
    text = ROOT / "chapters" / "text" / f"{opened.name}.md"
    if text.exists() and re.search(r"^\$\$", text.read_text(), flags=re.M):
        assert marked > 0


def test_pictures_are_there_and_say_what_they_show(opened):
    for image in opened.page.evaluate(PICTURES):
        assert image["width"] > 0, image
        assert len(image["alt"].split()) >= 4 and not image["alt"].endswith((".png", ".svg")), image


def test_links_lead_somewhere(opened):
    """Every link within the site, to a page, a file or a place on a page."""
    lost = []
    for link in soup(opened.file).select("a[href]"):
        address, place = urldefrag(link["href"])
        if urlsplit(address).scheme or link["href"] == "#":
            continue
        target = (opened.file.parent / unquote(address)).resolve() if address else opened.file
        if not target.is_file() or place and target.suffix == ".html" and not soup(target).find(id=unquote(place)):
            lost.append(link["href"])
    assert lost == []


def test_headings_go_down_one_level_at_a_time(opened):
    levels = opened.page.evaluate(HEADINGS)
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))


def test_a_page_fits_a_phone(opened, picture):
    opened.page.set_viewport_size(NARROW)
    opened.page.wait_for_timeout(200)
    picture("narrow")
    width = opened.page.evaluate("() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
    opened.page.set_viewport_size(WIDE)
    assert width <= NARROW["width"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read(opened, picture, theme):
    """A contrast of 4.5 at least: WCAG 2.2, level AA."""
    opened.page.evaluate(f"() => document.documentElement.dataset.theme = '{theme}'")
    opened.page.wait_for_timeout(500)                                   # colours fade over
    if theme == "dark":
        picture("dark")
        background = opened.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", background)[:3])) < 64   # it is dark indeed
    texts = opened.page.evaluate(CONTRASTS)
    assert len(texts) > 5
    assert [text for text in texts if text["ratio"] < 4.5] == []


def test_a_page_is_light(opened):
    """The page and its pictures weigh less than 2 MB."""
    sources = {image["source"] for image in opened.page.evaluate(PICTURES)}
    files = [Path(unquote(urlsplit(source).path)) for source in sources if source.startswith("file:")]
    assert opened.file.stat().st_size + sum(file.stat().st_size for file in files) < 2_000_000


# ------------------------------------------------------------------------------------------------ claims and checks


def test_no_assertion_is_in_sight(opened):
    assert opened.page.evaluate(ASSERTS) == []


def test_the_check_of_every_claim_unfolds_with_the_keyboard(opened):
    """From the sign behind the sentence, and from the line of the fold itself."""
    page = opened.page
    claims, signs = page.locator("article .claim, article .cause"), page.query_selector_all("article a.sign")
    assert claims.count() == len(signs)
    targets = [sign["href"] for sign in soup(opened.file).select("article a.sign")]
    folds = {target: page.query_selector(target).evaluate_handle("mark => mark.closest('details.check')")
             for target in targets}
    for number, (sign, target) in enumerate(zip(signs, targets, strict=True)):
        fold = folds[target].as_element()
        assert not fold.evaluate("fold => fold.open") or target in targets[:number]
        sign.focus()
        page.keyboard.press("Enter")
        page.wait_for_function("fold => fold.open", arg=fold)
        assert "assert" in fold.inner_text()
    for fold in folds.values():
        fold.as_element().query_selector("summary").focus()
        page.keyboard.press("Enter")
        assert not fold.evaluate("fold => fold.open")


def test_every_table_of_the_shop_has_its_three_columns(opened):
    """A metric over all questions stands beside its two parts; a table that cuts the questions otherwise has no such column."""
    for columns in opened.page.evaluate(SHOP_TABLES):
        last = {column.split()[-1] for column in columns if column}
        over_all = "all" in last or any(re.fullmatch(r"(HR|NDCG|MRR|Recall|MAP)(@\d+)?", column) for column in columns)
        assert not over_all or {"all", "again", "new"} <= last, columns


def test_no_figure_is_a_light_box_in_the_dark(opened):
    """The corners of every figure have the lightness of the page; photos and screenshots have none of their own."""
    page = opened.page
    page.evaluate("() => document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(300)
    figures = page.locator("article img:not(.photo)")
    light = []
    for number in range(figures.count()):
        figure = figures.nth(number)
        if not figure.is_visible():
            continue
        drawn = Image.open(io.BytesIO(figure.screenshot())).convert("L")
        right, low = drawn.width - 3, drawn.height - 3
        corners = [drawn.getpixel(place) for place in ((2, 2), (right, 2), (2, low), (right, low))]
        if sorted(corners)[2] > 64:                                     # a mark may stand in one corner
            light.append((figure.get_attribute("alt"), corners))
    page.evaluate("() => document.documentElement.dataset.theme = 'light'")
    assert light == []
