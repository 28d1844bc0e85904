"""From what somebody met, long ago and just now, to a list."""

from dataclasses import replace

import numpy as np
import torch

from recbook.data import features
from recbook.data.splits import BEHAVIOUR_CODES, Context, everything
from recbook.models import Popularity


class Ranking:
    """Lists from a model, or by popularity for somebody of whom it knows nothing.

    dataset : Dataset   histories begin with its log, and go on with events
    days : float or None   popularity counts the last so many days of the log; None: all of it
    """

    def __init__(self, dataset, days=None):
        self.dataset, self.log, self.values = dataset, dataset.log, {}
        self.popularity = Popularity(dataset.n_users, dataset.n_items, days).fit(everything(dataset)).count

    def best(self, model, row, met, now, sold_out, k, profile=None):
        """The best k numbers of items, and whether the "model" or "popularity" chose them.

        row : of the user among the data's, or None. met : [(item, behaviour, rating, time)] since the data end, by time.
        now : seconds since 1970. sold_out : set of numbers. profile : {column of the users: value}, of somebody new.
        """
        context = self.context(row, met, now)
        introduced = self.introduced(model, profile) if row is None and profile else None
        if introduced is not None:
            model, row, context = introduced, 0, replace(context, users=torch.tensor([0]), users_table=None)
        left_out = set(sold_out)
        if not self.dataset.items_return:
            left_out.update(context.items[0].tolist())
        k = min(k, self.dataset.n_items - len(left_out))
        if k == 0:
            return [], "model"
        exclude = torch.tensor([sorted(left_out)], dtype=torch.long)
        knows = row is not None if model.knows_users else context.items.shape[1] > 0
        if not knows:
            scores = self.popularity.clone()
            scores[exclude[0]] = -torch.inf
            return scores.sort(descending=True, stable=True).indices[:k].tolist(), "popularity"
        items, _ = model.top(context, k, exclude)
        return [item for item in items[0].tolist() if item >= 0], "model"

    def introduced(self, model, profile):
        """The model for somebody new of that profile, as user 0; None where it does not read one."""
        columns = tuple(getattr(model, "profile", ()))
        if not columns:
            return None
        key = columns, model.n_values
        if key not in self.values:
            self.values[key] = features.categories(self.dataset.users, *key, self.dataset.name)[1]
        told = {f"{column}: {value}" for column, value in profile.items()}
        known = torch.zeros(model.n_values, device=model.device)
        known[[place for place, name in enumerate(self.values[key]) if name in told]] = 1
        return model.introduce(known)

    def context(self, row, met, now):
        """The question as models are asked it: (1, L)."""
        log, start, stop = self.log, 0, 0
        if row is not None:
            start, stop = log.starts[row:row + 2]
        items, behaviours, ratings, times = zip(*met) if met else ((), (), (), ())
        if not self.dataset.clock:                                      # times only number the events
            times = range(int(stop - start), int(stop - start) + len(met))
            now = stop - start + len(met)
        told = {
            "items": [log.items, items],
            "behaviours": [log.behaviours, [BEHAVIOUR_CODES[one] for one in behaviours]],
            "ratings": [log.ratings, [np.nan if one is None else one for one in ratings]],
            "times": [log.times, [int(one) for one in times]],
        }
        fields = {name: torch.from_numpy(np.concatenate([before[start:stop], np.array(since, dtype=before.dtype)])[None])
                  for name, (before, since) in told.items() if before is not None}
        ids = self.dataset.ids
        return Context(users=None if row is None else torch.tensor([row]), now=torch.tensor([int(now)]), **fields,
                       users_table=torch.tensor([ids.users_table]), items_table=torch.tensor([ids.items_table]))
