"""`recbook recommend`: lists for one user, for a history that is typed, or for everybody."""

from dataclasses import replace

import recbook as rb
from recbook.cli.shared import add_command, add_run, note, open_run, positive, show
from recbook.errors import DataError, ModelError, UnknownName


def add_to(commands):
    """The subcommand and its arguments."""
    command = add_command(commands, "recommend", recommend)
    add_run(command)
    whom = command.add_mutually_exclusive_group()
    whom.add_argument("--user", metavar="ID", help="as in the source of the data; the first one by default")
    whom.add_argument("--history", nargs="+", metavar="ITEM", help="titles or ids, oldest first")
    whom.add_argument("--all", action="store_true", help="every user: a table in Parquet, written to --out")
    command.add_argument("--out", metavar="FOLDER", help="with --all: where the lists go")
    command.add_argument("--where", metavar="COLUMN=VALUE", help="only items of which this is so")
    command.add_argument("--grown", action="store_true", help="use the model on the data as they are now")
    command.add_argument("-k", type=positive(int), default=10, help="how many items (default: 10)")


def recommend(args):
    """Recommend items to a user, or to somebody whose history is given by titles or ids.

    RUN is the latest one when it is left out. Items that the user has are not recommended, unless the data set is one
    where items return.

    Example: recbook recommend runs/ml-1m-ease --user 42 -k 5
    Example: recbook recommend runs/ml-1m-ease --history "Toy Story (1995)" "Heat (1995)"
    Example: recbook recommend runs/ml-1m-ease --where genres=Drama --all --out lists.parquet
    """
    folder, model, about, dataset = open_run(args, grown=args.grown)
    allowed = None if args.where is None else items_where(dataset, args.where)
    if args.all:
        if not args.out:
            raise ModelError("--all writes lists for every user: say where to with --out lists.parquet.")
        ids = None if allowed is None else dataset.items["original"].iloc[allowed].tolist()
        k = min(args.k, dataset.n_items if allowed is None else len(allowed))
        note(f"Lists for {dataset.n_users:,} users go into {args.out}; the same command goes on where it is interrupted.")
        rb.lists(model, dataset, args.out, k=k, items=ids)
        show(args, [{"users": dataset.n_users, "k": k, "lists": str(args.out)}])
        return
    if args.out:
        raise ModelError("--out is where --all writes to.")
    known = [str(original) for original in dataset.users["original"]]
    if args.history:
        who = None
        items = [find_item(dataset, text) for text in args.history]
        context = typed_context(model, dataset, items, about["name"])
    else:
        who = args.user
        if who is None:
            who = known[0]
            note(f"Neither --user nor --history is given: this is for the first user, {who}.")
        if who not in known:
            raise UnknownName(f"user of {dataset.name}", who, known)
        context = dataset.history(dataset.users["original"].iloc[known.index(who)], model.reads)
        items = dataset.interactions["item"][dataset.interactions["user"] == known.index(who)].tolist()
    hidden = None
    if not dataset.items_return:
        import torch

        hidden = torch.tensor([items], dtype=torch.long)
    best, scores = (values[0].tolist() for values in model.top(context, min(args.k, dataset.n_items), hidden, allowed))
    found = [(item, score) for item, score in zip(best, scores) if item >= 0]   # -1: there are no more

    def called(item):
        return {"item": str(dataset.items["original"].iloc[item]), "title": dataset.title(item)}

    history = [called(item) for item in items[-5:]]
    if not args.json:
        print(f"Last items of {'this history' if who is None else f'user {who}'}, oldest first:")
        print("".join(f"  {item['title']}\n" for item in history) or "  none\n")
        print(f"Recommended by {about['name']}:")
    document = {"run": str(folder), "user": who, "history": history, "recommendations": [
        {**called(item), "score": score} for item, score in found]}
    show(args, [{"": place, "score": row["score"], "title": row["title"]}
                for place, row in enumerate(document["recommendations"], start=1)], document)


def typed_context(model, dataset, items, name):
    """What the model is told about somebody whom it has never met: items that were viewed in this order."""
    import pandas as pd

    if model.knows_users:
        raise ModelError(f"{name} knows users by their id and cannot read a history; ease, pure-svd and ials can. "
                         "Train one of them, or ask for a user that it knows with --user.")
    now = dataset.interactions["timestamp"].max()
    log = pd.DataFrame({"user": 0, "item": items, "timestamp": now})
    unsaid = {"rating": float("nan"), "session": 0, "behaviour": "view"}
    log = log.assign(**{column: value for column, value in unsaid.items() if column in dataset.interactions})
    return replace(rb.data.splits.history(rb.data.splits.Log(log, 1), [0], [now], model.reads), users=None)


def items_where(dataset, text):
    """Numbers of the items of `column=value`; where a column holds several values, as "Comedy|Drama", one of them."""
    from recbook.data.features import parts_of

    column, equals, value = text.partition("=")
    if not (column and equals and value):
        raise ModelError(f"--where {text}: write column=value, as in genres=Drama.")
    if column not in dataset.items or column == "original":
        raise UnknownName(f"column of the items of {dataset.name}", column, set(dataset.items) - {"original"})
    parts = [{str(part) for part in parts_of(cell)} | {str(cell)} for cell in dataset.items[column]]
    found = [number for number, own in enumerate(parts) if value in own]
    if not found:
        raise UnknownName(f"{column} of {dataset.name}", value, set().union(*parts))
    return found


def find_item(dataset, text):
    """The item of that id, or else of that title, however its letters are written."""
    originals = dataset.items["original"].astype(str)
    ids = originals.tolist()
    if text in ids:
        return ids.index(text)
    titles = dataset.items.get("title", originals).fillna(originals).tolist()
    found = [item for item, title in enumerate(titles) if title.casefold() == text.casefold()]
    if len(found) > 1:
        same = ", ".join(ids[item] for item in found)
        raise DataError(f"{len(found)} items are called {text!r}: say which one by its id, {same}.")
    if not found:
        near = [title for title in titles if text.casefold() in title.casefold()]
        raise UnknownName(f"item of {dataset.name}", text, near or titles)
    return found[0]
