"""wsrep_provider_options: whatever a value holds, it comes back, and the other keys stay as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvan.cluster import provider
from galvan.model import BadInput, Unreadable

ODD = st.text(st.sampled_from("ab.\\;= \t'\"1"), max_size=8)
PRINTABLE = st.text(st.characters(exclude_categories=("C",)), max_size=12)
VALUE = ODD | PRINTABLE
KEY = VALUE.filter(lambda key: bool(key.strip()))
OPTIONS = st.dictionaries(KEY, VALUE, max_size=6)


@given(OPTIONS)
def test_what_is_rendered_is_read_back(options: dict[str, str]) -> None:
    assert provider.parse(provider.render(options)) == options


@given(OPTIONS, KEY, VALUE)
def test_one_key_is_changed_and_no_other(options: dict[str, str], key: str, value: str) -> None:
    changed = provider.parse(provider.render(options)) | {key: value}
    assert provider.parse(provider.render(changed)) == {**options, key: value}


@given(
    st.dictionaries(
        st.sampled_from(["gcache.size", "gmcast.segment", "pc.weight"]), st.sampled_from(["1", "128M", "a b"])
    )
)
def test_blanks_around_do_not_matter(options: dict[str, str]) -> None:
    shown = "".join(f"  {key}  =  {value}  ; " for key, value in options.items())
    assert provider.parse(shown) == options


def test_the_last_one_wins() -> None:
    assert provider.parse("a=1; b=2; a=3") == {"a": "3", "b": "2"}


@pytest.mark.parametrize("text", ["socket.ssl", "a=1; b", "a=1=2", " = 1", "=1"])
def test_what_the_provider_would_refuse_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        provider.parse(text)


@pytest.mark.parametrize(
    ("said", "yes"), [("YES", True), ("on", True), ("1", True), ("no", False), ("", False), (None, False)]
)
def test_what_the_provider_takes_for_yes(said: str | None, yes: bool) -> None:
    assert provider.yes(said) is yes


def test_how_the_listener_is_named() -> None:
    assert provider.scheme({"gmcast.listen_addr": "ssl://0.0.0.0:4567"}) == "ssl"
    assert provider.scheme({"gmcast.listen_addr": "tcp://[::]:4567"}) == "tcp"
    assert provider.scheme({}) == "tcp"


def test_a_period_is_set_by_the_way_that_the_server_takes() -> None:
    key = "evs.join_retrans_period"
    plain = provider.set_period(key, "PT0.1S", {"version": "10.11.19-MariaDB"})
    assert plain.text == "SET GLOBAL wsrep_provider_options = 'evs.join_retrans_period=PT0.1S'"
    plugged = provider.set_period(key, "PT0.1S", {"wsrep_provider_evs_join_retrans_period": "1.000000"})
    assert plugged.text == "SET GLOBAL wsrep_provider_evs_join_retrans_period = 0.1"
    assert provider.set_period(key, "PT1S", {provider.variable(key): "0.1"}).text.endswith("= 1")


@pytest.mark.parametrize("period", ["", "PT", "1", "PT1", "P1D", "PT1S; DROP"])
def test_what_is_no_period_is_not_sent(period: str) -> None:
    with pytest.raises(BadInput):
        provider.set_period("evs.join_retrans_period", period, {"wsrep_provider_evs_join_retrans_period": "1"})
