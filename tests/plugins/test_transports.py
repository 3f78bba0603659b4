"""Executor types: who offers them, and what is said of one that cannot be used."""

from __future__ import annotations

import pytest

from tests.support.distributions import Site


def offering(*types: str) -> str:
    """A plugin that offers a transport of these types."""
    return f"""
    import rrq
    from pydantic import BaseModel, Field
    from rrq.transport import Transport, TransportStatus

    class Config(BaseModel):
        address: str = Field(description="Where it listens.")
        patience_seconds: float = 3.0

    class Carrier(Transport):
        config_model = Config
        capacity = 1

        async def start(self):
            pass

        async def execute(self, request):
            raise NotImplementedError

        async def stop(self, grace_seconds):
            pass

        def describe(self):
            return TransportStatus(processes=0, in_flight=0, capacity=1)

    @rrq.hookimpl
    def rrq_transports():
        return {{name: Carrier for name in {types!r}}}
    """


def error_for(site: Site, kind: str, arguments: str = "") -> str:
    """What the error says when this executor type is asked for."""
    return site.python(
        f"""
        from rrq.exc import PluginError
        from rrq.plugins import load_plugins

        try:
            load_plugins({arguments}).transport("{kind}")
        except PluginError as error:
            print(error)
        """
    ).strip()


def test_a_plugin_adds_an_executor_type(site: Site) -> None:
    site.install("rrq-pigeon", offering("pigeon"))

    told = site.python(
        """
        from rrq.plugins import load_plugins

        plugins = load_plugins()
        print(plugins.transport("pigeon"), plugins.transports()["pigeon"].__module__)
        """
    )

    assert told == "<class 'rrq_pigeon.Carrier'> rrq_pigeon\n"
    assert site.listed()["pigeon"]["transports"] == ["pigeon"]


def test_the_keys_of_an_executor_type_are_shown(site: Site) -> None:
    site.install("rrq-pigeon", offering("pigeon"))

    keys = {key["name"]: key for key in site.plugin("pigeon")["executor_keys"]["pigeon"]}

    assert keys["address"]["required"] is True
    assert keys["address"]["description"] == "Where it listens."
    assert (keys["patience_seconds"]["type"], keys["patience_seconds"]["default"]) == ("number", 3)


def test_of_two_plugins_with_one_executor_type_neither_wins(site: Site) -> None:
    site.install("rrq-pigeon", offering("bird", "pigeon"))
    site.install("rrq-raven", offering("bird", "raven"), version="2.0")

    told = error_for(site, "bird")
    listed = site.listed()

    for origin in ("pigeon (rrq-pigeon 1.0)", "raven (rrq-raven 2.0)"):
        assert origin in told
        for name in ("pigeon", "raven"):
            assert listed[name]["status"] == "failed"
            assert origin in listed[name]["reason"]


def test_what_only_one_of_the_two_offers_stays_usable(site: Site) -> None:
    site.install("rrq-pigeon", offering("bird", "pigeon"))
    site.install("rrq-raven", offering("bird", "raven"))

    assert error_for(site, "pigeon") == ""
    assert error_for(site, "raven") == ""


def test_disabling_one_of_the_two_gives_the_type_to_the_other(site: Site) -> None:
    site.install("rrq-pigeon", offering("bird"))
    site.install("rrq-raven", offering("bird"))

    assert error_for(site, "bird", 'disabled=["raven"]') == ""


@pytest.mark.parametrize(
    ("kind", "package"), [("stdio", "rrq-executor-stdio"), ("python", "rrq-executor-python")]
)
def test_a_known_type_that_is_not_installed_names_its_package(
    site: Site, kind: str, package: str
) -> None:
    told = site.python(
        f"""
        from rrq.exc import PluginError
        from rrq.plugins import Plugins

        try:
            Plugins().transport("{kind}")
        except PluginError as error:
            print(error)
        """
    )

    assert f'executor type "{kind}"' in told
    assert f"pip install {package}" in told


def test_an_unknown_type_lists_the_known_ones_and_the_nearest(site: Site) -> None:
    site.install("rrq-pigeon", offering("pigeon"))

    told = error_for(site, "pigoen")

    assert 'No plugin offers executor type "pigoen". Did you mean "pigeon"?' in told
    assert "Known types: pigeon, python, stdio." in told


def test_a_type_whose_plugin_failed_is_refused_with_the_reason(site: Site) -> None:
    site.install("rrq-pigeon", "import a_library_that_is_not_there")

    told = error_for(site, "pigeon")

    assert "plugin pigeon (rrq-pigeon 1.0) failed" in told
    assert "No module named 'a_library_that_is_not_there'" in told


def test_a_type_whose_plugin_is_disabled_is_refused_saying_so(site: Site) -> None:
    site.install("rrq-pigeon", offering("pigeon"))

    told = error_for(site, "pigeon", 'disabled=["pigeon"]')

    assert "plugin pigeon (rrq-pigeon 1.0) is disabled" in told


def test_without_plugins_a_type_is_refused_saying_so(site: Site) -> None:
    site.install("rrq-pigeon", offering("pigeon"))

    assert "--no-plugins" in error_for(site, "pigeon", "only_builtin=True")


@pytest.mark.parametrize("answer", ["1 / 0", "['pigeon']", "{'pigeon': 'Carrier'}"])
def test_an_answer_that_is_no_mapping_of_transports_harms_no_other_plugin(
    site: Site, answer: str
) -> None:
    site.install(
        "rrq-pigeon",
        f"""
        import rrq

        @rrq.hookimpl
        def rrq_transports():
            return {answer}
        """,
    )
    site.install("rrq-raven", offering("raven"))

    assert "plugin pigeon (rrq-pigeon 1.0) failed: rrq_transports" in error_for(site, "pigeon")
    assert error_for(site, "raven") == ""
