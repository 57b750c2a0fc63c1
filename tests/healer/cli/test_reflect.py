import json


def test_insights_come_with_the_figures_they_rest_on(agent, healer):
    said = healer("reflect")
    assert said.code == 0
    assert "harmony 90 of 100, steady over 10 min" in said.out
    assert "energy: little is left [energy=3.0]" in said.out
    assert "-> stop work" in said.out
    assert json.loads(healer("reflect", "--json").out)["score"] == 90.0


def test_nothing_to_remark_is_said(agent, healer, monkeypatch):
    async def calm():
        return {
            "score": None, "trend": {"word": "unknown", "over": 0.0}, "insights": [], "recommendations": [],
        }  # fmt: skip

    agent.reflect = calm
    out = healer("reflect").out
    assert "harmony unknown of 100" in out
    assert "nothing to remark" in out


def test_rebalance_says_what_it_did(agent, healer):
    said = healer("rebalance")
    assert "harmony 90 of 100: balancing rules evaluated" in said.out
    assert "harmony.warning" in said.out
    assert json.loads(healer("rebalance", "--json").out)["harmony"] == 90.0
