#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole stack on Debian's kernel, behind an IOMMU and without one: zhouyid --device drm, its clients,
# and what may happen to the device meanwhile.
. "$(dirname "$0")/common"
use_kernel stock
use_daemon
cc models/glyphs.tflite -o "$dir/glyphs.elf"
for iommu in ${IOMMU-1 0}; do
	guest "iommu=$iommu" 300 tests/kernel/runs/stack $modules "$kmd/zhouyi.ko" \
		"$kmd/sim/zhouyi_sim.ko:iommu=$iommu" $daemon "$dir/glyphs.elf:glyphs.elf" models/samples:samples
done
done_testing
