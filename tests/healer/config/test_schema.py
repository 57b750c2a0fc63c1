import json

from healer.config import fields
from healer.config.schema import config_schema


def test_the_schema_has_every_section_and_is_json():
    made = config_schema()
    assert set(made["properties"]) == set(fields.document().fields)
    assert made["required"] == ["version"]
    assert json.loads(json.dumps(made)) == made
