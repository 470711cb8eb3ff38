/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/worker.h"

#define TICK_NS UINT64_C(10000000)

/*
 * Stopping
 */

static void enter(struct daemon *daemon, enum daemon_state state, uint64_t at_most_ns)
{
	daemon->state = state;
	daemon->until_ns = loop_now() + at_most_ns;
}

static void on_drained(void *arg)
{
	enter(arg, DAEMON_FLUSHING, DAEMON_ANSWERS_NS);
}

static void abort_jobs(struct daemon *daemon)
{
	log_warning("%u running jobs are aborted", daemon->scheduler.n_running);
	enter(daemon, DAEMON_ABORTING, DAEMON_ABORT_NS);
	scheduler_abort_all(&daemon->scheduler);
}

static void stop_first(struct daemon *daemon)
{
	log_info("stopping");
	notify_send("STOPPING=1");
	enter(daemon, DAEMON_DRAINING, DAEMON_JOBS_NS);
	listener_finish(&daemon->listener);
	metrics_server_release(&daemon->metrics_server);
	session_group_drain(&daemon->sessions);
	scheduler_drain(&daemon->scheduler, on_drained, daemon);
	health_changed(&daemon->health);
	loop_timer_set(daemon->tick, loop_now());
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;

	switch (daemon->state) {
	case DAEMON_RUNNING:
		stop_first(daemon);
		break;
	case DAEMON_DRAINING:
		abort_jobs(daemon);
		break;
	case DAEMON_ABORTING:
	case DAEMON_FLUSHING:
		daemon->until_ns = 0;
		break;
	}
}

/* Looks where stopping has come to. A timer, because many things may bring it forward. */
static void on_tick(void *arg)
{
	struct daemon *daemon = arg;
	bool late = loop_now() >= daemon->until_ns;

	switch (daemon->state) {
	case DAEMON_RUNNING:
		break;
	case DAEMON_DRAINING:
		if (late)
			abort_jobs(daemon);
		break;
	case DAEMON_ABORTING:
		if (late)
			loop_stop(daemon->loop);
		break;
	case DAEMON_FLUSHING:
		if (late || session_group_is_idle(&daemon->sessions))
			loop_stop(daemon->loop);
		break;
	}
	loop_timer_set(daemon->tick, loop_now() + TICK_NS);
}

static void on_hangup(void *arg)
{
	struct daemon *daemon = arg;

	/* Who is about to stop needs no new configuration. */
	if (daemon->state == DAEMON_RUNNING)
		reload_start(&daemon->reload);
}

/*
 * Building
 */

static void on_slot_ready(void *arg, struct model *model)
{
	scheduler_slot_ready(arg, model);
}

static int open_device(struct daemon *daemon, const char **ret_reason)
{
	const struct config *config = daemon->config;
	int r;

	health_starting("opening the device");
	r = device_open(&daemon->device, config->device, &config->soft, ret_reason);

	if (r == -EINVAL)
		log_event(LOG_LEVEL_ERROR, LOG_EVENT_NO_DEVICE,
			  "device '%s' cannot be opened: check topology and memory_bytes",
			  config->device);
	else if (r < 0)
		log_event(LOG_LEVEL_ERROR, LOG_EVENT_NO_DEVICE,
			  "device '%s' cannot be opened: %s; --device soft is the software NPU",
			  config->device, *ret_reason ? *ret_reason : strerror(-r));
	return r;
}

static int init_models(struct daemon *daemon)
{
	int r;

	daemon->metrics = malloc(sizeof(*daemon->metrics));
	if (!daemon->metrics)
		return -ENOMEM;
	metrics_init(daemon->metrics);
	r = model_registry_init(&daemon->models, daemon->device, daemon->worker);

	if (r < 0)
		return r;
	daemon->has_models = true;
	daemon->models.metrics = daemon->metrics;
	daemon->models.slot_ready = on_slot_ready;
	daemon->models.slot_ready_arg = &daemon->scheduler;
	return 0;
}

