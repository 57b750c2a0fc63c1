"""Let an agent inside your own program run something, break it, and hear how it is healed.

Run it as it is: it needs no root and no configuration, and ends by itself after a few seconds.
"""

import os
import queue
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from healer.app import Agent
from healer.app.embedded import Running

RULES = """
version: 1
rules:
  - id: worker-died
    why: An exit seen through its pidfd is a fact, not a sample.
    target: program:worker
    when: program.up{target} == 0 and program.wanted{target} == 1
    mode: auto
    then:
      - restart: {}
        verify: {when: "program.up{target} == 1", within: 10s}
"""


def running(agent: Running) -> dict[str, Any]:
    """What the agent sees of the worker, once it is up; the agent starts it by itself."""
    while True:
        worker: dict[str, Any] = agent.status()["targets"][0]
        if worker["health"] == "healthy":
            return worker
        time.sleep(0.05)


def main() -> None:
    """Run a worker under an agent, kill it, and wait until its replacement was proved."""
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.yaml"
        rules.write_text(RULES)
        config = {
            # startup_grace: what is seen that soon after a start does not count; this one needs no time to warm up.
            "programs": [{"name": "worker", "command": ["sleep", "3600"], "on_stop": "stop", "startup_grace": "0s"}],
            "rules": {"files": [str(rules)]},
        }
        cured: queue.SimpleQueue[str] = queue.SimpleQueue()
        with Agent(config, state_dir=Path(folder) / "state") as agent:
            # Callbacks run on the agent's thread: hand over what they heard, and return.
            agent.on("incident.cured", lambda _, entry: cured.put(entry["because"]))

            worker = running(agent)
            print("worker:  ", worker["state"], worker["health"])
            os.kill(int(worker["generation"].partition(".")[0]), signal.SIGKILL)
            print("killed:  ", cured.get(timeout=20))

            print("another incarnation:", running(agent)["generation"] != worker["generation"])


if __name__ == "__main__":
    main()
