"""What a shop knows about its customers' questions: past inquiries, answer templates, policies, and what worked.

`starter` reads the bilingual set that ships, `reading` a shop's own files, `intents` learns what a question is about,
`templates` chooses the answer, `store` keeps it all, and `base` puts them together.
"""

from customers.knowledge.base import KnowledgeBase, Recognised
from customers.knowledge.values import Inquiry, Policy, Template

__all__ = ["Inquiry", "KnowledgeBase", "Policy", "Recognised", "Template"]
