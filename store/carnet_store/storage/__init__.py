"""The only room that knows SQLite and folders.

Every kind of change must be known before anything is folded: a fold that did not know one would take it for a newer Carnet's. So whoever
imports this room registers them all.
"""

from carnet_store.domain import annotation, decisions, erasure, handoff, lineage, roster

__all__ = ["annotation", "decisions", "erasure", "handoff", "lineage", "roster"]
