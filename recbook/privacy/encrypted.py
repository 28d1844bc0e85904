"""Scores for a vector that the server cannot read: Customer encrypts it, Catalogue computes, and the customer sorts.

CKKS: Cheon, Kim, Kim and Song, *Homomorphic Encryption for Arithmetic of Approximate Numbers*, ASIACRYPT 2017; the library is
TenSEAL, Benaissa et al., 2021. A ciphertext holds `SLOTS` numbers. Each number of the vector is one ciphertext, repeated in
all slots, and each block of items answers with one: the sum over d of ciphertext d times column d of the block. So no slot
is ever moved to another, and the server needs no key at all, only the scheme's parameters.

The scheme reports no error: with a wrong key, a damaged byte or a number that is too large it decrypts to other numbers. So
vectors are brought to a length of at most 1, for which scores fit, and the last slots of every block hold rows
whose scores the customer knows: an answer that gives them wrong is refused as a whole. That finds accidents. A server that lies
can give these rows right and others wrong.

Decrypted scores must not go back to the server: from them and the ciphertexts the key can be computed (Li and Micciancio,
*On the Security of Homomorphic Encryption on Approximate Numbers*, EUROCRYPT 2021).
"""

import json
import secrets
import struct
import sys

import numpy as np

from recbook.errors import DataError

if "tensorflow" in sys.modules and "tenseal" not in sys.modules:       # both bring the same library, and TenSEAL would crash
    raise ImportError("TenSEAL cannot be loaded after TensorFlow in one process: import recbook.privacy.encrypted first.")
try:
    import tenseal
except ImportError:
    raise ImportError('recbook.privacy.encrypted needs TenSEAL: pip install "recbook[privacy]".') from None

DEGREE, BITS, SCALE = 4096, (37, 35, 37), 2.0**35   # 128 bits of security, one product, scores of at most 2
SLOTS = DEGREE // 2
PROBES = 8                                          # rows of each block whose scores the customer knows
ITEMS = SLOTS - PROBES                              # rows of each block that are items
TOLERANCE = 1e-4                                    # a hundred times the error of an honest answer
MARK = b"recbook privacy 1\n"


