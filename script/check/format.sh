#!/usr/bin/env bash
# All C files are as clang-format (14, .clang-format) leaves them. Repair: script/check/format.sh --fix
# timeout: 120
set -euo pipefail
cd "${CHECK_ROOT:-$(dirname "$0")/../..}"
list() {
    if [ -e .git ]; then
        git -c 'safe.directory=*' ls-files -co --exclude-standard -- '*.c' '*.h'
    else
        find . -name '*.[ch]'
    fi | while read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done
}
if [ "${1:-}" = --fix ]; then
    list | xargs -r clang-format -i
    exit 0
fi
bad=$(list | xargs -r -n 1 -P "$(nproc)" sh -c 'clang-format --dry-run -Werror "$0" > /dev/null 2>&1 || echo "$0"' | LC_ALL=C sort)
if [ -n "$bad" ]; then
    sed 's/$/: not formatted/' <<< "$bad"
    echo "$(wc -l <<< "$bad") files; repair with script/check/format.sh --fix"
    exit 1
fi
