"""The search's own index: what it takes from a page, and where it says that it stands."""

import runpy
from pathlib import Path

import pytest

FINDING = runpy.run_path(str(Path(__file__).resolve().parents[1] / "tools" / "sphinx" / "finding.py"))

PAGE = """<nav>menu</nav><article><section id="a"><h1>Seeing<a class="headerlink">#</a></h1><p>Prose <code>inline</code></p>
<section id="b"><h2>Deep &amp; wide</h2><pre><span>masked</span><span>_fill</span></pre>
<details><summary>Check</summary><pre>folded</pre></details>
<div class="cell_output"><pre>printed</pre><img alt="A curve rises" src="x.png"></div>
<section id="content"><p>exercise</p></section>
<figure><img src="d.svg" alt="Boxes"><figcaption>Caption</figcaption></figure>
<span class="math">\\(\\frac12\\)</span></section></section></article><footer>after</footer>"""


def test_what_a_page_holds_and_where(tmp_path):
    (tmp_path / "d.svg").write_text("<svg><title>no</title><text x='1'>arrow <tspan>head</tspan></text></svg>")
    places, found = FINDING["index"]([(PAGE, tmp_path)])
    kinds = FINDING["KINDS"]
    assert places == [(0, "", "Seeing"), (0, "#b", "Deep &amp; wide")]
    stands = {word: {(places[number // len(kinds)][1], kinds[number % len(kinds)]) for number in numbers}
              for word, numbers in found.items()}
    assert stands == {
        "see": {("", "title")}, "prose": {("", "text")}, "inlin": {("", "text")},
        "deep": {("#b", "title")}, "wide": {("#b", "title")}, "check": {("#b", "text")}, "exercis": {("#b", "text")},
        "masked_fil": {("#b", "code")}, "mask": {("#b", "code")}, "fill": {("#b", "code")}, "fold": {("#b", "code")},
        "print": {("#b", "output")}, "curv": {("#b", "figure")}, "rise": {("#b", "figure")}, "box": {("#b", "figure")},
        "caption": {("#b", "figure")}, "arrow": {("#b", "figure")}, "head": {("#b", "figure")},
    }


@pytest.mark.parametrize("text, words", [
    ("PureSVD", {"puresvd", "pure", "svd"}),
    ("rb.leave_last_out", {"rb", "leave_last_out", "leave", "last", "out"}),
    ("GRU4Rec", {"gru4rec", "gru", "rec"}),
    ("Järvelin", {"jarvelin"}),
    ("a 1 250 x 73_728 β", {"73_728", "β"}),
])
def test_words(text, words):
    assert FINDING["words"](text) == words


def test_places_are_packed_as_steps():
    assert FINDING["packed"]([110, 71, 70]) == "1y 1 13"
