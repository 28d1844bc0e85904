"""`recbook off-policy`: what another policy would have earned, from a log of decisions."""

import recbook as rb
from recbook.cli.shared import add_command, note, positive, seed, show, whole_file


def add_to(commands):
    """The subcommand and its arguments."""
    command = add_command(commands, "off-policy", off_policy)
    command.add_argument("log", metavar="FILE", help="the decisions: a CSV file")
    command.add_argument("--policy", required=True, metavar="FILE|COLUMN", help="the policy to be judged")
    for column in ("action", "propensity", "reward", "position"):
        command.add_argument(f"--{column}", default=column, metavar="COLUMN",
                             help=f"the column that holds the {column} (default: {column})")
    command.add_argument("--visit", metavar="COLUMN", help="whose rows were shown together: the value is a visit's")
    command.add_argument("--together", metavar="COLUMN", help="who is drawn anew in an interval, such as the user")
    command.add_argument("--most", type=positive(float), default=10.0, metavar="WEIGHT",
                         help="where weights are clipped (default: 10)")
    command.add_argument("--interval", choices=("normal", "bootstrap"), default="normal", help="default: normal")
    command.add_argument("--seed", type=seed, default=0, help="0 to 4294967295 (default: 0)")


def off_policy(args):
    """Say what another policy would have earned, from a log of decisions.

    The log is a CSV file, one decision a line below a header: what was shown, the chance with which it was shown (its
    propensity), and the reward. --policy is a column of the log, with the chance of the new policy to show the same, or
    a CSV file with the columns action, probability and those of the log that its choice depends on, such as position.

    Example: recbook off-policy decisions.csv --policy new.csv --action item --reward click
    """
    found = rb.off_policy.evaluate(
        whole_file(args.log, "the log"), args.policy, action=args.action, propensity=args.propensity, reward=args.reward,
        position=args.position, visit=args.visit, together=args.together, most=args.most, interval=args.interval,
        seed=args.seed)
    rows = [{"estimator": name, **row} for name, row in found.table.to_dict("index").items()]
    mean = found.mean_weight
    if not args.json:
        logged = {"estimator": "(the log itself)", **found.logged}
        show(args, [*rows, logged])
        note(f"{found.n:,} decisions, worth {found.effective:,.0f} of the new policy's own; heaviest weight "
             f"{found.heaviest:.1f}; mean weight {mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f}).")
        return
    show(args, rows, {"estimates": rows, "logged": found.logged, "n": found.n, "effective": found.effective,
                      "heaviest": found.heaviest, "mean_weight": mean, "unsupported": found.unsupported,
                      "warnings": found.warnings})
