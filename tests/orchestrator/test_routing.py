import pytest

from rrq.orchestrator.routing import Router
from rrq.settings import RRQSettings

from .claims import a_claim

settings = RRQSettings(
    default_executor_name="python",
    executor_routes={"images": "rust", "rrq:queue:mail": "go"},
)
router = Router(settings, ("python", "rust", "go"))


@pytest.mark.parametrize(
    ("function_name", "queue", "executor", "handler"),
    [
        ("resize", "default", "python", "resize"),
        ("resize", "images", "rust", "resize"),
        ("send", "mail", "go", "send"),
        ("go#resize", "images", "go", "resize"),
        ("go#a#b", "default", "go", "a#b"),
    ],
)
def test_a_prefix_wins_over_the_queues_route_and_that_over_the_default(
    function_name: str, queue: str, executor: str, handler: str
) -> None:
    route = router.route(a_claim(function_name=function_name, queue=queue))
    assert (route.executor, route.handler, route.refusal) == (executor, handler, None)


@pytest.mark.parametrize("function_name", ["", "python#", "#"])
def test_a_function_name_without_a_handler_is_refused(function_name: str) -> None:
    assert router.route(a_claim(function_name=function_name)).refusal == "Handler name is missing"


def test_an_unknown_executor_is_refused_with_those_that_there_are() -> None:
    refusal = router.route(a_claim(function_name="ruby#x")).refusal
    assert refusal == ("No executor configured for 'ruby'. Configured executors: python, rust, go.")


def test_a_mark_without_a_prefix_names_no_executor() -> None:
    refusal = router.route(a_claim(function_name="#x")).refusal
    assert refusal is not None
    assert refusal.startswith("No executor configured for ''.")
