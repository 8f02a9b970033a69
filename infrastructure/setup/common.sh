# shellcheck shell=bash
# What the scripts of the set-up share. Sourced, never run: it moves to the checkout's top folder, puts .tools/bin first on the
# path and gives uv and pip caches that they can write.
set -euo pipefail

# A prefix of folders to search would have cd print where it went.
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# What passes of the user's environment: what a shell, a terminal, Docker and this set-up need, what .env.example documents, and,
# for installing alone, where packages come from. Anything else could change what is installed, tested or measured.
passed="PATH HOME USER LOGNAME TMPDIR TZ LANG LANGUAGE LD_LIBRARY_PATH XDG_RUNTIME_DIR XDG_CACHE_HOME XDG_DATA_HOME
  TERM COLORTERM NO_COLOR COLUMNS LINES PY_COLORS PYTHONUNBUFFERED SSH_AUTH_SOCK COMPOSE_PROJECT_NAME PYENV_ROOT
  http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
  SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NETRC
  PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_CERT PIP_CLIENT_CERT PIP_PROXY PIP_CACHE_DIR
  PIP_DEFAULT_TIMEOUT PIP_RETRIES
  UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_INSECURE_HOST UV_NATIVE_TLS UV_SYSTEM_CERTS
  UV_HTTP_TIMEOUT UV_HTTP_RETRIES UV_CACHE_DIR UV_PYTHON UV_PYTHON_INSTALL_DIR UV_PYTHON_INSTALL_MIRROR"
documented=''
if [ -e .env.example ]; then documented=$(sed -nE 's/^#?([A-Z][A-Z0-9_]*)=.*/\1/p' .env.example); fi
sealed_away=()
for name in $(compgen -e); do
  case $name in LAB_* | BENCHMARK_* | DOCKER_* | LC_*) continue ;; esac
  # Of bash itself, which lets nobody unset them.
  case $name in BASHOPTS | SHELLOPTS) export -n "${name?}" && continue ;; esac
  case $'\n'${passed//[[:space:]]/$'\n'}$'\n'$documented$'\n' in
    *$'\n'"$name"$'\n'*) ;;
    *) sealed_away+=("$name") ;;
  esac
done
# All at once, and before any variable that is still to be read: the user's may have the names of this script's own.
unset -v ${sealed_away[@]+"${sealed_away[@]}"}
root=$(pwd -P)
# No file of the user sets anything of uv either; what it needs to know is in the checkout.
export UV_NO_CONFIG=1

# just gives what it starts a SIGHUP that is not ignored, whatever nohup has set; `lab` says so.
if [ -n "${LAB_IGNORES_HANGUP:-}" ]; then trap '' HUP; fi

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