static uint64_t ms(unsigned int n)
{
	return (uint64_t)n * 1000000u;
}

static int init_sessions(struct daemon *daemon, const char *reason)
{
	struct session_group *group = &daemon->sessions;
	int r = session_group_init(group);

	if (r < 0)
		return r;
	group->loop = daemon->loop;
	group->worker = daemon->worker;
	group->device = daemon->device;
	group->device_reason = reason;
	group->models = &daemon->models;
	group->scheduler = &daemon->scheduler;
	group->limits = &daemon->config->limits;
	group->access = &daemon->config->access;
	group->listener = &daemon->listener;
	group->reload = &daemon->reload;
	return 0;
}

static int init_signals(struct daemon *daemon)
{
	static const struct {
		int signum;
		loop_fn fn;
	} signals[DAEMON_SIGNAL_MAX_] = {
		[DAEMON_SIGTERM] = {SIGTERM, on_stop},
		[DAEMON_SIGINT] = {SIGINT, on_stop},
		[DAEMON_SIGHUP] = {SIGHUP, on_hangup},
	};
	int r = loop_timer_create(&daemon->tick, daemon->loop, on_tick, daemon);

	for (size_t i = 0; r == 0 && i < DAEMON_SIGNAL_MAX_; i++)
		r = loop_signal_create(&daemon->signals[i], daemon->loop, signals[i].signum,
				       signals[i].fn, daemon);
	return r;
}

/* The device and the listener say themselves what is wrong. */
static int step(const char *what, int r)
{
	if (r < 0)
		log_error("cannot start %s: %s", what, strerror(-r));
	return r;
}

/* What @watchdog leaves out is as for all. */
static struct estimate_limits limits_of(const struct config *config,
					const struct config_watchdog *watchdog)
{
	const struct config_watchdog *all = &config->watchdog;

	return (struct estimate_limits){
		.factor = watchdog->factor ? watchdog->factor : all->factor,
		.floor_ns = ms(watchdog->floor_ms ? watchdog->floor_ms : all->floor_ms),
		.ceiling_ns = ms(watchdog->ceiling_ms ? watchdog->ceiling_ms : all->ceiling_ms),
	};
}

static void apply_patience(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct scheduler_patience *patience = &daemon->scheduler.patience;

	patience->watchdog = limits_of(config, &config->watchdog);
	for (unsigned int i = 0; i < config->n_model_watchdogs; i++) {
		const struct config_model_watchdog *from = &config->model_watchdogs[i];

		strcpy(daemon->model_limits[i].model, from->model);
		daemon->model_limits[i].limits = limits_of(config, &from->watchdog);
	}
	patience->models = daemon->model_limits;
	patience->n_models = config->n_model_watchdogs;
	daemon->scheduler.quarantine.limits = (struct quarantine_limits){
		.strikes = config->quarantine.strikes,
		.first_ns = ms(config->quarantine.first_ms),
		.longest_ns = ms(config->quarantine.longest_ms),
		.fade_ns = ms(config->quarantine.fade_ms),
	};
}

/* The service manager's socket, if it made one: clients could connect before we were there. */
static int init_listener(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	int fd = activation_take(&daemon->activation, "clients");
	int r;

	if (fd < 0)
		return listener_init(&daemon->listener, &daemon->sessions, config->socket,
				     config->socket_mode);
	r = listener_init_passed(&daemon->listener, &daemon->sessions, fd);
	if (r < 0)
		close(fd);
	else if (strcmp(daemon->listener.path.address.sun_path, config->socket) != 0)
		log_warning("the service manager listens on %s, so the configured socket %s is "
			    "not used",
			    daemon->listener.path.address.sun_path, config->socket);
	return r;
}

