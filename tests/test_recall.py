"""Questions at the end of the chapters: every chapter has some, and the page says what their answers say."""

import re
import runpy
from functools import cache
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
RECALL = runpy.run_path(str(ROOT / "tools" / "sphinx" / "recall.py"))
ORDER = RECALL["chapters"](yaml.safe_load((ROOT / "_toc.yml").read_text()))
ASKED = yaml.safe_load((ROOT / "chapters" / "recall.yml").read_text())
LATER = RECALL["LATER"]

LONG_WORD, NUMBER = re.compile(r"[^\W\d_]{4,}"), re.compile(r"\d*\.?\d+")


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


# ---------------------------------------------------------------------------------------------- on the built pages


@cache
def soup(file):
    return BeautifulSoup(file.read_text(), "html.parser")


def text(node):
    return " ".join(node.get_text(" ").split())


def roots(words):
    """Words of four letters and more by their first letters: `leaves` is `leave`, `trained` is `training`."""
    return {word.lower()[:max(4, len(word) - 3)][:6] for word in LONG_WORD.findall(words)}


def shown(page, folder):
    """[(fold, the section that it leads to)]"""
    file = folder / f"{page}.html"
    for fold in soup(file).select("article details.recall"):
        address, _, place = fold.select_one(".where a")["href"].partition("#")
        yield fold, soup((file.parent / address).resolve() if address else file).find(id=place)


@pytest.mark.parametrize("page", ORDER)
def test_each_question_is_folded_and_leads_to_the_section_that_answers_it(page, site):
    place = ORDER.index(page)
    earlier = ASKED[name(ORDER[place - LATER])] if place >= LATER else []
    expected = ASKED[name(page)] + [question for question in earlier if question.get("again")]
    folds = list(shown(page, site))
    assert len(folds) == len(expected)
    for (fold, section), question in zip(folds, expected):
        assert not fold.has_attr("open") and [child.name for child in fold.find_all(recursive=False)][0] == "summary"
        heading = section.find(re.compile("^h[1-6]$"), recursive=False)
        assert text(heading).removesuffix("#").strip() == question["section"]
    returning = [bool(fold.find_parent(id=re.compile("^do-you-still-know"))) for fold, _ in folds]
    assert returning == [False] * len(ASKED[name(page)]) + [True] * (len(expected) - len(ASKED[name(page)]))


@pytest.mark.parametrize("page", ORDER)
def test_an_answer_says_what_its_section_says(page, site):
    """Every number of an answer stands in the section that it names, and so do three in four of its words."""
    for fold, section in shown(page, site):
        paragraphs = fold.select("p:not(.where)")
        answer, there = " ".join(map(text, paragraphs)), text(section)
        assert set(NUMBER.findall(answer)) <= set(NUMBER.findall(there)), answer
        words = roots(answer)
        assert len(words & roots(there)) >= .75 * len(words), (answer, words - roots(there))
