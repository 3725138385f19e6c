#!/bin/sh
# The steps of both recipes, for a Debian with Python 3.11 or newer; run as root.
#   install.sh build SOURCE   compilers, and the environment /opt/rootzone made of the source
#   install.sh run            what that environment, made elsewhere, needs of the system
# TORCH_INDEX names the package index of PyTorch's CPU builds; PyPI's own bring CUDA, several GB.
set -eu
environment=/opt/rootzone
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}

packages() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  apt-get clean
  rm -rf /var/lib/apt/lists/*
}

case ${1:-}:$# in
build:2)
  cd "$2"
  packages ca-certificates gcc gfortran libc6-dev python3-dev python3-venv
  python3 -m venv "$environment"
  install="$environment/bin/python -m pip install --quiet --no-cache-dir --constraint constraints.txt"
  $install pip
  { python3 tools/requirements.py --extra surrogate --extra mpi --extra zarr; echo mpich; } >requirements.txt
  $install --build-constraint constraints.txt --extra-index-url "$torch_index" --requirement requirements.txt
  # not for this machine's processor alone: the kernels of a wheel are for three levels of processors
  $install --build-constraint constraints.txt --no-deps .
  ;;
run:1)
  packages ca-certificates libgfortran5 libgomp1 python3
  ;;
*)
  echo "usage: install.sh build SOURCE | run" >&2
  exit 2
  ;;
esac
