"""The addresses of the service, and what they say to bad requests.

    GET  /recommend?user=42&k=10&recent=Heat     a list, and the version that made it
    GET  /recommend?age=under 30&city=Essen      for somebody new: columns of the data's users
    POST /events                                 what happened: kept when the answer comes
    PUT  /stock                                  what is sold out, or there again
    PUT  /items                                  what is new: its words, category, picture
    GET  /versions   POST /versions   POST /versions/back
    GET  /health  /ready  /metrics

Every error is one JSON object with one sentence under `error`.
"""

import hmac
import logging
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from recbook.errors import RecbookError
from recbook.service.bodies import Events, NewItems, NewVersion, Stock, Text, sentence
from recbook.service.guards import LimitedBodies, LocalHosts
from recbook.service.metrics import Metrics, Timed
from recbook.service.store import StoreError

MOST = 1_000        # items in one list
SAID = {
    400: "The body is no JSON that can be read.",
    404: "There is no such address: see /recommend, /events, /stock, /items, /versions.",
    405: "This address does not take that method.",
}


def create_app(service, key=None, local=True):
    """The service as an ASGI application.

    service : Service
    key : str or None   which `Authorization: Bearer KEY` must bring to change anything; None: nobody is asked
    local : bool        only for this machine: requests that name another host are refused
    """
    app = FastAPI(title="recbook", docs_url=None, redoc_url=None)       # their pages load scripts from elsewhere
    metrics = Metrics()

    def may_write(request: Request):
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key is not None and not hmac.compare_digest(given.encode(), key.encode()):
            raise HTTPException(401, "To change something here a key is needed: Authorization: Bearer KEY.",
                                {"WWW-Authenticate": "Bearer"})

    writes = {"dependencies": [Depends(may_write)]}

    @app.get("/recommend")
    def recommend(request: Request, user: Text | None = None, k: Annotated[int, Query(ge=1, le=MOST)] = 10,
                  recent: Annotated[list[Text] | None, Query(max_length=MOST)] = None):
        """The best k items for a user, or for somebody who has just met `recent`; what else is said is their profile."""
        profile = {name: value for name, value in request.query_params.items() if name not in ("user", "k", "recent")}
        answer = service.recommend(user, k, recent or (), profile)
        metrics.shown(answer)
        return answer

    @app.post("/events", **writes)
    def events(body: Events):
        """Keep what happened. What was told before, by its id, is known."""
        new = service.accept([event.model_dump() for event in body.events])
        metrics.events.inc(new)
        return {"accepted": new, "known": len(body.events) - new}

    @app.put("/stock", **writes)
    def stock(body: Stock):
        """Say what is in stock: what is not is shown to nobody."""
        return {"sold_out": service.set_stock({one.item: one.in_stock for one in body.stock})}

    @app.put("/items", **writes)
    def items(body: NewItems):
        """Take what is new into the catalogue, where the models can place it. What was told before is known."""
        new = service.put_items([one.model_dump() for one in body.items])
        return {"added": new, "known": len(body.items) - new, "items": service.dataset.n_items}

    @app.get("/stock")
    def sold_out():
        """What is out of stock."""
        return {"sold_out": [service.names.told(item) for item in sorted(service.sold_out)]}

    @app.get("/versions")
    def versions():
        """Which versions answer, which did before, and what the looks at a trial have found."""
        found = {"now": [vars(one) for one in service.versions.now], "before": [vars(one) for one in service.versions.before]}
        return found if service.watch.trial is None else found | {"trial": service.watch.trial}

    @app.post("/versions", **writes)
    def load_version(body: NewVersion):
        """Load a run while the others answer, and let it answer a share of the users."""
        service.versions.change(body.name, body.share)
        return versions()

    @app.post("/versions/back", **writes)
    def back():
        """As it was before the last change."""
        service.versions.back()
        return versions()

    @app.get("/health")
    def health():
        """The process is alive."""
        return {"status": "alive"}

    @app.get("/ready")
    def ready():
        """It can answer, and keep what it is told."""
        service.check()
        return {"status": "ready", "data": service.dataset.name, "items": service.dataset.n_items}

    @app.get("/metrics")
    def measured():
        """For Prometheus."""
        metrics.shares(service.versions.now)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    say_errors(app)
    app.add_middleware(LimitedBodies)
    if local:
        app.add_middleware(LocalHosts)
    app.add_middleware(Timed, metrics=metrics)
    return app


def say_errors(app):
    """Errors as one sentence each."""
    @app.exception_handler(RequestValidationError)
    def malformed(request, problem):
        return said(422, sentence(problem))

    @app.exception_handler(StoreError)
    def unkept(request, problem):
        return said(503, str(problem))

    @app.exception_handler(RecbookError)
    def refused(request, problem):
        return said(422, str(problem))

    @app.exception_handler(HTTPException)
    def other(request, problem):
        status = 422 if problem.status_code == 400 else problem.status_code         # bytes that are no text, a thousand "["
        return said(status, SAID.get(problem.status_code, problem.detail), problem.headers)

    @app.exception_handler(Exception)
    def broken(request, problem):
        logging.getLogger("recbook").error("%s %s: %s: %s", request.method, request.url.path, type(problem).__name__, problem)
        return said(500, "The service has failed here; its log says more.")


def said(status, text, headers=None):
    """An error, as one sentence."""
    text = " ".join(text.split())
    return JSONResponse({"error": text if text.endswith((".", "?")) else f"{text}."}, status, headers)
