"""The same transfers on MariaDB 11.8: the tests are those of `test_sst`, on other ground and in the order in which they stand here."""
# ruff: noqa: I001

import pytest

from .test_sst import transfers, test_it_turns_while_the_applications_write
from .test_sst import test_a_full_and_an_incremental_transfer, test_a_stranger_gets_nothing_by_any_method

GROUND = {"release": "trixie"}
pytestmark = [pytest.mark.lab, pytest.mark.campaign]
__all__ = [
    "test_a_full_and_an_incremental_transfer", "test_a_stranger_gets_nothing_by_any_method",
    "test_it_turns_while_the_applications_write", "transfers",
]  # fmt: skip
