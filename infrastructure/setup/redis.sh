#!/bin/bash -p
# redis.sh   Makes sure of a redis-server on the path of the recipes. The lab starts and stops its own; none is left as a service.
set -euo pipefail
# shellcheck source=infrastructure/setup/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

runs() { [[ $("$1" --version 2>/dev/null </dev/null) == 'Redis server'* ]]; }

# Debian's redis-tools holds the server's own program, under the name of the checker (they are one binary); redis-server adds no
# more than its name and a service, which would start now and at every boot.
install_redis() {
  if runs redis-server; then return; fi
  if apt_install redis-tools; then
    mkdir -p .tools/bin
    ln -sfn "$(command -v redis-check-rdb)" .tools/bin/redis-server
    hash -r
    if runs redis-server; then return; fi
    rm -f .tools/bin/redis-server
  fi
  if [ -s "$set_up_log" ]; then tail -n 15 "$set_up_log" >&2; fi
  fail "no redis-server on the path: install it with your package manager (Debian, Ubuntu: apt-get install redis-server)"
}

runs redis-server || alone install_redis
