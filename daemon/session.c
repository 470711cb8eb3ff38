/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/buffer.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/request.h"
#include "daemon/scheduler.h"
#include "daemon/tenant.h"
#include "proto/entry.h"
#include "proto/packet.h"

/* What one message may take when it is decoded. */
#define ARENA_BYTES ((size_t)1 << 20)

/* A packet this large costs a turn as much as two small ones. */
#define PACKET_COST 2048u

struct out_packet {
	struct list link;      /* session.out */
	struct buffer *buffer; /* a reference, or NULL; its descriptor goes along */
	size_t size;
	uint8_t data[];
};

/*
 * All of them
 */

int session_group_init(struct session_group *group)
{
	size_t size = 2 * ZY_PACKET_MAX + ARENA_BYTES;
	void *scratch;

	*group = (struct session_group){.next_id = 1, .started_ns = loop_now()};
	list_init(&group->sessions);
	scratch = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (scratch == MAP_FAILED)
		return -ENOMEM;
	group->in = scratch;
	group->out = group->in + ZY_PACKET_MAX;
	group->arena = (struct arena){.base = group->out + ZY_PACKET_MAX, .size = ARENA_BYTES};
	return 0;
}

void session_group_finish(struct session_group *group)
{
	struct session *session;

	if (!group->in)
		return;
	while ((session = list_first(&group->sessions, struct session, link)))
		session_destroy(session);
	munmap(group->in, 2 * ZY_PACKET_MAX + ARENA_BYTES);
	group->in = NULL;
}

void session_group_drain(struct session_group *group)
{
	struct session *session;

	group->draining = true;
	list_for_each (session, &group->sessions, link) {
		if (session->state == SESSION_READY)
			session_enter(session, SESSION_DRAINING);
		else
			session_disconnect(session);
	}
}

bool session_group_is_idle(const struct session_group *group)
{
	const struct session *session;

	list_for_each (session, &group->sessions, link) {
		if (session->broken)
			continue;
		if (session->n_out || session->owner.n_jobs || !list_is_empty(&session->pending))
			return false;
	}
	return true;
}

/*
 * Replies that come later
 */

void pending_start(struct pending *pending, struct session *session, uint32_t serial)
{
	pending->group = session->group;
	pending->session = session;
	pending->serial = serial;
	pending->group->n_pending++;
	list_append(&session->pending, &pending->link);
}

struct session *pending_end(struct pending *pending)
{
	list_remove(&pending->link);
	pending->group->n_pending--;
	return pending->session;
}

/*
 * Out
 */

/* Watch for what we can do something about. Reading or writing is always among it: see
 * loop_io_set(). */
static void session_watch(struct session *session)
{
	unsigned int events = LOOP_CLOSED;

	if (session->n_out < SESSION_PAUSE)
		events |= LOOP_READ;
	if (session->n_out)
		events |= LOOP_WRITE;
	if (loop_io_set(session->io, events) < 0)
		log_error("%s: cannot be watched any more", session->label);
}

void session_disconnect(struct session *session)
{
	/* The loop finds the socket closed and destroys the session from there. */
	session->broken = true;
	shutdown(session->fd, SHUT_RDWR);
}

static void out_packet_free(struct session *session, struct out_packet *packet)
{
	list_remove(&packet->link);
	session->n_out--;
	buffer_unref(packet->buffer);
	free(packet);
}

static int out_queue(struct session *session, const void *data, size_t size, struct buffer *buffer)
{
	struct out_packet *packet = malloc(sizeof(*packet) + size);

	if (!packet)
		return -ENOMEM;
	packet->buffer = buffer ? buffer_ref(buffer) : NULL;
	packet->size = size;
	memcpy(packet->data, data, size);
	list_append(&session->out, &packet->link);
	session->n_out++;
	return 0;
}

static int send_now(struct session *session, const void *data, size_t size,
		    const struct buffer *buffer)
{
	return zy_packet_send(session->fd, data, size, buffer ? &buffer->fd : NULL, !!buffer);
}

static void send_failed(struct session *session, int r)
{
	if (r != -EPIPE && r != -ECONNRESET)
		log_warning("%s: cannot send: %s", session->label, strerror(-r));
	session_disconnect(session);
}

void session_send(struct session *session, const void *data, size_t size, struct buffer *buffer)
{
	int r = -EAGAIN;

	if (session->broken)
		return;
	if (!session->n_out)
		r = send_now(session, data, size, buffer);
	if (r == -EAGAIN || r == -EINTR) {
		r = out_queue(session, data, size, buffer);
		session_watch(session);
	}
	if (r < 0)
		send_failed(session, r);
}

static void session_flush(struct session *session)
{
	struct out_packet *packet;
	int r;

	while ((packet = list_first(&session->out, struct out_packet, link))) {
		r = send_now(session, packet->data, packet->size, packet->buffer);
		if (r == -EAGAIN || r == -EINTR)
			return;
		if (r < 0) {
			send_failed(session, r);
			return;
		}
		out_packet_free(session, packet);
	}
}

static void session_answer(struct job_owner *owner, const struct zy_complete *answer)
{
	struct session *session = list_entry(owner, struct session, owner);

	session_send(session, answer, sizeof(*answer), NULL);
	/* The last of them may have been what kept the memory of a destroyed buffer. */
	if (!owner->n_jobs)
		objects_sweep(&session->objects);
}

/*
 * In
 */

/* Returns the size of a packet that was handled, 0 if there is none, or -EPIPE: this was the last.
 */
