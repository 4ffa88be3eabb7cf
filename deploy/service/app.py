"""The HTTP interface: its paths, their statuses and what OpenAPI says of them."""

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response

from deploy import page
from deploy.service.guard import Guard
from deploy.service.measuring import Measuring, Options, wrong_option
from deploy.service.metrics import Metrics
from deploy.service.refusal import NO_IMAGE_STATUS, STATUS_OF, Refusal
from deploy.service.schema import Measured, NotMeasured, SheetAsked, State

MEASURE = "/v1/measure"
PHOTO_FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": {
    "type": "object", "required": ["photo"], "properties": {
        "photo": {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream",
                  "description": "JPEG, PNG, WebP, BMP, TIFF, HEIC, GIF: one file"},
        "sheet": {"type": "string", "enum": ["auto", "a4", "letter"],
                  "description": "as in the address, and before it"},
        "overlay": {"type": "boolean", "description": "as in the address, and before it"},
    }}}}}}
# A framework's own telemetry, where its version has any: nothing is sent to anybody.
NO_TELEMETRY = dict.fromkeys(("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False)


def make_app(settings, pool):
    """(ASGI application, its Measuring). pool: a WorkerPool, or what has its methods; it lives as long as the
    application does."""
    metrics = Metrics()
    metrics.watch(pool)
    pool.told = metrics.restarted
    measuring = Measuring(settings, pool, metrics)

    @asynccontextmanager
    async def lifespan(_):
        await pool.start()
        try:
            yield
        finally:
            await pool.end()

    app = FastAPI(title="foliopie", version=version("foliopie"), lifespan=lifespan, docs_url=None, redoc_url=None,
                  description="Feet measured in millimetres in one photo, with the sheet of paper under them as the "
                              "ruler.", telemetry=NO_TELEMETRY)
    _answer_mistakes(app)
    _add_measuring(app, measuring)
    _add_states(app, measuring, metrics)
    _add_pages(app, settings)
    if settings.allow_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.allow_origins, allow_methods=["GET", "POST"])
    paths = {route.path for route in app.routes}

    def over(path, record):
        if path == MEASURE:
            metrics.requests.labels(record.status, record.code).inc()
            metrics.request_seconds.observe(record.seconds)

    return Guard(app, paths, over), measuring


def _answer_mistakes(app):
    """Every answer without measures has the same form."""

    @app.exception_handler(Refusal)
    async def refused(request, refusal):
        request.state.record.code = refusal.code
        return JSONResponse(refusal.to_json(), refusal.status, refusal.headers())

    @app.exception_handler(RequestValidationError)
    async def wrong(request, error):
        return await refused(request, Refusal("bad_request", wrong_option(error.errors()[0])))

    @app.exception_handler(HTTPException)
    async def none_such(request, error):
        message = f"{error.detail.lower()}: /docs says what can be asked"
        answer = await refused(request, Refusal("bad_request", message, status=error.status_code))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def mistake(request, _):
        return await refused(request, Refusal("internal_error", "a mistake in foliopie: please report it"))


def _add_measuring(app, measuring):
    @app.post(MEASURE, response_model=Measured, responses=_refusals(), openapi_extra=PHOTO_FORM,
              summary="Measure the feet in one photo",
              response_description="What `foliopie measure --json` writes for the photo")
    async def measure(
        request: Request,
        sheet: Annotated[SheetAsked, Query(description="format of the sheet of paper")] = "auto",
        overlay: Annotated[bool, Query(description="answer with the photo and the measures drawn on it, too")] = False,
    ) -> Response:
        return await measuring.answer(request, Options(sheet=sheet, overlay=overlay))


def _refusals():
    """What OpenAPI says of the statuses without measures: {status: ...}, with an example of each code."""
    found = {}
    for code, (status, when) in STATUS_OF.items():
        found.setdefault(int(status), {})[code] = when
    found[int(NO_IMAGE_STATUS)] = {"unreadable_image": "no image of a kind that is read",
                                   "bad_request": "the request is no multipart/form-data"}
    return {status: {
        "model": NotMeasured,
        "description": "; ".join(f"`{code}`: {when}" for code, when in codes.items()),
        "content": {"application/json": {"examples": {
            code: {"value": Refusal(code, when, "two.jpg").to_json()} for code, when in codes.items()}}},
    } for status, codes in sorted(found.items())}


def _add_states(app, measuring, metrics):
    @app.get("/healthz", summary="Whether the service is alive", response_description="It is")
    async def healthz() -> State:
        return State(state="alive")

    @app.get("/readyz", summary="Whether photos can be measured now", response_description="They can",
             responses={503: {"model": NotMeasured, "description": "`not_ready`: the networks are being loaded, or the "
                                                                   "service is ending"}})
    async def readyz() -> State:
        if not measuring.is_ready:
            raise Refusal("not_ready", "the service is ending" if measuring.is_ending else "no worker is ready yet")
        return State(state="ready")

    @app.get("/metrics", summary="Counts and times, for Prometheus", response_class=Response,
             response_description="Prometheus's text format",
             responses={200: {"content": {"text/plain": {}}}})
    async def counted():
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _add_pages(app, settings):
    """What people look at; made once."""
    files = {
        "/": (page.render_service(settings.max_bytes), "text/html"),
        "/service.css": (page.service_file("service.css.j2"), "text/css"),
        "/service.js": (page.service_file("service.js"), "text/javascript"),
        "/docs": (page.render_service_docs(app.openapi()), "text/html"),
    }
    for path, (text, kind) in files.items():
        app.add_api_route(path, _giver(text, kind), include_in_schema=False)


def _giver(text, kind):
    async def give():
        return Response(text, media_type=kind)

    return give
