#!/bin/sh
# Make sure that what pip cannot install is there: Python 3.11 with venv and headers, a Fortran and a C compiler.
# On Debian and Ubuntu root gets it by apt, anybody else is told the command.   Usage: prerequisites.sh PYTHON VENV
set -eu
python=$1 venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "$python is no Python 3.11 or newer; say which to take, for example: make PYTHON=python3.11" >&2
  exit 1
fi

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
version=$(version_of "$python")
if [ -x "$venv/bin/python" ] && [ "$(version_of "$venv/bin/python")" != "$version" ]; then
  echo "$venv is of Python $(version_of "$venv/bin/python"), not $version; move it away, or: make clean" >&2
  exit 1
fi

missing=""
command -v gfortran >/dev/null 2>&1 || missing="$missing gfortran"
if ! printf '#include <stdio.h>\nint main(void) { return 0; }\n' | cc -xc -fsyntax-only - 2>/dev/null; then
  missing="$missing gcc libc6-dev"
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python$version-venv"
headers='import os, sys, sysconfig; sys.exit(not os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")))'
"$python" -c "$headers" || missing="$missing python$version-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "missing; install it first, with the names of Debian:  sudo apt-get install$missing" >&2
  exit 1
fi
echo "installing$missing"
apt-get update -qq
# shellcheck disable=SC2086  # a list of packages
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null || ! "$python" -c "$headers"; then
  echo "$python has no venv module or no headers, and those of Debian are not its own; take another: make PYTHON=..." >&2
  exit 1
fi
