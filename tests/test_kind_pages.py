"""What the pages of the kinds show loads as it stands there: targets as a configuration, rules as rules."""

import re
from pathlib import Path

import pytest

from healer.config import load_config
from healer.rules.load import load

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs" / "kinds").glob("*.md"))
BLOCK = re.compile(r"^```yaml\n(version: 1\n.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_of_a_kinds_page_loads(page, tmp_path):
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        if re.search(r"^rules:\n", block, re.MULTILINE):
            assert load([path]).rules
        else:
            assert load_config(path, environ={}).targets


def test_these_pages_have_examples():
    shown = [page.stem for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]
    assert {"haproxy", "tls", "dns", "prometheus"} <= set(shown)
