"""A small shop and a scripted agent that stand in for the rooms below the page in its tests.

Customer "hostile" and the question "attack" carry markup that must stay text wherever it is shown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import date
from types import SimpleNamespace

from agent.errors import LLMUnavailable
from agent.events import (
    Citation,
    Event,
    FactEvent,
    FinalEvent,
    Grounding,
    Offer,
    Reply,
    Step,
    StepEvent,
    TokenEvent,
)
from customers.errors import Unknown
from customers.profiles.spreads import ChanceSpread, InterestSpread, Reliability
from customers.values import (
    CategoryTaste,
    Label,
    Name,
    Outlook,
    Profile,
    Propensity,
    Segment,
    SegmentMove,
    SegmentTrait,
    ShopInfo,
    TogetherRule,
)

HOSTILE = (
    "<img src=x onerror=\"document.title='PWNED'\"> [x](javascript:alert(1)) "
    "<script>document.title='PWNED'</script> ![p](http://evil.example/p.png) "
    "${document.title='PWNED'} {{value}} `code` **bold** $$x$$ <a href='http://evil.example'>a</a>"
)
_SEEDS = ((0.0, 0.0), (3.0, 1.0), (1.0, 3.5))


def _taste(key: str, en: str, zh: str, spend: float, lift: float) -> CategoryTaste:
    return CategoryTaste(key, Name(en, zh), spend, int(spend / 6), spend / 2000, lift, 9)


def _segments() -> list[Segment]:
    milk = _taste("MILK", "Milk", "牛奶", 61000.0, 1.4)
    baby = _taste("BABY", "Baby food", "婴儿食品", 21000.0, 6.2)
    beer = _taste("BEER", "Beer & ales", "啤酒", 33000.0, 3.1)
    return [
        Segment(
            "s1",
            Name("Everyday family shoppers", "日常家庭客"),
            52,
            0.52,
            2104.5,
            88.2,
            6.1,
            (milk,),
            traits=(
                SegmentTrait("age", "45-54", 20, 0.4, 0.25),
                SegmentTrait("kids", "no name", 12, 0.3, 0.1),
            ),
            examples=("1001", "1004"),
            moves=(
                SegmentMove(Name("Families", "家庭"), 45, True),
                SegmentMove(Name(HOSTILE, HOSTILE), 4, False),
                SegmentMove(None, 3, False),
            ),
            size_before=50,
            together=(TogetherRule((milk.name,), baby.name, 21, 0.456, 3.21),),
        ),
        Segment(
            "s2",
            Name("Baby & diapers", "母婴家庭"),
            31,
            0.31,
            3320.0,
            120.0,
            3.4,
            (baby, milk),
            moves=(SegmentMove(None, 31, False),),
        ),
        Segment("s3", Name("Beer & snacks", "啤酒零食客"), 17, 0.17, 980.25, 33.9, 19.8, (beer,)),
    ]


class FakeShop:
    """A hundred customers "1001" … "1100" in three segments, and the customer "hostile"."""

    info = ShopInfo("Complete Journey sample", "$", date(2017, 1, 1), date(2017, 12, 31), 101, 420, 31_337)

    def __init__(self) -> None:
        self._ids = [str(n) for n in range(1001, 1101)] + ["hostile"]

    def name(self, kind: str, key: str) -> Name:
        words = {
            "age": Name("Age", "年龄"),
            "age=45-54": Name("45–54", "45–54岁"),
            "kids": Name("Children", "子女"),
        }
        return words.get(key, Name(key, key))

    def keys(self, kind: str) -> Sequence[str]:
        return self._ids if kind == "customer" else []

    def has_customer(self, customer_id: str) -> bool:
        return customer_id in self._ids

    def segments(self) -> list[Segment]:
        return _segments()

    def labels(self, customer_id: str) -> list[Label]:
        name = Name(HOSTILE, HOSTILE) if customer_id == "hostile" else Name("Weekend shopper", "周末购物")
        return [Label("behaviour", "weekend", name, "0.61", "purchases", 0.97, date(2017, 12, 31))]

    def segment_map(self) -> list[tuple[str, str, float, float]]:
        spread = [(i * 37 % 100 / 50, i * 61 % 100 / 50) for i in range(len(self._ids))]
        return [
            (customer, f"s{i % 3 + 1}", _SEEDS[i % 3][0] + spread[i][0], _SEEDS[i % 3][1] + spread[i][1])
            for i, customer in enumerate(self._ids)
        ]

    def interest_spread(self) -> list[InterestSpread]:
        return [
            InterestSpread(Name(HOSTILE, "牛奶"), 40, 0.4),
            InterestSpread(Name("Beer", "啤酒"), 12, 0.12),
        ]

    def chance_spread(self) -> list[ChanceSpread]:
        return [ChanceSpread(Name("Milk", "牛奶"), (0.1, 0.2, 0.5, 0.7, 0.9))]

    def reliability(self) -> Reliability:
        return Reliability(date(2017, 12, 1), ((0.1, 0.12, 40), (0.6, 0.55, 40)), 0.035)

    def profile(self, customer_id: str) -> Profile:
        if customer_id not in self._ids:
            raise Unknown(f"no customer {customer_id}")
        bad = customer_id == "hostile"
        names = [
            ("MILK", HOSTILE if bad else "Milk", "牛奶", 412.8, 1.05),
            ("FROZEN PIZZA", "Frozen pizza", "冷冻披萨", 288.1, 3.24),
            ("CHEESE", "Cheese", "奶酪", 190.55, 1.6),
            ("SOFT DRINKS", "Soft drinks", "软饮料", 120.0, 0.6),
        ]
        tastes = tuple(_taste(*row) for row in names)
        months = tuple((date(2017, m, 1), 90.0 + m * 17.5 % 60) for m in range(1, 13))
        return Profile(
            customer_id=customer_id,
            segment=_segments()[1],
            attributes={"age": HOSTILE if bad else "45-54", "kids": "2"},
            first_day=date(2017, 1, 3),
            last_day=date(2017, 12, 28),
            recency_days=3,
            baskets=96,
            spend=2841.37,
            mean_basket=29.6,
            days_between=3.5,
            spend_by_month=months,
            top_categories=tastes,
            likely=(Propensity("MILK", tastes[0].name, 0.93), Propensity("CHEESE", tastes[2].name, 0.41)),
            campaigns_received=6,
            coupons_redeemed=2,
            outlook=Outlook(
                date(2017, 12, 31),
                date(2018, 1, 1),
                date(2018, 1, 4),
                date(2018, 1, 12),
                0.99,
                0.042,
                712.4,
                401.0,
                1033.6,
            ),
        )


class FakeAgent:
    """Answers as the words of the question say: "fail", "slow", "attack", else a full answer."""

    model = "fake-model"

    def __init__(self, pause_s: float = 0.05) -> None:
        self.shop = FakeShop()
        self.pause_s = pause_s
        self.asked: list[SimpleNamespace] = []
        self.running, self.most_running = 0, 0
        self._lock = threading.Lock()
        self.forgotten: list[str] = []

    def forget(self, session: str) -> None:
        self.forgotten.append(session)

    def stream(
        self,
        question: str,
        role: str = "service",
        customer: str | None = None,
        session: str | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Event]:
        asked = SimpleNamespace(
            question=question, role=role, customer=customer, session=session, closed=False
        )
        self.asked.append(asked)
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            yield from self._events(question)
        finally:
            asked.closed = True
            with self._lock:
                self.running -= 1

    def _events(self, question: str) -> Iterator[Event]:
        if "fail" in question:
            yield StepEvent("Looking up customer 1007…")
            raise RuntimeError("secret path /var/data")
        if "no model" in question:
            raise LLMUnavailable("the model server does not answer; start it with `shopkeeper llm`")
        zh = any("\u4e00" <= c <= "\u9fff" for c in question)
        busy = "正在查询顾客1007……" if zh else "Looking up customer 1007…"
        yield StepEvent(busy)
        time.sleep(self.pause_s * 4)
        step = Step("profile", {"customer": "1007"}, 12.5, 2)
        yield StepEvent(busy, step)
        reply = _attack() if "attack" in question else _reply(zh, step)
        for citation in reply.citations:
            yield FactEvent(citation)
        for piece in (reply.answer * (60 if "slow" in question else 1)).split(" "):
            time.sleep(self.pause_s)
            yield TokenEvent(piece + " ")
        yield FinalEvent(reply)


def _reply(zh: bool, step: Step) -> Reply:
    facts = (
        Citation(
            1, "profile", "顾客1007共消费$2,841.37。" if zh else "Customer 1007 spent $2,841.37.", 2841.37
        ),
        Citation(2, "recommend", "每9天买一次牛奶。" if zh else "Customer 1007 buys milk every 9 days.", 9),
    )
    answer = (
        "顾客1007是**常客**，共消费$2,841.37 [1]。\n\n- 每9天买一次牛奶 [2]"
        if zh
        else "Customer 1007 is a **regular** who spent $2,841.37 [1].\n\n"
        "- They buy milk every 9 days [2]\n- Offer it first"
    )
    offers = (
        Offer("p1", "Milk, 1 gal (private label)", 0.91, "Buys it every 9 days, last 8 days ago"),
        Offer("p2", "Frozen pizza, 12 oz", 0.47, "3.2× the usual share of spend"),
    )
    return Reply(
        answer=answer,
        language="zh" if zh else "en",
        kind="answer",
        steps=(step,),
        citations=facts,
        recommendations=offers,
        grounding=Grounding(3, 3, 0),
        timings_ms={"total": 1234.0},
    )


def _attack() -> Reply:
    return Reply(
        answer=HOSTILE + "\n\n" + HOSTILE,
        language="en",
        kind="answer",
        citations=(Citation(1, HOSTILE, HOSTILE, HOSTILE),),
        recommendations=(Offer("p", HOSTILE, 0.5, HOSTILE),),
    )
