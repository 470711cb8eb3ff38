/* SPDX-License-Identifier: MIT */
/*
 * User-space interface of the zhouyi driver: Arm China Zhouyi neural processing
 * units as /dev/accel/accel<N>.
 *
 * The life of a job
 *
 *	1. DRM_IOCTL_ZHOUYI_QUERY says what the device is.
 *	2. DRM_IOCTL_ZHOUYI_BO_CREATE makes memory the device can reach and says at which
 *	   device address; buffers of others come in with the PRIME ioctls, their address
 *	   with DRM_IOCTL_ZHOUYI_BO_INFO. Addresses never change: command memory refers to them.
 *	3. User space writes a chain of task control blocks (TCBs) into one of the buffers.
 *	4. DRM_IOCTL_ZHOUYI_SUBMIT hands it over, with what to wait for, what to signal,
 *	   and the buffers that have to stay.
 *	5. The end of each job is told exactly once, by a struct drm_zhouyi_event that is
 *	   read() from the device, and by its fences.
 *
 * Ownership and isolation
 *
 *	The device reads addresses from memory that user space writes, all jobs share one
 *	address space, and commands cannot be validated. So there is one owner at a time:
 *	a second open() fails with EBUSY until the first is closed. The owner is trusted with
 *	all memory the device can reach. It is meant to be a service that builds commands on
 *	behalf of its clients.
 *
 * Conventions
 *
 *	Structs have no implicit padding and the same layout for 32 and 64 bits. Unknown
 *	flags and non-zero padding are refused with EINVAL. Structs grow at their end; what
 *	an older caller does not pass is 0, what an older kernel does not know has to be 0.
 *	Every array comes with the size of its elements. Pointers are __u64. Absolute times are
 *	CLOCK_MONOTONIC in nanoseconds.
 *
 *	ENODEV means that the device is gone for good (unplugged). Mappings of buffers stay, but
 *	what is in them is only kept with DRM_ZHOUYI_DEVICE_IOMMU. EIO means that the device is
 *	there and does not recover; DRM_IOCTL_ZHOUYI_RESET may help.
 */
#ifndef _UAPI_ZHOUYI_ACCEL_H_
#define _UAPI_ZHOUYI_ACCEL_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_ZHOUYI_QUERY		0x00
#define DRM_ZHOUYI_BO_CREATE		0x01
#define DRM_ZHOUYI_BO_MMAP_OFFSET	0x02
#define DRM_ZHOUYI_BO_INFO		0x03
#define DRM_ZHOUYI_BO_WAIT		0x04
#define DRM_ZHOUYI_SUBMIT		0x05
#define DRM_ZHOUYI_ABORT		0x06
#define DRM_ZHOUYI_RESET		0x07

/**
 * enum drm_zhouyi_query_type - What DRM_IOCTL_ZHOUYI_QUERY can be asked.
 */
enum drm_zhouyi_query_type {
	/** @DRM_ZHOUYI_QUERY_DEVICE: One struct drm_zhouyi_device_info. */
	DRM_ZHOUYI_QUERY_DEVICE = 0,

	/** @DRM_ZHOUYI_QUERY_PARTITIONS: A struct drm_zhouyi_partition_info for each partition. */
	DRM_ZHOUYI_QUERY_PARTITIONS = 1,

	/** @DRM_ZHOUYI_QUERY_ASIDS: A struct drm_zhouyi_asid_info for each address window. */
	DRM_ZHOUYI_QUERY_ASIDS = 2,

	/** @DRM_ZHOUYI_QUERY_ZONES: A struct drm_zhouyi_zone_info for each zone there is. */
	DRM_ZHOUYI_QUERY_ZONES = 3,

	/** @DRM_ZHOUYI_QUERY_STATS: One struct drm_zhouyi_stats_info. */
	DRM_ZHOUYI_QUERY_STATS = 4,
};

/**
 * struct drm_zhouyi_query - Arguments of DRM_IOCTL_ZHOUYI_QUERY.
 *
 * With @pointer 0, only @size is returned. Otherwise as much as fits is copied to
 * @pointer; what an older kernel does not know is filled with zeros, up to a page.
 *
 * For arrays, @stride is the size of an element: the caller's going in, the kernel's
 * coming back; 0 stands for the kernel's. Elements are truncated or extended with zeros.
 */
