"""Which model answers whom: two side by side by a stable hash, another one loaded while they answer, and back again.

A user falls on a point from 0 to 1 that never moves (Kohavi, Tang and Xu, *Trustworthy Online Controlled Experiments*, 2020,
chapter 4). The older version has the points from 0 up to its share, the newer one those above: when the newer one's share
grows, whoever had it keeps it.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from recbook import checkpoints
from recbook.errors import ModelError
from recbook.probes import refuse_other_answers

NAME = re.compile(r"[\w][\w.+-]{0,99}")


@dataclass(frozen=True)
class Version:
    """A model that answers.

    name : str      of its run, a folder beside those of the others
    share : float   of the users, above 0 and up to 1
    """

    name: str
    share: float


class Versions:
    """The models of a service.

    dataset : Dataset   on which they all were trained
    runs : Path         the folder of their folders
    store : Store       which versions there are survives with the events
    """

    def __init__(self, dataset, runs, store):
        self.dataset, self.runs, self.store = dataset, Path(runs), store
        self.answering, self.before = ((), {}), ()                      # (versions, models): both change in one step
        self.changing = threading.Lock()                                # one change at a time; answers do not wait for it

    def begin(self, name):
        """Go on with the versions that the store has, or begin with this one."""
        kept = self.store.get("versions")
        if kept is None:
            self.arrange((Version(name, 1.0),), (), {name: self.load(name)})
        else:
            now, self.before = (tuple(Version(**one) for one in kept[when]) for when in ("now", "before"))
            self.answering = now, {one.name: self.load(one.name) for one in now}

    @property
    def now(self):
        """The versions that answer, the older one first."""
        return self.answering[0]

    def load(self, name):
        """The model of that run, if it fits the data that are served; else a ModelError says why not."""
        if not NAME.fullmatch(name):
            raise ModelError(f"{name!r} is no name of a run: a version is the name of a folder beside the run that is served.")
        if not (self.runs / name).is_dir():                             # no path of this machine in an answer
            raise ModelError(f"There is no run {name!r}: train it, or check the name.")
        model, about = checkpoints.load_model(self.runs / name)
        data = self.dataset
        if model.trained_on is None:
            raise ModelError(f"{name} does not say which users and items it was trained on: train it again.")
        if getattr(model, "n_items", data.n_items) != data.n_items or model.trained_on.items_table != data.ids.items_table:
            raise ModelError(f"{name} was trained on another catalogue than {data.name}'s of {data.n_items:,} items: train it "
                             "on the data that are served.")
        if model.trained_on.users_table != data.ids.users_table:
            raise ModelError(f"{name} was trained on other users than {data.name} has: train it on the data that are served.")
        changed = [file for file, sha256 in about.get("files", {}).items() if data.files.get(file, sha256) != sha256]
        if changed:
            raise ModelError(f"{name} was trained on another {changed[0]}: its sha256 differs from that of the data that are "
                             "served.")
        refuse_other_answers(model, data, about.get("probe", ()), name)
        return model

    def change(self, name, share):
        """Let a run answer this share of the users, and the version that has the most of them the others."""
        with self.changing:
            now, models = self.answering
            others = [version for version in now if version.name != name]
            if share == 1:
                wanted = (Version(name, 1.0),)
            elif not others:
                raise ModelError(f"{name} is the only version: its share is 1 until another one is loaded.")
            elif name == now[0].name:                                   # the older one stays below
                wanted = Version(name, share), Version(now[1].name, 1 - share)
            else:
                other = max(others, key=lambda version: version.share)
                wanted = Version(other.name, 1 - share), Version(name, share)
            if wanted != now:
                self.arrange(wanted, now, models | {name: models.get(name) or self.load(name)})

    def back(self):
        """As it was before the last change. Another call undoes this one."""
        with self.changing:
            if not self.before:
                raise ModelError("There is nothing to go back to: no other version has answered here.")
            now, models = self.answering
            missing = [version.name for version in self.before if version.name not in models]
            self.arrange(self.before, now, models | {name: self.load(name) for name in missing})

    def arrange(self, now, before, models):
        """Keep it, then do it. A model that no arrangement names is let go."""
        self.store.set("versions", {"now": [vars(one) for one in now], "before": [vars(one) for one in before]})
        named = {version.name for version in (*now, *before)}
        self.answering, self.before = (now, {name: model for name, model in models.items() if name in named}), before

    def choose(self, who):
        """(version, model) for a user, or for the one answer that has this name: the same for the same, always."""
        now, models = self.answering
        point, below = point_of(who), 0.0
        for version in now:
            below += version.share
            if point < below:
                break
        return version, models[version.name]


def point_of(who):
    """A number from 0 to 1 that is always the same for the same id."""
    digest = hashlib.sha256(json.dumps(who).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
