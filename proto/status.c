/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/status.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name, *text;
} statuses[ZY_STATUS_MAX_] = {
	[ZY_OK] = {"ok", "success"},
	[ZY_INVALID] = {"invalid", "an argument makes no sense"},
	[ZY_NOT_FOUND] = {"not-found", "no such model, buffer, binding or request"},
	[ZY_EXISTS] = {"exists", "the name is taken by another model"},
	[ZY_DENIED] = {"denied", "not allowed"},
	[ZY_LIMIT] = {"limit", "a limit of this client is reached"},
	[ZY_NO_MEMORY] = {"no-memory", "out of memory"},
	[ZY_NO_DEVICE_MEMORY] = {"no-device-memory", "the device is out of memory"},
	[ZY_BUSY] = {"busy", "in use or too much on its way, try again later"},
	[ZY_BAD_MODEL] = {"bad-model", "not a valid model"},
	[ZY_WRONG_TARGET] = {"wrong-target", "the model was built for another device"},
	[ZY_NOT_SUPPORTED] = {"not-supported", "not supported"},
	[ZY_BAD_BUFFER] = {"bad-buffer", "a tensor does not fit the buffer range given for it"},
	[ZY_DEVICE_FAULT] = {"device-fault", "the job faulted on the device"},
	[ZY_DEVICE_TIMEOUT] = {"device-timeout", "the job ran longer on the device than it may"},
	[ZY_DEVICE_GONE] = {"device-gone", "the device is gone"},
	[ZY_CANCELLED] = {"cancelled", "the request was cancelled"},
	[ZY_DEADLINE_REFUSED] = {"deadline-refused", "the deadline cannot be met"},
	[ZY_DEADLINE_EXPIRED] = {"deadline-expired", "the deadline passed in the queue"},
	[ZY_TIMEOUT] = {"timeout", "the request's timeout passed"},
	[ZY_SHUTTING_DOWN] = {"shutting-down", "the daemon is stopping"},
	[ZY_PROTOCOL] = {"protocol", "daemon and client library misunderstand each other"},
	[ZY_INTERNAL] = {"internal", "the daemon failed, its log says more"},
	[ZY_DISCONNECTED] = {"disconnected", "no connection to the daemon"},
	[ZY_VERSION] = {"version", "daemon and client library have no protocol version in common"},
	[ZY_FORKED] = {"forked", "this client belongs to the parent process"},
	[ZY_IO] = {"io", "a file could not be read"},
	[ZY_QUARANTINED] = {"quarantined",
			    "refused for a while: this client's requests of this model "
			    "made the device hang"},
	[ZY_DROPPED] = {"dropped", "a newer frame of its stream took its place"},
	[ZY_OVERRUN] = {"overrun", "it ran longer than its reservation allows, and was stopped"},
	[ZY_NO_ROOM] = {"no-room", "the reservations that there are leave no room for it"},
};

static const struct {
	int error;
	enum zy_status status;
} errnos[] = {
	{EINVAL, ZY_INVALID},
	{EDOM, ZY_INVALID},
	{ERANGE, ZY_INVALID},
	{ENAMETOOLONG, ZY_INVALID},
	{EOVERFLOW, ZY_INVALID},
	{EBADF, ZY_INVALID},
	{ENOENT, ZY_NOT_FOUND},
	{ESRCH, ZY_NOT_FOUND},
	{EEXIST, ZY_EXISTS},
	{EACCES, ZY_DENIED},
	{EPERM, ZY_DENIED},
	{EDQUOT, ZY_LIMIT},
	{EMFILE, ZY_LIMIT},
	{ENFILE, ZY_LIMIT},
	{ETOOMANYREFS, ZY_LIMIT},
	{ENOMEM, ZY_NO_MEMORY},
	{ENOBUFS, ZY_NO_MEMORY},
	{ENOSPC, ZY_NO_DEVICE_MEMORY},
	{EBUSY, ZY_BUSY},
	{EAGAIN, ZY_BUSY},
	{EBADMSG, ZY_BAD_MODEL},
	{ENOEXEC, ZY_BAD_MODEL},
	{EFBIG, ZY_BAD_MODEL},
	{EXDEV, ZY_WRONG_TARGET},
	{ENOTSUP, ZY_NOT_SUPPORTED},
	{ENOSYS, ZY_NOT_SUPPORTED},
	{EFAULT, ZY_BAD_BUFFER},
	{EREMOTEIO, ZY_DEVICE_FAULT},
	{ETIMEDOUT, ZY_DEVICE_TIMEOUT},
	{ENODEV, ZY_DEVICE_GONE},
	{ENXIO, ZY_DEVICE_GONE},
	{ECANCELED, ZY_CANCELLED},
	{ETIME, ZY_DEADLINE_REFUSED},
	{ESHUTDOWN, ZY_SHUTTING_DOWN},
	{EPROTO, ZY_PROTOCOL},
	{EPIPE, ZY_DISCONNECTED},
	{ECONNRESET, ZY_DISCONNECTED},
	{ENOTCONN, ZY_DISCONNECTED},
	{EPROTONOSUPPORT, ZY_VERSION},
	{EIO, ZY_INTERNAL},
	{EKEYREJECTED, ZY_QUARANTINED},
};

static const char *const waits[ZY_WAIT_MAX_] = {
	[ZY_WAIT_NONE] = "none",	 [ZY_WAIT_OWN] = "own",
	[ZY_WAIT_RUNNING] = "running",	 [ZY_WAIT_URGENT] = "urgent",
	[ZY_WAIT_DEADLINE] = "deadline", [ZY_WAIT_SHARE] = "share",
	[ZY_WAIT_FLOOR] = "floor",	 [ZY_WAIT_RESERVATION] = "reservation",
	[ZY_WAIT_THROTTLE] = "throttle", [ZY_WAIT_GATE] = "gate",
	[ZY_WAIT_CORES] = "cores",	 [ZY_WAIT_RECOVERY] = "recovery",
};

static const char *const classes[ZY_CLASS_MAX_] = {
	[ZY_CLASS_REALTIME] = "realtime",
	[ZY_CLASS_INTERACTIVE] = "interactive",
	[ZY_CLASS_NORMAL] = "normal",
	[ZY_CLASS_BACKGROUND] = "background",
};

const char *zy_status_name(int status)
{
	if (status < 0 || status >= ZY_STATUS_MAX_)
		return "unknown";
	return statuses[status].name;
}

const char *zy_status_text(int status)
{
	if (status < 0 || status >= ZY_STATUS_MAX_)
		return "unknown";
	return statuses[status].text;
}

int zy_status_find(const char *name)
{
	for (int i = 0; i < ZY_STATUS_MAX_; i++)
		if (strcmp(statuses[i].name, name) == 0)
			return i;
	return -EINVAL;
}

enum zy_status zy_status_from_errno(int r)
{
	if (r >= 0)
		return ZY_OK;
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (errnos[i].error == -r)
			return errnos[i].status;
	return ZY_INTERNAL;
}

const char *zy_class_name(unsigned int class)
{
	return class < ZY_CLASS_MAX_ ? classes[class] : "unknown";
}

int zy_class_find(const char *name)
{
	for (int i = 0; i < ZY_CLASS_MAX_; i++)
		if (strcmp(classes[i], name) == 0)
			return i;
	return -EINVAL;
}

const char *zy_wait_name(unsigned int wait)
{
	return wait < ZY_WAIT_MAX_ ? waits[wait] : "unknown";
}
