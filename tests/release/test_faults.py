import pytest

from airflow_mltest.core.criteria import SuitePassed, decide
from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.evidence import Evidence
from airflow_mltest.core.gate_tags import gate_tags
from airflow_mltest.core.outcome import Case, Outcome, Suite
from airflow_mltest.core.rollback import retreat, roll_back
from airflow_mltest.operators.gate import GateOperator

AT_READS, AT_WRITES = ("refused", "reset_before"), ("refused", "reset_before", "reset_after", "500_before", "500_after")
# The core's own tests meet every call of each with every fault.
AT_FEWER = ("reset_before", "reset_after")


class Digested:
    """A registry that is asked for each digest once; files go another way, with faults of their own."""

    def __init__(self, registry, known):
        self._registry, self._known = registry, known

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def digest(self, model, version):
        if (model, version) not in self._known:
            self._known[model, version] = self._registry.digest(model, version)
        return self._known[model, version]


@pytest.fixture
def disturbed(registry, registry_at, proxy):
    """The registry as it is, and through the proxy: whoever asks there does so once."""
    known = {}
    return Digested(registry, known), Digested(registry_at(proxy.uri, timeout_s=8, max_retries=0), known)


def disturb(proxy, kit, begin, at, *, reads=(), writes=AT_FEWER):
    """
    Meet each request with each fault, and let a retry complete what was begun.

    Args:
        proxy: What is in between.
        kit: How an error is judged.
        begin: Gives what to do with a registry, and where the alias goes.
        at: Tells where it is.
        reads: What happens to requests that read.
        writes: What happens to those that write.

    Returns:
        What became of it, as (fault, path of the request, what): `"done"`, `"not moved"`, `"in doubt"`.
    """
    for _ in range(2):  # the first release asks for less
        act, _ = begin()
        proxy.heal()
        act()
    requests, became = list(proxy.requests), []
    for number, (method, path) in enumerate(requests, 1):
        for how in reads if method == "GET" else writes:
            act, end = begin()
            before = at()
            proxy.fail(number, how)
            said = kit.fault_of(act)
            proxy.heal()
            assert at() in {before, end}, (number, how)
            assert not said or kit.told_as_it_is(said, end, moved=at() == end), (number, how, said)
            assert said or at() == end, (number, how)
            became.append((how, path, "done" if not said else "not moved" if "was not moved" in said else "in doubt"))
            act()
            assert at() == end
    return became


def test_fault_at_any_request_of_a_promotion_is_survived_and_told(registry, disturbed, proxy, model, kit):
    straight, through = disturbed
    kit.release(registry, "1", model=model)

    def begin():
        version = "3" if kit.at(registry, model) == "2" else "2"
        decision = kit.decision_on(straight, version, model=model)
        return lambda: kit.promoted(through, decision, pace=kit.real_pace()), version

    became = disturb(proxy, kit, begin, lambda: kit.at(registry, model), reads=AT_READS, writes=AT_WRITES)
    assert {how: what for how, path, what in became if path.endswith("registered-models/alias")} == {
        "refused": "in doubt",  # nobody says where it is
        "reset_before": "not moved",
        "500_before": "not moved",
        "reset_after": "done",
        "500_after": "done",
    }
    assert len(became) >= 60
    assert kit.told(registry, kit.at(registry, model), model).keys() >= set(kit.COMPLETE)


def test_answer_to_the_move_that_comes_too_late_is_not_waited_for(registry, registry_at, proxy, model, kit):
    impatient = Digested(registry_at(proxy.uri, timeout_s=2, max_retries=0), {})
    first, second = (kit.decision_on(registry, version, model=model, champion=None) for version in "12")
    impatient.digest(model, "1")
    proxy.heal()
    kit.promoted(impatient, first, pace=kit.real_pace())
    move = next(n for n, (_, path) in enumerate(proxy.requests, 1) if path.endswith("registered-models/alias"))
    registry.unpoint(model, kit.ALIAS)
    impatient.digest(model, "2")
    proxy.fail(move, "slow")
    kit.promoted(impatient, second, pace=kit.real_pace())

    assert len(proxy.requests) > move
    assert kit.at(registry, model) == "2"


def test_fault_at_any_request_of_a_rollback_is_survived_and_told(registry, disturbed, proxy, model, kit):
    straight, through = disturbed
    kit.release(straight, "1", model=model)

    def begin():
        kit.release(straight, "2", model=model)
        meant = retreat(straight, model=model, alias=kit.ALIAS)
        return lambda: roll_back(through, meant, who="one", pace=kit.real_pace()), "1"

    became = disturb(proxy, kit, begin, lambda: kit.at(registry, model), reads=AT_READS, writes=AT_WRITES)
    assert {what for _, _, what in became} == {"done", "not moved", "in doubt"}
    assert len(became) >= 50


def test_fault_at_any_request_of_a_copy_is_survived_and_makes_no_second_one(registry, disturbed, proxy, model, kit):
    straight, through = disturbed
    prod, made = f"{model}-prod", iter(range(1, 1000))

    def at():
        return kit.at(registry, prod) if registry.versions(prod) else None

    def begin():
        decision = kit.decision_on(straight, "1", model=model, to=prod, champion=at())
        return lambda: kit.promoted(through, decision, copy_to=prod, pace=kit.real_pace()), str(next(made))

    became = disturb(proxy, kit, begin, at, writes=("reset_after",))
    assert {what for _, _, what in became} == {"done", "not moved"}
    assert len(registry.versions(prod)) == int(at())


def test_fault_at_any_request_of_a_gate_approves_nothing_and_a_retry_does(registry, disturbed, proxy, model, kit):
    straight, through = disturbed
    kit.release(straight, "1", model=model)
    gate = GateOperator(task_id="gate", model=model, version="2", criteria=[SuitePassed("quality")])
    suite = Suite(name="quality", kind="code", cases=(Case(name="a", outcome=Outcome.PASSED),))
    evidence = [Evidence(suite=suite, address="/reports/quality.json", digest="sha256:0")]

    def judge():
        candidate = gate.candidate(through)
        decision = decide(gate.criteria, evidence, candidate)
        through.tag(model, "2", gate_tags(decision, evidence, candidate))
        return decision

    for _ in range(2):  # the first asks for the digest
        proxy.heal()
        assert judge().approved
    for number, (method, path) in enumerate(list(proxy.requests), 1):
        for how in AT_READS if method == "GET" else AT_WRITES:
            registry.tag(model, "2", {"mltest.gate": "", "mltest.gate.decision": ""})
            proxy.fail(number, how)
            with pytest.raises(BrokenRunError) as failed:
                judge()
            proxy.heal()
            tags = registry.tags(model, "2")
            # Approved is said last, and only of a decision that is all there.
            assert tags["mltest.gate"] == "" or tags["mltest.gate.decision"], (number, how, path)
            assert method == "GET" or str(failed.value).endswith(("carried out.",)), (number, how, failed.value)
            assert kit.at(registry, model) == "1"
            decision = judge()
            assert registry.tags(model, "2")["mltest.gate.decision"] == decision.id
    assert len(proxy.requests) == 11
