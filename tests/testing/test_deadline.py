import signal
import threading
import time

import pytest

from airflow_mltest.testing.deadline import deadline

LONG_S = 60.0


def test_sleep_is_interrupted_and_the_error_tells_what_was_going_on():
    started_s = time.monotonic()

    with pytest.raises(TimeoutError, match=r"^asleep$"), deadline(0.1, lambda: "asleep"):
        time.sleep(LONG_S)

    assert time.monotonic() - started_s < LONG_S / 2


def test_who_catches_the_interruption_is_interrupted_again():
    caught = []

    def sleep_twice():
        for _ in range(2):
            try:
                time.sleep(LONG_S)
            except BaseException as error:  # noqa: BLE001  as Airflow does
                caught.append(error)

    with pytest.raises(TimeoutError), deadline(0.1, str):
        sleep_twice()

    assert len(caught) == 2


def test_error_of_a_body_that_was_in_time_is_its_own():
    with pytest.raises(ZeroDivisionError), deadline(LONG_S, str):
        _ = 1 / 0


def test_what_cannot_be_described_is_late_all_the_same():
    with pytest.raises(TimeoutError, match=r"longer than 0\.1 s"), deadline(0.1, lambda: str(1 / 0)):
        time.sleep(LONG_S)


def test_signal_handlers_are_as_before():
    before = [signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGTERM)]

    with deadline(LONG_S, str):
        signal.signal(signal.SIGTERM, lambda *_: None)  # Airflow's task runner does

    assert [signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGTERM)] == before
    assert "mltest-deadline" not in {thread.name for thread in threading.enumerate()}


def test_other_threads_have_no_limit():
    ended = []

    def body():
        with deadline(0.01, str):
            time.sleep(0.1)
        ended.append(True)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()

    assert ended
