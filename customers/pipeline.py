"""The build: from a shop's store to a version that `Shop` reads.

    shop/store/shop.duckdb     written by ingest
    shop/versions/0001/        a build: shop.duckdb (the store and the tables below), chroma/,
                               recommend/, preference.npz, report/, manifest.json
    shop/CURRENT               which version is read

A build killed at any moment leaves the version before it whole; see `stores.versions`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import duckdb

from customers import measure_tables, recommend
from customers.encoder import MultilingualEncoder
from customers.errors import BadInput
from customers.graph.build import write_graph
from customers.ports import Progress, TextEncoder
from customers.profiles import build as profiles
from customers.profiles.workspace import Workspace
from customers.recommend import campaigning
from customers.report import write_report
from customers.stages import Silent, Stopwatch
from customers.stores import events, space, versions

# A version copies the store and adds the vectors: 3.4 times the sample's store (57 MB, 194 MB).
SPACE_FACTOR, SPACE_LEAST = 5, 50_000_000
STORE = Path("store") / "shop.duckdb"


def build(
    shop_dir: Path,
    progress: Progress | None = None,
    *,
    force: bool = False,
    encoder: TextEncoder | None = None,
    fill_gaps: bool = False,
) -> Path:
    """Build a new version of the shop and make it current; return its directory.

    Nothing is done when the store and our code are those of the current version, unless `force`.
    `fill_gaps` lets attributes that nobody told be guessed (`profiles.gaps`).
    Raises BadInput where there is no store, it holds no purchases, another build runs, or the disk
    is full.
    """
    store = shop_dir / STORE
    if not store.is_file():
        raise BadInput(f"{store} does not exist; bring data in first: `shopkeeper data SOURCE`")
    space.require(shop_dir, SPACE_FACTOR * store.stat().st_size + SPACE_LEAST, "a build")
    with versions.build_lock(shop_dir):
        with events.lock(store, shared=True):
            print_of_inputs = fingerprint(store) + "+gaps" * fill_gaps
        found = versions.find_current(shop_dir)
        if found is not None and not force and _manifest(found).get("fingerprint") == print_of_inputs:
            return found
        partial = versions.begin(shop_dir)
        try:
            _build_into(
                partial, store, print_of_inputs, encoder or MultilingualEncoder(), progress or Silent(),
                fill_gaps,
            )  # fmt: skip
            return versions.publish(shop_dir, partial)
        except (OSError, duckdb.IOException) as error:
            raise BadInput(f"the build could not be written to {shop_dir}: {_first_line(error)}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _build_into(
    out: Path, store: Path, print_of_inputs: str, encoder: TextEncoder, progress: Progress, fill_gaps: bool
) -> None:
    watch = Stopwatch(progress)
    with watch.stage("copy the store"):
        events.copy(store, out / "shop.duckdb")
        work = Workspace.open(out, encoder)
    try:
        profiles.run(work, watch, fill_gaps=fill_gaps)
        with watch.stage("measures"):
            measure_tables.prepare(work.con)
        with watch.stage("recommenders") as told:
            recommend.fit(work.con, out / "recommend", told)
        with watch.stage("campaigns"):
            campaigning.learn(work.con, out)
        with watch.stage("knowledge graph"):
            write_graph(work.con, out)
        work.con.execute("CHECKPOINT")
        with watch.stage("report"):
            write_report(work.con, out, watch.stages)
    finally:
        work.close()
    manifest = {
        "fingerprint": print_of_inputs,
        "encoder": encoder.name,
        "stages": [asdict(stage) for stage in watch.stages],
        "seconds": round(sum(stage.seconds for stage in watch.stages), 3),
        "peak_mib": max(stage.peak_mib for stage in watch.stages),
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def fingerprint(store: Path) -> str:
    """Of the store's bytes and of our own code: equal prints build equal versions."""
    digest = hashlib.sha256()
    with store.open("rb") as handle:
        digest.update(hashlib.file_digest(handle, "sha256").digest())
    here = Path(__file__).parent
    for path in sorted([*here.rglob("*.py"), *here.rglob("*.csv"), *here.rglob("weights.npz")]):
        digest.update(str(path.relative_to(here)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _manifest(version: Path) -> dict[str, object]:
    try:
        return json.loads((version / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
