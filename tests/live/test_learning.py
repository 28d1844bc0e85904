"""The figure of matrix factorization has the package's losses, gradients and optimiser, and can be moved by keys."""

import numpy as np
import pytest
import torch

import recbook as rb
from recbook.data.batches import Batch


def cases():
    """A hundred random models and batches: (sizes, weights as the page lays them out, batch, penalty)."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        users, items, dim, n = (int(rng.integers(low, high)) for low, high in ((2, 8), (3, 10), (1, 5), (1, 12)))
        sizes = {"users": users, "items": items, "dim": dim}
        weights = rng.normal(0, 0.7, users * dim + items * dim + users + items + 1)
        batch = {"users": rng.integers(0, users, n), "items": rng.integers(0, items, n), "others": rng.integers(0, items, n),
                 "ratings": rng.integers(1, 6, n)}
        yield sizes, weights, batch, float(rng.choice([0.0, 0.01, 0.3]))


def model_of(kind, sizes, weights, l2):
    model = kind(sizes["users"], sizes["items"], dim=sizes["dim"], l2=l2).double()
    parts = parameters(model)
    with torch.no_grad():
        for part, values in zip(parts, np.split(weights, np.cumsum([part.numel() for part in parts])[:-1])):
            part.copy_(torch.from_numpy(values).view(part.shape))
    return model


def parameters(model):
    return [model.user.weight, model.item.weight, model.user_bias, model.item_bias, model.bias]


@pytest.mark.parametrize("name, kind", [("bpr", rb.BPRMF), ("squared", rb.FunkSVD)])
def test_losses_and_gradients_are_those_of_the_package(computing, name, kind):
    given = list(cases())
    said = computing("learning").evaluate(f"given => given.map(([sizes, w, batch, l2]) => recbookLive.compute.learning.{name}(w, sizes, batch, l2))",
                                          [[sizes, w.tolist(), {key: one.tolist() for key, one in batch.items()}, l2] for sizes, w, batch, l2 in given])
    for (sizes, w, batch, l2), found in zip(given, said):
        model = model_of(kind, sizes, w, l2)
        tensors = {key: torch.from_numpy(one) for key, one in batch.items()}
        loss = model.loss(Batch(tensors["users"], tensors["items"], negatives=tensors["others"][:, None], ratings=tensors["ratings"]))
        loss.backward()
        gradient = np.concatenate([(torch.zeros_like(one) if one.grad is None else one.grad).numpy().ravel() for one in parameters(model)])
        assert found["loss"] == pytest.approx(loss.item(), abs=1e-6) and np.abs(gradient - found["gradient"]).max() < 1e-6


def test_adam_is_pytorchs(computing):
    rng, given = np.random.default_rng(1), []
    for _ in range(100):
        given.append([rng.normal(size=6).tolist(), rng.normal(size=(int(rng.integers(1, 9)), 6)).tolist(), float(rng.choice([0.003, 0.05, 0.5]))])
    said = computing("learning").evaluate("given => given.map(([w, g, rate]) => recbookLive.compute.learning.adam(w, g, rate))", given)
    for (w, gradients, rate), found in zip(given, said):
        weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([weight], lr=rate)
        for one in gradients:
            weight.grad = torch.tensor(one, dtype=torch.float64)
            optimiser.step()
        assert np.abs(weight.detach().numpy() - found).max() < 1e-6


def test_a_list_is_the_packages(computing):
    """Scores of a trained page's weights, put into the package's model."""
    for mode, kind in (("clicks", rb.BPRMF), ("stars", rb.FunkSVD)):
        for user in (0, 3, 39):
            found = computing("learning").evaluate("state => recbookLive.compute.learning.train(state)", {"mode": mode, "user": user, "steps": 60})
            model = model_of(kind, {"users": 40, "items": 36, "dim": 2}, np.array(found["w"]), 0.01)
            scores = model.scores(rb.Context(users=torch.tensor([user])))[0].detach().numpy()
            assert np.abs(scores - found["scores"]).max() < 1e-3


def test_what_the_caption_says(computing):
    """Without a penalty the error on held-back ratings falls and then rises above its start, while that on the others falls; with the
    largest one it ends below its start."""
    for seed in range(5):
        free, held = (np.array(computing("learning").evaluate("state => recbookLive.compute.learning.train(state).seen",
                      {"mode": "stars", "rate": 1, "penalty": penalty, "seed": seed, "steps": 800})) for penalty in (0, 5))
        turn = free[:, 2].argmin()
        assert 20 <= free[turn, 0] <= 200 and free[turn, 2] < free[0, 2] - 0.03 and free[-1, 2] > free[0, 2] + 0.1
        assert free[-1, 1] < 0.9 and held[-1, 2] < held[0, 2] - 0.02
        clicks = np.array(computing("learning").evaluate("state => recbookLive.compute.learning.train(state).seen", {"steps": 100, "seed": seed}))
        assert clicks[0, 1] == clicks[0, 2] == 0.5 and clicks[-1, 1] > 0.75 and clicks[-1, 2] > 0.6


def test_ratings_begin_with_settings_of_their_own(open_live):
    page = open_live("learning").page
    page.get_by_role("radio", name="ratings").click()
    page.wait_for_function("location.hash === '#learning=stars.1.0.0.0.3'")
    assert "before the first step" in page.locator(".learning-told").inner_text()
    page.get_by_role("radio", name="clicks").click()
    page.wait_for_function("location.hash === ''")
    finished = open_live("learning", hash="learning=stars.1.0.800.0.3").page
    assert finished.get_by_role("button", name="Run again").is_enabled() and finished.get_by_role("button", name="Step", exact=True).is_disabled()


def test_a_customer_is_moved_by_keys_and_let_go(open_live):
    page = open_live("learning", hash="learning=clicks.3.2.200.0.3").page
    handle, first = page.locator(".learning-handle"), page.locator(".learning-list li").first
    before = page.locator(".learning-list").inner_text()
    handle.focus()
    for _ in range(15):
        page.keyboard.press("ArrowLeft")
    page.locator(".learning-where", has_text="Moved by hand").wait_for()
    assert page.locator(".learning-list").inner_text() != before
    assert first.locator("span").first.inner_text() in handle.get_attribute("aria-valuetext")
    page.wait_for_function("location.hash.includes('.m')")
    page.keyboard.press("Escape")
    page.wait_for_function("text => document.querySelector('.learning-list').innerText === text", arg=before)


def test_a_customer_is_dragged(open_live):
    page = open_live("learning", hash="learning=clicks.3.2.200.0.3").page
    box = page.locator(".learning-handle circle").last.bounding_box()
    plane = page.locator(".learning-plane").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(plane["x"] + plane["width"] * 0.25, plane["y"] + plane["height"] * 0.5, steps=4)
    page.mouse.up()
    page.locator(".learning-where", has_text="Moved by hand to (-").wait_for()


def test_it_runs_while_the_window_changes_and_stops(open_live):
    opened = open_live("learning", motion="no-preference")
    page = opened.page
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("Number(document.querySelector('.learning-told').innerText.match(/Step (\\d+)/)[1]) > 20")
    page.set_viewport_size({"width": 390, "height": 700})
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Run").wait_for()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")    # the last step is drawn
    stopped = page.locator(".learning-told").inner_text()
    page.wait_for_timeout(200)
    assert page.locator(".learning-told").inner_text() == stopped and opened.errors == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("text", ["clicks.3.2.9999.0.3", "clicks.3.2.100.0.40", "clicks.3.2.100.0.3.m1", "clicks.3.2.100.0.3.mx.p1"])
def test_an_address_out_of_bounds_starts_anew(open_live, text):
    opened = open_live("learning", hash=f"learning={text}")
    assert "starts anew" in opened.page.locator(".live-notice").inner_text() and opened.errors == []
