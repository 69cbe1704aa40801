#!/bin/sh
# numba wants its cache in a folder it can write: the compiled kernels are put there, then the
# command takes this process's place.
set -eu
if [ -d /opt/kernels ] && [ ! -d "${NUMBA_CACHE_DIR:-/tmp/kernels}" ]; then
    cp -R /opt/kernels "${NUMBA_CACHE_DIR:-/tmp/kernels}"
fi
exec "$@"
