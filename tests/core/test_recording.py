from airflow_mltest.core.metrics import metrics_of
from airflow_mltest.core.outcome import Case, Measurement, Outcome, Suite
from airflow_mltest.core.recording import Recording

CASE = Case(name="a", outcome=Outcome.PASSED)


def test_listener_hears_of_each_case_when_it_is_there_already():
    heard = []
    recording = Recording("s", "code", on_case=lambda seen, case: heard.append((len(seen.cases), case)))
    recording.add(CASE)

    assert heard == [(1, CASE)]


def test_suite_can_be_asked_for_at_any_time():
    recording = Recording("s", "model")
    recording.about(model="churn", version=None)
    recording.under(seed=3)
    before = recording.suite(incomplete="still running")
    recording.add(CASE)
    after = recording.suite()

    assert before.cases == ()
    assert before.incomplete == "still running"
    assert after.cases == (CASE,)
    assert after.subject == {"model": "churn"}
    assert after.environment == {"seed": 3}
    assert after.duration_s >= before.duration_s >= 0


def test_metrics_leave_out_what_is_no_number_and_tell_namesakes_apart():
    def measured(case, **values):
        measurements = tuple(Measurement(name=name, value=value) for name, value in values.items())
        return Case(name=case, outcome=Outcome.PASSED, measurements=measurements)

    cases = (measured("one", auc=0.7, f1=float("nan"), loss=float("inf")), measured("two", auc=0.6))

    assert metrics_of(Suite(name="s", kind="model", cases=cases)) == {"auc": 0.7, "two.auc": 0.6}
