from airflow_mltest.core.spelling import near


def test_nearest_word_is_what_was_meant_and_of_a_strange_one_nothing_is_said():
    assert near("workerz", ["workers", "memory"]) == "; did you mean 'workers'?"
    assert near(7, ["workers"]) == near("zzz", ["workers"]) == ""
