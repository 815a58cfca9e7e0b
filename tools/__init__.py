"""What the planner may call: one small typed tool a file, tagged READ or WRITE."""

from __future__ import annotations

from tools.audience import AudienceTool
from tools.base import Tool
from tools.bought_with import BoughtWithTool
from tools.campaign import CampaignTool
from tools.explain_preference import ExplainPreferenceTool
from tools.measure import MeasureTool
from tools.profile import ProfileTool
from tools.recommend import RecommendTool
from tools.search_products import SearchProductsTool
from tools.segments import SegmentsTool, SegmentTool
from tools.similar_customers import SimilarCustomersTool

TOOLS: dict[str, Tool] = {
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
    )
}