struct drm_zhouyi_query {
	/** @type: in: enum drm_zhouyi_query_type */
	__u32 type;
	/** @size: in: bytes at @pointer; out: bytes of the whole answer */
	__u32 size;
	/** @pointer: in: where to copy to, or 0 */
	__u64 pointer;
	/** @stride: in: bytes of an element; out: the kernel's. Only for lists */
	__u32 stride;
	/** @pad: MBZ */
	__u32 pad;
};

/**
 * enum drm_zhouyi_generation - How a device is programmed; decides what a job is.
 */
enum drm_zhouyi_generation {
	/** @DRM_ZHOUYI_V1: Z1 */
	DRM_ZHOUYI_V1 = 1,
	/** @DRM_ZHOUYI_V2: Z2, Z3, X1 */
	DRM_ZHOUYI_V2 = 2,
	/** @DRM_ZHOUYI_V3: X2: linked chains of TCBs in command pools */
	DRM_ZHOUYI_V3 = 3,
	/** @DRM_ZHOUYI_V3_2: X3P, X3S: arrays of TCBs in one command pool */
	DRM_ZHOUYI_V3_2 = 4,
};

/* Architectures: whose instructions a device executes. */
#define DRM_ZHOUYI_ARCH_ZHOUYI	0x00
#define DRM_ZHOUYI_ARCH_SOFT	0x53	/* the simulated device: an instruction set of its own */

/**
 * enum drm_zhouyi_placement - Which core masks the device honours.
 */
enum drm_zhouyi_placement {
	/** @DRM_ZHOUYI_PLACEMENT_NONE: None: jobs run on any cores, whatever the mask says. */
	DRM_ZHOUYI_PLACEMENT_NONE = 0,

	/** @DRM_ZHOUYI_PLACEMENT_ONE: Those of one core, and of all cores of a partition. */
	DRM_ZHOUYI_PLACEMENT_ONE = 1,

	/**
	 * @DRM_ZHOUYI_PLACEMENT_EXACT: Any: a job never runs on a core that is not in its mask.
	 * Only with all cores of a partition in its mask it may run on several of them at once.
	 */
	DRM_ZHOUYI_PLACEMENT_EXACT = 2,
};

/**
 * struct drm_zhouyi_device_info - What the device is. Fixed while it is open.
 */
struct drm_zhouyi_device_info {
	/** @generation: enum drm_zhouyi_generation */
	__u32 generation;
	/** @arch: DRM_ZHOUYI_ARCH_* */
	__u32 arch;
	/** @version: the vendor's number of the hardware version: 5 is X2 */
	__u32 version;
	/** @config: the configuration number programs are built for: 1204 */
	__u32 config;
	/** @revision: the revision register */
	__u32 revision;
	/** @partitions: groups of clusters, each scheduled for itself */
	__u32 partitions;
	/** @clusters: in all */
	__u32 clusters;
	/** @cores: in all; core i is bit i of core masks */
	__u32 cores;
	/** @tecs: engines of a core */
	__u32 tecs;
	/** @placement: enum drm_zhouyi_placement */
	__u32 placement;
	/** @asids: address windows */
	__u32 asids;
	/** @zones: kinds of memory */
	__u32 zones;
	/** @tail_bytes: readable bytes the device wants behind everything it reads */
	__u32 tail_bytes;
	/** @max_jobs: jobs on their way at once, unread events included */
	__u32 max_jobs;
	/** @max_bos: buffers of one job */
	__u32 max_bos;
	/** @priorities: valid priorities are smaller */
	__u32 priorities;
	/** @job_timeout_ms: the longest a job may run */
	__u32 job_timeout_ms;
	/** @flags: DRM_ZHOUYI_DEVICE_* */
	__u32 flags;
#define DRM_ZHOUYI_DEVICE_IOMMU		0x1 /* scattered memory is contiguous for the device */
#define DRM_ZHOUYI_DEVICE_COHERENT	0x2 /* the device sees what is in caches */
};

/**
 * struct drm_zhouyi_partition_info - A part of the device that jobs are submitted to.
 */
struct drm_zhouyi_partition_info {
	/** @core_mask: its cores */
	__u64 core_mask;
	/** @clusters: its clusters */
	__u32 clusters;
	/** @gm_bytes: global memory of each cluster */
	__u32 gm_bytes;
};

