"""Agents in the shop in the long run: what they earn a customer, exact, beside the myopic and the best policy.

shop_policies: one kind a visit. DQN with its parts taken out one at a time, the same agent of stable-baselines3 (Raffin
et al., *Stable-Baselines3: Reliable Reinforcement Learning Implementations*, JMLR 2021) with the same network, budget
and settings, REINFORCE, and DQN from logs. shop_policies_small: these two in a world of 24 states. shop_slates: two
kinds of six a visit, DQN over fifteen slates, SlateQ, and REINFORCE from a log (ten seeds, the others five). What an
agent would do in each state is read off, and the value of that policy is the solution of a linear system: no visit is
drawn to measure it. Settings were chosen on another seed than those reported.

stable-baselines3 is no part of the project: pip install stable-baselines3==2.9.2, or name the other rows by --only.
"""

import argparse
import sys
import time
from importlib.metadata import version
from unittest.mock import patch

import numpy as np
import torch
from scipy import stats

import recbook
from recbook import results
from recbook.agents import DQN, Reinforce, Replay, SlateQ, TabularWorld, greedy, value_iteration, worth
from recbook.agents.dqn import LOSSES

SEEDS = (0, 1, 2, 3, 4)
STEPS = 20_000
WORLD = {"loyal": (0.97, 0.97, 0.97, 0.5), "worth": (1, 1, 1, 2), "bored": 0.85}
SMALL = {"kinds": ("phones", "bikes"), "levels": 2, "loyal": (0.95, 0.3), "worth": (1, 2), "bored": 0.8}
SLATES = {"kinds": ("phones", "teas", "jackets", "boots", "lamps", "bikes"), "places": 2, "levels": 3,
          "loyal": (0.97, 0.97, 0.97, 0.97, 0.97, 0.5), "worth": (1, 1, 1, 1, 1, 2), "bored": 0.85}
SETTINGS = {"learning_rate": 1e-3, "batch_size": 64, "train_every": 2, "target_every": 250, "epsilon": (1.0, 0.05),
            "loss": "squared"}
AGENTS = {
    "dqn": ("DQN", {}),
    "no replay": ("DQN that learns from the last visit alone", {"memory": 1}),
    "no target network": ("DQN without a target network", {"target_every": 1}),
    "frozen target": ("DQN whose target network never moves", {"target_every": None}),
    "not double": ("DQN, not double", {"double": False}),
    "huber": ("DQN with Huber's loss", {"loss": "huber"}),
    "huber not double": ("DQN with Huber's loss, not double", {"loss": "huber", "double": False}),
    "huber no target network": ("DQN with Huber's loss, without a target network", {"loss": "huber", "target_every": 1}),
    "huber myopic": ("DQN with Huber's loss and a discount of 0", {"loss": "huber", "discount": 0.0}),
    "myopic dqn": ("DQN with a discount of 0", {"discount": 0.0}),
    "no exploration": ("DQN that never explores", {"epsilon": (0.0, 0.0)}),
}
LOGS = (1_000, 10_000)  # visits


def value_of(world, policies):
    """What policies earn a customer, one policy a seed: the mean, its 95 % interval (Student's) and each value."""
    values = [worth(world, policy) for policy in policies]
    found = {"value": float(np.mean(values)), "values": values}
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else 0.0
    return found | {"low": found["value"] - half, "high": found["value"] + half}


def actions(agent, regulars):
    """What an agent does in every state: (S,)."""
    return agent.act(regulars.seen(np.arange(regulars.n_states)))


def dqn(regulars, seed, **settings):
    return DQN(regulars.width, regulars.n_actions, seed=seed, **{**SETTINGS, **settings})


def stranger(regulars, seed, steps=STEPS, **settings):
    """stable-baselines3's DQN (which is not double) with the settings of ours, and its own clipping of gradients off.

    Its loss is Huber's and no setting: `loss="squared"` puts torch's squared error in that function's place.
    """
    try:
        from stable_baselines3 import DQN as Theirs
    except ImportError:
        sys.exit("stable-baselines3 is no part of the project: pip install stable-baselines3==2.9.2, "
                 "or name the other rows by --only.")
    chosen = {"layers": (64, 64), **SETTINGS, **settings}
    agent = Theirs("MlpPolicy", recbook.ShopEnv(regulars), learning_rate=chosen["learning_rate"], gamma=1.0,
                   buffer_size=50_000, learning_starts=chosen["batch_size"], batch_size=chosen["batch_size"],
                   train_freq=chosen["train_every"], gradient_steps=1,
                   target_update_interval=chosen["train_every"] * chosen["target_every"], exploration_fraction=0.5,
                   exploration_final_eps=chosen["epsilon"][1], max_grad_norm=1e9, seed=seed, device="cpu",
                   policy_kwargs={"net_arch": list(chosen["layers"])})
    with patch.object(torch.nn.functional, "smooth_l1_loss", LOSSES[chosen["loss"]]):
        agent.learn(steps)
    return agent.predict(regulars.seen(np.arange(regulars.n_states)), deterministic=True)[0]


