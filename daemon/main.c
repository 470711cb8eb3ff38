/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/fault.h"
#include "daemon/log.h"

/* Documented in zhouyid(8). */
enum exit_code {
	EXIT_STOPPED = 0, /* told to stop, and did so in order */
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,	 /* command line or configuration */
	EXIT_IN_USE = 3, /* another daemon is listening */
	EXIT_STUCK = 4,	 /* the device did not give back its jobs */
	EXIT_NO_DEVICE = 5,
};

enum {
	OPTION_HELP = 'h',
	OPTION_VERSION = 'V',
	OPTION_CONFIG = 'c',
	OPTION_CHECK = 256,
	OPTION_DUMP,
	OPTION_FAULTS,
};

/* Options that set one key of the configuration: OPTION_KEY + place in this table. */
#define OPTION_KEY 512
static const char *const option_keys[] = {"device", "socket", "log_level"};
#define N_OPTION_KEYS (sizeof(option_keys) / sizeof(option_keys[0]))
_Static_assert(N_OPTION_KEYS == CONFIG_OPTIONS, "each option sets a key");

static const struct option options[] = {
	{"device", required_argument, NULL, OPTION_KEY + 0},
	{"socket", required_argument, NULL, OPTION_KEY + 1},
	{"log-level", required_argument, NULL, OPTION_KEY + 2},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"check-config", no_argument, NULL, OPTION_CHECK},
	{"dump-config", no_argument, NULL, OPTION_DUMP},
	{"fault-script", required_argument, NULL, OPTION_FAULTS},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static const char usage[] =
	"usage: zhouyid [OPTION]...\n"
	"Share an Arm China Zhouyi NPU, or a software NPU, between programs.\n"
	"\n"
	"  --device auto|soft|drm  what to open; auto takes the first of drm, soft\n"
	"  --socket PATH           where clients connect\n"
	"  --config FILE           instead of " CONFIG_DEFAULT_FILE "\n"
	"  --log-level LEVEL       error, warning, info or debug\n"
	"  --check-config          check the configuration, say all that is wrong, and exit\n"
	"  --dump-config           the same, and print what is in effect\n"
	"  --fault-script FILE     make the software NPU fail as FILE says; for tests\n"
	"  --help, --version       print this, or the version, and exit\n"
	"\n"
	"zhouyid stays in the foreground and logs to standard error; zhouyid(8) says more.\n";

struct arguments {
	const char *file;		   /* NULL: the default, if it is there */
	const char *fault_script;	   /* NULL: none */
	const char *values[N_OPTION_KEYS]; /* NULL: not given */
	bool check, dump;
};

/* Returns an exit code if that was all, else -1. */
static int parse(struct arguments *args, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "hVc:", options, NULL)) >= 0) {
		if (option >= OPTION_KEY) {
			args->values[option - OPTION_KEY] = optarg;
			continue;
		}
		switch (option) {
		case OPTION_CONFIG:
			args->file = optarg;
			break;
		case OPTION_DUMP:
			args->dump = true;
			/* fallthrough */
		case OPTION_CHECK:
			args->check = true;
			break;
		case OPTION_FAULTS:
			args->fault_script = optarg;
			break;
		case OPTION_HELP:
			fputs(usage, stdout);
			return EXIT_STOPPED;
		case OPTION_VERSION:
			puts("zhouyid " ZHOUYI_VERSION);
			return EXIT_STOPPED;
		default:
			fputs("Try zhouyid --help.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "zhouyid: '%s' is no option. Try zhouyid --help.\n", argv[optind]);
	return EXIT_USAGE;
}

static void say(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_LEVEL_ERROR, LOG_EVENT_BAD_CONFIG, "%s", text);
}

static void source_init(struct config_source *source, const struct arguments *args)
{
	*source = (struct config_source){.file = args->file};
	for (size_t i = 0; i < N_OPTION_KEYS; i++) {
		source->options[i].key = option_keys[i];
		source->options[i].value = args->values[i];
	}
}

/* The files, and over them what the command line says. */
static int configure(struct config *ret, const struct config_source *source)
{
	return config_read(ret, source, &(struct config_report){.say = say});
}

static int check(const struct config *config, const struct arguments *args)
{
	char *text;

	if (!args->dump) {
		puts("the configuration is valid");
		return EXIT_STOPPED;
	}
	text = config_dump(config);
	if (!text || puts(text) == EOF) {
		log_error("cannot write the configuration");
		free(text);
		return EXIT_FAILED;
	}
	free(text);
	return EXIT_STOPPED;
}

/* On success @config has the script, or NULL. */
static int load_faults(struct config *config, const char *path)
{
	struct loadable_error error;
	int r;

	if (!path)
		return 0;
	if (strcmp(config->device, "drm") == 0) {
		log_error("--fault-script is for the software NPU, but the device is drm");
		return -EINVAL;
	}
	r = fault_script_load(&config->soft.faults, path, &error);
	if (r < 0)
		log_error("fault script %s: %s", path, error.text);
	return r;
}

/* Each session and each buffer is a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_debug("cannot raise the limit of file descriptors: %s", strerror(errno));
}

/* Of not having started at all. */
static enum exit_code exit_code_of(int r)
{
	switch (r) {
	case -EADDRINUSE:
		return EXIT_IN_USE;
	case -ENODEV:
	case -ENOTSUP:
		return EXIT_NO_DEVICE;
	default:
		return EXIT_FAILED;
	}
}

static int serve(struct config *config, const struct config_source *source)
{
	struct daemon daemon;
	int r = daemon_init(&daemon, config);

	if (r < 0)
		return exit_code_of(r);
	daemon_set_source(&daemon, source);
	r = daemon_run(&daemon);
	if (r == -ETIMEDOUT) {
		/* The device still writes to memory that tearing down would free. */
		daemon_abandon(&daemon);
		log_close();
		_exit(EXIT_STUCK);
	}
	daemon_finish(&daemon);
	return r < 0 ? EXIT_FAILED : EXIT_STOPPED;
}

static int run(struct config *config, const struct arguments *args,
	       const struct config_source *source)
{
	if (load_faults(config, args->fault_script) < 0)
		return EXIT_USAGE;
	if (args->check)
		return check(config, args);
	log_open(config->log_level);
	if (config->soft.faults)
		log_warning("the fault script %s is active: the device fails on purpose",
			    args->fault_script);
	/* A log or a client that goes away is an error code, not a signal. */
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	return serve(config, source);
}

int main(int argc, char **argv)
{
	struct arguments args = {0};
	struct config_source source;
	struct config config;
	int code;

	code = parse(&args, argc, argv);
	if (code >= 0)
		return code;
	log_open(LOG_LEVEL_INFO);
	source_init(&source, &args);
	if (configure(&config, &source) < 0) {
		log_close();
		return EXIT_USAGE;
	}
	code = run(&config, &args, &source);
	log_close();
	fault_script_destroy(config.soft.faults);
	config_finish(&config);
	return code;
}
