"""Seal events of your own into the log, hear them as they happen, and let the agent prove the log.

Run it as it is: it needs no root and no configuration, and ends by itself after a few seconds.
"""

import tempfile
from collections.abc import Mapping
from typing import Any

from healer.app import Agent


def heard(topic: str, data: Mapping[str, Any]) -> None:
    """What every listener gets: the topic, and the sealed entry."""
    print(f"heard {topic}: {data['data']}")


def main() -> None:
    """Seal two events, listen to one of them, and verify the log they are in."""
    with tempfile.TemporaryDirectory() as state, Agent({"rules": {"files": []}}, state_dir=state) as agent:
        stop_listening = agent.on("user.*", heard)
        # When this returns, the event is signed and durable: the number is its place in the log.
        number = agent.log_event("user.login", {"name": "alice", "password": "never written down"})
        print("sealed as entry", number)

        stop_listening()
        number = agent.log_event("service.deployed", {"service": "shop", "build": 42})
        print("sealed as entry", number)

        log = agent.verify()
        print("the log:", log["verified_summary"], "- verified:", log["verified"])


if __name__ == "__main__":
    main()
