#!/bin/sh
# Put a release in service: check its digests, score the reference customer, switch the `current` link.
#   deploy.sh [--dry-run] --env staging|production --package DIR --root DIR
# The service's supervisor serves ROOT/current and restarts when the link changes. Nothing else is done by hand.
set -eu
usage() { sed -n '3s/^# *//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
dry= env= package= root=
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry=yes; shift ;;
        --env | --package | --root)
            [ $# -ge 2 ] || usage
            case $1 in --env) env=$2 ;; --package) package=$2 ;; --root) root=$2 ;; esac
            shift 2 ;;
        *) usage ;;
    esac
done
case $env in staging | production) ;; *) usage ;; esac
[ -n "$package" ] && [ -n "$root" ] || usage

release=$("$python" "$here/release.py" check "$package") || { echo "not deployed: the release is not intact" >&2; exit 1; }
echo "target: $release ($env)"
PYTHONDONTWRITEBYTECODE=1 "$python" "$package/serve.py" --package "$package" --smoke
name=$(echo "$release" | sed 's/^[^ ]* \([^ ]*\) model \(.*\)$/\1-\2/')
now=none
[ -L "$root/$env/current" ] && now=$(basename "$(readlink "$root/$env/current")")
if [ "$now" = "$name" ]; then
    echo "nothing to do: $name is in service"
    exit 0
fi
if [ -n "$dry" ]; then
    echo "dry run: would switch $env from $now to $name"
    exit 0
fi
mkdir -p "$root/$env/releases"
if [ ! -d "$root/$env/releases/$name" ]; then
    rm -rf "$root/$env/releases/.new"
    cp -R "$package" "$root/$env/releases/.new"
    mv "$root/$env/releases/.new" "$root/$env/releases/$name"
fi
"$python" "$here/release.py" check "$root/$env/releases/$name" >/dev/null
if [ "$now" != none ]; then ln -sfn "releases/$now" "$root/$env/previous"; fi
ln -sfn "releases/$name" "$root/$env/current"
echo "in service: $name (before: $now)"
