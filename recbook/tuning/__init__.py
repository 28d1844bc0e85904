"""Choosing settings: trial after trial, judged on validation alone, in a study that is kept and can be gone on with.

The search is Optuna's: Akiba, Sano, Yanase, Ohta and Koyama, *Optuna: A Next-generation Hyperparameter Optimization
Framework*, KDD 2019; TPE: Bergstra, Bardenet, Bengio and Kégl, *Algorithms for Hyper-Parameter Optimization*, NIPS
2011.
"""

import hashlib
import math
import time
from dataclasses import dataclass

import pandas as pd
from tqdm.auto import tqdm

from recbook.errors import ModelError, RecbookError, UnknownName
from recbook.evaluation import evaluate
from recbook.metrics import LOWER_IS_BETTER, parse
from recbook.models import MODELS, RATING_MODELS
from recbook.settings import checked
from recbook.training import best_device, fit, seed_everything
from recbook.tuning import spaces

EPOCHS = {"epochs": 50, "patience": 5}                                  # at most, and without a better one
SAMPLERS = ("tpe", "random", "grid")
BEFORE_PRUNING = {"n_startup_trials": 5, "n_warmup_steps": 3}            # trials, and epochs of each


@checked
def tune(model, split, space=None, trials=40, sampler="tpe", fixed=None, metric=None, prune=True, storage=None,
         name=None, seed=0, device="auto", progress=True):
    """Search settings of a model and of its training: the best on validation, of so many trials.

    The test is `sealed()`: no trial can look at it. A trial that cannot be trained, because its loss is no number any
    more, say, is noted and counted, and the search goes on.

    Parameters
    ----------
    model : class or str
        A model, or its name in `MODELS`.
    split : Split
        With a validation part.
    space : dict or None
        For each setting that varies a list of values, a range `(8, 128)`, or a range whose ratios count,
        `(8, 128, "log")`. None is a sensible space for a model of `MODELS`.
    trials : int
        How many there shall be in the study, those of earlier calls and of other processes included.
    sampler : "tpe", "random" or "grid"
        TPE draws ten at random, then where the better ones were denser than the others. A grid takes lists whole and
        cuts ranges into equal steps, as many as the trials allow.
    fixed : dict or None
        Settings that do not vary. `epochs` is 50 and `patience` 5 otherwise.
    metric : str or None
        NDCG@10, or RMSE for a model of ratings, otherwise.
    prune : bool
        Whether to stop a trial whose best validation so far is worse than the median of the others' at the same epoch,
        from the third epoch and the sixth trial on.
    storage : str, Path or None
        A file that the study is kept in (SQLite), or an address that Optuna knows, as `postgresql://...`. The same call
        goes on with what is there; a trial whose process died is run again. Several processes may share one study. None
        keeps it in memory.
    name : str or None
        Of the study; by default of the model and the data set.
    seed : int
        Of the draws, and of every trial's training.
    device : "auto", "cpu", "cuda", ...
    progress : bool
        Whether to draw a bar.

    Returns
    -------
    found : Tuning

    Raises
    ------
    ModelError
        No validation part, a space that cannot be, a study of another space, model or data, or no trial that could be
        trained.
    UnknownName
        No setting, model, metric or sampler has that name.

    Example
    -------
    >>> found = rb.tune("ease", split, {"l2": (1, 1000, "log")}, trials=5, progress=False)
    >>> found.best["l2"] == found.table(1)["l2"].iloc[0]
    True
    >>> model = found.fit(split.refit())        # then the test, once
    """
    model, space, fixed = asked(model, split, space, fixed)
    if sampler not in SAMPLERS:
        raise UnknownName("sampler", sampler, SAMPLERS)
    metric = metric or ("RMSE" if model in [MODELS[known] for known in RATING_MODELS] else "NDCG@10")
    if metric not in LOWER_IS_BETTER:
        parse(metric)
    if split.validation is None:
        raise ModelError(f"The split {split.name!r} has no validation part, and settings are not chosen on the test.")
    search = Search(model, split.sealed(), space, fixed, metric, trials, sampler, prune, seed, best_device(device))
    return search.run(storage, name or f"{model.__name__} on {split.dataset.name}", progress)


