"""The page and its API: a server on a thread of its own, behind the extra ``web``."""
