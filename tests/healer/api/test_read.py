import asyncio

import pytest

from audit.clock import SystemClock
from audit.writer import Writer
from healer.history import History
from healer.model.observation import Observation, labels
from healer.model.unit import Unit


async def test_one_target_is_shown_with_the_rules_that_judge_it(fake, listen):
    async with listen(fake) as client:
        found = (await client.get("/api/v1/targets/program:api")).json()
        missing = await client.get("/api/v1/targets/program:none")
    assert [one["rule"] for one in found["rules"]] == ["api-down"]
    assert missing.status_code == 404
    assert "program:api" in missing.json()["known"]


async def test_rules_are_told_even_where_the_log_cannot_be_read(fake, listen):
    async with listen(fake) as client:
        found = (await client.get("/api/v1/rules")).json()
    assert [one["id"] for one in found["rules"]] == ["api-down", "front-slow"]  # most urgent first
    assert {one["verdicts"] for one in found["rules"]} == {None}
    assert "no log" in found["trouble"]


async def test_healings_without_a_log_are_a_503_that_says_so(fake, listen):
    async with listen(fake) as client:
        reply = await client.get("/api/v1/healings")
    assert reply.status_code == 503
    assert "no log" in reply.json()["detail"]


async def test_explain_of_a_rule_or_target_there_is_not_is_a_404(fake, listen):
    async with listen(fake) as client:
        for path in ("rules/none/explain", "rules/api-down/explain?target=http:front"):
            assert (await client.get(f"/api/v1/{path}")).status_code == 404
        near = (await client.get("/api/v1/rules/api-dwn/explain")).json()["hint"]
        assert near == "did you mean 'api-down'?"
        near = (await client.get("/api/v1/rules/api-down/explain?target=program:apii")).json()["hint"]
        assert near == "did you mean 'program:api'?"
        found = (await client.get("/api/v1/rules/api-down/explain?target=program:api")).json()
    assert found["explanations"][0]["truth"] == "false"


async def test_metrics_can_be_asked_for_by_name_and_by_prometheus(fake, listen):
    async with listen(fake) as client:
        found = (await client.get("/api/v1/metrics?metric=program.up")).json()["metrics"]
        text = await client.get("/metrics")
    assert [one["value"] for one in found] == [1.0]
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_events_go_on_where_the_reader_stopped(fake, listen):
    for number in range(5):
        fake.bus.publish(f"a.{number}", {"n": number}, fake.clock.now())
    async with listen(fake) as client:
        first = (await client.get("/api/v1/events?limit=3")).json()
        rest = (await client.get(f"/api/v1/events?after={first['next']}")).json()
        none = (await client.get(f"/api/v1/events?after={rest['next']}")).json()
    numbers = [one["number"] for one in (*first["events"], *rest["events"])]
    assert numbers == sorted(set(numbers))
    assert rest["events"][-1]["topic"] == "a.4"
    assert none == {"events": [], "next": rest["next"]}


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", "limit=1e3", "limit=99999999999999999999", "limit=٣", "limit=1001", "after=-1"]
)
async def test_numbers_are_numbers_within_bounds(fake, listen, query):
    async with listen(fake) as client:
        assert (await client.get(f"/api/v1/events?{query}")).status_code == 400


async def test_history_is_read_from_the_store_and_past_incidents_too(fake, listen, tmp_path):
    fake.history = History(tmp_path / "state.db", linger=0.0)
    fake.history.start()
    seen = Observation(metric="cpu.used", labels=labels(core="0"), value=0.5, unit=Unit.RATIO, at=fake.clock.now())
    fake.history.record([seen], now=fake.clock.now(), wall=fake.clock.wall())
    fake.history.flush()
    try:
        async with listen(fake) as client:
            found = (await client.get("/api/v1/history/cpu.used?since=5m")).json()
            past = (await client.get("/api/v1/incidents?since=1d")).json()
            bad = [await client.get(f"/api/v1/history/cpu.used?since={text}") for text in ("yesterday", "-5m", "nan")]
    finally:
        await asyncio.sleep(0)
        fake.history.close()
    assert found["samples"] == [{"at": fake.clock.wall(), "labels": {"core": "0"}, "value": 0.5}]
    assert past["past"] == []
    assert {reply.status_code for reply in bad} == {400}


async def test_an_agent_that_keeps_no_history_says_so(fake, listen):
    async with listen(fake) as client:
        assert (await client.get("/api/v1/history/cpu.used")).status_code == 404


async def test_the_scrape_counts_healings_and_does_without_a_log(fake, listen):
    async with listen(fake) as client:
        assert "healer_healings_total" not in (await client.get("/metrics")).text
        with Writer.open(fake.state_dir, node="here", clock=SystemClock()) as writer:
            common = {"v": 1, "mono": 1, "boot": "b", "node": "here", "ts": 1, "id": "i-1"}
            begun = {
                **common, "kind": "intent", "corr": "r@t", "action": "restart", "target": "program:api",
                "generation": "g", "params": {}, "rule": "r", "rules_hash": "h", "step": 0, "attempt": 1,
                "actor": "rule:r", "because": "it", "evidence": [], "deadline_us": 1, "mode": "auto",
            }  # fmt: skip
            leaf = writer.submit([begun]).result()[0].leaf
            ended = {**common, "of": leaf, "because": "seen", "took_us": 5}
            writer.submit([{**ended, "kind": "verdict", "result": "verified"}]).result()
        counted = 'healer_healings_total{action="restart",result="verified",rule="r",target="program:api"} 1'
        for _ in range(2):
            assert counted in (await client.get("/metrics")).text.splitlines()
        assert (await client.get("/api/v1/healings?by=rule")).json()["summary"][0]["verified"] == 1
        assert (await client.get("/api/v1/healings?by=weather")).status_code == 400


@pytest.mark.parametrize(
    "query", ["start=-1", "start=nan", "end=1e99", "step=0.5x", "step=", "label=x", "limit=999999", "since=1y"]
)
async def test_a_question_about_the_past_that_means_nothing_is_refused(fake, listen, tmp_path, query):
    fake.history = History(tmp_path / "state.db", linger=0.0)
    fake.history.start()
    try:
        async with listen(fake) as client:
            assert (await client.get(f"/api/v1/history/cpu.used?{query}")).status_code == 400
            assert (await client.get("/api/v1/history/cpu.used?step=5m&start=1&end=2")).json()["lines"] == []
    finally:
        fake.history.close()
