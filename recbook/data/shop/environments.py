"""The shop as an environment of gymnasium, so that other libraries' agents can act in it."""

import gymnasium
import numpy as np


class RegularsEnv(gymnasium.Env):
    """One customer of `Regulars` at a time, from the first visit until they stay away for good."""

    metadata = {"render_modes": []}

    def __init__(self, regulars):
        self.regulars = regulars
        self.observation_space = gymnasium.spaces.Box(0, 1, (regulars.width,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(regulars.n_actions)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.taste = self.np_random.choice(self.regulars.n_tastes, p=self.regulars.prior)
        self.helpings = np.zeros(self.regulars.n_kinds, dtype=np.int64)
        return self.seen(), {}

    def step(self, action):
        law, slate = self.regulars, self.regulars.slates[action]
        chance = law.choice([self.taste], self.helpings[None], [action])[0]
        place = np.searchsorted(np.cumsum(chance)[:-1], self.np_random.random(), side="right")
        taken = slate[place] if place < law.places else -1
        reward, stay = (law.worth[taken], law.loyal[taken]) if taken >= 0 else (0.0, law.bored)
        rested = self.np_random.random() < law.rest
        self.helpings = law.after(self.helpings[None], [taken], [rested])[0]
        gone = self.np_random.random() >= stay
        return self.seen(), float(reward), bool(gone), False, {"taken": int(taken)}

    def seen(self):
        return self.regulars.describe([self.taste], self.helpings[None])[0]
