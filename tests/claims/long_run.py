EQUALLY_LOYAL = """
import numpy as np
from recbook.data.shop.regulars import Regulars
sound_start = Regulars.__init__
def start(self, dataset, **settings):
    sound_start(self, dataset, **settings | {"loyal": np.max(settings.get("loyal", 0.95))})
Regulars.__init__ = start
"""

NOBODY_TIRES = """
from recbook.data.shop.regulars import Regulars
sound_start = Regulars.__init__
def start(self, dataset, **settings):
    sound_start(self, dataset, **settings | {"tire": 1.0})
Regulars.__init__ = start
"""

REWARD_TURNED_ROUND = """
from recbook.data.shop.regulars import Regulars
sound_log = Regulars.log
Regulars.log = lambda self, *arguments, **named: sound_log(self, *arguments, **named).assign(
    reward=lambda log: -log["reward"])
"""

ALWAYS_THE_SAME = """
import numpy as np
from recbook.data.shop.regulars import Regulars
sound_log = Regulars.log
def log(self, policy, *arguments, **named):
    return sound_log(self, np.eye(self.n_actions)[np.argmax(policy, axis=1)], *arguments, **named)
Regulars.log = log
"""

MYOPIC_AGENT = """
import recbook.agents
sound_start = recbook.agents.DQN.__init__
def start(self, *sizes, **settings):
    sound_start(self, *sizes, **settings | {"discount": 0.0})
recbook.agents.DQN.__init__ = start
"""

TARGET_FROZEN = """
import recbook.agents
sound_start = recbook.agents.DQN.__init__
def start(self, *sizes, **settings):
    sound_start(self, *sizes, **settings | {"target_every": None})
recbook.agents.DQN.__init__ = start
"""

NEVER_EXPLORES = """
import recbook.agents
sound_start = recbook.agents.DQN.__init__
def start(self, *sizes, **settings):
    sound_start(self, *sizes, **settings | {"epsilon": (0.0, 0.0)})
recbook.agents.DQN.__init__ = start
"""

TAKEN_OUT = [
    ("all kinds keep customers equally well", ["0.58 < share < 0.64", "0.9 > 0.65 > now['all of it']"], EQUALLY_LOYAL),
    ("nobody tires", ["0.07 < seldom[3] < 0.11"], NOBODY_TIRES),
    ("a log without exploration", ["many > 0.85"], ALWAYS_THE_SAME),
    ("an agent without exploration", ["min(learnt) > 0.9"], NEVER_EXPLORES),
]

RIVALS = [
    ("the reward turned round", ["many > 0.85"], REWARD_TURNED_ROUND),
    ("an agent that does not look ahead", ["min(learnt) > 0.9"], MYOPIC_AGENT),
    ("a target that never moves", ["min(learnt) > 0.9"], TARGET_FROZEN),
]
