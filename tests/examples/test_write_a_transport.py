"""The guide for authors of transports shows the example as it is, and leaves nothing out."""

from __future__ import annotations

import inspect
from textwrap import indent
from typing import Any

import pytest

from rrq.testing.transport_tests import TransportTests
from rrq.transport import Transport
from tests.support.documents import CHECKOUT, Document

GUIDE = Document(CHECKOUT / "docs" / "guide" / "write-a-transport.md")
EXAMPLE = CHECKOUT / "examples" / "transport-unix-socket"
EXCERPTS = [pytest.param(one, id=one.place) for one in GUIDE.blocks() if one.file_name]


@pytest.mark.parametrize("excerpt", EXCERPTS)
def test_what_the_guide_shows_stands_in_the_example(excerpt: Any) -> None:
    text = excerpt.text.split("\n", 1)[1]
    # Lines out of a method stand at the margin in the guide.
    shapes = [indent(text, " " * width) for width in (0, 4, 8)]
    source = (EXAMPLE / excerpt.file_name).read_text()
    assert any(shape in source for shape in shapes), text


def test_the_guide_tells_of_every_member_of_a_transport() -> None:
    members = {name for name in vars(Transport) if not name.startswith("_")} | {"config_model"}
    told = {code.partition("(")[0] for code in GUIDE.code()}
    assert members - told == set()


def test_the_guide_tells_of_everything_that_a_subclass_of_the_contract_can_say() -> None:
    said = {name for name, _ in inspect.get_annotations(TransportTests).items()}
    told = {code.partition(" ")[0] for code in GUIDE.code()}
    assert said - {"pytestmark"} - told == set()
