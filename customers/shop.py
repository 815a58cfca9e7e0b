"""Shop: the read side of a finished build, and the only thing that tools and UI ask.

Opened on a shop directory (`var/complete-journey`), it reads the version that the directory's
CURRENT file names. Every method answers from that version; a build that finishes meanwhile is
seen by the next `Shop.open`. Safe to use from several threads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from customers import campaigns, measure, recommend
from customers import values as v
from customers.catalogue import Catalogue
from customers.encoder import MultilingualEncoder
from customers.errors import BadInput, Unknown
from customers.graph.graph import KnowledgeGraph
from customers.graph.needs import SPELT
from customers.graph.reach import Reach
from customers.graph.why import why_together
from customers.measure import Measure, MeasureResult
from customers.measure_events import rating_scale
from customers.ports import TextEncoder
from customers.profiles import document, spreads
from customers.profiles.cards import Cards
from customers.profiles.explain import Explainer
from customers.recommend import rules
from customers.recommend.campaigning import Campaigning, lookalikes
from customers.recommend.fitting import RESTRICTED, TOBACCO
from customers.recommend.learning import FeedbackRanking
from customers.recommend.onboarding import Newcomer
from customers.recommend.plan import Plan, Terms
from customers.stores import versions
from customers.stores.feedback import FEEDBACK_FILE, FeedbackStore
from customers.stores.notes import NOTES_FILE, NoteStore
from customers.stores.reader import Reader
from customers.stores.vectors import CUSTOMERS, PRODUCTS, VectorStore

_BRAND = "SELECT brand FROM products WHERE product_id = ?"
_CATEGORY = "SELECT category FROM products WHERE product_id = ?"
_LOOKED_AT = 4  # times the offers that are wanted: what feedback may put in another order


class Shop:
    """See the module. Raises NotBuilt on open where there is no finished build, and Unknown from
    any method that is given an id or key that the shop does not have."""

    info: v.ShopInfo

    def __init__(self, version: Path, encoder: TextEncoder | None = None) -> None:
        self.version = version
        self._encoder = encoder or MultilingualEncoder()
        self._reader = Reader(version / "shop.duckdb")
        self._catalogue = Catalogue(self._reader)
        self._cards = Cards(self._reader, self._catalogue)
        self.info = self._catalogue.info

    @classmethod
    def open(cls, path: Path, encoder: TextEncoder | None = None) -> Shop:
        """Open the shop directory's current version. `encoder` must be the one it was built with."""
        return cls(versions.current(Path(path)), encoder)

    def load(self) -> None:
        """Read what the first question of a kind would wait for; without it, each is read when needed."""
        for part in ("_vectors", "_explainer", "_recommenders"):
            getattr(self, part)

    def close(self) -> None:
        """Release the version's files; nothing can be asked afterwards."""
        if "_vectors" in self.__dict__:
            self._vectors.close()
        self._reader.close()

    # names ---------------------------------------------------------------------------------
    def name(self, kind: str, key: str) -> v.Name:
        """What a key of a kind is called; a customer, a campaign and a product by their own names."""
        return self._catalogue.name(kind, key)

    def keys(self, kind: str) -> Sequence[str]:
        """All keys of a kind: customer, department, category, type, brand, segment, campaign,
        attribute, attribute_value ("age=45-54"), in a stable order."""
        return self._catalogue.keys(kind)

    def synonyms(self) -> list[tuple[str, str, str, str]]:
        """Everyday words for keys: (kind, key, language, word)."""
        rows = self.query("select kind, key, language, synonym from synonyms order by all")
        return [(str(k), str(key), str(language), str(word)) for k, key, language, word in rows]

    def customer_ids(self) -> Sequence[str]:
        """Every customer with a purchase, numbers in numeric order."""
        return self._catalogue.keys("customer")

    def has_customer(self, customer_id: str) -> bool:
        return self._catalogue.has_customer(customer_id)

    def product_name(self, product_id: str) -> str:
        return self._catalogue.product(product_id).name

    # profiles ------------------------------------------------------------------------------
    def profile(self, customer_id: str) -> v.Profile:
        """The profile card of a customer. Raises Unknown."""
        self._known(customer_id)
        return self._cards.profile(customer_id)

    def labels(self, customer_id: str, kinds: Collection[str] = v.LABEL_KINDS) -> list[v.Label]:
        """Labels of a customer by kind, the surest of a kind first. Raises Unknown, BadInput for a kind
        that does not exist, and NotBuilt where the version has no labels."""
        self._known(customer_id)
        return document.read_labels(self._reader, customer_id, kinds)

    def profile_document(self, customer_id: str, kinds: Collection[str] = v.LABEL_KINDS) -> dict[str, Any]:
        """All that is known of a customer, with the labels of some kinds, as plain JSON values that keep
        to profiles/profile.schema.json. Raises as `labels` does."""
        labels, profile = self.labels(customer_id, kinds), self.profile(customer_id)
        names = {
            key: (self.name("attribute", key), self._value_name(key, value))
            for key, value in profile.attributes.items()
        }
        rules = document.read_rules(self._reader)
        return document.document(self.info, profile, labels, rules, names, kinds)

    def _value_name(self, attribute: str, value: str) -> v.Name:
        try:
            return self.name("attribute_value", f"{attribute}={value}")
        except Unknown:
            return v.Name(value, value)

    def explain_preference(self, customer_id: str, category: str) -> v.PreferenceExplanation:
        """Why a customer's probability for a category is what it is; contributions by size. Their sum
        is the log-odds' difference from a customer with everybody's mean behaviour. Raises Unknown
        for a category that has no model."""
        self._known(customer_id)
        return self._explainer.explain(customer_id, category, self.name("category", category))

    def similar_customers(self, customer_id: str, n: int = 5) -> list[v.SimilarCustomer]:
        """The nearest customers in behaviour embedding, best first, without the customer itself."""
        self._known(customer_id)
        vector = self._vectors.vector(CUSTOMERS, customer_id)
        found = self._vectors.nearest(CUSTOMERS, vector, n + 1)
        near = [hit for hit in found if hit.key != customer_id][:n]
        return [
            v.SimilarCustomer(
                customer_id=hit.key,
                similarity=min(1.0, hit.similarity),
                segment=self._cards.segment_name_of(hit.key),
                shared_categories=self._cards.shared_categories(customer_id, hit.key),
            )
            for hit in near
        ]

    def segments(self) -> list[v.Segment]:
        """Every segment, the largest first."""
        return list(self._cards.segments.values())

    def segment(self, segment_id: str) -> v.Segment:
        try:
            return self._cards.segments[segment_id]
        except KeyError:
            raise Unknown(f"there is no segment {segment_id!r}") from None

    def segment_map(self) -> list[tuple[str, str, float, float]]:
        """(customer, segment, x, y) of every customer on the two strongest factors of taste."""
        return self._cards.segment_map()

    def interest_spread(self, n: int = 15) -> list[spreads.InterestSpread]:
        """How many customers have each interest, the most common first."""
        return spreads.interests(self._reader, n)

    def chance_spread(self, n: int = 15) -> list[spreads.ChanceSpread]:
        """How the chances to buy are spread over customers, the categories with the highest mean first."""
        return spreads.chances(self._reader, n)

    def reliability(self) -> spreads.Reliability | None:
        """How the stated chances held on days that the models had not seen; None where there were none."""
        return spreads.reliability(self.version)

    def category_history(self, customer_id: str, category: str) -> v.CategoryTaste | None:
        """What the customer did in the category; None where the customer never bought from it."""
        self._known(customer_id)
        self.name("category", category)
        return self._cards.taste(customer_id, category)

    # recommendations -----------------------------------------------------------------------
    def recommend(
        self,
        customer_id: str,
        n: int = 5,
        category: str | None = None,
        new_only: bool = False,
        exclude: Sequence[str] = (),
    ) -> list[v.Recommendation]:
        """Up to n products, best first; `exclude` holds product ids to leave out, and what rules hold back is not
        among them. Raises Unknown."""
        return list(self.offer(customer_id, n, category, new_only, exclude).recommendations)

    def offer(
        self,
        customer_id: str,
        n: int = 5,
        category: str | None = None,
        new_only: bool = False,
        exclude: Sequence[str] = (),
        without: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> rules.Offered:
        """What `recommend` gives, with what the shop's rules and the customer's own feedback keep out of it. without:
        keys by kind (department, category, type, brand, product) whose products are not asked for. Tobacco is offered
        only within its own category, unless the rules say otherwise."""
        self._known(customer_id)
        held = rules.read_rules(self.folder)
        if category is None and not held.offer_tobacco:
            exclude = [*exclude, *self._tobacco]
        look = _LOOKED_AT if self._ranking.knows() else 1
        exclude = [*exclude, *self._products_of(without)]

        def ask(wanted: int, without: Sequence[str]) -> list[v.Recommendation]:
            found = self._recommenders.recommend(
                customer_id,
                n=look * wanted,
                category=category,
                new_only=new_only,
                exclude=[*exclude, *without],
            )
            return self._ranking.order(customer_id, found, wanted)

        return rules.obey(
            ask,
            n,
            held,
            self.feedback.turned_down(customer_id),
            self._brand_of,
            capped=category is None,
        )

    def _products_of(self, things: Mapping[str, Collection[str]]) -> list[str]:
        """The products of any of these things, by kind."""
        found = list(things.get("product", ()))
        for kind in ("department", "category", "type", "brand"):
            if keys := list(things.get(kind, ())):
                rows = self.query(f'SELECT product_id FROM products WHERE list_contains(?, "{kind}")', [keys])
                found += [str(key) for (key,) in rows]
        return found

    def newcomer(
        self,
        n: int = 5,
        answers: Mapping[str, bool] | None = None,
        store: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Newcomer:
        """What to offer to a customer without a history: what is popular of late among those who answer alike, what of
        it is reduced now, and up to three categories to ask about next ("do you buy it?"). answers: category key ->
        whether they buy it; store and attributes: what else is known. Raises Unknown."""
        made, held = self._recommenders, rules.read_rules(self.folder)
        said = made.answers(answers or {})
        traits = made.traits(store, attributes or {})

        def list_of(reduced: bool) -> tuple[v.Recommendation, ...]:
            def ask(wanted: int, without: Sequence[str]) -> list[v.Recommendation]:
                return made.for_newcomer(wanted, said, traits, without, reduced)

            return rules.obey(ask, n, held, {}, self._brand_of).recommendations

        asked, agreeing, customers = made.to_ask(said, 3)
        return Newcomer(list_of(False), list_of(True), tuple(asked), agreeing, customers)

    def family(
        self, customer_id: str | None = None, product_id: str | None = None, n: int = 5
    ) -> rules.Offered:
        """Products of the maker of a product, of the makers that a customer buys from, or both; of no type that the
        customer buys from it already. Raises Unknown, and BadInput where neither is named."""
        if customer_id is not None:
            self._known(customer_id)

        def ask(wanted: int, without: Sequence[str]) -> list[v.Recommendation]:
            return self._recommenders.family(customer_id, product_id, wanted, without)

        turned_down = {} if customer_id is None else self.feedback.turned_down(customer_id)
        return rules.obey(ask, n, rules.read_rules(self.folder), turned_down, self._brand_of)

    def _brand_of(self, product_id: str) -> str:
        return next((b or "" for (b,) in self.query(_BRAND, [product_id])), "")

    def _category_of(self, product_id: str) -> str:
        return next((c or "" for (c,) in self.query(_CATEGORY, [product_id])), "")

    def explore(self, share: float) -> None:
        """Let this share (0..1) of the lists of offers be drawn to learn from their feedback. Raises BadInput."""
        if not 0 <= share <= 1:
            raise BadInput(f"the exploration is {share:g}; give a share from 0 to 1")
        self._ranking = FeedbackRanking(self.feedback, self._category_of, share)

    @property
    def exploration(self) -> float:
        """The share that `explore` set."""
        return self._ranking.exploration

    def audience(
        self,
        category: str | None = None,
        product_id: str | None = None,
        n: int = 20,
        segment_id: str | None = None,
        among: Collection[str] | None = None,
    ) -> v.Audience:
        return self._recommenders.audience(
            category=category, product_id=product_id, n=n, segment_id=segment_id, among=among
        )

    # campaigns ahead -----------------------------------------------------------------------
    def campaign_plan(
        self,
        terms: Terms,
        category: str | None = None,
        product_id: str | None = None,
        segment_id: str | None = None,
        among: Collection[str] | None = None,
    ) -> Plan:
        """Whom to send a coupon for a category or a product under the terms, and what it is expected to bring. among:
        the customers it is for; with a segment, those of both. Raises Unknown, and BadInput for impossible terms."""
        terms.check()
        if (category is None) == (product_id is None):
            raise BadInput("name either a category or a product for the coupon")
        if category is not None:
            target = self.name("category", category).en
            rows = self.query("SELECT product_id FROM products WHERE category = ?", [category])
        else:
            assert product_id is not None
            target, rows = self.product_name(product_id), [(product_id,)]
        if segment_id is not None:
            self.segment(segment_id)
            members = self.query(
                "SELECT customer_id FROM customer_segments WHERE segment_id = ?", [segment_id]
            )
            inside = {str(c) for (c,) in members}
            among = inside if among is None else inside & set(among)
        return self._campaigning.plan(
            [str(p) for (p,) in rows],
            target,
            terms,
            rules.read_rules(self.folder),
            product_id=product_id,
            among=among,
        )

    def lookalikes(self, seeds: Collection[str], n: int = 100) -> list[v.Alike]:
        """The `n` customers that behave most like those of a list, none of it. Raises Unknown for a seed that is no
        customer, BadInput for fewer than five."""
        keys, vectors = self._vectors.all(CUSTOMERS)
        return lookalikes(seeds, n, keys, vectors.astype(float), self._campaigning.habits(keys))

    def segment_names(self) -> dict[str, str]:
        """The English name of each customer's segment."""
        names = {s.segment_id: s.name.en for s in self.segments()}
        rows = self.query("SELECT customer_id, segment_id FROM customer_segments")
        return {str(c): names.get(str(key), "") for c, key in rows}

    def search_products(self, text: str, n: int = 5, category: str | None = None) -> list[v.ProductHit]:
        """Products nearest to a text in English or Chinese, best first, one a distinct name."""
        if not text.strip():
            raise BadInput("the search text is empty; say what product is sought")
        if category is not None:
            self.name("category", category)
        where: dict[str, Any] | None = None if category is None else {"category": category}
        hits = self._vectors.nearest(PRODUCTS, self._encoder.encode([text])[0], n, where)
        return [self._catalogue.product(hit.key).hit(hit.similarity) for hit in hits]

    def bought_with(
        self, category: str | None = None, product_id: str | None = None, n: int = 5
    ) -> list[v.Together]:
        return self._recommenders.bought_with(category=category, product_id=product_id, n=n)

    # knowledge graph -----------------------------------------------------------------------
    def why_together(self, one: tuple[str, str], other: tuple[str, str]) -> v.Why:
        """Why two things go together; each is (kind, key) of a category or a product. Raises Unknown,
        BadInput for one thing given twice, and NotBuilt where the version has no graph."""
        return why_together(self._graph, self._reader.connection(), one, other)

    def cross_category(self, customer_id: str, n: int = 5) -> list[v.NewCategory]:
        """Up to n categories that the customer never bought, reached over the graph from those they buy
        and what they searched for; none that is for adults only. Raises Unknown and NotBuilt."""
        self._known(customer_id)
        trips = dict(
            self.query(
                "SELECT category, baskets FROM customer_categories WHERE customer_id = ?", [customer_id]
            )
        )
        searches = dict(
            self.query(
                f"SELECT {SPELT.format(text='text')} AS need, count(*) FROM events"
                " WHERE customer_id = ? AND kind = 'search' AND text IS NOT NULL GROUP BY need",
                [customer_id],
            )
        )
        return self._reach.new_categories(trips, searches, n, self.for_adults)

    @cached_property
    def for_adults(self) -> frozenset[str]:
        """Categories at least half of whose products are for adults only: never pushed, nor a topic to begin with."""
        return self._mostly(RESTRICTED)

    @cached_property
    def rating_scale(self) -> int:
        """Out of how many points products are rated: 5, 10 or 100."""
        return rating_scale(self.query("SELECT max(rating) FROM events WHERE kind = 'review'")[0][0])

    @cached_property
    def tobacco(self) -> frozenset[str]:
        """Categories of tobacco: what is found for somebody ("their favourite category") is never one of them."""
        return self._mostly(TOBACCO)

    def _mostly(self, named: str) -> frozenset[str]:
        """Categories at least half of whose products a pattern names."""
        rows = self.query(
            "SELECT category FROM products WHERE category IS NOT NULL GROUP BY category HAVING"
            " avg(regexp_matches(upper(concat_ws(' ', department, category, \"type\")), ?)::INT) >= 0.5",
            [named],
        )
        return frozenset(key for (key,) in rows)

    @cached_property
    def _tobacco(self) -> list[str]:
        rows = self.query(
            "SELECT product_id FROM products"
            " WHERE regexp_matches(upper(concat_ws(' ', department, category, \"type\")), ?)",
            [TOBACCO],
        )
        return [str(key) for (key,) in rows]

    @cached_property
    def _graph(self) -> KnowledgeGraph:
        return KnowledgeGraph.open(self.version)

    @cached_property
    def _reach(self) -> Reach:
        return Reach(self._graph)

    # measures ------------------------------------------------------------------------------
    def campaign(self, campaign_id: str) -> v.CampaignResult:
        return campaigns.result(self._reader.connection(), campaign_id)

    def measure(self, spec: Measure) -> MeasureResult:
        return measure.run(self._reader.connection(), spec)

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run our own SQL (never a model's) with bound parameters."""
        return self._reader.rows(sql, params)

    # notes ---------------------------------------------------------------------------------
    @cached_property
    def notes(self) -> NoteStore:
        """What people and earlier sessions noted of the customers; they belong to the shop, not to a
        version, so they outlive builds. Writing raises NoteRefused where the folder is read-only."""
        return NoteStore(self.folder / NOTES_FILE)

    @property
    def folder(self) -> Path:
        """The shop's directory, which holds what outlives its builds."""
        return self.version.parent.parent

    @cached_property
    def feedback(self) -> FeedbackStore:
        """What came of recommendations; kept like the notes. Raises BadInput where it cannot be written."""
        return FeedbackStore(self.folder / FEEDBACK_FILE)

    # parts that are opened when first needed -------------------------------------------------
    @cached_property
    def _vectors(self) -> VectorStore:
        return VectorStore(self.version / "chroma")

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._reader, self.version / "preference.npz")

    @cached_property
    def _recommenders(self) -> Any:
        return recommend.open(self.version / "recommend", self._reader.connection())

    @cached_property
    def _ranking(self) -> FeedbackRanking:
        return FeedbackRanking(self.feedback, self._category_of)

    @cached_property
    def _campaigning(self) -> Campaigning:
        return Campaigning(self._reader.connection(), self.version, self.feedback)

    def _known(self, customer_id: str) -> None:
        if not self.has_customer(customer_id):
            raise Unknown(f"there is no customer {customer_id!r} in this shop")
