"""Which status goes with which code, and how a request is refused."""

from http import HTTPStatus

# Code of an answer without measures -> (status, when), in the order of the README's table. The first six are
# those of `foliopie measure`; the rest only a service has.
STATUS_OF = {
    "unreadable_image": (HTTPStatus.BAD_REQUEST, "the photo is empty or damaged"),
    "image_too_small": (HTTPStatus.BAD_REQUEST, "a side is shorter than 100 pixels"),
    "image_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "more bytes or pixels than the service takes"),
    "sheet_not_found": (HTTPStatus.UNPROCESSABLE_ENTITY, "a photo, and no sheet of paper found in it"),
    "sheet_cut_off": (HTTPStatus.UNPROCESSABLE_ENTITY, "a photo whose border cuts the sheet off"),
    "internal_error": (HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake in foliopie"),
    "bad_request": (HTTPStatus.BAD_REQUEST, "not one photo as multipart field `photo`, or an unknown option"),
    "upload_timed_out": (HTTPStatus.REQUEST_TIMEOUT, "the photo did not arrive in time"),
    "overloaded": (HTTPStatus.SERVICE_UNAVAILABLE, "too many photos at a time: come again after Retry-After seconds"),
    "not_ready": (HTTPStatus.SERVICE_UNAVAILABLE, "the service is starting or ending"),
    "timed_out": (HTTPStatus.GATEWAY_TIMEOUT, "measuring took too long"),
}
RETRY_AFTER_S = 2
# What is no image of a kind that is read has the code of one that is damaged, and a status of its own.
NO_IMAGE_STATUS = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Refusal(Exception):
    """Why a request gets no measures. code: of STATUS_OF; message: one line with the way out; photo: the name that it
    was sent under, where that is known; status: another than the code's."""

    def __init__(self, code, message, photo="", status=None):
        super().__init__(code, message)
        self.code = code
        self.photo = photo
        self.message = message
        self.status = int(status or STATUS_OF[code][0])

    def to_json(self):
        """Plain dict, as `measure --json` has it for a photo without an answer."""
        return {"photo": self.photo, "error": {"code": self.code, "message": self.message}}

    def headers(self):
        """Headers that go with the answer."""
        return {"retry-after": str(RETRY_AFTER_S)} if self.code in ("overloaded", "not_ready") else {}
