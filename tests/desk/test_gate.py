"""A handoff through its gate, by the acts of people: verdicts, staleness, quorum, separation of duties."""

from __future__ import annotations

from typing import Any

import pytest

from carnet_store import Invalid, NotFound, Refused

Company = Any
DAY = 86_400_000


def test_a_gate_passes_when_all_is_answered_verified_sealed_and_signed(company: Company) -> None:
    """R007, R098, R099, R109: it passes only when everything is in order; the model's stage follows from the passed gate."""
    assert company.look().status.verdict == "blocked"
    assert company.project.stage(company.ids["model"]) == "research"

    company.fill()
    assert company.look().status.verdict == "blocked", "nothing is sealed yet"
    company.sign_all()

    assert company.look().status.verdict == "passed", [r.text for r in company.look().status.reasons]
    assert company.project.stage(company.ids["model"]) == "engineering"


def test_each_missing_answer_keeps_the_gate_shut(company: Company) -> None:
    """R100 to R103: taking back any one blocker's answer shuts a passed gate again."""
    company.fill()
    company.sign_all()
    handoff = company.ids["handoff"]

    for item in ("framing.problem", "approach.decision", "rebuild.receiver_rerun"):
        answer = company.look().handoff.answer(item)
        name = next(n for n, i in company.people.items() if i.person == answer.person)
        company.acts(name).retract(answer.id)

        assert company.look().status.verdict in ("blocked", "stale")
        assert any(r.item == item for r in company.look().status.reasons)
        assert company.project.look(handoff).status.item(item).state == "open"


def test_nobody_verifies_an_answer_of_their_own(company: Company) -> None:
    """C171: the giver never verifies the own evidence, whatever roles are held."""
    company.acts("Ana").set_roles(company.person("Ana"), ["researcher", "product_owner"])
    company.answer("Ana", "framing.problem", "Each month retention calls the customers above one half.")

    with pytest.raises(Refused, match="their own"):
        company.verify("Ana", "framing.problem")


def test_an_answer_by_somebody_without_the_role_is_shown_and_does_not_count(company: Company) -> None:
    """R063: an outsider's answer is kept, shown as such, and settles nothing."""
    company.answer("Aiko", "framing.problem", "I think it is about churn of customers in general.")

    status = company.look().status.item("framing.problem")
    assert status.state == "outsider"
    assert "not researcher" in status.reasons[0]


def test_disagreement_keeps_an_item_open_until_it_is_answered_anew(company: Company) -> None:
    """A disagreeing verifier gives a reason; a new answer voids the old verification."""
    company.answer("Ana", "framing.problem", "Each month retention calls the customers above one half.")
    with pytest.raises(Invalid, match="reason"):
        company.verify("Grace", "framing.problem", agree=False, reason="no")
    company.verify("Grace", "framing.problem", agree=False, reason="it does not say what happens without the model")
    assert company.state("framing.problem") == "disagreed"

    company.answer(
        "Ana", "framing.problem", "Each month retention calls those above one half; today a fixed rule does it."
    )
    assert company.state("framing.problem") == "answered"
    company.verify("Grace", "framing.problem")
    assert company.state("framing.problem") == "ok"


def test_unknown_and_no_and_not_applicable_are_three_answers(company: Company) -> None:
    """C172: none of them passes for a yes; not applicable needs the item's consent and a verifier."""
    company.answer("Ana", "framing.problem", {"state": "unknown", "note": "ask Grace"})
    assert company.state("framing.problem") == "unknown"

    company.answer("Ana", "framing.problem", {"state": "na", "reason": "this project has no problem to frame"})
    assert company.state("framing.problem") == "incomplete", "the item always applies"

    company.answer("Tom", "prod.migration", {"state": "na", "reason": "nothing is replaced by this model"})
    assert company.state("prod.migration") == "answered"
    company.verify("Aiko", "prod.migration")
    assert company.state("prod.migration") == "na"


