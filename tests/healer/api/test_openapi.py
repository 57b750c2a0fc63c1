import json

from healer.api.app import routes
from healer.api.openapi import document
from healer.model.request import VERBS


def test_every_route_is_described_and_nothing_else(fake):
    described = {(path, method.upper()) for path, item in document("1")["paths"].items() for method in item}
    served = {
        (route.path.replace(":path}", "}"), method)
        for route in routes(fake)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert served == described


def test_every_verb_may_be_asked_for():
    schema = document("1")["paths"]["/api/v1/requests"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["verb"]["enum"] == list(VERBS)


def test_it_is_plain_json():
    assert json.loads(json.dumps(document("1.2")))["info"]["version"] == "1.2"
