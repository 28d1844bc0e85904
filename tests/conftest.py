"""The built site, for every test that looks at it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock

try:
    import tenseal  # noqa: F401  before any test loads TensorFlow: the other way round it crashes
except ImportError:
    pass

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("_config.yml", "_toc.yml", "chapters/*.*", "chapters/figures/*", "_static/*", "_static/live/*",
           "tools/sphinx/*.*", "recbook/**/*.py")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
hypothesis.settings.register_profile("without a clock", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("without a clock")


def pytest_collection_modifyitems(items):
    """The notebook that starts Spark is skipped where there is no Java, in one visible line, unless it must not be."""
    if os.environ.get("RECBOOK_NEEDS_JAVA") != "1" and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        for item in items:
            if item.path.name == "many-machines.ipynb":
                item.add_marker(pytest.mark.skip(reason="Spark needs Java, and there is none on this machine"))


def is_fresh(built):
    """Whether the site was built after all that it is made from."""
    changed = max(path.stat().st_mtime for pattern in SOURCES for path in ROOT.glob(pattern))
    return (built / "index.html").exists() and (built / "searchindex.js").stat().st_mtime > changed


@pytest.fixture(scope="session")
def site():
    """The folder of the site's pages, built as `make book` does unless it is up to date."""
    built = ROOT / "_build" / "html"
    built.parent.mkdir(exist_ok=True)
    with FileLock(built.parent / "building.lock"):                      # one worker builds, the others wait
        if not is_fresh(built):
            program = Path(sys.executable).parent / "jupyter-book"
            command = [program, "build", ".", "-W", "-n", "--keep-going", "-q"]
            environment = os.environ | {"NO_COLOR": "1"}
            run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
            assert run.returncode == 0, run.stdout + run.stderr
            (built / "searchindex.js").touch()
    return built


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, one for all tests: a process can drive only one."""
    if BROWSER is None and os.environ.get("RECBOOK_NEEDS_BROWSER") != "1":
        pytest.skip("no chromium or google-chrome here: no page is looked at")
    from playwright.sync_api import sync_playwright

    assert BROWSER, "RECBOOK_NEEDS_BROWSER=1, but neither chromium nor google-chrome is installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
