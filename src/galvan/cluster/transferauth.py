"""Where the secret of state transfers lies on a host (wsrep_sst_auth), as pieces of scripts that look for it there. It never travels."""

FILES = r"""IFS='
'; set -f
n='/etc/my.cnf
/etc/mysql/my.cnf' files=
for level in 1 2 3 4; do
  flat=
  for f in $n; do
    if [ -d "$f" ]; then set +f; for g in "${f%/}"/*.cnf; do [ -f "$g" ] && flat="$flat$g
"; done; set -f; elif [ -f "$f" ]; then flat="$flat$f
"; fi
  done
  [ -n "$flat" ] || break
  files="$files$flat"
  n=$(sed -n 's/^[[:space:]]*![[:space:]]*include\(dir\)*[[:space:]][[:space:]]*\(.*[^[:space:]]\)[[:space:]]*$/\2/p' $flat 2>/dev/null)
done
"""
"""Sets $files to the option files that the server's first ones include, one a line; IFS is a line end, and `set -f` is on."""
KNOWN = r"""s=$(my_print_defaults --mysqld sst 2>/dev/null | sed -n 's/^--\(loose[-_]\)*wsrep[-_]sst[-_]auth=//Ip' | tail -n 1)
case $s in *:*) s=${s#*:} ;; esac
[ ${#s} -ge 4 ] || s=
"""
"""Sets $s to the secret, where there is one that a search could tell from ordinary words."""