def asked(model, split, space, fixed):
    """What is searched: the class, its space as it was read, and all that is fixed."""
    known = model
    if isinstance(model, str):
        if model not in MODELS:
            raise UnknownName("model", model, MODELS)
        model = MODELS[model]
    else:
        known = next((name for name, one in MODELS.items() if one is model), getattr(model, "__name__", model))
        if not isinstance(model, type):
            raise ModelError(f"A class of models is tuned, as rb.BPRMF, not a {type(model).__name__}.")
    fixed = dict(fixed or {})
    if space is None:
        space = {name: wanted for name, wanted in spaces.space_of(known, split).items() if name not in fixed}
    if not hasattr(model, "fit"):
        fixed = {name: value for name, value in EPOCHS.items() if name not in space} | fixed
    return model, spaces.read(model, space, fixed), fixed


@dataclass(frozen=True)
class Search:
    """What is to be searched, and how: what `tune` was given, checked."""

    model: type
    split: object
    space: dict
    fixed: dict
    metric: str
    trials: int
    sampler: str
    prune: bool
    seed: int
    device: object

    @property
    def lower_is_better(self):
        return self.metric in LOWER_IS_BETTER

    def about(self, points):
        """What a study keeps of it, and must be the same when it is gone on with."""
        data = hashlib.sha256(self.split.fingerprint().encode())
        for part in (self.split.validation.users, self.split.validation.target):
            data.update(part.astype("int64").tobytes())
        told = {"model": self.model.__name__, "space": str(self.space), "fixed settings": str(self.fixed),
                "data": f"{self.split.dataset.name}, {self.split.name}, {data.hexdigest()[:12]}", "metric": self.metric,
                "sampler": self.sampler, "pruning": str(self.prune), "seed": str(self.seed)}
        return told | ({"grid": f"{len(points)} points"} if points else {})

    def run(self, storage, name, progress):
        """Run what trials are missing: a `Tuning`."""
        try:
            import optuna
        except ModuleNotFoundError:
            raise ModelError("tune needs Optuna: pip install 'recbook[tune]'.") from None
        from optuna.trial import TrialState

        from recbook.tuning import studies

        said = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)              # its notes are the bar's and the table's
        points = spaces.grid(self.space, self.trials) if self.sampler == "grid" else []
        trials = len(points) or self.trials
        try:
            study = studies.open_study(storage, name, self.lower_is_better, self.about(points))
            study.sampler = studies.sampler_of(self.sampler, self.seed, points)
            study.pruner = (optuna.pruners.MedianPruner(**BEFORE_PRUNING) if self.prune
                            else optuna.pruners.NopPruner())
            with tqdm(total=trials, desc=name, disable=not progress, leave=False) as bar:
                while True:
                    studies.bury_the_dead(study)
                    bar.n = min(trials, studies.begun(study))
                    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
                    bar.set_postfix({f"best {self.metric}": f"{study.best_value:.4f}"} if done else {})
                    if studies.begun(study) >= trials:
                        break
                    try:
                        study.optimize(lambda trial: self.value_of(trial, trials), n_trials=1,
                                       catch=(Untrainable, Surplus))
                    except ValueError as problem:                       # a machine slept, and others gave its trial up
                        if not str(problem).startswith("Cannot tell a"):
                            raise
            return Tuning(self.model, self.metric, self.fixed, self.seed, str(self.device), table_of(study, self))
        finally:
            optuna.logging.set_verbosity(said)

    def value_of(self, trial, trials):
        """Train with the settings that a trial draws, and measure them on validation."""
        import optuna

        from recbook.tuning import studies

        trial.set_user_attr("process", studies.here())
        if studies.place_of(trial.study, trial.number) >= trials:       # several processes took the last one at once
            raise Surplus
        settings = self.fixed | spaces.suggest(trial, self.space)
        trial.set_user_attr("drawn", True)
        start = time.perf_counter()

        def after_epoch(row):
            if self.metric in row:
                trial.report(row[self.metric], row["epoch"])
                if trial.should_prune():
                    raise optuna.TrialPruned

        try:
            model, history = train(self.model, self.split, settings, self.seed, self.device, metric=self.metric,
                                   after_epoch=after_epoch)
            value, epoch = best_of(model, history, self.split, self.metric)
            if not math.isfinite(value):
                raise ModelError(f"{self.metric} on validation is {value}.")
            trial.set_user_attr("epoch", epoch)
            return value
        except (ModelError, ValueError, RuntimeError, MemoryError) as problem:          # PyTorch's words, too
            trial.set_user_attr("problem", " ".join(str(problem).split()) or "out of memory")
            raise Untrainable from problem
        except KeyboardInterrupt:
            studies.run_again(trial.study, trial.study.get_trials()[trial.number])
            raise
        finally:
            trial.set_user_attr("seconds", round(time.perf_counter() - start, 2))