/* "" : nowhere, or it is no path. */
static void metrics_path(const struct daemon *daemon, char *ret, size_t size)
{
	const char *place = daemon->config->metrics.socket;
	const char *clients = daemon->listener.path.address.sun_path;
	int directory =
		place[0] && place[0] != '/' ? (int)(strrchr(clients, '/') + 1 - clients) : 0;

	if ((size_t)snprintf(ret, size, "%.*s%s", directory, clients, place) < size)
		return;
	log_error("there are no metrics at %s beside %s: the path is too long", place, clients);
	ret[0] = '\0';
}

/* Who cannot monitor the daemon may still use it: failures are logged, and it starts. */
static int init_metrics_server(struct daemon *daemon)
{
	struct metrics_server *server = &daemon->metrics_server;
	const struct config_metrics *config = &daemon->config->metrics;
	char path[sizeof(config->socket)];
	int fd, r = metrics_server_init(server, &daemon->sessions);

	if (r < 0)
		return r;
	while ((fd = activation_take(&daemon->activation, "metrics")) >= 0)
		(void)metrics_server_take(server, fd);
	metrics_path(daemon, path, sizeof(path));
	if (path[0] && !metrics_server_is_at(server, path))
		(void)metrics_server_open_path(server, path, config->socket_mode);
	if (config->port)
		(void)metrics_server_open_port(server, config->port);
	return 0;
}

static void apply_scheduling(struct daemon *daemon)
{
	const struct config_scheduling *from = &daemon->config->scheduling;
	struct policy_settings settings = POLICY_SETTINGS_DEFAULT;

	memcpy(settings.floor_percent, from->floor_percent, sizeof(settings.floor_percent));
	settings.stack_ns = (uint64_t)from->stack_us * 1000u;
	settings.collect_ns = ms(from->collect_ms);
	if (scheduler_set(&daemon->scheduler, &settings) < 0)
		log_error("the scheduling settings make no sense to the policy");
}

/* Only now is it known how many cores there are, and whether the device can keep to a mask. */
static void check_cores(const struct daemon *daemon)
{
	const struct device_caps *caps = &daemon->device->caps;
	const struct access_rules *access = &daemon->config->access;
	uint64_t all = caps->cores >= 64 ? UINT64_MAX : (UINT64_C(1) << caps->cores) - 1;
	char name[ACCESS_NAME_MAX];

	for (size_t i = 0; i < access->n; i++) {
		const struct access_rule *rule = &access->rules[i];

		if (!(rule->has & (1u << ACCESS_CORES)) || rule->cores == UINT64_MAX)
			continue;
		access_rule_name(rule, name);
		if (caps->placement == DEVICE_PLACEMENT_NONE)
			log_warning("access.%s.cores has no effect: this device chooses its cores "
				    "itself",
				    name);
		else if (rule->cores & ~all)
			log_warning("access.%s.cores names cores that this device does not have: "
				    "it has %u",
				    name, caps->cores);
	}
}

/* What may change while the daemon runs, here and now. Limits are looked up where they are. */
static void apply(struct daemon *daemon)
{
	const struct config *config = daemon->config;

	log_set_level(config->log_level);
	daemon->models.max_models = config->limits.models;
	daemon->models.max_image = config->limits.image_bytes;
	daemon->sessions.warm_up_ns = ms(config->warm_up_ms);
	apply_patience(daemon);
	apply_scheduling(daemon);
	session_group_refresh(&daemon->sessions);
	check_cores(daemon);
}

static void on_reloaded(void *arg)
{
	apply(arg);
}

static void on_reload_ended(void *arg)
{
	struct daemon *daemon = arg;

	health_changed(&daemon->health);
}

/* From now on whatever changes it says so. */
static int init_health(struct daemon *daemon)
{
	daemon->scheduler.changed = health_changed;
	daemon->scheduler.changed_arg = &daemon->health;
	daemon->listener.changed = health_changed;
	daemon->listener.changed_arg = &daemon->health;
	return health_watch_init(&daemon->health, daemon->loop, &daemon->sessions);
}