def test_a_number_is_judged_by_the_product_and_never_typed(company: Company) -> None:
    """R029, R040: a literal is refused where a metric is asked; below the criterion it fails."""
    company.answer("Ana", "approach.evaluation", {"state": "given", "literal": {"value": "0.99", "unit": ""}})
    assert company.state("approach.evaluation") == "incomplete"

    company.answer("Ana", "approach.evaluation", company.metric("auc"))
    assert company.state("approach.evaluation") == "answered"

    rows = [{"id": "primary", "metric": "AUC", "name": "auc", "op": ">=", "value": "0.9", "split": "holdout"}]
    company.acts("Ana").set_criteria("churn", rows, company.ids["criteria"])
    assert company.state("approach.evaluation") == "failed"


def test_lineage_is_judged_from_the_graph(company: Company) -> None:
    """R101, R009: an input without owner or digest turns the item red, with the missing fields named."""
    assert company.state("data.lineage") == "ok"
    acts = company.acts("Ana")
    bare = acts.declare("dataset", "scraped").entity
    acts.link(company.ids["run"], "used", bare)

    status = company.look().status.item("data.lineage")
    assert status.state == "failed"
    assert "scraped: source, owner, digest missing" in status.reasons


def test_a_change_turns_stale_exactly_the_signatures_it_touches(company: Company) -> None:
    """R056, promise 3: the product owner's row does not cover the seeds, so it stays fresh when they change."""
    company.fill()
    company.sign_all()

    company.answer("Ana", "rep.rnd.seeds", company.rows(source="split", seed="18", set_where="train.py"))
    look = company.look()

    assert look.status.verdict in ("blocked", "stale")
    by_role = {s.predicate.role: s for s in look.status.signoffs}
    assert not by_role["researcher"].fresh and by_role["researcher"].changed_items == ("rep.rnd.seeds",)
    assert not by_role["ml_engineer"].fresh
    assert by_role["product_owner"].fresh

    company.verify("Tom", "rep.rnd.seeds")
    assert company.look().status.verdict == "stale"
    for name, role in (("Ana", "researcher"), ("Tom", "ml_engineer")):
        company.acts(name).sign(company.ids["handoff"], role, "I have read what changed since")
    assert company.look().status.verdict == "passed"


def test_an_entity_that_changes_after_sealing_turns_bound_signatures_stale(company: Company) -> None:
    """R108: a part of the package that covered items bind differs, so the signatures go stale and the gate asks to seal anew."""
    company.fill()
    company.sign_all()

    company.acts("Ana").describe(company.ids["dataset"], "owner", "Samuel")
    status = company.look().status

    assert status.changed_since_seal and "data" in status.changed_since_seal
    assert any(r.code == "changed" for r in status.reasons)
    assert not next(s for s in status.signoffs if s.predicate.role == "researcher").fresh


def test_comments_and_questions_touch_no_signature(company: Company) -> None:
    """R123: asking never unsigns; a blocking question blocks until its asker closes it."""
    company.fill()
    company.sign_all()

    company.acts("Tom").comment(company.ids["handoff"], "nice work", "framing.problem")
    quiet = company.acts("Tom").ask("Is the tenure in months?", about=[company.ids["model"]], to_role="researcher")
    assert company.look().status.verdict == "passed"

    loud = company.acts("Aiko").ask(
        "Who is called at night?", about=[company.ids["handoff"]], to_role="ml_engineer", blocking=True
    )
    assert company.look().status.verdict == "blocked"
    company.acts("Tom").reply(loud.entity, "I am, until June")
    assert company.look().status.verdict == "blocked", "the asker closes it, not the one who answers"
    with pytest.raises(Refused, match="Aiko"):
        company.acts("Tom").close_question(loud.entity)
    company.acts("Aiko").close_question(loud.entity)
    assert company.look().status.verdict == "passed"
    assert company.project.question(quiet.entity).state == "open"


