"""Recommendations over HTTP: `recbook serve` puts a trained run behind a few addresses.

    app.py         the addresses, and what they say to bad requests
    bodies.py      what requests may hold
    service.py     what is done, in the source's ids
    catalogue.py   the items of the data, and those that were put since
    ranking.py     from what somebody met to a list
    names.py       ids and titles, in both directions
    versions.py    which model answers whom; loading another; going back
    store.py       what must survive: events, stock, versions, impressions; in SQLite or Redis
    trial.py       two versions compared; a newer one that is worse goes back by itself
    server.py      the process: address, port, key
"""
