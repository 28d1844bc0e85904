"""The service: what it answers, what it keeps, and what it refuses. Real servers, real files, real kills."""

import contextlib
import json
import os
import runpy
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch

import recbook as rb
from recbook.errors import ModelError, RecbookError

pytest.importorskip("fastapi")
import httpx
import uvicorn

from recbook.cli import main
from recbook.probes import probe
from recbook.service.app import create_app
from recbook.service.server import listen
from recbook.service.service import Service
from recbook.service.store import Event, Impression, StoreError, open_store
from recbook.service.versions import point_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")                                     # of the client's own plans
    from starlette.testclient import TestClient

ROOT = Path(__file__).resolve().parents[1]
kills = runpy.run_path(str(ROOT / "benchmarks" / "service_kills.py"))["kills"]
REDIS = shutil.which("redis-server")
NEEDED = os.environ.get("RECBOOK_NEEDS_REDIS") == "1"
TEAS = [f"t{number:02}" for number in range(12)]
TITLES = ["Assam", "Ceylon", "Darjeeling", "Sencha", "Oolong", "Mint", "Mint", "Chai", "Matcha", "Rooibos", "Earl Grey", "Pu-erh"]


def tea_shop(name="teas", **options):
    """Six people who try teas, a few each, one after the other."""
    rows = [(f"u{user}", TEAS[(3 * user + 2 * step) % 12], 1000 * user + step) for user in range(6) for step in range(5)]
    import pandas as pd

    return rb.from_frame(pd.DataFrame(rows, columns=["who", "tea", "when"]), user="who", item="tea", timestamp="when", name=name,
                         items=pd.DataFrame({"tea": TEAS, "title": TITLES}), **options)


def keep_run(model, data, folder, **about):
    """A run as `recbook train` keeps it."""
    rb.seed_everything(0)
    rb.fit(model, rb.everything(data), epochs=1, progress=False, device="cpu")
    rb.save_model(model, folder, source={"dataset": data.name}, files=data.files, probe=probe(model, data), **about)


@pytest.fixture(scope="module")
def data():
    return tea_shop()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    """A folder of runs on the teas, and of some that do not fit them."""
    runs = tmp_path_factory.mktemp("trained")
    sizes = data.n_users, data.n_items
    keep_run(rb.EASE(*sizes, l2=1.0), data, runs / "ease")
    keep_run(rb.Popularity(*sizes), data, runs / "popularity")
    keep_run(rb.BPRMF(*sizes, dim=2), data, runs / "bpr")
    keep_run(rb.GRU4Rec(*sizes, dim=4, hidden=4, length=4, pauses=True), data, runs / "gru")
    fewer = rb.from_frame({"user": ["u0", "u1"], "item": ["t00", "t01"]})
    keep_run(rb.Popularity(2, 2), fewer, runs / "other-catalogue")
    strangers = tea_shop()
    strangers.users["original"] = [f"v{user}" for user in range(6)]
    keep_run(rb.Popularity(*sizes), strangers, runs / "other-users")
    ease, about = rb.load_model(runs / "ease")
    ease.weight[:, 3] += 0.1
    rb.save_model(ease, runs / "damaged", files=data.files, probe=about["probe"])
    ease.weight[:, 3] = torch.nan
    rb.save_model(ease, runs / "no-numbers", files=data.files, probe=about["probe"])
    elsewhere, about = rb.load_model(runs / "ease")
    about["probe"] = [one | {"items": one["items"][:2], "scores": one["scores"][:2]} for one in about["probe"]]
    worst = next(item for item in range(11, -1, -1) if all(TEAS[item] not in one["items"] for one in about["probe"]))
    elsewhere.weight[:, worst] -= 0.1
    rb.save_model(elsewhere, runs / "damaged-elsewhere", files=data.files, probe=about["probe"])
    keep_run(rb.EASE(*sizes, l2=1.0), data, runs / "half")
    (weights,) = (runs / "half").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-40])
    for name, change in (("other-file", {"files": {"teas.csv": "0" * 64}}), ("no-ids", {})):
        shutil.copytree(runs / "ease", runs / name)
        about = json.loads((runs / name / "model.json").read_text())
        (runs / name / "model.json").write_text(json.dumps(about | change))
    no_ids, _ = rb.load_model(runs / "ease")
    no_ids.trained_on = None
    rb.save_model(no_ids, runs / "no-ids")
    return runs


@pytest.fixture
def serving(data, trained, tmp_path):
    """`serving()`: (client, service); called again, the same store is opened anew, as by another process."""
    opened = contextlib.ExitStack()

    def start(name="ease", key=None, local=True, dataset=data, store=None, runs=trained, **options):
        store = open_store(store or tmp_path / "store.sqlite")
        opened.callback(store.close)
        service = Service(dataset, runs, name, store, **options)
        return TestClient(create_app(service, key, local), "http://127.0.0.1", raise_server_exceptions=False), service

    with opened:
        yield start


def items_of(answer):
    assert answer.status_code == 200, answer.text
    return [one["item"] for one in answer.json()["items"]]


