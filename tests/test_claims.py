"""What a chapter shows is there because of a mechanism: take it out of the world, and that very claim fails.

And a control notices its rival: put the plain rival where the model was, and the control's assertion fails.
"""

import ast
import importlib
import json
from pathlib import Path

import jupytext
import pytest

from tests.forked import server
from tests.names import SHOWS, Statement, changes, imported, root, that_change

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
CASES = sorted(path.stem for path in (Path(__file__).parent / "claims").glob("[a-z]*.py"))

RUN = """
import json
held = {}
def holds(claim, value):
    held[claim] = held.get(claim, True) and bool(value)
space = {"__name__": "__main__", "holds": holds}
for statement in statements:
    exec(compile(statement, "chapter", "exec"), space)
print(json.dumps(held))
"""


@pytest.fixture(scope="module")
def run():
    with server(CHAPTERS) as run:
        yield run


def still_hold(run, chapter, claims, breakage):
    """Which of some claims hold when the chapter runs in a broken world."""
    statements = needed(cells_of(chapter), claims)
    done = run(f"{breakage}\nstatements = {statements!r}\n{RUN}")
    assert done.returncode == 0, done.stderr
    return [claim for claim, held in json.loads(done.stdout.splitlines()[-1]).items() if held]


def cells_of(chapter):
    text = jupytext.read(CHAPTERS / "text" / f"{chapter}.md")
    return [ast.parse(cell.source).body for cell in text.cells if cell.cell_type == "code"]


def needed(cells, claims):
    """The code that the assertions of some claims need, and these themselves, which tell `holds` in place of failing.

    A statement is kept if it gives or changes what a later one takes; with it the seeds of its cell.
    """
    trees = [tree for cell in cells for tree in cell]
    own, modules = that_change(trees), {name for tree in trees for name in imported(tree) if name.islower()}
    asking, waits, read = Asking(claims), {}, []
    for cell in cells:
        kept = ast.Module([tree for tree in cell if not only_shows(tree, tree is cell[-1], own)], [])
        read.append([Statement(tree, own, modules) for tree in ast.parse(ast.unparse(asking.visit(kept))).body])
        for statement in read[-1]:      # what a function takes is taken where it is called, or what was made with it
            later = statement.later.union(*(waits.get(name, ()) for name in statement.takes))
            statement.takes |= later
            for name in statement.gives:
                waits[name] = later | (set() if name in statement.settles else waits.get(name, set()))
    assert asking.found == set(claims), f"no assertion says {set(claims) - asking.found}"
    kept, wanted = [], set()
    for cell in reversed(read):
        found, before = backwards(cell, wanted)
        if any(statement.runs for statement in found):
            found, before = backwards(cell, wanted, seeds=True)
        kept, wanted = found + kept, before
    return [statement.code for statement in kept]


def backwards(cell, wanted, seeds=False):
    """The statements of a cell that are kept if some names are wanted after it, and the names wanted before it."""
    kept = []
    for statement in reversed(cell):
        if (statement.gives | statement.changes) & wanted or statement.asks or seeds and statement.seeds:
            wanted = wanted - statement.settles | statement.takes
            kept.insert(0, statement)
    return kept, wanted


class Asking(ast.NodeTransformer):
    """Assertions become calls of `holds`, one for each claim that a part of them states, and the others nothing."""

    def __init__(self, claims):
        self.claims, self.found = claims, set()

    def visit_Assert(self, node):
        both = isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.And)
        parts = [ast.unparse(part) for part in (node.test.values if both else [node.test])]
        stated = [(claim, part) for claim in self.claims for part in parts if claim in part]
        self.found |= {claim for claim, _ in stated}
        return [ast.parse(f"holds({claim!r}, {part})").body[0] for claim, part in stated] or ast.Pass()


def only_shows(tree, last, own):
    """Whether a statement is there for what it prints or draws."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return isinstance(tree, ast.Expr) and (
        isinstance(tree.value, ast.Call) and root(tree.value.func) in SHOWS
        or last and not any(changes(call, own) for call in calls))


def cases():
    for name in CASES:
        chapter, module = name.replace("_", "-"), importlib.import_module(f"tests.claims.{name}")
        for what, claims, breakage, *short in (*getattr(module, "TAKEN_OUT", ()), *getattr(module, "RIVALS", ())):
            claims = [claims] if isinstance(claims, str) else list(claims)
            yield pytest.param(chapter, claims, breakage, "".join(short), id=f"{chapter}: {what}")


@pytest.mark.parametrize("chapter, claims, breakage, short", list(cases()))
def test_a_claim_fails_without_its_cause_or_with_a_rival(run, chapter, claims, breakage, short):
    assert still_hold(run, chapter, claims, short + breakage) == []
    if short:
        assert still_hold(run, chapter, claims, short) == claims