/**
 * struct drm_zhouyi_asid_info - A window of the address space as programs see it.
 *
 * A program's 32-bit address a in window i is device address @base + a, with a
 * smaller than @size. Windows with @size 0 are not available.
 */
struct drm_zhouyi_asid_info {
	/** @base: device address */
	__u64 base;
	/** @size: bytes */
	__u64 size;
};

/**
 * enum drm_zhouyi_zone - Kinds of memory.
 */
enum drm_zhouyi_zone {
	/** @DRM_ZHOUYI_ZONE_SYSTEM: System memory; always there. */
	DRM_ZHOUYI_ZONE_SYSTEM = 0,
	/** @DRM_ZHOUYI_ZONE_SRAM: Static memory of the system on chip. */
	DRM_ZHOUYI_ZONE_SRAM = 1,
	/** @DRM_ZHOUYI_ZONE_DTCM: Tightly coupled memory (X1). */
	DRM_ZHOUYI_ZONE_DTCM = 2,
};

/**
 * struct drm_zhouyi_zone_info - How much there is of a kind of memory.
 */
struct drm_zhouyi_zone_info {
	/** @zone: enum drm_zhouyi_zone */
	__u32 zone;
	/** @pad: 0 */
	__u32 pad;
	/** @size: bytes in all; for system memory an upper bound: what the windows can hold */
	__u64 size;
	/** @used: bytes in use, imported buffers included */
	__u64 used;
};

/**
 * struct drm_zhouyi_stats_info - What happened since the device appeared.
 */
struct drm_zhouyi_stats_info {
	/** @jobs_done: ended with DRM_ZHOUYI_RESULT_DONE */
	__u64 jobs_done;
	/** @jobs_failed: ended in any other way */
	__u64 jobs_failed;
	/** @jobs_restarted: times that a job was run again; see DRM_ZHOUYI_SUBMIT_RESTARTABLE */
	__u64 jobs_restarted;
	/** @timeouts: jobs that ran out of time */
	__u64 timeouts;
	/** @aborts: times that a partition was stopped to get rid of jobs */
	__u64 aborts;
	/** @soft_resets: soft resets, apart from those when the device is powered up */
	__u64 soft_resets;
	/** @full_resets: full resets */
	__u64 full_resets;
	/** @lost_interrupts: jobs found finished without an interrupt having said so */
	__u64 lost_interrupts;
	/** @stray_interrupts: reports that belonged to no job */
	__u64 stray_interrupts;
};

/**
 * struct drm_zhouyi_bo_create - Arguments of DRM_IOCTL_ZHOUYI_BO_CREATE.
 *
 * The memory is zeroed and stays at one device address until it is freed with
 * DRM_IOCTL_GEM_CLOSE and no job uses it any more. The address is never 0 and the
 * buffer lies in the window of @asid as a whole.
 *
 * Of the zones in @placement the first in the order of enum drm_zhouyi_zone, system
 * memory last, is taken that has room.
 *
 * EINVAL: bad arguments. ENOSPC: no zone has room. ENOMEM: the kernel is out of memory.
 */
struct drm_zhouyi_bo_create {
	/** @size: in: bytes, not 0; out: rounded up to pages */
	__u64 size;
	/** @placement: in: mask of 1 << enum drm_zhouyi_zone, 0 is system memory */
	__u32 placement;
	/** @asid: in: window it has to be reachable through */
	__u32 asid;
	/** @flags: in: MBZ */
	__u32 flags;
	/** @handle: out: GEM handle */
	__u32 handle;
	/** @address: out: device address */
	__u64 address;
	/** @zone: out: enum drm_zhouyi_zone: where it is */
	__u32 zone;
	/** @pad: MBZ */
	__u32 pad;
};

/**
 * struct drm_zhouyi_bo_mmap_offset - Arguments of DRM_IOCTL_ZHOUYI_BO_MMAP_OFFSET.
 *
 * Imported buffers are mapped through their own descriptor: EINVAL here.
 */
struct drm_zhouyi_bo_mmap_offset {
	/** @handle: in: GEM handle */
	__u32 handle;
	/** @pad: MBZ */
	__u32 pad;
	/** @offset: out: for mmap() of the device */
	__u64 offset;
};