def replay_of(regulars, log):
    return Replay.of(seen=regulars.seen(log["state"].to_numpy()), action=log["action"].to_numpy(),
                     taken=log["taken"].to_numpy(), reward=log["reward"].to_numpy(np.float32),
                     seen_next=regulars.seen(log["next_state"].to_numpy()), gone=log["gone"].to_numpy(np.float32))


def promised(agent, regulars):
    """What an agent believes that a new customer will bring."""
    with torch.no_grad():
        seen = torch.from_numpy(regulars.seen(np.arange(regulars.n_states)))
        return float(regulars.start @ agent.values(agent.network, seen).max(1).values.numpy())


def earned_and_promised(agents, regulars, world):
    """What the policies of agents earn, and what each agent promises."""
    promises = [promised(agent, regulars) for agent in agents]
    return {"value": value_of(world, [actions(agent, regulars) for agent in agents]),
            "promised": {"value": float(np.mean(promises)), "values": promises}}


def from_a_log(regulars, writer, visits, seed, loss="squared"):
    """An agent that learns from so many visits that a policy wrote down."""
    log = regulars.log(writer, customers=visits, seed=seed).head(visits)            # those of the first customers
    return dqn(regulars, seed, target_every=100, loss=loss).learn_from(replay_of(regulars, log), updates=5_000)


def best_slates(policy, regulars):
    """The slate of the K kinds that a policy of kinds gives the highest chances, in every state: (S,)."""
    chances = policy.propensities(regulars.seen(np.arange(regulars.n_states)))              # (S, C)
    kinds = np.sort(np.argsort(-chances, axis=1)[:, :regulars.places], axis=1)
    return (kinds[:, None] == regulars.slates).all(2).argmax(1)


def from_random_slates(regulars, writer, seed, top_k):
    """REINFORCE from 20,000 visits with random slates: what it shows in every state."""
    log = regulars.log(writer, customers=10_000, seed=seed).head(STEPS)
    log = log[log["taken"] >= 0]
    policy = Reinforce(regulars.width, regulars.n_kinds, regulars.places, seed=seed).learn_from(
        regulars.seen(log["state"].to_numpy()), log["taken"], log["return"],
        np.full(len(log), regulars.places / regulars.n_kinds), updates=1_000, top_k=top_k)
    return best_slates(policy, regulars)


def one_kind(regulars, world):
    """Rows {name: (title, measured, settings)} of shop_policies."""
    best, myopic = value_iteration(world), greedy(world.rewards)
    uniform = np.full(world.rewards.shape, 1 / regulars.n_actions)
    exact = {"best": ("Value iteration", greedy(best)), "myopic": ("Best reward of the next visit", myopic),
             "uniform": ("At random", uniform)}
    for name, (title, policy) in exact.items():
        yield name, lambda: (title, {"value": value_of(world, [policy])}, {})
    for name, (title, settings) in AGENTS.items():
        def learnt():
            agents = [dqn(regulars, seed, **settings).learn(recbook.ShopEnv(regulars), STEPS) for seed in SEEDS]
            return title, earned_and_promised(agents, regulars, world), {**SETTINGS, **settings, "steps": STEPS}
        yield name, learnt
    for name, title, loss in (("stable-baselines3", "DQN of stable-baselines3, squared errors", "squared"),
                              ("stable-baselines3 huber", "DQN of stable-baselines3, its own loss (Huber's)", "huber")):
        yield name, lambda: (title, {"value": value_of(world, [
            stranger(regulars, seed, loss=loss) for seed in SEEDS])}, {
                **SETTINGS, "loss": loss, "double": False, "steps": STEPS, "version": version("stable-baselines3")})
    yield "reinforce", lambda: ("REINFORCE", {"value": value_of(world, [
        np.eye(regulars.n_actions)[Reinforce(regulars.width, regulars.n_kinds, seed=seed).learn(
            regulars, rounds=150, customers=100, seed=seed).propensities(
            regulars.seen(np.arange(regulars.n_states))).argmax(1)]
        for seed in SEEDS])}, {"rounds": 150, "customers": 100})
    careful = 0.95 * myopic + 0.05 * uniform
    for visits in LOGS:
        for name, writer in (("random", uniform), ("myopic", careful)):
            for loss in ("squared", "huber"):
                def learnt():
                    agents = [from_a_log(regulars, writer, visits, seed, loss) for seed in SEEDS]
                    title = f"DQN{', loss of Huber,' if loss == 'huber' else ''} from a log of {visits:,} {name} visits"
                    return title, earned_and_promised(agents, regulars, world), {**SETTINGS, "target_every": 100, "loss": loss, "updates": 5_000}
                yield f"log {name} {visits}{' huber' if loss == 'huber' else ''}", learnt


