import pytest

from healer.config.rates import ceiling
from healer.model.limit import Ceiling
from healer.yamldoc.shape import Mistake


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("5/h", Ceiling(max=5, per=3600.0)),
        (" 20 / day ", Ceiling(max=20, per=86400.0)),
        ("restart=0/d", Ceiling(action="restart", max=0, per=86400.0)),
        ("*=7/hour", Ceiling(max=7, per=3600.0)),
    ],
)
def test_a_rate_is_so_many_an_hour_or_a_day_of_one_verb_or_all(text, means):
    assert ceiling(text) == means
    assert ceiling(str(means)) == means


@pytest.mark.parametrize("text", ["", "5", "5/m", "-1/h", "=5/h", "5/h5", "٥/h", "1e3/h", "a b=5/h", "9" * 40 + "/h"])
def test_everything_else_is_told(text):
    with pytest.raises(Mistake, match="is not a rate"):
        ceiling(text)


def test_a_verb_that_nobody_has_bounds_nothing_and_is_told():
    with pytest.raises(Mistake, match="'restrat' is no verb") as refused:
        ceiling("restrat=5/h")
    assert "restart" in refused.value.hint
