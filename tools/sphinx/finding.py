"""A search that finds every word of a page, wherever it stands, and leads to its section.

Sphinx's own index knows pages, neither sections nor what a picture shows. This one is read off the built pages, so it holds what a
reader has before them: text, code (folded or not), what code printed, and for figures their captions, their
alternative texts and the words drawn in them. It is one file, which the page *Search* alone loads; `finding.js`, its
beginning, asks it. Opened from disk nothing can be fetched, and nothing is.
"""

import json
import re
import unicodedata
from html import escape
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString
from sphinx.search import IndexBuilder

KINDS = ("title", "text", "code", "output", "figure")
WORD = re.compile(r"\w+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")         # of a name: PureSVD, leave_last_out, GRU4Rec
NOT_READ = ".headerlink, script, style, .math, a.sign, button, nav"
OWN = Path(__file__).with_suffix(".js")


def words(text):
    """The words of a text, small and without accents; those of a name one by one as well."""
    found = set()
    text = unicodedata.normalize("NFD", text)
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    for word in WORD.findall(text):
        found |= {word, *PART.findall(word)} if "_" in word or not word.islower() else {word}
    return {word.lower() for word in found if len(word) > 1 and not word.replace("_", "").isdigit()}


def drawn(source):
    """The words in a drawing whose letters are letters."""
    return " ".join(re.findall(r"<t(?:ext|span)\b[^>]*>([^<]+)", source.read_text())) if source.suffix == ".svg" else ""


def pieces(page, folder):
    """[(section, kind, text)]; a section is its id and its title, the first one of a page is the page itself."""
    article = BeautifulSoup(page, "html.parser").article
    for node in article.select(NOT_READ):
        node.decompose()

    def walk(node, section, kind):
        if isinstance(node, NavigableString):
            yield section, kind, str(node)
            return
        if node.name == "section" and node.get("id") and node.find(re.compile("^h[1-6]$"), recursive=False):
            title = node.find(re.compile("^h[1-6]$"), recursive=False).get_text()
            section = ("" if section is None else "#" + node["id"], " ".join(title.split()))
        classes = set(node.get("class", ()))
        if node.name == "img":
            yield section, "figure", node.get("alt", "")
            yield section, "figure", drawn(folder / node["src"]) if node.get("src", "").endswith(".svg") else ""
        elif re.fullmatch("h[1-6]", node.name):
            kind = "title"
        elif node.name in ("figcaption", "caption"):
            kind = "figure"
        elif "cell_output" in classes:
            kind = "output"
        elif node.name == "pre" and kind == "text":
            kind = "code"
        if node.name == "pre":
            yield section, kind, node.get_text()            # a word may consist of several coloured pieces
            return
        for child in node.children:
            yield from walk(child, section, kind)

    yield from walk(article, None, "text")


def index(pages, stem):
    """(places, {stem of a word: its places}); a place is a page's number, an id and a title, and comes once a kind."""
    places, found = [], {}
    for number, (page, folder) in enumerate(pages):
        seen = {}
        for section, kind, text in pieces(page, folder):
            if section is None:
                continue
            if section not in seen:
                seen[section] = len(places)
                places.append((number, section[0], escape(section[1])))
            for word in words(text):
                found.setdefault(stem(word), set()).add(seen[section] * len(KINDS) + KINDS.index(kind))
    return places, found


def packed(numbers):
    """Sorted whole numbers as their steps, each in base 36: 70, 71, 110 become `1y 1 13`."""
    steps = [after - before for before, after in zip([0, *sorted(numbers)], sorted(numbers))]
    return " ".join(base36(step) for step in steps)


def base36(number):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return digits[number] if number < 36 else base36(number // 36) + digits[number % 36]


def write(app, problem):
    if problem is not None or app.builder.format != "html":
        return
    names = sorted(app.env.found_docs)
    files = [Path(app.builder.get_outfilename(name)) for name in names]
    stem = IndexBuilder(app.env, "en", {}, "").lang.stem
    places, found = index([(file.read_text(), file.parent) for file in files], stem)
    data = {"pages": names, "titles": [escape(app.env.titles[name].astext()) for name in names], "places": places,
            "words": {word: packed(numbers) for word, numbers in sorted(found.items())}}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    (Path(app.outdir) / "_static" / "finding.js").write_text(f"{OWN.read_text()}\nfinding({text});\n")


def only_there(app, page, template, context, doctree):
    if page == "search":
        app.add_js_file("finding.js", loading_method="defer")


def setup(app):
    app.connect("html-page-context", only_there)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
