"""The server's variables and counters that Galvan asks for in every look, by name."""

VARIABLE_NAMES = (
    "version", "version_comment", "hostname", "port", "extra_port", "datadir", "socket", "have_ssl", "ssl_ca", "ssl_capath",
    "ssl_cert", "ssl_key", "ssl_cipher", "ssl_crl", "ssl_crlpath", "tls_version", "require_secure_transport",
    "performance_schema", "wsrep_on", "wsrep_provider", "wsrep_provider_options", "wsrep_cluster_address",
    "wsrep_cluster_name", "wsrep_node_name", "wsrep_node_address", "wsrep_sst_method", "wsrep_sst_receive_address",
    "wsrep_notify_cmd", "bind_address", "skip_name_resolve", "event_scheduler", "read_only",
    "wsrep_provider_evs_join_retrans_period",  # there only where the plug-in wsrep_provider is
    "pxc_encrypt_cluster_traffic",  # Percona XtraDB Cluster's
    "innodb_encrypt_tables", "innodb_encrypt_log", "encrypt_binlog", "encrypt_tmp_files", "encrypt_tmp_disk_tables",
    "aria_encrypt_tables", "innodb_encrypt_temporary_tables", "innodb_encryption_threads", "innodb_encryption_rotation_iops",
    "innodb_encryption_rotate_key_age", "file_key_management_filename", "file_key_management_encryption_algorithm",
    "hashicorp_key_management_vault_url", "innodb_default_encryption_key_id",
)  # fmt: skip
STATUS_NAMES = (
    "wsrep_cluster_status", "wsrep_cluster_size", "wsrep_cluster_state_uuid", "wsrep_cluster_conf_id", "wsrep_connected",
    "wsrep_ready", "wsrep_local_state", "wsrep_local_state_comment", "wsrep_local_index", "wsrep_cluster_weight",
    "wsrep_desync_count", "wsrep_incoming_addresses", "wsrep_last_committed", "wsrep_local_cached_downto",
    "wsrep_provider_version", "wsrep_gcomm_uuid", "wsrep_local_commits", "wsrep_replicated", "wsrep_replicated_bytes", "wsrep_received", "wsrep_received_bytes", "Uptime", "Ssl_finished_accepts",
    "Com_insert", "Com_update", "Com_delete",
)  # fmt: skip
