# Sourced by the scripts beside it: finds Python, and keeps .venv equal to the pinned requirements.
# Speaks on standard error only, because `bin/manage` has its standard output read by programs.
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
VENV="$ROOT/.venv"
TOOLS="$ROOT/.venv-tools"
export PYTHONPATH="$ROOT"
unset PYTHONDONTWRITEBYTECODE # each process would compile Django again at every start

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

find_python() {
    for name in "${LUNGPORTAL_PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
        [ -n "$name" ] || continue
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            printf '%s' "$name"
            return
        fi
    done
    fail "lungportal needs Python 3.11, 3.12 or 3.13 on the PATH (or its name in LUNGPORTAL_PYTHON)."
}

# Runs a command with its output in a file; shows a dot a second from the third on, and the output if it fails.
quietly() {
    title=$1
    shift
    printf '%s ' "$title" >&2
    report="$TOOLS/last-step.log"
    mkdir -p "$TOOLS"
    began=$(date +%s)
    "$@" >"$report" 2>&1 &
    job=$!
    trap 'kill $job 2>/dev/null; exit 130' INT TERM
    tenths=0
    while kill -0 "$job" 2>/dev/null; do
        sleep 0.1
        tenths=$((tenths + 1))
        [ $((tenths % 10)) -ne 0 ] || [ $tenths -lt 20 ] || printf '.' >&2
    done
    if wait "$job"; then
        say " done ($(($(date +%s) - began)) s)"
    else
        say " failed"
        tail -n 30 "$report" >&2
        exit 1
    fi
    trap - INT TERM
}

hash_of() { cat "$@" | "$PYTHON" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'; }

# uv in a small environment of its own, unless the machine has it. A Debian without python3-venv can still have
# pip; without uv in the end, pip does the work.
find_uv() {
    for UV in "$(command -v uv || true)" "$TOOLS/bin/uv" "$TOOLS/target/bin/uv"; do
        [ ! -x "$UV" ] || return 0
    done
    quietly "Installer" install_uv
    for UV in "$TOOLS/bin/uv" "$TOOLS/target/bin/uv" ""; do
        [ ! -x "$UV" ] || return 0
    done
    "$PYTHON" -c 'import ensurepip' 2>/dev/null ||
        fail "This Python can neither make environments nor install packages: install python3-venv (Debian), or uv."
}

install_uv() {
    set -- --quiet --require-hashes -r "$ROOT/bin/requirements-uv.txt"
    if "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
        "$PYTHON" -m venv "$TOOLS" && "$TOOLS/bin/python" -m pip install "$@" || true
    else
        "$PYTHON" -m pip install --target "$TOOLS/target" "$@" || true
    fi
}

# uv does not read pip's configuration; what pip is told on this machine holds for it too.
# The first index that has a file is not always the one with the pinned version, and hashes make that safe.
follow_pip() {
    settings=$("$PYTHON" -m pip config list 2>/dev/null || true)
    of_pip() { printf '%s\n' "$settings" | sed -n "s/^\(global\|install\|:env:\)\.$1='\(.*\)'\$/\2/p" | tail -n 1 | sed 's/\\n/ /g'; }
    index=$(of_pip index-url)
    extra=$(of_pip extra-index-url)
    links=$(of_pip find-links)
    [ -n "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] || [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
    [ -n "${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ] || [ -z "$extra" ] || export UV_INDEX="$extra"
    [ -n "${UV_FIND_LINKS:-}" ] || [ -z "$links" ] || export UV_FIND_LINKS="$(printf '%s' "$links" | tr ' ' ',')"
    certificate=$(of_pip cert)
    [ -n "${SSL_CERT_FILE:-}" ] || [ -z "$certificate" ] || export SSL_CERT_FILE="$certificate"
    export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
    export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}"
}

make_venv() {
    if [ -n "$UV" ]; then
        "$UV" venv --quiet --clear --python "$PYTHON" "$VENV"
    else
        "$PYTHON" -m venv --clear "$VENV"
    fi
}

install() {
    set -- $(printf -- '-r %s ' "$@")
    if [ -n "$UV" ]; then
        "$UV" pip install --python "$VENV/bin/python" --require-hashes --compile-bytecode "$@"
    else
        "$VENV/bin/python" -m pip install --require-hashes "$@"
    fi
}

# ensure_venv FILE...: .venv holds these requirements; nothing happens if they have not changed.
ensure_venv() {
    PYTHON=$(find_python)
    stamp="$VENV/.requirements-$#"
    wanted=$(hash_of "$@")
    if [ -x "$VENV/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        PYTHON="$VENV/bin/python"
        return
    fi
    find_uv
    follow_pip
    if [ ! -x "$VENV/bin/python" ]; then
        quietly "Virtual environment" make_venv
    fi
    quietly "Python packages (the first time about 2.5 GB)" install "$@"
    printf '%s' "$wanted" >"$stamp"
    PYTHON="$VENV/bin/python"
}
