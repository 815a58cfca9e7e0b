"""How the rows of each source were read, as the store's table of loads remembers it."""

from __future__ import annotations

from customers.errors import BadInput
from customers.ingest.mapping import FileMapping, Mapping
from customers.stores.events import EventStore


def remembered(store: EventStore) -> dict[str, tuple[Mapping, FileMapping]]:
    """Return source -> (the mapping of its last load, its own entry in it); sources without are left out."""
    if "loads" not in store.tables():
        return {}
    rows = store.backend.con.execute(
        "SELECT source, arg_max(mapping, load_id) FROM loads WHERE mapping IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()
    found = {}
    for source, text in rows:
        try:
            mapping = Mapping.from_yaml(text, source)
        except BadInput:  # another version's mapping; the rows themselves are still readable
            continue
        entry = next((e for e in mapping.files if e.path == source), None)
        if entry is None and len(mapping.files) == 1:
            entry = mapping.files[0]
        if entry is not None:
            found[source] = (mapping, entry)
    return found