/**
 * struct drm_zhouyi_bo_info - Arguments of DRM_IOCTL_ZHOUYI_BO_INFO.
 */
struct drm_zhouyi_bo_info {
	/** @handle: in: GEM handle */
	__u32 handle;
	/** @flags: out: DRM_ZHOUYI_BO_* */
	__u32 flags;
#define DRM_ZHOUYI_BO_IMPORTED		0x1
	/** @size: out: bytes */
	__u64 size;
	/** @address: out: device address */
	__u64 address;
	/** @zone: out: enum drm_zhouyi_zone */
	__u32 zone;
	/** @pad: MBZ */
	__u32 pad;
};

/**
 * struct drm_zhouyi_bo_wait - Arguments of DRM_IOCTL_ZHOUYI_BO_WAIT.
 *
 * Waits until no job uses the buffer. ETIMEDOUT: @timeout_ns has come; a time that
 * has passed asks without waiting.
 */
struct drm_zhouyi_bo_wait {
	/** @handle: in: GEM handle */
	__u32 handle;
	/** @pad: MBZ */
	__u32 pad;
	/** @timeout_ns: in: absolute time, CLOCK_MONOTONIC */
	__s64 timeout_ns;
};

/**
 * struct drm_zhouyi_sync - A fence to wait for, or to provide.
 */
struct drm_zhouyi_sync {
	/** @handle: syncobj */
	__u32 handle;
	/** @flags: DRM_ZHOUYI_SYNC_* */
	__u32 flags;
#define DRM_ZHOUYI_SYNC_TIMELINE	0x1 /* @point is a point of a timeline */
	/** @point: MBZ without DRM_ZHOUYI_SYNC_TIMELINE, not 0 with it */
	__u64 point;
};

/**
 * struct drm_zhouyi_bo_use - A buffer of a job.
 *
 * With neither flag the buffer only stays where it is until the job is over. The flags
 * are for buffers shared with other devices that synchronize implicitly.
 */
struct drm_zhouyi_bo_use {
	/** @handle: GEM handle */
	__u32 handle;
	/** @flags: DRM_ZHOUYI_BO_USE_* */
	__u32 flags;
#define DRM_ZHOUYI_BO_USE_SYNC_READ	0x1 /* wait for writers, be waited for by writers */
#define DRM_ZHOUYI_BO_USE_SYNC_WRITE	0x2 /* wait for everybody, be waited for by everybody */
};

/* Priorities of jobs. Jobs of equal priority and core start in the order of submission. */
#define DRM_ZHOUYI_PRIORITY_LOW		0
#define DRM_ZHOUYI_PRIORITY_NORMAL	1
#define DRM_ZHOUYI_PRIORITY_HIGH	2
#define DRM_ZHOUYI_PRIORITY_REALTIME	3

/**
 * struct drm_zhouyi_submit - Arguments of DRM_IOCTL_ZHOUYI_SUBMIT.
 *
 * Submit a chain of TCBs (generation v3). @head, @first_task and @last_task are device
 * addresses of TCBs, multiples of 128, in one buffer of @bos, and so are all @tcb_count
 * TCBs from @head on. The job is over when the last task is, which has to report that at core
 * level if there is one group, and otherwise at cluster level, with grid end. A chain must not
 * be submitted again before it is over, and must not change until then.
 *
 * A chain of one group runs on one core of @core_mask. One of several groups runs on
 * several cores at once if its mask has all cores of the partition, and then nothing
 * else runs in the partition; otherwise it runs on one. Of several cores the one with
 * the fewest jobs is taken, when the job is submitted.
 *
 * Jobs of the same core and priority start in order, so a job that waits for its fences holds
 * back those behind it.
 *
 * Every job, also one that fails, is told by an event and signals its fences, in this order; a
 * failed job's fences carry an error. Room for the event is set aside here:
 *
 * EAGAIN: as many jobs as @drm_zhouyi_device_info.max_jobs are on their way, or their
 * events have not been read. EEXIST: a job with this cookie is on its way. EINVAL: bad arguments.
 * ENOENT: no such buffer or syncobj. EIO: the device does not recover. ENODEV: it is gone.
 * On failure nothing has happened.
 */
