"""The same for servers whose keys lie in a component (MySQL 8.0.24 and later, PXC): rendered from their documentation as
data, and never run."""

from __future__ import annotations

from collections.abc import Mapping

WANTED: Mapping[str, str] = {
    "tables": "default_table_encryption=ON and table_encryption_privilege_check=ON; ALTER TABLE … ENCRYPTION='Y' for each that is there",
    "redo": "innodb_redo_log_encrypt=ON and innodb_undo_log_encrypt=ON",
    "binlog": "binlog_encryption=ON",
    "temporary": "innodb_temp_tablespace_encrypt=ON and encrypt_tmp_files=ON (Percona's)",
    "keys": "the component keyring_vault, or keyring_file outside of the datadir, by mysqld.my beside the program",
}
"""What an audit would ask of them. A transfer between PXC's members needs TLS then: it carries the key."""
