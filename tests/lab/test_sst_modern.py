"""The same transfers on MariaDB 11.8: the tests are those of `test_sst`, on other ground."""

import pytest

from .test_sst import (
    test_a_full_and_an_incremental_transfer,
    test_a_stranger_gets_nothing_by_any_method,
    test_it_turns_while_the_applications_write,
    test_mysqldump_as_the_seed_has_it,
    transfers,
)

GROUND = {"release": "trixie"}
pytestmark = [pytest.mark.lab, pytest.mark.campaign]
__all__ = [
    "test_a_full_and_an_incremental_transfer", "test_a_stranger_gets_nothing_by_any_method",
    "test_it_turns_while_the_applications_write", "test_mysqldump_as_the_seed_has_it", "transfers",
]  # fmt: skip