struct drm_zhouyi_submit {
	/** @cookie: in: comes back in the event; names the job until then */
	__u64 cookie;
	/** @head: in: device address of the first TCB */
	__u64 head;
	/** @first_task: in: of the first task TCB */
	__u64 first_task;
	/** @last_task: in: of the last task TCB */
	__u64 last_task;
	/** @core_mask: in: cores it may run on, not 0; all in @partition */
	__u64 core_mask;
	/** @in_syncs: in: array of struct drm_zhouyi_sync to wait for */
	__u64 in_syncs;
	/** @out_syncs: in: array of struct drm_zhouyi_sync to signal */
	__u64 out_syncs;
	/** @bos: in: array of struct drm_zhouyi_bo_use, at least the one with the chain */
	__u64 bos;
	/** @in_sync_count: in: elements of @in_syncs */
	__u32 in_sync_count;
	/** @out_sync_count: in: elements of @out_syncs */
	__u32 out_sync_count;
	/** @sync_stride: in: bytes of an element of @in_syncs and @out_syncs, a multiple of 8 */
	__u32 sync_stride;
	/** @bo_count: in: elements of @bos */
	__u32 bo_count;
	/** @bo_stride: in: bytes of an element of @bos, a multiple of 8 */
	__u32 bo_stride;
	/** @tcb_count: in: TCBs in all */
	__u32 tcb_count;
	/** @group_count: in: groups in all */
	__u32 group_count;
	/** @partition: in: index */
	__u32 partition;
	/** @priority: in: DRM_ZHOUYI_PRIORITY_*; REALTIME and HIGH use the device's fast queue */
	__u32 priority;
	/** @timeout_ms: in: how long it may run; 0: as long as any */
	__u32 timeout_ms;
	/** @flags: in: DRM_ZHOUYI_SUBMIT_* */
	__u32 flags;
	/*
	 * The job may be run again from its beginning. When the device has to be stopped
	 * because of another job, this one then is; otherwise it ends as aborted. It must not
	 * depend on anything that it changes: inputs stay, and the chain works a second time.
	 */
#define DRM_ZHOUYI_SUBMIT_RESTARTABLE	0x1
	/** @pad: MBZ */
	__u32 pad;
};

/**
 * struct drm_zhouyi_abort - Arguments of DRM_IOCTL_ZHOUYI_ABORT.
 *
 * Get rid of a job. A job that has not started never will. One that runs is stopped;
 * as the hardware can only stop a whole partition, others that run are restarted, or
 * aborted, too. The job's event says DRM_ZHOUYI_RESULT_ABORTED, or, if the abort came too
 * late, what became of it. Does not wait for it.
 *
 * ENOENT: no such job, or it is over.
 */
struct drm_zhouyi_abort {
	/** @cookie: in: of the job */
	__u64 cookie;
	/** @flags: in: MBZ */
	__u32 flags;
	/** @pad: MBZ */
	__u32 pad;
};

/**
 * enum drm_zhouyi_reset_kind - How much to reset.
 */
enum drm_zhouyi_reset_kind {
	/** @DRM_ZHOUYI_RESET_SOFT: By the device's own reset register. */
	DRM_ZHOUYI_RESET_SOFT = 0,
	/** @DRM_ZHOUYI_RESET_FULL: By its reset line, where it has one, and power. */
	DRM_ZHOUYI_RESET_FULL = 1,
};

/**
 * struct drm_zhouyi_reset - Arguments of DRM_IOCTL_ZHOUYI_RESET.
 *
 * Aborts all jobs and resets the device; waits until that is done. All events can be read
 * then. EIO: the device does not recover, and all jobs end as lost until a reset succeeds.
 */
struct drm_zhouyi_reset {
	/** @kind: in: enum drm_zhouyi_reset_kind */
	__u32 kind;
	/** @flags: in: MBZ */
	__u32 flags;
};

/* Types of events, struct drm_event.type. */
#define DRM_ZHOUYI_EVENT_JOB	0x80000000	/* struct drm_zhouyi_event: a job is over */
#define DRM_ZHOUYI_EVENT_GONE	0x80000001	/* only a header: unplugged; the last event */

/**
 * enum drm_zhouyi_result - How a job ended. In brackets the error of its fences.
 */
