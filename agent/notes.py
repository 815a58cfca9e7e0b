"""What a turn leaves in the long-term notes of its own account: what was offered, what was handed over.

Staff's own notes are written by a tool, after a yes. Nothing is noted outside a session, and forgetting
the session erases what it left.
"""

from __future__ import annotations

from agent.turn import Turn
from customers.stores.notes import MOST_CHARS, NoteRefused, NoteStore

_OFFERED = 5


def leave_notes(notes: NoteStore, turn: Turn) -> None:
    """Note what was offered to whom and which matter a colleague took over. A folder that cannot be
    written keeps no notes; the answer does not suffer."""
    if not turn.session:
        return
    try:
        for customer, products in _offered(turn).items():
            last = notes.of(customer, ["offered"], 1)
            if not last or (last[0].session, list(last[0].products)) != (turn.session, products):
                notes.add(customer, kind="offered", products=products, session=turn.session)
        if turn.handoff is not None and turn.subject.customers:
            text = turn.question[:MOST_CHARS]
            notes.add(turn.subject.customers[0], text, kind="handoff", session=turn.session)
    except NoteRefused:
        return


def _offered(turn: Turn) -> dict[str, list[str]]:
    return {
        str(trace.args["customer"]): [rec.product_id for rec in trace.result.recommendations[:_OFFERED]]
        for trace in turn.traces
        if trace.tool == "recommend" and trace.result is not None
    }
