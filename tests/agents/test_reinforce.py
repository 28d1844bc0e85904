"""REINFORCE: its gradient against the true one, its weights by hand, and what it learns."""

import numpy as np
import pytest
import torch

import recbook as rb
from recbook.agents import Reinforce, TabularWorld, greedy, value_iteration, worth
from recbook.errors import ModelError


@pytest.fixture(scope="module")
def regulars():
    shop = rb.load("shop", n_users=60, n_events=600)
    return rb.Regulars(shop, kinds=("phones", "bikes"), levels=2, loyal=(0.95, 0.3), worth=(1, 2), bored=0.8)


def gradient(policy):
    return torch.cat([parameter.grad.ravel() for parameter in policy.network.parameters()])


def test_its_gradient_is_that_of_the_value(regulars):
    """One visit, and the value as a sum: the mean of the estimate is its gradient."""
    policy = Reinforce(regulars.width, 2, layers=(4,), entropy=0.0, seed=2)
    seen = torch.from_numpy(regulars.seen([0]))
    reward = torch.tensor([0.3, 1.1])
    (-(policy.network(seen).softmax(1) @ reward)).sum().backward()
    true = gradient(policy).clone()
    policy.network.zero_grad()
    n = 40_000
    taken = torch.multinomial(policy.network(seen).softmax(1)[0], n, replacement=True,
                              generator=torch.Generator().manual_seed(0))
    policy.loss(seen.expand(n, -1), taken, reward[taken]).backward()
    assert torch.allclose(gradient(policy), true, atol=0.02)
    policy.network.zero_grad()                                          # drawn by another policy, and corrected
    other = torch.tensor([0.8, 0.2])
    taken = torch.multinomial(other, n, replacement=True, generator=torch.Generator().manual_seed(0))
    weights = policy.network(seen).softmax(1)[0].detach()[taken] / other[taken]
    policy.loss(seen.expand(n, -1), taken, reward[taken], weights).backward()
    assert torch.allclose(gradient(policy), true, atol=0.02)


def test_it_learns_to_think_ahead(regulars):
    world = TabularWorld.of(regulars)
    best, myopic = (worth(world, greedy(values)) for values in (value_iteration(world), world.rewards))
    for seed in range(3):
        policy = Reinforce(regulars.width, 2, seed=seed).learn(regulars, rounds=60, customers=60, seed=seed)
        earned = worth(world, policy.propensities(regulars.seen(np.arange(regulars.n_states))))
        assert earned > myopic + 0.7 * (best - myopic)


def test_from_a_log_the_correction_is_what_helps(regulars):
    """The myopic shop's log, where nearly all visits show the same: without weights the log's habits are learnt."""
    world = TabularWorld.of(regulars)
    writer = 0.8 * greedy(world.rewards) + 0.1
    log = regulars.log(writer, customers=3000)
    seen, states = regulars.seen(log["state"].to_numpy()), regulars.seen(np.arange(regulars.n_states))
    earned = {}
    for corrected in (True, False):
        policy = Reinforce(regulars.width, 2, seed=0).learn_from(seen, log["action"], log["return"], log["propensity"],
                                                                 updates=400, corrected=corrected, top_k=False)
        earned[corrected] = worth(world, policy.propensities(states))
    assert earned[True] > earned[False] + 0.1


def test_what_cannot_be_is_refused(regulars):
    with pytest.raises(ModelError, match="entropy"):
        Reinforce(3, 2, entropy=-1)
    with pytest.raises(ModelError, match="above 0"):
        Reinforce(3, 2).learn_from(np.zeros((1, 3), np.float32), [0], [1.0], [0.0])
    shop = rb.load("shop", n_users=60, n_events=600)
    with pytest.raises(ModelError, match="one kind a slate"):
        Reinforce(10, 4).learn(rb.Regulars(shop, places=2))
