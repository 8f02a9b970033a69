#!/bin/bash -p
# dotenv.sh   Writes .env from .env.example, with secrets of its own, for its owner's eyes only. One that is there stays as it is.
set -euo pipefail
# shellcheck source=infrastructure/setup/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

if [ -e .env ]; then exit; fi
umask 077
mkdir -p .cache
draft=$(mktemp .cache/env.XXXXXX)
trap 'rm -f "$draft"' EXIT

cat .env.example >"$draft"
for name in LAB_TOKEN GRAFANA_ADMIN_PASSWORD; do
  grep -q "^$name=" .env.example || fail ".env.example has no line $name=, where the generated secret goes."
  secret=$(od -An -N 24 -t x1 /dev/urandom | tr -d ' \n')
  sed -i "s/^$name=.*/$name=$secret/" "$draft"
done
mv -n "$draft" .env
say "wrote .env with generated secrets; its other lines are yours to change"
