"""The lens shows the weights, summaries and scores of the package's models, and true changes of the observer."""

import live
import numpy as np
import pytest
import torch

import recbook as rb


@pytest.fixture(scope="module")
def stored():
    arrays, values = live.stored("lens")
    shop = rb.load("shop")
    models = []
    for prefix, kind, settings in (("attentive", rb.AttentiveGRU, {}), ("sasrec", rb.SASRec, {"blocks": 1})):
        model = kind(shop.n_users, shop.n_items, dim=32, length=values["length"], behaviours=True, pauses=True, **settings)
        model.load_state_dict({key: torch.from_numpy(arrays[f"{prefix}.{key}"].astype(np.float32)) for key in model.state_dict()})
        models.append(model.double().eval())
    return arrays, values, shop, models


@pytest.fixture(scope="module")
def asked(computing, stored):
    """A hundred times one of the histories, events taken out and put in another order, and a candidate: what the page says."""
    arrays, values, shop, _ = stored
    rng, cases = np.random.default_rng(0), []
    for number in range(100):
        user = values["people"][number % len(values["people"])]
        told = arrays[f"events.{user}"]
        kept = rng.permutation(8)[: 1 + number % 8]
        events = [{"item": int(told[event, 0]), "behaviour": int(told[event, 1]), "time": int(told[place, 2])}
                  for event, place in zip(kept, sorted(rng.permutation(8)[:len(kept)]))]
        cases.append((events, int(told[-1, 2]), int(rng.integers(shop.n_items)), int(user)))
    said = computing("lens").evaluate("""cases => cases.map(([events, now, item, user, prior]) => [
        recbookLive.compute.lens.look(false, events, now, item), recbookLive.compute.lens.look(true, events, now, item),
        recbookLive.compute.lens.truth(events, now, prior)])""",
        [[*case, shop.truth.world.prior[case[3]].tolist()] for case in cases])
    return cases, said


def context_of(events, now, user):
    def row(name):
        return torch.tensor([[event[name] for event in events]])
    return rb.Context(users=torch.tensor([user]), items=row("item"), behaviours=row("behaviour"), times=row("time"),
                      ratings=torch.full((1, len(events)), torch.nan), now=torch.tensor([now]))


def test_weights_summaries_and_scores_are_the_packages(asked, stored):
    (attentive, sasrec), (cases, said) = stored[3], asked
    looks = []
    sasrec.stack[0].register_forward_pre_hook(lambda block, inputs: looks.append(block.weights(*inputs)[0, 0, -1]))
    for (events, now, item, user), (asking, looking, _) in zip(cases, said):
        context, candidate = context_of(events, now, user), torch.tensor([item])
        with torch.no_grad():
            weights, states = attentive.weights(context, candidate)[0, :, 0], attentive.states(context)[0]
            assert np.allclose(asking["weights"], weights, atol=1e-5)
            assert np.allclose(asking["summary"], weights @ states, atol=1e-4)
            assert np.allclose(asking["scores"], attentive.scores(context)[0], atol=1e-3)
            assert np.allclose(looking["scores"], sasrec.scores(context)[0], atol=1e-3)
            assert np.allclose(looking["weights"], looks[-1], atol=1e-5)
            assert np.allclose(looking["summary"], sasrec.final_state(context)[0], atol=1e-3)


def test_true_chances_are_the_observers(asked, stored):
    """Where the shop's law allows the history; a thing moved to a time before it was on sale tells the page nothing."""
    observer, (cases, said), possible = rb.Observer(stored[2], ratings=False), asked, 0
    launch = stored[2].truth.world.launch
    for (events, now, _, user), (*_, chances) in zip(cases, said):
        if all(launch[event["item"]] * 86_400 <= event["time"] - 1_735_689_600 for event in events):
            possible += 1
            assert np.allclose(chances, observer.scores(context_of(events, now, user))[0], atol=1e-5)
        assert np.sum(chances) == pytest.approx(1)
    assert possible > 80


