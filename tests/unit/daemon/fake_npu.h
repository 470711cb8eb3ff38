/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver in the place of the zhouyi driver: it answers ioctl() where libdrm calls it, and what
 * it has to say is read from a socket. There is one.
 */
#pragma once

#include "daemon/device_drm.h"

#define FAKE_BASE UINT64_C(0x100000000)
#define FAKE_HANDLES 64

struct fake_npu {
	struct drm_zhouyi_device_info info;
	struct drm_zhouyi_partition_info partition;
	struct drm_zhouyi_asid_info window;
	struct drm_zhouyi_zone_info zone;
	struct drm_source source;
	int open_error; /* what opening it is to say; 0: nothing */
	int peer;	/* the other end of the device; -1: it is not open */
	int npu;	/* the device's descriptor; its owner's */
	int udmabuf;	/* likewise */
	size_t udmabuf_limit;
	bool has_udmabuf;
	uint64_t next_address;
	uint32_t n_handles; /* of all openings; handle i has entry i */
	struct {
		uint64_t address, size;
		int memory; /* of what the driver made, else -1 */
		bool open;
	} handle[FAKE_HANDLES];
	int import_error;			    /* for each import */
	int submit_error, reset_error, abort_error; /* for the next call */
	unsigned int n_submits, n_resets, n_aborts, n_opens, n_syncobjs;
	struct drm_zhouyi_submit submit;   /* the last one, */
	struct drm_zhouyi_bo_use use[8];   /* its buffers, */
	struct drm_zhouyi_sync in[8], out; /* and fences */
};

extern struct fake_npu fake;

void fake_init(void);
void fake_finish(void); /* nothing may be left open */
/* Let the device say something. */
void fake_say(const void *data, size_t size);
void fake_say_over(uint64_t cookie, enum drm_zhouyi_result result);
/* How many handles are open. */
unsigned int fake_n_open(void);
