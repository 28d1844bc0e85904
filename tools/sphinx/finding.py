"""A search that finds every word of a page, wherever it stands, and leads to its section.

Sphinx's own index knows pages, neither sections nor what a picture shows. This one is read off the built pages, so it
holds what a reader has before them: text, code (folded or not), what code printed, and for figures their captions,
their alternative texts and the words drawn in them. It is one file, which the page *Search* alone loads; `finding.js`,
its beginning, asks it. Opened from disk nothing can be fetched, and nothing is. `found.js` is on every page, and opens
the fold that holds what was searched for.
"""

import json
import re
import unicodedata
from functools import cache
from html import escape
from html.parser import HTMLParser
from pathlib import Path

from sphinx.search.en import SearchEnglish

KINDS = ("title", "text", "code", "output", "figure")       # finding.js has them in the same order
WORD = re.compile(r"\w+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")         # of a name: PureSVD, leave_last_out, GRU4Rec
HEADING = re.compile("h[1-6]")
DRAWN = re.compile(r"<t(?:ext|span)\b[^>]*>([^<]+)")
NOT_READ = {"script", "style", "button", "nav", "headerlink", "math", "sign"}           # tags and classes
VOID = {"img", "br", "hr", "input", "col", "wbr", "source", "area", "base", "embed", "link", "meta", "track"}
ENGLISH = SearchEnglish({})
FOLDER = Path(__file__).parent


def words(text):
    """The words of a text, small and without accents; those of a name one by one as well. No numbers."""
    found = set()
    text = unicodedata.normalize("NFD", text)
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    for word in WORD.findall(text):
        found |= {word} if word.islower() and "_" not in word else {word, *PART.findall(word)}
    return {word.lower() for word in found if (len(word) > 1 or not word.isascii()) and not word.isdigit()}


class Section:
    def __init__(self, anchor):
        self.anchor, self.title = anchor, ""


class Frame:
    """An element that is open: where it stands, what its text is, and whether that is read at all."""

    def __init__(self, tag, anchor, above):
        self.tag, self.anchor = tag, anchor
        self.section, self.read = above and above.section, above and above.read
        self.kind = above.kind if above else "text"


class Reader(HTMLParser):
    """Reads a page's article into `found`: {(section, kind): pieces of text}. The first section is the page itself."""

    def __init__(self, page, folder):
        super().__init__()
        self.folder, self.frames, self.found = folder, [], {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        above = self.frames[-1] if self.frames else None
        if tag == "img" and above and above.read:
            self.keep(above, "figure", attributes.get("alt", ""), drawn(self.folder / attributes.get("src", "")))
        if tag in VOID:
            return
        frame = Frame(tag, attributes.get("id"), above)
        classes = {tag, *(attributes.get("class") or "").split()}
        if tag == "article":
            frame.read = True
        if classes & NOT_READ:
            frame.read = False
        if HEADING.fullmatch(tag) and frame.read:
            if above.tag == "section" and above.anchor:     # a section without a heading belongs to the one above it
                above.section = frame.section = Section("#" + above.anchor if self.found else "")
            frame.kind = "title"
        elif tag in ("figcaption", "caption"):
            frame.kind = "figure"
        elif "cell_output" in classes:
            frame.kind = "output"
        elif tag == "pre":
            frame.kind = "code" if frame.kind == "text" else frame.kind
            self.keep(frame, frame.kind, "")                # a space: what stood before it ends here
        self.frames.append(frame)

    def handle_data(self, text):
        frame = self.frames[-1] if self.frames else None
        if not frame or not frame.read:
            return
        self.keep(frame, frame.kind, text)
        if frame.kind == "title" and frame.section:
            frame.section.title += text

    def handle_endtag(self, tag):
        while tag in (frame.tag for frame in self.frames) and self.frames.pop().tag != tag:
            pass

    def keep(self, frame, kind, *texts):
        """A word of code may consist of several coloured pieces: they are joined as they stand."""
        if frame.section:
            between = "" if any(above.tag == "pre" for above in self.frames) else " "
            self.found.setdefault((frame.section, kind), []).extend(text + between for text in texts)


def drawn(picture):
    """The words in a drawing whose letters are letters."""
    return " ".join(DRAWN.findall(picture.read_text())) if picture.suffix == ".svg" and picture.is_file() else ""


@cache
def stem(word):
    """As the script of the search page cuts it."""
    return ENGLISH.stem(word) if len(word) > 2 else word


def index(pages):
    """From [(text of a page, its folder)]: (places, {stem of a word: its places}).

    A place is a section: the page's number, an id and a title; with a kind of text it is one number,
    place * len(KINDS) + kind.
    """
    places, found = [], {}
    for number, (page, folder) in enumerate(pages):
        numbers = {}
        for (section, kind), texts in Reader(page, folder).found.items():
            if section not in numbers:
                numbers[section] = len(places)
                places.append((number, section.anchor, escape(" ".join(section.title.split()))))
            for word in words("".join(texts)):
                found.setdefault(stem(word), set()).add(numbers[section] * len(KINDS) + KINDS.index(kind))
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
    places, found = index([(file.read_text(), file.parent) for file in files])
    data = {"pages": names, "titles": [escape(app.env.titles[name].astext()) for name in names], "places": places,
            "words": {word: packed(numbers) for word, numbers in sorted(found.items())}}
    asks = (FOLDER / "finding.js").read_text()
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    (Path(app.outdir) / "_static" / "finding.js").write_text(f"{asks}\nfinding({text});\n")


def scripts(app, page, template, context, doctree):
    if page == "search":
        app.add_js_file("finding.js", loading_method="defer")
    else:
        app.add_js_file(None, body=(FOLDER / "found.js").read_text())


def setup(app):
    app.connect("html-page-context", scripts)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
