"""`recbook data`: list, fetch and describe data sets."""

from recbook.cli.shared import add_command, add_csv, load_data, note, show, source_of
from recbook.errors import DataError


def add_to(commands):
    """The subcommand and its arguments."""
    data = commands.add_parser("data", help="List, fetch and describe data sets.",
                               epilog="Example: recbook data list").add_subparsers(required=True, metavar="COMMAND")
    add_command(data, "list", list_data)
    add_command(data, "fetch", fetch_data).add_argument("name", metavar="NAME")
    command = add_command(data, "describe", describe_data)
    command.add_argument("name", nargs="?", metavar="NAME")
    add_csv(command, command)


def list_data(args):
    """List the data sets that `load` knows, and whether their files are here.

    present: in $RECBOOK_DATA; cached: downloaded before; downloadable: fetched when first used; by hand: its provider
    has to be visited, and `recbook data fetch NAME` says where.

    Example: recbook data list
    """
    from recbook.data.catalog import SOURCES

    rows = [("shop", "made on the spot", "A small simulated shop whose truth is known.")]
    rows += [(source.name, whereabouts(source), source.read.__doc__.split("\n")[0]) for source in SOURCES]
    show(args, [dict(zip(("name", "files", "what"), row)) for row in rows])


def whereabouts(source):
    """Where the files of a public data set are, in a word or two."""
    from recbook.data.files import Files, present

    *given, cached = Files(source).folders()
    served = source.archive or source.downloads
    if any(folder.is_dir() and any(folder.iterdir()) for folder in (given if served else [*given, cached])):
        return "present"
    if not served:
        return "by hand"
    wanted = source.downloads or [f"{source.name}.zip"]
    return "cached" if all(present(cached, file, source.name) for file in wanted) else "downloadable"


def fetch_data(args):
    """Download a data set from its provider, unless it is here, and read it once to check it.

    Example: recbook data fetch ml-1m
    """
    dataset = load_data({"dataset": args.name})
    if dataset.truth is not None:
        note("The shop is made on the spot: there is nothing to fetch.")
    else:
        from recbook.data.catalog import find_source

        source = find_source(args.name)
        note(f"{dataset!r}. Terms: {source.terms} Cite: {source.citation}")
    show(args, [{"file": file, "sha256": sha256} for file, sha256 in dataset.files.items()])


def describe_data(args):
    """Say how large a data set is and what shape it has.

    Example: recbook data describe shop:n_users=300,n_events=20000
    Example: recbook data describe --csv orders.csv --user customer --item product
    """
    if not (args.name or args.csv) or args.name and args.csv:
        raise DataError("Name a data set (`recbook data list`), or a file of your own with --csv.")
    facts = load_data(source_of(args, args.name)).describe()
    whole = {name: int(value) if value == int(value) else float(value) for name, value in facts.items()}
    show(args, [{"fact": name, "value": value} for name, value in whole.items()], document=whole)
