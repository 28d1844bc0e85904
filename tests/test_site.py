"""The built site, looked at in a real browser from disk with no network: light and dark, wide and narrow."""

import io
import os
import re
from collections import Counter
from copy import copy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag, urlencode, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
TABLE = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TABLE["root"], *(entry["file"] for part in TABLE["parts"] for entry in part["chapters"])]
CHAPTERS = [entry["file"] for part in TABLE["parts"] if part["caption"] != "Teaching" for entry in part["chapters"]]
RECALL = yaml.safe_load((ROOT / "chapters" / "recall.yml").read_text())

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


# ------------------------------------------------------------------------------------------------ questions and search


def text(node):
    return " ".join(node.get_text(" ").split())


LONG_WORD, NUMBER = re.compile(r"[^\W\d_]{4,}"), re.compile(r"\d*\.?\d+")


def roots(words):
    """Words of four letters and more by their first letters: `leaves` is `leave`, `trained` is `training`."""
    return {word.lower()[:max(4, len(word) - 3)][:6] for word in LONG_WORD.findall(words)}


@pytest.mark.parametrize("page", CHAPTERS)
def test_each_question_leads_to_the_section_that_answers_it(page, site):
    """Every number of an answer stands in the section that it names, and so do three in four of its words."""
    place = CHAPTERS.index(page)
    earlier = RECALL[Path(CHAPTERS[place - 2]).name] if place >= 2 else []
    expected = RECALL[Path(page).name] + [question for question in earlier if question.get("again")]
    file, folds = site / f"{page}.html", soup(site / f"{page}.html").select("article details.recall")
    assert len(folds) == len(expected)
    for number, (fold, question) in enumerate(zip(folds, expected)):
        own = number < len(RECALL[Path(page).name])
        assert not fold.has_attr("open") and fold.find(True).name == "summary"
        assert bool(fold.find_parent(id=re.compile("^do-you-still-know"))) != own
        address, _, anchor = fold.select_one(".where a")["href"].partition("#")
        section = soup((file.parent / address).resolve() if address else file).find(id=anchor)
        assert text(section.find(re.compile("^h[1-6]$"))).removesuffix("#").strip() == question["section"]
        if own:
            answer, there = " ".join(map(text, fold.select("p:not(.where)"))), text(section)
            assert set(NUMBER.findall(answer)) <= set(NUMBER.findall(there)), answer
            assert len(roots(answer) & roots(there)) >= .75 * len(roots(answer)), (answer, roots(answer) - roots(there))


def test_questions_are_folded_and_open_with_the_keyboard(opened):
    page, folds = opened.page, opened.page.locator("article details.recall")
    for number in range(folds.count()):
        fold = folds.nth(number)
        assert not fold.locator("p").first.is_visible()
        fold.locator("summary").focus()
        page.keyboard.press("Enter")
        assert all(paragraph.is_visible() for paragraph in fold.locator("p").all())
        page.keyboard.press("Enter")
        assert not fold.locator("p").first.is_visible()


def test_questions_open_without_a_script(browser, site):
    context = browser.new_context(viewport=WIDE, offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "chapters" / "attention.html").as_uri())
    folds = page.locator("article details.recall")
    assert folds.count() > 3 and not folds.first.locator("p").first.is_visible()
    folds.first.locator("summary").click()
    assert folds.first.locator("p").first.is_visible()
    context.close()


def test_only_the_search_loads_what_the_search_needs(opened):
    assert [address for address in opened.asked if re.search(r"finding\.js|searchindex\.js", address)] == []
    assert (opened.site / "_static" / "finding.js").stat().st_size < 400_000


WORDS_IN = {"code": "div.cell_input pre", "caption": "figcaption p", "alternative text": "img[alt]"}


def said(file):
    """The words that a page shows, formulas apart; a word of code may consist of several coloured pieces."""
    article = copy(soup(file).article)
    for node in article.select(".math, .headerlink, script, button, .sign"):
        node.decompose()
    code = [node.extract().get_text() for node in article.select("pre")]
    pictures = [image.get("alt", "") for image in article.select("img")]
    return re.findall(r"\w+", " ".join([*code, *pictures, article.get_text(" ")]))


def heading(section):
    return section.find(re.compile("^h[1-6]$"), recursive=False)


