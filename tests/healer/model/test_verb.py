"""Parameters are declared once and cannot be changed afterwards."""

import pytest

from healer.model.verb import Param, params


def test_parameters_are_frozen():
    made = params(grace=Param(shape="duration", doc="from TERM to KILL"))
    assert list(made) == ["grace"]
    with pytest.raises(TypeError):
        made["more"] = made["grace"]
