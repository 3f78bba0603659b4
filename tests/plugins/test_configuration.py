"""`[rrq.plugins.NAME]`: how a plugin reads its own table, and what is said of a wrong one."""

from __future__ import annotations

import json

import pytest

from rrq.exc import ConfigError, PluginError
from rrq.plugins import Plugins, plugin_configuration
from rrq.settings import RRQSettings
from tests.support.distributions import Site

MODEL = """
    from pydantic import AliasChoices, BaseModel, Field, SecretStr

    class PagingConfig(BaseModel):
        team: str = Field(default="on-call", description="Who is told.")
        retries: int = 3
        token: SecretStr | None = None
        webhook: str | None = None
"""

PLUGIN = f"""
    import rrq
{MODEL}
    config_model = PagingConfig

    @rrq.hookimpl
    def rrq_worker_started(worker):
        pass
"""


def settings_with(**tables: object) -> RRQSettings:
    return RRQSettings.model_validate({"plugins": tables})


@pytest.fixture
def paging(site: Site, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """The plugins of this process, with one named paging among them."""
    from rrq.plugins import load_plugins

    site.install("rrq-paging", PLUGIN)
    monkeypatch.syspath_prepend(str(site.path))
    monkeypatch.delitem(__import__("sys").modules, "rrq_paging", raising=False)
    return load_plugins()


def test_a_plugin_reads_its_table_as_its_model(paging: Plugins) -> None:
    config = paging.configuration("paging", settings_with(paging={"team": "payments"}))

    assert config is not None
    assert config.model_dump()["team"] == "payments"
    assert config.model_dump()["retries"] == 3


def test_without_a_table_the_defaults_hold(paging: Plugins) -> None:
    model = paging.config_model("paging")
    assert model is not None

    config = plugin_configuration(RRQSettings(), "paging", model)

    assert config.model_dump()["team"] == "on-call"


def test_an_unknown_key_is_an_error_that_lists_the_known_ones(paging: Plugins) -> None:
    with pytest.raises(ConfigError) as caught:
        paging.configuration("paging", settings_with(paging={"taem": "payments"}))

    assert str(caught.value) == (
        '[rrq.plugins.paging] has an unknown key "taem". Did you mean "team"? '
        "Known keys: team, retries, token, webhook."
    )


def test_a_wrong_value_is_an_error_that_names_table_and_key(paging: Plugins) -> None:
    with pytest.raises(ConfigError) as caught:
        paging.configuration("paging", settings_with(paging={"retries": "many"}))

    assert str(caught.value).startswith("[rrq.plugins.paging] retries: Input should be a valid int")
    assert "many" not in str(caught.value)


def test_each_of_several_mistakes_has_its_own_line(paging: Plugins) -> None:
    with pytest.raises(ConfigError) as caught:
        paging.configuration("paging", settings_with(paging={"retries": "many", "taem": "x"}))

    unknown, wrong = str(caught.value).splitlines()
    assert unknown.startswith('[rrq.plugins.paging] has an unknown key "taem".')
    assert wrong.startswith("[rrq.plugins.paging] retries: Input should be a valid int")


def test_a_value_in_place_of_the_table_is_an_error(paging: Plugins) -> None:
    with pytest.raises(ConfigError, match="paging is not a table"):
        paging.configuration("paging", settings_with(paging="payments"))


def test_a_plugin_that_is_not_active_has_no_configuration(paging: Plugins) -> None:
    with pytest.raises(PluginError, match="Plugin pager is not active"):
        paging.configuration("pager", RRQSettings())


def test_the_check_finds_errors_in_tables_and_warns_of_unread_ones(paging: Plugins) -> None:
    settings = settings_with(
        disabled=["mailgun"],
        paging={"retries": "many"},
        pagign={"team": "payments"},
    )

    errors, warnings = paging.check_configuration(settings)

    assert len(errors) == 1
    assert errors[0].startswith("[rrq.plugins.paging] retries")
    assert warnings == [
        '[rrq.plugins.pagign] is for plugin pagign, which is not installed. Did you mean "paging"?',
        "[rrq.plugins] disabled has mailgun, which is not installed.",
    ]


def test_the_check_is_content_with_a_good_configuration(paging: Plugins) -> None:
    assert paging.check_configuration(settings_with(paging={"retries": 5})) == ([], [])


def test_a_broken_model_is_an_error_of_the_check_and_harms_no_other(site: Site) -> None:
    site.install("rrq-a", PLUGIN.replace("= PagingConfig", "= 'rrq_a:NoSuchModel'"))
    site.install("rrq-b", PLUGIN.replace("= PagingConfig", "= 'rrq_b:PagingConfig'"))
    site.install("rrq-c", PLUGIN.replace("= PagingConfig", "= {'team': str}"))

    told = site.python(
        """
        import json
        from rrq.plugins import load_plugins
        from rrq.settings import RRQSettings

        settings = RRQSettings.model_validate({"plugins": {"b": {"team": 1}}})
        print(json.dumps(load_plugins().check_configuration(settings)[0]))
        """
    )

    errors = json.loads(told)
    assert [error.split(":")[0] for error in errors] == [
        "Plugin a",
        "[rrq.plugins.b] team",
        "Plugin c",
    ]


def test_the_current_values_are_shown_without_secrets(site: Site) -> None:
    site.install("rrq-paging", PLUGIN)
    (site.work / "rrq.toml").write_text(
        '[rrq.plugins.paging]\nteam = "payments"\ntoken = "hunter2"\n'
        'webhook = "https://someone:hunter2@example.org"\n'
    )

    shown = site.plugin("paging")
    printed = site.rrq("plugins", "show", "paging").stdout

    keys = {key["name"]: key for key in shown["keys"]}
    assert keys["team"]["value"] == "payments"
    assert keys["team"]["default"] == "on-call"
    assert keys["retries"]["value"] == 3
    assert shown["schema"]["properties"]["team"]["description"] == "Who is told."
    assert "team\tstring\ton-call\tpayments\tWho is told." in printed
    assert "hunter2" not in json.dumps(shown) + printed


def test_a_plugin_is_shown_although_the_configuration_is_wrong(site: Site) -> None:
    site.install("rrq-paging", PLUGIN)
    (site.work / "rrq.toml").write_text("[rrq\n")

    ran = site.rrq("plugins", "show", "paging")

    assert ran.returncode == 0
    assert "team\tstring\ton-call\tWho is told." in ran.stdout
    assert "rrq.toml" in ran.stderr
