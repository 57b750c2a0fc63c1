"""The configuration: organism.yaml (or a mapping) and its overlay from the environment, as one frozen value."""

from healer.config.load import find, load_config
from healer.config.values import Config

__all__ = ["Config", "find", "load_config"]
