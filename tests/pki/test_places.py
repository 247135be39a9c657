import pytest

from galvan.model import BadInput
from galvan.pki import bundle, places


def test_each_authority_has_its_own_directory_on_servers() -> None:
    cluster, client = (places.on_server(name) for name in places.AUTHORITIES)
    assert cluster.key == "/etc/mysql/galvan/cluster/key.pem"
    assert client.ca == "/etc/mysql/galvan/client/ca.pem"
    assert cluster.closed == ("/etc/mysql/galvan", "/etc/mysql/galvan/cluster")


def test_applications_hold_only_the_clients_side() -> None:
    place = places.on_application()
    assert (place.request, place.option_file) == ("/etc/galvan/client/request.pem", "/etc/galvan/client/client.cnf")
    assert place.closed == ("/etc/galvan/client",)


@pytest.mark.parametrize("name", ["", "..", "a/b", "Cluster", "a b", "-x", "x" * 40])
def test_names_that_are_no_directories(name: str) -> None:
    with pytest.raises(BadInput):
        places.on_server(name)


@pytest.mark.parametrize("directory", ["", "/", "relative", "/a/../b", "/a b", "/a/", "/a;rm", "/a\n", "/a/./b"])
def test_paths_that_are_not_plain(directory: str) -> None:
    with pytest.raises(BadInput):
        places.at(directory)


def test_the_option_file_insists_on_the_servers_name() -> None:
    text = bundle.option_file(places.on_application())
    assert text.splitlines()[-5:] == [
        "[client]",
        "ssl-ca=/etc/galvan/client/ca.pem",
        "ssl-cert=/etc/galvan/client/cert.pem",
        "ssl-key=/etc/galvan/client/key.pem",
        "ssl-verify-server-cert",
    ]


def test_other_clients_and_other_demands() -> None:
    text = bundle.option_file(places.on_application(), with_certificate=False, mysql=True)
    assert "ssl-mode=VERIFY_IDENTITY" in text
    assert "ssl-verify-server-cert" not in text
    assert "ssl-key" not in text