class Customer:
    """Who asks: holds the key, encrypts a vector, reads the answer.

    Parameters
    ----------
    dim : int
        How many numbers a vector has.

    Raises
    ------
    DataError
        A vector that cannot be asked for, or an answer that cannot be right.

    Example
    -------
    >>> catalogue = rb.privacy.Catalogue([[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]])
    >>> ana = rb.privacy.Customer(dim=2)
    >>> answer = catalogue.answer(ana.ask([0.1, 0.9]))
    >>> ana.top(answer, k=2).tolist()
    [2, 1]
    """

    def __init__(self, dim):
        self.dim = int(dim)
        if self.dim < 1:
            raise DataError(f"dim={dim}: a whole number of at least 1.")
        self.context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=list(BITS), n_threads=1)
        self.context.global_scale = SCALE
        self.name = secrets.token_hex(8)            # of the key; tells nothing about it
        self.open = {}                              # what was asked and not yet read: vectors of length 1 and their lengths

    def parameters(self):
        """What the server may have: the scheme's parameters, and no key."""
        return self.context.serialize(save_public_key=False, save_secret_key=False, save_galois_keys=False, save_relin_keys=False)

    def ask(self, vector):
        """A question as bytes: the vector (dim,), encrypted.

        Raises
        ------
        DataError
            Another length, a number that is not finite, or only zeros.
        """
        vector = np.asarray(vector, dtype=np.float64)
        if vector.shape != (self.dim,):
            raise DataError(f"The vector has the shape {vector.shape}, and ({self.dim},) is asked with this key.")
        length = np.linalg.norm(vector)
        if not np.isfinite(length) or length == 0:
            raise DataError("The vector needs finite numbers that are not all 0.")
        unit = vector / length
        question = secrets.token_hex(8)
        self.open[question] = unit, length
        parts = [tenseal.ckks_vector(self.context, [number] * SLOTS).serialize() for number in unit]
        return packed({"kind": "question", "key": self.name, "question": question, "dim": self.dim}, [self.parameters(), *parts])

    def read(self, answer):
        """The scores (n_items,) of an answer, each question once.

        Raises
        ------
        DataError
            An answer to something else, or one whose known rows are wrong: then none of it is given.
        """
        head, parts = unpacked(answer, "answer")
        if head["key"] != self.name:
            raise DataError("This answer belongs to another key; ask again with your own.")
        if head["question"] not in self.open:
            raise DataError("This answer belongs to no question that is open; each is read once.")
        unit, length = self.open[head["question"]]
        if head["dim"] != self.dim or len(parts) != -(-head["items"] // ITEMS) or not parts:
            raise DataError("This answer is not whole; ask again.")
        expected = probes(self.dim) @ unit
        scores = []
        for number, part in enumerate(parts):
            try:
                slots = np.array(tenseal.ckks_vector_from(self.context, part).decrypt())
            except (ValueError, RuntimeError) as problem:
                raise DataError(f"Part {number} of the answer cannot be decrypted ({problem}); ask again.") from None
            if slots.shape != (SLOTS,) or not np.abs(slots[ITEMS:] - expected).max() < TOLERANCE:
                raise DataError(f"Part {number} of the answer gives known rows wrong: another key, damage on the way, or more "
                                "computed than the parameters allow. No list is made of it; ask again.")
            scores.append(slots[:ITEMS])
        del self.open[head["question"]]
        return np.concatenate(scores)[:head["items"]] * length * head["scale"]

    def top(self, answer, k):
        """The numbers of the k items with the largest scores, best first."""
        scores = self.read(answer)
        return np.argsort(-scores, kind="stable")[:k]


class Catalogue:
    """Who answers: holds the items' vectors in the clear, and computes with what it cannot read.

    Parameters
    ----------
    items : array (n_items, dim)
    version : str
        Of these vectors; it stands in every answer.

    Raises
    ------
    DataError
        Vectors that are none, or a question that cannot be answered; a question that holds the secret key is refused.

    Example
    -------
    >>> catalogue = rb.privacy.Catalogue(np.eye(3))
    >>> ana = rb.privacy.Customer(dim=3)
    >>> ana.read(catalogue.answer(ana.ask([3.0, 0.0, 4.0]))).round(2) + 0
    array([3., 0., 4.])
    """

    def __init__(self, items, version="1"):
        items = np.asarray(items, dtype=np.float64)
        if items.ndim != 2 or not items.size or not np.isfinite(items).all():
            raise DataError(f"Items of the shape {items.shape}: a table (n_items, dim) of finite numbers is needed.")
        self.n_items, self.dim = items.shape
        self.version = str(version)
        self.scale = float(np.linalg.norm(items, axis=1).max()) or 1.0
        padding = np.zeros((-self.n_items % ITEMS, self.dim))
        blocks = np.concatenate([items / self.scale, padding]).reshape(-1, ITEMS, self.dim)
        known = np.broadcast_to(probes(self.dim), (len(blocks), PROBES, self.dim))
        self.columns = np.concatenate([blocks, known], axis=1).swapaxes(1, 2)           # (blocks, dim, SLOTS)

    def answer(self, question):
        """The encrypted scores of all items, as bytes.

        Raises
        ------
        DataError
            A question of another dim, one that holds the secret key, or one that nothing more can be computed with.
        """
        head, (parameters, *parts) = unpacked(question, "question")
        if head["dim"] != self.dim or len(parts) != self.dim:
            raise DataError(f"The question has {len(parts)} numbers, the items have {self.dim}.")
        context = without_key(parameters)
        try:
            vector = [tenseal.ckks_vector_from(context, part) for part in parts]
            if any(number.size() != SLOTS for number in vector):
                raise DataError(f"Each number of a question is to fill {SLOTS} slots.")
            answers = [weighted(vector, columns).serialize() for columns in self.columns]
        except (ValueError, RuntimeError) as problem:
            raise DataError(f"Nothing can be computed with this question ({problem}); encrypt it anew.") from None
        return packed({"kind": "answer", "key": head["key"], "question": head["question"], "dim": self.dim,
                       "items": self.n_items, "scale": self.scale, "catalogue": self.version}, answers)


def weighted(vector, columns):
    """The sum over d of ciphertext d, one number in all its slots, times column d: columns (dim, SLOTS)."""
    total = vector[0] * columns[0].tolist()
    for number, column in zip(vector[1:], columns[1:]):
        total += number * column.tolist()
    return total


def probes(dim):
    """Rows of length 1 that everybody knows: (PROBES, dim)."""
    rows = np.random.default_rng(0).normal(size=(PROBES, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def without_key(parameters):
    """A context from what a customer sent, refused if the secret key is in it."""
    try:
        context = tenseal.context_from(parameters, n_threads=1)
    except (ValueError, RuntimeError) as problem:
        raise DataError(f"The parameters of the question cannot be read ({problem}).") from None
    if context.has_secret_key():
        raise DataError("The question holds the secret key: with it everything of this customer can be read. "
                        "Send parameters() alone, and make a new key.")
    return context


# ------------------------------------------------------------------------------------------------ messages


def packed(head, parts):
    """A message: the head as JSON, then the parts one after another."""
    text = json.dumps(head | {"sizes": [len(part) for part in parts]}).encode()
    return b"".join([MARK, struct.pack("<I", len(text)), text, *parts])


FIELDS = {"question": {"key": str, "question": str, "dim": int},
          "answer": {"key": str, "question": str, "dim": int, "items": int, "scale": float, "catalogue": str}}


def unpacked(message, kind):
    """The head and the parts of a message of this kind; a stranger's word, so everything is looked at."""
    start = len(MARK) + 4
    try:
        if message[:len(MARK)] != MARK:
            raise ValueError
        size, = struct.unpack("<I", message[len(MARK):start])
        head = json.loads(message[start:start + size])
        sizes = head["sizes"]
        if head["kind"] != kind or not all(isinstance(head[name], of) for name, of in FIELDS[kind].items()):
            raise ValueError
        if not sizes or not all(isinstance(one, int) and one >= 0 for one in sizes) or start + size + sum(sizes) != len(message):
            raise ValueError
    except (ValueError, KeyError, TypeError, struct.error):
        raise DataError(f"This is no {kind}, or not the whole of one.") from None
    ends = start + size + np.cumsum([0, *sizes])
    return head, [message[begin:end] for begin, end in zip(ends[:-1], ends[1:])]