def small(regulars, world):
    """Rows of shop_policies_small: the world in which the package's tests ask DQN for nine tenths of the best."""
    settings, steps = {"layers": (32,), "learning_rate": 3e-3}, 6_000
    for name, title, policy in (("best", "Value iteration", greedy(value_iteration(world))),
                                ("myopic", "Best reward of the next visit", greedy(world.rewards))):
        yield name, lambda: (title, {"value": value_of(world, [policy])}, {})
    yield "dqn small", lambda: ("DQN", {"value": value_of(world, [
        actions(dqn(regulars, seed, **settings).learn(recbook.ShopEnv(regulars), steps), regulars)
        for seed in SEEDS])}, {**SETTINGS, **settings, "steps": steps})
    yield "stable-baselines3 small", lambda: ("DQN of stable-baselines3", {"value": value_of(world, [
        stranger(regulars, seed, steps, **settings) for seed in SEEDS])}, {
            **SETTINGS, **settings, "double": False, "steps": steps, "version": version("stable-baselines3")})


def two_kinds(regulars, world):
    """Rows of shop_slates."""
    uniform = np.full(world.rewards.shape, 1 / regulars.n_actions)
    for name, title, policy in (("best", "Value iteration", greedy(value_iteration(world))),
                                ("myopic", "Best reward of the next visit", greedy(world.rewards)),
                                ("uniform", "At random", uniform)):
        yield name, lambda: (title, {"value": value_of(world, [policy])}, {})
    for steps in (5_000, STEPS):
        yield f"dqn {steps}", lambda: (f"DQN, {steps:,} visits", {"value": value_of(world, [
            actions(dqn(regulars, seed).learn(recbook.ShopEnv(regulars), steps), regulars) for seed in SEEDS])},
            {**SETTINGS, "steps": steps})
        yield f"slateq {steps}", lambda: (f"SlateQ, {steps:,} visits", {"value": value_of(world, [
            actions(SlateQ.of(regulars, seed=seed, **SETTINGS).learn(recbook.ShopEnv(regulars), steps), regulars)
            for seed in SEEDS])}, {**SETTINGS, "steps": steps})
    for name, title, top_k in (("reinforce top-k", "REINFORCE from a log, top-k correction", True),
                               ("reinforce plain", "REINFORCE from a log, without it", False)):
        yield name, lambda: (title, {"value": value_of(world, [
            from_random_slates(regulars, uniform, seed, top_k) for seed in range(10)])},
            {"visits": STEPS, "updates": 1_000, "cap": 10.0, "top_k": top_k})


TABLES = {
    "shop_policies": ("Agents in the shop in the long run", WORLD, one_kind),
    "shop_policies_small": ("Agents in the shop in the long run, a small world", SMALL, small),
    "shop_slates": ("Agents in the shop in the long run, two kinds of six a visit", SLATES, two_kinds),
}
PROTOCOL = ("Reward a customer brings until they stay away for good, exact for each learned policy; of agents the mean "
            "over seeds and its 95 % interval (Student's).")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="rows to measure, as in 'dqn' or 'slateq 5000'")
    arguments = parser.parse_args()
    for name, (title, settings, rows) in TABLES.items():
        start = time.perf_counter()
        shop = recbook.load("shop")
        regulars = recbook.Regulars(shop, **settings)
        world = TabularWorld.of(regulars)
        made = time.perf_counter() - start                              # what every row needs
        for row, measure in rows(regulars, world):
            if arguments.only and row not in arguments.only:
                continue
            start = time.perf_counter()
            label, measured, chosen = measure()
            print(row, measured, flush=True)
            results.save(name, title, PROTOCOL, {row: {"title": label, "measured": measured, "published": {},
                                                       "source": "", "settings": chosen}}, shop,
                         made + time.perf_counter() - start, range(len(measured["value"]["values"])))


if __name__ == "__main__":
    main()
