from healer.model.kinds.catalog import KINDS
from healer.model.kinds.sql import KIND


def test_a_query_is_no_service_and_its_number_may_be_negative():
    assert KINDS["sql"] is KIND
    assert not KIND.serves
    (value,) = (metric for metric in KIND.metrics if metric.name == "sql.value")
    assert value.labels == ("target", "name", "row")
    assert value.minimum is None
