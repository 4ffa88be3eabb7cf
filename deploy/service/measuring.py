"""From a request with a photo to its answer: received, given to a worker, told."""

import asyncio
import json
import logging

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from deploy.batch import NoAnswer
from deploy.page import data_uri
from deploy.service.metrics import GONE, MEASURED
from deploy.service.pool import QueueFull, TookTooLong, WaitedTooLong
from deploy.service.refusal import NO_IMAGE_STATUS, Refusal
from deploy.service.schema import SheetAsked
from deploy.service.upload import read_upload
from deploy.service.work import Asked

logger = logging.getLogger(__name__)

# Nobody gets it: for the log and the metrics alone.
CLIENT_GONE_STATUS = 499


class Options(BaseModel):
    """What may be asked beside the photo, in the address or as fields."""

    sheet: SheetAsked = "auto"
    overlay: bool = False


class Measuring:
    """Answers requests with a photo. pool: a deploy.service.pool.WorkerPool of Work, or what can be asked like one."""

    def __init__(self, settings, pool, metrics):
        self._settings, self._pool, self._metrics = settings, pool, metrics
        self._uploads = 0
        self.is_ending = False

    @property
    def is_ready(self):
        """Whether photos can be measured now."""
        return self._pool.alive > 0 and not self.is_ending

    async def answer(self, request, options):
        """The response to a Starlette request. options: Options out of its address. Raises Refusal."""
        record = request.state.record
        with self._metrics.in_flight.track_inprogress():
            try:
                upload = await self._received(request)
                record.bytes = len(upload.data)
                self._metrics.photo_bytes.observe(record.bytes)
                self._metrics.stage_seconds.labels("upload").observe(record.seconds)
                answered = await self._asked(request, _asked_of(upload, options))
            except (ClientDisconnect, _Gone):
                record.code = GONE
                return Response(status_code=CLIENT_GONE_STATUS)
            return self._told(answered, record)

    async def _received(self, request):
        # Looked at before the photo is read, so that what cannot be measured is not carried here in vain.
        if self.is_ending:
            raise Refusal("not_ready", "the service is ending: ask again")
        if self._pool.is_full or self._uploads >= self._settings.uploads:
            raise _overloaded()
        self._uploads += 1
        try:
            return await read_upload(request, self._settings.max_bytes, self._settings.upload_s)
        finally:
            self._uploads -= 1

    async def _asked(self, request, asked):
        """The Answered of an Asked, as long as the client waits for it."""
        try:
            answered, waited = await _unless_gone(self._pool.ask(asked), request)
        except (QueueFull, WaitedTooLong) as error:
            raise _overloaded(asked.name) from error
        except TookTooLong as error:
            raise Refusal("timed_out", f"measuring took more than {self._settings.timeout_s:g} seconds: send a smaller "
                                       "photo", asked.name) from error
        except NoAnswer as error:
            logger.error("%s", error)
            raise Refusal("internal_error", "two processes ended over this photo: please report it",
                          asked.name) from error
        for stage, seconds in {"waiting": waited, **answered.seconds}.items():
            self._metrics.stage_seconds.labels(stage).observe(seconds)
        return answered

    def _told(self, answered, record):
        answer = answered.answer
        if "error" in answer:
            raise _refusal_of(answered)
        record.code = MEASURED
        for warning in answer["warnings"]:
            self._metrics.warnings.labels(warning["code"]).inc()
        if answered.overlay is not None:
            answer = answer | {"overlay": data_uri(answered.overlay)}
        return Response(json.dumps(answer, ensure_ascii=False), media_type="application/json")


class _Gone(Exception):
    """The client waits no more."""


def _asked_of(upload, options):
    try:
        options = Options.model_validate(options.model_dump() | upload.options)
    except ValidationError as error:
        raise Refusal("bad_request", wrong_option(error.errors()[0]), upload.name) from error
    return Asked(upload.data, upload.name, options.sheet, options.overlay)


def wrong_option(error):
    """One line on what pydantic found wrong with an option. error: one of its `errors()`."""
    return f"{error['loc'][-1]} is {str(error['input'])[:40]!r}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _refusal_of(answered):
    name, error = answered.answer["photo"], answered.answer["error"]
    if error["code"] == "internal_error":
        # What went wrong inside is for the log; strangers are told that something did.
        logger.error("%s", error["message"])
        return Refusal("internal_error", "a mistake in foliopie: please report it", name)
    return Refusal(error["code"], error["message"], name, None if answered.is_image else NO_IMAGE_STATUS)


def _overloaded(name=""):
    return Refusal("overloaded", "too many photos at a time: send it again in some seconds", name)


async def _unless_gone(asking, request):
    """What a coroutine gives, which is cancelled when the client goes away; raises _Gone then."""
    asking, gone = asyncio.ensure_future(asking), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise _Gone
        return asking.result()
    finally:
        for task in (asking, gone):
            task.cancel()
        await asyncio.gather(asking, gone, return_exceptions=True)


async def _gone(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass
