import datetime as dt
import json

import pytest

from healer.model.active import Active
from healer.model.recurrence import from_json, to_json


def test_the_hours_of_a_window_survive_being_sealed():
    active = Active(
        days=(0, 1),
        hours=((1320, 360),),
        month_days=((-1, -1),),
        months=(12,),
        dates=((dt.date(2026, 12, 24), dt.date(2027, 1, 2)),),
        years=((2026, 2027),),
        tz="Europe/Warsaw",
        outside=(Active(days=(0,)),),
    )
    assert from_json(json.loads(json.dumps(to_json(active)))) == active


@pytest.mark.parametrize(
    "raw",
    [
        {"hours": "22:00-06:00"},
        {"hours": [[1, 2, 3]]},
        {"days": ["mon"]},
        {"dates": [["24.12.", "x"]]},
        {"nights": [1]},
    ],
)
def test_what_cannot_be_read_back_is_not_guessed(raw):
    with pytest.raises((TypeError, ValueError)):
        from_json(raw)
