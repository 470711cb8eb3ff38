#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The driver's user-space interface on Debian's kernel: behind an IOMMU, and without one.
. "$(dirname "$0")/common"
use_kernel stock
for iommu in 1 0; do
	guest "iommu=$iommu" 200 tests/kernel/runs/uapi $modules "$kmd/zhouyi.ko" \
		"$kmd/sim/zhouyi_sim.ko:iommu=$iommu" "$B/tests/kernel/uapi"
done
done_testing