def refused(answer, status, *words):
    """One sentence, and what it speaks of."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ["error"] and body["error"].endswith((".", "?")) and "\n" not in body["error"]
    assert "Traceback" not in body["error"]
    for word in words:
        assert word in body["error"]


# ------------------------------------------------------------------------------------------------ lists


def test_a_list_is_that_of_the_model_under_the_sources_ids(serving, data, trained):
    client, _ = serving()
    model, _ = rb.load_model(trained / "ease")
    history = data.history("u2")
    best = model.top(history, k=4, exclude=history.items)[0][0].tolist()
    answer = client.get("/recommend", params={"user": "u2", "k": 4}).json()
    assert answer["items"] == [{"item": data.items["original"][item], "title": data.title(item)} for item in best]
    assert (answer["user"], answer["version"], answer["by"], answer["propensity"]) == ("u2", "ease", "model", 1.0)


def test_what_is_reported_counts_from_the_next_list_on(serving, data, trained):
    client, _ = serving()
    first = items_of(client.get("/recommend?user=u2&k=12"))
    told = {"events": [{"user": "u2", "item": first[0]}, {"user": "u2", "item": "sencha"}]}
    assert client.post("/events", json=told).json() == {"accepted": 2, "known": 0}
    model, _ = rb.load_model(trained / "ease")
    met = data.history("u2").items[0].tolist() + [TEAS.index(first[0]), TITLES.index("Sencha")]
    context = rb.Context(items=torch.tensor([met]))
    best = model.top(context, k=12 - len(set(met)), exclude=context.items)[0][0].tolist()
    assert items_of(client.get("/recommend?user=u2&k=12")) == [TEAS[item] for item in best]
    assert items_of(client.get("/recommend", params={"user": "u2", "k": 12, "recent": "Chai"})) != [TEAS[item] for item in best]


def test_times_and_behaviours_reach_a_model_that_reads_them(serving, data):
    """The same history, a minute ago or a year ago: the pause is read."""
    client, service = serving("gru")
    model = service.versions.answering[1]["gru"]
    seen = []
    model.top = lambda context, k, exclude: seen.append(context) or type(model).top(model, context, k, exclude)
    client.post("/events", json={"events": [{"user": "u1", "item": "t05", "time": 9000.5, "behaviour": "cart"},
                                            {"user": "u1", "item": "t06", "time": 8000}]})
    assert len(items_of(client.get("/recommend?user=u1&k=3"))) == 3
    (context,) = seen
    assert context.items[0].tolist()[-2:] == [6, 5] and context.times[0].tolist()[-2:] == [8000, 9000]  # by time, not as told
    assert abs(int(context.now) - time.time()) < 60 and context.users.tolist() == [1]


def test_somebody_new_is_answered(serving, data):
    client, _ = serving()
    counts = data.interactions["item"].value_counts()
    nobody = client.get("/recommend?k=3").json()
    assert nobody["by"] == "popularity" and nobody["user"] is None
    assert counts[TEAS.index(nobody["items"][0]["item"])] == counts.max()
    assert client.get("/recommend?user=zoe&k=3").json()["items"] == nobody["items"]
    assert client.get("/recommend?user=zoe&k=3&recent=t03").json()["by"] == "model"
    client.post("/events", json={"events": [{"user": "zoe", "item": "t03"}]})
    after = client.get("/recommend?user=zoe&k=12").json()
    assert after["by"] == "model" and "t03" not in [one["item"] for one in after["items"]]


def test_somebody_new_gets_what_was_popular_lately_where_that_is_asked_for(serving, data):
    """In the last three seconds of the log, which ends at 5,004, user 5 met teas 7, 9 and 11; more than that met all in all."""
    client, _ = serving(days=2.5 / 86_400)
    assert sorted(items_of(client.get("/recommend?k=3"))) == ["t07", "t09", "t11"]
    client, _ = serving(store=None)
    assert sorted(items_of(client.get("/recommend?k=3"))) != ["t07", "t09", "t11"]


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    """Six people of two ages and two cities, and a run that reads them: (data, folder, model)."""
    import pandas as pd

    people = pd.DataFrame({"who": [f"u{user}" for user in range(6)], "age": ["young", "young", "old", "old", None, "old"],
                           "city": ["Essen", "Accra|Essen", "Accra", "Accra", "Essen", "Essen"]})
    data = tea_shop(users=people)
    folder = tmp_path_factory.mktemp("profiled")
    model = rb.ContentGRU(6, 12, dim=4, hidden=4, length=4, text="bag", categories=(), profile=("age", "city"), n_values=8, n_words=20)
    with torch.no_grad():
        model.user.weight.normal_(generator=torch.Generator().manual_seed(0))
    keep_run(model, data, folder / "content")
    keep_run(rb.EASE(6, 12), data, folder / "ease")
    return data, folder, model


LAPSANG = {"item": "t12", "about": {"title": "Darjeeling Lapsang"}}


def test_a_new_item_enters_while_the_service_runs_and_stays(serving, profiled):
    """It is ranked by its words, and can be sold out and met; a service that starts anew knows it."""
    data, folder, model = profiled
    client, service = serving("content", dataset=data, runs=folder)
    before = items_of(client.get("/recommend?user=u0&k=20"))
    assert client.put("/items", json={"items": [LAPSANG]}).json() == {"added": 1, "known": 0, "items": 13}
    assert client.put("/items", json={"items": [LAPSANG]}).json() == {"added": 0, "known": 1, "items": 13}
    with torch.no_grad():
        question, answers = model.eval().question(data.history("u0")), model.answers()
        alone = model.reader(model.tokens[TITLES.index("Darjeeling")][None])    # "Lapsang" is no word that it knows
    scores = dict(zip(TEAS, (answers @ question[0]).tolist())) | {"t12": float(alone[0] @ question[0])}
    expected = sorted([*before, "t12"], key=scores.get, reverse=True)
    assert items_of(client.get("/recommend?user=u0&k=20")) == expected
    client, service = serving("content", dataset=data, runs=folder)
    assert items_of(client.get("/recommend?user=u0&k=20")) == expected
    assert "t12" in items_of(client.get("/recommend?k=20&age=old")) and items_of(client.get("/recommend?k=20"))[-1] == "t12"
    assert client.post("/events", json={"events": [{"user": "u0", "item": "Darjeeling Lapsang"}]}).json()["accepted"] == 1
    assert "t12" not in items_of(client.get("/recommend?user=u0&k=20"))
    assert client.put("/stock", json={"stock": [{"item": "t12", "in_stock": False}]}).json() == {"sold_out": 1}
    assert "t12" not in items_of(client.get("/recommend?user=u1&k=20"))
    assert client.get("/ready").json()["items"] == 13


def test_no_request_is_dropped_while_items_are_put(serving, profiled):
    """Each answer holds the items of the data, and those of a first part of the ones that were put that are in stock."""
    data, folder, _ = profiled
    client, service = serving("content", dataset=data, runs=folder)
    answers, done = [], threading.Event()

    def ask():
        while not done.is_set():
            answers.append(client.get("/recommend?k=100&age=old"))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for number in range(12, 20):
        put = client.put("/items", json={"items": [{"item": f"t{number}", "about": {"title": f"Assam {number}"}}]})
        assert put.json()["items"] == number + 1
        client.put("/stock", json={"stock": [{"item": f"t{number}", "in_stock": number % 2 == 0}]})
    done.set()
    for asker in askers:
        asker.join()
    assert len(answers) > 3
    for answer in answers:
        shown = {int(item[1:]) for item in items_of(answer)}
        assert set(range(12)) | {number for number in range(12, max(shown)) if number % 2 == 0} <= shown


def test_a_version_that_cannot_place_new_items_does_not_get_any(serving, profiled):
    data, folder, _ = profiled
    client, service = serving("ease", dataset=data, runs=folder)
    refused(client.put("/items", json={"items": [LAPSANG]}), 422, "ease cannot place an item that nobody has met")
    assert service.store.items() == [] and client.get("/ready").json()["items"] == 12
    client.post("/versions", json={"name": "content"})
    assert client.put("/items", json={"items": [LAPSANG]}).json()["added"] == 1
    with pytest.warns(UserWarning, match="it cannot rank them"):        # it answers, and never shows the new one
        client.post("/versions", json={"name": "ease"})
        found = items_of(client.get("/recommend?user=u0&k=20"))
    assert found and "t12" not in found


@pytest.mark.parametrize("change, why", [
    ({"item": "t03"}, "'t03' is in the catalogue already"), ({"item": 12}, "12 is no id of teas: its items' ids are text"),
    ({"about": {"colour": "red"}}, "colour is nothing that teas says of its items; it says title"),
    ({"about": {"title": 3}}, "items[0].about.title"), ({"about": {"title": "x" * 10_001}}, "items[0].about.title"),
    ({"picture": "AAAA"}, "no picture file in base64"), ({"words": "x"}, "items[0].words is no field")])
def test_an_item_that_cannot_be(serving, profiled, change, why):
    data, folder, _ = profiled
    client, service = serving("content", dataset=data, runs=folder)
    refused(client.put("/items", json={"items": [LAPSANG | change]}), 422, why)
    assert client.put("/items", json={"items": [LAPSANG]}).json()["added"] == 1
    refused(client.put("/items", json={"items": [LAPSANG | {"about": {"title": "Other"}}]}), 422, "is in the catalogue already")
    assert len(service.store.items()) == 1
    client, _ = serving("content", dataset=data, runs=folder, key="a key of some length")
    refused(client.put("/items", json={"items": [LAPSANG]}), 401, "a key is needed")


def test_a_new_item_with_a_picture_has_the_vector_of_its_picture(serving, tmp_path):
    """A PNG of one grey, put and read again after a start, against the model's own eye."""
    image = pytest.importorskip("PIL.Image")
    import base64
    import io
    from dataclasses import replace

    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    data = replace(tea_shop(), make_images=lambda: images)
    model = rb.ContentGRU(6, 12, dim=4, hidden=4, length=4, categories=(), picture=True)
    keep_run(model, data, tmp_path / "pictures")
    file = io.BytesIO()
    image.new("RGB", (64, 64), (90, 90, 90)).save(file, "png")
    one = {"item": "t12", "about": {"title": "Grey"}, "picture": base64.b64encode(file.getvalue()).decode()}
    client, _ = serving("pictures", dataset=data, runs=tmp_path)
    assert client.put("/items", json={"items": [one]}).json()["added"] == 1
    for _ in range(2):
        client, service = serving("pictures", dataset=data, runs=tmp_path)
        assert "t12" in items_of(client.get("/recommend?user=u0&k=20"))
        (placed,) = service.catalogue.models.values()
        with torch.no_grad():
            expected = model.eval().eye(torch.full((1, 3, 32, 32), 90, dtype=torch.uint8))[0]
            torch.testing.assert_close(placed.vectors()[12], expected)


