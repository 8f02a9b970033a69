#!/bin/bash -p
# for_lab.sh RECIPE [ARGUMENT...]   Makes sure of what a recipe's lab needs: of containers Docker and .env, of local processes (where
# the arguments say --lab local, or a study does not say otherwise) a redis-server. Where Docker is missing it says the command that does without.
set -euo pipefail
# shellcheck source=infrastructure/setup/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

engine_limit_s=20

case " $* " in
  *' --lab local '* | *' --lab=local '*) exec "$root/infrastructure/setup/redis.sh" ;;
  *' --lab compose '* | *' --lab=compose '*) ;;
  ' study '*) exec "$root/infrastructure/setup/redis.sh" ;;
esac
instead="The same as processes of this machine:$(printf ' %q' ./lab "$@" --lab local)"
if ! command -v docker >/dev/null || ! docker compose version >/dev/null 2>&1; then
  fail "this measures in containers, and there is no Docker with Compose v2 here." "$instead"
fi
if ! reason=$(timeout "$engine_limit_s" docker version --format '{{.Server.Version}}' 2>&1); then
  fail "this measures in containers, and Docker's engine does not answer: ${reason:-nothing came within $engine_limit_s s}" \
    "Start it, or see that you may use it (a member of the group docker may)." "$instead"
fi
exec "$root/infrastructure/setup/dotenv.sh"
