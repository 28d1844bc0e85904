"""The process: one address, one port, one key."""

import socket

import torch
import uvicorn

from recbook.errors import ModelError
from recbook.service.app import create_app
from recbook.service.guards import is_loopback

SHORTEST = 16       # characters of a key


def listen(host, port, key):
    """The socket that will be served, or an error before anything is loaded."""
    if key is not None and len(key) < SHORTEST:
        raise ModelError(f"The key has {len(key)} characters: take at least {SHORTEST}, chosen at random.")
    if key is None and not is_loopback(host):
        raise ModelError(f"{host} can be reached by others, who could then change what is served: put a key into a file and "
                         "name it with --key-file.")
    found = None
    try:
        kind, _, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(kind, socket.SOCK_STREAM, protocol)       # of a socket without it asyncio keeps Nagle's delay
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as problem:
        if found is not None:
            found.close()
        raise ModelError(f"{host}:{port} cannot be served ({problem.strerror}): choose another --host or --port.") from None
    return found


def serve(service, listening, key=None):
    """Answer until somebody interrupts; what is being answered then is finished."""
    torch.set_num_threads(1)                                            # many answers at once, each on one core
    host = listening.getsockname()[0]
    app = create_app(service, key, local=is_loopback(host))
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=10)).run([listening])