class Untrainable(RecbookError):
    """These settings cannot be trained: the trial has failed."""


class Surplus(RecbookError):
    """One trial more than were asked for."""


def train(model, split, settings, seed, device, **options):
    """A model with these settings of its class and of `fit`: (model, history)."""
    own, training = spaces.parts(model, settings)
    seed_everything(seed)
    model = model(**spaces.sizes_of(model, split), **own)
    return model, fit(model, split, seed=seed, device=device, progress=False, **training, **options)


def best_of(model, history, split, metric):
    """The metric on validation, at the best epoch, and this epoch's number; a closed form is measured once."""
    if metric not in history:
        return evaluate(model, split.validation, [metric])[metric], 1
    values = history.set_index("epoch")[metric].dropna()
    best = values.idxmin() if metric in LOWER_IS_BETTER else values.idxmax()
    return float(values[best]), int(best)


def table_of(study, search):
    """A row a trial that counts: its state, the metric, epoch, seconds, settings, and the problem if it failed."""
    from optuna.trial import TrialState

    from recbook.tuning import studies

    states = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if studies.counts(trial):
            settings = {name: wanted[list(map(spaces.label, wanted)).index(trial.params[name])]
                        if isinstance(wanted, list) else trial.params[name]
                        for name, wanted in search.space.items() if name in trial.params}
            told = trial.user_attrs
            rows.append({"trial": trial.number, "state": states.get(trial.state, "running"), search.metric: trial.value,
                         "epoch": told.get("epoch", trial.last_step), "seconds": told.get("seconds"), **settings,
                         "problem": told.get("problem", "")})
    columns = ["trial", "state", search.metric, "epoch", "seconds", *search.space, "problem"]
    numbers = {"trial": int, search.metric: float, "epoch": float, "seconds": float}
    return pd.DataFrame(rows, columns=columns, dtype=object).astype(numbers)            # 8 and None stay what they are


@dataclass(frozen=True)
class Tuning:
    """What a search has found. `tune` returns it.

    Attributes
    ----------
    model : class
    metric : str
        What validation measured.
    fixed : dict
        The settings that did not vary.
    seed : int
        Of every trial.
    device : str
    trials : DataFrame
        One row a trial, in the order of their beginning: `state` (done, pruned, failed, or running in another process),
        the metric, at the best `epoch` or, of a pruned trial, at its last, `seconds`, the settings that vary, and the
        `problem` of one that failed.

    Raises
    ------
    ModelError
        No trial was done.

    Example
    -------
    >>> found = rb.tune("bpr-mf", split, {"dim": [4, 8]}, fixed={"epochs": 3}, sampler="grid", trials=2, progress=False)
    >>> found.trials["state"].tolist()
    ['done', 'done']
    >>> found.best["epochs"]
    3
    """

    model: type
    metric: str
    fixed: dict
    seed: int
    device: str
    trials: pd.DataFrame

    def table(self, n=10):
        """The n best of the trials that were done, the best first."""
        done = self.trials[self.trials["state"] == "done"].drop(columns=["state", "problem"])
        return done.sort_values(self.metric, ascending=self.metric in LOWER_IS_BETTER, kind="stable").head(n)

    @property
    def best(self):
        """All settings of the best trial, the fixed ones too, with as many epochs as were best: {name: value}."""
        row = self.best_trial()
        about = ("trial", "state", self.metric, "epoch", "seconds", "problem")
        varied = [name for name in self.trials if name not in about]
        trained = {} if hasattr(self.model, "fit") else {"epochs": int(row["epoch"])}
        return self.fixed | {name: row[name] for name in varied} | trained

    @property
    def value(self):
        """What the best trial reached on validation. It is the highest of many, and so too high by some luck."""
        return float(self.best_trial()[self.metric])

    def best_trial(self):
        """The first row of the table."""
        table = self.table(1)
        if table.empty:
            failed = self.trials[self.trials["state"] == "failed"]
            why = f"; {len(failed)} failed, the last because: {failed['problem'].iloc[-1]}" if len(failed) else "."
            raise ModelError(f"No trial of {len(self.trials)} was done{why}")
        return table.iloc[0]

    def fit(self, split, seed=None):
        """The model with the best settings, trained anew on a split as many epochs as were best: mostly on
        `split.refit()`, which has no validation to stop it."""
        settings = {name: value for name, value in self.best.items() if name != "patience"}
        model, _ = train(self.model, split, settings, self.seed if seed is None else seed, self.device)
        return model
