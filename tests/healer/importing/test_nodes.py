from healer.importing import nodes
from healer.importing.jsontext import parse
from healer.yamldoc.mark import Problems


def read(text):
    return parse(text, "f", Problems())


def test_what_is_not_there_is_nothing_and_never_an_error():
    root = read('{"a": [1, {"b": true}], "c": null}')
    assert nodes.text(nodes.get(root, "a")) == ""
    assert nodes.number(nodes.get(nodes.items(nodes.get(root, "a"))[1], "b")) is None
    assert nodes.items(None) == ()
    assert nodes.entries(nodes.get(root, "a")) == ()
    assert nodes.plain(nodes.get(root, "a")) is None
    assert nodes.get(None, "x") is None
    assert nodes.data(None) is None


def test_the_first_key_that_is_there_is_taken():
    root = read('{"b": 1, "c": 2}')
    assert nodes.number(nodes.get(root, "a", "c", "b")) == 2.0


def test_every_object_is_found():
    assert len(list(nodes.objects(read('{"a": [{"b": {}}, 1]}')))) == 3
