"""Keys of a plugin."""

from healer.config.kinds.nagios import OWN


def test_a_plugin_needs_its_command_and_runs_once_a_minute():
    assert [field.name for field in OWN.fields if field.required] == ["argv"]
    assert OWN.every == 60.0
