"""Sentiment of reviews in English and Chinese, by a small model that runs without a network."""

from customers.features.sentiment.model import Explanation, SentimentModel

__all__ = ["Explanation", "SentimentModel"]