enum drm_zhouyi_result {
	/** @DRM_ZHOUYI_RESULT_DONE: It has run [0]. */
	DRM_ZHOUYI_RESULT_DONE = 0,
	/** @DRM_ZHOUYI_RESULT_EXCEPTION: Its program did something illegal [-EINVAL]. */
	DRM_ZHOUYI_RESULT_EXCEPTION = 1,
	/** @DRM_ZHOUYI_RESULT_FAULT: An access to memory that failed [-EFAULT]. */
	DRM_ZHOUYI_RESULT_FAULT = 2,
	/** @DRM_ZHOUYI_RESULT_ERROR: The device reported an error of its own [-EIO]. */
	DRM_ZHOUYI_RESULT_ERROR = 3,
	/** @DRM_ZHOUYI_RESULT_TIMEOUT: It ran out of time [-ETIME]. */
	DRM_ZHOUYI_RESULT_TIMEOUT = 4,
	/** @DRM_ZHOUYI_RESULT_ABORTED: It was stopped, or never ran [-ECANCELED]. */
	DRM_ZHOUYI_RESULT_ABORTED = 5,
	/** @DRM_ZHOUYI_RESULT_LOST: The device is gone or does not recover [-ENODEV]. */
	DRM_ZHOUYI_RESULT_LOST = 6,
};

/**
 * struct drm_zhouyi_event - A job is over: the device does not touch its memory any more.
 *
 * The fault_* fields say what is known about an exception, a fault or an error.
 */
struct drm_zhouyi_event {
	/** @base: type DRM_ZHOUYI_EVENT_JOB; length, which may grow */
	struct drm_event base;
	/** @cookie: of the job */
	__u64 cookie;
	/** @device_ns: how long it was on the device */
	__u64 device_ns;
	/** @cores: cores it ran on, or may have run on; 0: it never ran */
	__u64 cores;
	/** @fault_address: device address, with DRM_ZHOUYI_EVENT_ADDRESS */
	__u64 fault_address;
	/** @result: enum drm_zhouyi_result */
	__u16 result;
	/** @flags: DRM_ZHOUYI_EVENT_* */
	__u16 flags;
#define DRM_ZHOUYI_EVENT_TCBP		0x1 /* @fault_tcbp is valid */
#define DRM_ZHOUYI_EVENT_INSN		0x2 /* @fault_insn is valid */
#define DRM_ZHOUYI_EVENT_ADDRESS	0x4 /* @fault_address is valid */
#define DRM_ZHOUYI_EVENT_UNIT		0x8 /* @fault_core and @fault_tec are valid */
#define DRM_ZHOUYI_EVENT_INNOCENT	0x10 /* aborted because of another job or a reset */
	/** @fault_class: types the device reported, as in its interrupt status register */
	__u32 fault_class;
	/** @fault_code: error code of an exception signal, else 0 */
	__u32 fault_code;
	/** @fault_tcbp: the TCB concerned, relative to window 0 */
	__u32 fault_tcbp;
	/** @fault_insn: index of the instruction in its program */
	__u32 fault_insn;
	/** @fault_core: index in core masks */
	__u16 fault_core;
	/** @fault_tec: index in the core */
	__u16 fault_tec;
};

#define DRM_IOCTL_ZHOUYI_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ZHOUYI_QUERY, struct drm_zhouyi_query)
#define DRM_IOCTL_ZHOUYI_BO_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ZHOUYI_BO_CREATE, struct drm_zhouyi_bo_create)
#define DRM_IOCTL_ZHOUYI_BO_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ZHOUYI_BO_MMAP_OFFSET, struct drm_zhouyi_bo_mmap_offset)
#define DRM_IOCTL_ZHOUYI_BO_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ZHOUYI_BO_INFO, struct drm_zhouyi_bo_info)
#define DRM_IOCTL_ZHOUYI_BO_WAIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ZHOUYI_BO_WAIT, struct drm_zhouyi_bo_wait)
#define DRM_IOCTL_ZHOUYI_SUBMIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ZHOUYI_SUBMIT, struct drm_zhouyi_submit)
#define DRM_IOCTL_ZHOUYI_ABORT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ZHOUYI_ABORT, struct drm_zhouyi_abort)
#define DRM_IOCTL_ZHOUYI_RESET \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ZHOUYI_RESET, struct drm_zhouyi_reset)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_ZHOUYI_ACCEL_H_ */