static int build(struct daemon *daemon)
{
	const char *reason = "";
	int r;

	r = step("the event loop", loop_create(&daemon->loop));
	if (r < 0)
		return r;
	r = step("handling signals", init_signals(daemon));
	if (r < 0)
		return r;
	r = step("the worker", worker_create(&daemon->worker, daemon->loop));
	if (r < 0)
		return r;
	r = open_device(daemon, &reason);
	if (r < 0)
		return r;
	r = step("the model registry", init_models(daemon));
	if (r < 0)
		return r;
	r = step("the scheduler",
		 scheduler_init(&daemon->scheduler, daemon->loop, daemon->device, daemon->worker));
	if (r < 0)
		return r;
	daemon->has_scheduler = true;
	r = step("sessions", init_sessions(daemon, reason));
	if (r < 0)
		return r;
	apply(daemon);
	r = step("the watchdog",
		 watchdog_init(&daemon->watchdog, daemon->loop, &daemon->scheduler));
	if (r < 0)
		return r;
	r = init_listener(daemon);
	if (r < 0)
		return r;
	r = step("looking after its health", init_health(daemon));
	if (r < 0)
		return r;
	return step("the metrics", init_metrics_server(daemon));
}

int daemon_init(struct daemon *daemon, struct config *config)
{
	const struct device_caps *caps;
	int r;

	*daemon = (struct daemon){.config = config};
	activation_init(&daemon->activation);
	r = build(daemon);
	activation_finish(&daemon->activation);
	if (r < 0) {
		daemon_finish(daemon);
		return r;
	}
	caps = &daemon->device->caps;
	log_event(LOG_LEVEL_INFO, LOG_EVENT_READY, "listening on %s; device %s: %s; %u cores, %s",
		  daemon->listener.path.address.sun_path, caps->backend,
		  daemon->sessions.device_reason, caps->cores, caps->target.name);
	notify_send("READY=1");
	return 0;
}

void daemon_set_source(struct daemon *daemon, const struct config_source *source)
{
	reload_init(&daemon->reload, daemon->config, source, daemon->worker, on_reloaded,
		    on_reload_ended, daemon);
}

int daemon_run(struct daemon *daemon)
{
	int r = loop_run(daemon->loop);

	if (r < 0)
		log_error("the event loop failed: %s", strerror(-r));
	if (daemon->scheduler.n_running) {
		log_event(LOG_LEVEL_ERROR, LOG_EVENT_STUCK, "the device has not given back %u jobs",
			  daemon->scheduler.n_running);
		return -ETIMEDOUT;
	}
	if (r == 0)
		log_event(LOG_LEVEL_INFO, LOG_EVENT_STOPPED, "stopped");
	return r;
}

void daemon_finish(struct daemon *daemon)
{
	health_watch_finish(&daemon->health);
	watchdog_finish(&daemon->watchdog);
	listener_finish(&daemon->listener);
	session_group_finish(&daemon->sessions);
	daemon->reload.again = false;
	/* Calls back for everything it still had in hand, to sessions that are gone. */
	worker_destroy(daemon->worker);
	metrics_server_finish(&daemon->metrics_server);
	if (daemon->has_scheduler)
		scheduler_finish(&daemon->scheduler);
	if (daemon->has_models)
		model_registry_finish(&daemon->models);
	free(daemon->metrics);
	device_close(daemon->device);
	for (size_t i = 0; i < DAEMON_SIGNAL_MAX_; i++)
		loop_signal_destroy(daemon->signals[i]);
	loop_timer_destroy(daemon->tick);
	loop_destroy(daemon->loop);
	*daemon = (struct daemon){0};
}

void daemon_abandon(struct daemon *daemon)
{
	listener_finish(&daemon->listener);
	metrics_server_release(&daemon->metrics_server);
}
