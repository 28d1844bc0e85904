"""What is turned away before it is read: bodies that are too large, and names of hosts that are not this one's."""

import ipaddress

from starlette.responses import JSONResponse

from recbook.service.bodies import LARGEST


class LimitedBodies:
    """No body is read beyond its limit, whatever length it says or does not say."""

    def __init__(self, app, largest=LARGEST):
        self.app, self.largest = app, largest

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        body, more = b"", scope["method"] not in ("GET", "HEAD")
        too_large = not length.isdigit() or int(length) > self.largest
        while more and not too_large:
            message = await receive()
            if message["type"] != "http.request":                       # they have hung up
                return
            body += message.get("body", b"")
            more, too_large = message.get("more_body", False), len(body) > self.largest
        if too_large:
            answer = JSONResponse({"error": f"The body is larger than {self.largest:,} bytes: send less at a time."}, 413,
                                  {"connection": "close"})
            await answer(scope, receive, send)
            return
        sent = False

        async def once():
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, once, send)


class LocalHosts:
    """Only requests to this machine by a name of its own: a web page elsewhere may have its name point here."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and not is_local(dict(scope["headers"]).get(b"host", b"").decode("latin-1")):
            answer = JSONResponse({"error": "This service is for its own machine: ask it as 127.0.0.1 or localhost."}, 400)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)


def is_local(host):
    """Whether a host, with or without its port, is this machine: localhost, 127.0.0.1, [::1]."""
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 or "]:" in host else host
    return is_loopback(name.strip("[]"))


def is_loopback(host):
    """Whether nobody but this machine can reach that address, a host without its port."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
