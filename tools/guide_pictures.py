"""The pictures of the instructor's guide: a student's notebook in JupyterLab, and a page of feedback.

    python tools/guide_pictures.py        writes chapters/figures/student.png and feedback.png
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FIGURES = ROOT / "chapters" / "figures"
NAME = "measuring"
MISTAKE = """def rank(scores, target):
    right = scores[np.arange(len(scores)), target][:, None]
    return 1 + (scores > right).sum(1)
"""


def serve(folder):
    """A JupyterLab on a free port: (process, address)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", f"--port={port}", "--IdentityProvider.token=",
               "--allow-root", "--LabApp.news_url=None"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(60):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/lab")
            return process, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(1)
    process.kill()
    sys.exit("JupyterLab did not start.")


def save(page, name):
    path = FIGURES / f"{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(path, optimize=True)
    print(path, path.stat().st_size // 1024, "kB")


def main():
    from assignments.course import Course

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        course = Course(Path(folder, "course"))
        course.release([NAME])
        released = course.folder / "release" / NAME / f"{NAME}.ipynb"
        notebook = nbformat.read(released, as_version=4)
        next(cell for cell in notebook.cells if cell.source.startswith("def rank")).source = MISTAKE
        handed_in = Path(folder, "in", "ann", NAME)
        handed_in.mkdir(parents=True)
        nbformat.write(notebook, handed_in / f"{NAME}.ipynb")
        course.grade(Path(folder, "in"))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 740}, device_scale_factor=1.5)
        page.goto((course.folder / "feedback" / "ann" / NAME / f"{NAME}.html").as_uri())
        page.get_by_text("Hidden tests: failed").first.scroll_into_view_if_needed()
        page.get_by_role("heading", name="on which place?").evaluate("heading => heading.scrollIntoView()")
        page.wait_for_timeout(2000)
        save(page, "feedback")
        process, address = serve(handed_in.parent.parent)
        try:
            page.goto(f"{address}/doc/tree/ann/{NAME}/{NAME}.ipynb?reset")
            heading = page.locator(".jp-RenderedHTMLCommon h2", has_text="on which place?")
            heading.wait_for(timeout=60_000)
            heading.scroll_into_view_if_needed()
            heading.evaluate("heading => heading.scrollIntoView()")
            page.wait_for_timeout(4000)
            page.add_style_tag(content=".Toastify { display: none }")           # JupyterLab's question about news
            save(page, "student")
        finally:
            process.kill()
        browser.close()


if __name__ == "__main__":
    main()
