#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unplugging, unbinding, unloading and sleeping, under load, on Debian's kernel.
. "$(dirname "$0")/common"
use_kernel stock
append="suspend.pm_test_delay=1"
for iommu in 1 0; do
	guest "iommu=$iommu" 300 tests/kernel/runs/life $modules "$kmd/zhouyi.ko" \
		"$kmd/sim/zhouyi_sim.ko:iommu=$iommu" "$B/tests/kernel/life"
done
done_testing
