"""The first page's figure computes what the package computes, and can be played with keys alone."""

from types import SimpleNamespace

import live
import numpy as np
import pytest
import torch

import recbook as rb
from recbook.data.shop.pictures import draw_pictures

LAST_DAY = 1_735_689_600 + 364 * 86_400


@pytest.fixture(scope="module")
def stored():
    """The models with the weights of the page, in the package's own classes."""
    arrays, values = live.stored("customer")
    shop = rb.load("shop")
    sizes = shop.n_users, shop.n_items
    popularity, personal = rb.Popularity(*sizes), rb.PersonalPopularity(*sizes)
    knn = rb.ItemKNN(*sizes, k=arrays["neighbours"].shape[1], reads=values["reads"]["item neighbours"])
    svd = rb.PureSVD(*sizes, dim=arrays["factors"].shape[1], reads=values["reads"]["matrix factorization"])
    popularity.count.copy_(torch.from_numpy(arrays["count"].astype(float)))
    personal.count.copy_(popularity.count)
    knn.neighbours.copy_(torch.from_numpy(arrays["neighbours"].astype(int)))
    knn.weight.copy_(torch.from_numpy(arrays["nearness"].astype(np.float32)))
    svd.item.copy_(torch.from_numpy(arrays["factors"].astype(np.float32)))
    made = {"popularity": popularity, "personal popularity": personal, "item neighbours": knn, "matrix factorization": svd}
    told = {"behaviours": True, "pauses": True, "length": values["reads"]["networks"]}
    for name, prefix, model in (("GRU", "gru", rb.GRU4Rec(*sizes, dim=32, hidden=48, **told)),
                                ("self-attention", "sasrec", rb.SASRec(*sizes, dim=32, blocks=1, **told))):
        model.load_state_dict({key: torch.from_numpy(arrays[f"{prefix}.{key}"].astype(np.float32)) for key in model.state_dict()})
        made[name] = model.eval()
    made["observer"] = rb.Observer(shop, ratings=False)
    assert list(made) == values["names"]
    return SimpleNamespace(models=made, shop=shop, arrays=arrays, values=values)


def histories(shop, size=100):
    """Random ones of 0 to 200 events: [(items, behaviours, times, now)], of things that were on sale all year."""
    on_sale = np.flatnonzero(shop.truth.world.launch == 0)
    rng = np.random.default_rng(0)
    for number in range(size):
        length = (0, 1, 2, 200)[number] if number < 4 else int(rng.integers(3, 90))
        items = rng.choice(on_sale, size=length)
        gaps = np.where(rng.random(length + 1) < 0.2, rng.integers(4_000, 600_000, length + 1), rng.integers(15, 1_800, length + 1))
        times = LAST_DAY - gaps[::-1].cumsum()[::-1]
        yield items, rng.choice([0, 0, 0, 2, 3], size=length), times[:-1], LAST_DAY


@pytest.fixture(scope="module")
def asked(computing, stored):
    """A hundred histories of customer 7, and what the page says of each."""
    cases = list(histories(stored.shop))
    prior = stored.shop.truth.world.prior[7]
    events = [[[{"item": int(i), "behaviour": int(b), "time": int(t)} for i, b, t in zip(items, behaviours, times)], int(now)]
              for items, behaviours, times, now in cases]
    said = computing("customer").evaluate("([all, prior]) => all.map(([events, now]) => recbookLive.compute.customer.scores(events, now, prior))",
                                          [events, prior.tolist()])
    return cases, np.array(said)                                        # (100, 7, n_items)


def context_of(case):
    items, behaviours, times, now = case
    def row(values, kind=torch.long):
        return torch.tensor(np.asarray(values)[None], dtype=kind)
    return rb.Context(users=torch.tensor([7]), items=row(items), behaviours=row(behaviours), times=row(times),
                      ratings=torch.full((1, len(items)), torch.nan), now=torch.tensor([now]))


@pytest.mark.parametrize("place", range(7))
def test_scores_are_the_packages(asked, stored, place):
    """To 1e-3 of the largest score; the observer's are probabilities, and to 1e-5."""
    cases, said = asked
    name = stored.values["names"][place]
    with torch.no_grad():
        expected = np.concatenate([stored.models[name].scores(context_of(case)).numpy() for case in cases])
    scale = 0.01 if name == "observer" else max(1.0, np.abs(expected).max())
    assert np.abs(said[:, place] - expected).max() < 1e-3 * scale, name


