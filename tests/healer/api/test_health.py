import pytest

from healer.api import health

WELL = {
    "safe_mode": "",
    "kill_switch": False,
    "counts": {"blind": {}},
    "degraded": [],
    "breakers": [],
    "incidents": [],
    "log": {"sealing": True, "verified": True, "anchor_problems": []},
    "self": {"self.log_verified": 1.0},
}
SEEN = {"reached": True, "because": "b sleeps", "dated": None, "contradictions": []}


def test_all_is_well_when_every_check_says_so():
    found = health.of(WELL)
    assert found["status"] == "pass"
    assert set(found["parts"]) == set(health.PARTS)
    assert health.of(WELL | {"log": WELL["log"] | {"witnessed": SEEN}})["status"] == "pass"


@pytest.mark.parametrize(
    ("change", "part", "status", "word"),
    [
        ({"safe_mode": "too many sick"}, "agent", "warn", "safe mode"),
        ({"kill_switch": True}, "agent", "warn", "kill switch"),
        ({"counts": {"blind": {"http:x": "timeout"}}}, "agent", "warn", "http:x"),
        ({"degraded": ["old rules"]}, "agent", "warn", "old rules"),
        ({"breakers": [{"action": "restart", "target": "a:b"}]}, "rules", "warn", "restart"),
        ({"incidents": [{"phase": "given-up", "rule": "r", "target": "a:b"}]}, "rules", "warn", "gave up"),
        ({"log": {**WELL["log"], "sealing": False, "because": "no room"}}, "audit", "fail", "no room"),
        ({"log": {**WELL["log"], "verified": False}}, "audit", "warn", "within its period"),
        ({"self": {"self.log_verified": 0.0}}, "audit", "fail", "does not verify"),
        ({"self": {}}, "audit", "warn", "not verified yet"),
        ({"log": {**WELL["log"], "anchor_problems": ["gone"]}}, "audit", "warn", "gone"),
        ({"log": {**WELL["log"], "witnessed": {**SEEN, "reached": False}}}, "audit", "warn", "b sleeps"),
        ({"log": {**WELL["log"], "witnessed": {**SEEN, "dated": {"because": "no tsa"}}}}, "audit", "warn", "no tsa"),
        (
            {"log": {**WELL["log"], "witnessed": {**SEEN, "contradictions": [{"witness": "b", "because": "has 9"}]}}},
            "audit",
            "fail",
            "witness b knows another history",
        ),
        ({"log": None}, "audit", "fail", "nothing is known"),
    ],
)
def test_each_trouble_is_told_in_its_part(change, part, status, word):
    found = health.of({**WELL, **change}, part)
    assert found["status"] == status
    assert word in " ".join(found["because"])
    whole = health.of({**WELL, **change})
    assert whole["status"] == status
    assert [name for name, one in whole["parts"].items() if one["status"] != "pass"] == [part]


async def test_failing_answers_503_and_an_unknown_part_404(fake, listen):
    fake.log = {"sealing": False, "because": "the disk is full"}
    async with listen(fake) as client:
        failing = await client.get("/api/v1/health/audit")
        agent = await client.get("/api/v1/health/agent")
        unknown = await client.get("/api/v1/health/feet")
    assert (failing.status_code, failing.json()["status"]) == (503, "fail")
    assert agent.status_code == 200
    assert unknown.status_code == 404
