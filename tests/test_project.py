"""The project hangs together: imports run one way, versions agree, and nothing is tracked that should not be."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import jupytext
import pytest
import yaml
from bs4 import BeautifulSoup
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from recbook.data.catalog import SOURCES

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: [Requirement(line) for line in lines] for name, lines in PROJECT["optional-dependencies"].items()}
PYTHON = SpecifierSet(PROJECT["requires-python"])

# Who may import whom: a module may import from its own layer and from those below it, which are listed after it.
LAYERS = (
    ("chapters", "assignments", "experiments", "benchmarks"),
    ("recbook.__main__",),
    ("recbook.cli", "recbook"),                                         # `recbook` gives out the names of all below
    ("recbook.plots",),
    ("recbook.service",),
    ("recbook.serving", "recbook.offline", "recbook.exports", "recbook.tuning", "recbook.training", "recbook.evaluation",
     "recbook.results", "recbook.monitoring", "recbook.checkpoints", "recbook.metrics", "recbook.probes",
     "recbook.off_policy", "recbook.spark", "recbook.privacy"),
    ("recbook.policies", "recbook.bandits", "recbook.agents"),
    ("recbook.models", "recbook.keras"),
    ("recbook.decoding",),
    ("recbook.data",),
    ("recbook.settings", "recbook.errors"),
)
STRANGERS = {("recbook.models", "recbook.keras"), ("recbook.keras", "recbook.models")}


def part_of(module):
    """The entry of the table that a module belongs to, or None for other people's modules."""
    parts = [part for layer in LAYERS for part in layer if module == part or module.startswith(part + ".")]
    return max(parts, key=len, default=None)


def level(part):
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def imports(source, package=""):
    """Every module that a piece of code imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package.split(".")[:len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [above, node.module]))
            for alias in node.names:
                name = f"{module}.{alias.name}"
                yield name if is_module(name) else module


def wrong_way(importer, source, package=""):
    """The imports of a module that run up the table or between the two frameworks."""
    mine = part_of(importer)
    for module in imports(source, package):
        theirs = part_of(module)
        if theirs and (level(theirs) < level(mine) or (mine, theirs) in STRANGERS):
            yield f"{importer} imports {module}"


def modules():
    for path in sorted((ROOT / "recbook").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path, name.rpartition(".")[0]


def test_imports_run_one_way():
    found = [line for name, path, package in modules() for line in wrong_way(name, path.read_text(), package)]
    assert found == []


def test_every_module_has_its_place_in_the_table():
    """The rest of `recbook` falls to the package itself, which only its `__init__` may be."""
    assert [name for name, _, _ in modules() if part_of(name) == "recbook" and name != "recbook"] == []


@pytest.mark.parametrize("importer, source", [
    ("recbook.data.shop", "from recbook.models.base import best"),
    ("recbook.models.popularity", "def fit():\n    import recbook.training"),
    ("recbook.models.popularity", "from recbook import evaluation"),
    ("recbook.models.popularity", "import recbook as rb"),
    ("recbook.keras.base", "from ..models import base"),
    ("recbook.models.base", "from recbook import keras"),
    ("recbook.training", "from recbook import plots"),
    ("recbook.cli", "import experiments.ml_1m_ncf"),
])
def test_an_import_the_wrong_way_is_found(importer, source):
    assert len(list(wrong_way(importer, source, importer.rpartition(".")[0]))) == 1


def test_what_stands_on_the_package_does_not_stand_on_each_other():
    """Chapters, experiments and benchmarks import the package, and nothing of each other's."""
    code = {path: path.read_text()
            for folder in ("experiments", "benchmarks") for path in (ROOT / folder).rglob("*.py")}
    for path in (ROOT / "chapters" / "text").glob("*.md"):
        code[path] = "\n".join(cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code")
    assert len(code) > 2
    for path, source in code.items():
        tops = {name.partition(".")[0] for name in imports(source)} - {path.parent.name}
        assert not tops & {*LAYERS[0], "tests", "tools"}, path.name


@pytest.mark.parametrize("use", ["", "recbook.evaluate, recbook.fit, recbook.load, recbook.MODELS"])
def test_importing_recbook_pulls_in_neither_tensorflow_nor_a_plotting_library(use):
    code = f"import recbook, sys; {use or None}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    heavy = {"tensorflow", "keras", "matplotlib", "plotly", "seaborn"} | (set() if use else {"torch", "pandas"})
    assert not heavy & set(loaded.split())


def test_every_public_function_and_class_says_what_it_does():
    silent = []
    for name, path, _ in modules():
        tree = ast.parse(path.read_text())
        public = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                  and not node.name.startswith("_")]
        silent += [f"{name}.{node.name}" for node in public if not ast.get_docstring(node)]
        silent += [name] if not ast.get_docstring(tree) and path.name != "__main__.py" else []
    assert silent == []


# ------------------------------------------------------------------------------------------------ versions


