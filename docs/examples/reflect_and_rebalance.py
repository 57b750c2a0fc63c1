"""Ask an agent how this host is: its organs, harmony with what takes the most from it, and what it recommends.

Run it as it is: it needs no root and no configuration, and ends by itself after a few seconds.
"""

import tempfile
import threading

from healer.app import Agent

CONFIG = {
    "mode": "observe",  # look and think, touch nothing
    "rules": {"files": []},
    "sensors": {"host": {"every": "500ms", "slow_every": "1s"}, "self": {"every": "500ms"}},
}


def main() -> None:
    """Look for two seconds, then print what the agent thinks."""
    with tempfile.TemporaryDirectory() as state, Agent(CONFIG, state_dir=state) as agent:
        threading.Event().wait(2.0)  # rates need two looks

        status = agent.status()
        print(f"harmony {status['harmony']}, energy {status['energy']}")
        for organ in status["organs"]:
            print(f"  {organ['name']:<8} {organ['health']:<9} {organ['score']}")
        for one in status["deductions"]:
            print(f"  -{one['points']:.1f} by {one['vital']}: {one['because']}")

        reflection = agent.reflect()
        print(f"reflection: score {reflection['score']:.1f}")
        for insight in reflection["insights"]:
            print(f"  {insight['says']}; figures: {insight['figures']}")
        for recommendation in reflection["recommendations"]:
            print(f"  recommended: {recommendation['says']}")

        print("rebalanced:", agent.rebalance()["answer"])


if __name__ == "__main__":
    main()
