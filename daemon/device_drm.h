/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the DRM backend share: device_drm.c (jobs, recovery), device_drm_find.c
 * (which node it is, or why there is none), device_drm_query.c (what the device can do),
 * device_drm_memory.c (buffers) and device_drm_event.c (what the driver reports). Nobody else
 * includes this, but tests may.
 */
#pragma once

#include <pthread.h>

#include "daemon/device.h"
#include "proto/list.h"
#include "uapi/drm/zhouyi_accel.h"

/* Why there is no device, for people; static. */
struct drm_why {
	const char *text;
	const char *soft; /* the same, where the software NPU steps in */
};

/* How to get at what the backend opens: again each time it is reopened. Tests have their own. */
struct drm_source {
	/* A descriptor, non-blocking, or a negative errno and @ret_why. */
	int (*open_npu)(void *arg, const struct drm_why **ret_why);
	int (*open_udmabuf)(void *arg); /* likewise; without it memory is the driver's */
	void *arg;
};

/* The source of the system. */
extern const struct drm_source drm_system;

/* Open the NPU that @source has; it must outlive the device. */
int device_drm_create(struct device **ret, const struct drm_source *source,
		      const struct drm_why **ret_why);

/*
 * device_drm_find.c: the node of driver zhouyi, opened, among those of @dev (/dev/accel).
 * @sysfs is /sys.
 *   -ENODEV  there is none
 *   -ENOTSUP its interface is another one than ours
 *   -EBUSY, -EACCES and what else open() says
 */
int drm_find(const char *dev, const char *sysfs, const struct drm_why **ret_why);

/* A call of the driver that is not repeated but for signals: 0 or a negative errno. */
int drm_call(int fd, unsigned long request, void *args);

#define DRM_MAX_PARTITIONS 8

/* device_drm_query.c: what the device is. */
struct drm_info {
	struct drm_zhouyi_device_info device;
	uint64_t partition[DRM_MAX_PARTITIONS]; /* core masks */
	struct drm_zhouyi_asid_info window;
	uint64_t memory_bytes;
};

/* 0; -ENOTSUP if it is one that we cannot drive; or what the driver says. */
int drm_info_query(struct drm_info *ret, int fd, const struct drm_why **ret_why);
int drm_info_caps(const struct drm_info *info, struct device_caps *ret);
/* Whether programs made for the one run on the other. */
bool drm_info_equal(const struct drm_info *a, const struct drm_info *b);

/*
 * device_drm_memory.c: buffers.
 *
 * Their memory is ours, a memfd that the driver imports by way of /dev/udmabuf; so it stays,
 * with its mapping and content, whatever becomes of the device. Where that cannot be, because
 * the device needs memory in one piece or does not see the processor's caches, it is the
 * driver's, and kept by its dma-buf.
 */
struct drm_memory {
	pthread_mutex_t lock;
	struct list buffers; /* drm_buffer.link */
	int fd;		     /* of the device; -1: it is closed. Changed by the loop only */
	int udmabuf;	     /* -1: all memory is the driver's */
	uint64_t used;	     /* atomic */
};

struct drm_buffer {
	struct device_buffer base;
	struct list link; /* drm_memory.buffers */
	int dmabuf;	  /* owned; by it the buffer outlives the opening of the device */
	uint32_t handle;  /* in the present opening; 0: none */
	uint64_t job;	  /* the last one that named it; loop only */
};

static inline struct drm_buffer *drm_buffer_of(struct device_buffer *buffer)
{
	return list_entry(buffer, struct drm_buffer, base);
}

void drm_memory_init(struct drm_memory *memory);
void drm_memory_finish(struct drm_memory *memory); /* no buffer may be left */
uint64_t drm_memory_used(struct drm_memory *memory);

/* As device.h says; import also -EOPNOTSUPP if it must be the driver's memory. */
int drm_memory_create(struct drm_memory *memory, struct device *device, size_t size,
		      struct device_buffer **ret);
int drm_memory_import(struct drm_memory *memory, struct device *device, int fd, size_t size,
		      struct device_buffer **ret);
int drm_memory_export(struct device_buffer *buffer, int *ret_fd);
void drm_memory_destroy(struct drm_memory *memory, struct device_buffer *buffer);

/* The device has been opened as @fd, which becomes the memory's: give all buffers to it. */
int drm_memory_attach(struct drm_memory *memory, int fd);
/* Close the device. */
void drm_memory_detach(struct drm_memory *memory);

/*
 * device_drm_event.c: calls @job for each job that is over, and sets @ret_gone if the device
 * went. What is unknown is passed over; -EBADMSG: that cannot have been the driver.
 */
int drm_events_parse(const void *data, size_t size,
		     void (*job)(void *arg, const struct drm_zhouyi_event *event), void *arg,
		     bool *ret_gone);
/* In our terms. @cores: how many there are. */
void drm_event_translate(const struct drm_zhouyi_event *from, unsigned int cores,
			 struct device_event *ret);