PROMISES = {
    "keras": ("keras", "tensorflow"),
    "keras-gpu": ("tensorflow", "nvidia"),
    "book": ("gensim", "jupyter_book", "jupyterlab", "jupytext", "matplotlib", "sphinx_book_theme", "sphinx_exercise",
             "sphinx-mathjax-offline", "sphinx_proof", "sklearn", "PIL"),
    "assignments": ("nbgrader", "psutil"),
    "serving": ("faiss", "fastapi", "onnx", "onnxruntime", "onnxscript", "prometheus_client", "redis", "uvicorn"),
    "agents": ("gymnasium",),
    "tables": ("pyarrow",),
    "tune": ("optuna",),
    "spark": ("duckdb", "pyarrow", "pyspark"),
    "privacy": ("opacus", "tenseal"),
    "dev": ("duckdb", "httpx", "hypothesis", "ir_measures", "nbval", "playwright", "polars", "psutil", "pyarrow", "pytest",
            "pytest_timeout", "xdist", "sklearn"),
}


def test_the_promises_are_those_of_the_extras():
    assert set(PROMISES) == set(EXTRAS)


@pytest.mark.parametrize("extra", PROMISES)
def test_an_extra_imports_what_it_promises(extra):
    missing = [name for name in PROMISES[extra] if find_spec(name) is None]
    if extra == "keras-gpu" and missing:
        pytest.skip("the extra keras-gpu is for machines with a GPU")
    assert missing == []
    code = "; ".join(f"__import__({name!r})" for name in PROMISES[extra])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_conda_users_get_what_pyproject_asks_for():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (python,) = [line for line in environment["dependencies"] if isinstance(line, str) and line.startswith("python=")]
    assert PYTHON.contains(python.removeprefix("python="))
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert len(pip) == 1                                                # pyproject.toml has the rest
    assert set(re.fullmatch(r"-e \.\[(.*)\]", pip[0])[1].split(",")) == set(EXTRAS) - {"keras-gpu"}


def lock_lines():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_lock_pins_every_dependency_at_a_version_that_pyproject_allows():
    pinned = {}
    for line in lock_lines():
        requirement = Requirement(line)
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), line
        pinned.setdefault(canonicalize_name(requirement.name), requirement.specifier)
    wanted = [Requirement(line) for line in PROJECT["dependencies"]]
    wanted += [requirement for extra in EXTRAS.values() for requirement in extra]
    assert len(wanted) > 20
    for requirement in wanted:
        version = str(pinned[canonicalize_name(requirement.name)]).removeprefix("==")
        assert requirement.specifier.contains(version), f"{requirement} but the lock has {version}"


def test_the_lock_asks_for_no_newer_python_than_the_project():
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    needed = {canonicalize_name(one.metadata["Name"]): one.metadata["Requires-Python"] for one in distributions()}
    asked = {line: needed.get(canonicalize_name(Requirement(line).name)) for line in lock_lines()}
    assert sum(map(bool, asked.values())) > 100
    assert {line: python for line, python in asked.items() if not SpecifierSet(python or "").contains(oldest)} == {}


def test_the_lock_can_be_installed_anywhere():
    for line in lock_lines():
        assert not re.search(r"[@/\\]|://|^-", line), line              # no path, no address, no option
        assert "+" not in line, line                                    # no build that only one index has
    assert "torch==2.13.0" in lock_lines()


# ------------------------------------------------------------------------------------------------ what is tracked


@pytest.fixture(scope="module")
def tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says what is tracked")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).exists()]


def test_no_tracked_file_is_large(tracked):
    assert len(tracked) > 30
    assert [path.name for path in tracked if path.stat().st_size > 2_000_000] == []


def test_no_data_of_others_is_tracked(tracked):
    """Neither the files that `load` downloads, nor the archives, nor the usual names of what is in them."""
    licensed = {name for source in SOURCES for name in (f"{source.name}.zip", *source.downloads)}
    licensed |= {"ratings.dat", "movies.dat", "users.dat", "u.data", "u.item", "u.user", "ratings.csv", "movies.csv",
                 "user_artists.dat", "user_friends.dat"}
    kinds = (".zip", ".gz", ".inter", ".dat", ".parquet", ".npz", ".pkl")
    assert [path.name for path in tracked if path.name in licensed or path.suffix in kinds] == []


def test_no_tracked_file_holds_a_machines_path(tracked):
    """A home folder or this checkout's own place in a file would work on one machine only."""
    own = str(ROOT)
    here = re.compile(rf"{re.escape(own)}/|/(?:(?:home|Users)/[a-z]\w*|root)/".encode())
    texts = (".py", ".md", ".ipynb", ".json", ".yml", ".toml", ".lock")
    found = [path.name for path in tracked if path.suffix in texts and path != Path(__file__)
             and here.search(path.read_bytes())]
    assert found == []


# ---------------------------------------------------------------------------------------------- what a reader is told


def test_the_commands_of_the_readme_are_in_the_makefile():
    makefile, readme = (ROOT / "Makefile").read_text(), (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):(?!=)", makefile, flags=re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", readme, flags=re.M))
    assert {"book", "test", "execute", "lab", "clean"} <= named <= targets


def test_launch_buttons_are_there_if_and_only_if_the_repository_has_an_address(site):
    address = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    page = BeautifulSoup((site / "chapters" / "index.html").read_text(), "html.parser")
    buttons = page.select(".dropdown-launch-buttons, [href*='mybinder.org'], [href*='colab.research']")
    assert bool(buttons) == bool(address)


def test_nothing_is_pickled():
    """A pickle runs code when it is read. Weights are safetensors, reports arrays and JSON."""
    for folder in ("recbook", "experiments", "benchmarks", "assignments", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            tops = {name.partition(".")[0] for name in imports(path.read_text())}
            assert not {"pickle", "joblib", "shelve", "dill"} & tops, path
