"""The server's variables and counters that Galvan asks for in every look, by name: a change is undone by what was seen there."""

_HOUSE = (
    "version", "version_comment", "hostname", "port", "extra_port", "datadir", "socket", "have_ssl", "ssl_ca", "ssl_capath",
    "ssl_cert", "ssl_key", "ssl_cipher", "ssl_crl", "ssl_crlpath", "tls_version", "require_secure_transport",
    "performance_schema", "wsrep_on", "wsrep_provider", "wsrep_provider_options", "wsrep_cluster_address",
    "wsrep_cluster_name", "wsrep_node_name", "wsrep_node_address", "wsrep_sst_method", "wsrep_sst_receive_address",
    "wsrep_sst_donor", "wsrep_notify_cmd", "bind_address", "skip_name_resolve", "event_scheduler", "read_only",
    "wsrep_provider_evs_join_retrans_period",  # there only where the plug-in wsrep_provider is
    "pxc_encrypt_cluster_traffic",  # Percona XtraDB Cluster's
    "innodb_encrypt_tables", "innodb_encrypt_log", "encrypt_binlog", "encrypt_tmp_files", "encrypt_tmp_disk_tables",
    "aria_encrypt_tables", "innodb_encrypt_temporary_tables", "innodb_encryption_threads", "innodb_encryption_rotation_iops",
    "innodb_encryption_rotate_key_age", "file_key_management_filename", "file_key_management_encryption_algorithm",
    "hashicorp_key_management_vault_url", "innodb_default_encryption_key_id",
)  # fmt: skip
_FILES = ("local_infile", "secure_file_priv", "have_symlink", "log_bin", "log_bin_basename", "plugin_dir")
_STRICTNESS = (
    "sql_mode", "old_passwords", "secure_auth", "skip_show_database", "automatic_sp_privileges", "block_encryption_mode",
    "strict_password_validation", "skip_networking", "admin_address", "wsrep_debug", "time_zone", "system_time_zone",
    "pxc_strict_mode",
)  # fmt: skip
_LIMITS = (
    "max_connections", "max_user_connections", "max_password_errors", "wait_timeout", "interactive_timeout",
    "idle_transaction_timeout", "max_statement_time", "tcp_keepalive_time", "tcp_keepalive_interval", "tcp_keepalive_probes",
    "connection_control_failed_connections_threshold",
)  # fmt: skip
_LOGS = (
    "log_error", "log_warnings", "log_error_verbosity", "log_raw", "general_log", "general_log_file", "slow_query_log",
    "slow_query_log_file", "log_output", "expire_logs_days", "binlog_expire_logs_seconds", "relay_log_basename",
)  # fmt: skip
_AUDIT = (
    "server_audit_logging", "server_audit_events", "server_audit_excl_users", "server_audit_incl_users",
    "server_audit_output_type", "server_audit_file_path", "server_audit_file_rotate_size", "server_audit_file_rotations",
    "server_audit_query_log_limit", "audit_log_policy", "audit_log_strategy", "audit_log_handler", "audit_log_exclude_accounts",
    "audit_log_rotate_on_size",
)  # fmt: skip
_PASSWORDS = (
    "simple_password_check_minimal_length", "simple_password_check_digits", "simple_password_check_letters_same_case",
    "simple_password_check_other_characters", "cracklib_password_check_dictionary", "password_reuse_check_interval",
    "validate_password.policy", "validate_password.length", "validate_password_policy", "validate_password_length",
    "password_history", "password_reuse_interval",
)  # fmt: skip
VARIABLE_NAMES = (*_HOUSE, *_FILES, *_STRICTNESS, *_LIMITS, *_LOGS, *_AUDIT, *_PASSWORDS)
STATUS_NAMES = (
    "wsrep_cluster_status", "wsrep_cluster_size", "wsrep_cluster_state_uuid", "wsrep_cluster_conf_id", "wsrep_connected",
    "wsrep_ready", "wsrep_local_state", "wsrep_local_state_comment", "wsrep_local_index", "wsrep_cluster_weight",
    "wsrep_desync_count", "wsrep_incoming_addresses", "wsrep_last_committed", "wsrep_local_cached_downto",
    "wsrep_provider_version", "wsrep_gcomm_uuid", "wsrep_local_commits", "wsrep_replicated", "wsrep_replicated_bytes", "wsrep_received", "wsrep_received_bytes", "Uptime", "Ssl_finished_accepts",
    "Com_insert", "Com_update", "Com_delete",
)  # fmt: skip