def test_the_seven_were_trained_as_well_as_they_say(stored):
    """The stored ladder is that of the stored weights: two thousand questions, within their error."""
    split = rb.by_time(stored.shop).refit()
    some = split.test.subset(np.arange(len(split.test)) % 12 == 0)
    report = rb.compare(stored.models, on=some, metrics=["NDCG@10"])
    for name, told in zip(stored.values["names"], stored.values["ladder"]):
        low, high = report.reports[name].interval("NDCG@10")
        assert low - 0.01 < told < high + 0.01, name


def test_ndcg_is_the_metric_of_the_book(computing):
    rng = np.random.default_rng(1)
    scores, right = rng.normal(size=(100, 30)), rng.integers(30, size=100)
    said = computing("customer").evaluate("([all, right]) => all.map((one, n) => recbookLive.compute.customer.ndcg(one, right[n]))",
                                          [scores.tolist(), right.tolist()])
    rank = (scores > scores[np.arange(100), right][:, None]).sum(1)
    assert np.allclose(said, rb.metrics.ndcg(rb.metrics.Ranks(np.arange(100), rank, 100), 10))
    assert computing("customer").evaluate("recbookLive.compute.customer.ndcg([1, 1], 0)") == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_pictures_are_the_shops(computing, stored):
    """All but the speckle, a tenth of a shade."""
    drawn = draw_pictures(stored.shop.truth.world)
    for item in range(0, stored.shop.n_items, 31):
        painted = np.array(computing("customer").evaluate("item => recbookLive.compute.customer.paint(item, 32)", item)).reshape(32, 32, 4)
        inside = painted[..., 3] == 255
        assert (drawn[item][~inside] == 255).all()
        assert np.abs(painted[inside][:, :3] - drawn[item][inside].astype(float)).mean() < 8, item


def test_a_reader_guesses_with_keys_alone(open_live):
    opened = open_live("customer")
    page = opened.page
    page.locator(".customer-shelf button").first.focus()
    for key in ("ArrowRight", "ArrowDown", "Home", "Enter"):
        page.keyboard.press(key)
    assert "true probability" in page.locator(".customer-question").inner_text()
    assert page.locator(".customer-tile.right").count() >= 0 and page.locator(".customer-last").first.inner_text() != ""
    page.get_by_role("button", name="Next question").press("Enter")
    page.get_by_role("button", name="Show me").press("Enter")
    page.wait_for_timeout(400)
    assert page.url.split("#")[1].startswith("customer=g0.") and page.url.endswith(".x")
    assert "They looked at" in page.locator("[aria-live]").inner_text() and opened.errors == []


def test_a_link_is_an_experiment(open_live):
    """The same clicks, and so the same tally, from the address; and back in the address when one more is made."""
    played = open_live("customer", hash="customer=p3.33.4_12").page
    assert played.locator(".customer-past li").count() == 5 and "4 clicks" in played.locator("thead").inner_text()
    before = played.locator(".customer-table").inner_text()
    assert open_live("customer", hash="customer=p3.33.4_12").page.locator(".customer-table").inner_text() == before
    played.locator(".customer-shelf button").nth(2).click()
    played.wait_for_timeout(400)
    assert played.url.split("#")[1].startswith("customer=p3.33.4_12.")


@pytest.mark.parametrize("address", ["p99999", "g9", "g0.1.2.3.4.5.6.7.8.9.10.11.12.13", "g0.9999", "p1..2", "hello", "p" + ".".join(["1"] * 301)])
def test_an_address_that_cannot_be_starts_anew(computing, address, stored):
    sizes = [address, len(stored.values["people"]), stored.shop.n_items, 12]
    assert computing("customer").evaluate("args => recbookLive.compute.customer.decode(...args)", sizes) is None


def test_a_history_of_two_hundred_clicks(open_live):
    clicks = "p" + ".".join(str(number % 360) for number in range(200))
    opened = open_live("customer", hash=f"customer={clicks}")
    assert "200 clicks" in opened.page.locator("thead").inner_text() and opened.errors == []
