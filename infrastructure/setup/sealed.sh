#!/bin/bash -p
# sealed.sh PROGRAM [ARGUMENT...]   Runs a program of .venvs/dev in the environment that the set-up has, whatever the user's is.
set -euo pipefail
# shellcheck source=infrastructure/setup/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
export PYTHONPATH="$root"
exec "$root/.venvs/dev/bin/$1" "${@:2}"
