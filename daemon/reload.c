/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "proto/list.h"

void reload_init(struct reload *reload, struct config *config, const struct config_source *source,
		 struct worker *worker, void (*apply)(void *arg), void (*ended)(void *arg),
		 void *arg)
{
	*reload = (struct reload){
		.config = config,
		.source = source,
		.worker = worker,
		.apply = apply,
		.ended = ended,
		.arg = arg,
	};
}

/* On the worker's thread; so is all that it calls. */
static void say(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_LEVEL_ERROR, LOG_EVENT_BAD_CONFIG, "%s", text);
}

static void run(struct work *work)
{
	struct reload *reload = list_entry(work, struct reload, work);

	reload->result =
		config_read(&reload->next, reload->source, &(struct config_report){.say = say});
}

static void on_fixed(const char *key)
{
	log_warning("%s has changed in the configuration: that takes effect when the daemon is "
		    "started again",
		    key);
}

static void swap(struct reload *reload)
{
	config_keep_fixed(&reload->next, reload->config, on_fixed);
	config_finish(reload->config);
	*reload->config = reload->next;
	reload->apply(reload->arg);
}

static void done(struct work *work)
{
	struct reload *reload = list_entry(work, struct reload, work);

	reload->is_running = false;
	reload->was_refused = reload->result < 0;
	if (reload->was_refused) {
		log_error("the configuration is refused, and the old one stays in effect");
	} else {
		swap(reload);
		log_info("the configuration was read again");
	}
	reload->ended(reload->arg);
	/* Who asked meanwhile waits for what the files say since. */
	if (reload->again)
		reload_start(reload);
	else
		notify_send("READY=1");
}

/* Newer service managers want to know since when. */
static void notify_reloading(void)
{
	char state[80];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, loop_now() / 1000u);
	notify_send(state);
}

void reload_start(struct reload *reload)
{
	if (!reload->source) {
		log_warning("SIGHUP is ignored: there is no configuration to read again");
		return;
	}
	reload->again = reload->is_running;
	if (reload->is_running)
		return;
	notify_reloading();
	reload->is_running = true;
	reload->work = (struct work){.run = run, .done = done};
	list_init(&reload->work.link);
	worker_submit(reload->worker, &reload->work);
}
