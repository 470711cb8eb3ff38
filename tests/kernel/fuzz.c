/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzzer for the driver's ioctls. It knows what they look like: most of what it does is
 * almost right, so that it gets past the first check, from two threads that share one
 * descriptor. It does not look for wrong answers; the kernel's own checkers look for what goes
 * wrong inside, and whoever runs it looks at the kernel's log.
 *
 * usage: fuzz SECONDS SEED
 * Ends with 0 if the device still works then, and tells how often each call was made and succeeded.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kernel/device.h"

#define HANDLES 12
#define THREADS 2
#define WINDOW (3ull << 30) /* no buffer can be larger */
#define MOST_BYTES (4ull << 20)
#define MISTAKES 12 /* at most, for each image */

static struct npu npu; /* owned by main(), which renews it while no thread runs */
static volatile bool stop;

/* What was seen to be good, shared and without locks: a stale handle is as good as a fresh one. */
static volatile uint32_t bo_handle[HANDLES], sync_handle[HANDLES];
static volatile uint64_t bo_address[HANDLES], bo_size[HANDLES];
static volatile uint64_t cookies;

enum call {
	CREATE,
	CLOSE,
	MAP,
	INFO,
	WAIT,
	SUBMIT,
	ABORT,
	RESET,
	QUERY,
	READ,
	SYNC,
	PRIME,
	N_CALLS
};
static const char *const call_name[N_CALLS] = {"create", "close", "map",   "info", "wait", "submit",
					       "abort",	 "reset", "query", "read", "sync", "prime"};
static unsigned long made[N_CALLS], succeeded[N_CALLS];

struct fuzzer {
	pthread_t thread;
	uint64_t random;
};

static uint32_t rnd(struct fuzzer *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return (uint32_t)(f->random >> 16);
}

static bool one_in(struct fuzzer *f, uint32_t n)
{
	return rnd(f) % n == 0;
}

/* A number that has broken something before. */
static uint64_t odd_number(struct fuzzer *f)
{
	static const uint64_t numbers[] = {
		0,	    1,		2,	    3,		7,	    8,	       63,
		64,	    127,	128,	    4095,	4096,	    65536,     1u << 20,
		0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 63, UINT64_MAX};
	uint64_t x = numbers[rnd(f) % (sizeof(numbers) / sizeof(numbers[0]))];

	return one_in(f, 4) ? x + rnd(f) % 5 - 2 : one_in(f, 8) ? rnd(f) : x;
}

/* Of what there is; an empty slot only if luck wants it. */
static unsigned int slot_of(struct fuzzer *f, const volatile uint32_t *handle)
{
	unsigned int slot = 0;

	for (int i = 0; i < 6; i++) {
		slot = rnd(f) % HANDLES;
		if (handle[slot])
			break;
	}
	return slot;
}

/* Overwrite a word of a struct, or flip a bit of it, now and then. */
static void spoil(struct fuzzer *f, void *data, size_t size)
{
	uint32_t word;
	size_t at;

	if (!one_in(f, 10))
		return;
	at = rnd(f) % (size / 4) * 4;
	word = (uint32_t)odd_number(f);
	if (one_in(f, 2))
		memcpy((uint8_t *)data + at, &word, 4);
	else
		((uint8_t *)data)[rnd(f) % size] ^= 1u << rnd(f) % 8;
}

static int call(enum call which, unsigned long request, void *arg)
{
	int r = npu_ioctl(npu.fd, request, arg);

	__atomic_fetch_add(&made[which], 1, __ATOMIC_RELAXED);
	if (r >= 0)
		__atomic_fetch_add(&succeeded[which], 1, __ATOMIC_RELAXED);
	return r;
}

static void do_create(struct fuzzer *f)
{
	static const uint64_t sizes[] = {1,    IMAGE_SIZE, IMAGE_SIZE, IMAGE_SIZE,
					 4096, 65536,	   1 << 20};
	struct drm_zhouyi_bo_create arg = {.size = sizes[rnd(f) % 7],
					   .placement = one_in(f, 4) ? rnd(f) % 8 : 0,
					   .asid = one_in(f, 8) ? rnd(f) % 5 : 0};
	unsigned int slot = rnd(f) % HANDLES;

	spoil(f, &arg, sizeof(arg));
	/* What is refused costs nothing; gigabytes that are not take all the time there is. */
	if (arg.size <= WINDOW && arg.size > MOST_BYTES)
		arg.size %= MOST_BYTES;
	if (call(CREATE, DRM_IOCTL_ZHOUYI_BO_CREATE, &arg) < 0)
		return;
	if (bo_handle[slot])
		gem_try_close(npu.fd, bo_handle[slot]);
	bo_handle[slot] = arg.handle;
	bo_address[slot] = arg.address;
	bo_size[slot] = arg.size;
}

