"""Simulated users of the assistant: personas with needs, driven by templates; no model plays or judges."""

from __future__ import annotations

from eval.personas.needs import About, Dialogue, Figure, Goal, Need, Persona, Reveal, Turn
from eval.personas.shop_personas import personas
from eval.personas.simulate import MAX_TURNS, Ask, simulate

__all__ = [
    "MAX_TURNS",
    "About",
    "Ask",
    "Dialogue",
    "Figure",
    "Goal",
    "Need",
    "Persona",
    "Reveal",
    "Turn",
    "personas",
    "simulate",
]