def test_a_sign_off_needs_the_role_and_a_sealed_package(company: Company) -> None:
    """R063, R099: no role, no seal, no signature."""
    with pytest.raises(Refused, match="sealed"):
        company.acts("Ana").sign(company.ids["handoff"], "researcher", "because it is good")
    company.acts("Ana").seal(company.ids["handoff"])
    with pytest.raises(Refused, match="not ml engineer"):
        company.acts("Ana").sign(company.ids["handoff"], "ml_engineer", "because it is good")
    with pytest.raises(Refused, match="asks no signature"):
        company.acts("Rosa").sign(company.ids["handoff"], "risk_officer", "because it is good")


def test_one_person_in_two_roles_does_not_sign_twice_where_roles_must_differ(company: Company) -> None:
    """R018, C171: distinct_from is judged per person, not per role name."""
    company.acts("Ana").set_roles(company.person("Ana"), ["researcher", "ml_engineer"])
    company.fill()
    company.acts("Ana").seal(company.ids["handoff"])
    for role in ("researcher", "ml_engineer"):
        company.acts("Ana").sign(company.ids["handoff"], role, "I am both, they say")

    rows = {r.row.role: r for r in company.look().status.rows}
    assert rows["researcher"].missing == 0
    assert rows["ml_engineer"].missing == 1


def test_a_role_lost_later_leaves_the_signature_valid_as_it_was_given(company: Company) -> None:
    """R016: people may leave; what they signed while they held the role stands."""
    company.fill()
    company.sign_all()
    company.acts("Ana").set_roles(company.person("Tom"), [])

    assert company.look().status.verdict == "passed"


def test_a_refusal_holds_until_its_signer_settles_it(company: Company) -> None:
    """A refusal needs a reason, shuts the gate, and only its signer takes it back by signing anew."""
    company.fill()
    company.sign_all()
    handoff = company.ids["handoff"]
    with pytest.raises(Refused, match="reason"):
        company.acts("Tom").sign(handoff, "ml_engineer", "no", decision="refuse")
    company.acts("Tom").sign(handoff, "ml_engineer", "the rerun differs on my machine", decision="refuse")
    status = company.look().status
    assert status.verdict != "passed"
    assert any(r.code == "refused" for r in status.reasons)

    company.acts("Tom").sign(handoff, "ml_engineer", "it was my machine, I see now")
    assert company.look().status.verdict == "passed"


def test_a_waiver_expires_and_never_hides_what_it_waives(company: Company) -> None:
    """R029, C172, promise 10: waived is a state of its own; after its day the gate is shut again."""
    company.fill()
    company.answer("Tom", "rebuild.receiver_rerun", company.command(exit_code=1))
    assert company.state("rebuild.receiver_rerun") == "incomplete"
    handoff = company.ids["handoff"]
    with pytest.raises(Refused, match="risk officer"):
        company.acts("Tom").waive(
            handoff, "rebuild.receiver_rerun", "the cluster is down until Monday", "rerun on Tuesday", 10
        )
    with pytest.raises(Refused, match="at most 30 days"):
        company.acts("Rosa").waive(handoff, "rebuild.receiver_rerun", "the cluster is down for long", "rerun later", 90)
    company.acts("Rosa").waive(
        handoff, "rebuild.receiver_rerun", "the cluster is down until Monday", "rerun on Tuesday", 10
    )
    company.sign_all()

    status = company.look().status
    assert status.verdict == "passed"
    assert status.item("rebuild.receiver_rerun").state == "waived"
    assert status.accepted == ("rebuild.receiver_rerun",)

    company.clock.now += 11 * DAY
    assert company.look().status.verdict != "passed"
    assert company.state("rebuild.receiver_rerun") == "incomplete"


