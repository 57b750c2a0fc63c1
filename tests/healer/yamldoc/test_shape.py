import pytest

from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Count, Duration, Text
from healer.yamldoc.shape import Bad, ByKind, Field, ListOf, MapOf, Record, suggestion

LIMIT = Record(
    Field(name="max", shape=Count(1), required=True, doc="how many"),
    Field(name="per", shape=Duration(), default=60.0, doc="window"),
)


def told(text, shape):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, shape, problems, name="f")
    return [str(one) for one in problems.found]


def read(text, shape):
    return document.text(text, shape, Problems(), name="f")


def test_a_record_has_its_defaults_and_its_places():
    values = read("max: 3\n", LIMIT)
    assert values == {"max": 3, "per": 60.0}
    assert str(values.where("max")) == "f:1:6"
    assert str(values.where("per")) == "f:1:1"


def test_every_mistake_of_a_record_is_told_at_once():
    assert told("mx: 3\nper: 5\n", LIMIT) == [
        "f:1:1: unknown key 'mx' (did you mean 'max'?)",
        "f:2:6: 5 has no unit (write 5s or 5m or 5h)",
        "f:1:1: 'max' is missing (how many)",
    ]


def test_a_record_is_a_mapping():
    assert told("[1]", LIMIT) == ["f:1:1: expected a mapping, found a list"]
    assert told("max:", LIMIT) == ["f:1:5: expected a whole number, found nothing (write a value, or remove the key)"]


def test_a_record_may_build_something_and_refuse_to():
    def build(values, problems):
        if values["max"] > 5:
            problems.add(values.where("max"), "too many")
            raise Bad
        return values["max"] * 2

    shape = Record(*LIMIT.fields.values(), build=build)
    assert read("max: 3", shape) == 6
    assert told("max: 6", shape) == ["f:1:6: too many"]


def test_a_list_tells_the_mistakes_of_all_its_items():
    shape = ListOf(LIMIT, least=1, most=3)
    assert len(read("[{max: 1}, {max: 2}]", shape)) == 2
    assert len(told("[{max: 0}, {mix: 1}]", shape)) == 3
    assert "empty list" in told("[]", shape)[0]
    assert "at most 3" in told("[{max: 1}, {max: 1}, {max: 1}, {max: 1}]", shape)[0]
    assert told("5", ListOf(Count())) == ["f:1:1: expected a list, found the number 5 (write [5])"]


def test_one_may_stand_for_a_list_of_one():
    shape = ListOf(Text(), alone=True)
    assert read("a", shape) == ("a",)
    assert "expected a list" in told("", shape)[0]


def test_a_mapping_of_names_is_checked_by_name():
    known = MapOf(Count(), keys=("heart", "brain"), named="organ")
    assert read("{heart: 1}", known) == {"heart": 1}
    assert told("{hart: 1}", known) == ["f:1:2: unknown organ 'hart' (did you mean 'heart'?)"]
    free = MapOf(Count(), pattern="[a-z]+")
    assert "cannot be a name" in told("{A1: 1}", free)[0]
    assert told("[1]", free)
    assert told("{a: x}", free)


def test_a_kind_decides_which_keys_there_are():
    kind = Field(name="kind", shape=Text(), required=True, doc="kind")
    port = Field(name="port", shape=Count(), required=True, doc="port")
    shape = ByKind({"tcp": Record(kind, port)}, hints={"program": "elsewhere"})
    assert read("{kind: tcp, port: 5}", shape)["port"] == 5
    assert "'kind' is missing" in told("{port: 5}", shape)[0]
    assert "did you mean 'tcp'?" in told("{kind: tpc, port: 5}", shape)[0]
    assert "elsewhere" in told("{kind: program}", shape)[0]
    assert "unknown kind" in told("{kind: [tcp]}", shape)[0]
    (only,) = told("{kind: on}", shape)
    assert "true or false to some" in only
    assert told("[]", shape)


def test_a_broken_scalar_is_told_once():
    assert len(told("max: 0777", LIMIT)) == 1


def test_schemas_are_made_of_the_same_shapes():
    assert LIMIT.schema()["required"] == ["max"]
    assert LIMIT.schema()["additionalProperties"] is False
    assert "anyOf" in ListOf(Text(), alone=True).schema()
    assert ListOf(Text(), least=1).schema()["minItems"] == 1
    assert MapOf(Text(), keys=("a",)).schema()["properties"] == {"a": Text().schema()}
    assert ByKind({"x": LIMIT}).schema()["oneOf"][0]["properties"]["kind"] == {"const": "x"}


def test_a_suggestion_is_the_nearest_or_the_list():
    assert suggestion("coldown", ("cooldown", "for")) == "did you mean 'cooldown'?"
    assert suggestion("zzz", ("a", "b")) == "one of: a, b"
    assert suggestion("zzz", ()) == ""


def test_a_lone_value_is_told_the_mapping_it_was_meant_to_be():
    assert told("5", LIMIT) == ["f:1:1: expected a mapping, found the number 5 (write {max: 3, per: 30s})"]
    proof = Record(
        Field(name="when", shape=Text(), required=True, doc="proof"),
        Field(name="within", shape=Duration(), default=30.0, shown="30s", doc="in time"),
    )
    assert told("a > 1", proof)[0].endswith('(write {when: "a > 1", within: 30s})')


def test_a_stray_key_is_told_where_it_belongs():
    shape = Record(*LIMIT.fields.values(), strays={"verify": "belongs under a step"})
    assert told("max: 1\nverify: 2\n", shape) == ["f:2:1: unknown key 'verify' (belongs under a step)"]
