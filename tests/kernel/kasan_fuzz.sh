#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The fuzzer finds nothing in the driver as it is, and each planted bug within a minute.
#
# FUZZ_SECONDS (60) for the driver as it is, FUZZ_SEED (1), PLANTS="a b" for some of the planted bugs only, or none.
. "$(dirname "$0")/common"
use_kernel kasan ZHOUYI_GCOV=y
memory=1536

# fuzz_items SECONDS DIRECTORY: what the guest needs, with the modules that are there
fuzz_items()
{
	printf 'FUZZ_SECONDS=%s\nFUZZ_SEED=%s\n' "$1" "${FUZZ_SEED:-1}" >"$dir/fuzz.conf"
	echo "$modules $2/zhouyi.ko $2/sim/zhouyi_sim.ko:iommu=1 $B/tests/kernel/fuzz $dir/fuzz.conf:etc/fuzz"
}

# One copy of the driver for all plants, so that for each only the file it is in has to be built.
tree=$dir/tree
mkdir "$tree"
cp -r Makefile LICENSES kmd npu uapi scripts tests "$tree"
plant() { patch -s "$@" -d "$tree" -p1 <"tests/kernel/plants/$plant.patch"; }
build_tree() { make --no-print-directory -C "$tree" B="$tree/build" KDIR="$kernel/build" kmd; }

# The kernel must complain: that is the find. It gets a minute of the guest's time, and its boot.
plant_is_found()
{
	plant || return 1
	build_tree >"$dir/$plant.log" 2>&1
	built=$?
	plant -R
	[ $built -eq 0 ] || { tail -n 20 "$dir/$plant.log"; return 1; }
	# shellcheck disable=SC2046
	tests/guest/initramfs "$dir/plant.initrd" tests/kernel/runs/fuzz $(fuzz_items 60 "$tree/build/kmd") || return 1
	tests/guest/boot -k "$kernel/bzImage" -i "$dir/plant.initrd" -o "$dir/$plant" -t 600 -m "$memory"
	[ $? -eq 3 ] || { cat "$dir/$plant/results"; return 1; }
	started=$(sed -n 's/^\[ *\([0-9]*\).*Run \/init.*/\1/p' "$dir/$plant/console" | head -1)
	splat=$(grep -aEm1 -f tests/guest/splats "$dir/$plant/console")
	echo "found $(($(echo "$splat" | sed -n 's/^\[ *\([0-9]*\).*/\1/p') - started)) s after boot: $splat"
}

# shellcheck disable=SC2046
guest "fuzzer" $((${FUZZ_SECONDS:-60} * 2 + 600)) tests/kernel/runs/fuzz $(fuzz_items "${FUZZ_SECONDS:-60}" "$kmd")
for plant in ${PLANTS-$(basename -s .patch -a tests/kernel/plants/*.patch)}; do
	ok "the fuzzer finds what is planted: $(head -n 1 "tests/kernel/plants/$plant.patch")" plant_is_found "$plant"
	grep '^found' "$dir/out" | sed 's/^/# /'
done
rm -rf "$tree"
done_testing
