# shellcheck shell=bash
# What the scripts of the set-up share. Sourced, never run: it moves to the checkout's top folder, puts .tools/bin first on the
# path and gives uv and pip caches that they can write.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$root"

# For messages of a few lines: the first says what is wrong, the others what to do.
say() { printf 'lab: %s\n' "$@" >&2; }
fail() { say "$@"; exit 1; }

[ "$(uname -s)" = Linux ] || fail "queuelab reads /proc, cgroups and the monotonic clock of Linux, and this is $(uname -s)." \
  "Run it on Linux, in a Linux virtual machine or in WSL 2."

case ":$PATH:" in
  ":$root/.tools/bin:"*) ;;
  *) export PATH="$root/.tools/bin:$PATH" ;;
esac

# at_least VERSION LEAST: compares dotted numbers.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# can_create PATH: PATH, or the nearest folder above it that is there, can be written to.
can_create() {
  local at=$1
  while [ ! -e "$at" ]; do at=$(dirname "$at"); done
  [ -d "$at" ] && [ -w "$at" ]
}

# default_folder VARIABLE USUAL OWN: where a tool would write to USUAL in the home folder and cannot, or there is no home folder,
# VARIABLE points it at OWN in the checkout. A variable that the user set stays.
default_folder() {
  if [ -z "${!1:-}" ] && { [ -z "$2" ] || ! can_create "$2"; }; then export "$1=$root/.cache/$3"; fi
}
home=''
[ -d "${HOME:-}" ] && home=$HOME
caches=${XDG_CACHE_HOME:-${home:+$home/.cache}}
data=${XDG_DATA_HOME:-${home:+$home/.local/share}}
default_folder UV_CACHE_DIR "${caches:+$caches/uv}" uv
default_folder PIP_CACHE_DIR "${caches:+$caches/pip}" pip
default_folder UV_PYTHON_INSTALL_DIR "${data:+$data/uv/python}" python

set_up_log=.cache/set-up.log

# alone COMMAND...: one set-up at a time in this checkout. The kernel drops the lock with the last process that holds it, so a
# set-up that was killed leaves none behind.
alone() (
  { mkdir -p .cache && : >>.cache/set-up.lock; } 2>/dev/null ||
    fail "$(id -un) cannot write to $root/.cache, and so not set up this checkout." "Use a checkout that belongs to you."
  exec 9>.cache/set-up.lock
  if ! flock --nonblock 9; then
    say "waiting for another set-up of this checkout to end"
    flock 9
  fi
  : >"$set_up_log"
  "$@"
)

# quietly COMMAND...: its output goes to the log of the set-up, which is shown where the set-up fails.
quietly() { "$@" >>"$set_up_log" 2>&1 </dev/null; }
fail_with_log() {
  tail -n 15 "$set_up_log" >&2
  fail "$@"
}

# apt_install PACKAGE...: false where it is not for this script to do, because there is no apt or the user is not root.
apt_install() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then return 1; fi
  local install=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    apt-get -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends "$@")
  say "installing $* with apt"
  # What apt starts in the background must not hold this set-up's lock.
  quietly "${install[@]}" 9>&- || { quietly apt-get update 9>&- && quietly "${install[@]}" 9>&-; }
}
