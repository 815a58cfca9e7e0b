"""Below the chat: what the customer made of the offers of the last answer, and the file of a planned campaign."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import gradio as gr

from agent.events import Reply
from customers.errors import CustomersError
from customers.recommend import plan_file
from customers.recommend.plan import Terms
from customers.stores.feedback import Action, FeedbackEvent
from tools import TOOLS
from tools.audience import TERMS
from tools.base import CannotDo
from ui.escape import inert
from ui.texts import text

AT_RISK = (
    "rank", "customer_id", "chance_to_leave", "days_since_last", "usual_days_between", "usual_spend_30_days", "segment",
)  # fmt: skip
LISTS = ("absent", "bought_not", "stopped_buying", "visit_days")
LISTED = ("rank", "customer_id", "trips", "spend", "last_visit", "segment")
ACTIONS: tuple[Action, ...] = ("clicked", "bought", "dismissed", "never")


@dataclass(frozen=True)
class Offers:
    """The offers of one answer: for whom, (product id, name) of each, and the number of the answer."""

    customer: str
    products: tuple[tuple[str, str], ...]
    answer: str


class FeedbackBar:
    """Call `layout` inside a gr.Blocks. A shop without a feedback store has no buttons."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        self.store = getattr(shop, "feedback", None)

    @cached_property
    def _folder(self) -> Path:
        """Where plans wait to be fetched; it goes when the page ends."""
        folder = tempfile.mkdtemp(prefix="shopkeeper-plans-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def layout(self) -> None:
        """Lay out the bar, hidden until an answer has something for it."""
        self.offers = gr.State(None)
        with gr.Row(elem_id="feedback", visible=False) as self.row:
            self.product = gr.Dropdown(
                [], label=text("offer", "en"), elem_id="feedback-product", min_width=180
            )
            self.buttons = [
                gr.Button(text(f"feedback_{action}", "en"), size="sm", elem_id=f"feedback-{action}")
                for action in ACTIONS
            ]
        self.said = gr.HTML(elem_id="feedback-said")
        self.plan = gr.DownloadButton(text("plan_file", "en"), visible=False, size="sm", elem_id="plan-file")

    def wire(self, language: Any, closed: dict[str, Any]) -> None:
        """Have each button keep what it says."""
        for action, button in zip(ACTIONS, self.buttons, strict=True):
            button.click(
                partial(self.keep, action), [self.offers, self.product, language], [self.said], **closed
            )

    def shown(self) -> list[Any]:
        """The components that `after` fills."""
        return [self.offers, self.row, self.product, self.said, self.plan]

    def labelled(self, language: str) -> dict[Any, Any]:
        """Every text of the bar in a language."""
        words = {
            b: gr.update(value=text(f"feedback_{a}", language))
            for a, b in zip(ACTIONS, self.buttons, strict=True)
        }
        return words | {
            self.product: gr.update(label=text("offer", language)),
            self.plan: gr.update(label=text("plan_file", language)),
        }

    # what is shown -------------------------------------------------------------------------
    def after(self, reply: Reply | None) -> dict[Any, Any]:
        """Return the bar after an answer; that its offers were shown is kept."""
        offers, path = self._offers(reply), self._plan(reply) or self._at_risk(reply) or self._listed(reply)
        choices = [(name, key) for key, name in offers.products] if offers else []
        return {
            self.offers: offers,
            self.row: gr.update(visible=offers is not None),
            self.product: gr.update(choices=choices, value=choices[0][1] if choices else None),
            self.said: "",
            self.plan: gr.update(value=path, visible=path is not None),
        }

    def _offers(self, reply: Reply | None) -> Offers | None:
        if reply is None or self.store is None or not reply.recommendations:
            return None
        customers = [s.args.get("customer") for s in reply.steps if s.tool == "recommend"]
        if len(customers) != 1 or not isinstance(customers[0], str):
            return None  # offers for several customers at once: whose they are cannot be told
        products = tuple((o.product_id, o.name) for o in reply.recommendations)
        offers = Offers(customers[0], products, uuid.uuid4().hex)
        try:
            self.store.record_all(
                [
                    self._event(offers, offer.product_id, "shown", {"rank": n, "score": float(offer.score)})
                    for n, offer in enumerate(reply.recommendations, 1)
                ]
            )
        except CustomersError:
            return None  # the folder cannot be written: nothing can be kept
        return offers

    def keep(self, action: Action, offers: Offers | None, product: str | None, language: str) -> str:
        """Keep what a button says of a product, and say that it was kept."""
        names = dict(offers.products) if offers else {}
        if offers is None or product not in names or self.store is None:
            return ""
        try:
            self.store.record(self._event(offers, product, action, {}))
        except CustomersError as error:
            return f'<p class="feedback-note">{inert(str(error))}</p>'
        said = text(f"kept_{action}", language, product=names[product], customer=offers.customer)
        return f'<p class="feedback-note">{inert(said)}</p>'

    @staticmethod
    def _event(offers: Offers, product: str, action: Action, context: dict[str, Any]) -> FeedbackEvent:
        key = (
            f"page-{offers.answer}-{product}-{action}"  # a second click on the same button is the same event
        )
        return FeedbackEvent(key, offers.customer, product, action, datetime.now(UTC), context=context)

    # the plan's file -----------------------------------------------------------------------
    def _plan(self, reply: Reply | None) -> str | None:
        """Write the campaign that an answer planned, and return where."""
        steps = [s for s in reply.steps if s.tool == "audience"] if reply else []
        if not steps or not hasattr(self.shop, "campaign_plan"):
            return None
        args = steps[-1].args
        given = {name: args[name] for name in TERMS if args.get(name) is not None}
        category, product = args.get("category"), args.get("product")
        if not given or not (category or product):
            return None
        try:
            plan = self.shop.campaign_plan(
                Terms(**given), category, product, args.get("segment"), args.get("among")
            )
        except CustomersError:
            return None  # the answer said why
        target = self.shop.name(*(("category", category) if category else ("product", str(product))))
        return self._written("plan", plan_file.render(plan, target, self.shop.segment_names()))

    def _at_risk(self, reply: Reply | None) -> str | None:
        """Write all customers at risk of an answer that listed the first of them, and return where."""
        step = next((s for s in reply.steps if s.tool == "at_risk"), None) if reply else None
        if step is None:
            return None
        try:
            found = TOOLS["at_risk"].run(self.shop, step.args).full
        except CannotDo:
            return None  # the answer said why
        segments = self.shop.segment_names()
        rows = [
            (rank, one.customer_id, f"{one.chance:.4f}", one.away, one.gap, f"{one.usual:.2f}",
             segments.get(one.customer_id, ""))
            for rank, one in enumerate(found, 1)
        ]  # fmt: skip
        return self._written("at-risk", plan_file.table(AT_RISK, rows)) if rows else None

    def _listed(self, reply: Reply | None) -> str | None:
        """Write all customers of an answer that listed the first of them, and return where."""
        step = next((s for s in reply.steps if s.tool in LISTS), None) if reply else None
        if step is None:
            return None
        try:
            found = TOOLS[step.tool].run(self.shop, step.args).found.get("customer", ())
        except (CannotDo, CustomersError):
            return None  # the answer said why
        query = "SELECT customer_id, baskets, spend, last_day FROM customer_summary WHERE list_contains(?, customer_id)"
        told = {str(key): rest for key, *rest in self.shop.query(query, [list(found)])}
        segments = self.shop.segment_names()
        rows = [
            (rank, who, told[who][0], f"{told[who][1]:.2f}", told[who][2], segments.get(who, ""))
            for rank, who in enumerate(found, 1) if who in told
        ]  # fmt: skip
        return self._written("customers", plan_file.table(LISTED, rows)) if rows else None

    def _written(self, name: str, content: str) -> str:
        path = self._folder / f"{name}-{uuid.uuid4().hex[:8]}.csv"
        plan_file.write(path, content)
        return str(path)
