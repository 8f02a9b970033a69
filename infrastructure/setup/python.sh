# shellcheck shell=bash
# need_python: the interpreter for the environments, found or downloaded. Sourced.
# shellcheck source=infrastructure/setup/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

# What the project is developed on; any other that pyproject.toml allows serves where this is not there.
preferred_python=3.13
least_python=$(sed -nE 's/^requires-python *= *">=([0-9.]+)".*/\1/p' pyproject.toml)

# Only a final, ordinary CPython counts: the frameworks' wheels are built for no other.
# It prints its version and its own path, which is not that of a shim which led to it.
probe='
import platform, sys, sysconfig
ordinary = sys.version_info.releaselevel == "final" and not sysconfig.get_config_var("Py_GIL_DISABLED")
if platform.python_implementation() != "CPython" or not ordinary:
    sys.exit(1)
print("%d.%d" % sys.version_info[:2], sys.executable, sep="\t")
'

# candidates: paths that may be interpreters: on the path, of pyenv, of uv. pyenv's shims of versions that are not selected
# fail, and uv's own search ends at them, so its versions are looked at where they lie. A folder of shims tells where that is,
# even where pyenv itself does not, for want of a home folder.
candidates() {
  local folder folders uv_pythons
  IFS=: read -ra folders <<<"$PATH"
  for folder in "${folders[@]%/shims}" "${PYENV_ROOT:-}" "$(pyenv root 2>/dev/null || true)" "${HOME:-}/.pyenv"; do
    if [ -d "$folder/versions" ]; then folders+=("$folder"/versions/*/bin); fi
  done
  uv_pythons=$(uv python dir 2>/dev/null || true)
  if [ -d "$uv_pythons" ]; then folders+=("$uv_pythons"/*/bin); fi
  for folder in "${folders[@]}"; do compgen -G "$folder/python3*" || true; done
}

# pythons LEAST: version and path, by a tab, of every interpreter that runs and is LEAST or newer. Names that give an older one
# away are not started.
pythons() {
  local path found least_minor=${1#3.}
  while read -r path; do
    [[ ${path##*/} =~ ^python3(\.([0-9]+))?$ ]] || continue
    ((${BASH_REMATCH[2]:-$least_minor} >= least_minor)) || continue
    found=$("$path" -I -c "$probe" 2>/dev/null </dev/null) || continue
    if at_least "${found%%$'\t'*}" "$1"; then printf '%s\n' "$found"; fi
  done < <(candidates)
}

# best_python: the preferred version, else the newest; false where there is none.
best_python() {
  local version python best='' best_version=0
  while IFS=$'\t' read -r version python; do
    if [ "$version" = "$preferred_python" ]; then
      best=$python
      break
    fi
    if ! at_least "$best_version" "$version"; then best=$python best_version=$version; fi
  done < <(pythons "$least_python")
  [ -n "$best" ] && printf '%s\n' "$best"
}

# need_python: prints the interpreter's path. UV_PYTHON, as uv understands it, goes before any search.
need_python() {
  if [ -n "${UV_PYTHON:-}" ]; then
    printf '%s\n' "$UV_PYTHON"
    return
  fi
  if best_python; then return; fi
  say "no Python $least_python or newer is here: uv downloads $preferred_python"
  quietly env UV_PYTHON_INSTALL_BIN=0 uv python install "$preferred_python" ||
    fail_with_log "no Python $least_python or newer on the path or under pyenv, and uv could not download one (see above)." \
      "Install Python $preferred_python, or name one that is here: UV_PYTHON=/path/to/python3 ./lab ..."
  best_python ||
    fail "uv installed Python $preferred_python, yet it does not run here." "Install one yourself and name it by UV_PYTHON."
}