def test_a_clock_set_back_revives_no_waiver(company: Company) -> None:
    """THREATS 41: now is the newest counted time where the clock is behind it."""
    company.answer("Tom", "rebuild.receiver_rerun", company.command(exit_code=1))
    company.acts("Rosa").waive(company.ids["handoff"], "rebuild.receiver_rerun", "the cluster is down now", "rerun", 2)
    company.clock.now += 2 * DAY + DAY // 24
    company.acts("Ana").comment(company.ids["handoff"], "two days later")
    company.clock.now -= DAY // 2
    assert company.state("rebuild.receiver_rerun") != "waived"


def test_a_returned_package_goes_back_and_a_new_sealing_begins_a_new_round(company: Company) -> None:
    """R005: the return has a reason per item; both loops stay in the history; old signatures do not count on the new round."""
    company.fill()
    company.sign_all()
    handoff = company.ids["handoff"]
    with pytest.raises(NotFound):
        company.acts("Tom").give_back(handoff, "the rerun gives another figure", {"no.such": "x"})
    company.acts("Tom").give_back(
        handoff, "the rerun gives another figure", {"rebuild.receiver_rerun": "0.8166, not 0.9056"}
    )
    assert company.look().status.verdict == "returned"

    company.acts("Ana").seal(handoff)
    status = company.look().status
    assert status.round == 2
    assert all(not s.counted for s in status.signoffs)
    for name, role in (("Ana", "researcher"), ("Tom", "ml_engineer"), ("Grace", "product_owner")):
        company.acts(name).sign(handoff, role, "again, on the second round")
    assert company.look().status.verdict == "passed"
    assert len(company.look().handoff.returns) == 1


def test_an_override_is_loud_and_expires(company: Company) -> None:
    """R107: the verdict says overridden, never passed, and ends by itself."""
    company.acts("Ana").seal(company.ids["handoff"])
    company.acts("Tom").override(company.ids["handoff"], "customers are without service since two", 2)
    assert company.look().status.verdict == "overridden"
    company.clock.now += 4 * DAY
    assert company.look().status.verdict == "blocked"


def test_what_another_spoke_counts_when_that_person_confirms(company: Company) -> None:
    """R073: typed by one for another is not signed by the other until confirmed."""
    asked = company.look().checklist.item("people.readback")
    assert asked is not None
    value = {
        "state": "given",
        "text": "It ranks customers by risk; it fails when tenure changes unit; then I fall back.",
        "spoken_by": company.person("Tom"),
        "typed_by": company.person("Ana"),
    }
    company.acts("Ana").set_roles(company.person("Ana"), ["researcher", "ml_engineer"])
    written = company.acts("Ana").answer(company.ids["handoff"], {"people.readback": value})
    assert company.state("people.readback") == "unconfirmed"
    company.acts("Tom").confirm_spoken(company.ids["handoff"], written.changes[0])
    assert company.state("people.readback") == "answered"


def test_moving_to_the_full_pack_keeps_the_answers(company: Company) -> None:
    """R097: answers are keyed by item id alone."""
    from carnet_store.work.templates import packs_for

    company.answer("Ana", "framing.problem", "Each month retention calls the customers above one half.")
    company.verify("Grace", "framing.problem")
    company.acts("Ana").repack(
        company.ids["handoff"], packs_for("research-to-engineering"), "B", {}, "the risk is larger than we thought"
    )

    look = company.look()
    assert look.handoff.gate.id == "research-to-engineering"
    assert len(look.checklist.items) > 60
    assert look.status.item("framing.problem").state == "ok"


def test_every_act_says_what_it_set_in_motion(company: Company) -> None:
    """The closing line names what was written, what it unblocked, and the next command."""
    company.answer("Ana", "framing.problem", "Each month retention calls the customers above one half.")
    written = company.verify("Grace", "framing.problem")

    assert written.sentence == "churn@2: agreed with framing.problem"
    assert written.unblocked == ("in order now: framing.problem",)
    assert written.next.startswith("carnet ")