@pytest.mark.parametrize("met", [[], ["t03", "t05"]])
def test_somebody_new_is_answered_by_their_profile(serving, profiled, met):
    """As a customer of the data with that profile, if they had met as much: user 0 is young and of Essen."""
    data, folder, model = profiled
    client, _ = serving("content", dataset=data, runs=folder)
    asked = [("recent", one) for one in met]
    answer = client.get("/recommend", params=[("user", "zoe"), ("k", 12), ("age", "young"), ("city", "Essen"), *asked]).json()
    assert answer["by"] == "model"
    numbers = torch.tensor([[TEAS.index(one) for one in met]], dtype=torch.long)
    expected = model.eval().top(rb.Context(users=torch.tensor([0]), items=numbers), 12 - len(met), numbers)[0][0]
    assert [one["item"] for one in answer["items"]] == [TEAS[item] for item in expected]
    old = client.get("/recommend", params=[("k", 12), ("age", "old"), *asked]).json()
    assert old["by"] == "model" and old["items"] != answer["items"]
    known = items_of(client.get("/recommend?user=u0&k=12"))             # whom the data know needs no introduction
    assert items_of(client.get("/recommend?user=u0&k=12&age=old")) == known
    assert client.get("/recommend?user=zoe").json()["by"] == "popularity"


