"""Encrypted scores are the scores; a server never gets a key; and whatever goes wrong gives an error and no list."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tenseal")

import tenseal

from recbook.errors import DataError
from recbook.privacy import encrypted
from recbook.privacy.encrypted import ITEMS, SLOTS, Catalogue, Customer, packed, unpacked

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def items():
    return RNG.normal(size=(ITEMS + 60, 6)) * 3                         # two blocks, the second not full


@pytest.fixture(scope="module")
def catalogue(items):
    return Catalogue(items, version="spring")


@pytest.fixture
def ana():
    return Customer(dim=6)


def test_scores_are_those_in_the_clear(items, catalogue, ana):
    for vector in (RNG.normal(size=6), np.eye(6)[2], 1e-9 * np.ones(6), -1e9 * np.arange(6)):
        scores = ana.read(catalogue.answer(ana.ask(vector)))
        assert scores.shape == (len(items),)
        largest = np.linalg.norm(vector) * np.linalg.norm(items, axis=1).max()
        assert np.abs(scores - items @ vector).max() < 1e-5 * largest


@pytest.mark.parametrize("n_items", [1, ITEMS - 1, ITEMS, ITEMS + 1])
def test_the_edges_of_a_block(n_items, ana):
    items = RNG.normal(size=(n_items, 6))
    vector = RNG.normal(size=6)
    scores = ana.read(Catalogue(items).answer(ana.ask(vector)))
    assert scores == pytest.approx(items @ vector, abs=1e-3)


def test_the_customer_sorts(ana):
    catalogue = Catalogue([[1.0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0]])
    assert ana.top(catalogue.answer(ana.ask([1, 0, 0, 0, 0, 0])), k=2).tolist() == [1, 2]


def test_items_of_zeros_have_scores_of_zero(ana):
    assert ana.read(Catalogue(np.zeros((3, 6))).answer(ana.ask(np.ones(6)))) == pytest.approx([0, 0, 0], abs=1e-4)


# ------------------------------------------------------------------------------------------------ what the server sees


def test_no_message_holds_a_key(catalogue, ana):
    question = ana.ask(np.ones(6))
    _, (parameters, *_) = unpacked(question, "question")
    context = tenseal.context_from(parameters)
    assert not context.has_secret_key() and not context.has_galois_keys()
    assert len(parameters) < 1000                                       # no key of any kind is so short
    with pytest.raises(ValueError, match="secret_key"):
        tenseal.ckks_vector_from(context, unpacked(question, "question")[1][1]).decrypt()


def test_a_question_says_nothing_of_the_vector(ana):
    """The same vector twice gives other bytes, and the size is the same for every vector, as far as compression goes."""
    questions = [ana.ask(vector) for vector in (np.ones(6), np.ones(6), np.eye(6)[0], 1e6 * RNG.normal(size=6))]
    parts = [unpacked(question, "question")[1][1:] for question in questions]
    assert all(one != other for one, other in zip(parts[0], parts[1]))
    sizes = [len(question) for question in questions]
    assert max(sizes) - min(sizes) < 0.01 * min(sizes)


def test_a_secret_key_is_refused(catalogue, ana, monkeypatch):
    monkeypatch.setattr(ana, "parameters", lambda: ana.context.serialize(save_secret_key=True))
    with pytest.raises(DataError, match="holds the secret key"):
        catalogue.answer(ana.ask(np.ones(6)))


# ------------------------------------------------------------------------------------------------ never a wrong list


@pytest.mark.parametrize("vector, said", [
    (np.ones(5), r"\(5,\), and \(6,\)"), (np.ones((1, 6)), r"\(1, 6\)"), (np.zeros(6), "not all 0"),
    (np.full(6, np.nan), "finite"), (np.full(6, np.inf), "finite")])
def test_what_cannot_be_asked(ana, vector, said):
    with pytest.raises(DataError, match=said):
        ana.ask(vector)
    assert not ana.open


def test_a_question_of_another_length(catalogue):
    with pytest.raises(DataError, match="has 5 numbers, the items have 6"):
        catalogue.answer(Customer(dim=5).ask(np.ones(5)))


@pytest.mark.parametrize("items", [np.ones(3), np.ones((0, 3)), np.ones((3, 0)), [[np.nan, 1.0]]])
def test_items_that_are_none(items):
    with pytest.raises(DataError, match="finite numbers is needed"):
        Catalogue(items)


def test_an_answer_to_somebody_else(catalogue, ana):
    answer = catalogue.answer(Customer(dim=6).ask(np.ones(6)))
    with pytest.raises(DataError, match="another key"):
        ana.read(answer)


def test_another_key_under_the_same_name_gives_no_list(catalogue, ana):
    """CKKS itself says nothing: it decrypts to other numbers."""
    ben = Customer(dim=6)
    answer = catalogue.answer(ana.ask(np.ones(6)))
    ben.name, ben.open = ana.name, ana.open
    with pytest.raises(DataError, match="known rows wrong"):
        ben.read(answer)
    assert np.isfinite(tenseal.ckks_vector_from(ben.context, unpacked(answer, "answer")[1][0]).decrypt()).all()


def test_an_answer_is_read_once(catalogue, ana):
    answer = catalogue.answer(ana.ask(np.ones(6)))
    ana.read(answer)
    with pytest.raises(DataError, match="no question that is open"):
        ana.read(answer)


def test_the_answer_to_another_question(catalogue, ana):
    """A mixture: the head of one and the scores of another."""
    first, second = ana.ask(np.ones(6)), ana.ask(np.arange(6.0))
    head, _ = unpacked(catalogue.answer(first), "answer")
    _, parts = unpacked(catalogue.answer(second), "answer")
    with pytest.raises(DataError, match="known rows wrong"):
        ana.read(packed({name: value for name, value in head.items() if name != "sizes"}, parts))


def test_nothing_more_can_be_computed_with_an_answer(catalogue, ana):
    question, parts = unpacked(ana.ask(np.ones(6)), "question")
    _, (scores, _) = unpacked(catalogue.answer(ana.ask(np.ones(6))), "answer")
    spent = packed({name: question[name] for name in ("kind", "key", "question", "dim")}, [parts[0], *[scores] * 6])
    with pytest.raises(DataError, match="Nothing can be computed with this question"):
        catalogue.answer(spent)


def test_numbers_too_large_give_no_list(items, catalogue, ana, monkeypatch):
    """A score beyond what the parameters hold wraps around, and CKKS says nothing."""
    vector = items[0] / np.linalg.norm(items[0])
    right = ana.read(catalogue.answer(ana.ask(vector)))
    catalogue = Catalogue(items)
    catalogue.columns = catalogue.columns * 1.0
    catalogue.columns[:, :, :ITEMS] *= 1000                             # as if it had not been brought to length 1
    answer = catalogue.answer(ana.ask(vector))
    slots = tenseal.ckks_vector_from(ana.context, unpacked(answer, "answer")[1][0]).decrypt()
    assert np.abs(np.array(slots[:60]) * catalogue.scale / 1000 - right[:60]).max() > 0.1
    with pytest.raises(DataError, match="known rows wrong"):
        ana.read(answer)


@pytest.mark.parametrize("way", ["question", "answer"])
def test_damage_on_the_way_gives_an_error_or_the_right_scores(items, catalogue, ana, way):
    rng = np.random.default_rng(1)
    found = {"error": 0, "right": 0}
    vector = np.arange(6.0)
    for place in rng.random(25):
        message = bytearray(ana.ask(vector) if way == "question" else catalogue.answer(ana.ask(vector)))
        message[int(place * len(message))] ^= 1 << int(rng.integers(8))
        try:
            scores = ana.read(catalogue.answer(bytes(message)) if way == "question" else bytes(message))
            assert scores == pytest.approx(items @ vector, abs=1e-2)
            found["right"] += 1
        except DataError as problem:
            assert "\n" not in str(problem)
            found["error"] += 1
    assert found["error"] > 20


def test_half_a_message(catalogue, ana):
    question = ana.ask(np.ones(6))
    answer = catalogue.answer(question)
    for length in (0, 5, len(encrypted.MARK) + 2, 100, len(question) // 2, len(question) - 1):
        with pytest.raises(DataError, match="not the whole of one"):
            catalogue.answer(question[:length])
    with pytest.raises(DataError, match="not the whole of one"):
        ana.read(answer[:-1])
    with pytest.raises(DataError, match="This is no answer"):
        ana.read(question)


@pytest.mark.parametrize("change", [{"items": 3 * ITEMS}, {"items": 0}, {"dim": 7}, {"items": "many"}, {"sizes": [1]}, {"sizes": None}])
def test_a_head_that_does_not_fit(catalogue, ana, change):
    answer = catalogue.answer(ana.ask(np.ones(6)))
    head, parts = unpacked(answer, "answer")
    text = json.dumps(head | change).encode()
    with pytest.raises(DataError):
        ana.read(b"".join([encrypted.MARK, struct.pack("<I", len(text)), text, *parts]))


def test_parameters_that_are_none(catalogue, ana, monkeypatch):
    monkeypatch.setattr(ana, "parameters", lambda: b"nonsense")
    with pytest.raises(DataError, match="cannot be read"):
        catalogue.answer(ana.ask(np.ones(6)))


def test_other_parameters_than_the_ciphertexts(catalogue, ana, monkeypatch):
    other = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[40, 30, 40])
    other.global_scale = 2.0**30
    monkeypatch.setattr(ana, "parameters", lambda: other.serialize(save_public_key=False, save_secret_key=False,
                                                                   save_galois_keys=False, save_relin_keys=False))
    with pytest.raises(DataError):
        ana.read(catalogue.answer(ana.ask(np.ones(6))))


def test_slots_are_filled(catalogue, ana):
    question, parts = unpacked(ana.ask(np.ones(6)), "question")
    short = tenseal.ckks_vector(ana.context, [1.0, 2.0]).serialize()
    with pytest.raises(DataError, match=f"fill {SLOTS} slots"):
        catalogue.answer(packed({name: question[name] for name in ("kind", "key", "question", "dim")}, [parts[0], *[short] * 6]))


def test_the_rest_of_the_package_does_without_tenseal_and_opacus():
    code = ("import sys\nsys.modules.update(tenseal=None, opacus=None)\nimport recbook.privacy\nrecbook.privacy.Counts\n"
            "try:\n    recbook.privacy.Customer\nexcept ImportError as problem:\n    print(problem)")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert run.stdout == 'recbook.privacy.encrypted needs TenSEAL: pip install "recbook[privacy]".\n', run.stderr


def test_after_tensorflow_it_says_so_and_does_not_crash():
    code = ("import sys, types\nsys.modules['tensorflow'] = types.ModuleType('tensorflow')\nimport recbook.privacy\n"
            "try:\n    recbook.privacy.Customer\nexcept ImportError as problem:\n    print(problem)")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert run.stdout == ("TenSEAL cannot be loaded after TensorFlow in one process: import recbook.privacy.encrypted first.\n"), run.stderr


def test_before_tensorflow_both_work():
    pytest.importorskip("tensorflow")
    code = ("import numpy as np\nimport recbook.privacy\nana = recbook.privacy.Customer(2)\nimport tensorflow as tf\n"
            "answer = recbook.privacy.Catalogue(np.eye(2)).answer(ana.ask([1.0, 2.0]))\n"
            "print(ana.read(answer).round(2), tf.constant([3.0]).numpy())")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert run.stdout == "[1. 2.] [3.]\n", run.stderr
