"""Scoring a catalogue for an encrypted vector, and forgetting customers: seconds, bytes and errors.

privacy_encrypted: catalogues of drawn items, scored by `recbook.privacy.Catalogue` ("no rotations") and by TenSEAL's own
product of an encrypted vector and a matrix ("rotations"), whose Galois keys the server needs. Each is measured on one processor
several times, after one that does not count.

privacy_forgetting: customers who are subtracted from the counts of a log of random events, against the inverse computed anew;
and how far the inverse is off after many who were subtracted one by one.
"""

import argparse
import time
from unittest import mock

import numpy as np
import pandas as pd

import recbook as rb
from recbook import results
from recbook.privacy import encrypted

DIM = 64
SIZES = (1_000, 10_000, 100_000)
AT_ONCE = 4_000                                 # columns of a matrix: as many as slots hold, for it takes as long as 500
LARGE = (60, 40, 40, 60)                        # bits, with 8,192 coefficients
TIMES = 5
CATALOGUES = (300, 1_000, 3_000)                # sizes of forgetting's logs
REMOVED = (1, 10, 100, 1_000)


def row(title, measured, note=None, **settings):
    """A row of `results`: each value measured several times, of which the median counts."""
    numbers = {}
    for name, values in measured.items():
        values = [float(value) for value in np.atleast_1d(values)]
        numbers[name] = {"value": float(np.median(values)), "values": values} if len(values) > 1 else {"value": values[0]}
    return {"title": title, "measured": numbers, "published": {}, "source": "", "settings": settings} | ({"note": note} if note else {})


def timed(call, *arguments):
    """What a call gives, and its seconds of one processor: those of the clock, if nothing else runs."""
    start = time.process_time()
    found = call(*arguments)
    return found, time.process_time() - start


# ------------------------------------------------------------------------------------------------ scoring


def table(size, rng):
    """Vectors of items and of customers, as a factorization has them."""
    return rng.normal(size=(size, DIM)) / DIM**0.5, rng.normal(size=(TIMES + 1, DIM)) / DIM**0.5


def no_rotations(size):
    items, users = table(size, np.random.default_rng(size))
    catalogue, customer = rb.privacy.Catalogue(items), rb.privacy.Customer(DIM)
    measured = {}
    for user in users:
        question, encrypts = timed(customer.ask, user)
        answer, scores = timed(catalogue.answer, question)
        got, reads = timed(customer.read, answer)
        true = items @ user
        best = np.argsort(-true, kind="stable")[:10]
        found = np.argsort(-got, kind="stable")[:10]
        for name, value in {"seconds of the server": scores, "seconds to encrypt": encrypts, "seconds to decrypt": reads,
                            "bytes up": len(question), "bytes down": len(answer), "bytes of keys at the server": 0,
                            "largest error": np.abs(got - true).max(), "lists that are the same": (best == found).all()}.items():
            measured.setdefault(name, []).append(value)
    measured = {name: values[1:] for name, values in measured.items()}
    measured["lists that are the same"] = np.mean(measured["lists that are the same"])
    return row(f"{size:,} items, no rotations", measured, items=size, dim=DIM, degree=encrypted.DEGREE,
               bits=list(encrypted.BITS), **{"items a ciphertext": encrypted.ITEMS})


def no_rotations_but(size):
    """The control: no rotations, with the parameters that those have."""
    with mock.patch.multiple(encrypted, DEGREE=8192, BITS=LARGE, SCALE=2.0**40, SLOTS=4096, ITEMS=4096 - encrypted.PROBES):
        return no_rotations(size) | {"title": f"{size:,} items, no rotations, the parameters of rotations"}


