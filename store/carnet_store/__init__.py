"""The front door: Desk, Store, Project, Acts, the public values and the errors. Nothing else here is public.

Names are loaded when they are first asked for, so that `import carnet_store` costs nothing.
"""

from __future__ import annotations

from carnet_store.errors import (
    Busy,
    CarnetError,
    Invalid,
    NotFound,
    Refused,
    TooNew,
    Untrusted,
    Usage,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from carnet_store.core.fold import Change
    from carnet_store.desk import Desk
    from carnet_store.domain.gate import GateStatus, ItemStatus
    from carnet_store.domain.inbox import Duty
    from carnet_store.storage.acts import Acts, Written
    from carnet_store.storage.focusing import Focus, FocusNode, Fold
    from carnet_store.storage.graph import Graph
    from carnet_store.storage.graph_values import Link, Overview, Totals, TreeLine, Why
    from carnet_store.storage.impact import Crossing, Impact
    from carnet_store.storage.project import EntityRow, Look, Neighbours, Project
    from carnet_store.storage.search import Hit
    from carnet_store.storage.store import ProjectRow, Store

_PLACES = {
    "Change": "core.fold",
    "Desk": "desk",
    "GateStatus": "domain.gate",
    "ItemStatus": "domain.gate",
    "Duty": "domain.inbox",
    "Acts": "storage.acts",
    "Written": "storage.acts",
    "Focus": "storage.focusing",
    "FocusNode": "storage.focusing",
    "Fold": "storage.focusing",
    "Graph": "storage.graph",
    "Link": "storage.graph_values",
    "Overview": "storage.graph_values",
    "Totals": "storage.graph_values",
    "TreeLine": "storage.graph_values",
    "Why": "storage.graph_values",
    "Crossing": "storage.impact",
    "Impact": "storage.impact",
    "EntityRow": "storage.project",
    "Hit": "storage.search",
    "Look": "storage.project",
    "Neighbours": "storage.project",
    "Project": "storage.project",
    "ProjectRow": "storage.store",
    "Store": "storage.store",
}

__all__ = [
    "Acts",
    "Busy",
    "CarnetError",
    "Change",
    "Crossing",
    "Desk",
    "Duty",
    "EntityRow",
    "Focus",
    "FocusNode",
    "Fold",
    "GateStatus",
    "Graph",
    "Hit",
    "Impact",
    "Invalid",
    "ItemStatus",
    "Link",
    "Look",
    "Neighbours",
    "NotFound",
    "Overview",
    "Project",
    "ProjectRow",
    "Refused",
    "Store",
    "TooNew",
    "Totals",
    "TreeLine",
    "Untrusted",
    "Usage",
    "Why",
    "Written",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(name)
    import importlib

    return getattr(importlib.import_module(f"carnet_store.{place}"), name)