static void do_close(struct fuzzer *f)
{
	struct drm_gem_close arg = {.handle = bo_handle[slot_of(f, bo_handle)]};

	call(CLOSE, DRM_IOCTL_GEM_CLOSE, &arg);
}

static uint8_t *map(struct fuzzer *f, unsigned int slot)
{
	struct drm_zhouyi_bo_mmap_offset arg = {.handle = bo_handle[slot]};
	void *cpu;

	spoil(f, &arg, sizeof(arg));
	if (call(MAP, DRM_IOCTL_ZHOUYI_BO_MMAP_OFFSET, &arg) < 0)
		return NULL;
	cpu = mmap(NULL, bo_size[slot], PROT_READ | PROT_WRITE, MAP_SHARED, npu.fd,
		   (off_t)arg.offset);
	return cpu == MAP_FAILED ? NULL : cpu;
}

static void do_map(struct fuzzer *f)
{
	unsigned int slot = slot_of(f, bo_handle);
	size_t size = bo_size[slot];
	uint8_t *cpu = map(f, slot);

	if (!cpu)
		return;
	if (one_in(f, 2))
		spoil(f, cpu, size < 8192 ? size : 8192);
	munmap(cpu, size);
}

static void do_info(struct fuzzer *f)
{
	struct drm_zhouyi_bo_info arg = {.handle = bo_handle[slot_of(f, bo_handle)]};

	spoil(f, &arg, sizeof(arg));
	call(INFO, DRM_IOCTL_ZHOUYI_BO_INFO, &arg);
}

static void do_wait(struct fuzzer *f)
{
	struct drm_zhouyi_bo_wait arg = {.handle = bo_handle[slot_of(f, bo_handle)],
					 .timeout_ns = now_ns() + rnd(f) % 3000000};

	if (one_in(f, 4))
		arg.timeout_ns = -1;
	if (one_in(f, 8))
		arg.handle = (uint32_t)odd_number(f);
	call(WAIT, DRM_IOCTL_ZHOUYI_BO_WAIT, &arg);
}

static unsigned int write_program(struct fuzzer *f, struct npu_insn *insn)
{
	unsigned int n = 0;

	if (one_in(f, 2))
		insn[n++] = insn_delay(rnd(f) % 3000);
	if (one_in(f, 20))
		insn[n++] = insn_hang();
	if (one_in(f, 6))
		insn[n++] = insn_fault(rnd(f) % 4);
	insn[n++] = insn_copy(IMAGE_BYTES);
	spoil(f, insn, n * sizeof(*insn));
	return n;
}

static void fill_uses(struct fuzzer *f, struct drm_zhouyi_bo_use *use, uint32_t n, uint32_t first)
{
	for (uint32_t i = 0; i < n; i++) {
		use[i].handle = i ? bo_handle[slot_of(f, bo_handle)] : first;
		use[i].flags = one_in(f, 3) ? rnd(f) % 4 : 0;
	}
	spoil(f, use, n * sizeof(*use));
}

static void fill_syncs(struct fuzzer *f, struct drm_zhouyi_sync *sync, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		sync[i] = (struct drm_zhouyi_sync){.handle = sync_handle[slot_of(f, sync_handle)]};
		if (one_in(f, 4)) {
			sync[i].flags = DRM_ZHOUYI_SYNC_TIMELINE;
			sync[i].point = 1 + rnd(f) % 50;
		}
	}
	if (n)
		spoil(f, sync, n * sizeof(*sync));
}

/* Everything a submission points to. */
struct arrays {
	struct drm_zhouyi_bo_use use[8];
	struct drm_zhouyi_sync in[3], out[3];
};

