"""The file that a search is kept in: opened by one process or several, resumed after a kill, its trials counted right.

Optuna keeps the trials. What is added: a draw that depends on the seed and a trial's place alone, so that a search that
was interrupted goes on as if it had not been; and trials whose process has died, which are run again and not counted.
"""

import os
import re
import socket
import time
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from recbook.errors import ModelError

HEARTBEAT, GRACE = 30, 300                                              # seconds: no sign for so long means death
SECONDS_TO_WAIT = 60                                                    # while another process writes to the file
MADE_BY_OTHERS = re.compile("already exists|is locked|UNIQUE constraint")               # at this very moment


def open_study(storage, name, lower_is_better, about):
    """The study of that name, made if it is not there; `about` ({what: text}) must be what it was made with."""
    address, direction = address_of(storage), "minimize" if lower_is_better else "maximize"
    for pause in (0.2, 0.5, 1, 2, None):
        try:
            study = optuna.create_study(storage=opened(address), study_name=name, load_if_exists=True,
                                        direction=direction)
            break
        except Exception as problem:                                    # of SQLAlchemy, its drivers, or Optuna
            if pause is None or not MADE_BY_OTHERS.search(str(problem)):
                (line, *_) = str(problem).splitlines() or [type(problem).__name__]
                raise ModelError(f"{storage} can hold no study: {line}") from None
            time.sleep(pause)
    any_trials = bool(study.get_trials(deepcopy=False))                 # before what is told of it, which comes first
    known = study.user_attrs.get("about")
    if known is None and any_trials:
        raise ModelError(f"The study {name!r} in {storage} was not made by recbook: choose another name or file.")
    for what, told in about.items() if known else ():
        if known.get(what) != told:
            raise ModelError(f"The study {name!r} in {storage} has another {what}: {known.get(what)}, and not {told}. "
                             "Choose another name or file, or delete it.")
    study.set_user_attr("about", about)
    return study


def address_of(storage):
    """Where a study is: a path becomes SQLite's address, in a folder that is made; an address stays as it is."""
    if not isinstance(storage, str | os.PathLike) or "://" in str(storage):
        return storage
    path = Path(storage)
    if path.is_dir():
        raise ModelError(f"{storage} can hold no study: it is a folder; name a file in it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ModelError(f"{storage} can hold no study: {problem.strerror}.") from None
    return f"sqlite:///{path.resolve()}"


def opened(address):
    """Optuna's storage at an address of SQLAlchemy; anything else is Optuna's own: None for memory, a storage."""
    if not isinstance(address, str):
        return address
    wait = {"connect_args": {"timeout": SECONDS_TO_WAIT}} if address.startswith("sqlite") else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)          # heartbeats are called that
        return optuna.storages.RDBStorage(address, engine_kwargs=wait, heartbeat_interval=HEARTBEAT, grace_period=GRACE,
                                          heartbeat_stale_trial_callback=run_again)


def counts(trial):
    """Whether a trial is one of those asked for: not one whose process died, which failed without a problem noted."""
    return trial.state != TrialState.FAIL or "problem" in trial.user_attrs


def place_of(study, number):
    """How many trials that count came before the one of this number."""
    return sum(counts(trial) and trial.number < number for trial in study.get_trials(deepcopy=False))


def begun(study):
    """How many trials that count have been begun."""
    return sum(counts(trial) and trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))


def run_again(study, trial):
    """Put the settings of a lost trial in line; one that had not got all of them is drawn anew at its place."""
    if trial.user_attrs.get("drawn"):
        study.enqueue_trial(trial.params, user_attrs={"instead of": trial.number})


def bury_the_dead(study):
    """Trials that run in a process of this machine that is no more: they have failed, and are run again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not lives(trial):
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, optuna.exceptions.UpdateFinishedTrialError):            # another process was first
                continue
            run_again(study, trial)


def here():
    """This process, as a trial notes it."""
    return [socket.gethostname(), os.getpid()]


def lives(trial):
    """Whether the process of a running trial may still be there."""
    if "process" not in trial.user_attrs:                               # it began a moment ago, or died at once
        return datetime.now() - trial.datetime_start < timedelta(seconds=GRACE)
    machine, process = trial.user_attrs["process"]
    if machine != socket.gethostname() or os.name != "posix":           # heartbeats tell, in a while
        return True
    try:
        os.kill(process, 0)                                             # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class ByPlace(BaseSampler):
    """A sampler made anew for each trial, from the seed and the trial's place.

    With the same seed, Optuna's own begins again with its first draw wherever a process begins.
    """

    def __init__(self, make, seed):
        self.make, self.seed = make, seed

    def before_trial(self, study, trial):
        place = place_of(study, trial.number)
        seed = int(np.random.SeedSequence([self.seed, place]).generate_state(1)[0])
        self.sampler = self.make(place, seed)
        self.sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study, trial):
        return self.sampler.infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)


class Point(BaseSampler):
    """Gives one point of a grid."""

    def __init__(self, point):
        self.point = point

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self.point[param_name]


def sampler_of(kind, seed, points=()):
    """The sampler of that kind; `points` are those of a grid, tried in an order that the seed says."""
    if kind == "grid":
        order = np.random.default_rng(seed).permutation(len(points))
        return ByPlace(lambda place, seed: Point(points[order[min(place, len(points) - 1)]]), seed)
    make = {"random": RandomSampler, "tpe": TPESampler}[kind]
    return ByPlace(lambda place, seed: make(seed=seed), seed)
