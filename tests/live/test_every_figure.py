"""What holds for every live figure: small, from disk, legible, usable with keys, still without JavaScript, and hard to break."""

import os
import re
import shutil
import subprocess

import live
import pytest

from tests.live.conftest import ROOT, WIDE

FIGURES = live.names()
MODULES = ROOT / "live" / "node_modules"


@pytest.fixture(scope="session")
def tools():
    """What npm installs for `live/`; where it is not and npm is missing, these tests skip, or fail if node is needed."""
    if not (MODULES / "esbuild").is_dir():
        if shutil.which("npm") is None and os.environ.get("RECBOOK_NEEDS_NODE") != "1":
            pytest.skip("no npm here: bundles are not built anew, and axe is not asked")
        subprocess.run(["npm", "--prefix", ROOT / "live", "ci", "--silent"], check=True)
    return MODULES


def test_bundles_are_what_the_sources_give(tools, tmp_path):
    subprocess.run(["node", ROOT / "live" / "build.mjs", "--out", tmp_path], check=True)
    for name in FIGURES:
        assert (tmp_path / f"{name}.js").read_bytes() == (live.FOLDER / f"{name}.js").read_bytes(), f"{name}: run `make live`"


def test_types_in_comments_hold(tools):
    run = subprocess.run(["npm", "--prefix", ROOT / "live", "run", "--silent", "types"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_light(name):
    assert sum((live.FOLDER / file).stat().st_size for file in (f"{name}.js", f"{name}.data.js")) < 300_000


@pytest.mark.parametrize("name", FIGURES)
def test_it_stands_on_a_page_with_a_frame_and_a_caption(name):
    """And every page that names a figure has one of that name."""
    pages = [path for path in (ROOT / "chapters" / "text").glob("*.md") if f":::{{live}} {name}\n" in path.read_text()]
    assert len(pages) == 1
    block = re.search(rf":::\{{live\}} {name}\n!\[(.+?)\]\((.+?)\).*?\n\n(.+?)\n:::", pages[0].read_text(), re.S)
    assert len(block[1].split()) >= 4 and (ROOT / "chapters" / block[2]).is_file() and len(block[3].split()) > 15


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", FIGURES)
def test_axe_finds_no_violation(open_live, tools, name, theme):
    """WCAG 2.2, levels A and AA."""
    page = open_live(name, theme=theme).page
    page.add_script_tag(path=tools / "axe-core" / "axe.min.js")
    found = page.evaluate("""() => axe.run('[data-live]', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})
        .then(result => result.violations.map(one => [one.id, one.nodes.slice(0, 3).map(node => node.html.slice(0, 200) + ' ' + node.failureSummary)]))""")
    assert found == []


@pytest.mark.parametrize("name", FIGURES)
def test_it_loads_when_it_comes_near_and_asks_the_network_nothing(open_live, name):
    opened = open_live(name, gap=4000, wait=False)
    opened.page.wait_for_timeout(300)
    assert not [address for address in opened.asked if "/live/" in address]
    opened.page.locator("[data-live]").scroll_into_view_if_needed()
    opened.page.locator("[data-live][data-state=live]").wait_for()
    assert all(address.startswith("file:") for address in opened.asked) and opened.errors == []
    assert not opened.page.locator(".live-frame").is_visible()


@pytest.mark.parametrize("name", FIGURES)
def test_without_javascript_the_frame_stands(open_live, name):
    page = open_live(name, wait=False, scripts=False).page
    assert page.locator(".live-frame").is_visible() and page.locator("figcaption").is_visible()
    assert not page.locator(".live-stage").is_visible()


@pytest.mark.parametrize("name", FIGURES)
def test_in_print_the_frame_stands(open_live, name):
    page = open_live(name).page
    page.emulate_media(media="print")
    assert page.locator(".live-frame").is_visible() and not page.locator(".live-stage").is_visible()


@pytest.mark.parametrize("name", FIGURES)
def test_a_phone_shows_all_of_it(open_live, name):
    page = open_live(name, narrow=True).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("text", ["nonsense", "%25%zz", "9".join("." * 400), "constructor"])
@pytest.mark.parametrize("name", FIGURES)
def test_a_bad_address_gives_a_clear_start(open_live, name, text):
    opened = open_live(name, hash=f"{name}={text}")
    assert "it starts anew" in opened.page.locator(".live-notice").inner_text() and opened.errors == []


@pytest.mark.parametrize("name", FIGURES)
def test_a_place_on_the_page_is_left_alone(open_live, name):
    opened = open_live(name, hash="check-3")
    opened.page.wait_for_timeout(400)
    assert opened.page.url.endswith("#check-3") and not opened.page.locator(".live-notice").is_visible()


@pytest.mark.parametrize("name", FIGURES)
def test_an_old_bundle_beside_new_data_is_refused_in_one_line(open_live, live_folder, tmp_path, name):
    folder = tmp_path / "site"
    shutil.copytree(live_folder, folder)
    data = folder / "_static" / "live" / f"{name}.data.js"
    data.write_text(data.read_text().replace('"version":"', '"version":"f', 1))
    page = open_live(name, folder=folder).page
    assert "different versions" in page.locator(".live-notice").inner_text() and page.locator(".live-frame").is_visible()


STORM = """async (clicks) => {
    const buttons = () => [...document.querySelectorAll('[data-live] button, [data-live] input, [data-live] select')];
    for (let n = 0; n < clicks; n++) {
        const all = buttons().filter(one => !one.disabled && one.checkVisibility());
        all[(n * 7919) % all.length].click();
    }
    dispatchEvent(new Event('resize'));
    await new Promise(done => setTimeout(done, 300));
}"""


@pytest.mark.parametrize("name", FIGURES)
def test_a_storm_of_clicks_and_a_resize(open_live, name):
    """Storage is refused, and the window changes its size."""
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('refused'); }});"
    opened = open_live(name, before=refuse)
    opened.page.evaluate(STORM, 60)
    opened.page.set_viewport_size({"width": 390, "height": 700})
    opened.page.evaluate(STORM, 20)
    opened.page.set_viewport_size(WIDE)
    assert opened.errors == [] and opened.page.locator("[data-live][data-state=live]").count() == 1


def test_two_figures_on_a_page_have_their_own_state(open_live):
    opened = open_live(*FIGURES[:2], FIGURES[0])
    page = opened.page
    assert page.locator("[data-state=live]").count() == 3 and opened.errors == []
    bad = open_live(FIGURES[0], FIGURES[0], hash=f"{FIGURES[0]}-2=nonsense").page
    assert [one.is_visible() for one in bad.locator(".live-notice").all()] == [False, True]


def test_the_tab_key_comes_through(open_live):
    """Tab visits each figure's stops in turn and leaves it again: no trap, and every stop shows where it is."""
    for name in FIGURES:
        page = open_live(name).page
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<button id=\"after\">after</button>')")
        stops = 0
        while page.evaluate("document.activeElement.id") != "after":
            page.keyboard.press("Tab")
            stops += 1
            assert stops < 40, name
        assert stops > 3, name
