#!/usr/bin/env bash
# For machines without a package registry: unpacks Debian packages (headers, static libraries, CMake
# files) into a folder that CMAKE_PREFIX_PATH takes. Needs no root. `./run deps FOLDER` calls it with
# the packages of packages.txt:
#   cmake/offline_dependencies.sh FOLDER PACKAGE...          downloads them with apt-get
#   DEBS=DIR cmake/offline_dependencies.sh FOLDER PACKAGE... takes DIR/PACKAGE_*.deb
# FOLDER can then be copied to the other machine, which need not be a Debian.
set -euo pipefail
folder=$(mkdir -p "${1:?usage: offline_dependencies.sh FOLDER PACKAGE...}" && cd "$1" && pwd)
shift
if [ -n "$(ls -A "$folder")" ]; then
  echo "$folder is not empty" >&2
  exit 2
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A -dev package's CMake files name the shared library of its runtime package, so that comes along;
# what every C++ compiler brings does not.
runtime_of() {
  apt-cache depends "$@" | sed -n 's/^ *|\?Depends: \(z\?lib[a-z0-9.+-]*\)$/\1/p' |
    grep -vE '^lib(c6|gcc|stdc\+\+)' | sort -u
}

if [ -n "${DEBS:-}" ]; then
  for package in "$@"; do
    ls "$DEBS/$package"_*.deb >/dev/null || { echo "$DEBS has no $package" >&2; exit 2; }
  done
  cp "$DEBS"/*.deb "$scratch/"
else
  # apt-get download has _apt write into the folder.
  chmod 777 "$scratch"
  (cd "$scratch" && apt-get download -qq "$@" $(runtime_of "$@"))
fi

for deb in "$scratch"/*.deb; do
  if command -v dpkg-deb >/dev/null; then
    dpkg-deb --fsys-tarfile "$deb" | tar x -C "$folder"
  else
    member=$(ar t "$deb" | grep '^data\.tar')
    ar p "$deb" "$member" | tar x -C "$folder" --"${member##*.}"
  fi
done
# The prefix is /usr; some packages have parts in /lib, which is the same folder on Debian.
cp -a "$folder"/usr/. "$folder"/
rm -rf "$folder/usr" "$folder"/share/{doc,doc-base,man,lintian,bug} "$folder/src"

# Headers of one architecture belong beside the others: no compiler looks for them elsewhere.
for from in "$folder"/include/*-linux-gnu*/*.h; do
  [ ! -e "$from" ] || ln -sf "${from#"$folder/include/"}" "$folder/include/$(basename "$from")"
done

# Programs shall run where only they were copied to: no shared library where there is a static one.
for archive in "$folder"/lib/*/*.a; do rm -f "${archive%.a}".so*; done

# Debian keeps libraries in lib/<architecture>, where CMake looks on Debian alone. The CMake files
# find their libraries by their own place, so others are put in front of them.
for from in "$folder"/lib/*/*.{a,so}*; do
  [ ! -e "$from" ] || ln -s "${from#"$folder/lib/"}" "$folder/lib/$(basename "$from")"
done
for from in "$folder"/lib/*/cmake/*/*[cC]onfig*.cmake; do
  [ -e "$from" ] || continue
  to=$folder/lib/cmake/$(basename "$(dirname "$from")")/$(basename "$from")
  mkdir -p "$(dirname "$to")"
  printf 'include("${CMAKE_CURRENT_LIST_DIR}/../../%s")\n' "${from#"$folder/lib/"}" >"$to"
done

echo "$folder: $(du -sm "$folder" | cut -f1) MB; configure with -DCMAKE_PREFIX_PATH=$folder"