static struct drm_zhouyi_submit fill_submit(struct fuzzer *f, const struct image *image,
					    struct arrays *a, uint32_t handle)
{
	struct drm_zhouyi_submit arg = {
		.cookie = one_in(f, 10) ? cookies : ++cookies,
		.head = image->head,
		.first_task = image->first_task,
		.last_task = image->last_task,
		.core_mask = 1 + rnd(f) % 7,
		.in_syncs = (uintptr_t)a->in,
		.out_syncs = (uintptr_t)a->out,
		.bos = (uintptr_t)a->use,
		.in_sync_count = one_in(f, 3) ? rnd(f) % 4 : 0,
		.out_sync_count = rnd(f) % 4,
		.sync_stride = sizeof(a->in[0]),
		.bo_count = 1 + (one_in(f, 2) ? rnd(f) % 8 : 0),
		.bo_stride = sizeof(a->use[0]),
		.tcb_count = image->n_tcbs,
		.priority = rnd(f) % 4,
		.timeout_ms = 1 + rnd(f) % 50,
		.flags = rnd(f) % 2,
	};

	fill_uses(f, a->use, arg.bo_count, handle);
	fill_syncs(f, a->in, arg.in_sync_count);
	fill_syncs(f, a->out, arg.out_sync_count);
	return arg;
}

/*
 * What is good but for one word costs next to nothing to try, compared with what it takes to
 * write an image. Every other time it is a count, where arithmetic goes wrong first.
 */
static void submit_wrong(struct fuzzer *f, struct drm_zhouyi_submit arg)
{
	uint32_t *const counts[] = {&arg.bo_count, &arg.in_sync_count, &arg.out_sync_count,
				    &arg.tcb_count};
	uint32_t word = (uint32_t)odd_number(f);

	if (one_in(f, 2))
		*counts[rnd(f) % 4] = word;
	else
		memcpy((uint8_t *)&arg + rnd(f) % (sizeof(arg) / 4) * 4, &word, 4);
	call(SUBMIT, DRM_IOCTL_ZHOUYI_SUBMIT, &arg);
}

static void do_submit(struct fuzzer *f)
{
	unsigned int slot = slot_of(f, bo_handle);
	struct image_device device = npu.image;
	struct drm_zhouyi_submit arg;
	struct npu_insn insn[4];
	struct arrays arrays;
	struct image image;
	uint64_t size = bo_size[slot];
	uint8_t *cpu;

	if (size < IMAGE_SIZE)
		return;
	cpu = map(f, slot);
	if (!cpu)
		return;
	device.groups = 1 + rnd(f) % 3;
	image = image_write(cpu, bo_address[slot], &device, insn, write_program(f, insn), rnd(f));
	spoil(f, cpu, 0x1000);
	spoil(f, cpu + IMAGE_PARAM, 16);
	munmap(cpu, size);
	arg = fill_submit(f, &image, &arrays, bo_handle[slot]);
	arg.group_count = device.groups;
	for (uint32_t n = rnd(f) % MISTAKES; n; n--)
		submit_wrong(f, arg);
	if (call(SUBMIT, DRM_IOCTL_ZHOUYI_SUBMIT, &arg) == 0 && one_in(f, 4))
		call(ABORT, DRM_IOCTL_ZHOUYI_ABORT,
		     &(struct drm_zhouyi_abort){.cookie = arg.cookie});
}

static void do_abort(struct fuzzer *f)
{
	struct drm_zhouyi_abort arg = {.cookie = cookies - rnd(f) % 6};

	spoil(f, &arg, sizeof(arg));
	call(ABORT, DRM_IOCTL_ZHOUYI_ABORT, &arg);
}

static void do_reset(struct fuzzer *f)
{
	struct drm_zhouyi_reset arg = {.kind = rnd(f) % 2};

	if (!one_in(f, 8))
		return;
	spoil(f, &arg, sizeof(arg));
	call(RESET, DRM_IOCTL_ZHOUYI_RESET, &arg);
}

