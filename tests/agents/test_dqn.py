"""Agents: their targets by hand, what they learn against what is best, and what breaks them."""

import numpy as np
import pytest
import torch

import recbook as rb
from recbook.agents import DQN, Replay, SlateQ, TabularWorld, greedy, value_iteration, worth
from recbook.errors import ModelError

SEEDS = range(5)


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop", n_users=60, n_events=600)


@pytest.fixture(scope="module")
def regulars(shop):
    """Two kinds, of which one earns twice as much and drives customers away; two levels."""
    return rb.Regulars(shop, kinds=("phones", "bikes"), levels=2, loyal=(0.95, 0.3), worth=(1, 2), bored=0.8)


@pytest.fixture(scope="module")
def world(regulars):
    return TabularWorld.of(regulars)


def everywhere(regulars):
    return regulars.seen(np.arange(regulars.n_states))


def share_of_best(agent, regulars, world):
    return worth(world, agent.act(everywhere(regulars))) / worth(world, greedy(value_iteration(world)))


def fixed(agent, values, target):
    """An agent whose networks give these values in every state."""
    with torch.no_grad():
        for network, what in ((agent.network, values), (agent.target, target)):
            for parameter in network.parameters():
                parameter.zero_()
            network[-1].bias.copy_(torch.tensor(what))
    return agent


BATCH = {"seen": torch.zeros(2, 3), "action": torch.tensor([0, 1]), "taken": torch.tensor([0, -1]),
         "reward": torch.tensor([1.0, 0]), "seen_next": torch.zeros(2, 3), "gone": torch.tensor([0.0, 1])}


def test_the_loss_by_hand():
    agent = fixed(DQN(3, 2, discount=0.5), values=[1.0, 3.0], target=[2.0, 4.0])
    # double: the network prefers action 1, the target values it 4: wanted 1 + .5 * 4 = 3 and, gone, 0
    assert agent.loss(BATCH).item() == pytest.approx(((1 - 3) ** 2 + (3 - 0) ** 2) / 2)
    fixed(agent, values=[3.5, 3.0], target=[2.0, 4.0])
    assert agent.loss(BATCH).item() == pytest.approx(((3.5 - 2) ** 2 + 3**2) / 2)              # it prefers 0, worth 2
    agent.double = False
    assert agent.loss(BATCH).item() == pytest.approx((0.5**2 + 3**2) / 2)                      # the target prefers 1


def test_hubers_loss_by_hand():
    agent = fixed(DQN(3, 2, discount=0.5, double=False, loss="huber"), values=[3.5, 3.0], target=[2.0, 4.0])
    assert agent.loss(BATCH).item() == pytest.approx((0.5 * 0.5**2 + (3.0 - 0.5)) / 2)


def test_squared_errors_seek_the_mean_and_hubers_do_not():
    """One action, which earns nothing nine times and ten once."""
    rewards = np.float32([0] * 9 + [10])
    log = Replay.of(seen=np.zeros((10, 1), np.float32), action=np.zeros(10, int), taken=np.zeros(10, int), reward=rewards,
                    seen_next=np.zeros((10, 1), np.float32), gone=np.ones(10, np.float32))
    found = {}
    for loss in ("squared", "huber"):
        agent = DQN(1, 1, layers=(4,), batch_size=256, learning_rate=0.01, loss=loss).learn_from(log, updates=600)
        found[loss] = agent.values(agent.network, torch.zeros(1, 1)).item()
    assert found["squared"] == pytest.approx(1.0, abs=0.2)
    assert found["huber"] == pytest.approx(1 / 9, abs=0.05)             # 9 q = 1: the pull of the ten is cut at one


def test_no_gradient_flows_through_the_target():
    agent = DQN(3, 2, seed=1)
    agent.loss(BATCH).backward()
    assert all(parameter.grad is None for parameter in agent.target.parameters())
    assert any(parameter.grad.abs().sum() > 0 for parameter in agent.network.parameters())


