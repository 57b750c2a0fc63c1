import pytest

from healer.config.load import load_config
from healer.errors import ConfigError

SHOP = {"kind": "sql", "name": "shop", "queries": {"stuck": "SELECT 1"}}


def one(**more):
    return load_config({"version": 1, "targets": [SHOP | more]}, environ={}).targets[0]


def test_a_database_is_a_file_or_a_server():
    assert one(path="/var/lib/shop.db").spec["path"] == "/var/lib/shop.db"
    assert one(host="db").spec["port"] == 5432
    for wrong in ({}, {"path": "/var/lib/shop.db", "host": "db"}):
        with pytest.raises(ConfigError) as caught:
            one(**wrong)
        assert "one of them" in " ".join(caught.value.problems)


@pytest.mark.parametrize("queries", [{}, {"a b": "SELECT 1"}, {"a": ""}, {"a": 1}, "SELECT 1"])
def test_queries_have_names_and_texts(queries):
    with pytest.raises(ConfigError):
        one(path="/x", queries=queries)


@pytest.mark.parametrize("rows", [0, 1001, "many"])
def test_rows_are_bounded(rows):
    with pytest.raises(ConfigError):
        one(path="/x", rows=rows)
