/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "daemon/device_drm.h"
#include "proto/entry.h"

int drm_events_parse(const void *data, size_t size,
		     void (*job)(void *arg, const struct drm_zhouyi_event *event), void *arg,
		     bool *ret_gone)
{
	const uint8_t *at = data;
	struct drm_zhouyi_event event;

	while (size) {
		if (size < sizeof(event.base))
			return -EBADMSG;
		memcpy(&event.base, at, sizeof(event.base));
		if (event.base.length < sizeof(event.base) || event.base.length > size)
			return -EBADMSG;
		if (event.base.type == DRM_ZHOUYI_EVENT_JOB) {
			/* Events grow at their end only. */
			if (event.base.length < sizeof(event))
				return -EBADMSG;
			memcpy(&event, at, sizeof(event));
			job(arg, &event);
		} else if (event.base.type == DRM_ZHOUYI_EVENT_GONE) {
			*ret_gone = true;
		}
		at += event.base.length;
		size -= event.base.length;
	}
	return 0;
}

static void take_fault(const struct drm_zhouyi_event *from, uint32_t class,
		       struct device_event *ret)
{
	ret->result = DEVICE_FAULTED;
	ret->fault.class = class;
	ret->fault.code = from->fault_code;
	if (from->flags & DRM_ZHOUYI_EVENT_TCBP)
		ret->fault.tcbp = from->fault_tcbp;
	if (from->flags & DRM_ZHOUYI_EVENT_INSN)
		ret->fault.insn = from->fault_insn;
	if (from->flags & DRM_ZHOUYI_EVENT_ADDRESS)
		ret->fault.address = from->fault_address;
	if (from->flags & DRM_ZHOUYI_EVENT_UNIT) {
		ret->fault.core = (uint8_t)from->fault_core;
		ret->fault.tec = (uint8_t)from->fault_tec;
	}
}

void drm_event_translate(const struct drm_zhouyi_event *from, unsigned int cores,
			 struct device_event *ret)
{
	*ret = (struct device_event){
		.cookie = from->cookie,
		.run_ns = from->device_ns,
		.cores = from->cores & UINT64_MAX >> (64 - cores),
	};
	switch (from->result) {
	case DRM_ZHOUYI_RESULT_DONE:
		ret->result = DEVICE_DONE;
		break;
	case DRM_ZHOUYI_RESULT_EXCEPTION:
		take_fault(from, ZY_FAULT_EXCEPTION, ret);
		break;
	case DRM_ZHOUYI_RESULT_FAULT:
		take_fault(from, ZY_FAULT_MEMORY, ret);
		break;
	case DRM_ZHOUYI_RESULT_TIMEOUT:
		ret->result = DEVICE_OVERRAN;
		break;
	case DRM_ZHOUYI_RESULT_ABORTED:
		ret->result = DEVICE_ABORTED;
		break;
	case DRM_ZHOUYI_RESULT_LOST:
		ret->result = DEVICE_LOST;
		break;
	case DRM_ZHOUYI_RESULT_ERROR:
	default: /* a newer kernel's: some way to fail */
		take_fault(from, ZY_FAULT_ERROR, ret);
		break;
	}
}
