"""Questions at the end of the chapters: every chapter has some. That pages say what answers say is in test_site.py."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
RECALL = runpy.run_path(str(ROOT / "tools" / "sphinx" / "recall.py"))
ORDER = RECALL["chapters"](yaml.safe_load((ROOT / "_toc.yml").read_text()))
ASKED = yaml.safe_load((ROOT / "chapters" / "recall.yml").read_text())
LATER = RECALL["LATER"]


def name(page):
    return page.rpartition("/")[2]


def test_every_chapter_has_questions_and_no_other_page_has():
    assert list(ASKED) == [name(page) for page in ORDER]                # in the order of the table of contents


@pytest.mark.parametrize("chapter", ASKED)
def test_a_chapter_has_three_to_five_and_one_or_two_return(chapter):
    questions = ASKED[chapter]
    assert 3 <= len(questions) <= 5
    returning = sum(question.get("again", False) for question in questions)
    last = [name(page) for page in ORDER[-LATER:]]
    assert 1 <= returning <= 2 or chapter in last and returning == 0    # two pages on there is no page
    for question in questions:
        assert set(question) - {"again"} == {"ask", "answer", "section"}
        assert re.search(r"\?\W*$", question["ask"]) and len(question["ask"].split()) <= 35
        assert 8 <= len(question["answer"].split()) <= 60


def test_questions_return_two_chapters_later():
    order, asked = ["chapters/a", "chapters/b", "chapters/c"], {"a": [{"again": True}], "b": [{}], "c": [{}]}
    assert "{recall} chapters/a" in RECALL["section"]("chapters/c", order, asked)
    assert "Do you still know" not in RECALL["section"]("chapters/b", order, asked)
    assert RECALL["section"]("chapters/c", order, {"a": [{"again": True}]}).startswith("## Do you still know")
    assert RECALL["section"]("chapters/b", order, {}) == ""


@pytest.mark.parametrize("page, whole", [
    ("# A\n\nText.\n\n## Exercises\n\nOne.", "# A\n\nText.\n\nMORE\n\n## Exercises\n\nOne."),
    ("(place)=\n## Further reading\n\nOne.", "MORE\n\n(place)=\n## Further reading\n\nOne."),
    ("# A\n\nText on Exercises.\n", "# A\n\nText on Exercises.\n\nMORE\n\n"),
])
def test_they_stand_before_the_exercises_or_at_the_end(page, whole):
    assert RECALL["put_in"](page, "MORE\n\n") == whole
