"""Agents that learn by acting, and planning where the law is known."""

from recbook.agents.dqn import DQN, Replay, SlateQ
from recbook.agents.planning import TabularWorld, greedy, policy_value, value_iteration, worth
from recbook.agents.reinforce import Reinforce

__all__ = ["DQN", "Reinforce", "Replay", "SlateQ", "TabularWorld", "greedy", "policy_value", "value_iteration", "worth"]
