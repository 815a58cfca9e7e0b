"""The customer panel beside the chat, and the segments tab: components and what they show."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import gradio as gr

from customers.errors import Unknown
from ui import cards, plots, segment_cards
from ui.ports import ShopView
from ui.texts import text

# A browser holds so many choices with ease; any other id can still be typed.
_MOST_CHOICES = 5000
_LOOK_FOR_EXAMPLE = 60


class Panel:
    """What is shown of one shop's customers. Call the `layout` methods inside a gr.Blocks."""

    picker: gr.Dropdown

    def __init__(self, shop: ShopView) -> None:
        self.shop = shop
        self.segments = list(shop.segments())

    @cached_property
    def points(self) -> list[plots.Point]:
        """The segment map, once: it does not change while the shop is open."""
        return plots.points(self.shop.segment_map(), {s.segment_id for s in self.segments})

    @cached_property
    def example(self) -> tuple[str, tuple[str, str]]:
        """A customer worth asking about (of the first few, the one with the most trips among those
        whose household is known), and the English and Chinese name of a category they buy."""
        ids = list(self.shop.keys("customer"))[:_LOOK_FOR_EXAMPLE]
        if not ids:
            return "1", ("milk", "牛奶")
        profiles = [self.shop.profile(customer_id) for customer_id in ids]
        best = max(profiles, key=lambda p: (bool(p.attributes), p.baskets))
        names = [one.name for one in (*best.likely[:1], *best.top_categories[:1])]
        return best.customer_id, (names[0].en, names[0].zh) if names else ("milk", "牛奶")

    # layout ----------------------------------------------------------------------------------
    def layout(self) -> None:
        """Lay out the picker, the card and the plots."""
        self.picker = gr.Dropdown(
            list(self.shop.keys("customer"))[:_MOST_CHOICES],
            value=None,
            label=text("picker", "en"),
            info=text("picker_hint", "en"),
            allow_custom_value=True,
            filterable=True,
            num_choices_shown=100,
            elem_id="picker",
        )
        self.card = gr.HTML(elem_id="card")  # filled when the page is loaded, in the browser's language
        self.plots = [
            gr.Plot(visible=False, show_label=False, elem_id=name, elem_classes="plot-card")
            for name in ("plot-months", "plot-categories", "plot-map")
        ]

    def layout_segments(self) -> None:
        """Lay out the segments tab."""
        self.table = gr.HTML(elem_id="segment-table")
        with gr.Row():
            self.map = gr.Plot(
                show_label=False, elem_id="segment-map", elem_classes="plot-card", scale=3, min_width=340
            )
            self.sizes = gr.Plot(
                show_label=False, elem_id="segment-sizes", elem_classes="plot-card", scale=2, min_width=340
            )
        self.segment_cards = gr.HTML(elem_id="segment-cards")
        self.spread_title = gr.HTML(elem_id="spread-title")
        with gr.Row():
            self.spreads = [
                gr.Plot(show_label=False, elem_id=name, elem_classes="plot-card", min_width=340)
                for name in ("plot-interests", "plot-chances", "plot-reliability")
            ]

    def shown(self) -> list[Any]:
        """The components that `show` fills, in its order."""
        return [self.card, *self.plots]

    def segment_views(self) -> list[Any]:
        """The components that `show_segments` fills, in its order."""
        return [self.table, self.map, self.sizes, self.segment_cards, self.spread_title, *self.spreads]

    # contents --------------------------------------------------------------------------------
    def show(self, customer: str | None, language: str) -> list[Any]:
        """Return the card and the plots of a customer; a friendly line for one that is unknown,
        the shop at a glance for none."""
        asked = str(customer or "").strip()
        hidden = [gr.update(value=None, visible=False)] * len(self.plots)
        if not asked:
            return [cards.shop(self.shop.info, self.segments, language), *hidden]
        try:
            profile = self.shop.profile(asked)
        except Unknown:
            return [cards.note("unknown_customer", language, customer=asked[:40]), *hidden]
        currency = self.shop.info.currency
        figures = [
            plots.months(profile, currency, language),
            plots.categories(profile, currency, language),
            plots.customer_map(self.points, self.segments, asked, language),
        ]
        drawn = [gr.update(value=figure, visible=True) for figure in figures]
        if not self.points:
            drawn[-1] = gr.update(value=None, visible=False)
        return [cards.customer(profile, self.shop, language), *drawn]

    def show_segments(self, language: str) -> list[Any]:
        """Return the table, the map, the sizes and the cards of all segments, and how interests and chances
        are spread over the customers."""
        seen = bool(self.segments)
        chart = plots.segment_map(self.points, self.segments, language) if seen and self.points else None
        return [
            cards.segments(self.segments, self.shop.info, language),
            gr.update(value=chart, visible=chart is not None),
            gr.update(value=plots.segment_sizes(self.segments, language) if seen else None, visible=seen),
            segment_cards.cards(self.segments, self.shop, language),
            *self._spreads(language),
        ]

    def _spreads(self, language: str) -> list[Any]:
        interests, chances = self.shop.interest_spread(), self.shop.chance_spread()
        held = self.shop.reliability()
        drawn = [
            plots.interests(interests, language) if interests else None,
            plots.chances(chances, language) if chances else None,
            plots.reliability(held, language) if held and held.curve else None,
        ]
        title = f"<h3>{cards.inert(text('spreads', language))}</h3>" if any(drawn) else ""
        return [title, *(gr.update(value=one, visible=one is not None) for one in drawn)]
