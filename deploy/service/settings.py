"""What a service may do: its limits, and how much it does at a time."""

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Settings:
    """workers: processes that measure. threads: of each.

    max_bytes: of a photo's file. max_pixels: of a photo. queue: photos that may wait while every worker is busy.
    uploads: photos that may be received at a time. upload_s: seconds in which a photo must have arrived. timeout_s:
    seconds that a photo may wait, and then be measured. allow_origins: web pages of other origins that may ask.
    """

    workers: int = 1
    threads: int = 1
    max_bytes: int = 25 * MEGABYTE
    max_pixels: int = 50_000_000
    queue: int = 16
    uploads: int = 32
    upload_s: float = 30.0
    timeout_s: float = 30.0
    allow_origins: tuple[str, ...] = ()
