"""Questions at the end of each chapter, their answers folded, and some of them once more two chapters later.

They are written in chapters/recall.yml, which says what belongs to a question. A chapter is a page of _toc.yml outside
the part *Teaching*. Their section is put before the exercises, or before *Further reading*, or at the end, while the
page is read: the chapter's own file does not know of it.
"""

import json
import re
from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LATER = 2                                                   # chapters between a question and its return
NO_CHAPTERS = {"Teaching"}                                  # parts of the table of contents
BEFORE = re.compile(r"^(?:\([\w-]+\)=\n)?## (?:Exercises|Further reading)\s*$", re.M)
log = logging.getLogger(__name__)

HERE = """## Questions to ask yourself

Answer each before you unfold it.

```{recall}
```

"""
AGAIN = """{level} Do you still know …

From {{doc}}`/{page}`, two chapters back:

```{{recall}} {page}
```

"""


@cache
def read(path, changed):
    return yaml.safe_load(Path(path).read_text())


def questions(root):
    """{name of a chapter: its questions}"""
    file = Path(root) / "chapters" / "recall.yml"
    return read(file, file.stat().st_mtime)


def chapters(table):
    """Pages in the order in which they are read, from the table of contents."""
    parts = [part for part in table["parts"] if part["caption"] not in NO_CHAPTERS]
    return [entry["file"] for part in parts for entry in part["chapters"]]


def section(page, order, asked):
    """What is put on a page, or nothing: its own questions, and those of the page two chapters before."""
    text = HERE if page.rpartition("/")[2] in asked else ""
    place = order.index(page)
    earlier = order[place - LATER] if place >= LATER else ""
    if any(question.get("again") for question in asked.get(earlier.rpartition("/")[2], [])):
        text += AGAIN.format(level="###" if text else "##", page=earlier)
    return text


def put_in(text, more):
    """The text of a page with more before its exercises."""
    found = BEFORE.search(text)
    place = found.start() if found else len(text)
    return f"{text[:place].rstrip()}\n\n{more}{text[place:]}".lstrip()


def insert(app, page, source):
    table = Path(app.srcdir) / app.config.external_toc_path
    order = chapters(read(table, table.stat().st_mtime))
    if page not in order:
        return
    app.env.note_dependency(str(table))
    app.env.note_dependency(str(Path(app.srcdir) / "chapters" / "recall.yml"))
    more = section(page, order, questions(app.srcdir))
    if not more:
        return
    if not source[0].lstrip().startswith("{"):
        source[0] = put_in(source[0], more)
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and BEFORE.search(text):
            cell["source"] = put_in(text, more)
            break
    else:
        notebook["cells"].append({"cell_type": "markdown", "id": "recall", "metadata": {}, "source": more})
    source[0] = json.dumps(notebook)


class Question(nodes.Element):
    """A fold: the `Ask` is always seen, what follows it is the answer."""


class Ask(nodes.Part, nodes.TextElement):
    """The question, a line of text."""


class Where(nodes.Element):
    """The section that answers it: `page` and `title`; a link, once all pages have been read."""


class Recall(SphinxDirective):
    """The questions of this page, or those of another that are asked again."""

    optional_arguments = 1

    def run(self):
        page = self.arguments[0] if self.arguments else self.env.docname
        asked = questions(self.env.srcdir)[page.rpartition("/")[2]]
        return [self.question(page, question) for question in asked if not self.arguments or question.get("again")]

    def question(self, page, question):
        fold, ask = Question(again=bool(self.arguments)), Ask()
        for paragraph in self.parsed(question["ask"]):
            ask += paragraph.children
        fold += ask
        fold += self.parsed(question["answer"])
        fold += Where(page=page, title=question["section"])
        return fold

    def parsed(self, text):
        box = nodes.Element()
        self.state.nested_parse(StringList([text.strip()], source="chapters/recall.yml"), self.content_offset, box)
        return box.children


def link(app, doctree, page):
    """Every answer leads to its section."""
    for where in list(doctree.findall(Where)):
        other, title = where["page"], where["title"]
        entries = app.env.tocs[other].findall(nodes.reference)
        found = [entry["anchorname"] for entry in entries if entry.astext() == title]
        if len(found) != 1:
            log.warning("chapters/recall.yml: %s has %d sections %r", other, len(found), title, location=page)
        address = app.builder.get_relative_uri(page, other) if other != page else ""
        name = title if other == page else f"{app.env.titles[other].astext()}: {title}"
        target = nodes.reference("", name, refuri=address + "".join(found[:1]), internal=True)
        where.replace_self(nodes.paragraph("", "", nodes.Text("In "), target, nodes.Text("."), classes=["where"]))


def open_fold(self, node):
    self.body.append(f'<details class="recall{" again" if node["again"] else ""}">')


def close_fold(self, node):
    self.body.append("</details>\n")


def setup(app):
    app.add_directive("recall", Recall)
    app.add_node(Question, html=(open_fold, close_fold))
    app.add_node(Ask, html=(lambda self, node: self.body.append("<summary>"),
                            lambda self, node: self.body.append("</summary>\n")))
    app.add_node(Where)
    app.connect("source-read", insert)
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
