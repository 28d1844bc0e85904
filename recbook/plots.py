"""The figures that chapters share: one palette, safe for colour-blind readers; units on the axes; nothing else."""

import matplotlib.pyplot as plt
import numpy as np

from recbook.evaluation import PARTS
from recbook.metrics import LOWER_IS_BETTER

# Okabe and Ito, *Color Universal Design*, 2008
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#767676")
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)

STYLE = {
    "figure.facecolor": "none", "axes.facecolor": "none",       # the page's own background, light or dark
    "figure.dpi": 110, "figure.figsize": (4.8, 3.0), "figure.constrained_layout.use": True, "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "axes.prop_cycle": plt.cycler(color=PALETTE),
    "axes.titlesize": 10, "axes.titlelocation": "left", "legend.frameon": False, "lines.linewidth": 2,
}
plt.rcParams.update(STYLE)


def ladder(comparison, floor, ceiling, metric="NDCG@10", above=(), parts=PARTS):
    """Where models stand between a floor and a ceiling, a panel for each part of the questions, 95 % intervals.

    Behind a value stands, in brackets, by how much the model is better than the next one below it: the paired
    difference and half the width of its interval. Where the interval holds 0, the two are not told apart.

    comparison : Comparison; floor, ceiling : names in it; above : names that stand over the ceiling (an oracle);
    parts : of the questions, as in `Comparison.part`.
    """
    size = len(comparison.reports)
    _, grid = plt.subplots(len(parts), figsize=(4.8, (0.55 + 0.24 * size) * len(parts)), squeeze=False)
    for axes, part in zip(grid[:, 0], parts):
        cut = comparison.part(part)
        names = sorted(cut.reports, key=lambda name: cut.reports[name][metric])
        for row, name in enumerate(names):
            value, (low, high) = cut.reports[name][metric], cut.reports[name].interval(metric)
            bound = name in (floor, ceiling, *above)
            colour = GREY if bound else BLUE
            axes.plot([low, high], [row, row], color=colour, solid_capstyle="butt")
            axes.plot(value, row, "s" if bound else "o", color=colour, markersize=5)
            label = f"{value:.3f}"
            if row and not bound:
                gap = cut.difference(name, names[row - 1], metric)
                label += f" ({gap['difference']:+.3f} ± {(gap['high'] - gap['low']) / 2:.3f})"
            axes.annotate(label, (high, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9,
                          color=colour)
        for name in (floor, ceiling):
            axes.axvline(cut.reports[name][metric], color=GREY, linewidth=1, linestyle=":", zorder=0)
        axes.set_yticks(range(size), names)
        axes.margins(x=0.05, y=0.06)
        left, right = axes.get_xlim()
        axes.set_xlim(left, right + 0.45 * (right - left))              # room for the labels of the highest
        share = len(cut.cases) / len(comparison.cases) if comparison.cases is not None else 1
        axes.set_title({"all": "all questions", "again": f"answers met again ({share:.0%})",
                        "new": f"answers new to the user ({share:.0%})"}[part])
    axes.set_xlabel(f"{metric}; bars: 95 % intervals")
    return grid[:, 0]


def curves(histories, column, label=None):
    """A quantity over the epochs of several runs, {name: history}; the name stands at the end of its line."""
    _, axes = plt.subplots()
    for name, history in histories.items():
        line, = axes.plot(history["epoch"], history[column])
        axes.annotate(name, (history["epoch"].iloc[-1], history[column].iloc[-1]), xytext=(5, 0),
                      textcoords="offset points", va="center", color=line.get_color())
    axes.set_xlabel("epoch")
    axes.set_ylabel(label or column)
    axes.set_xlim(0, 1.2 * max(history["epoch"].max() for history in histories.values()))
    return axes


def star(axes, suitability, group, names, title, scale=None):
    """Items between the corners of a polygon: the better an item suits a corner, the nearer it lies.

    suitability (N, C): of N items for C corners; group (N,): the colour of each item; names : of the corners;
    scale : what counts as a difference, by default the standard deviation.
    """
    angle = np.pi / 2 + 2 * np.pi * np.arange(len(names)) / len(names)
    corner = np.column_stack([np.cos(angle), np.sin(angle)])            # (C, 2)
    share = np.exp(1.2 * (suitability - suitability.mean(1, keepdims=True)) / (scale or suitability.std()))
    points = share / share.sum(1, keepdims=True) @ corner               # (N, 2)
    axes.fill(*corner.T, fill=False, edgecolor=GREY, linewidth=0.8)
    axes.scatter(*points.T, s=14, c=[PALETTE[number] for number in group], alpha=0.8, linewidths=0)
    for number, name in enumerate(names):
        axes.annotate(name, 1.14 * corner[number], color=PALETTE[number], ha="center", va="center", fontsize=9)
    axes.set_title(title)
    axes.set_xlim(-1.35, 1.35)
    axes.set_ylim(-1.25, 1.25)
    axes.set_aspect("equal")
    axes.set_axis_off()


def search(found):
    """How a search went: the best so far, trial by trial, and each setting that was varied against validation.

    found : Tuning. Dots are trials that were done, crosses those that were pruned, at their last epoch.
    """
    trials, metric = found.trials, found.metric
    varied = [name for name in trials if name not in ("trial", "state", metric, "epoch", "seconds", "problem")]
    done, pruned = (trials[trials["state"] == state] for state in ("done", "pruned"))
    grid = plt.subplots(1 + len(varied), figsize=(4.8, 1.5 * (1 + len(varied))), squeeze=False)[1][:, 0]
    best = done[metric].cummin() if metric in LOWER_IS_BETTER else done[metric].cummax()
    grid[0].step(done["trial"], best, where="post", color=ORANGE)
    grid[0].set_xlabel("trial")
    for axes, name in zip(grid[1:], varied):
        axes.set_xlabel(name)
    for axes, name in zip(grid, ["trial", *varied]):
        kinds = trials[name].map(type).isin((int, float)).all()
        values = sorted({float(value) for value in trials[name]}) if kinds else []
        place = {str(value): number for number, value in enumerate(dict.fromkeys(trials[name].map(str)))}
        for some, mark, colour in ((pruned, "x", GREY), (done, "o", BLUE)):
            across = some[name].astype(float) if kinds else some[name].map(lambda value: place[str(value)])
            axes.plot(across, some[metric], mark, color=colour, markersize=4)
        if not kinds:
            axes.set_xticks(list(place.values()), list(place))
        elif name != "trial" and values[0] > 0 and values[-1] > 20 * values[0]:
            axes.set_xscale("log")
        axes.set_ylabel(metric)
    return grid


def shelves(dataset, rows, mark=None):
    """Rows of product pictures with their titles, {name: items}. The item `mark` is framed wherever it stands."""
    figure = plt.figure(figsize=(4.8, 1.9 * len(rows)))
    figure.get_layout_engine().set(h_pad=0.08)
    parts = figure.subfigures(len(rows), squeeze=False)[:, 0]
    for (name, items), part in zip(rows.items(), parts):
        part.suptitle(name, x=0.01, ha="left", fontsize=10, color=GREY)
        for axes, item in zip(part.subplots(1, len(items), squeeze=False)[0], items):
            axes.set_axis_off()
            axes.imshow(dataset.images[item])
            axes.set_title(dataset.title(item).replace(" ", "\n", 2), fontsize=9, loc="center",
                           color=RED if item == mark else GREY)
            if item == mark:
                axes.add_patch(plt.Rectangle((0, 0), 31, 31, fill=False, color=RED, linewidth=3))
    return figure
