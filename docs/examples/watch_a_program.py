"""Let an agent inside your own program run something, break it, and hear how it is healed.

Run it as it is: it needs no root and no configuration, and ends by itself after a few seconds.
"""

import os
import queue
import signal
import tempfile
from pathlib import Path

from healer.app import Agent

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


def main() -> None:
    """Run a worker under an agent, kill it, and wait until its replacement was proved."""
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.yaml"
        rules.write_text(RULES)
        config = {
            "programs": [{"name": "worker", "command": ["sleep", "3600"], "on_stop": "stop"}],
            "rules": {"files": [str(rules)]},
        }
        verdicts: queue.SimpleQueue[str] = queue.SimpleQueue()
        with Agent(config, state_dir=Path(folder) / "state") as agent:
            # Callbacks run on the agent's thread: hand over what they heard, and return.
            agent.on("action.verdict", lambda _, entry: verdicts.put(entry["result"]))
            print("started: ", verdicts.get(timeout=20))  # the agent starts the program itself, and looks at it

            worker = agent.status()["targets"][0]
            print("worker:  ", worker["state"], worker["health"])
            os.kill(int(worker["generation"].partition(".")[0]), signal.SIGKILL)
            print("killed, and healed:", verdicts.get(timeout=20))

            replaced = agent.status()["targets"][0]
            print("another incarnation:", replaced["generation"] != worker["generation"])


if __name__ == "__main__":
    main()
