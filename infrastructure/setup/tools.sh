# shellcheck shell=bash
# need_tools NAME...: uv and just from the path where they are recent enough, else from PyPI into .tools/. Sourced.
# shellcheck source=infrastructure/setup/python.sh
. "${BASH_SOURCE[0]%/*}/python.sh"

declare -A tool_package=([uv]=uv==0.13.8 [just]=rust-just==1.59.0)
# The oldest that this set-up was tried with; just passes SIGTERM on since 1.41, and the lab ends cleanly on it.
declare -A tool_least=([uv]=0.8.0 [just]=1.41.0)

tool_ready() {
  local said
  said=$("$1" --version 2>/dev/null </dev/null) || return 1
  [[ $said =~ ^$1\ ([0-9]+(\.[0-9]+)+) ]] && at_least "${BASH_REMATCH[1]}" "${tool_least[$1]}"
}

tools_ready() {
  local name
  for name; do tool_ready "$name" || return 1; done
}

need_tools() { tools_ready "$@" || alone install_tools "$@"; }

# only_sources PYTHON: of pip's own files counts where packages come from; a variable that says so goes before them.
only_sources() {
  local line variable
  while IFS= read -r line; do
    [[ $line =~ ^(global|install)\.(index-url|extra-index-url|find-links|trusted-host|cert|client-cert|proxy)=\'(.*)\'$ ]] || continue
    variable=PIP_${BASH_REMATCH[2]^^}
    variable=${variable//-/_}
    if [ -z "${!variable:-}" ]; then export "$variable=${BASH_REMATCH[3]//\\n/ }"; fi
  done < <("$1" -m pip config list 2>/dev/null </dev/null || true)
  export PIP_CONFIG_FILE=/dev/null
}

# fill PYTHON: both packages into .tools/new, with whatever this interpreter can install with; false where it has nothing.
fill() {
  local from_wheels=(install --only-binary :all: --disable-pip-version-check --no-input)
  rm -rf .tools/new
  if quietly "$1" -c 'import ensurepip, venv'; then
    if quietly "$1" -m venv .tools/new && only_sources .tools/new/bin/python && quietly .tools/new/bin/python -m pip "${from_wheels[@]}" "${tool_package[@]}"; then
      return
    fi
  elif quietly "$1" -m pip --version; then
    only_sources "$1"
    if quietly "$1" -m pip "${from_wheels[@]}" --target .tools/new "${tool_package[@]}"; then return; fi
  elif tool_ready uv; then
    if quietly uv pip install --python "$1" --target .tools/new "${tool_package[@]}"; then return; fi
  else
    return 1
  fi
  fail_with_log "uv and just could not be installed from PyPI; the reason is above." \
    "Mend that, or install both yourself: https://docs.astral.sh/uv and https://just.systems"
}

fill_from_any_python() {
  local version python
  while IFS=$'\t' read -r version python; do
    if fill "$python"; then return; fi
  done < <(pythons 3.8)
  return 1
}

install_tools() {
  # Whoever held the lock before may have done it.
  if tools_ready "$@"; then return; fi
  say "installing uv and just into .tools/ (neither touches the rest of the machine)"
  mkdir -p .tools
  trap 'rm -rf .tools/new' EXIT
  fill_from_any_python || { apt_install python3 python3-venv && fill_from_any_python; } ||
    fail_with_log "no Python on this machine can install packages (no venv, no pip)." \
      "Install your distribution's python3-venv, or uv and just themselves: https://docs.astral.sh/uv and https://just.systems"
  rm -rf .tools/packages
  mv .tools/new .tools/packages
  local name
  mkdir -p .tools/bin
  for name in "${!tool_package[@]}"; do ln -sfn "../packages/bin/$name" ".tools/bin/$name"; done
  hash -r
  for name; do
    tool_ready "$name" || fail "$root/.tools/bin/$name does not run here. Install $name yourself, so that it is on the path."
  done
}
