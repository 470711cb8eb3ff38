#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every allocation of every call fails once, under KASAN, lockdep and kmemleak.
. "$(dirname "$0")/common"
use_kernel kasan ZHOUYI_GCOV=y
memory=1536
guest "iommu=1" 900 tests/kernel/runs/kasan_nth $modules "$kmd/zhouyi.ko" "$kmd/sim/zhouyi_sim.ko:iommu=1" \
	"$B/tests/kernel/nth"
done_testing