def test_the_inbox_tells_each_person_what_waits(company: Company) -> None:
    """R094: rows are computed from the record, most pressing first, and follow each act."""
    desk = company.desk

    def rows(name: str) -> list[tuple[str, str]]:
        desk.become(company.people[name])
        return [(d.section, d.kind) for _, d in desk.inbox()]

    assert ("needs", "answer") in rows("Ana")
    company.answer("Ana", "framing.problem", "Each month retention calls the customers above one half.")
    assert ("needs", "review") in rows("Grace")
    company.fill()
    company.sign_all()
    assert rows("Ana") == [("recent", "passed")]


def test_the_index_says_what_the_record_says_after_every_act(company: Company) -> None:
    """The index is only a faster way to the same rows: after acts by several people it equals what is computed anew."""
    desk = company.desk
    second = company.acts("Ana").open_handoff(
        company.ids["model"], desk.packs_for("starter-engineering-to-operations", company.project)
    )
    assert second.entity
    company.fill()
    company.sign_all()
    for name in company.people:
        desk.become(company.people[name])
        assert [d for _, d in desk.inbox()] == desk.duties(company.project), name


def test_a_later_gate_waits_for_the_earlier_one_of_the_same_version(company: Company) -> None:
    """R098: operations' gate names the gate that the model version has not passed yet, also where two such gates are open."""
    acts = company.acts("Ana")
    packs = company.desk.packs_for("starter-engineering-to-operations", company.project)
    second = acts.open_handoff(company.ids["model"], packs).entity
    acts.open_handoff(company.ids["model"], packs)

    assert any(r.code == "earlier-gate" for r in company.project.look(second).status.reasons)
    company.fill()
    company.sign_all()
    assert not any(r.code == "earlier-gate" for r in company.project.look(second).status.reasons)


def test_a_template_of_ones_own_is_never_used_silently(company: Company) -> None:
    """R152: a pack in the store stands before the shipped one of its name, and the act says so."""
    folder = company.desk.store.root / "templates"
    folder.mkdir()
    shipped = company.desk.packs_for("starter-research-to-engineering", company.project)[0]
    (folder / "mine.yaml").write_bytes(shipped.raw.replace(b"version: 0.2.0", b"version: 0.9.0"))

    packs = company.desk.packs_for("starter-research-to-engineering", company.project)
    written = company.acts("Ana").open_handoff(company.ids["model"], packs)

    assert packs[0].pack.version == "0.9.0"
    assert written.unblocked == ("starter-research-to-engineering is your own version, not the shipped one",)


def test_the_next_version_begins_with_what_the_last_one_said(company: Company) -> None:
    """R017: an answer of the version before is offered, never taken over by itself."""
    company.answer(
        "Tom", "prod.migration", company.rows(2, step="shadow", owner="Tom", due="2026-05-04", way_back="rule")
    )
    acts = company.acts("Ana")
    model = acts.declare("model", "churn", version="3").entity
    packs = company.desk.packs_for("starter-research-to-engineering", company.project)
    later = company.project.handoff(acts.open_handoff(model, packs).entity)

    found = company.project.earlier_answer(later, "prod.migration")

    assert found is not None and found[0] == "churn@2" and len(found[1]["rows"]) == 2
    assert company.project.earlier_answer(later, "people.readback") is None
    assert company.project.look(later.id).status.item("prod.migration").state == "open"


def test_who_spoke_an_answer_does_not_verify_it(company: Company) -> None:
    """C171: an answer that Tom types as spoken by Grace is verified by neither of them."""
    value = {"state": "given", "text": "Each month retention calls the customers whose score is above one half.",
             "spoken_by": company.person("Grace"), "typed_by": company.person("Ana")}  # fmt: skip
    company.answer("Ana", "framing.problem", value)
    answer = company.look().status.item("framing.problem").answer
    company.acts("Grace").confirm_spoken(company.ids["handoff"], answer.id)
    with pytest.raises(Refused, match="answer of their own"):
        company.verify("Grace", "framing.problem")
    assert company.state("framing.problem") == "answered"