static ssize_t receive_one(struct session *session)
{
	zy_auto(zy_fds_close) struct zy_fds fds = {.n = 0};
	ssize_t n;

	n = zy_packet_receive(session->fd, session->group->in, ZY_PACKET_MAX, &fds);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n == 0 || n == -ECONNRESET)
		return -EPIPE;
	if (n < 0)
		request_violation(session, n == -EMSGSIZE  ? "a packet that is too large"
					   : n == -EBADMSG ? "too many descriptors"
							   : strerror((int)-n));
	else
		request_receive(session, session->group->in, (size_t)n, &fds);
	return session->broken ? -EPIPE : n;
}

static int session_read(struct session *session)
{
	size_t cost = 0;
	ssize_t n;

	while (cost < SESSION_TURN && session->n_out < SESSION_PAUSE) {
		n = receive_one(session);
		if (n <= 0)
			return (int)n;
		cost += 1 + (size_t)n / PACKET_COST;
	}
	return 0;
}

static void on_io(void *arg, unsigned int ready)
{
	struct session *session = arg;
	bool gone = session->broken || (ready & LOOP_CLOSED);

	if (!gone && (ready & LOOP_WRITE))
		session_flush(session);
	if (!gone && (ready & LOOP_READ))
		gone = session_read(session) < 0;
	if (gone || session->broken) {
		session_destroy(session);
		return;
	}
	session_watch(session);
}

/*
 * The session itself
 */

static const char *state_name(enum session_state state)
{
	switch (state) {
	case SESSION_NEW:
		return "new";
	case SESSION_READY:
		return "ready";
	case SESSION_DRAINING:
		return "draining";
	}
	return "?";
}

void session_enter(struct session *session, enum session_state state)
{
	log_debug("%s: %s -> %s", session->label, state_name(session->state), state_name(state));
	session->state = state;
}

void session_set_name(struct session *session, const char *name)
{
	struct tenant *tenant = session->owner.tenant;

	snprintf(session->name, sizeof(session->name), "%s", name);
	/* What explanations and accounts call it. */
	if (tenant)
		log_escape(tenant->name, sizeof(tenant->name), name);
	snprintf(session->label, sizeof(session->label), "session %" PRIu64 " (uid %u, pid %d%s%s)",
		 session->id, session->uid, session->pid, *name ? ", " : "", session->name);
}

/* Who it is says the kernel, once. */
static int session_identify(struct session *session)
{
	int r = identity_get(&session->identity, session->fd);

	if (r < 0)
		return r;
	session->uid = session->identity->uid;
	session->pid = session->identity->pid;
	session_set_name(session, "");
	session_group_decide(session->group, session->identity, &session->grant);
	return 0;
}

/*
 * What an account may use. Rules about groups can say different things of two sessions of
 * one user; then both keep to the tighter limit, so that nobody gains by connecting twice.
 */
static void session_group_limit(const struct session_group *group, struct account *account)
{
	struct account_limits limits = {0};
	const struct session *session;
	bool any = false;

	list_for_each (session, &group->sessions, link) {
		const struct account_limits *own = &session->grant.limits;

		if (session->owner.tenant->account != account)
			continue;
		limits = any ? account_limits_tightest(&limits, own) : *own;
		any = true;
	}
	if (any)
		account_set_limits(account, &limits, loop_now());
}

void session_group_decide(const struct session_group *group, const struct identity *identity,
			  struct access_grant *ret)
{
	static const struct access_rules none = {0};

	access_decide(group->access ? group->access : &none, identity, geteuid(), ret);
}

/* Whose account it is was settled when it connected; what that may use can change. */
void session_group_refresh(struct session_group *group)
{
	struct account *account;
	struct session *session;

	list_for_each (session, &group->sessions, link) {
		session_group_decide(group, session->identity, &session->grant);
		session->owner.cores = session->grant.cores;
	}
	list_for_each (account, &group->scheduler->accounts.accounts, link)
		session_group_limit(group, account);
}

static void session_free(struct session *session)
{
	identity_destroy(session->identity);
	free(session);
}
ZY_DEFINE_AUTO(struct session, session_free)

int session_create(struct session **ret, struct session_group *group, int fd)
{
	zy_auto(session_free) struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return -ENOMEM;
	session->group = group;
	session->fd = fd;
	session->id = group->next_id;
	list_init(&session->out);
	list_init(&session->pending);
	r = session_identify(session);
	if (r < 0)
		return r;
	r = loop_io_create(&session->io, group->loop, fd, LOOP_READ | LOOP_CLOSED, on_io, session);
	if (r < 0)
		return r;
	r = scheduler_join(group->scheduler, &session->owner, &session->grant.account, session->id,
			   session_answer);
	if (r < 0) {
		loop_io_destroy(session->io);
		return r;
	}
	objects_init(&session->objects, group->limits, session->owner.tenant->account);
	session->owner.tenant->account->n_sessions++;
	session->owner.cores = session->grant.cores;
	group->next_id++;
	group->n_sessions++;
	list_append(&group->sessions, &session->link);
	session_group_limit(group, session->owner.tenant->account);
	log_debug("%s: connected", session->label);
	*ret = zy_take(session);
	return 0;
}

void session_destroy(struct session *session)
{
	struct out_packet *packet;
	struct pending *pending;

	log_debug("%s: gone, with %u unanswered requests", session->label, session->owner.n_jobs);
	list_remove(&session->link);
	session->group->n_sessions--;
	loop_io_destroy(session->io);
	close(session->fd);
	while ((pending = list_first(&session->pending, struct pending, link))) {
		list_remove(&pending->link);
		pending->session = NULL;
	}
	objects_release_all(&session->objects);
	session->objects.account->n_sessions--;
	session_group_limit(session->group, session->objects.account);
	scheduler_forget(session->group->scheduler, &session->owner);
	while ((packet = list_first(&session->out, struct out_packet, link)))
		out_packet_free(session, packet);
	objects_finish(&session->objects);
	session_free(session);
}
