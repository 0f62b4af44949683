"""Acts about a notebook's cells: annotate, reply, resolve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from carnet_store.core.fold import Change
from carnet_store.domain.annotation import EXCERPT, Annotation, Cell, near_of
from carnet_store.errors import Invalid, NotFound, Refused, Usage
from carnet_store.storage.acting import Acting, Written


class AnnotationActs(Acting):
    """What is said about cells; no signature is touched by it."""

    def annotate(
        self, document: str, cells: Sequence[Cell], at: int, text: str, *, excerpt: str | None = None
    ) -> Written:
        """Annotate the cell at index `at` (from 0) of a document's `cells` as they are now.

        Args:
            document: entity id.
            cells: all cells, in order.
            at: which.
            text: the remark.
            excerpt: what stands in the record of the cell's text instead of its start, as where a secret was taken out.

        Raises:
            Invalid: no text. Usage: the thing is no document, or has no such cell.
        """
        if not text.strip():
            raise Invalid("an annotation needs a text")
        if not document.startswith("document:"):
            raise Usage(
                f"{self.project.title(document)} is no document",
                "a notebook is one: carnet add document NAME --file FILE",
            )
        if not 0 <= at < len(cells):
            raise Usage(f"there is no cell {at + 1}; the notebook has {len(cells)}", "count from 1, Markdown too")
        cell = cells[at]
        value: dict[str, Any] = {"text": text, "cell": cell.digest}
        near = msgspec.to_builtins(near_of(cells, at))
        for key, given in (("near", near), ("excerpt", (cell.source if excerpt is None else excerpt)[:EXCERPT])):
            if given:
                value[key] = given
        draft = self._draft(document, "annotation.added", cell.digest, value)
        return self._write([draft], f"annotated cell {at + 1} of {self.project.title(document)}", entity=document)

    def reply_annotation(self, annotation: str, text: str) -> Written:
        """Reply in the thread of an annotation (change id).

        Raises:
            Invalid: no text. NotFound, Refused: there is no such annotation, or its text was erased.
        """
        if not text.strip():
            raise Invalid("a reply needs a text")
        found, _ = self._annotation(annotation)
        draft = self._draft(found.entity, "annotation.added", found.field, {"text": text, "to": found.id})
        return self._write(
            [draft], f"replied to an annotation of {self.project.title(found.entity)}", entity=found.entity
        )

    def resolve_annotation(self, annotation: str, note: str = "") -> Written:
        """Settle the thread of an annotation (change id of it, or of a reply); anybody may.

        Raises:
            NotFound, Refused: there is no such annotation, or it is settled already.
        """
        found, value = self._annotation(annotation)
        seen = {found.id}
        while value.to and value.to not in seen:
            seen.add(value.to)
            try:
                found, value = self._annotation(value.to)
            except (NotFound, Refused):  # what it replied to was erased: the reply begins the thread now
                break
        if not found.live:
            raise Refused("this annotation is resolved already")
        draft = self._draft(
            found.entity, "annotation.resolved", found.field, {"note": note} if note else {}, (found.id,)
        )
        return self._write(
            [draft], f"resolved an annotation of {self.project.title(found.entity)}", entity=found.entity
        )

    def _annotation(self, change: str) -> tuple[Change, Annotation]:
        found = self._change(change)
        if found.kind != "annotation.added":
            raise Refused(f"{change[:16]}… is no annotation", "carnet annotate --list NOTEBOOK shows them")
        if not isinstance(found.value, Annotation):
            raise Refused(f"this annotation {found.counts.words}")
        return found, found.value