static void do_query(struct fuzzer *f)
{
	uint8_t answer[512];
	struct drm_zhouyi_query arg = {.type = rnd(f) % 6,
				       .size = rnd(f) % sizeof(answer),
				       .pointer = one_in(f, 4) ? odd_number(f) : (uintptr_t)answer,
				       .stride = one_in(f, 2) ? rnd(f) % 64 : 0};

	if (one_in(f, 4))
		arg.stride = (uint32_t)odd_number(f);
	if (arg.pointer == (uintptr_t)answer)
		arg.size %= sizeof(answer);
	call(QUERY, DRM_IOCTL_ZHOUYI_QUERY, &arg);
}

static void do_read(struct fuzzer *f)
{
	uint8_t buffer[4096];
	size_t size = one_in(f, 4) ? rnd(f) % sizeof(buffer) : sizeof(buffer);

	made[READ]++;
	succeeded[READ] += read(npu.fd, buffer, size) > 0;
}

static void do_sync(struct fuzzer *f)
{
	unsigned int slot = rnd(f) % HANDLES;
	struct drm_syncobj_create create = {.flags = rnd(f) % 2};
	struct drm_syncobj_destroy destroy = {.handle = sync_handle[slot]};

	if (call(SYNC, DRM_IOCTL_SYNCOBJ_CREATE, &create) < 0)
		return;
	sync_handle[slot] = create.handle;
	call(SYNC, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy);
}

static void do_prime(struct fuzzer *f)
{
	struct drm_prime_handle arg = {.handle = bo_handle[slot_of(f, bo_handle)],
				       .flags = DRM_CLOEXEC};
	unsigned int slot = rnd(f) % HANDLES;

	if (call(PRIME, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg) < 0)
		return;
	if (one_in(f, 2))
		do_close(f);
	if (call(PRIME, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg) == 0)
		bo_handle[slot] = arg.handle;
	close(arg.fd);
}

/* A new owner begins with something to be wrong about. */
static void furnish(void)
{
	for (unsigned int i = 0; i < HANDLES; i++) {
		struct drm_zhouyi_bo_create arg = {.size = IMAGE_SIZE};

		sync_handle[i] = syncobj_create(&npu, i % 2);
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_CREATE, &arg), 0);
		bo_handle[i] = arg.handle;
		bo_address[i] = arg.address;
		bo_size[i] = arg.size;
	}
}

static void *fuzz(void *arg)
{
	static void (*const calls[])(struct fuzzer *) = {
		do_create, do_create, do_close,	 do_map,    do_info,  do_wait,
		do_submit, do_submit, do_submit, do_submit, do_abort, do_reset,
		do_query,  do_read,   do_read,	 do_sync,   do_prime,
	};
	struct fuzzer *f = arg;

	while (!stop)
		calls[rnd(f) % (sizeof(calls) / sizeof(calls[0]))](f);
	return NULL;
}

/* One owner's life: ends with whatever is on its way then. */
static void live(uint64_t seed, unsigned int ms)
{
	struct fuzzer fuzzers[THREADS];

	npu = npu_open();
	fcntl(npu.fd, F_SETFL, fcntl(npu.fd, F_GETFL) | O_NONBLOCK);
	furnish();
	stop = false;
	for (unsigned int i = 0; i < THREADS; i++) {
		fuzzers[i].random = (seed * THREADS + i + 1) * 0x9e3779b97f4a7c15u;
		check_eq(pthread_create(&fuzzers[i].thread, NULL, fuzz, &fuzzers[i]), 0);
	}
	sleep_ms(ms);
	stop = true;
	for (unsigned int i = 0; i < THREADS; i++)
		check_eq(pthread_join(fuzzers[i].thread, NULL), 0);
	close(npu.fd);
}

static void device_works(void)
{
	struct job job;

	npu = npu_open();
	job = job_copy(&npu, 1);
	job_run(&job, DRM_ZHOUYI_RESULT_DONE);
	check(job_has_copied(&job));
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)atoi(argv[1]) : 10;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	int64_t end = now_ns() + seconds * 1000000000ll;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (unsigned int n = 0; now_ns() < end; n++)
		live(seed * 1000003 + n, 1000 + n % 5 * 1000);
	device_works();
	for (unsigned int i = 0; i < N_CALLS; i++) {
		printf("# %-6s %9lu calls, %9lu succeeded\n", call_name[i], made[i], succeeded[i]);
		check(succeeded[i] > 0);
	}
	printf("ok - the device works after %u seconds of nonsense\n1..1\n", seconds);
	return 0;
}
