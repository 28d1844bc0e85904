"""`recbook serve`: a trained run behind an address."""

import os
from contextlib import ExitStack
from pathlib import Path

from recbook.cli.shared import add_command, add_run, note, open_run, positive
from recbook.errors import ModelError


def add_to(commands):
    """The subcommand and its arguments."""
    command = add_command(commands, "serve", serve)
    add_run(command)
    command.add_argument("--store", metavar="WHERE", help="a file of SQLite (default: RUN.sqlite), or redis://host:port/number")
    command.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, for this machine alone")
    command.add_argument("--port", type=port, default=8000, help="default: 8000; 0 takes a free one")
    command.add_argument("--popular-days", type=positive(float), metavar="DAYS",
                         help="somebody new gets what was popular in the last DAYS of the data (default: in all of them)")
    command.add_argument("--trial", metavar="NAME", help="try this run, which stands beside RUN: it goes back by itself if it is worse")
    command.add_argument("--share", type=float, default=0.1, help="of the users in the trial (default: 0.1)")
    command.add_argument("--looks", type=positive(int), default=5, help="how often the trial is looked at (default: 5)")
    command.add_argument("--customers", type=positive(int), default=10_000, help="after how many the trial ends (default: 10000)")
    command.add_argument("--key-file", metavar="FILE", help="holds the key that changes need; else $RECBOOK_KEY")


def port(text):
    """An argument that is a port."""
    if not 0 <= int(text) < 65536:
        raise ValueError
    return int(text)


def serve(args):
    """Answer requests for recommendations, and keep what users then do.

    RUN is the latest one when it is left out. The store keeps events, stock, the lists that were shown and which
    versions answer: a service that is started anew goes on where it was. A version is a run beside RUN. PUT /items takes
    new items, where the models can place them; GET /recommend?age=... says who somebody new is.

    Example: recbook serve runs/shop-ease
    With --trial another run answers a share of the users. What became of its lists is compared with what became of the
    others', so many times; if it is worse, the first version answers all again. GET /versions says what was found.

    Example: curl "http://127.0.0.1:8000/recommend?user=7&k=5"
    Example: curl -X POST http://127.0.0.1:8000/versions --json '{"name": "shop-sasrec", "share": 0.1}'
    """
    try:
        from recbook.service.server import listen, serve as serve_on
    except ImportError as problem:
        raise ModelError(f"Serving needs {problem.name}: pip install 'recbook[serving]'.") from None
    from recbook.service.service import Service
    from recbook.service.store import open_store

    key = key_of(args.key_file)
    with ExitStack() as opened:
        listening = opened.enter_context(listen(args.host, args.port, key))                     # before minutes of loading
        folder, _, _, dataset = open_run(args)
        folder = Path(folder).resolve()
        store = open_store(args.store or f"{folder}.sqlite")
        opened.callback(store.close)
        service = Service(dataset, folder.parent, folder.name, store, args.popular_days)
        if args.trial is not None:
            service.watch.start(args.trial, args.share, args.looks, args.customers)
        versions = ", ".join(f"{version.name} ({version.share:g})" for version in service.versions.now)
        if getattr(store, "keeps", True) is False:
            note("This Redis server keeps nothing when it is killed: set its appendonly to yes.")
        listening.listen(1024)                                          # who comes now waits a moment, and is answered
        host, number = listening.getsockname()[:2]
        note(f"{versions} answers on http://{f'[{host}]' if ':' in host else host}:{number}; stop it with Ctrl-C.")
        serve_on(service, listening, key)


def key_of(path):
    """The key in a file, or in the environment; None where there is none."""
    if path is None:
        return os.environ.get("RECBOOK_KEY") or None
    key = Path(path).read_text().strip()
    if not key:
        raise ModelError(f"{path} is empty: a key belongs there.")
    return key
