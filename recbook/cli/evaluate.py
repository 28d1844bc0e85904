"""`recbook evaluate`: measure a trained model."""

import recbook as rb
from recbook.cli.shared import (
    RATING_METRICS, add_command, add_device, add_run, as_rows, cut, find_device, measure, note, open_run, positive, rated,
    show)
from recbook.errors import DataError, ModelError


def add_to(commands):
    """The subcommand and its arguments."""
    command = add_command(commands, "evaluate", evaluate)
    add_run(command)
    command.add_argument("--metrics", nargs="+", metavar="METRIC", help="such as NDCG@10 HR@5 MRR RMSE")
    command.add_argument("--part", choices=("test", "validation"), default="test", help="default: test")
    command.add_argument("--candidates", type=positive(int), metavar="N",
                         help="rank each right item among N random ones: the sampled protocol of older papers")
    add_device(command)


def evaluate(args):
    """Measure a trained model on the cases that were held out, with 95 % intervals.

    All items are ranked, unless --candidates asks for the sampled protocol of older papers.

    Example: recbook evaluate runs/shop-bpr-mf --metrics NDCG@10 HR@10 MRR
    """
    folder, model, about, dataset = open_run(args, find_device(args.device))
    cases = getattr(cut(dataset, about["split"]), args.part)
    if cases is None:
        raise DataError(f"The split {about['split']!r} of {dataset.name} has no {args.part} part.")
    metrics = args.metrics or about["metrics"]
    protocol = "all items are ranked"
    if args.candidates:
        cases = rb.sample_candidates(cases, args.candidates)
        protocol = (f"the sampled protocol: each right item among {args.candidates} random ones. It favours "
                    "popularity; use it only to reproduce a published number")
    elif cases.candidates is not None:
        protocol = f"only the {cases.candidates.shape[1]} published candidates of each case are ranked"
    if set(metrics) & set(RATING_METRICS):
        if about["name"] not in rb.models.RATING_MODELS:
            raise ModelError(f"{about['name']} ranks and predicts no ratings, which RMSE and MAE compare: "
                             f"{', '.join(rb.models.RATING_MODELS)} do.")
        asked = rated(cases, dataset.name)
        if set(metrics) <= set(RATING_METRICS):
            cases, protocol = asked, "ratings are compared with those that were given"
    values = measure(model, cases, metrics)
    note(f"{folder}: {len(cases):,} {args.part} cases of {dataset.name}, split {about['split']}; {protocol}.")
    show(args, as_rows(values), document={
        "run": str(folder), "model": about["name"], "dataset": dataset.name, "split": about["split"],
        "part": args.part, "cases": len(cases), "protocol": protocol, "metrics": values})
