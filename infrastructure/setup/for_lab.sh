#!/bin/bash -p
# for_lab.sh RECIPE [ARGUMENT...]   Makes sure of what a recipe's lab needs: of containers Docker and .env, of local processes (where
# the arguments say --lab local, or a study does not say otherwise) a redis-server. Where Docker is missing it says the command that does without.
set -euo pipefail
# shellcheck source=infrastructure/setup/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

case " $* " in
  *' --lab local '* | *' --lab=local '*) exec "$root/infrastructure/setup/redis.sh" ;;
  *' --lab compose '* | *' --lab=compose '*) ;;
  ' study '*) exec "$root/infrastructure/setup/redis.sh" ;;
esac
if ! command -v docker >/dev/null || ! docker compose version >/dev/null 2>&1; then
  fail "this measures in containers, and there is no Docker with Compose v2 here." \
    "The same as processes of this machine:$(printf ' %q' ./lab "$@" --lab local)"
fi
exec "$root/infrastructure/setup/dotenv.sh"
