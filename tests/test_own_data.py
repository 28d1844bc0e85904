"""The page of one's own log works as it stands: its lines are run, one block after the other, in an empty folder."""

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from recbook.cli import main

pytest.importorskip("pyarrow", reason="lists are Parquet: the extra `tables`")
PAGE = (Path(__file__).parents[1] / "chapters" / "own-data.md").read_text()
# A block of code, and what it prints where that is shown right below it.
BLOCK = re.compile(r"^(```|~~~)(python|sh)\n(.*?)^\1\n(?:\n```text\n(.*?)^```\n)?", flags=re.M | re.S)
BLOCKS = [match.groups()[1:] for match in BLOCK.finditer(PAGE)]
PYTHON = [(code, shown) for kind, code, shown in BLOCKS if kind == "python"]
SHELL = [code for kind, code, _ in BLOCKS if kind == "sh"]


def run(code, names):
    """What a block prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, names)
    return said.getvalue()


def differences(shown, printed):
    """The words that differ, and the numbers that differ by more than another machine's arithmetic."""
    words = list(zip(shown.split(), printed.split(), strict=True))
    number = re.compile(r"\(?(\d+\.\d+)\)?")
    return [(one, other) for one, other in words if one != other and not (
        number.fullmatch(one) and number.fullmatch(other)
        and abs(float(number.fullmatch(one)[1]) - float(number.fullmatch(other)[1])) < 0.05)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, in which the page's first block has made its files."""
    monkeypatch.chdir(tmp_path)
    run(PYTHON[0][0], {})
    return tmp_path


@pytest.mark.filterwarnings("ignore:GRU4Rec was trained before")
def test_its_python_runs_and_prints_what_is_shown(folder):
    for file in ("orders.csv", "orders-2.csv", "products.csv", "products-2.csv"):
        assert len((folder / file).read_text().splitlines()) > 50
    beginning = re.search(r"here is the beginning of `orders.csv`:\n\n```text\n(.*?)```", PAGE, flags=re.S)[1]
    assert (folder / "orders.csv").read_text().startswith(beginning)
    names = {}
    for code, shown in PYTHON[1:]:
        printed = run(code, names)
        assert shown is None or differences(shown, printed) == [], printed
    assert names["result"].better("GRU4Rec", than="counts")
    assert all(names["result"].better("counts", than=other) for other in ("popularity", "neighbours", "iALS"))
    assert len(names["tomorrow"].ids.items) > len(names["log"].ids.items)


@pytest.mark.filterwarnings("ignore:GRU4Rec was trained before")
def test_its_commands_run(folder):
    for line in "".join(SHELL).replace("\\\n", "").splitlines():
        program, *arguments = shlex.split(line)
        if program == "cp":
            shutil.copy(*arguments)
        else:
            assert program == "recbook" and main(arguments) == 0, line
