"""A claim and its check: the sentence carries a small sign that leads to the folded cell which checks it.

In a chapter, `[a sentence]{.claim}` states a result and `[a sentence]{.cause}` names a cause. The next code cell is
tagged `check`; on the page it is folded, and its line says which control it holds: its comments `# control: ...`.
"""

import re
from html import escape

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

MARKS = {"claim", "cause"}
CONTROL = re.compile(r"^\s*# control: *(.+)$", re.M)
log = logging.getLogger(__name__)


class Check(nodes.Element):
    """A folded cell. `number` is its place on the page, `says` the line that is always seen."""


class Fold(SphinxTransform):
    """Folds each cell tagged `check` and gives every claim before it its sign."""

    default_priority = 950

    def apply(self, **kwargs):
        waiting, number = [], 0
        for node in list(self.document.findall(nodes.Element)):
            if isinstance(node, nodes.inline) and MARKS & set(node["classes"]):
                waiting.append(node)
            elif isinstance(node, nodes.container) and node.get("nb_element") == "cell_code":
                if "tag_check" in node["classes"]:
                    number += 1
                    controls = CONTROL.findall(node.astext())
                    check = Check(number=number, says="Check and control: " + "; ".join(controls) if controls else "Check")
                    check.extend(node.children)
                    node.children = []
                    node += check
                    for claim in waiting:
                        sign = (f'<a class="sign" href="#check-{number}" title="How this was checked" '
                                'aria-label="How this was checked">\u2713</a>')
                        claim += nodes.raw("", sign, format="html")
                elif waiting:
                    log.warning("A claim has no check: the next cell is not tagged `check`: %r", waiting[0].astext(),
                                location=waiting[0])
                waiting = []
        for claim in waiting:
            log.warning("A claim has no check: %r", claim.astext(), location=claim)


def visit(self, node):
    self.body.append(f'<details class="check"><summary>{escape(node["says"])}</summary>'
                     f'<div id="check-{node["number"]}">\n')          # a link to it opens the fold


def depart(self, node):
    self.body.append("</div></details>\n")


def setup(app):
    app.add_node(Check, html=(visit, depart))
    app.add_transform(Fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
