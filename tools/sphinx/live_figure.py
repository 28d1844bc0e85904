"""A live figure on a page: `:::{live} NAME`, the static frame as a picture, then the caption.

    :::{live} lens
    ![What the frame shows, for those who do not see it](figures/live-lens.svg)

    **Take the last event out.** What to try first; `[what it shows.]{.claim}`
    :::

The frame is what is printed, what stands without JavaScript, and what a notebook shows. `_static/live.js` loads the
figure's program and data, `_static/live/NAME.js` and `NAME.data.js`, when it comes near the screen.
"""

from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

log = logging.getLogger(__name__)


class Live(nodes.Element):
    """The whole figure; `name` is its own."""


class Frame(nodes.Element):
    """What is seen where nothing moves."""


class Caption(nodes.Element):
    """What to try first, and what it shows."""


class LiveDirective(SphinxDirective):
    required_arguments = 1
    has_content = True

    def run(self):
        name = self.arguments[0]
        for file in (f"{name}.js", f"{name}.data.js"):
            if not (Path(self.env.srcdir) / "_static" / "live" / file).is_file():
                raise self.error(f"There is no live figure {name!r}: _static/live/{file} is missing (`make live`).")
        parsed = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        children = list(parsed.children)
        if len(children) < 2 or not list(children[0].findall(nodes.image)):
            raise self.error(f"The live figure {name!r} needs its static frame, a picture, and a caption.")
        figure, frame, caption = Live(name=name), Frame(), Caption()
        frame += list(children[0].findall(nodes.image))
        caption += children[1:]
        figure += [frame, caption]
        return [figure]


def visit_figure(self, node):
    self.body.append(f'<figure class="live" data-live="{escape(node["name"])}">\n')


def depart_figure(self, node):
    self.body.append("</figure>\n")


def visit_frame(self, node):
    self.body.append('<div class="live-frame">')


def depart_frame(self, node):
    self.body.append('</div><div class="live-stage" hidden></div>\n')


def visit_caption(self, node):
    self.body.append("<figcaption>")


def depart_caption(self, node):
    self.body.append("</figcaption>\n")


def only_when_near(app, config):
    """Jupyter Book puts every script below `_static` on every page; those of the figures are loaded by `live.js`."""
    config.html_js_files = [file for file in config.html_js_files
                            if not (file if isinstance(file, str) else file[0]).startswith("live/")]


def setup(app):
    app.add_directive("live", LiveDirective)
    app.add_node(Live, html=(visit_figure, depart_figure))
    app.add_node(Frame, html=(visit_frame, depart_frame))
    app.add_node(Caption, html=(visit_caption, depart_caption))
    app.connect("config-inited", only_when_near)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
