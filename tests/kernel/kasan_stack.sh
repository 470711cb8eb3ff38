#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole stack in short, under KASAN, lockdep and kmemleak: zhouyid --device drm and its clients.
. "$(dirname "$0")/common"
use_kernel kasan ZHOUYI_GCOV=y
use_daemon
memory=1536
guest "iommu=1" 900 tests/kernel/runs/kasan_stack $modules "$kmd/zhouyi.ko" "$kmd/sim/zhouyi_sim.ko:iommu=1" $daemon
done_testing
