#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The driver's user-space interface, and its own unit tests, under KASAN, lockdep, UBSAN and friends.
. "$(dirname "$0")/common"
use_kernel kasan ZHOUYI_GCOV=y
append="kunit.enable=1" memory=1536
for iommu in 1 0; do
	guest "iommu=$iommu" 900 tests/kernel/runs/kasan_uapi $modules "$kmd/zhouyi.ko" \
		"$kmd/sim/zhouyi_sim.ko:iommu=$iommu" "$B/tests/kernel/uapi"
done
done_testing
