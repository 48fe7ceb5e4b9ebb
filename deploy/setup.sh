#!/usr/bin/env bash
# Puts what Ascend needs on a Debian or Ubuntu machine: packages, Node 24 in .tools/, npm packages. Safe to run again;
# does nothing that is done already. Sourced by quickstart.sh and test/run.sh, or run by hand.
#   deploy/setup.sh --appliance  also what an agent needs to look into layouts that this machine cannot mount (libguestfs)
#   deploy/setup.sh --tests      also what makes the guests of the tests
#   deploy/setup.sh --peers      also what the peer tests need (their releases of nats-server are built with Go, which must be there)
set -euo pipefail

ascend_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
node_version=$(cat "$ascend_root/.node-version")
npm_version=11.19.1

with_peers=no with_tests=no with_appliance=no
for argument in "$@"; do
  [ "$argument" != --peers ] || with_peers=yes
  [ "$argument" != --tests ] || with_tests=yes
  [ "$argument" != --appliance ] || with_appliance=yes
done

say() { printf '%s\n' "$*" >&2; }

# program -> Debian package that holds it; a program that is there needs no package.
packages_for() {
  local program package
  while read -r program package; do
    [ -n "$program" ] || continue
    if ! command -v "$program" >/dev/null 2>&1 && ! [ -e "/usr/sbin/$program" ] && ! [ -e "/sbin/$program" ]; then
      printf '%s\n' "$package"
    fi
  done | sort -u
}

needed_programs() {
  cat <<'LIST'
qemu-system-x86_64 qemu-system-x86
qemu-img qemu-utils
qemu-nbd qemu-utils
qemu-storage-daemon qemu-system-common
mariadbd mariadb-server
nats-server nats-server
fusermount3 fuse3
fuse2fs fuse2fs
bwrap bubblewrap
mmdebstrap mmdebstrap
cpio cpio
busybox busybox-static
depmod kmod
zstd zstd
xz xz-utils
lz4 lz4
bzip2 bzip2
mcopy mtools
grub-mkimage grub-common
grub-fstest grub-common
hivexregedit libwin-hivex-perl
ntfs-3g ntfs-3g
bsdtar libarchive-tools
pgrep procps
debugfs e2fsprogs
xfs_repair xfsprogs
btrfs btrfs-progs
sfdisk fdisk
setpriv util-linux
newuidmap uidmap
ip iproute2
git git
npm npm
openssl openssl
LIST
  [ "$with_tests" = no ] || cat <<'LIST'
lvm lvm2
mdadm mdadm
cryptsetup cryptsetup-bin
rpmbuild rpm
ar binutils
dpkg-deb dpkg
hivexsh libhivex-bin
LIST
  [ "$with_appliance" = no ] || cat <<'LIST'
guestfish libguestfs-tools
LIST
  [ "$with_peers" = no ] || cat <<'LIST'
nbdkit nbdkit
nbdcopy libnbd-bin
nbdinfo libnbd-bin
vhdiinfo libvhdi-utils
vhdimount libvhdi-utils
/usr/bin/time time
LIST
}

install_packages() {
  local missing
  missing=$(needed_programs | packages_for)
  [ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || [ -e /usr/share/OVMF/OVMF_CODE.fd ] || missing="$missing ovmf"
  # Modules of GRUB, for guests that change between BIOS and UEFI; the processor of such guests is x86-64 alone.
  if [ "$(dpkg --print-architecture)" = amd64 ]; then
    [ -e /usr/lib/grub/i386-pc/normal.mod ] || missing="$missing grub-pc-bin"
    [ -e /usr/lib/grub/x86_64-efi/normal.mod ] || missing="$missing grub-efi-amd64-bin"
  fi
  # The sample guest is a Debian; on other distributions mmdebstrap needs the keys that sign its packages.
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
  # An appliance runs this machine's kernel, which a container lacks.
  if [ "$with_appliance" = yes ] && ! compgen -G '/boot/vmlinuz-*' >/dev/null; then missing="$missing linux-image-$(dpkg --print-architecture)"; fi
  # A busybox that needs libraries is of no use inside a guest.
  if ldd "$(command -v busybox)" >/dev/null 2>&1; then missing="$missing busybox-static"; fi
  missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  say "Installing Debian packages: $missing"
  local elevate=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
      say "These packages are missing and this user cannot install them: $missing"
      say "Ask an administrator to run: apt-get install --no-install-recommends $missing"
      return 1
    }
    elevate=(sudo)
  fi
  # MariaDB's and NATS's packages would start servers of their own on the standard ports; a private pair is used instead.
  local policy=/usr/sbin/policy-rc.d placed=no
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${elevate[@]}" tee "$policy" >/dev/null
    "${elevate[@]}" chmod 755 "$policy"
    placed=yes
  fi
  local status=0
  {
    "${elevate[@]}" apt-get -qq update &&
      "${elevate[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing
  } >"$ascend_root/.tools/apt.log" 2>&1 || status=$?
  [ "$placed" = no ] || "${elevate[@]}" rm -f "$policy"
  if [ "$status" -ne 0 ]; then
    tail -n 20 "$ascend_root/.tools/apt.log" >&2
    say "Installing packages failed; the whole log is in .tools/apt.log"
    return 1
  fi
}

# Node as an npm package: a plain archive without install scripts, works with any npm.
install_node() {
  local arch=x64
  [ "$(uname -m)" = aarch64 ] && arch=arm64
  local node_bin="$ascend_root/.tools/node_modules/node-linux-$arch/bin"
  if [ "$("$node_bin/node" --version 2>/dev/null)" != "v$node_version" ] || [ ! -e "$ascend_root/.tools/node_modules/npm" ]; then
    say "Fetching Node $node_version"
    printf '{"private":true}\n' >"$ascend_root/.tools/package.json"
    (cd "$ascend_root/.tools" && npm install --no-save --no-audit --no-fund --loglevel=error --force \
      "node-linux-$arch@$node_version" "npm@$npm_version" >&2)
  fi
  export PATH="$node_bin:$ascend_root/.tools/node_modules/.bin:$PATH"
}

install_modules() {
  local stamp="$ascend_root/node_modules/.ascend-lock"
  if ! cmp -s "$ascend_root/package-lock.json" "$stamp"; then
    say "Installing npm packages"
    (cd "$ascend_root" && npm ci --no-audit --no-fund --loglevel=error >&2)
    cp "$ascend_root/package-lock.json" "$stamp"
  fi
}

mkdir -p "$ascend_root/.tools"
install_packages
install_node
install_modules
