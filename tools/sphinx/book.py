"""What the site needs and Jupyter Book does not do: formulas without a network, no dead buttons, no dead scripts."""

import shutil
from importlib.util import find_spec
from pathlib import Path


def copy_mathjax(app, problem):
    """MathJax comes from a package at build time; only the parts that a page can load are copied (or 30 MB)."""
    if problem is not None or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions"):
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)


def no_dead_buttons(app, config):
    """Launch buttons need the repository's address: the setting `repository.url` of _config.yml."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options["launch_buttons"] = {}


def no_dead_scripts(app, page, template, context, doctree):
    """Thebe would run cells on somebody's server. No button here starts it; its script, put in twice, is an error."""
    context["script_files"] = [script for script in context["script_files"]
                               if "thebe" not in f"{script.filename} {script.attributes.get('body')}".lower()]


def setup(app):
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("config-inited", no_dead_buttons)
    app.connect("html-page-context", no_dead_scripts, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
