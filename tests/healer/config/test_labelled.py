import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.config import load_config
from healer.config.labelled import declared, target_of
from healer.model.mode import Mode


def test_a_container_says_where_it_belongs():
    labels = {"healer.enable": "true", "healer.organ": "stomach", "healer.groups": "web, shop,", "other": "x"}
    target, notes = target_of("cache", labels, Mode.APPROVE)
    assert notes == []
    assert (target.id, target.organ, target.groups, target.mode) == (
        "container:cache", "stomach", ("web", "shop"), Mode.APPROVE,
    )  # fmt: skip
    assert not declared(target)
    assert declared(load_config({"targets": [{"kind": "container", "name": "cache"}]}, environ={}).targets[0])


@pytest.mark.parametrize(
    ("label", "ceiling", "mode"),
    [
        ("auto", "observe", "observe"),
        ("auto", "approve", "approve"),
        ("off", "auto", "off"),
        ("", "suggest", "suggest"),
    ],
)
def test_a_label_never_raises_the_mode(label, ceiling, mode):
    target, _ = target_of("cache", {"healer.mode": label}, Mode.parse(ceiling))
    assert target.mode is Mode.parse(mode)


@pytest.mark.parametrize("label", ["command", "reload", "bounds", "spare", "requires", "exec"])
def test_what_a_label_may_not_say_does_nothing_and_is_told(label):
    target, notes = target_of("cache", {f"healer.{label}": "rm -rf /"}, Mode.AUTO)
    assert label not in target.spec
    assert not target.requires
    assert notes == [f"container cache: the label healer.{label} means nothing"]


@pytest.mark.parametrize("labels", [{"healer.organ": "spleen"}, {"healer.mode": "always"}, {"healer.groups": "a b"}])
def test_a_label_that_does_not_fit_leaves_the_container_out_and_says_why(labels):
    target, notes = target_of("cache", labels, Mode.AUTO)
    assert target is None
    assert "container cache" in notes[0]


@given(
    name=st.text(min_size=1, max_size=200),
    labels=st.dictionaries(st.sampled_from(["healer.organ", "healer.mode", "healer.groups", "healer.x"]), st.text()),
)
def test_whatever_anybody_labels_is_a_target_within_the_ceiling_or_none(name, labels):
    target, notes = target_of(name, labels, Mode.SUGGEST)
    assert target is None or target.mode <= Mode.SUGGEST
    assert target is not None or notes
