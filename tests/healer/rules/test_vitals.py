import pytest

from healer.model.anatomy import DEFAULT_VITALS
from healer.rules.expression import ExpressionError
from healer.rules.vitals import check_vital


@pytest.mark.parametrize("vital", DEFAULT_VITALS, ids=lambda vital: vital.id)
def test_every_default_vital_is_a_number(vital):
    check_vital(vital.value)


@pytest.mark.parametrize("text", ["cpu.used > 5%", "cpu.usd", "http.ok{target}", '"word"', "", "heart.health"])
def test_what_is_no_number_about_the_host_is_refused(text):
    with pytest.raises(ExpressionError):
        check_vital(text)
