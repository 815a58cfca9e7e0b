"""What the planner may call: one small typed tool a file, tagged READ or WRITE."""

from __future__ import annotations

from tools.absent import AbsentTool
from tools.at_risk import AtRiskTool
from tools.audience import AudienceTool
from tools.base import Tool, WriteTool
from tools.bought_not import BoughtNotTool
from tools.bought_with import BoughtWithTool
from tools.campaign import CampaignTool
from tools.changes import ChangesTool
from tools.coupons import CouponsTool
from tools.explain_preference import ExplainPreferenceTool
from tools.family import FamilyTool
from tools.last_purchase import LastPurchaseTool
from tools.measure import MeasureTool
from tools.notes import NotesTool
from tools.onboarding import NewcomerTool
from tools.profile import ProfileTool
from tools.recommend import RecommendTool
from tools.said import SaidTool
from tools.search_products import SearchProductsTool
from tools.segments import SegmentsTool, SegmentTool
from tools.similar_customers import SimilarCustomersTool
from tools.stopped_buying import StoppedBuyingTool
from tools.top_share import TopShareTool
from tools.visit_days import VisitDaysTool
from tools.write_notes import AddNoteTool, EraseNoteTool

WRITE_TOOLS: dict[str, WriteTool] = {tool.name: tool for tool in (AddNoteTool(), EraseNoteTool())}
"""The tools that change something: each is run only after the asker's yes to its own question."""

PLANNED: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        ProfileTool(),
        RecommendTool(),
        ExplainPreferenceTool(),
        SimilarCustomersTool(),
        SegmentsTool(),
        SegmentTool(),
        AudienceTool(),
        SearchProductsTool(),
        BoughtWithTool(),
        CampaignTool(),
        MeasureTool(),
        NotesTool(),
        *WRITE_TOOLS.values(),
    )
}
"""The tools that a model, or the examples, choose among."""

WORDED: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        LastPurchaseTool(),
        CouponsTool(),
        NewcomerTool(),
        FamilyTool(),
        VisitDaysTool(),
        SaidTool(),
        AtRiskTool(),
        StoppedBuyingTool(),
        ChangesTool(),
        AbsentTool(),
        TopShareTool(),
        BoughtNotTool(),
    )
}
"""The tools that the wording of a question alone asks for (`agent.worded`): no model was taught them, so none has to
choose between them and the others."""

TOOLS: dict[str, Tool] = PLANNED | WORDED
