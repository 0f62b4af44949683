"""Acts of recall: marking a node bad, and lifting that."""

from __future__ import annotations

from carnet_store.core.kind import ACT
from carnet_store.domain.lineage import NODES
from carnet_store.errors import NotFound, Refused, Usage
from carnet_store.storage.acting import Acting, Written


class RecallActs(Acting):
    """Recalling and lifting."""

    def recall(self, entity: str, reason: str) -> Written:
        """Mark a node bad; every handoff of a model version that came of it loses the sign-offs of its round.

        Raises:
            NotFound: there is no such node. Usage: it is nothing that can be recalled. Invalid: the reason says nothing.
        """
        self._reason(reason)
        if entity.partition(":")[0] not in NODES:
            raise Usage("a node of the lineage is recalled", "name a dataset, a run, a model version …")
        node = self.project.node(entity)
        if node is None:
            raise NotFound("there is no such node here")
        touched = self.project.crossings_of(entity)
        drafts = [self._draft(entity, "recall.declared", "", {"reason": reason})]
        for handoff in touched:
            value = {"entity": entity, "reason": reason, "round": max(1, handoff.round)}
            drafts.append(self._draft(handoff.id, "handoff.recalled", entity, value))
        names = ", ".join(dict.fromkeys(self.project.title(handoff.opened.model) for handoff in touched))
        written = self._write(drafts[:1000], f"recalled {node.kind} {node.title}", entity=entity)
        unblocked = (
            (f"{names}: shut, and signed again once the recall is lifted",) if touched else ("no handoff is touched",)
        )
        return Written(written.sentence, written.changes, entity, unblocked, "carnet status", written.counts)

    def lift(self, entity: str, reason: str) -> Written:
        """Lift the recalls of a node, by the own key; the handoffs that it touched are sealed and signed again.

        Raises:
            Refused: it is not recalled. Invalid: the reason says nothing.
        """
        self._reason(reason)
        standing = [one for one in self.project.recalls() if one.entity == entity]
        if not standing:
            raise Refused(f"{self.project.title(entity)} is not recalled", "carnet recall shows what is")
        payload = self._payload("recall.lifted", entity=entity, reason=reason, t=self._clock())
        over = tuple(one.change for one in standing)
        draft = self._draft(entity, "recall.lifted", "", self._signed(ACT, payload), over)
        written = self._write([draft], f"lifted the recall of {self.project.title(entity)}", entity=entity)
        again = ", ".join(dict.fromkeys(self.project.title(h.opened.model) for h in self.project.crossings_of(entity)))
        unblocked = (f"{again}: seal and sign again",) if again else ()
        return Written(written.sentence, written.changes, entity, unblocked, "carnet status", written.counts)