def test_after_a_change_of_pack_the_package_is_sealed_again(company: Company) -> None:
    """A signature never rests on a package that names another checklist than the one that is asked."""
    company.fill()
    company.acts("Ana").seal(company.ids["handoff"])
    packs = company.desk.packs_for("research-to-engineering", company.project)
    company.acts("Ana").repack(company.ids["handoff"], packs, "B", {}, "the full gate is asked for now")
    reasons = [r.text for r in company.look().status.reasons if r.code == "changed"]
    assert reasons == ["pack, tier or facts changed since the package was sealed; seal again"]
    company.acts("Ana").seal(company.ids["handoff"])
    assert not [r for r in company.look().status.reasons if r.code == "changed"]


def test_criteria_without_a_row_answer_nothing(company: Company) -> None:
    """R020: an entity of the kind alone sets nothing; the item says so and what to type."""
    empty = company.acts("Ana").declare("criteria", "churn bare").entity
    company.answer("Ana", "framing.criteria", {"state": "given", "links": [empty]})
    status = company.look().status.item("framing.criteria")
    assert status.state == "failed"
    assert status.reasons == ("no criterion is set; carnet add criteria 'churn bare' --row 'ID: METRIC OP VALUE'",)
    company.answer("Ana", "framing.criteria", {"state": "given", "links": [company.ids["criteria"]]})
    assert company.state("framing.criteria") == "answered"


LATE = "the criterion primary was set after the result was recorded"


def test_a_criterion_that_was_set_after_its_result_is_flagged_and_not_failed(company: Company) -> None:
    """R022: the record tells the order; setting other rows anew, or the same one, changes nothing of it, and a new result clears it."""
    company.answer("Ana", "approach.evaluation", company.metric("auc"))
    one = company.look().status.item("approach.evaluation")
    assert one.state == "answered" and one.verdict.state == "holds"
    assert one.verdict.flags == (LATE,) and one.verdict.reasons == ("auc 0.8405 >= 0.83", LATE)
    company.verify("Tom", "approach.evaluation")
    assert company.state("approach.evaluation") == "ok", "a flag fails nothing"

    later = (
        company.acts("Ana")
        .declare(
            "run",
            "r-013",
            attrs={"command": "python train.py"},
            metrics=[{"name": "auc", "value": "0.85", "split": "holdout"}],
        )
        .entity
    )
    company.ids["run"] = later
    company.answer("Ana", "approach.evaluation", company.metric("auc"))
    assert company.look().status.item("approach.evaluation").verdict.flags == ()
    rows = [
        {"id": "primary", "metric": "AUC", "name": "auc", "op": ">=", "value": "0.83", "split": "holdout"},
        {"id": "other", "metric": "F1", "name": "f1", "op": ">=", "value": "0.5"},
    ]
    company.acts("Ana").set_criteria("churn", rows, company.ids["criteria"])
    assert company.look().status.item("approach.evaluation").verdict.flags == (), "this row stood before the result"
    rows[0]["value"] = "0.84"
    company.acts("Ana").set_criteria("churn", rows, company.ids["criteria"])
    assert company.look().status.item("approach.evaluation").verdict.flags == (LATE,)


def test_where_only_times_tell_that_a_criterion_came_late_they_are_named(company: Company) -> None:
    """R022: a run that ended before the criteria were set and was taken in after them."""
    early = (
        company.acts("Ana")
        .declare("run", "r-001", at=1_700_000_000_000, metrics=[{"name": "auc", "value": "0.9", "split": "holdout"}])
        .entity
    )
    company.ids["run"] = early
    company.answer("Ana", "approach.evaluation", company.metric("auc"))
    assert company.look().status.item("approach.evaluation").verdict.flags == (f"{LATE}, by the clocks",)
