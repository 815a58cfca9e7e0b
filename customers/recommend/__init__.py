"""What to offer to whom: `fit` at the build, `open` to serve.

history.py     the purchases, cut at a day
base.py        what every recommender is      models.py     the recommenders
neighbours.py  alike customers and products, TIFU-KNN, UP-CF     content.py   alike by description
rhythm.py      how a customer buys a thing    features.py   what the blend learns from
next_item.py   what comes next in sequences, without a deep model
blend.py       candidates and their order     evaluate.py   held-out quality
together.py    what shares a basket           audience.py   P(buys within 30 days) without a model
reasons.py     why, with figures              knowledge.py  what a build leaves on disk
onboarding.py  nothing is known of them       family.py    further products of a maker
serving.py     the answers
"""

from customers.recommend.fitting import fit
from customers.recommend.fitting import open_recommenders as open
from customers.recommend.serving import Recommenders

__all__ = ["Recommenders", "fit", "open"]
