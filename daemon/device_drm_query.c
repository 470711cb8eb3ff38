/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "daemon/device_drm.h"

#define JOBS_PER_CORE 2
#define MAX_CORES 64 /* bits of a core mask */
#define MAX_ZONES 8

static const struct drm_why unknown_hardware = {
	"the NPU is of a generation that this version cannot drive",
	"the NPU is of a generation that this version cannot drive; the software NPU takes its "
	"place",
};
static const struct drm_why silent = {
	"the NPU does not say what it is",
	"the NPU does not say what it is; the software NPU takes its place",
};

/* Returns how many elements of @size the driver has, of which @max at most are now at @ret. */
static int query_list(int fd, uint32_t type, void *ret, size_t size, size_t max)
{
	struct drm_zhouyi_query args = {
		.type = type,
		.size = (uint32_t)(size * max),
		.pointer = (uintptr_t)ret,
		.stride = (uint32_t)size,
	};
	int r;

	memset(ret, 0, size * max);
	r = drm_call(fd, DRM_IOCTL_ZHOUYI_QUERY, &args);
	return r < 0 ? r : (int)(args.size / size);
}

/* What the rest of the daemon may rely on. */
static bool is_sane(const struct drm_info *info, int n_partitions)
{
	const struct drm_zhouyi_device_info *device = &info->device;
	uint64_t cores = 0;

	if (n_partitions < 1 || n_partitions > DRM_MAX_PARTITIONS || device->clusters < 1 ||
	    device->cores < 1 || device->cores > MAX_CORES || device->tecs < 1 ||
	    device->max_jobs < 1 || device->max_bos < 1 || !info->window.size ||
	    device->placement > DRM_ZHOUYI_PLACEMENT_EXACT)
		return false;
	for (int i = 0; i < n_partitions; i++)
		cores |= info->partition[i];
	return cores == UINT64_MAX >> (64 - device->cores);
}

static int query_partitions(struct drm_info *info, int fd)
{
	struct drm_zhouyi_partition_info partition[DRM_MAX_PARTITIONS];
	int n = query_list(fd, DRM_ZHOUYI_QUERY_PARTITIONS, partition, sizeof(*partition),
			   DRM_MAX_PARTITIONS);

	for (int i = 0; i < n && i < DRM_MAX_PARTITIONS; i++)
		info->partition[i] = partition[i].core_mask;
	return n;
}

/* System memory, which there is no more of than the system has. */
static int query_memory(struct drm_info *info, int fd)
{
	struct drm_zhouyi_zone_info zone[MAX_ZONES];
	int n = query_list(fd, DRM_ZHOUYI_QUERY_ZONES, zone, sizeof(*zone), MAX_ZONES);
	struct sysinfo system;

	for (int i = 0; i < n && i < MAX_ZONES; i++)
		if (zone[i].zone == DRM_ZHOUYI_ZONE_SYSTEM)
			info->memory_bytes = zone[i].size;
	if (sysinfo(&system) == 0 && info->memory_bytes / system.mem_unit > system.totalram)
		info->memory_bytes = (uint64_t)system.totalram * system.mem_unit;
	return n;
}

int drm_info_query(struct drm_info *ret, int fd, const struct drm_why **ret_why)
{
	struct device_caps caps;
	int r, n = 0;

	*ret = (struct drm_info){0};
	r = query_list(fd, DRM_ZHOUYI_QUERY_DEVICE, &ret->device, sizeof(ret->device), 1);
	if (r >= 0)
		r = n = query_partitions(ret, fd);
	if (r >= 0)
		r = query_list(fd, DRM_ZHOUYI_QUERY_ASIDS, &ret->window, sizeof(ret->window), 1);
	if (r >= 0)
		r = query_memory(ret, fd);
	if (r >= 0 && !is_sane(ret, n))
		r = -EIO;
	*ret_why = &silent;
	if (r < 0)
		return r;
	*ret_why = &unknown_hardware;
	return drm_info_caps(ret, &caps);
}

/* The name that programs for it are made with. */
static int find_target(const struct drm_zhouyi_device_info *device, struct graph_target *ret)
{
	static const char *const hardware[] = {[5] = "X2"};
	char name[32];

	if (device->generation != DRM_ZHOUYI_V3 ||
	    device->version >= sizeof(hardware) / sizeof(*hardware) || !hardware[device->version])
		return -ENOTSUP;
	snprintf(name, sizeof(name), "%s%s_%u", device->arch == DRM_ZHOUYI_ARCH_SOFT ? "soft_" : "",
		 hardware[device->version], device->config);
	return graph_target_find(ret, name) && ret->architecture == device->arch ? 0 : -ENOTSUP;
}

int drm_info_caps(const struct drm_info *info, struct device_caps *ret)
{
	static const enum device_placement placements[] = {
		[DRM_ZHOUYI_PLACEMENT_NONE] = DEVICE_PLACEMENT_NONE,
		[DRM_ZHOUYI_PLACEMENT_ONE] = DEVICE_PLACEMENT_ONE,
		[DRM_ZHOUYI_PLACEMENT_EXACT] = DEVICE_PLACEMENT_EXACT,
	};
	const struct drm_zhouyi_device_info *device = &info->device;
	unsigned int depth = device->cores * JOBS_PER_CORE;

	*ret = (struct device_caps){
		.backend = "drm",
		.partitions = device->partitions,
		.clusters = device->clusters,
		.cores = device->cores,
		.tecs = device->tecs,
		.placement = placements[device->placement],
		.asid0_base = info->window.base,
		.window_size = info->window.size,
		.memory_bytes = info->memory_bytes,
		.tail_bytes = device->tail_bytes,
		.depth = depth < device->max_jobs ? depth : device->max_jobs,
		.stop_ns = UINT64_MAX, /* the driver makes no promise */
		.fences = true,
	};
	return find_target(device, &ret->target);
}

bool drm_info_equal(const struct drm_info *a, const struct drm_info *b)
{
	struct drm_info x = *a, y = *b;

	/* How long jobs may run, and how much memory there is, may change. */
	x.device.job_timeout_ms = y.device.job_timeout_ms = 0;
	x.memory_bytes = y.memory_bytes = 0;
	return memcmp(&x, &y, sizeof(x)) == 0;
}
