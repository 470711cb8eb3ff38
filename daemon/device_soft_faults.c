/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fault script does to the device as a whole: refused rungs of the ladder,
 * and being gone. What it does to a job is done where jobs run.
 */
#include <errno.h>

#include "daemon/device_soft.h"

void soft_faults_arm(struct soft_faults *faults, const struct fault_set *set, uint64_t now_ns)
{
	const uint32_t rungs =
		FAULT_BIT(ABORT_FAILS) | FAULT_BIT(SOFT_RESET_FAILS) | FAULT_BIT(RESET_FAILS);

	faults->armed |= set->faults & rungs;
	if (faults->reopen_busy < set->value[FAULT_REOPEN_BUSY])
		faults->reopen_busy = set->value[FAULT_REOPEN_BUSY];
	if (set->faults & FAULT_BIT(GONE)) {
		faults->gone = true;
		faults->back_ns = now_ns + set->value[FAULT_GONE] * 1000000u;
	}
}

int soft_faults_refuse(struct soft_faults *faults, enum fault_kind kind)
{
	if (faults->gone)
		return -ENODEV;
	if (!(faults->armed & 1u << kind))
		return 0;
	faults->armed &= ~(1u << kind);
	return -EIO;
}

int soft_faults_reopen(struct soft_faults *faults, uint64_t now_ns)
{
	if (faults->gone && now_ns < faults->back_ns)
		return -ENODEV;
	if (faults->reopen_busy) {
		faults->reopen_busy--;
		return -EBUSY;
	}
	faults->gone = false;
	return 0;
}
