#!/bin/sh
# Make sure that gfortran is there: installed by apt when root, else named.
set -eu
command -v gfortran >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing gfortran"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq gfortran >/dev/null
  exit 0
fi
echo "gfortran is missing; install it first, for example: sudo apt-get install gfortran" >&2
exit 1
