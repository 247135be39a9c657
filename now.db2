table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
		meta l4proto icmp  counter accept
	}

	chain FORWARD {
		type filter hook forward priority filter; policy accept;
	}

	chain OUTPUT {
		type filter hook output priority filter; policy accept;
	}
}
table ip6 filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
		meta l4proto ipv6-icmp  counter accept
	}

	chain FORWARD {
		type filter hook forward priority filter; policy accept;
	}

	chain OUTPUT {
		type filter hook output priority filter; policy accept;
	}
}
*filter
:INPUT ACCEPT 
:FORWARD ACCEPT 
:OUTPUT ACCEPT 
-A INPUT -p icmp -m comment --comment site -j ACCEPT
COMMIT
f8c0f255ecd82acd8435bb55cb536e08c842114e603d01dbc4aaf7eb2b7915bb  -
