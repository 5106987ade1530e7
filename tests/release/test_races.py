import runpy
from pathlib import Path
from types import SimpleNamespace

racing = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "racing.py")))
PROCESSES = 8


def test_of_eight_promoters_at_once_one_wins_and_the_others_say_so(server, registry, model, kit):
    for number in range(4, PROCESSES + 2):
        server.register(model, MLmodel=f"artifacts: {number}")
    kit.release(registry, "1", model=model)
    # `benchmarks/release.py` goes on for 200 rounds.
    rounds = list(racing.race(registry, kit, model, rounds=12, seconds=25))

    assert [(number, ended.wrong(), ended) for number, ended in enumerate(rounds) if ended.wrong()] == []
    assert len(rounds) >= 3
    assert all(len(ended.ends) == PROCESSES for ended in rounds)
