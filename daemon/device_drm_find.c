/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at sysfs before it opens anything: other drivers' devices are none of our business,
 * and ours can be opened once only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <xf86drm.h>

#include "daemon/device_drm.h"
#include "proto/scope.h"

#define DRIVER "zhouyi"
#define MAJOR 1

#define WHY(name, words)                                                                           \
	static const struct drm_why name = {words, words "; the software NPU takes its place"}

WHY(too_old, "the zhouyi driver needs Linux 6.12 or later, and this kernel is older");
WHY(no_accel, "there is no /dev/accel: no driver of an accelerator is loaded, or the kernel has "
	      "no CONFIG_DRM_ACCEL");
WHY(no_zhouyi, "no device in /dev/accel has the driver zhouyi: is the module loaded?");
WHY(busy, "another process has the NPU open");
WHY(denied,
    "no permission to open the NPU's node in /dev/accel: install the udev rule that gives it to "
    "the daemon's user, or add the daemon's user to the group it belongs to");
WHY(failed, "the NPU's node in /dev/accel cannot be opened");
WHY(version, "the zhouyi driver has another interface than this version knows");

int drm_call(int fd, unsigned long request, void *args)
{
	int r;

	/* drmIoctl() would repeat -EAGAIN, too, which to us is an answer. */
	do {
		r = ioctl(fd, request, args);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static bool kernel_is_too_old(void)
{
	struct utsname name;
	unsigned int major, minor;

	return uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 12));
}

static int is_node(const struct dirent *entry)
{
	unsigned int n;
	int end = 0;

	return sscanf(entry->d_name, "accel%u%n", &n, &end) == 1 && !entry->d_name[end];
}

/* Where sysfs does not say, it may be. */
static bool may_be_ours(const char *sysfs, const char *node)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *driver;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/class/accel/%s/device/driver", sysfs, node);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return true;
	target[n] = '\0';
	driver = strrchr(target, '/');
	return strcmp(driver ? driver + 1 : target, DRIVER) == 0;
}

/* -ENODEV: not one of ours. */
static int check_version(int fd)
{
	drmVersionPtr found = drmGetVersion(fd);
	int r = -ENODEV;

	if (!found)
		return r;
	if (strcmp(found->name, DRIVER) == 0)
		r = found->version_major == MAJOR ? 0 : -ENOTSUP;
	drmFreeVersion(found);
	return r;
}

static int open_node(const char *dev, const char *node)
{
	zy_auto(zy_close) int fd = -1;
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dev, node);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENXIO || errno == ENOENT ? -ENODEV : -errno;
	r = check_version(fd);
	return r < 0 ? r : zy_take_fd(fd);
}

static const struct drm_why *explain(int r)
{
	switch (r) {
	case -ENODEV:
		return kernel_is_too_old() ? &too_old : &no_zhouyi;
	case -EBUSY:
		return &busy;
	case -EACCES:
	case -EPERM:
		return &denied;
	case -ENOTSUP:
		return &version;
	default:
		return &failed;
	}
}

int drm_find(const char *dev, const char *sysfs, const struct drm_why **ret_why)
{
	struct dirent **nodes;
	int n = scandir(dev, &nodes, is_node, versionsort), fd = -ENODEV;

	if (n < 0) {
		*ret_why = kernel_is_too_old() ? &too_old : &no_accel;
		return -ENODEV;
	}
	for (int i = 0; i < n; i++) {
		int r = -ENODEV;

		if (fd < 0 && may_be_ours(sysfs, nodes[i]->d_name))
			r = open_node(dev, nodes[i]->d_name);
		/* The first failure tells most, unless a later one works. */
		if (r >= 0 || fd == -ENODEV)
			fd = fd >= 0 ? fd : r;
		free(nodes[i]);
	}
	free(nodes);
	if (fd < 0)
		*ret_why = explain(fd);
	return fd;
}

static int open_npu(void *arg, const struct drm_why **ret_why)
{
	(void)arg;
	return drm_find("/dev/accel", "/sys", ret_why);
}

static int open_udmabuf(void *arg)
{
	int fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	(void)arg;
	return fd < 0 ? -errno : fd;
}

const struct drm_source drm_system = {.open_npu = open_npu, .open_udmabuf = open_udmabuf};
