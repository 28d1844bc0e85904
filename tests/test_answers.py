"""Mistakes that students make lose points, and unusual answers that are right lose none."""

import importlib

import pytest

pytest.importorskip("nbgrader", reason="assignments need the extra `assignments`")

from assignments import sandbox  # noqa: E402
from assignments.course import NAMES  # noqa: E402
from tests.answers import cell, graded, run, source, tasks  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(900),
              pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))]


@pytest.mark.parametrize("name", NAMES)
def test_mistakes_lose_points_and_unusual_answers_do_not(name):
    answers = importlib.import_module(f"tests.answers.{name}").ANSWERS
    assert set(answers) == set(tasks(name))
    assert all(len(of["wrong"]) >= 3 and of["right"] for of in answers.values())
    full = {test: float(cell(source(name), test).metadata.nbgrader.points)   # the reference gets them: test_assignments.py
            for tests in tasks(name).values() for test in tests}
    for number in range(max(len(of["wrong"]) for of in answers.values())):
        handed_in = {task: of["wrong"][number] for task, of in answers.items() if number < len(of["wrong"])}
        found = graded(name, handed_in)
        for task, tests in tasks(name).items():
            lost = sum(full[test] - found[test] for test in tests)
            if task in handed_in:
                assert lost > 0, f"{name}, {task}: nothing lost by {handed_in[task]}"
    for number in range(max(len(of["right"]) for of in answers.values())):
        unusual = {task: of["right"][number] for task, of in answers.items() if number < len(of["right"])}
        assert graded(name, unusual) == full


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_right_with_another_seed(name):
    """As the guide promises to instructors who change it."""
    notebook = source(name)
    setup = cell(notebook, "setup")
    line = next(line for line in setup.source.splitlines() if line.startswith("SEED = "))
    setup.source = setup.source.replace(line, "SEED = 7")
    found = run(notebook)
    assert found == {test: float(cell(notebook, test).metadata.nbgrader.points) for test in found}
