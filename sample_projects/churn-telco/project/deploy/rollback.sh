#!/bin/sh
# Put the release before this one back in service, after the same checks as a deployment.
#   rollback.sh [--dry-run] --env staging|production --root DIR
set -eu
usage() { sed -n '3s/^# *//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
dry= env= root=
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry=yes; shift ;;
        --env | --root)
            [ $# -ge 2 ] || usage
            case $1 in --env) env=$2 ;; --root) root=$2 ;; esac
            shift 2 ;;
        *) usage ;;
    esac
done
case $env in staging | production) ;; *) usage ;; esac
[ -n "$root" ] || usage

if [ ! -L "$root/$env/previous" ] || [ ! -L "$root/$env/current" ]; then
    echo "not rolled back: $env has no earlier release; use the rule by kind of contract (runbook.md)" >&2
    exit 1
fi
now=$(basename "$(readlink "$root/$env/current")")
before=$(basename "$(readlink "$root/$env/previous")")
target=$root/$env/releases/$before
release=$("$python" "$here/release.py" check "$target") || { echo "not rolled back: $before is not intact" >&2; exit 1; }
echo "target: $release ($env)"
PYTHONDONTWRITEBYTECODE=1 "$python" "$target/serve.py" --package "$target" --smoke
if [ -n "$dry" ]; then
    echo "dry run: would switch $env from $now back to $before"
    exit 0
fi
ln -sfn "releases/$before" "$root/$env/current"
ln -sfn "releases/$now" "$root/$env/previous"
echo "in service: $before (before: $now)"
