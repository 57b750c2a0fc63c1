from healer.yamldoc.parsers import Duration, Text
from healer.yamldoc.reference import keys, table
from healer.yamldoc.shape import ByKind, Field, ListOf, MapOf, Record

INNER = Record(Field(name="per", shape=Duration(), default=1.0, shown="1s", doc="a | b"))
OUTER = Record(
    Field(name="one", shape=INNER, required=True, doc="one"),
    Field(name="many", shape=ListOf(INNER), doc="many"),
    Field(name="named", shape=MapOf(INNER), doc="named"),
    Field(name="kinds", shape=ByKind({"x": INNER}), doc="kinds"),
    Field(name="text", shape=Text(), doc="text"),
)


def test_every_key_has_its_path():
    paths = [path for path, _ in keys(OUTER)]
    assert paths == ["one", "one.per", "many", "many[].per", "named", "named.NAME.per", "kinds", "kinds(x).per", "text"]
    assert [path for path, _ in keys(MapOf(INNER))] == ["NAME.per"]


def test_the_table_says_what_to_write():
    written = table(OUTER)
    assert "| `one` | a mapping | required | one |" in written
    assert "| `one.per` | a duration such as 30s | `1s` | a \\| b |" in written
