#!/bin/sh
# Remove from the environment $1 what no command of the image can use: the tests that packages ship, C headers,
# and the object store's binary (the store is a container of its own).
set -eu
packages="$(echo "$1"/lib/python3.*/site-packages)"
for name in numpy pandas pyarrow scipy sklearn skops matplotlib; do
  [ ! -d "$packages/$name" ] || find "$packages/$name" -depth -type d -name tests -exec rm -r {} +
done
rm -rf "$packages/pyarrow/include" "$packages/pyarrow/src" "$packages/numpy/_core/include"
rm -f "$1/bin/weed"