def test_a_profile_that_cannot_be_and_a_model_that_reads_none(serving, profiled):
    data, folder, _ = profiled
    client, service = serving("ease", dataset=data, runs=folder)
    refused(client.get("/recommend?agee=old"), 422, "agee is no field", "age, city")
    refused(client.get("/recommend?age=ancient"), 422, "age: 'ancient' is none of old, young")
    assert service.store.impressions() == []
    assert client.get("/recommend?age=old").json()["by"] == "popularity"


def test_a_model_of_users_does_not_answer_for_somebody_new(serving):
    client, _ = serving("bpr")
    assert client.get("/recommend?user=u1").json()["by"] == "model"
    assert client.get("/recommend?user=zoe&recent=t03").json()["by"] == "popularity"


def test_nothing_that_is_sold_out_is_shown(serving):
    client, _ = serving()
    first = items_of(client.get("/recommend?user=u2&k=12"))
    put = client.put("/stock", json={"stock": [{"item": one, "in_stock": False} for one in (first[0], "Pu-erh")]})
    assert put.json() == {"sold_out": 2}
    for asked in ("user=u2", "user=zoe", "", "recent=t01"):
        assert not {first[0], "t11"} & set(items_of(client.get(f"/recommend?k=12&{asked}")))
    assert {"item": "t11", "title": "Pu-erh"} in client.get("/stock").json()["sold_out"]
    client, _ = serving()                                               # and still not after a start
    assert not {first[0], "t11"} & set(items_of(client.get("/recommend?k=12")))
    client.put("/stock", json={"stock": [{"item": first[0], "in_stock": True}]})
    assert first[0] in items_of(client.get("/recommend?user=u2&k=12"))
    client.put("/stock", json={"stock": [{"item": one, "in_stock": False} for one in TEAS]})
    assert items_of(client.get("/recommend?user=u2")) == [] == items_of(client.get("/recommend"))


def test_where_items_return_they_are_shown_again(serving, trained, tmp_path):
    again = tea_shop(items_return=True)
    client, _ = serving(dataset=again)
    assert len(items_of(client.get("/recommend?user=u2&k=12"))) == 12


def test_whole_numbers_are_ids_however_they_are_written(tmp_path):
    numbers = rb.from_frame({"user": [7, 7, 8, 8], "item": [10, 20, 10, 30]})
    keep_run(rb.ItemKNN(2, 3, k=2), numbers, tmp_path / "knn")
    store = open_store(tmp_path / "store.sqlite")
    client = TestClient(create_app(Service(numbers, tmp_path, "knn", store)), "http://127.0.0.1")
    told = [{"user": 7, "item": "30"}, {"user": "7", "item": 30}, {"user": "99", "item": 10}]
    assert client.post("/events", json={"events": told}).json()["accepted"] == 3
    assert [event.item for event in store.history(7)] == [30, 30] and store.history("7") == []
    assert client.get("/recommend?user=7").json()["user"] == 7 and client.get("/recommend?user=99").json()["user"] == 99
    store.close()


# ------------------------------------------------------------------------------------------------ stores


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory):
    """A Redis server of our own, on a free port."""
    assert REDIS or not NEEDED, "RECBOOK_NEEDS_REDIS=1, but there is no redis-server"
    if not REDIS:
        pytest.skip("no redis-server here: the store in Redis is not tried")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    server = subprocess.Popen([REDIS, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes",
                               "--save", ""], stdout=subprocess.DEVNULL)
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.1)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(10)


@pytest.fixture(params=["sqlite", "redis"])
def address(request, tmp_path):
    """Where an empty store is."""
    if request.param == "sqlite":
        return str(tmp_path / "store.sqlite")
    found = request.getfixturevalue("redis_address")
    import redis

    redis.Redis.from_url(found).flushdb()
    return found


