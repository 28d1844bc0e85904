"""The examples of `recbook.privacy` run, and every name of it stands on the page of all names."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

import recbook as rb
from recbook import privacy

PAGE = (Path(__file__).parents[2] / "chapters" / "api.md").read_text()
NEEDS = {"Catalogue": "tenseal", "Customer": "tenseal", "epsilon_of": "opacus", "noise_for": "opacus", "fit_privately": "opacus",
         "PrivateEASE": "opacus", "PrivatePopularity": "opacus"}


@pytest.fixture(scope="module")
def names():
    found = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, flags=re.S)[1] + "\nimport numpy as np", found)
    return found


@pytest.mark.parametrize("name", privacy.__all__)
def test_an_example_runs(name, names, tmp_path, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    rb.seed_everything(0)
    text = inspect.cleandoc(getattr(privacy, name).__doc__)
    assert len(re.findall(rf"^\.\. auto\w+:: recbook\.privacy\.{name}$", PAGE, flags=re.M)) == 1
    example = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    assert example.examples or name in ("Spent", "Travelled")           # what others give back
    said = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert said == []