@cache
def words_by_place(site):
    """{kind: {word: (page, id of its section, what holds it)}} of words whose beginning stands once in the whole site."""
    counted = Counter()
    for name in PAGES:
        _, article, _ = re.split(r"</?article\b", (site / f"{name}.html").read_text())
        words = re.sub(r"<[^>]+>", " ", article) + " ".join(re.findall(r'alt="([^"]*)"', article))
        counted.update(word.lower()[:5] for word in re.findall(r"\w+", words))
    placed = {kind: {} for kind in WORDS_IN}
    for name in PAGES:
        for kind, where in WORDS_IN.items():
            for node in soup(site / f"{name}.html").article.select(where):
                for word in re.findall(r"\b[a-z]{6,}\b", node.get("alt") or node.get_text()):
                    if counted[word[:5]] == 1:
                        section = next(section for section in node.find_parents("section") if heading(section))
                        placed[kind][word] = name, "" if heading(section).name == "h1" else section["id"], node
    return placed


@pytest.fixture(scope="module")
def search(browser, site):
    """The search page, opened from disk; `search(query)` gives its lines, [(text, page, id)]."""
    context = browser.new_context(viewport=WIDE, offline=True, reduced_motion="reduce")
    page, errors = context.new_page(), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    def ask(query):
        page.goto(f"{(site / 'search.html').as_uri()}?{urlencode({'q': query})}", wait_until="load")
        page.locator(".search-summary", has_text=re.compile("Places found|did not match")).wait_for()
        lines = page.evaluate("() => [...document.querySelectorAll('#search-results li a')]"
                              ".map(line => [line.textContent, line.getAttribute('href')])")
        assert errors == []
        return [(said, *re.fullmatch(r"(.*)\.html#?(.*)", address).groups()) for said, address in lines]

    ask.page = page
    yield ask
    context.close()


@pytest.mark.parametrize("kind", WORDS_IN)
def test_a_word_is_found_that_stands_in_one_place_only(search, site, kind):
    words = words_by_place(site)[kind]
    assert words
    for word in sorted(words)[::max(1, len(words) // 3)][:3]:
        found = [line for line, *place in search(word) if tuple(place) == words[word][:2]]
        assert len(found) == 1, word
        assert ("(in code)" if kind == "code" else "(in a figure)") in found[0]


EVERY_WORD = """([page, words]) => words.filter(word => {
    const asked = Search._parseQuery(word);
    return asked[1].size && !Search._performSearch(...asked).some(line => line[0] === page);
})"""


@pytest.mark.parametrize("name", ["chapters/attention", "chapters/own-data", "chapters/references"])
def test_every_word_of_a_page_finds_it(search, site, name):
    search("words")
    words = sorted({word for word in said(site / f"{name}.html") if len(word) > 1 and re.search(r"[^\W\d_]", word)})
    assert len(words) > 300
    assert search.page.evaluate(EVERY_WORD, [name, words]) == []


@pytest.mark.parametrize("query, page, place", [
    ("leave last out", "chapters/own-data", "choose-by-a-fair-test"),           # the words of a name, one by one
    ("rb.leave_last_out", "chapters/own-data", "choose-by-a-fair-test"),
    ("Jarvelin", "chapters/references", ""),                                    # an accent that was not typed
    ("causal mask", "chapters/attention", "the-mathematics"),
])
def test_what_people_type(search, query, page, place):
    assert (page, place) in [line[1:] for line in search(query)]


@pytest.mark.parametrize("query, least, most", [
    ("constructor", 1, 99), ("__proto__", 0, 0), ("zqxv", 0, 0), ('% "<b>', 0, 999),
])
def test_a_search_ends_whatever_is_asked(search, query, least, most):
    assert least <= len(search(query)) <= most                                  # and without an error


def test_a_line_leads_to_the_fold_that_holds_the_word(search, site):
    words, folded = words_by_place(site)["code"], {}
    for word, (name, place, code) in sorted(words.items()):
        for fold in ("details", "solution", "sd-tab-content"):
            if place and (code.find_parent("details") if fold == "details" else code.find_parent(class_=fold)):
                folded.setdefault(fold, (word, name, place))
    assert {"details", "solution"} <= set(folded)
    for word, name, place in folded.values():
        search(word)
        search.page.locator(f"#search-results a[href='{name}.html#{place}']").click()
        search.page.locator(".highlighted >> visible=true").first.wait_for()