def test_a_store_keeps_what_it_was_told(address):
    store = open_store(address)
    late, early = Event("a", "ann", "tea", 20.5, "cart", 4.5, "r1"), Event("b", "ann", 7, 10.0)
    assert store.add_events([late, early, Event("c", 7, "tea", 1.0)]) == 3
    assert store.add_events([early, Event("d", "ann", "pot", 20.5)]) == 1                       # told twice, it counts once
    assert store.history("ann") == [early, late, Event("d", "ann", "pot", 20.5)]
    assert store.history("7") == [] and [event.id for event in store.history(7)] == ["c"]
    store.set_stock({"tea": False, 7: False, "7": True})
    store.set_stock({7: True, "pot": False})
    shown = Impression("r1", 1.5, None, "ease", 0.25, "model", ("tea", 7))
    store.add_impression(shown)
    store.set("versions", {"now": [1, "é"]})
    store.close()
    again = open_store(address)
    assert again.sold_out() == {"tea", "pot"} and again.impressions() == [shown]
    assert again.get("versions") == {"now": [1, "é"]} and again.get("nothing", 3) == 3 and len(again.history("ann")) == 3
    again.close()


def test_a_store_keeps_new_items_in_their_order(address):
    store = open_store(address)
    assert store.items() == []
    store.add_items([{"item": "b", "about": {"title": "é"}}, {"item": 7}])
    store.add_items([{"item": "a", "picture": None}])
    store.close()
    again = open_store(address)
    assert [one["item"] for one in again.items()] == ["b", 7, "a"] and again.items()[0]["about"] == {"title": "é"}
    again.close()


def test_many_threads_lose_nothing_and_count_nothing_twice(address):
    store = open_store(address)
    counts = []

    def tell(thread):
        for number in range(25):
            counts.append(store.add_events([Event(f"{thread % 4}-{number}", "ann", number, float(number))]))

    threads = [threading.Thread(target=tell, args=(thread,)) for thread in range(8)]            # two tell the same
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 100 == len({event.id for event in store.history("ann")}) == len(store.history("ann"))
    store.close()


def test_a_service_in_redis(serving, redis_address):
    import redis

    redis.Redis.from_url(redis_address).flushdb()
    client, _ = serving(store=redis_address)
    first = items_of(client.get("/recommend?user=u2&k=3"))
    client.post("/events", json={"events": [{"user": "u2", "item": first[0]}]})
    client, service = serving(store=redis_address)
    assert first[0] not in items_of(client.get("/recommend?user=u2&k=12")) and len(service.store.impressions()) == 2


def test_stores_that_cannot_be_used(tmp_path):
    (tmp_path / "text").write_text("no database, and long enough not to be taken for an empty one" * 20)
    for address, why in ((tmp_path / "text", "not a database"), (tmp_path, "unable to open"), (tmp_path / "no" / "x", "unable to open"),
                         ("redis://127.0.0.1:1/0", "127.0.0.1"), ("redis://127.0.0.1:port/0", "127.0.0.1")):
        with pytest.raises(RecbookError, match=why) as caught:
            open_store(address)
        assert "\n" not in str(caught.value)
    with pytest.raises(StoreError) as caught:
        open_store("redis://:secret@127.0.0.1:1/0")
    assert "secret" not in str(caught.value)


def test_a_store_of_other_data_is_refused(serving, trained):
    serving()
    with pytest.raises(RecbookError, match="holds what happened in teas"):
        serving(dataset=tea_shop("coffees"))


def test_a_store_that_fails_is_said_and_is_not_ready(serving, monkeypatch):
    """A full disk: nothing is called accepted that was not kept."""
    client, service = serving()
    other = sqlite3.connect(service.store.path)
    other.execute("create trigger full before insert on events begin select raise(abort, 'database or disk is full'); end")
    other.execute("create trigger full_too before insert on settings begin select raise(abort, 'database or disk is full'); end")
    other.commit()
    refused(client.post("/events", json={"events": [{"user": "u1", "item": "t01"}]}), 503, "disk is full")
    refused(client.get("/ready"), 503, "disk is full")
    assert client.get("/health").status_code == 200
    other.execute("drop trigger full"), other.execute("drop trigger full_too")
    other.commit()
    other.close()
    assert client.post("/events", json={"events": [{"user": "u1", "item": "t01"}]}).json()["accepted"] == 1
    assert client.get("/ready").json()["status"] == "ready" and len(service.store.history("u1")) == 1


# ------------------------------------------------------------------------------------------------ versions


def test_two_versions_side_by_side_and_back(serving):
    client, service = serving()
    users = [f"u{number}" for number in range(6)] + [f"new {number}" for number in range(80)]

    def answered():
        return {user: client.get("/recommend", params={"user": user, "k": 2}).json()["version"] for user in users}

    assert set(answered().values()) == {"ease"}
    assert client.post("/versions", json={"name": "popularity", "share": 0.2}).json()["now"] == [
        {"name": "ease", "share": 0.8}, {"name": "popularity", "share": 0.2}]
    few = answered()
    assert few == answered() == {user: "ease" if point_of(user) < 0.8 else "popularity" for user in users}
    assert 0.1 < sum(version == "popularity" for version in few.values()) / len(users) < 0.3
    client.post("/versions", json={"name": "popularity", "share": 0.5})
    more = answered()
    assert all(more[user] == "popularity" for user in users if few[user] == "popularity")       # whoever had it keeps it
    shown = service.store.impressions()[-len(users):]
    assert {(one.version, one.propensity) for one in shown} == {("ease", 0.5), ("popularity", 0.5)}
    assert client.post("/versions/back").json()["now"][1] == {"name": "popularity", "share": 0.2} and answered() == few
    client, service = serving()                                         # a start does not change who is answered by whom
    assert answered() == few
    client.post("/versions", json={"name": "popularity"})
    assert set(answered().values()) == {"popularity"}
    assert client.post("/versions/back").status_code == 200 and answered() == few


