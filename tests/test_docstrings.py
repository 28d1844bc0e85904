"""Every public name stands on the page of all names, says what it takes and raises, and shows how it is used."""

import ast
import doctest
import inspect
import pydoc
import re
import textwrap
from pathlib import Path

import pytest

import recbook as rb
from recbook.settings import SETTINGS

PAGE = (Path(__file__).parents[1] / "chapters" / "api.md").read_text()
ENTRIES = re.findall(r"^\.\. (?:auto\w+:: recbook\.|data:: )(\w+)\b(?!\.)", PAGE, flags=re.M)
OVERVIEW = re.findall(r"`(\w+)`", PAGE.partition(".. currentmodule:: recbook")[2].partition("```")[0])
NEEDS = {"ContentProfile": "sklearn", "ShopEnv": "gymnasium", "ShopFront": "faiss", "Weighted": "sklearn",
         "export": "onnxscript", "from_parquet": "pyarrow", "lists": "pyarrow", "tune": "optuna", "Tuning": "optuna"}
ERRORS = {"DataError", "ModelError", "UnknownName"}


def documentation(name):
    """What is said of it: its own docstring, or, of what has none, what stands on the page."""
    value = getattr(rb, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        return inspect.cleandoc(value.__doc__ or "")                    # of a class, never that of the one above it
    return re.search(rf"^\.\. data:: {name}\n(.*?)^```", PAGE, flags=re.M | re.S)[1].replace("\n   ", "\n")


def sections(text):
    """The names that stand in each section of a docstring: {title: {name, ...}}."""
    parts = re.split(r"^(\w+)\n-+\n", text, flags=re.M)[1:]
    return {title: {name.strip(" *") for line in re.findall(r"^\S.*", body, flags=re.M)
                    for name in line.partition(" : ")[0].split(",")}
            for title, body in zip(parts[::2], parts[1::2])}


def parameters(value):
    """The names of what it takes, where that is this package's to say."""
    made_by = value.__init__ if inspect.isclass(value) else value
    if not str(getattr(made_by, "__module__", "")).startswith("recbook"):
        return set()
    return set(inspect.signature(made_by).parameters) - {"self"}


def raised(value, seen):
    """The errors that it raises, itself or through what it calls in its own module."""
    if value in seen:
        return set()
    seen.add(value)
    tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
    found = {node.exc.func.id for node in ast.walk(tree) if isinstance(node, ast.Raise)
             and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)}
    module = inspect.getmodule(value)
    calls = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    for called in (getattr(module, name, None) for name in calls):
        if inspect.isfunction(called) and called.__module__ == module.__name__:
            found |= raised(called, seen)
    return found & ERRORS


@pytest.fixture(scope="module")
def names():
    """What the examples may use: what the page makes at its beginning."""
    found = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, flags=re.S)[1], found)
    return found


@pytest.mark.parametrize("name", rb.__all__)
def test_a_name_is_explained_on_the_page(name):
    assert ENTRIES.count(name) == 1
    value, told = getattr(rb, name), sections(documentation(name))
    if isinstance(value, dict):
        return
    assert "Example" in told
    missing = parameters(value) - told.get("Parameters", set()) - told.get("Attributes", set())
    assert missing == set(), "parameters that nothing is said of"
    raises = raised(value, set())
    if inspect.isclass(value) and issubclass(value, rb.Recommender) and parameters(value) & set(SETTINGS):
        raises.add("ModelError")                                        # its settings are checked where it is built
    assert raises - told.get("Raises", set()) == set(), "errors that nothing is said of"


def test_the_page_begins_with_all_names_in_their_order():
    assert OVERVIEW == ENTRIES
    assert set(ENTRIES) == set(rb.__all__)


@pytest.mark.parametrize("name", rb.__all__)
def test_its_example_runs(name, names, tmp_path, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    rb.seed_everything(0)
    example = doctest.DocTestParser().get_doctest(documentation(name), names, name, None, 0)
    assert 1 <= len(example.examples) <= 6
    said = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert said == []


@pytest.mark.parametrize("model", ["SASRec", "EASE", "Recommender"])
def test_help_shows_what_is_ours_before_what_is_pytorchs(model):
    text = pydoc.plain(pydoc.render_doc(getattr(rb, model)))
    ours = re.finditer(r"(defined here|inherited from recbook\.[\w.]+):$", text, flags=re.M)
    first_of_torch = text.index("inherited from torch.")
    assert max(match.start() for match in ours) < first_of_torch
    assert "Initialize internal Module state" not in text[:first_of_torch]          # what PyTorch says of its own
