"""The README and the guide, held to what really arrives at a collector."""

from __future__ import annotations

import re

from rrq.settings import RRQSettings
from rrq_otel.config import OtelConfig
from tests.support.documents import CHECKOUT, Document
from tests.support.places import Place
from tests.support.traced_shop import TracedShop

from .receiver import Receiver, SeenSpan, http_receiver

README = Document(CHECKOUT / "plugins" / "rrq-otel" / "README.md")
GUIDE = Document(CHECKOUT / "docs" / "guide" / "telemetry.md")


def first_cells(document: Document, heading: str) -> list[str]:
    """The code in the first column of the table below a heading."""
    section = document.path.read_text().split(f"\n{heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (`.+?) \|", section, re.M)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_the_application_of_the_readme_is_traced(place: Place, settings: RRQSettings) -> None:
    place.write("web.py", README.files()["web.py"])
    place.write("rrq.toml", f'[rrq]\nredis_dsn = "{settings.redis_dsn}"\n')
    with http_receiver() as receiver:
        place.run("python", "web.py", **receiver.environment())
    by_name = {span.name: span for span in receiver.spans}
    assert by_name["rrq.enqueue"].parent_id == by_name["POST /orders"].span_id
    assert by_name["rrq.enqueue"].resource["service.name"] == "shop-web"


def test_the_picture_of_the_guide_is_a_real_trace(shop: TracedShop, seen: Receiver) -> None:
    [picture] = [block.text for block in GUIDE.blocks() if block.text.startswith("GET /buy")]
    drawn = [
        (
            (len(line) - len(line.lstrip())) // 2,
            *(re.split(r" {2,}", line.strip())[0], "retry" in line, "link to" in line),
        )
        for line in picture.splitlines()
    ]
    of_job = {
        span.span_id for span in seen.spans if span.attributes.get("rrq.function") == "wobble"
    }

    def below(span: SeenSpan, depth: int) -> list[tuple[object, ...]]:
        children = [
            child
            for child in sorted(seen.spans, key=lambda one: one.start_ns)
            if child.parent_id == span.span_id
            and (child.span_id in of_job or child.name == "charge card")
        ]
        is_retry = span.attributes.get("rrq.outcome") == "retry"
        own = (depth, span.name, is_retry, bool(span.links))
        return [own, *(line for child in children for line in below(child, depth + 1))]

    [request] = [span for span in seen.spans if span.name == "GET /buy"]
    assert drawn == below(request, 0)


def test_the_attributes_of_the_guide_are_those_that_there_are(seen: Receiver) -> None:
    told = set(first_cells(GUIDE, "### Attributes")) - {"rrq.outcome"}
    ours = {
        name
        for span in seen.spans
        if span.name.startswith("rrq.")
        for name in span.attributes
        if name.startswith(("rrq.", "messaging.", "error.", "span."))
    }
    assert told == ours - {"rrq.outcome"}


def test_the_outcomes_of_the_guide_have_the_events_that_it_says(seen: Receiver) -> None:
    section = GUIDE.path.read_text().split("\n### Outcomes\n")[1].split("\n#")[0]
    told = {
        name: re.findall(r"`(rrq\.\w+)`", events)
        for name, events in re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.M)
    }
    for span in seen.spans:
        if span.name == "rrq.job":
            events = [name for name in span.event_names if name != "exception"]
            assert events == told[span.attributes["rrq.outcome"]]


def test_the_metrics_of_the_readme_are_those_that_there_are(seen: Receiver) -> None:
    told = {name for name in first_cells(README, "## Metrics") if name.startswith("rrq.")}
    # The shop's producer has configured no metrics.
    assert told - set(seen.metrics) == {"rrq.jobs.enqueued"}
    assert set(seen.metrics) <= told


def test_the_keys_of_the_readme_are_those_that_there_are() -> None:
    assert set(first_cells(README, "## Configuration")) == set(OtelConfig.model_fields)