def test_the_score_is_the_sum_that_it_says(open_live):
    """Read off the page: weights times relevances and the bias add up to the score, and so do the entries."""
    page = open_live("lens").page
    score, terms = page.locator(".lens-formula").first.inner_text().removeprefix("Score ").split(" = ")
    total = 0.0
    for term in terms.replace("− bias ", "+ bias -").replace("− ", "+ -1 × ").replace("−", "-").split(" + "):
        factors = [float(factor.removeprefix("bias ")) for factor in term.split(" × ")]
        total += np.prod(factors)
    assert total == pytest.approx(float(score), abs=0.02)
    assert float(page.locator(".lens-formula").nth(1).inner_text().split("score is ")[1].split(",")[0]) == pytest.approx(float(score), abs=0.002)


def test_the_status_says_what_a_removal_changes(open_live, asked, computing, stored):
    """And why: the same thing only looked at, and not bought, has the chance that it has without the event."""
    page = open_live("lens").page
    last = page.locator(".lens-table tr").first.locator("button").nth(7)
    title = last.get_attribute("title")
    last.click()
    said = page.locator(".lens-status").inner_text()
    assert f"{title} is out" in said and "last purchase" in said and "→" in said
    arrays, values, shop, _ = stored
    user = values["people"][0]
    told = arrays[f"events.{user}"]
    events = [{"item": int(item), "behaviour": int(behaviour), "time": int(time)} for item, behaviour, time in told[:8]]
    assert events[7]["behaviour"] == 3
    chance = [np.array(computing("lens").evaluate("args => recbookLive.compute.lens.truth(...args)", [some, int(told[8, 2]), shop.truth.world.prior[user].tolist()]))
              for some in (events, [*events[:7], events[7] | {"behaviour": 0}], events[:7])]
    bought, looked, without = (one[told[7, 0]] for one in chance)
    assert without > 3 * bought and abs(looked - without) < 0.1 * without
    last.click()
    assert f"{title} is back" in page.locator(".lens-status").inner_text()
    page.locator(".lens-table tr").first.locator("button").first.click()
    assert "in the truth: nothing" in page.locator(".lens-status").inner_text() and "last purchase" not in page.locator(".lens-status").inner_text()


def test_events_are_taken_out_and_swapped_with_keys_alone(open_live):
    opened = open_live("lens")
    page = opened.page
    events = page.locator(".lens-table tr").first.locator("button")
    before = page.locator(".lens-list").first.inner_text()
    events.first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert events.nth(7).get_attribute("aria-pressed") == "false" and "taken out" in page.locator("[aria-live]").inner_text()
    assert page.locator(".lens-list").first.inner_text() != before
    page.keyboard.press("Enter")
    assert page.locator(".lens-list").first.inner_text() == before
    names = [one.get_attribute("title") for one in events.all()]
    page.locator(".lens-swap button").nth(2).press("Enter")
    assert [one.get_attribute("title") for one in events.all()] == [*names[:2], names[3], names[2], *names[4:]]
    page.locator(".lens-strips").focus()
    page.keyboard.press("End")
    assert page.locator(".lens-strips").get_attribute("aria-valuetext").startswith("Entry 32: ")
    for n in range(8):
        if events.nth(n).get_attribute("aria-pressed") == "true":
            events.nth(n).press("Enter")
    assert "No event is left" in page.locator(".lens-formula").first.inner_text() and opened.errors == []


@pytest.mark.parametrize("address", ["0-01234566-x-x-c", "9-01234567-x-x-c", "0-01234567-33-x-c", "0-01234567-x-9999-c", "0-0123-x-x-c", "x"])
def test_an_address_that_cannot_be_starts_anew(computing, address):
    assert computing("lens").evaluate("text => recbookLive.compute.lens.decode(text, 6, 360)", address) is None
    assert computing("lens").evaluate("recbookLive.compute.lens.encode(recbookLive.compute.lens.decode('2-01243567-35-214-l', 6, 360))") == "2-01243567-35-214-l"
