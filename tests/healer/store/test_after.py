from healer.model.observation import labels
from healer.store.after import add_after
from healer.store.kept import Sample
from healer.store.store import Store

UP = 'program.up{target="program:api"}'


def healing(**more):
    return {"at": 100.0, "ended_at": 130.0, "before": [{"series": UP, "value": "0"}], "after": [], **more}


def test_the_last_value_between_action_and_verdict_is_what_became_of_it(tmp_path):
    store = Store(tmp_path / "state.db")
    for at, value in ((100.0, 0.0), (110.0, 0.0), (120.0, 1.0), (140.0, 1.0), (160.0, 0.0)):
        for target in ("program:api", "program:db"):
            store.record([Sample(metric="program.up", labels=labels(target=target), at=at, value=value)])
    told = [
        healing(),
        healing(ended_at=None),  # nobody knows yet
        healing(before=[]),
        healing(at=900.0, ended_at=950.0),  # nothing was kept then
        healing(before=[{"series": "no.such", "value": "1"}, {"series": None, "value": None}]),
    ]
    add_after(store.reader, told)
    assert told[0]["after"] == [{"series": UP, "value": 1.0, "at": 140.0}]
    assert [one["after"] for one in told[1:]] == [[], [], [], []]
    store.close()