def test_the_points_of_users_are_spread_evenly():
    points = sorted(point_of(f"user {number}") for number in range(4000))
    apart = max(abs(point - (place + 0.5) / 4000) for place, point in enumerate(points))
    assert apart < 1.63 / 4000**0.5                                     # Kolmogorov and Smirnov, 1 %
    assert point_of(7) != point_of("7") and point_of("user 1") == pytest.approx(0.061663, abs=1e-6)


@pytest.mark.parametrize("name, why", [
    ("nothing", "no run 'nothing'"), ("../trained/ease", "no name of a run"), ("", "no id"), ("other-catalogue", "another catalogue"),
    ("other-users", "other users"), ("other-file", "another teas.csv"), ("no-ids", "train it again"),
    ("damaged", "not the model that was trained"),
    ("damaged-elsewhere", "though not on the best items"), ("no-numbers", "not the model that was trained"), ("half", "no checkpoint")])
def test_a_version_that_does_not_fit_is_refused_and_the_others_answer_on(serving, data, trained, name, why):
    from dataclasses import replace

    client, service = serving(dataset=replace(data, files={"teas.csv": "1" * 64}))
    refused(client.post("/versions", json={"name": name, "share": 0.5}), 422, why)
    assert client.get("/versions").json() == {"now": [{"name": "ease", "share": 1.0}], "before": []}
    assert client.get("/recommend?user=u1").json()["version"] == "ease"


def test_versions_that_cannot_be(serving):
    client, _ = serving()
    refused(client.post("/versions/back"), 422, "nothing to go back to")
    refused(client.post("/versions", json={"name": "ease", "share": 0.5}), 422, "the only version")
    for share in (0, -1, 1.5, "x", None, True):
        refused(client.post("/versions", json={"name": "popularity", "share": share}), 422, "share")
    client.post("/versions", json={"name": "popularity", "share": 0.25})
    assert client.post("/versions", json={"name": "ease", "share": 0.5}).json()["now"] == [
        {"name": "ease", "share": 0.5}, {"name": "popularity", "share": 0.5}]
    assert client.post("/versions", json={"name": "bpr", "share": 0.25}).json()["now"][1] == {"name": "bpr", "share": 0.25}


