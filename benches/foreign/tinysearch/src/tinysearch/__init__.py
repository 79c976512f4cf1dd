"""Full-text search in memory."""

from .index import Index
from .tokens import tokenize

__all__ = ["Index", "tokenize"]
