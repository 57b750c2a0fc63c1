import subprocess
import sys

import pytest

import healer


def test_the_version_costs_no_import_of_the_agent():
    probe = "import healer, sys; print(healer.__version__, 'healer.app' in sys.modules, 'asyncio' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert said.stdout.split() == [healer.__version__, "False", "False"]


def test_the_agent_comes_when_asked_for():
    from healer.app import Agent

    assert healer.Agent is Agent


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Healr"):
        healer.Healr  # noqa: B018 - the look itself is what raises
