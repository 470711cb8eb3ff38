#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unplugging, unbinding, unloading and sleeping, under load and under KASAN, lockdep and kmemleak.
. "$(dirname "$0")/common"
use_kernel kasan ZHOUYI_GCOV=y
append="suspend.pm_test_delay=1" memory=1536
guest "iommu=1" 900 tests/kernel/runs/kasan_life $modules "$kmd/zhouyi.ko" "$kmd/sim/zhouyi_sim.ko:iommu=1" \
	"$B/tests/kernel/life"
done_testing
