#!/bin/bash -p
# environments.sh [GROUP...]   Makes .venvs/GROUP for the dependency groups named; for all but `dev` and `flower` where none is named.
# uv.lock says what is in each. What is up to date is left alone, without starting uv or Python.
set -euo pipefail
# shellcheck source=infrastructure/setup/tools.sh
. "${BASH_SOURCE[0]%/*}/tools.sh"

key=$(cat uv.lock pyproject.toml <(printf '%s' "${UV_PYTHON:-}") | sha256sum)
key=${key%% *}

# ready GROUP: the environment is complete, belongs to this lock file, was made at this place (its scripts name it) and its
# interpreter is still there.
ready() {
  local made_for='' made_at=''
  [ -x ".venvs/$1/bin/python" ] && [ -e ".venvs/$1/.made" ] || return 1
  { read -r made_for && read -r made_at; } <".venvs/$1/.made" || return 1
  [ "$made_for" = "$key" ] && [ "$made_at" = "$root" ]
}

all_ready() {
  local group
  for group; do ready "$group" || return 1; done
}

# known_groups: the groups as they were read for this key; false where they were not.
known_groups() {
  local read_for='' line=''
  [ -e .venvs/.groups ] || return 1
  { read -r read_for && read -r line; } <.venvs/.groups || return 1
  [ "$read_for" = "$key" ] && read -ra groups <<<"$line"
}

read_groups() {
  local line
  line=$("$1" -c '
import tomllib
with open("pyproject.toml", "rb") as file:
    print(*(group for group in tomllib.load(file)["dependency-groups"] if group not in ("dev", "flower", "workloads")))')
  printf '%s\n%s\n' "$key" "$line" >.venvs/.groups.new
  mv .venvs/.groups.new .venvs/.groups
}

make_environment() {
  local folder=.venvs/$1 made_at='' bytecode=()
  if [ -e "$folder/.made" ]; then made_at=$(tail -n 1 "$folder/.made"); fi
  # One that was never finished, or was moved, is not mended but made anew.
  if [ "$made_at" != "$root" ]; then rm -rf "$folder"; fi
  rm -f "$folder/.made"
  say "installing environment $1"
  # What is measured is compiled beforehand: a first import would show in its memory and start.
  case $1 in lab | dev) ;; *) bytecode=(--compile-bytecode) ;; esac
  UV_PROJECT_ENVIRONMENT=$folder uv sync --frozen --only-group "$1" --quiet "${bytecode[@]}" --python "$2" </dev/null ||
    fail "environment $1 could not be made with $2; uv's reason is above."
  printf '%s\n%s\n' "$key" "$root" >"$folder/.made.new"
  mv "$folder/.made.new" "$folder/.made"
}

make_environments() {
  local python group
  python=$(need_python)
  mkdir -p .venvs
  if [ $# = 0 ]; then
    read_groups "$python"
    known_groups
    set -- "${groups[@]}"
  fi
  for group; do ready "$group" || make_environment "$group" "$python"; done
}

groups=("$@")
if [ $# = 0 ] && ! known_groups; then groups=(); fi
if [ ${#groups[@]} != 0 ] && all_ready "${groups[@]}"; then exit; fi
need_tools uv
alone make_environments "$@"
