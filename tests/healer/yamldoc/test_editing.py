from healer.yamldoc.editing import titled


def bare(node):
    """A schema without its titles; a property may be called title all the same."""
    if isinstance(node, list):
        return [bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: bare(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}


def test_a_form_is_called_after_what_tells_it_from_its_neighbours():
    one = {"type": "object", "required": ["run"], "properties": {"run": {"type": "string"}}}
    other = {"type": "object", "required": ["kind", "url"], "properties": {"kind": {"const": "http"}}}
    made = titled({"title": "All", "oneOf": [one, other, {"type": "string"}]})
    assert [part["title"] for part in made["oneOf"]] == ["run", "http", "All"]


def test_a_key_is_called_by_its_name_and_what_has_a_title_keeps_it():
    items = {"type": "array", "items": {"type": "string"}}
    made = titled({"properties": {"a": {"type": "string"}, "b": {"title": "B", "enum": [1]}, "c": items}})
    assert made["properties"]["a"]["title"] == "a"
    assert made["properties"]["b"]["title"] == "B"
    assert made["properties"]["c"]["items"]["title"] == "c"


def test_nothing_else_is_changed():
    schema = {
        "$defs": {
            "x": {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "integer"}}]}
        },
        "properties": {"title": {"$ref": "#/$defs/x", "description": "d"}},
        "additionalProperties": False,
    }
    assert bare(titled(schema)) == schema