def rotations(size):
    import tenseal

    context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=list(LARGE), n_threads=1)
    context.global_scale = 2.0**40
    context.generate_galois_keys()
    public = context.serialize(save_secret_key=False, save_relin_keys=False)
    server = tenseal.context_from(public, n_threads=1)
    items, users = table(size, np.random.default_rng(size))
    matrices = [items[start:start + AT_ONCE].T.tolist() for start in range(0, size, AT_ONCE)]
    measured = {}
    for user in users[:4]:
        question, encrypts = timed(lambda user=user: tenseal.ckks_vector(context, user).serialize())
        answer, scores = timed(lambda question=question: [
            (tenseal.ckks_vector_from(server, question) @ matrix).serialize() for matrix in matrices])
        got, reads = timed(lambda answer=answer: np.concatenate([tenseal.ckks_vector_from(context, part).decrypt() for part in answer]))
        for name, value in {"seconds of the server": scores, "seconds to encrypt": encrypts, "seconds to decrypt": reads,
                            "bytes up": len(question), "bytes down": sum(map(len, answer)), "bytes of keys at the server": len(public),
                            "largest error": np.abs(got - items @ user).max()}.items():
            measured.setdefault(name, []).append(value)
    measured = {name: values[1:] for name, values in measured.items()}
    return row(f"{size:,} items, rotations", measured, items=size, dim=DIM, degree=8192, bits=list(LARGE))


def plain(size):
    items, users = table(size, np.random.default_rng(size))
    times = [timed(lambda user=user: items @ user)[1] for user in users][1:]
    return row(f"{size:,} items, in the clear", {"seconds of the server": times, "bytes up": 8 * DIM, "bytes down": 10 * 16},
               items=size, dim=DIM)


def scoring():
    for make, sizes in ((no_rotations, SIZES), (no_rotations_but, SIZES), (rotations, SIZES), (plain, SIZES)):
        for size in sizes:
            start = time.perf_counter()
            one = make(size)
            print(one["title"], {name: number["value"] for name, number in one["measured"].items()}, flush=True)
            save("privacy_encrypted", "Scoring a catalogue for an encrypted vector",
                 f"drawn vectors of {DIM} numbers; medians of {TIMES} questions, of three for rotations, after one more; seconds of one processor",
                 {one["title"]: one}, start)


# ------------------------------------------------------------------------------------------------ forgetting


def log(n_items, n_users=4_000, each=20):
    """A log without taste: how long forgetting takes depends on its sizes alone."""
    rng = np.random.default_rng(n_items)
    popular = (1 + np.arange(n_items)) ** -0.5
    items = rng.choice(n_items, size=n_users * each, p=popular / popular.sum())
    items[:n_items] = np.arange(n_items)                                # every item is there
    frame = pd.DataFrame({"user": np.repeat(np.arange(n_users), each), "item": items})
    return rb.everything(rb.from_frame(frame, items_return=True))


def forgetting():
    for n_items in CATALOGUES:
        start = time.perf_counter()
        counts = rb.privacy.Counts(log(n_items), l2=50.0)
        customers = iter(np.random.default_rng(1).permutation(counts.n_users).tolist())
        anew = [timed(counts.refit)[1] for _ in range(3)]
        measured = {"seconds to invert anew": anew}
        taken, off, seconds = 0, {}, []
        for until in REMOVED:
            while taken < until:
                seconds.append(timed(counts.forget, [next(customers)])[1])
                taken += 1
            updated = counts.inverse
            counts.refit()
            off[until] = np.abs(updated - counts.inverse).max() / np.abs(counts.inverse).max()
            counts.inverse = updated
        measured["seconds to forget one"] = seconds[:25]
        hundred = [next(customers) for _ in range(min(100, n_items // 4 - 1))]
        measured["seconds to forget many at once"] = timed(counts.forget, hundred)[1]
        measured["many"] = len(hundred)
        measured |= {f"error after {until}": value for until, value in off.items()}
        one = row(f"{n_items:,} items", measured, items=n_items, customers=counts.n_users, l2=50.0)
        print(one["title"], {name: number["value"] for name, number in one["measured"].items()}, flush=True)
        save("privacy_forgetting", "Customers who are subtracted",
             "logs of drawn events; an error is the largest difference of two inverses, over the largest entry; seconds of one processor",
             {one["title"]: one}, start)


def save(name, title, protocol, rows, start):
    results.save(name, title, protocol, rows, rb.load("shop"), time.perf_counter() - start)


PARTS = {"scoring": scoring, "forgetting": forgetting}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="privacy_encrypted", description=__doc__.partition(":")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: both")
    for part in parser.parse_args(argv).parts or PARTS:
        PARTS[part]()


if __name__ == "__main__":
    main()
