import pytest

from airflow_mltest.core.criteria import Decision, Finding
from airflow_mltest.core.errors import PromotionRefusedError
from airflow_mltest.core.promotion import Promotion, promote, roll_back, version_before


def decision(version, champion=None, *, approved=True):
    finding = Finding(criterion="suite model", holds=approved, seen="failed", wanted="passed")
    return Decision(
        model="churn",
        version=version,
        digest=f"sha256:{version}",
        champion=champion,
        approved=approved,
        findings=(finding,),
    )


def test_first_release_replaces_nothing(registry):
    promotion = promote(registry, decision("1"), alias="champion")

    assert promotion == Promotion(model="churn", alias="champion", version="1", replaced=None)
    assert registry.version_of("churn", "champion") == "1"


def test_what_is_replaced_and_why_is_written_before_the_alias_moves(registry):
    promote(registry, decision("1"), alias="champion")
    registry.calls.clear()
    chosen = decision("2", "1")
    promotion = promote(registry, chosen, alias="champion")

    assert promotion.replaced == "1"
    assert max(i for i, call in enumerate(registry.calls) if call == "tag") < registry.calls.index("point")
    tags = registry.tags("churn", "2")
    assert tags["mltest.champion.replaced"] == "1"
    assert tags["mltest.champion.decision"] == chosen.id


def test_decision_that_is_a_no_moves_nothing(registry):
    with pytest.raises(PromotionRefusedError, match="not approved: suite model: failed"):
        promote(registry, decision("1", approved=False), alias="champion")
    assert registry.version_of("churn", "champion") is None


def test_artifacts_that_were_overwritten_since_are_refused(registry):
    registry.contents["churn", "1"] = "something else"

    with pytest.raises(PromotionRefusedError, match="other artifacts"):
        promote(registry, decision("1"), alias="champion")


def test_champion_that_moved_since_means_to_gate_again(registry):
    registry.point("churn", "champion", "3")

    with pytest.raises(PromotionRefusedError, match="points at 3, but version 2 was compared with 1"):
        promote(registry, decision("2", "1"), alias="champion")


def test_somebody_who_moves_the_alias_at_the_same_moment_is_noticed(registry):
    point = registry.point
    registry.point = lambda *args: (point(*args), point("churn", "champion", "3"))

    with pytest.raises(PromotionRefusedError, match="moved to version 3 by somebody else"):
        promote(registry, decision("1"), alias="champion")


def test_kill_at_any_call_leaves_old_or_new_and_a_retry_completes_it(registry):
    promote(registry, decision("1"), alias="champion")
    registry.calls.clear()
    promote(registry, decision("2", "1"), alias="champion")
    steps = len(registry.calls)

    for step in range(steps):
        fresh = type(registry)({"churn": ["1", "2"]})
        promote(fresh, decision("1"), alias="champion")
        fresh.calls.clear()
        fresh.dies_at = step
        with pytest.raises(ConnectionError):
            promote(fresh, decision("2", "1"), alias="champion")
        fresh.dies_at = None
        assert fresh.version_of("churn", "champion") in {"1", "2"}
        again = promote(fresh, decision("2", "1"), alias="champion")
        assert again == Promotion(model="churn", alias="champion", version="2", replaced="1")
        assert fresh.version_of("churn", "champion") == "2"


def test_rolling_back_again_goes_one_step_further(registry):
    for version, champion in (("1", None), ("2", "1"), ("3", "2")):
        promote(registry, decision(version, champion), alias="champion")

    seen = []
    for _ in range(2):
        to = version_before(registry, model="churn", alias="champion")
        seen.append(roll_back(registry, model="churn", alias="champion", to=to))

    assert [(step.replaced, step.version) for step in seen] == [("3", "2"), ("2", "1")]
    with pytest.raises(PromotionRefusedError, match="nothing before it is recorded"):
        version_before(registry, model="churn", alias="champion")


def test_rolling_back_is_the_same_when_it_is_repeated(registry):
    promote(registry, decision("1"), alias="champion")
    promote(registry, decision("2", "1"), alias="champion")
    roll_back(registry, model="churn", alias="champion", to="1")
    again = roll_back(registry, model="churn", alias="champion", to="1")

    assert again.version == "1"
    assert "mltest.champion.rolled_back_at" in registry.tags("churn", "2")


def test_alias_that_points_nowhere_can_be_pointed_but_not_rolled_back(registry):
    with pytest.raises(PromotionRefusedError, match="points nowhere"):
        version_before(registry, model="churn", alias="champion")

    assert roll_back(registry, model="churn", alias="champion", to="2").replaced is None


def test_version_that_does_not_exist_is_refused(registry):
    with pytest.raises(PromotionRefusedError, match="no version 9"):
        roll_back(registry, model="churn", alias="champion", to="9")