def test_a_slate_is_worth_the_mean_of_what_may_be_taken(shop):
    """SlateQ's decomposition is exact here: the values of value iteration, taken apart and put together again."""
    regulars = rb.Regulars(shop, kinds=("phones", "teas", "bikes"), places=2, levels=2, loyal=(0.9, 0.8, 0.5))
    rewards, following, chances = regulars.outcomes()
    q = value_iteration(TabularWorld.of(regulars))
    values, choices = q.max(1), regulars.choices(torch.from_numpy(everywhere(regulars))).numpy()
    single = np.full((regulars.n_states, 4), np.nan)                    # of each kind, and of nothing
    later = (chances * values[following]).reshape(*q.shape, 3, 2).sum(3) / choices          # (S, A, K + 1)
    for action, slate in enumerate(regulars.slates):
        for place, kind in enumerate([*slate, 3]):
            found = later[:, action, place] + (regulars.worth[kind] if kind < 3 else 0)
            same = np.isnan(single[:, kind]) | np.isclose(single[:, kind], found, atol=1e-4)
            assert same.all()                                           # the same on whichever slate it stands
            single[:, kind] = found
    agent = SlateQ.of(regulars)
    put = agent.values(lambda seen: torch.tensor(single, dtype=torch.float32), torch.from_numpy(everywhere(regulars)))
    assert put.numpy() == pytest.approx(q, abs=1e-4)


def test_five_seeds_reach_nine_tenths_of_the_best(regulars, world):
    myopic = worth(world, greedy(world.rewards)) / worth(world, greedy(value_iteration(world)))
    assert myopic < 0.8
    for seed in SEEDS:
        agent = DQN(regulars.width, regulars.n_actions, layers=(32,), learning_rate=3e-3, train_every=2, seed=seed)
        assert share_of_best(agent.learn(rb.ShopEnv(regulars), 3000), regulars, world) > 0.9


@pytest.mark.parametrize("broken", [
    {"discount": 0.0},                                                  # it does not look ahead
    {"target_every": None},                                             # what it looks at never learns
    {"reward": -1},                                                     # the sign turned over
])
def test_a_broken_agent_does_not(regulars, world, broken):
    environment = rb.ShopEnv(regulars)
    if broken.pop("reward", 1) < 0:
        step = environment.step
        environment.step = lambda action: (lambda seen, reward, *rest: (seen, -reward, *rest))(*step(action))
    shares = []
    for seed in range(3):
        agent = DQN(regulars.width, regulars.n_actions, layers=(32,), learning_rate=3e-3, train_every=2, seed=seed,
                    **broken)
        shares.append(share_of_best(agent.learn(environment, 3000), regulars, world))
    assert np.mean(shares) < 0.9


def test_the_same_seed_is_the_same_agent(regulars):
    one, two = (DQN(regulars.width, regulars.n_actions, seed=3).learn(rb.ShopEnv(regulars), 300) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.network.parameters(), two.network.parameters()))


def test_a_replay_forgets_the_oldest():
    replay = Replay(2, 1)
    for number in range(3):
        replay.add(seen=[number], action=number, taken=0, reward=0.0, seen_next=[0.0], gone=0.0)
    assert len(replay) == 2 and sorted(replay.columns["action"].tolist()) == [1, 2]


def test_what_cannot_be_is_refused_by_name(regulars):
    for settings, word in [({"discount": 1.1}, "discount"), ({"epsilon": 0.1}, "epsilon"), ({"memory": 0}, "memory"),
                           ({"epsilon": (2, 0)}, "epsilon"), ({"target_every": 1.5}, "target_every"),
                           ({"learning_rate": -1}, "learning_rate"), ({"loss": "absolute"}, "loss"), ({"layers": ()}, "layers")]:
        with pytest.raises(ModelError, match=word):
            DQN(3, 2, **settings)
    with pytest.raises(ModelError, match="environment shows"):
        DQN(3, 2).learn(rb.ShopEnv(regulars), 10)
    with pytest.raises(ModelError, match="log is empty"):
        DQN(3, 2).learn_from(Replay(4, 3))
    with pytest.raises(ModelError, match="lower learning_rate"):
        DQN(3, 2).learn_from(Replay.of(**{**BATCH, "reward": torch.tensor([float("nan"), 0])}), updates=1)
