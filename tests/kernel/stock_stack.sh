#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole stack on Debian's kernel, behind an IOMMU and without one: zhouyid --device drm, its clients,
# and what may happen to the device meanwhile.
. "$(dirname "$0")/common"
use_kernel stock
cc() { "$B/zhouyi-cc" "$@" || bail_out "a model cannot be compiled"; }
cc models/glyphs.tflite -o "$dir/glyphs.elf"
cc --test-program copy --size 65536 -o "$dir/copy.elf"
cc --test-program 'delay 2000; copy' --size 1024 -o "$dir/copy1k.elf"
cc --test-program hang --size 64 -o "$dir/hang.elf"
head -c 64 /dev/urandom >"$dir/input64"
for iommu in ${IOMMU-1 0}; do
	guest "iommu=$iommu" 300 tests/kernel/runs/stack $modules "$kmd/zhouyi.ko" \
		"$kmd/sim/zhouyi_sim.ko:iommu=$iommu" "$B/zhouyid" "$B/zhouyi-cli" "$B/tests/e2e/clients" \
		"$dir/glyphs.elf:glyphs.elf" "$dir/copy.elf:copy.elf" "$dir/copy1k.elf:copy1k.elf" \
		"$dir/hang.elf:hang.elf" "$dir/input64:input64" models/samples:samples
done
done_testing
