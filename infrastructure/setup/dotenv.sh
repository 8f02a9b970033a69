#!/bin/bash -p
# dotenv.sh   Writes .env from .env.example, with secrets of its own, for its owner's eyes only. Of one that is there all lines
# stay, and secrets of which it has no line are added.
set -euo pipefail
# shellcheck source=infrastructure/setup/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

secrets=(LAB_TOKEN LAB_REDIS_PASSWORD GRAFANA_ADMIN_PASSWORD)

missing=()
for name in "${secrets[@]}"; do
  grep -qs "^ *\(export *\)\?$name *=" .env || missing+=("$name")
done
if [ ${#missing[@]} = 0 ]; then exit; fi

made_up() { od -An -N 24 -t x1 /dev/urandom | tr -d ' \n'; }

umask 077
mkdir -p .cache
draft=$(mktemp .cache/env.XXXXXX)
trap 'rm -f "$draft"' EXIT

if [ -e .env ]; then
  cat .env >"$draft"
  # Its last line may not be ended.
  if [ -n "$(tail -c 1 "$draft")" ]; then echo >>"$draft"; fi
  for name in "${missing[@]}"; do echo "$name=$(made_up)" >>"$draft"; done
  mv -f "$draft" .env
  say "added to .env: ${missing[*]}"
  exit
fi

cat .env.example >"$draft"
for name in "${secrets[@]}"; do
  grep -q "^$name=" .env.example || fail ".env.example has no line $name=, where the generated secret goes."
  sed -i "s/^$name=.*/$name=$(made_up)/" "$draft"
done
mv -n "$draft" .env
say "wrote .env with generated secrets; its other lines are yours to change"