@contextlib.contextmanager
def at_an_address(app):
    """The app behind a real socket; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()                                              # who comes before it has begun waits
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def test_no_request_is_dropped_while_versions_change(serving, data):
    client, service = serving()
    found, stop = [], threading.Event()

    def ask(address):
        with httpx.Client(base_url=address) as own:
            while not stop.is_set():
                answer = own.get("/recommend?user=u1&k=2")
                found.append((answer.status_code, answer.json().get("version")))

    with at_an_address(create_app(service)) as address:
        askers = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        with httpx.Client(base_url=address) as changes:
            for name in ("popularity", "ease", "bpr", "ease", "popularity"):
                assert changes.post("/versions", json={"name": name}).status_code == 200
                time.sleep(0.05)
        stop.set()
        for asker in askers:
            asker.join()
    assert len(found) > 20 and {status for status, _ in found} == {200} and {"ease", "popularity"} < {name for _, name in found}
    assert len(service.store.impressions()) == len(found)


# ------------------------------------------------------------------------------------------------ what is refused


EVENT = {"user": "u1", "item": "t01"}


@pytest.mark.parametrize("event, why", [
    ({"user": "u1"}, "events[1].item is missing"), ({"item": "t01"}, "events[1].user is missing"),
    (EVENT | {"item": "t99"}, "no item 't99'"), (EVENT | {"item": "mint"}, "2 items are called"), (EVENT | {"item": None}, "null is no id"),
    (EVENT | {"user": True}, "true is no id"), (EVENT | {"user": 1.5}, "1.5 is no id"), (EVENT | {"user": ""}, "'' is no id"),
    (EVENT | {"user": ["u1"]}, "no id"), (EVENT | {"user": "x" * 201}, "no id"), (EVENT | {"user": 2**63}, "no id"),
    (EVENT | {"time": -1}, "time"), (EVENT | {"time": "now"}, "time"), (EVENT | {"time": time.time() + 1e6}, "is to come"),
    (EVENT | {"behaviour": "looked"}, "'purchase'"), (EVENT | {"rating": "5"}, "rating"), (EVENT | {"rating": -1}, "ratings here are"),
    (EVENT | {"stars": 5}, "events[1].stars is no field"), ("u1", "events[1]"), (None, "events[1]")])
def test_an_event_that_cannot_be_and_with_it_all_of_its_request(serving, event, why):
    client, service = serving()
    refused(client.post("/events", json={"events": [EVENT, event]}), 422, why)
    assert service.store.history("u1") == []


@pytest.mark.parametrize("body, status, why", [
    (b"", 422, "The body is missing"), (b"{", 422, "no JSON"), (b"[]", 422, "JSON object"), (b"null", 422, "JSON object"), (b'{"events": []}', 422, "events"),
    (b'{"events": [{"user": "\\ud800", "item": "t01"}]}', 422, "no id"), (b"\xff\xfe", 422, "no JSON"),
    (b'{"events": [{"user": "u1", "item": "t01", "rating": NaN}]}', 422, "rating"), (b'{"events": [{"user": "u1", "item": "t01", "time": 1e999}]}', 422, "time"),
    (json.dumps({"events": [EVENT] * 1001}).encode(), 422, "1000"), (b" " * 1_000_001, 413, "larger than"), (b"[" * 100_000, 422, "JSON")])
def test_a_body_that_cannot_be(serving, body, status, why):
    client, service = serving()
    refused(client.post("/events", content=body, headers={"content-type": "application/json"}), status, why)
    assert service.store.history("u1") == []


@pytest.mark.parametrize("query, why", [
    ("k=0", "k"), ("k=-3", "k"), ("k=x", "k"), ("k=1.5", "k"), ("k=1001", "k"), ("user=", "user"), ("recent=t99", "no item 't99'"),
    ("recent=", "recent"), (f"user={'x' * 201}", "user"), ("recent=mint", "2 items are called")])
def test_a_question_that_cannot_be(serving, query, why):
    client, service = serving()
    refused(client.get(f"/recommend?{query}"), 422, why)
    assert service.store.impressions() == []


def test_other_things_that_are_refused(serving):
    client, _ = serving()
    refused(client.get("/nothing"), 404, "/recommend")
    refused(client.delete("/events"), 405, "method")
    refused(client.get("/docs"), 404, "no such address")
    refused(client.put("/stock", json={"stock": [{"item": "t01", "in_stock": "no"}]}), 422, "stock[0].in_stock")
    refused(client.put("/stock", json={"stock": [{"item": "t01", "in_stock": False}, {"item": "t99", "in_stock": False}]}), 422, "t99")
    assert client.get("/stock").json() == {"sold_out": []}
    refused(client.get("/recommend", headers={"host": "elsewhere.example"}), 400, "127.0.0.1")
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000"):
        assert client.get("/health", headers={"host": host}).status_code == 200


def test_an_endless_body_without_a_length_is_cut_off(serving):
    """Sent piece by piece, as a stream that does not say how long it is."""
    client, service = serving()
    with at_an_address(create_app(service)) as address:
        def pieces():
            for _ in range(400):
                yield b" " * 10_000

        with contextlib.suppress(httpx.TransportError):                     # it may hang up while we still send
            refused(httpx.post(f"{address}/events", content=pieces(), headers={"content-type": "application/json"}), 413)
        assert httpx.get(f"{address}/health").status_code == 200


def test_a_fault_of_ours_is_one_sentence_too(serving, monkeypatch, caplog):
    client, service = serving()
    monkeypatch.setattr(service.catalogue.ranking, "best", lambda *arguments: 1 / 0)
    refused(client.get("/recommend?user=u1"), 500, "its log says more")
    assert "ZeroDivisionError" in caplog.text


def test_a_key_is_needed_to_change_something_where_one_is_set(serving):
    client, _ = serving(key="k" * 20, local=False)
    told = {"json": {"events": [EVENT]}}
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer é".encode("latin-1")}):
        refused(client.post("/events", **told, headers=headers), 401, "key")
        for method, path in (("PUT", "/stock"), ("POST", "/versions"), ("POST", "/versions/back")):
            refused(client.request(method, path, json={}, headers=headers), 401, "key")
    assert client.post("/events", **told, headers={"authorization": "Bearer " + "k" * 20}).json()["accepted"] == 1
    assert client.get("/recommend", headers={"host": "shop.example"}).status_code == 200


def test_where_it_may_be_served():
    for host, key, why in (("0.0.0.0", None, "--key-file"), ("127.0.0.1", "short", "16"), ("203.0.113.1", "k" * 20, "cannot be served")):
        with pytest.raises(ModelError, match=why):
            listen(host, 0, key)
    with listen("127.0.0.1", 0, None) as taken, pytest.raises(ModelError, match="choose another"):
        taken.listen()
        listen("127.0.0.1", taken.getsockname()[1], None)
    with listen("0.0.0.0", 0, "k" * 20) as listening:
        assert listening.proto == socket.IPPROTO_TCP                    # else asyncio does not switch Nagle's delay of 40 ms off


# ------------------------------------------------------------------------------------------------ what is measured


def test_metrics_for_prometheus(serving):
    client, _ = serving()
    client.post("/versions", json={"name": "popularity", "share": 0.5})
    client.get("/recommend?user=u1&k=2")
    client.get("/anything/else"), client.get("/recommend?k=0")
    client.post("/events", json={"events": [EVENT, EVENT | {"id": "one"}, EVENT | {"id": "one"}]})
    from prometheus_client.parser import text_string_to_metric_families

    text = client.get("/metrics").text
    found = {(sample.name, *sorted(sample.labels.values())): sample.value
             for family in text_string_to_metric_families(text) for sample in family.samples}
    assert found["recbook_requests_total", "/recommend", "200"] == 1 == found["recbook_requests_total", "/recommend", "422"]
    assert found["recbook_events_total",] == 2 and found["recbook_requests_total", "404", "none"] == 1
    assert found["recbook_version_share", "popularity"] == 0.5 and "anything" not in text
    assert sum(value for key, value in found.items() if key[0] == "recbook_impressions_total") == 1


# ------------------------------------------------------------------------------------------------ the process


@contextlib.contextmanager
def process(run, *arguments):
    """`recbook serve` in a process of its own: (process, address)."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-m", "recbook", "serve", str(run), "--port", "0", *arguments], stderr=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = child.stderr.readline()
        assert " answers on http://" in line, line + child.stderr.read()
        yield child, line.partition(" answers on ")[2].split(";")[0]
    finally:
        child.kill()
        child.communicate()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of `recbook train`."""
    folder = tmp_path_factory.mktemp("runs") / "ease"
    assert main(["train", "--model", "ease", "--dataset", "shop:n_users=60,n_items=48,n_events=2000", "--out", str(folder)]) == 0
    return folder


def test_a_killed_service_has_every_event_that_it_accepted(run):
    """kill -9 while four tell it what happens; whatever it said yes to is there when it comes back, once."""
    accepted, lock = [], threading.Lock()

    def tell(address, teller):
        with httpx.Client(base_url=address) as client:
            for number in range(10_000):
                name = f"{teller}-{number}"
                try:
                    answer = client.post("/events", json={"events": [{"user": teller, "item": 3, "id": name}]})
                except httpx.TransportError:
                    return
                assert answer.json() == {"accepted": 1, "known": 0}
                with lock:
                    accepted.append((teller, name))

    with process(run) as (child, address):
        tellers = [threading.Thread(target=tell, args=(address, teller)) for teller in range(1000, 1004)]
        for teller in tellers:
            teller.start()
        while len(accepted) < 40:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        for teller in tellers:
            teller.join()
    store = open_store(f"{run}.sqlite")
    kept = [event.id for teller in range(1000, 1004) for event in store.history(teller)]
    store.close()
    assert len(kept) == len(set(kept)) and {name for _, name in accepted} <= set(kept)
    assert len(kept) <= len(accepted) + 4                               # what was on its way
    with process(run) as (child, address):                              # and the next one knows of it
        told = httpx.post(f"{address}/events", json={"events": [{"user": teller, "item": 3, "id": name} for teller, name in accepted[:9]]})
        assert told.json() == {"accepted": 0, "known": 9}
        child.send_signal(signal.SIGINT)
        assert child.wait(20) in (0, 130)


def test_killed_in_the_middle_of_swaps_it_loses_nothing_and_serves_whole_models(tmp_path):
    """`benchmarks/service_kills.py`, which kills fifty, on a small shop and twice."""
    shop = rb.load("shop", n_users=60, n_items=48, n_events=2000)
    measured = kills(shop, tmp_path, 2, say=lambda line: None)["measured"]
    counts = {name: one["value"] for name, one in measured.items()}
    assert counts["kills"] == 2 and min(counts[f"{what} accepted"] for what in ("events", "swaps")) > 0 < counts["lists answered"]
    for what in ("events lost", "events kept twice", "lists not kept", "lists of no model", "swaps lost"):
        assert counts[what] == 0, what


def test_serve_says_in_one_line_what_is_wrong(run, tmp_path, capsys, monkeypatch):
    empty = tmp_path / "key"
    empty.write_text("\n")
    for arguments, why in ((["--host", "0.0.0.0"], "--key-file"), (["--key-file", str(empty)], "is empty"),
                           (["--key-file", str(tmp_path / "none")], "No such file"), (["--store", str(tmp_path)], "unable to open")):
        capsys.readouterr()
        assert main(["serve", str(run), "--port", "0", *arguments]) == 1
        *_, last = capsys.readouterr().err.splitlines()
        assert last.startswith("recbook: ") and why in last
    assert main(["serve", str(tmp_path), "--port", "0"]) == 1
    with pytest.raises(SystemExit):
        main(["serve", "--port", "70000"])
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "recbook.service.server")
    assert main(["serve", str(run), "--port", "0"]) == 1 and "recbook[serving]" in capsys.readouterr().err


def test_export_of_a_run(run, tmp_path, capsys):
    assert main(["export", str(run), "--out", str(tmp_path / "ease.onnx"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["bytes"] == (tmp_path / "ease.onnx").stat().st_size
    assert main(["export", str(run), "--format", "saved-model"]) == 1
    assert "has no Keras twin" in capsys.readouterr().err


def test_export_of_a_twin(tmp_path, capsys):
    shop = rb.load("shop", n_users=60, n_items=48, n_events=2000)
    folder = tmp_path / "bpr"
    rb.save_model(rb.BPRMF(60, 48, dim=2), folder, name="bpr-mf", source={"dataset": "shop:n_users=60,n_items=48,n_events=2000"},
                  files=shop.files)
    assert main(["export", str(folder), "--format", "saved-model"]) == 0
    assert (folder / "saved_model" / "saved_model.pb").exists()
